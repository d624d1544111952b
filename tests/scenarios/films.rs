//! Films in a real browser: one of our own is recorded there, packed, played and proved; one that does not go on makes
//! way for the next item.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::browser::{self, Browser, base64};
use super::content::Gallery;
use super::screens::results;
use super::wait_until;

const PATIENCE: Duration = Duration::from_secs(90);
/// Half of a round, milliseconds.
const HALF_MS: u32 = 20_000;
/// A film that stands still makes way within so long, milliseconds.
const MAKES_WAY_MS: f64 = 15_000.0;

/// Three seconds of a drawing that moves, as WebM: made here and now by the browser that is to play it.
fn recorded(page: &mut Browser) -> Vec<u8> {
    let text = page.value(
        "(async () => { const canvas = document.createElement('canvas'); canvas.width = 320; canvas.height = 180;\
         const pen = canvas.getContext('2d'); let at = 0; const draw = () => { pen.fillStyle = `hsl(${at} 80% 50%)`;\
         pen.fillRect(0, 0, 320, 180); pen.fillStyle = '#fff'; pen.fillRect((at * 3) % 320, 60, 40, 60); at += 2; };\
         const timer = setInterval(draw, 33); draw();\
         const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: 'video/webm;codecs=vp8' });\
         const pieces = []; recorder.ondataavailable = (event) => pieces.push(event.data);\
         const over = new Promise((done) => { recorder.onstop = done; }); recorder.start(500);\
         await new Promise((done) => setTimeout(done, 3000)); recorder.stop(); await over; clearInterval(timer);\
         const reader = new FileReader(); const read = new Promise((done) => { reader.onload = done; });\
         reader.readAsDataURL(new Blob(pieces)); await read; return reader.result.split(',')[1]; })()",
    );
    let film = base64(text.as_str().unwrap());
    // EBML (RFC 8794, section 11.2.1).
    assert_eq!(film[..4], [0x1a, 0x45, 0xdf, 0xa3]);
    film
}

/// Content of a film and the demo's welcome, by turns.
fn of_film(gallery: &Gallery, film: &[u8], (film_ms, welcome_ms): (u32, u32)) -> PathBuf {
    let folder = gallery.studio.source(|content| {
        let words = json!({ "zh-CN": "短片", "en": "A film" });
        content["items"]["film"] = json!({ "kind": "video", "asset": "film.webm", "dur_ms": film_ms, "text": words });
        content["items"]["welcome"]["dur_ms"] = json!(welcome_ms);
        content["playlists"] = json!([{ "id": "films", "zone": "main", "items": ["film", "welcome"] }]);
        content["triggers"] = json!([]);
    });
    std::fs::write(folder.join("film.webm"), film).unwrap();
    folder
}

/// Which item of content of this revision came on, and when, milliseconds since 1970.
fn changes(page: &mut Browser, rev: u64) -> Vec<(String, f64)> {
    let changes = page.value(&format!(
        "__state.changes.filter((one) => one.rev === {rev} && one.zone === 'main').map((one) => [one.item, one.at])"
    ));
    serde_json::from_value(changes).unwrap()
}

/// How long each film stood before the next item came.
fn stood(changes: &[(String, f64)]) -> Vec<f64> {
    let pairs = changes.windows(2).filter(|pair| pair[0].0 == "film" && pair[1].0 == "welcome");
    pairs.map(|pair| pair[1].1 - pair[0].1).collect()
}

fn signal(gallery: &Gallery, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(gallery.shop.pid()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn a_film_is_proved_by_its_frames_and_one_that_stands_still_makes_way() {
    if !browser::is_there() {
        return;
    }
    let mut gallery = Gallery::open(&[("screen-1", "signage", "")]);
    gallery.put(&super::studio::demo_content(), 1);
    let mut page = Browser::open(&gallery.shop.url("/s/screen-1"), "640,360");
    page.wait_for("window.__state && __state.connected", PATIENCE);
    let film = recorded(&mut page);
    eprintln!("a film of {} bytes", film.len());

    let source = of_film(&gallery, &film, (5000, 2000));
    gallery.put(&source, 2);
    // Its frames have advanced; the slot is longer than the film, which goes round.
    let moves = "window.film = [...document.querySelectorAll('video')]\
        .find((one) => one.currentTime > 0.5 && one.getVideoPlaybackQuality().totalVideoFrames > 30)";
    page.wait_for(moves, PATIENCE);
    page.keep_shot("film");
    wait_until("a film is played", PATIENCE, || results(&gallery, "film").contains(&"complete".to_owned()));
    // What is left keeps neither its source nor its buffers.
    page.wait_for("!film.isConnected && !film.hasAttribute('src') && film.networkState === 0", PATIENCE);
    page.wait_for("document.querySelectorAll('video').length <= 1", PATIENCE);

    // Only the head of a film.
    let source = of_film(&gallery, &film[..200], (8000, 2000));
    gallery.put(&source, 3);
    wait_until("a torn film is told of", PATIENCE, || results(&gallery, "film").contains(&"error".to_owned()));
    wait_until("it has made way", PATIENCE, || !stood(&changes(&mut page, 3)).is_empty());
    let torn = stood(&changes(&mut page, 3));
    eprintln!("a torn film stood for {:.0} ms", torn[0]);
    assert!(torn[0] < MAKES_WAY_MS, "{torn:?}");

    // A film that the browser has never had, from a gateway that stands still before its turn.
    let errors = results(&gallery, "film").iter().filter(|result| *result == "error").count();
    let source = of_film(&gallery, &[&film[..], &[0xec, 0x81, 0x00]].concat(), (HALF_MS, HALF_MS));
    // The welcome is on when it comes into force, so that nothing of the film has been asked for.
    wait_until("the welcome's half of a round has begun", PATIENCE, || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let half = u128::from(HALF_MS);
        (half..half + half / 4).contains(&(now % (2 * half)))
    });
    gallery.put(&source, 4);
    let is_early = "(() => { const slot = __state.player.zones.main; return __state.rev === 4 && slot\
        && slot.item === 'welcome' && slot.to - __state.now > 4500; })()";
    page.wait_for(is_early, PATIENCE);
    signal(&gallery, Signal::STOP);
    wait_until("it has made way", PATIENCE, || !stood(&changes(&mut page, 4)).is_empty());
    let stalled = stood(&changes(&mut page, 4));
    signal(&gallery, Signal::CONT);
    eprintln!("a film without its server stood for {:.0} ms", stalled[0]);
    assert!(stalled[0] < MAKES_WAY_MS, "{stalled:?}");
    wait_until("it is told of", PATIENCE, || {
        results(&gallery, "film").iter().filter(|result| *result == "error").count() > errors
    });
    // The page is the same one: it was the gateway that stood still.
    assert!(page.value("__state.changes.some((one) => one.rev === 2)").as_bool().unwrap());
    page.wait_for("__state.connected && __state.plays.waiting === 0", PATIENCE);
}

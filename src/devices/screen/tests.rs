//! The driver with the seat of a page, without a browser.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::PAGE;
use crate::clock::Clock;
use crate::device::testing::{configure, mistakes};
use crate::device::{Once, Port, PortEnds, port};
use crate::observe::{Board, Conditions, DeviceScope, Metrics};
use crate::transport::{PostKind, Reply, Seats};
use crate::types::{
    Action, Assigned, Body, CommandId, Condition, DeviceId, Draft, Ended, Observation, SceneId, SessionChange,
    SessionEnd, Show, StationSession,
};

const SIGNAGE: &str = include_str!("../../../device-profiles/screen/signage.toml");
const BOUND: Duration = Duration::from_secs(20);

/// A screen at work, and the house around it.
struct Stage {
    seats: Seats,
    once: Once,
    ends: PortEnds,
    conditions: Conditions,
    clock: Clock,
    stop: CancellationToken,
}

fn opened(once: Once) -> (Stage, Port) {
    let clock = Clock::system(crate::clock::Trust::Trusted);
    let conditions = Conditions::new(clock.clone());
    let device = DeviceId::new("device-1").unwrap();
    let scope = DeviceScope::new(device, clock.clone(), conditions.clone(), Metrics::default(), Board::default());
    let stop = CancellationToken::new();
    let (mut port, ends) = port(scope, clock.clone(), stop.clone());
    let seats = Seats::default();
    (port.seats, port.once) = (seats.clone(), once.clone());
    (Stage { seats, once, ends, conditions, clock, stop }, port)
}

/// Runs a screen beside a story.
async fn with_screen<F: AsyncFnOnce(&mut Stage)>(once: Once, story: F) {
    with_page(SIGNAGE, "", once, story).await;
}

/// The same, of any page, with settings.
async fn with_page<F: AsyncFnOnce(&mut Stage)>(profile: &str, settings: &str, once: Once, story: F) {
    let device = configure(&[&PAGE], profile, "screen:", settings).unwrap();
    let (mut stage, mut port) = opened(once);
    let stop = stage.stop.clone();
    let told = async {
        while stage.seats.at("device-1").is_none() {
            // waits: the interval at which the seat is looked for
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        story(&mut stage).await;
        stop.cancel();
    };
    let (ran, told) = tokio::join!(device.run(&mut port), tokio::time::timeout(BOUND, told));
    told.expect("the story ends");
    ran.unwrap();
}

impl Stage {
    /// Posts, and stores what the driver says meanwhile.
    async fn post(&mut self, kind: PostKind, body: &serde_json::Value) -> (Option<Reply>, Vec<Draft>) {
        let seat = self.seats.at("device-1").unwrap();
        let post = seat.post(kind, Bytes::from(serde_json::to_vec(body).unwrap()));
        let (mut post, mut said) = (Box::pin(post), Vec::new());
        loop {
            tokio::select! {
                biased;
                Some(draft) = self.ends.observed.recv() => {
                    said.push(draft);
                    self.ends.stored.send_modify(|stored| *stored += 1);
                }
                reply = &mut post => return (reply, said),
            }
        }
    }

    async fn said(&mut self) -> Observation {
        let draft = self.ends.observed.recv().await.unwrap();
        self.ends.stored.send_modify(|stored| *stored += 1);
        let Body::Observed(observation) = draft.body else { panic!("a device observes") };
        observation
    }

    async fn ask(&mut self, action: Action) -> CommandId {
        let command = CommandId::new(&format!("c-{}", self.clock.random_uuid())).unwrap();
        let deadline = self.clock.now() + BOUND;
        self.ends.assign.send(Assigned { command: command.clone(), action, deadline }).await.unwrap();
        command
    }
}

fn play(number: u32) -> serde_json::Value {
    json!({
        "play_id": format!("019aa95e-0c80-7000-8000-{number:012}"), "zone": "main", "item": "a", "rev": 7, "t0": 1000,
        "t1": 11_000, "mono_ms": 10_000, "result": "complete", "visible_ratio": 1.0,
    })
}

#[tokio::test]
async fn a_play_is_let_in_once_and_is_on_disk_before_its_page_hears_so() {
    let once = Once::default();
    with_screen(once.clone(), async |stage: &mut Stage| {
        let both = json!({ "plays": [play(1), play(2)] });
        let (reply, said) = stage.post(PostKind::Plays, &both).await;
        assert_eq!((reply, said.len()), (Some(Reply::Taken), 2));
        let (reply, said) = stage.post(PostKind::Plays, &json!({ "plays": [play(2), play(3), play(3)] })).await;
        assert_eq!((reply, said.len()), (Some(Reply::Taken), 1));
        let (reply, said) = stage.post(PostKind::Plays, &json!({ "plays": [play(4), {}] })).await;
        assert!(matches!(reply, Some(Reply::Bad(why)) if why.contains("missing field")) && said.is_empty());

        // Nobody stores: nobody hears that it is taken.
        let seat = stage.seats.at("device-1").unwrap();
        let body = Bytes::from(serde_json::to_vec(&json!({ "plays": [play(5)] })).unwrap());
        let waiting = tokio::time::timeout(Duration::from_millis(100), seat.post(PostKind::Plays, body)).await;
        assert!(waiting.is_err());
        assert!(matches!(stage.said().await, Observation::ScreenPlay(play) if play.rev == 7));
    })
    .await;
    // Another run, or another process that has read its journal: it is known still.
    with_screen(once, async |stage: &mut Stage| {
        let (reply, said) = stage.post(PostKind::Plays, &json!({ "plays": [play(1), play(5)] })).await;
        assert_eq!((reply, said.len()), (Some(Reply::Taken), 0));
        assert!(stage.once.first(uuid::Uuid::from_u128(1)));
    })
    .await;
}

#[tokio::test]
async fn a_scene_is_done_when_its_page_has_painted_it() {
    with_screen(Once::default(), async |stage: &mut Stage| {
        let show =
            || Action::Show(Show { scene: SceneId::new("product:LIP-204").unwrap(), for_ms: Some(500), session: None });
        let ended = |said| match said {
            Observation::Ended(outcome) => outcome,
            other => panic!("{other:?}"),
        };
        let command = stage.ask(show()).await;
        let outcome = ended(stage.said().await);
        assert_eq!((outcome.command, outcome.ended.reason().unwrap().as_str()), (command, "no-page"));

        let seat = stage.seats.at("device-1").unwrap();
        let mut page = seat.follow(None);
        for (refused, expected) in
            [(None, Ended::Done), (Some("busy"), Ended::Refused(crate::types::Reason::new("busy")))]
        {
            let command = stage.ask(show()).await;
            let told = page.next().await.unwrap();
            let data: serde_json::Value = serde_json::from_str(&told.data).unwrap();
            assert_eq!((told.name, &data["scene"], &data["for_ms"]), ("show", &json!("product:LIP-204"), &json!(500)));
            let (_, said) = stage.post(PostKind::Shown, &json!({ "show": data["n"], "refused": refused })).await;
            let Body::Observed(said) = said[0].body.clone() else { panic!("a device observes") };
            assert_eq!(ended(said), crate::types::Outcome { command, ended: expected });
        }
        let command = stage.ask(show()).await;
        let outcome = ended(stage.said().await);
        assert_eq!((outcome.command, outcome.ended.as_str()), (command, "failed"), "nothing was painted in time");
    })
    .await;
}

fn shows(scene: &str) -> Action {
    Action::Show(Show { scene: SceneId::new(scene).unwrap(), for_ms: None, session: None })
}

fn ended(said: Observation) -> (CommandId, &'static str, String) {
    let Observation::Ended(outcome) = said else { panic!("{said:?}") };
    let reason = outcome.ended.reason().map(ToString::to_string).unwrap_or_default();
    (outcome.command, outcome.ended.as_str(), reason)
}

/// A browser's debugging port is there, and would be asked: nobody knocks.
#[tokio::test]
async fn of_a_mirror_there_is_never_a_picture_whoever_asks() {
    let browser = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    browser.set_nonblocking(true).unwrap();
    let cdp = format!("cdp = \"{}\"\n", browser.local_addr().unwrap());
    let mirror = SIGNAGE.replace("signage", "mirror");
    for (profile, settings, why) in [(&*mirror, &*cdp, "mirror-shows-people"), (SIGNAGE, "", "no-cdp")] {
        with_page(profile, settings, Once::default(), async |stage: &mut Stage| {
            let seat = stage.seats.at("device-1").unwrap();
            let _page = seat.follow(None);
            assert!(!seat.facts.is_seen);
            assert_eq!(seat.picture().await, Some(Err(why)));
            let command = stage.ask(shows("screen:shot")).await;
            assert_eq!(ended(stage.said().await), (command, "refused", why.to_owned()));
        })
        .await;
    }
    assert_eq!(browser.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_page_is_loaded_anew_when_another_is_heard() {
    with_screen(Once::default(), async |stage: &mut Stage| {
        let beat = |page: &str| json!({ "page_id": page, "rev": 7, "frames": 60, "last_paint_ms": 16 });
        let seat = stage.seats.at("device-1").unwrap();
        let mut page = seat.follow(None);
        assert!(stage.post(PostKind::Beat, &beat("old")).await.1.is_empty());
        let command = stage.ask(shows("screen:reload")).await;
        let told = page.next().await.unwrap();
        assert_eq!((told.name, &*told.data), ("command", "{\"do\":\"reload\"}"));
        let second = stage.ask(shows("screen:reload")).await;
        assert_eq!(ended(stage.said().await), (second, "refused", "busy".to_owned()));
        assert!(stage.post(PostKind::Beat, &beat("old")).await.1.is_empty(), "it is still the same page");
        let (_, said) = stage.post(PostKind::Beat, &beat("new")).await;
        let Body::Observed(said) = said[0].body.clone() else { panic!("a device observes") };
        assert_eq!(ended(said), (command, "done", String::new()));
    })
    .await;
}

#[tokio::test]
async fn a_members_session_goes_to_the_page_by_its_name_and_ends_once() {
    with_screen(Once::default(), async |stage: &mut Stage| {
        let session = uuid::Uuid::from_u128(7);
        let seat = stage.seats.at("device-1").unwrap();
        let mut page = seat.follow(None);
        let scene = SceneId::new("member").unwrap();
        stage.ask(Action::Show(Show { scene, for_ms: None, session: Some(session) })).await;
        let told: serde_json::Value = serde_json::from_str(&page.next().await.unwrap().data).unwrap();
        assert_eq!((&told["scene"], &told["session"]), (&json!("member"), &json!(session.to_string())));
        let (now, _) = stage.clock.wall();
        assert!(told["until_ms"].as_i64().unwrap() > now.unix_ms(), "until when it may be shown");
        let end = json!({ "sessions": [{ "session": session.to_string(), "ended": now.unix_ms(), "how": "idle" }] });
        let (reply, said) = stage.post(PostKind::Sessions, &end).await;
        let change = SessionChange::Ended { ended: now, how: SessionEnd::Idle };
        let expected = Observation::Session(Box::new(StationSession { session, change }));
        assert_eq!((reply, said[0].body.clone()), (Some(Reply::Taken), Body::Observed(expected)));
        let (reply, said) = stage.post(PostKind::Sessions, &end).await;
        assert_eq!((reply, said.len()), (Some(Reply::Taken), 0), "the same end again");
    })
    .await;
}

#[tokio::test]
async fn a_heartbeat_counts_only_from_a_page_that_paints() {
    with_screen(Once::default(), async |stage: &mut Stage| {
        let beat = |last_paint_ms: u32, visible: bool| {
            json!({ "page_id": "1", "rev": 7, "frames": 60, "last_paint_ms": last_paint_ms, "visible": visible })
        };
        let dark = |stage: &Stage| {
            let standing = stage.conditions.standing();
            standing.iter().any(|standing| standing.condition == Condition::ScreenDark)
        };
        let device = DeviceId::new("device-1").unwrap();
        for (body, is_dark) in [(beat(20_000, true), true), (beat(16, false), true), (beat(16, true), false)] {
            stage.conditions.set(Condition::ScreenDark, Some(&device), true, None);
            let (reply, _) = stage.post(PostKind::Beat, &body).await;
            // `screen.dark` is news after 30 s only: whether it is given at all is seen when it is taken back.
            let was_raised = stage.conditions.next_due().is_some() || dark(stage);
            assert_eq!((reply, was_raised), (Some(Reply::Taken), is_dark), "{body}");
        }
    })
    .await;
}

#[test]
fn every_wrong_setting_is_named() {
    let settings = "language = \"fr\"\ncdp = \"10.0.0.7:9222\"\nhand_off = \"ftp://x/\"\n\
                    panel = \"../x\"\n";
    let found: Vec<_> = mistakes(&[&PAGE], SIGNAGE, "screen:", settings).into_iter().map(|(_, _, at)| at).collect();
    assert_eq!(found, ["\"fr\"", "\"10.0.0.7:9222\"", "\"ftp://x/\"", "\"../x\""]);
    assert_eq!(mistakes(&[&PAGE], SIGNAGE, "serial:/dev/ttyS0", "")[0].0, "wrong-endpoint");
    let profile = SIGNAGE.replace("\"5s\"", "\"5ms\"").replace("\"signage\"", "\"cinema\"");
    assert_eq!(mistakes(&[&PAGE], &profile, "screen:", "").len(), 2);
    for profile in ["shelf", "mirror"] {
        assert!(configure(&[&PAGE], &SIGNAGE.replace("signage", profile), "screen:", "").is_ok());
    }
}

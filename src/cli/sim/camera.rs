//! `smartstore sim camera`: a network camera, its hidden truth on stdout.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use tokio_util::sync::CancellationToken;

use crate::sim::camera::{Camera, CameraSetup, Fault, Film, Scene, SceneSetup, Shopper, Speech};
use crate::types::units::parse_duration;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  smartstore sim camera --for 60s\n  smartstore sim camera --rtsp --frames DIR --fps 25\n\
        \n  The line that its drawn people cross from left to right: { from = [0.5, 1.0], to = [0.5, 0.0] }"
)]
pub(super) struct Args {
    /// Where to listen; port 0 chooses a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Speak H.264 over RTSP instead of MJPEG over HTTP.
    #[arg(long)]
    rtsp: bool,
    /// MJPEG without parts: one picture after the other.
    #[arg(long, conflicts_with = "rtsp")]
    bare: bool,
    /// MJPEG in parts that do not say their length.
    #[arg(long, conflicts_with_all = ["rtsp", "bare"])]
    no_length: bool,
    /// Play this folder's JPEG or PNG files instead of drawn people.
    #[arg(long, value_name = "DIR")]
    frames: Option<PathBuf>,
    /// Play the folder so often.
    #[arg(long, default_value_t = 1, requires = "frames")]
    rounds: u32,
    /// Pictures a second.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=60))]
    fps: u32,
    /// Size of drawn pictures.
    #[arg(long, value_name = "WxH", default_value = "640x480", value_parser = size)]
    size: (u32, u32),
    /// How long drawn people come, from the first client on.
    #[arg(long = "for", value_name = "TIME", default_value = "1min", value_parser = parse_duration)]
    length: Duration,
    /// How many drawn people may be there at a time.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    people: u8,
    /// One person near by, as before a mirror, instead of people who walk past.
    #[arg(long, conflicts_with = "frames")]
    shopper: bool,
    /// Seed of who comes when.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ask for this login: `user:password`.
    #[arg(long, value_name = "LOGIN")]
    login: Option<String>,
    /// What goes wrong: `cut:N` or `stall:N` behind N pictures; every N-th picture `garbage:N`, `truncated:N` or
    /// `huge:N`.
    #[arg(long, value_name = "KIND:N", value_parser = fault)]
    fault: Option<Fault>,
}

fn size(word: &str) -> Result<(u32, u32), String> {
    let sides = word.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let sides = sides.filter(|(width, height)| (64..=3840).contains(width) && (64..=3840).contains(height));
    sides.ok_or_else(|| "two sides from 64 to 3840, such as 640x480".to_owned())
}

fn fault(word: &str) -> Result<Fault, String> {
    let (kind, count) = word.split_once(':').unwrap_or((word, ""));
    let count = count.parse::<u64>().ok().filter(|count| *count > 0).ok_or("a number behind the colon")?;
    Ok(match kind {
        "cut" => Fault::Cut(count),
        "stall" => Fault::Stall(count),
        "garbage" => Fault::Garbage(count),
        "truncated" => Fault::Truncated(count),
        "huge" => Fault::Huge(count),
        _ => return Err("cut, stall, garbage, truncated or huge".to_owned()),
    })
}

fn speech(args: &Args) -> anyhow::Result<Speech> {
    Ok(match (args.rtsp, args.bare, args.no_length) {
        #[cfg(feature = "device-camera")]
        (true, ..) => Speech::Rtsp,
        #[cfg(not(feature = "device-camera"))]
        (true, ..) => bail!("this build has no H.264: it was built without the feature `device-camera`"),
        (_, true, _) => Speech::Bare,
        (.., true) => Speech::PartsWithoutLength,
        _ => Speech::Parts,
    })
}

pub(super) async fn run(args: &Args, stop: CancellationToken) -> anyhow::Result<()> {
    if args.rtsp && matches!(args.fault, Some(Fault::Huge(_))) {
        bail!("`huge` is a fault of JPEGs");
    }
    let (listen, fps, fault, login) = (args.listen, args.fps, args.fault, args.login.clone());
    let setup = CameraSetup { listen, fps, speech: speech(args)?, fault, login };
    let film = match &args.frames {
        Some(folder) => Film::of_folder(folder, args.rounds)?,
        None => drawn(args),
    };
    let camera = Camera::bind(setup).await?;
    say!("{}", camera.url()?);
    let pictures = camera
        .run(film, &stop, |truth| {
            if let Ok(line) = serde_json::to_string(truth) {
                say!("{line}");
            }
        })
        .await?;
    eprintln!("{pictures} pictures");
    Ok(())
}

fn drawn(args: &Args) -> Film {
    let (width, height) = args.size;
    let pictures = args.length.as_millis() * u128::from(args.fps) / 1000;
    let pictures = u64::try_from(pictures).unwrap_or(u64::MAX);
    if args.shopper {
        return Film::Shopper { shopper: Box::new(Shopper::new(width, height)), size: args.size, pictures };
    }
    let length_ms = i64::try_from(args.length.as_millis()).unwrap_or(i64::MAX);
    let setup = SceneSetup { width, height, seed: args.seed, length_ms, lanes: usize::from(args.people) };
    Film::Scene { scene: Box::new(Scene::new(setup)), size: args.size, pictures }
}

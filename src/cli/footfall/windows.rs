//! A running sensor's windows, as `smartstore events --json` and `journal export` write them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use crate::sense::footfall::Features;
use crate::types::Timestamp;

/// Longest line that is read.
const LINE_BYTES: usize = 64 * 1024;
const TYPE: &str = "footfall.window.v1";

/// An event, as far as it matters here.
#[derive(Deserialize)]
struct Event {
    r#type: String,
    subject: Option<String>,
    data: Option<Box<serde_json::value::RawValue>>,
}

/// A window's counts.
#[derive(Deserialize)]
struct Data {
    start: String,
    end: String,
    devices_high: u32,
    passed: u32,
    visited: u32,
    stayed: u32,
    complete: bool,
}

/// What the windows of one sensor and length heard, by their starts in microseconds since 1970.
pub(super) type Heard = BTreeMap<i64, Features>;

/// Reads the complete windows of a length.
pub(super) fn read(file: &Path, device: Option<&str>, length_us: i64) -> anyhow::Result<Heard> {
    let open = std::fs::File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    let mut lines = BufReader::new(open);
    let (mut heard, mut sensor, mut number) = (Heard::new(), device.map(str::to_owned), 0_u64);
    let mut line = Vec::new();
    while next(&mut lines, &mut line).with_context(|| format!("{}:{}: cannot be read", file.display(), number + 1))? {
        number += 1;
        let place = || format!("{}:{number}", file.display());
        let Some((subject, start_us, features)) = window(&line, length_us).with_context(place)? else { continue };
        match &sensor {
            Some(sensor) if *sensor != subject && device.is_some() => continue,
            Some(sensor) if *sensor != subject => {
                anyhow::bail!("{}: windows of {sensor} and of {subject}: say which with --device", place())
            }
            _ => sensor = Some(subject),
        }
        heard.insert(start_us, features);
    }
    Ok(heard)
}

/// The next line, if there is one; a line that is too long is an error.
fn next(lines: &mut impl BufRead, line: &mut Vec<u8>) -> anyhow::Result<bool> {
    line.clear();
    let read = lines.by_ref().take(LINE_BYTES as u64 + 1).read_until(b'\n', line)?;
    anyhow::ensure!(line.len() <= LINE_BYTES, "longer than {LINE_BYTES} bytes");
    Ok(read > 0)
}

/// Of which sensor a line's window is, its start and what it heard; `None` for what is no complete window of the
/// length.
fn window(line: &[u8], length_us: i64) -> anyhow::Result<Option<(String, i64, Features)>> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let event: Event =
        serde_json::from_slice(line).context("this is no event as `smartstore events --json` says it")?;
    let Some(data) = event.data.filter(|_| event.r#type == TYPE) else { return Ok(None) };
    let data: Data = serde_json::from_str(data.get()).context("this is no window of a footfall sensor")?;
    let us = |time: &str| Ok::<_, anyhow::Error>(time.parse::<Timestamp>()?.unix_ms() * 1000);
    let (start_us, end_us) = (us(&data.start)?, us(&data.end)?);
    let features = Features::of_window(data.passed, data.visited, data.stayed, data.devices_high);
    let is_wanted = data.complete && end_us - start_us == length_us;
    Ok(is_wanted.then(|| (event.subject.unwrap_or_default(), start_us, features)))
}

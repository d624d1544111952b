//! `smartstore demo`: what a newcomer sees first ends with nothing lost, and says so truthfully.

use std::time::{Duration, Instant};

use super::daemon::smartstore;

/// The number behind a word at the beginning of a line of the summary.
fn counted(said: &str, word: &str) -> u64 {
    let line = said.lines().rev().find_map(|line| line.strip_prefix(word)).expect("the summary has this line");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn the_demo_ends_in_time_with_as_much_delivered_as_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let output = smartstore(&["demo", "--for", "12s", "--dir"]).arg(folder.path().join("demo")).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(started.elapsed() < Duration::from_secs(60), "it ends after `--for`: {:?}", started.elapsed());
    let [sent, stored, delivered] = ["sent", "stored", "delivered"].map(|word| counted(&said, word));
    assert!(sent > 10 && sent == stored && stored == delivered, "{said}");
    assert!(counted(&said, "samples") > 0, "every member is given one: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

//! The power goes at every place of what a journal writes: what was acknowledged before is there, and nothing else.
//!
//! A real process runs a real journal; a preloaded library (`powercut/shim.c`) records every write, truncation, sync,
//! creation and deletion of its files with the data, the acknowledgements among them. Then, for every place of that
//! record, the files are laid out as a disk could hold them: all that was written, only what was synced, and a seeded
//! part of what was not synced. Each is opened and checked.
//!
//! `SMARTSTORE_FULL=1`: a longer record and more parts; `SMARTSTORE_SEED`: other parts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

#[path = "powercut/check.rs"]
mod check;
#[path = "powercut/trace.rs"]
mod trace;
#[path = "powercut/writer.rs"]
mod writer;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use check::{Told, check};
use futures_util::FutureExt;
use trace::{Dice, Disk, File, Image, Op};

fn is_full() -> bool {
    std::env::var_os("SMARTSTORE_FULL").is_some()
}

fn seed() -> u64 {
    std::env::var_os("SMARTSTORE_SEED").map_or(20_261_122, |seed| seed.to_str().unwrap().parse().unwrap())
}

/// Memory where there is some: thousands of journals are laid out, and no sync of theirs matters.
fn quick_directory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn compiled_shim(dir: &Path) -> PathBuf {
    let (source, library) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/powercut/shim.c"), dir.join("shim.so"));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).args(["-ldl", "-lpthread"]);
    assert!(compiler.status().expect("a C compiler is there").success());
    library
}

/// What a journal of so many steps does to its files.
fn recorded(steps: usize) -> Vec<(File, Op)> {
    let dir = tempfile::tempdir().unwrap();
    let (data, trace) = (dir.path().join("data"), dir.path().join("trace"));
    std::fs::create_dir(&data).unwrap();
    let written = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer::a_writer_whose_writes_are_recorded", "--nocapture"])
        .env(writer::CHILD, &data)
        .env(writer::STEPS, steps.to_string())
        .env("POWERCUT_DIR", &data)
        .env("POWERCUT_TRACE", &trace)
        .env("LD_PRELOAD", compiled_shim(dir.path()))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(written.success());
    trace::read(&trace)
}

/// What was tried.
#[derive(Debug, Default)]
struct Tally {
    places: u64,
    killed: u64,
    synced: u64,
    torn: u64,
    events_checked: u64,
}

async fn check_image(image: &Image, told: &Told, tally: &mut Tally) {
    let dir = tempfile::tempdir_in(quick_directory()).unwrap();
    image.lay_out(dir.path());
    check(dir.path(), told).await;
    tally.events_checked += told.stored() as u64;
}

async fn check_place(disk: &Disk, told: &Told, before_sync: bool, dice: &mut Dice, tally: &mut Tally) {
    tally.places += 1;
    tally.killed += 1;
    check_image(disk.written(), told, tally).await;
    if disk.is_settled() {
        return;
    }
    let parts = if is_full() { 6 } else { 1 };
    for _ in 0..parts {
        tally.torn += 1;
        check_image(&disk.torn(dice), told, tally).await;
    }
    if before_sync {
        tally.synced += 1;
        check_image(disk.synced(), told, tally).await;
    }
}

/// Cuts at every place. The first place that fails, if one does.
async fn cut_everywhere(ops: Vec<(File, Op)>, is_honest: bool, seed: u64) -> (Tally, Option<String>) {
    let (mut disk, mut told, mut dice, mut tally) = (Disk::default(), Told::default(), Dice(seed), Tally::default());
    for (at, (file, op)) in ops.into_iter().enumerate() {
        if file == File::Acks {
            if let Op::Write { data, .. } = op {
                told.note(&data);
            }
            continue;
        }
        let before_sync = matches!(op, Op::Sync);
        let place = AssertUnwindSafe(check_place(&disk, &told, before_sync, &mut dice, &mut tally));
        if place.catch_unwind().await.is_err() {
            return (tally, Some(format!("before record {at}, {file:?} {}, seed {seed}", described(&op))));
        }
        if is_honest || file != File::Wal || !before_sync {
            disk.take(file, op);
        }
    }
    check_place(&disk, &told, true, &mut dice, &mut tally).await;
    (tally, None)
}

#[tokio::test]
async fn every_place_of_what_was_written_leaves_everything_acknowledged_and_nothing_else() {
    let seed = seed();
    let ops = recorded(if is_full() { 300 } else { 90 });
    let count = |file, is: fn(&Op) -> bool| ops.iter().filter(|(of, op)| *of == file && is(op)).count();
    let (writes, syncs) = (|op: &Op| matches!(op, Op::Write { .. }), |op: &Op| matches!(op, Op::Sync));
    eprintln!(
        "log: {} writes, {} syncs; database: {} writes, {} syncs; seed {seed}",
        count(File::Wal, writes),
        count(File::Wal, syncs),
        count(File::Db, writes),
        count(File::Db, syncs)
    );
    assert!(count(File::Db, syncs) >= 4, "made, closed, folded between and closed again");
    let (tally, failed) = cut_everywhere(ops, true, seed).await;
    assert_eq!(failed, None);
    eprintln!("{tally:?}: lost 0, invented 0");
    assert!(tally.places > 200 && tally.torn > 100 && tally.synced > 50, "too little was tried: {tally:?}");
}

#[tokio::test]
async fn a_disk_that_lies_about_its_log_loses_something_and_this_test_sees_it() {
    let (_, failed) = cut_everywhere(recorded(8), false, seed()).await;
    eprintln!("with a lying disk something is missing {}", failed.as_deref().unwrap_or("nowhere"));
    assert!(failed.is_some());
}

fn described(op: &Op) -> String {
    match op {
        Op::Write { offset, data } => format!("write of {} at {offset}", data.len()),
        other => format!("{other:?}"),
    }
}

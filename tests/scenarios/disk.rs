//! The disk is full, read-only or failing under a running daemon: it says so, keeps what it reads, and goes on.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::daemon::{Shop, compiled};
use super::wait_until;

const BOUND: Duration = Duration::from_secs(60);

/// A small file system of its own. `None`, and said so, where nobody may mount.
struct Mounted(PathBuf);

impl Mounted {
    fn at(folder: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir(folder).unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder.to_owned()));
        }
        eprintln!("SKIPPED: a small file system can be mounted by root only");
        None
    }

    fn remount(&self, how: &str) {
        let how = format!("remount,{how}");
        assert!(Command::new("mount").args(["-o", &how]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Takes every byte that is left.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("somebody-elses-file");
    let mut file = File::create(&path).unwrap();
    for size in [1 << 20, 4096, 1] {
        let piece = vec![0x55; size];
        let full = std::iter::repeat_with(|| file.write_all(&piece)).find_map(Result::err);
        assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::StorageFull));
    }
    path
}

fn scan(shop: &mut Shop, codes: &mut Vec<String>, count: usize) {
    for _ in 0..count {
        let code = format!("code-{:05}", codes.len());
        shop.line.write(format!("{code}\r").as_bytes());
        codes.push(code);
    }
}

fn all_stored(shop: &Shop, codes: &[String]) {
    wait_until("everything scanned is stored", BOUND, || shop.codes().len() >= codes.len());
}

fn is_full(shop: &Shop) -> bool {
    shop.conditions().iter().any(|code| code == "journal.full")
}

/// Everything in order, once; the journal whole; no panic.
fn ends_well(shop: &mut Shop, codes: &[String]) {
    shop.stop();
    assert_eq!(shop.codes(), codes);
    assert!(!shop.whole_log().contains("panicked"), "{}", shop.log_tail());
    let verify = shop.tool(&["journal", "verify"]);
    assert!(verify.status.success(), "the journal is whole: {}", String::from_utf8_lossy(&verify.stderr));
    println!("scanned {}, stored {}, lost 0", codes.len(), codes.len());
}

#[test]
fn a_disk_filled_by_others_is_a_condition_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Mounted::at(&folder.path().join("data"), 40) else { return };
    let (mut shop, mut codes) = (Shop::new(folder, "scanner/generic-serial", None), Vec::new());
    shop.start();
    shop.wait_held();
    scan(&mut shop, &mut codes, 50);
    all_stored(&shop, &codes);
    for _ in 0..2 {
        let in_the_way = fill(&shop.data());
        scan(&mut shop, &mut codes, 20);
        wait_until("the full disk is a condition", BOUND, || is_full(&shop));
        scan(&mut shop, &mut codes, 20);
        std::fs::remove_file(in_the_way).unwrap();
        wait_until("the condition goes", BOUND, || !is_full(&shop));
        scan(&mut shop, &mut codes, 20);
        all_stored(&shop, &codes);
    }
    ends_well(&mut shop, &codes);
}

#[test]
fn a_disk_that_is_read_only_at_the_start_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Mounted::at(&folder.path().join("data"), 40) else { return };
    let (mut shop, mut codes) = (Shop::new(folder, "scanner/generic-serial", None), Vec::new());
    shop.start();
    shop.wait_held();
    scan(&mut shop, &mut codes, 20);
    all_stored(&shop, &codes);
    shop.kill();
    disk.remount("ro");
    let refused = shop.tool(&["run"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    println!("exit code {:?}: {said}", refused.status.code());
    assert!(!refused.status.success() && refused.status.code().is_some(), "it ends by itself");
    assert!(said.contains("journal") && said.to_lowercase().contains("read-only"), "{said}");
    disk.remount("rw");
    shop.start();
    shop.wait_held();
    scan(&mut shop, &mut codes, 20);
    all_stored(&shop, &codes);
    ends_well(&mut shop, &codes);
}

/// The disk answers every change with this errno for a while.
fn failing_with(errno: i32) {
    let folder = tempfile::tempdir().unwrap();
    let fault = folder.path().join("fault");
    let library = compiled("tests/scenarios/faulty.c", folder.path());
    let (mut shop, mut codes) = (Shop::new(folder, "scanner/generic-serial", None), Vec::new());
    let data = shop.data();
    shop.with("LD_PRELOAD", &library).with("FAULT_DISK", &fault).with("FAULT_DIR", &data);
    shop.start();
    shop.wait_held();
    for _ in 0..2 {
        scan(&mut shop, &mut codes, 30);
        all_stored(&shop, &codes);
        std::fs::write(&fault, errno.to_string()).unwrap();
        scan(&mut shop, &mut codes, 20);
        wait_until("what cannot be written is a condition", BOUND, || is_full(&shop));
        scan(&mut shop, &mut codes, 20);
        std::fs::remove_file(&fault).unwrap();
        wait_until("the condition goes", BOUND, || !is_full(&shop));
    }
    all_stored(&shop, &codes);
    ends_well(&mut shop, &codes);
}

#[test]
fn a_disk_that_becomes_read_only_is_a_condition_and_nothing_is_lost() {
    failing_with(30);
}

#[test]
fn a_disk_that_fails_to_write_and_to_sync_is_a_condition_and_nothing_is_lost() {
    failing_with(5);
}

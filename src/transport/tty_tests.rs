use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const SETTINGS: TtySettings = TtySettings { baud: 57_600, parity: Parity::None, stop_bits: StopBits::One };
const BOUND: Duration = Duration::from_secs(10);

/// The other end of a line: a PTY's master, and the path of its slave.
fn pty() -> (OwnedFd, PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    (master, path.into())
}

async fn read_some(line: &mut Line<Tty>) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 64];
    let count = tokio::time::timeout(BOUND, line.read(&mut buffer)).await.expect("the line answers")?;
    Ok(buffer[..count].to_vec())
}

#[tokio::test]
async fn bytes_pass_both_ways_at_the_baud_that_was_asked_for() {
    let (master, path) = pty();
    let mut line = open_tty(&path, SETTINGS).await.unwrap();
    assert_eq!(termios::tcgetattr(&master).unwrap().output_speed(), 57_600);
    let mut far = File::from(master);
    far.write_all(b"\r\n\x00\xff\x11").unwrap();
    let mut got = Vec::new();
    while got.len() < 5 {
        got.extend(read_some(&mut line).await.unwrap());
    }
    assert_eq!(got, b"\r\n\x00\xff\x11", "a raw line translates nothing");
    line.write_all(b"\n\x03").await.unwrap();
    let mut back = [0; 2];
    std::io::Read::read_exact(&mut far, &mut back).unwrap();
    assert_eq!(&back, b"\n\x03");
}

#[tokio::test]
async fn a_pulled_cable_ends_the_read_at_once() {
    let (master, path) = pty();
    let mut line = open_tty(&path, SETTINGS).await.unwrap();
    drop(master);
    assert!(
        matches!(read_some(&mut line).await, Ok(ref bytes) if bytes.is_empty()) || read_some(&mut line).await.is_err()
    );
}

#[tokio::test]
async fn a_line_that_nobody_reads_takes_what_fits_and_never_blocks_the_runtime() {
    let (_master, path) = pty();
    let mut line = open_tty(&path, SETTINGS).await.unwrap();
    let flood = vec![b'x'; 1 << 20];
    let written = tokio::time::timeout(Duration::from_millis(300), line.write_all(&flood)).await;
    assert!(written.is_err(), "a megabyte does not fit, and the write gives way to the timeout");
}

#[tokio::test]
async fn a_port_is_ours_alone_and_free_again_when_dropped() {
    let (_master, path) = pty();
    let line = open_tty(&path, SETTINGS).await.unwrap();
    assert_eq!(open_tty(&path, SETTINGS).await.unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    drop(line);
    assert!(open_tty(&path, SETTINGS).await.is_ok());
}

#[tokio::test]
async fn what_waited_before_the_line_was_held_is_left_and_counted() {
    let (master, path) = pty();
    let keep = open_tty(&path, SETTINGS).await.unwrap();
    assert_eq!(keep.opened().waited_bytes(), 0);
    let mut far = File::from(master);
    far.write_all(b"stale").unwrap();
    arrived(&File::open(&path).unwrap(), 5);
    drop(keep);
    let mut line = open_tty(&path, SETTINGS).await.unwrap();
    assert_eq!(line.opened().waited_bytes(), 5);
    far.write_all(b"fresh").unwrap();
    let mut got = Vec::new();
    while got.len() < 10 {
        got.extend(read_some(&mut line).await.unwrap());
    }
    assert_eq!(got, b"stalefresh");
}

#[tokio::test]
async fn a_symlink_is_resolved_at_every_open() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("scanner");
    assert_eq!(open_tty(&link, SETTINGS).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    for _plug in 0..3 {
        let (master, path) = pty();
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut line = open_tty(&link, SETTINGS).await.unwrap();
        let mut far = File::from(master);
        far.write_all(b"x").unwrap();
        assert_eq!(read_some(&mut line).await.unwrap(), b"x");
    }
}

/// Waits until the kernel has carried so many bytes across: it does that in its own time.
fn arrived(slave: &File, bytes: u64) {
    let mut looks = 0_u32;
    while rustix::io::ioctl_fionread(slave).unwrap() < bytes {
        looks += 1;
        assert!(looks < 10_000_000, "{bytes} bytes arrive");
        std::thread::yield_now();
    }
}

/// Opens the line, however often the onlooker's own lock is in the way.
async fn open_in_spite_of(path: &Path) -> Line<Tty> {
    loop {
        match open_tty(path, SETTINGS).await {
            Ok(line) => return line,
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ResourceBusy),
        }
    }
}

#[tokio::test]
async fn what_comes_once_the_line_is_seen_to_be_taken_is_kept() {
    for round in 0..50 {
        let (master, path) = pty();
        let slave = File::options().read(true).write(true).open(&path).unwrap();
        let mut settings = termios::tcgetattr(&slave).unwrap();
        settings.make_raw();
        termios::tcsetattr(&slave, termios::OptionalActions::Now, &settings).unwrap();
        let mut far = File::from(master);
        far.write_all(b"stale").unwrap();
        arrived(&slave, 5);
        let onlooker = std::thread::spawn(move || {
            while rustix::fs::flock(&slave, rustix::fs::FlockOperation::NonBlockingLockShared).is_ok() {
                rustix::fs::flock(&slave, rustix::fs::FlockOperation::Unlock).unwrap();
                std::thread::yield_now();
            }
            far.write_all(b"fresh").unwrap();
            far
        });
        let mut line = open_in_spite_of(&path).await;
        assert_eq!(line.opened().waited_bytes(), 5, "round {round}");
        let mut got = Vec::new();
        while got.len() < 10 {
            got.extend(read_some(&mut line).await.unwrap());
        }
        assert_eq!(got, b"stalefresh", "round {round}");
        drop(onlooker.join().unwrap());
    }
}

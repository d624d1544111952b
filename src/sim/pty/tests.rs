use super::*;
use crate::clock::Trust;
use crate::sim::scanner::{Answers, Print, Setup};
use crate::transport::{Parity, StopBits, TtySettings, open_tty};
use crate::types::Symbology;
use crate::wire::scan::Terminator;

const BOUND: Duration = Duration::from_secs(20);

fn print(text: &str) -> Print {
    Print { symbology: Symbology::parse("]Q1").unwrap(), text: text.to_owned() }
}

fn scanner() -> Scanner {
    Scanner::new(Setup { terminator: Terminator::Cr, answers: Answers::Crc, aim_ids: true })
}

async fn read_exactly(line: &mut (impl tokio::io::AsyncRead + Unpin), count: usize) -> io::Result<String> {
    let mut bytes = vec![0; count];
    tokio::time::timeout(BOUND, line.read_exact(&mut bytes)).await.expect("in time")?;
    Ok(String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn codes_pass_an_unplug_hangs_up_and_the_path_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("scanner");
    let (mut knobs, pty) = ScannerPty::new(&link, Some(115_200), scanner(), Clock::system(Trust::Trusted)).unwrap();
    let stop = CancellationToken::new();
    let story = async {
        let settings = TtySettings { baud: 9600, parity: Parity::None, stop_bits: StopBits::One };
        assert_eq!(knobs.line_baud(), None);
        let mut line = open_tty(&link, settings).await.unwrap();
        assert_eq!(knobs.line_baud(), Some(9600));
        assert!(knobs.act(Do::Scan(print("hello"))).await);
        assert_eq!(read_exactly(&mut line, 9).await.unwrap(), "]Q1hello\r");
        let counted = knobs.wait_until(|progress| progress.sent == 1).await.unwrap();
        assert_eq!((counted.cut, counted.queued), (0, 0));
        assert_eq!(knobs.unread().unwrap(), 0);
        assert!(knobs.act(Do::Cut(print("hello"), 5)).await);
        assert_eq!(read_exactly(&mut line, 5).await.unwrap(), "]Q1he");
        knobs.wait_until(|progress| progress.cut == 1).await.unwrap();
        assert!(knobs.unplug().await);
        let hung_up = tokio::time::timeout(BOUND, line.read(&mut [0; 9])).await.expect("at once");
        assert!(!matches!(hung_up, Ok(1..)), "{hung_up:?}");
        knobs.wait_until(|progress| !progress.plugged).await.unwrap();
        assert!(link.symlink_metadata().is_err());
        assert!(knobs.act(Do::Scan(print("nobody"))).await);
        knobs.wait_until(|progress| progress.unsent == 1).await.unwrap();
        assert!(knobs.plug().await);
        knobs.wait_until(|progress| progress.plugged).await.unwrap();
        let mut line = open_tty(&link, settings).await.unwrap();
        assert!(knobs.act(Do::Scan(print("again"))).await);
        assert_eq!(read_exactly(&mut line, 9).await.unwrap(), "]Q1again\r");
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(pty.run(stop.clone()), story);
    ended.unwrap();
    assert!(link.symlink_metadata().is_err(), "the path goes with the scanner");
}

#[tokio::test]
async fn bytes_leave_at_the_baud_rate() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("scanner");
    let clock = Clock::system(Trust::Trusted);
    let (mut knobs, pty) = ScannerPty::new(&link, Some(9600), scanner(), clock.clone()).unwrap();
    let stop = CancellationToken::new();
    let story = async {
        let began = clock.now();
        assert!(knobs.act(Do::Scan(print(&"x".repeat(188)))).await);
        knobs.wait_until(|progress| progress.sent == 1).await.unwrap();
        // 192 bytes of 10 bits at 9600 baud are 200 ms; the first slice leaves at once.
        assert!(clock.now() - began >= Duration::from_millis(190));
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(pty.run(stop.clone()), story);
    ended.unwrap();
}

#[test]
fn a_file_in_the_way_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("scanner");
    std::fs::write(&link, "mine").unwrap();
    assert_eq!(replace_link(Path::new("/dev/null"), &link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&link).unwrap(), "mine");
}

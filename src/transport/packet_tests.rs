use std::time::Duration;

use super::super::{Tap, door};
use super::*;

/// A name that no other test of this process or another has.
fn free_name(letter: char) -> String {
    format!("t{letter}{:x}", std::process::id())
}

/// A TAP and its listener; `None`, loudly, where that is not allowed.
fn pair(letter: char) -> Option<(Tap, Monitor)> {
    let name = free_name(letter);
    let tap = match Tap::create(&name) {
        Ok(tap) => tap,
        Err(error) => {
            eprintln!("SKIPPED: no TAP can be made here ({error}); run as root with /dev/net/tun");
            return None;
        }
    };
    Some((tap, Monitor::open(&name).unwrap()))
}

/// A radiotap header of 8 bytes, then the frame.
fn played(frame: &[u8]) -> Vec<u8> {
    [&[0, 0, 8, 0, 0, 0, 0, 0], frame].concat()
}

fn all(monitor: &mut Monitor) -> Vec<(i64, Vec<u8>)> {
    let mut frames = Vec::new();
    let (_knocker, door) = door().unwrap();
    while door.wait(&[monitor.as_fd()], Duration::from_millis(100)).unwrap().ready != 0 {
        monitor.take(|at_us, frame| frames.push((at_us, frame.to_vec()))).unwrap();
    }
    frames
}

#[test]
fn a_played_probe_request_is_heard_as_it_is_with_its_time_and_nothing_else_is() {
    let Some((tap, mut monitor)) = pair('a') else { return };
    assert_eq!(monitor.link(), MonitorLink::Radiotap);
    let probe = played(&[[0x40, 0].as_slice(), &[7; 50]].concat());
    let long_header = [&[0, 0, 0x24, 0x01], [0; 0x124 - 4].as_slice(), &[0x40, 0, 9, 9]].concat();
    let beacon = played(&[[0x80, 0].as_slice(), &[7; 50]].concat());
    let nothing = played(&[0; 6]);
    for frame in [&beacon, &probe, &nothing, &long_header] {
        tap.play(frame).unwrap();
    }
    let heard = all(&mut monitor);
    assert_eq!(heard.iter().map(|(_, frame)| frame).collect::<Vec<_>>(), [&probe, &long_header]);
    assert!(heard.iter().all(|(at_us, _)| *at_us > 1_700_000_000_000_000), "{heard:?}");
    assert!(monitor.frames.iter().all(|frame| frame.iter().all(|byte| *byte == 0)), "the buffers are overwritten");
    assert_eq!(monitor.missed().unwrap(), 0);
}

#[test]
fn many_frames_come_in_their_order_and_what_the_kernel_drops_is_counted() {
    let Some((tap, mut monitor)) = pair('b') else { return };
    let numbered = |number: u32| played(&[[0x40, 0].as_slice(), &number.to_be_bytes(), &[1; 40]].concat());
    (0..1000).for_each(|number| tap.play(&numbered(number)).unwrap());
    let heard: Vec<_> = all(&mut monitor).into_iter().map(|(_, frame)| frame).collect();
    assert_eq!(heard, (0..1000).map(numbered).collect::<Vec<_>>());
    assert_eq!(monitor.missed().unwrap(), 0);
    let mut played = 0;
    let mut missed = 0;
    while missed == 0 {
        assert!(played < 1_000_000, "the kernel does not hold everything for ever");
        (0..1000).for_each(|number| tap.play(&numbered(number)).unwrap());
        played += 1000;
        missed = monitor.missed().unwrap();
    }
    let heard = all(&mut monitor).len();
    assert_eq!(heard as u64 + missed, played, "every frame was heard or is known to be missed");
}

#[test]
fn an_interface_that_goes_away_is_told_and_one_that_is_down_or_no_monitor_is_refused() {
    let Some((tap, mut monitor)) = pair('c') else { return };
    drop(tap);
    let (_knocker, door) = door().unwrap();
    assert_eq!(door.wait(&[monitor.as_fd()], Duration::from_secs(10)).unwrap().ready, 1);
    assert_eq!(monitor.take(|_, _| ()).unwrap_err().kind(), io::ErrorKind::NetworkDown);
    let gone = Monitor::open(&free_name('c')).unwrap_err();
    assert_eq!(gone.raw_os_error(), Some(libc::ENODEV));

    let tap = Tap::create(&free_name('d')).unwrap();
    tap.set_up(false).unwrap();
    assert_eq!(Monitor::open(&free_name('d')).unwrap_err().kind(), io::ErrorKind::NetworkDown);
    let loopback = Monitor::open("lo").unwrap_err();
    assert!(loopback.to_string().contains("not in monitor mode"), "{loopback}");
}

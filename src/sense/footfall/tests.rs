//! The counter as a whole: visits, windows, keys, and that nothing of an address is left to see.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::wire::dot11::{Address, Link};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
/// A full minute, hour and day.
const START: i64 = 1_700_006_400 * SECOND;

fn frame(address: [u8; 6], sequence: u16, rssi_dbm: i8, model: u8) -> Vec<u8> {
    let mut frame = vec![0, 0, 9, 0, 0x20, 0, 0, 0, rssi_dbm.cast_unsigned()];
    frame.extend([0x40, 0, 0, 0]);
    frame.extend([0xff; 6]);
    frame.extend(address);
    frame.extend([0xff; 6]);
    frame.extend((sequence << 4).to_le_bytes());
    frame.extend([0, 0, 1, 4, 2, 4, 0x0b, 0x16, 45, 2, model, 7]);
    frame
}

fn settings(windows: &[u64]) -> Settings {
    let windows = windows.iter().map(|seconds| Duration::from_secs(*seconds)).collect();
    Settings { windows, visit_silence: Duration::from_secs(120), ..Settings::default() }
}

fn counter(windows: &[u64]) -> Counter {
    Counter::new(settings(windows), Key::new([3; 16]), None)
}

fn windows(counter: &mut Counter) -> Vec<Window> {
    std::iter::from_fn(|| counter.pop_window()).collect()
}

/// One device that speaks every ten seconds.
fn speak(counter: &mut Counter, address: [u8; 6], from_us: i64, to_us: i64, rssi_dbm: i8) {
    for (at, step) in (0u16..).zip((from_us..to_us).step_by(usize::try_from(10 * SECOND).unwrap())) {
        counter.frame(step, Ear::FIRST, Link::Radiotap, &frame(address, at, rssi_dbm, address[5])).unwrap();
    }
}

#[test]
fn who_is_far_passes_who_comes_near_visits_and_who_remains_stays() {
    let mut counter = counter(&[60]);
    for minute in 0..8 {
        let from_us = START + minute * MINUTE;
        speak(&mut counter, [2, 0, 0, 0, 0, 1], from_us, from_us + MINUTE, -60);
        if minute == 1 {
            speak(&mut counter, [2, 0, 0, 0, 0, 2], from_us + 55 * SECOND, from_us + MINUTE, -88);
        }
    }
    counter.advance(START + 8 * MINUTE);
    let seen: Vec<_> = windows(&mut counter).iter().map(|w| (w.passed, w.visited, w.stayed)).collect();
    let (alone, both, stayed) = ((0, 1, 0), (1, 1, 0), (0, 0, 1));
    assert_eq!(seen, [alone, both, alone, alone, alone, stayed, stayed, stayed]);
}

#[test]
fn who_came_and_went_has_not_stayed_however_long_ago_that_was() {
    let mut counter = counter(&[3600]);
    speak(&mut counter, [2, 0, 0, 0, 0, 1], START, START + MINUTE, -60);
    speak(&mut counter, [2, 0, 0, 0, 0, 2], START, START + 20 * MINUTE, -60);
    counter.advance(START + 60 * MINUTE);
    let window = counter.pop_window().unwrap();
    assert_eq!((window.visited, window.stayed), (1, 1));
}

#[test]
fn a_silence_ends_a_visit() {
    let mut counter = counter(&[600]);
    speak(&mut counter, [2, 0, 0, 0, 0, 1], START, START + 4 * MINUTE, -60);
    speak(&mut counter, [2, 0, 0, 0, 0, 1], START + 7 * MINUTE, START + 8 * MINUTE, -60);
    counter.advance(START + 10 * MINUTE);
    let window = counter.pop_window().unwrap();
    assert_eq!((window.devices, window.visited, window.stayed), (1, 1, 0), "three minutes away: a new visit");
}

#[test]
fn windows_are_aligned_and_a_quiet_sensor_still_gives_them() {
    let mut counter = counter(&[60, 600]);
    speak(&mut counter, [2, 0, 0, 0, 0, 1], START + 30 * SECOND, START + 40 * SECOND, -60);
    counter.advance(START + 10 * MINUTE);
    let all = windows(&mut counter);
    let minutes: Vec<_> = all.iter().filter(|w| w.length() == Duration::from_secs(60)).collect();
    assert_eq!((minutes.len(), minutes[0].start_us, minutes[0].devices, minutes[9].devices), (10, START, 1, 0));
    let ten: Vec<_> = all.iter().filter(|w| w.length() == Duration::from_secs(600)).collect();
    assert_eq!((ten.len(), ten[0].devices, ten[0].frames), (1, 1, 1));
    assert!(!ten[0].calibrated && ten[0].people_low < ten[0].people && ten[0].people < ten[0].people_high);
}

#[test]
fn a_gap_of_more_than_a_day_has_no_windows() {
    let mut counter = counter(&[60]);
    speak(&mut counter, [2, 0, 0, 0, 0, 1], START, START + MINUTE, -60);
    counter.advance(START + 40 * 1440 * MINUTE);
    assert_eq!(windows(&mut counter).len(), 1);
}

#[test]
fn weak_refused_and_listed_frames_are_told_apart() {
    let listed = [2, 0, 0, 0, 0, 9];
    let mut counter = Counter::new(Settings { rssi_min_dbm: -80, ..settings(&[60]) }, Key::new([3; 16]), None);
    let mut list = Listed::empty(Key::new([5; 16]));
    list.add(Address::new(listed));
    counter.ignore(vec![list.into(), Listed::empty(Key::new([6; 16])).into()]);
    speak(&mut counter, [2, 0, 0, 0, 0, 1], START, START + 30 * SECOND, -60);
    speak(&mut counter, [2, 0, 0, 0, 0, 2], START, START + 30 * SECOND, -85);
    speak(&mut counter, listed, START, START + 30 * SECOND, -40);
    assert!(counter.frame(START, Ear::FIRST, Link::Radiotap, &[0; 7]).is_err());
    counter.finish();
    let window = counter.pop_window().unwrap();
    assert_eq!((window.frames, window.weak, window.listed, window.rejected, window.devices), (3, 3, 3, 1, 1));
}

#[test]
fn what_is_there_all_night_belongs_to_the_shop() {
    let mut counter = counter(&[60]);
    counter.set_open(false);
    speak(&mut counter, [2, 0, 0, 0, 0, 7], START, START + 15 * MINUTE, -50);
    counter.set_open(true);
    speak(&mut counter, [2, 0, 0, 0, 0, 7], START + 15 * MINUTE, START + 20 * MINUTE, -50);
    speak(&mut counter, [2, 0, 0, 0, 0, 8], START + 19 * MINUTE, START + 20 * MINUTE, -50);
    counter.advance(START + 20 * MINUTE);
    let devices: Vec<u32> = windows(&mut counter).iter().map(|window| window.devices).collect();
    assert_eq!((devices[0], devices[17], devices[19]), (1, 0, 1));
}

#[test]
fn a_new_key_forgets_everybody_and_the_window_goes_on() {
    let mut counter = counter(&[600]);
    speak(&mut counter, [2, 0, 0, 0, 0, 1], START, START + MINUTE, -60);
    counter.rotate(Key::new([4; 16]));
    assert_eq!(counter.sizes(), (0, 0));
    speak(&mut counter, [2, 0, 0, 0, 0, 2], START + 2 * MINUTE, START + 3 * MINUTE, -60);
    counter.advance(START + 10 * MINUTE);
    let window = counter.pop_window().unwrap();
    assert_eq!((window.devices, window.frames), (2, 12));
}

#[test]
fn a_box_that_reports_addresses_only_is_counted_by_them() {
    let mut counter = counter(&[60]);
    counter.entry(START, Ear::FIRST, Address::new([0x28, 1, 0, 0, 0, 1]), -60);
    counter.entry(START + SECOND, Ear::FIRST, Address::new([0x28, 1, 0, 0, 0, 1]), -62);
    counter.entry(START + SECOND, Ear::FIRST, Address::new([0x28, 1, 0, 0, 0, 2]), -90);
    counter.advance(START + MINUTE);
    let window = counter.pop_window().unwrap();
    assert_eq!((window.devices, window.passed, window.visited, window.frames), (2, 1, 1, 3));
}

#[test]
fn an_address_that_changes_is_followed_by_its_counter_and_twins_stay_two() {
    let mut counter = counter(&[600]);
    // Two of one model, each with a new address every twenty seconds; their counters are far apart.
    for change in 0..20u8 {
        for (twin, sequence) in [(0u8, 100), (1, 2100)] {
            let at_us = START + i64::from(change) * 20 * SECOND + i64::from(twin) * 3 * SECOND;
            let address = [2, twin, 0, 0, 0, change];
            counter
                .frame(at_us, Ear::FIRST, Link::Radiotap, &frame(address, sequence + u16::from(change) * 9, -60, 1))
                .unwrap();
        }
    }
    counter.advance(START + 10 * MINUTE);
    let window = counter.pop_window().unwrap();
    assert_eq!((window.devices, window.devices_low), (2, 1));
    let reasons: Vec<Reason> = counter.devices().assignments().map(|(.., reason)| reason).collect();
    let followed = reasons.iter().filter(|reason| matches!(reason, Reason::Counter { gap: 9, after_ms: 20_000 }));
    assert_eq!(followed.count(), 38, "{reasons:?}");
}

#[test]
fn what_two_ears_hear_is_one_device_and_is_where_it_is_heard_best() {
    let mut counter = counter(&[3600]);
    // The other sensor stands farther from the door: -80 there means what -75 means here.
    let other = counter.join(-90, -80).unwrap();
    for second in 0..40u16 {
        let at_us = START + i64::from(second) * SECOND;
        for device in 0..30u8 {
            let (here_dbm, there_dbm) = if device < 12 { (-70, -88) } else { (-89, -78) };
            let address = [2, 0, 0, 0, 0, device];
            let heard = [(Ear::FIRST, here_dbm), (other, there_dbm)].map(|(ear, rssi_dbm)| {
                counter.frame(at_us, ear, Link::Radiotap, &frame(address, second, rssi_dbm, device)).unwrap()
            });
            assert!(matches!(heard, [Heard::Placed(_), Heard::Echo]), "{heard:?}");
        }
    }
    counter.advance(START + 60 * MINUTE);
    let window = counter.pop_window().unwrap();
    assert_eq!((window.devices, window.devices_high, window.frames), (30, 30, 1200));
    let cells: Vec<_> =
        window.cells.published(10).iter().map(|cell| (cell.ear, cell.dwell.as_str(), cell.devices)).collect();
    assert_eq!(cells, [(Ear::FIRST, "visited", 12), (other, "visited", 18)]);
    assert!((2..8).all(|_| counter.join(-90, -80).is_some()) && counter.join(-90, -80).is_none());
}

#[test]
fn nothing_that_is_shown_holds_an_address() {
    let address = [0x8a, 0x5b, 0x3c, 0x2d, 0x1e, 0x9f];
    let mut counter = counter(&[60]);
    counter.learn_over(Duration::from_secs(60));
    speak(&mut counter, address, START, START + 2 * MINUTE, -60);
    counter.advance(START + 2 * MINUTE);
    let mut shown = format!("{counter:?} {:?}", counter.features(START + MINUTE));
    shown.push_str(&format!("{:?}", windows(&mut counter)));
    let shown = shown.to_lowercase();
    let number = address.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let reversed = address.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let pseudonym = Key::new([3; 16]).pseudonym(Address::new(address)).bits();
    for secret in [number, reversed, pseudonym] {
        assert!(!shown.contains(&secret.to_string()) && !shown.contains(&format!("{secret:x}")), "{shown}");
    }
    assert!(!shown.contains("8a:5b") && !shown.contains("138, 91"), "{shown}");
}

proptest! {
    #[test]
    fn two_ears_that_each_miss_some_of_it_count_what_one_would_that_misses_nothing(
        heard in prop::collection::vec((0u8..3, 0u8..6, 0i64..900_000), 1..200),
    ) {
        let (mut two, mut one) = (counter(&[600]), counter(&[600]));
        let other = two.join(-128, -75).unwrap();
        let mut sequences = [0u16; 6];
        for (at, (by, device, late_us)) in (0i64..).zip(heard) {
            let at_us = START + at * SECOND;
            sequences[usize::from(device)] += 1;
            let bytes = frame([2, 0, 0, 0, 0, device], sequences[usize::from(device)], -60, device);
            one.frame(at_us, Ear::FIRST, Link::Radiotap, &bytes).unwrap();
            if by != 1 {
                two.frame(at_us, Ear::FIRST, Link::Radiotap, &bytes).unwrap();
            }
            if by != 0 {
                let late_us = if by == 1 { 0 } else { late_us };
                two.frame(at_us + late_us, other, Link::Radiotap, &bytes).unwrap();
            }
        }
        for counter in [&mut one, &mut two] {
            counter.advance(START + 10 * MINUTE);
        }
        let (one, two) = (one.pop_window().unwrap(), two.pop_window().unwrap());
        let counts = |w: &Window| (w.devices, w.devices_low, w.devices_high, w.passed, w.visited, w.stayed, w.frames);
        prop_assert_eq!(counts(&one), counts(&two));
    }

    #[test]
    fn any_bytes_at_any_time_are_survived_and_windows_add_up(
        frames in prop::collection::vec(
            (any::<i64>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..60), 0u8..6, any::<u16>(), any::<i8>()),
            0..40,
        ),
    ) {
        let mut counter = counter(&[1, 60, 86_400]);
        for (at_us, is_bare, junk, device, sequence, rssi_dbm) in frames {
            let at_us = at_us % (1 << 52);
            let link = if is_bare { Link::Bare } else { Link::Radiotap };
            let _ = counter.frame(at_us, Ear::FIRST, link, &junk);
            let probe = frame([2, 0, 0, 0, 0, device], sequence, rssi_dbm, device);
            let _ = counter.frame(at_us, Ear::FIRST, Link::Radiotap, &probe);
        }
        counter.finish();
        for window in windows(&mut counter) {
            prop_assert_eq!(window.passed + window.visited + window.stayed, window.devices);
            prop_assert!(window.devices_low <= window.devices && window.devices <= window.devices_high, "{:?}", window);
            prop_assert!(window.people_low <= window.people && window.people <= window.people_high);
            prop_assert_eq!(window.start_us.rem_euclid(window.end_us - window.start_us), 0);
        }
    }
}

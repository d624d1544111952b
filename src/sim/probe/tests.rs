use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::wire::dot11::{Link, decode};

const MINUTE_US: i64 = 60_000_000;

fn crowd(seed: u64, people_per_min: u32) -> Crowd {
    Crowd::new(Setup { seed, people_per_min, length_us: 30 * MINUTE_US })
}

#[test]
fn a_seed_gives_the_same_crowd_and_another_gives_another() {
    let all = |seed| crowd(seed, 6).collect::<Vec<_>>();
    assert_eq!(all(1), all(1));
    assert_ne!(all(1), all(2));
}

#[test]
fn time_never_goes_back_and_every_frame_is_a_probe_request_of_a_phone_that_is_told() {
    let (mut last_us, mut told, mut sequences) = (0, BTreeSet::new(), BTreeMap::new());
    for (at_us, happening) in crowd(3, 8) {
        assert!(at_us >= last_us);
        last_us = at_us;
        match happening {
            Happening::Truth(Truth::Address { phone, address, .. }) => drop(told.insert((phone, address))),
            Happening::Truth(Truth::Person { .. }) => {}
            Happening::Sent(sent) => {
                let probe = decode(Link::Radiotap, &sent.frame).unwrap();
                assert_eq!((probe.source.octets(), probe.sequence), (sent.address, sent.sequence));
                assert_eq!(probe.radio.rssi_dbm, Some(sent.rssi_dbm));
                let mut elements = probe.elements;
                assert!(elements.by_ref().count() >= 4 && !elements.is_cut());
                assert!(told.contains(&(sent.phone, truth::spelled(sent.address))));
                let before = sequences.insert(sent.address, sent.sequence);
                assert!(before.is_none_or(|before| (before + 1) & 0xfff == sent.sequence), "counters count");
            }
        }
    }
}

#[test]
fn who_passes_stays_outside_and_who_comes_in_is_loud() {
    let (mut did, mut owner, mut loudest) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut crowd = crowd(5, 20);
    for (_, happening) in crowd.by_ref() {
        match happening {
            Happening::Truth(Truth::Person { person, did: what, .. }) => drop(did.insert(person, what)),
            Happening::Truth(Truth::Address { phone, person, .. }) => drop(owner.insert(phone, person)),
            Happening::Sent(sent) => {
                let loud = loudest.entry(sent.phone).or_insert(sent.rssi_dbm);
                *loud = sent.rssi_dbm.max(*loud);
            }
        }
    }
    let of = |what: Did| -> Vec<i8> {
        loudest.iter().filter(|(phone, _)| did[&owner[*phone]] == what).map(|(_, dbm)| *dbm).collect()
    };
    assert!(of(Did::Passed).into_iter().all(|dbm| dbm <= -73));
    let stayed = of(Did::Stayed);
    assert!(stayed.iter().filter(|dbm| **dbm > -70).count() * 10 > stayed.len() * 9, "{stayed:?}");
    let totals = crowd.totals();
    assert_eq!(totals.passed + totals.visited + totals.stayed, totals.people);
    assert!((450..750).contains(&totals.people), "twenty a minute for half an hour: {totals:?}");
    assert!(totals.addresses > totals.phones, "most models make addresses up");
}

#[test]
fn a_truth_is_a_line_of_json() {
    let truth = Truth::Person { person: 1, came_s: 2, left_s: 3, did: Did::Visited, phones: 1 };
    let line = serde_json::to_string(&truth).unwrap();
    assert_eq!(line, r#"{"truth":"person","person":1,"came_s":2,"left_s":3,"did":"visited","phones":1}"#);
    let totals = serde_json::to_string(&Totals { people: 7, ..Totals::default() }).unwrap();
    assert!(totals.starts_with(r#"{"truth":"totals","people":7,"#), "{totals}");
}

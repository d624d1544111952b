//! Forgetting a member, down to the bytes of the files.

use super::*;
use crate::types::{
    ConsentId, Enrolment, FaceMember, ImageSource, Likeness, MemberKey, SampleRuling, SessionChange, SimilarityBand,
    StationId, StationSession,
};

const MEMBER: &str = "M00012345";
const SECRET: &[u8] = b"this-is-what-a-sealed-template-looks-like";

fn member() -> MemberKey {
    MemberKey::new(MEMBER).unwrap()
}

fn seen(clock: &Clock, who: &str) -> Draft {
    let said = FaceMember {
        member: Some(MemberKey::new(who).unwrap()),
        consent: Some(ConsentId::new(&format!("consent-of-{who}")).unwrap()),
        similarity: SimilarityBand::Sure,
        station: Some(StationId::new("door-1").unwrap()),
    };
    Draft { body: Body::Observed(Observation::FaceMember(said)), ..code(clock, "") }
}

fn sample(clock: &Clock, who: &str) -> Draft {
    let ruling =
        SampleRuling { campaign: "spring".into(), member: who.into(), sale: None, slot: Some(Slot(3)), refused: None };
    Draft { body: Body::Noticed(Notice::Sample(Box::new(ruling))), ..code(clock, "") }
}

fn bound(clock: &Clock, who: &str) -> Draft {
    let station = StationId::new("shelf-1").unwrap();
    let change = SessionChange::Bound { station, member: who.into(), started: Timestamp::from_unix_ms(START_MS) };
    let said = StationSession { session: uuid::Uuid::from_u128(7), change };
    Draft { body: Body::Observed(Observation::Session(Box::new(said))), ..code(clock, "") }
}

fn enrol(id: &str) -> Command {
    let image = ImageSource { url: format!("https://cloud.example/{MEMBER}.jpg"), sha256: [7; 32] };
    let enrolment = Enrolment {
        member: member(),
        consent: ConsentId::new("consent-1").unwrap(),
        purpose: "greeting".into(),
        expires: Timestamp::from_unix_ms(START_MS + 1_000_000),
        likeness: Likeness::Image(image),
    };
    Command { device: None, action: Action::MemberEnrol(Box::new(enrolment)), ..command(id) }
}

/// Whether a text stands in any file of the folder.
fn stands(dir: &Path, what: &[u8]) -> bool {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.windows(what.len()).any(|window| window == what))
}

fn kept(value: Option<&[u8]>) -> Effects {
    let change = Change { key: "row-1".into(), value: value.map(<[u8]>::to_vec), expires: None };
    Effects { state: vec![change], ..Effects::default() }
}

#[tokio::test]
async fn of_a_member_who_is_forgotten_no_byte_is_left_and_every_other_event_is() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(3));
    let (journal, _) = Journal::open(Settings::new(dir.path()), clock.clone()).unwrap();
    journal.accept(Intake::Command(enrol("c-enrol"))).await.unwrap();
    journal.append(vec![ended(&clock, &CommandId::new("c-enrol").unwrap(), Ended::Done)]).await.unwrap();
    journal.keep("members", kept(Some(SECRET))).await.unwrap();
    let told = [seen(&clock, MEMBER), code(&clock, MEMBER), code(&clock, "M00012346"), seen(&clock, "M00012346")];
    journal.append(told.to_vec()).await.unwrap();
    journal.append(vec![sample(&clock, MEMBER), sample(&clock, "M00012346")]).await.unwrap();
    journal.append(vec![bound(&clock, MEMBER), bound(&clock, "M00012346")]).await.unwrap();
    std::fs::write(dir.path().join("journal.db.corrupt-20260101"), MEMBER).unwrap();
    let before = journal.after(Row(0), 100).await.unwrap();
    assert!(stands(dir.path(), MEMBER.as_bytes()) && stands(dir.path(), SECRET));

    assert_eq!(journal.forget("members", &member(), kept(None)).await.unwrap(), 4);
    assert!(journal.empty_log().await.unwrap());
    assert!(!stands(dir.path(), MEMBER.as_bytes()), "in a file");
    assert!(!stands(dir.path(), b"consent-1") && !stands(dir.path(), SECRET));
    assert!(stands(dir.path(), b"M00012346"), "the other member");

    let after = journal.after(Row(0), 100).await.unwrap();
    let places =
        |events: &[Event]| events.iter().map(|event| (event.row, event.seq, event.draft.id)).collect::<Vec<_>>();
    assert_eq!(places(&after), places(&before), "the same numbers and ids, without a gap");
    let changed: Vec<_> =
        before.iter().zip(&after).filter(|(before, after)| before != after).map(|(_, after)| after).collect();
    assert_eq!(changed.len(), 4);
    assert!(matches!(&changed[0].draft.body, Body::Observed(Observation::FaceMember(seen)) if seen.member.is_none()));
    assert!(matches!(&changed[1].draft.body, Body::Observed(Observation::Code(code)) if code.value == "*"));
    journal.close().await.unwrap();
    assert_eq!(ReadOnly::open(dir.path()).unwrap().verify().unwrap().findings, []);
}

/// What retention deleted is no longer in the file either, so that nobody has to be looked for in its free pages.
#[tokio::test]
async fn what_was_deleted_long_ago_is_in_no_free_page() {
    let (dir, clock) = (TempDir::new().unwrap(), clock(4));
    let (journal, _) = Journal::open(Settings::new(dir.path()), clock).unwrap();
    journal.overwrite_deleted(true).await.unwrap();
    let secret = SECRET.repeat(400);
    for round in 0..20 {
        let change = Change { key: format!("row-{round}"), value: Some(secret.clone()), expires: None };
        journal.keep("members", Effects { state: vec![change], ..Effects::default() }).await.unwrap();
    }
    for round in 0..20 {
        let change = Change { key: format!("row-{round}"), value: None, expires: None };
        journal.keep("members", Effects { state: vec![change], ..Effects::default() }).await.unwrap();
    }
    assert!(journal.empty_log().await.unwrap());
    assert!(!stands(dir.path(), SECRET));
    journal.close().await.unwrap();
}

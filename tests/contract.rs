//! IF THIS FAILS, DO NOT CHANGE THE TEST, AND DO NOT CHANGE THE FILES.
//!
//! The files of `contract/v1` are what cloud services were written against. They were written by hand from the
//! contract, not copied from this program's output. A failure means that the program has broken its word: mend the
//! program. A new field or type gets a new file; a change of meaning gets a new version beside the old.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "contract/screens.rs"]
mod screens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use smartstore::types::{
    Action, Body, BootId, Cash, CashKind, Cause, Class, Climate, CodeKind, CodeScanned, Command, CommandId, Condition,
    ConfigError, ConfigReport, ConfigState, ConfigVersion, ConsentId, CouponClaims, CouponId, CouponKeys, CouponKind,
    CouponRefusal, CouponValue, Currency, DesiredConfig, DeviceId, DistanceBand, Draft, DropReason, Dwell, Encoding,
    Ended, Enrolment, Epoch, Event, EventId, FaceMember, FaceVisit, FaceWindow, FootfallBreakdown, FootfallCell,
    FootfallWindow, GatewayId, Gtin, HealthChange, ImageSource, IssuerId, IssuerKey, KeyId, LaneStatus, Likeness,
    MachineStatus, MemberKey, Minor, Notice, Observation, OpenReason, Order, Origin, Outcome, PartState, Payment,
    PaymentAnswer, PaymentCode, Reason, Redemption, Row, Said, SaleId, SaleStep, SampleRuling, Selection, Seq,
    SimilarityBand, Slot, Stamp, StationId, Step, Stock, StockSource, StoreId, Symbology, Tenths, Timestamp, Verdict,
    ZoneId,
};
use smartstore::wire::cloud::{
    Authorise, AuthoriseWhat, Encoded, Source, State, authorise_message, command_message, desired_message,
    parse_command, parse_desired, parse_reported, reported_message,
};
use smartstore::wire::coupon::base64url_decode;
use uuid::Uuid;

const EPOCH: &str = "6f1c2b9e-4d3a-4f5b-9c7d-8e0f1a2b3c4d";
const BOOT: &str = "0b1e2d3c-4f5a-4b6c-8d7e-9f0a1b2c3d4e";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/contract/v1")
}

fn golden(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(name)).expect("a golden file");
    serde_json::from_str(&text).expect("golden files are JSON")
}

fn uuid(text: &str) -> Uuid {
    text.parse().expect("a UUID")
}

fn stamp(time: &str, synced: bool, up_ms: u64) -> Stamp {
    Stamp { wall: time.parse().expect("a time"), synced, boot: BootId(uuid(BOOT)), up: Duration::from_millis(up_ms) }
}

fn usual() -> Stamp {
    stamp("2026-11-22T02:00:00.123Z", true, 81_234)
}

fn device(name: &str) -> Option<DeviceId> {
    Some(DeviceId::new(name).expect("a device's name"))
}

fn event(number: u8, seq: u64, device: Option<DeviceId>, cause: Option<Cause>, body: Body) -> Event {
    let id = EventId(uuid(&format!("019aa95e-0c80-7000-8000-0000000000{number:02}")));
    Event { row: Row(99), seq: Seq(seq), draft: Draft { id, device, at: usual(), cause, body } }
}

fn scanned() -> Vec<(&'static str, Event)> {
    let product = CodeScanned {
        kind: CodeKind::Product,
        symbology: Symbology::parse("]Q1"),
        value: "0109506000134352".into(),
        gtin: Gtin::from_digits("09506000134352"),
        ai: BTreeMap::from([("01".into(), "09506000134352".into())]),
    };
    let unknown = CodeScanned {
        kind: CodeKind::Unknown,
        symbology: None,
        value: "say \"hello\" \\ 你好\u{1}".into(),
        gtin: None,
        ai: BTreeMap::new(),
    };
    let mut old = event(2, 1, device("scanner-1"), None, Body::Observed(Observation::Code(unknown)));
    old.draft.at = stamp("1970-01-01T00:00:07Z", false, 7_000);
    vec![
        ("scan.code.v1.json", event(1, 4711, device("scanner-1"), None, Body::Observed(Observation::Code(product)))),
        ("scan.code.v1.minimal.json", old),
    ]
}

fn ended() -> Vec<(&'static str, Event)> {
    let outcome = |id: &str, ended| {
        let command = CommandId::new(id).expect("a command's id");
        Body::Observed(Observation::Ended(Outcome { command, ended }))
    };
    let command = CommandId::new("cmd-2026:001").expect("a command's id");
    let event_id = EventId(uuid("019aa95e-0c80-7000-8000-000000000001"));
    let refused = outcome("cmd-2026:001", Ended::Refused(Reason::new("unknown-device")));
    vec![
        ("command.ended.v1.json", event(3, 12, device("scanner-1"), Some(Cause::Command(command)), refused)),
        ("command.ended.v1.done.json", event(4, 13, None, Some(Cause::Event(event_id)), outcome("cmd-2", Ended::Done))),
    ]
}

fn noticed() -> Vec<(&'static str, Event)> {
    let epoch = Epoch(uuid(EPOCH));
    let previous = Epoch(uuid("11111111-2222-4333-8444-555555555555"));
    let last_seq = vec![(Class::Money, Seq(12)), (Class::Record, Seq(4711)), (Class::Telemetry, Seq(0))];
    let notices = [
        (
            "device.health.v1.json",
            14,
            Notice::Health(HealthChange {
                condition: Condition::TtyMissing,
                device: device("scanner-1"),
                raised: true,
                detail: Some("/dev/ttyUSB0".into()),
            }),
        ),
        (
            "journal.opened.v1.json",
            1,
            Notice::Opened { epoch, previous: Some(previous), last_seq, reason: OpenReason::Damaged },
        ),
        (
            "journal.opened.v1.first.json",
            1,
            Notice::Opened { epoch, previous: None, last_seq: vec![], reason: OpenReason::Created },
        ),
        (
            "journal.dropped.v1.json",
            15,
            Notice::Dropped { class: Class::Telemetry, from: Seq(100), to: Seq(355), reason: DropReason::Space },
        ),
        (
            "config.applied.v1.json",
            16,
            Notice::ConfigApplied {
                sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
                devices: 3,
            },
        ),
    ];
    let numbered = (5..).zip(notices);
    numbered
        .map(|(number, (name, seq, notice))| (name, event(number, seq, None, None, Body::Noticed(notice))))
        .collect()
}

fn diagnosed() -> Vec<(&'static str, Event)> {
    let notice = Notice::Diagnostics {
        bundle: EventId(uuid("019aa95e-0c80-7000-8000-0000000000ff")),
        part: 1,
        of: 2,
        text: "{\"made\":\"2026-11-22T02:00:00.123Z\",\"versions\"".into(),
    };
    let cause = Cause::Command(CommandId::new("cmd-2026:003").expect("a command's id"));
    vec![("diagnostics.chunk.v1.json", event(10, 7, None, Some(cause), Body::Noticed(notice)))]
}

fn coupon(id: &str, kind: CouponKind, value: CouponValue) -> Box<CouponClaims> {
    Box::new(CouponClaims {
        issuer: IssuerId::new("brand.example").expect("an issuer"),
        key: KeyId::new("2026-11").expect("a key's name"),
        id: CouponId::new(id).expect("a coupon's name"),
        audience: vec!["hz-wulin-001/gw-1".into()],
        not_before: "2026-11-22T00:00:00Z".parse().expect("a time"),
        expires: "2026-11-29T00:00:00Z".parse().expect("a time"),
        kind,
        value,
    })
}

fn coupons() -> Vec<(&'static str, Event)> {
    let redeemed = Verdict::Redeemed(coupon("c-4711", CouponKind::Coupon, CouponValue::Minor(500)));
    let used = Verdict::Refused {
        reason: CouponRefusal::Used,
        claims: Some(coupon("p-0815", CouponKind::Pickup, CouponValue::Text("order 17".into()))),
        redeemed: Some(EventId(uuid("019aa95e-0c80-7000-8000-000000000040"))),
    };
    let forged = Verdict::Refused { reason: CouponRefusal::Forged, claims: None, redeemed: None };
    let verdicts = [
        ("coupon.redeemed.v1.json", redeemed),
        ("coupon.refused.v1.json", used),
        ("coupon.refused.v1.minimal.json", forged),
    ];
    let scan = Cause::Event(EventId(uuid("019aa95e-0c80-7000-8000-000000000001")));
    let numbered = (40..).zip(verdicts);
    numbered
        .map(|(number, (name, verdict))| {
            let station = StationId::new("till-1").expect("a station");
            let body = Body::Noticed(Notice::Coupon(Redemption { station, verdict }));
            (name, event(number, number.into(), device("scanner-1"), Some(scan.clone()), body))
        })
        .collect()
}

fn order(sale: &str, payment: Payment) -> Order {
    let paid = payment == Payment::Cloud;
    Order {
        sale: SaleId::new(sale).expect("a sale's id"),
        slot: Slot(60),
        price: Minor(if paid { 350 } else { 0 }),
        currency: if paid { Currency::parse("CNY").expect("a currency") } else { Currency::NONE },
        payment,
        drop_sensor: paid.then_some(true),
    }
}

fn sold() -> Vec<(&'static str, Event)> {
    let sale = |step| Body::Observed(Observation::Sale(step));
    let command = CommandId::new("cmd-2026:003").expect("a command's id");
    let resolved = SaleStep {
        slot: None,
        reason: Some(Reason::new("resolved")),
        provider_ref: Some("2026112200001".into()),
        by: Some("Li Wei".into()),
        ..order("order-78", Payment::Cloud).step(Step::Refunding)
    };
    let dispensed = sale(order("order-77", Payment::Cloud).dispensed(Some(true)));
    vec![
        ("vend.sale.v1.json", event(20, 20, device("vending-1"), Some(Cause::Command(command)), dispensed)),
        ("vend.sale.v1.resolved.json", event(21, 21, device("vending-1"), None, sale(resolved))),
    ]
}

fn machine_said() -> Vec<(&'static str, Event)> {
    let full = Stock {
        slot: Slot(1),
        count: Some(9),
        capacity: Some(10),
        price: Some(Minor(9900)),
        status: LaneStatus::Open,
        source: StockSource::Machine,
    };
    let jammed = Stock {
        slot: Slot(2),
        count: None,
        capacity: None,
        price: None,
        status: LaneStatus::Jammed,
        source: StockSource::Sale,
    };
    let status = MachineStatus {
        climate: vec![Climate { temperature_dc: Some(190), humidity_dpct: Some(450) }, Climate::default()],
        door_open: Some(false),
        bills: Some(PartState::Works),
        coins: Some(PartState::Absent),
        cards: Some(PartState::Fault(3)),
        bill_change: Some(Minor(10_000)),
        serial: Some("0000000000".into()),
        ..MachineStatus::default()
    };
    let lak = Currency::parse("LAK").expect("a currency");
    let said = [
        ("vend.stock.v1.json", Observation::Stock(full)),
        ("vend.stock.v1.minimal.json", Observation::Stock(jammed)),
        ("vend.machine.v1.json", Observation::Machine(Box::new(status))),
        ("vend.selection.v1.json", Observation::Selection(Selection { slot: Some(Slot(60)) })),
        (
            "vend.cash.v1.json",
            Observation::Cash(Cash { kind: CashKind::Swallowed, amount: Minor(100_000), currency: lak }),
        ),
    ];
    let numbered = (22..).zip(said);
    numbered
        .map(|(number, (name, said))| {
            (name, event(number, number.into(), device("vending-1"), None, Body::Observed(said)))
        })
        .collect()
}

/// The key of RFC 8037, appendix A.2.
fn coupon_keys() -> Action {
    let ed25519 = base64url_decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").expect("base64url");
    let key = IssuerKey {
        id: KeyId::new("2026-11").expect("a key's name"),
        ed25519: ed25519.try_into().expect("32 bytes"),
        from: "2026-11-01T00:00:00Z".parse().expect("a time"),
        until: "2027-03-01T00:00:00Z".parse().expect("a time"),
    };
    Action::CouponKeys(CouponKeys { issuer: IssuerId::new("brand.example").expect("an issuer"), keys: vec![key] })
}

fn sampled() -> Vec<(&'static str, Event)> {
    let ruling = |refused: Option<&str>| SampleRuling {
        campaign: "spring-tea".into(),
        member: "M0012345678".into(),
        sale: refused.is_none().then(|| SaleId::new("sample-1").expect("a sale's id")),
        slot: refused.is_none().then_some(Slot(3)),
        refused: refused.map(Reason::new),
    };
    let noticed = |refused| Body::Noticed(Notice::Sample(Box::new(ruling(refused))));
    let scan = || Some(Cause::Event(EventId(uuid("019aa95e-0c80-7000-8000-000000000001"))));
    vec![
        ("sample.dispensed.v1.json", event(50, 50, device("vending-1"), scan(), noticed(None))),
        ("sample.refused.v1.json", event(51, 51, device("vending-1"), scan(), noticed(Some("already-given")))),
    ]
}

fn footfall() -> Vec<(&'static str, Event)> {
    let window = FootfallWindow {
        start: "2026-11-22T01:50:00Z".parse().expect("a time"),
        end: "2026-11-22T02:00:00Z".parse().expect("a time"),
        devices: 31,
        devices_low: 27,
        devices_high: 40,
        passed: 19,
        visited: 8,
        stayed: 4,
        people: Tenths(55),
        people_low: Tenths(32),
        people_high: Tenths(91),
        calibrated: true,
        frames: 1204,
        rejected: 3,
        missed: 0,
        complete: true,
        breakdown: None,
    };
    let cell = |zone, dwell, devices| FootfallCell { zone: device(zone).expect("a zone"), dwell, devices };
    let hour = FootfallWindow {
        start: "2026-11-22T01:00:00Z".parse().expect("a time"),
        breakdown: Some(FootfallBreakdown {
            least: 10,
            cells: vec![cell("probe-1", Dwell::Passed, 19), cell("probe-2", Dwell::Stayed15Min, 12)],
        }),
        ..window.clone()
    };
    let said = |window| Body::Observed(Observation::Footfall(Box::new(window)));
    vec![
        ("footfall.window.v1.json", event(60, 60, device("probe-1"), None, said(window))),
        ("footfall.window.v1.hour.json", event(60, 60, device("probe-1"), None, said(hour))),
    ]
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn faces() -> Vec<(&'static str, Event)> {
    let visit = FaceVisit {
        start: time("2026-11-22T01:59:12Z"),
        end: time("2026-11-22T01:59:48.500Z"),
        attention_percent: 40,
        distance: DistanceBand::Middle,
        zone: Some(ZoneId::new("shelf-left").expect("a zone")),
        crossed_in: 1,
        crossed_out: 0,
    };
    let short = FaceVisit {
        end: visit.start,
        attention_percent: 0,
        distance: DistanceBand::Far,
        zone: None,
        crossed_in: 0,
        ..visit.clone()
    };
    let window = FaceWindow {
        start: time("2026-11-22T01:59:00Z"),
        end: time("2026-11-22T02:00:00Z"),
        visits: 7,
        present: Tenths(14),
        present_most: 4,
        crossed_in: 3,
        crossed_out: 2,
        frames: 590,
        dropped: 10,
        rejected: 1,
        complete: true,
    };
    let seen = FaceMember {
        member: Some(member()),
        consent: Some(ConsentId::new("consent-2026-7").expect("a consent")),
        similarity: SimilarityBand::Sure,
        station: Some(StationId::new("door-1").expect("a station")),
    };
    let forgotten = FaceMember { member: None, consent: None, similarity: SimilarityBand::Likely, station: None };
    let said = |number, said| event(number, number.into(), device("camera-1"), None, Body::Observed(said));
    vec![
        ("face.visit.v1.json", said(61, Observation::FaceVisit(Box::new(visit)))),
        ("face.visit.v1.minimal.json", said(62, Observation::FaceVisit(Box::new(short)))),
        ("face.window.v1.json", said(63, Observation::FaceWindow(Box::new(window)))),
        ("face.member.v1.json", said(64, Observation::FaceMember(seen))),
        ("face.member.v1.forgotten.json", said(65, Observation::FaceMember(forgotten))),
    ]
}

fn member() -> MemberKey {
    MemberKey::new("M00012345").expect("a member")
}

fn enrol(likeness: Likeness) -> Action {
    Action::MemberEnrol(Box::new(Enrolment {
        member: member(),
        consent: ConsentId::new("consent-2026-7").expect("a consent"),
        purpose: "greeting at the door".into(),
        expires: time("2027-11-22T00:00:00Z"),
        likeness,
    }))
}

fn at_station() -> Likeness {
    Likeness::Station(StationId::new("door-1").expect("a station"))
}

fn picture() -> Likeness {
    // SHA-256 of "abc" (FIPS 180-2, appendix B.1).
    let sha256 = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03,
        0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    ];
    Likeness::Image(ImageSource { url: "https://cloud.example/enrol/1f2e.jpg".into(), sha256 })
}

fn events() -> Vec<(&'static str, Event)> {
    [
        footfall(),
        faces(),
        screens::events(),
        scanned(),
        ended(),
        noticed(),
        diagnosed(),
        coupons(),
        sold(),
        machine_said(),
        sampled(),
    ]
    .concat()
}

fn answer(said: Said, reason: Option<&str>, provider_ref: Option<&str>) -> Action {
    Action::Answer(PaymentAnswer {
        sale: SaleId::new("order-77").expect("a sale's id"),
        said,
        reason: reason.map(Reason::new),
        provider_ref: provider_ref.map(str::to_owned),
    })
}

/// File, id, device and meaning of every command.
fn commands() -> Vec<(&'static str, &'static str, Option<DeviceId>, Action)> {
    [screens::commands(), other_commands()].concat()
}

fn other_commands() -> Vec<(&'static str, &'static str, Option<DeviceId>, Action)> {
    let machine = || device("vending-1");
    let vending = |name, device, action| (name, "cmd-2026:003", device, action);
    vec![
        ("command.scan.trigger.json", "cmd-2026:001", device("scanner-1"), Action::ScanTrigger { on: true }),
        ("command.device.restart.json", "cmd-2026:002", None, Action::DeviceRestart),
        ("command.diagnostics.json", "cmd-2026:003", None, Action::Diagnostics),
        ("command.coupon.keys.json", "cmd-2026:010", None, coupon_keys()),
        ("command.member.enrol.json", "cmd-2026:020", None, enrol(picture())),
        ("command.member.enrol.station.json", "cmd-2026:023", None, enrol(at_station())),
        ("command.member.forget.json", "cmd-2026:021", None, Action::MemberForget { member: member() }),
        vending("command.dispense.json", machine(), Action::Dispense(order("order-77", Payment::Cloud))),
        vending("command.dispense.sample.json", machine(), Action::Dispense(order("order-78", Payment::Free))),
        vending("command.stock.set.json", machine(), Action::StockSet { slot: Slot(60), count: 10 }),
        vending("command.lane.clear.json", machine(), Action::LaneClear { slot: Slot(60) }),
        vending("command.sale.authorised.json", None, answer(Said::Authorised(true), None, Some("2026112200001"))),
        vending("command.sale.queried.json", None, answer(Said::Queried(None), None, None)),
        vending("command.sale.cancelled.json", None, answer(Said::Cancelled(true), Some("closed"), None)),
    ]
}

fn source() -> Source {
    let (store, gateway) = (StoreId::new("hz-wulin-001"), GatewayId::new("gw-1"));
    Source::new(&store.expect("a store"), &gateway.expect("a gateway"), Epoch(uuid(EPOCH)))
}

#[test]
fn every_event_is_what_the_cloud_was_told_it_is() {
    for (name, event) in events() {
        let Encoded::Batch { payload, events: 1 } = source().batch(&[event], &usual(), usize::MAX) else {
            panic!("{name}: a batch of one");
        };
        let sent: Value = serde_json::from_slice(&payload).expect("a message is JSON");
        assert_eq!(sent, Value::Array(vec![golden(name)]), "{name}");
    }
}

#[test]
fn the_status_is_what_the_cloud_was_told_it_is() {
    let cases = [
        ("status.online.json", State::Online, Encoding::Json),
        ("status.online.zstd.json", State::Online, Encoding::Zstd),
        ("status.offline.json", State::Offline, Encoding::Json),
    ];
    for (name, state, encoding) in cases {
        let sent: Value = serde_json::from_slice(&Source::status(state, &usual(), "0.1.0", encoding)).expect("JSON");
        assert_eq!(sent, golden(name), "{name}");
    }
}

#[test]
fn every_command_means_what_the_cloud_was_told_it_means() {
    for (name, id, device, action) in commands() {
        let text = std::fs::read(folder().join(name)).expect("a golden file");
        let id = CommandId::new(id).expect("a command's id");
        let not_after = "2026-11-22T02:01:00Z".parse().expect("a time");
        let expected = Command { id, device, action, not_after, origin: Origin::Cloud };
        let written: Value = serde_json::from_slice(&command_message(&expected)).expect("JSON");
        assert_eq!(written, golden(name), "{name}");
        assert_eq!(parse_command(&text), Ok(expected), "{name}");
    }
}

/// File and meaning of every question about a sale's money.
fn questions() -> Vec<(&'static str, Authorise)> {
    let question = |what, code: Option<&str>| Authorise {
        sale: SaleId::new("order-77").expect("a sale's id"),
        what,
        amount: Minor(350),
        currency: Currency::parse("CNY").expect("a currency"),
        code: code.map(|digits| PaymentCode::new(digits.to_owned())),
        not_after: "2026-11-22T02:01:00Z".parse().expect("a time"),
    };
    vec![
        ("authorise.json", question(AuthoriseWhat::Promise, Some("28763443825664394"))),
        ("authorise.query.json", question(AuthoriseWhat::Query, None)),
        ("authorise.cancel.json", question(AuthoriseWhat::Cancel, None)),
    ]
}

#[test]
fn every_question_about_money_is_what_the_cloud_was_told_it_is() {
    for (name, question) in questions() {
        let sent: Value = serde_json::from_slice(&authorise_message(&question)).expect("JSON");
        assert_eq!(sent, golden(name), "{name}");
    }
}

#[test]
fn a_configuration_and_its_report_are_what_the_cloud_was_told_they_are() {
    let toml = "[store]\nid = \"hz-wulin-001\"\n".to_owned();
    let version = ConfigVersion::Text("2026-11-22.1".into());
    let wanted = DesiredConfig { version: version.clone(), toml };
    let text = std::fs::read(folder().join("config.desired.json")).expect("a golden file");
    assert_eq!(parse_desired(&text), Ok(wanted.clone()));
    let written: Value = serde_json::from_slice(&desired_message(&wanted)).expect("JSON");
    assert_eq!(written, golden("config.desired.json"));
    let error = ConfigError {
        file: "config/desired".into(),
        line: 3,
        column: 12,
        severity: "error".into(),
        code: "unknown-timezone".into(),
        message: "there is no time zone \"Asia/Shanghigh\"".into(),
        help: "did you mean \"Asia/Shanghai\"?".into(),
    };
    let reports = [
        ("config.reported.applied.json", Some(ConfigVersion::Number(7)), ConfigState::Applied, vec![]),
        ("config.reported.refused.json", Some(version.clone()), ConfigState::Refused, vec![error.clone()]),
        ("config.reported.rolled-back.json", Some(version), ConfigState::RolledBack, vec![error.clone()]),
        ("config.reported.unreadable.json", None, ConfigState::Refused, vec![error]),
    ];
    for (name, version, state, errors) in reports {
        let report = ConfigReport { version, state, errors };
        let sent: Value = serde_json::from_slice(&reported_message(&report)).expect("JSON");
        assert_eq!(sent, golden(name), "{name}");
        let text = std::fs::read(folder().join(name)).expect("a golden file");
        assert_eq!(parse_reported(&text), Some(report), "{name}");
    }
}

#[test]
fn no_golden_file_is_left_unread() {
    let read: BTreeSet<String> = events()
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .chain(["status.online.json", "status.online.zstd.json", "status.offline.json"].map(str::to_owned))
        .chain(commands().into_iter().map(|(name, ..)| name.to_owned()))
        .chain(questions().into_iter().map(|(name, _)| name.to_owned()))
        .chain(["config.desired.json"].map(str::to_owned))
        .chain(["applied", "refused", "rolled-back", "unreadable"].map(|state| format!("config.reported.{state}.json")))
        .collect();
    let there: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("the folder of golden files")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    assert_eq!(read, there);
}

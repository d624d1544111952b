//! What screens say and what is asked of them.

use smartstore::types::{
    Action, Body, ContentSource, DeviceId, Event, FacingId, Gtin, Observation, PlayResult, SceneId, ScreenAction,
    ScreenOverride, ScreenPlay, SessionChange, SessionEnd, Show, Sku, StationId, StationSession, Verb, ZoneId,
};
use uuid::Uuid;

use super::{device, event, time};

/// SHA-256 of "abc" (FIPS 180-2, appendix B.1).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn uuid7(last: u128) -> Uuid {
    Uuid::from_u128(0x019a_a95e_0c80_7000_8000_0000_0000_0000 | last)
}

fn scene(name: &str) -> SceneId {
    SceneId::new(name).expect("a scene")
}

pub(super) fn events() -> Vec<(&'static str, Event)> {
    let play = ScreenPlay {
        play: uuid7(0xa001),
        zone: ZoneId::new("main").expect("a zone"),
        item: scene("autumn-film"),
        sha256: Some(ABC.parse().expect("a digest")),
        rev: 42,
        start: time("2026-11-22T01:59:45Z"),
        end: time("2026-11-22T02:00:00Z"),
        shown_ms: 14_998,
        result: PlayResult::Complete,
        visible_percent: 99,
        trigger: None,
        overridden: false,
    };
    let cut = ScreenPlay {
        play: uuid7(0xa002),
        item: scene("facing:A3"),
        sha256: None,
        start: time("2026-11-22T01:59:58Z"),
        shown_ms: 2000,
        result: PlayResult::Cut,
        visible_percent: 16,
        trigger: Some(scene("lift-a3")),
        overridden: true,
        ..play.clone()
    };
    let click = ScreenAction {
        verb: Verb::ItemClick,
        op_time: time("2026-11-22T02:00:00Z"),
        outer_biz_id: uuid7(0xb001),
        item: Some(scene("lipstick-page")),
        sku: Some(Sku::new("LIP-204").expect("a product")),
        gtin: Gtin::from_digits("6291041500213"),
        facing: None,
        lifted: None,
        session: Some(uuid7(0xc001)),
    };
    let lift = ScreenAction {
        verb: Verb::ItemSensor,
        outer_biz_id: uuid7(0xb002),
        item: None,
        sku: None,
        gtin: None,
        facing: Some(FacingId::new("A3").expect("a place")),
        lifted: Some(true),
        session: None,
        ..click.clone()
    };
    let bound = SessionChange::Bound {
        station: StationId::new("shelf-3").expect("a station"),
        member: "M00012345".to_owned(),
        started: time("2026-11-22T01:59:59Z"),
    };
    let ended = SessionChange::Ended { ended: time("2026-11-22T02:00:00Z"), how: SessionEnd::Idle };
    let session = |change| Observation::Session(Box::new(StationSession { session: uuid7(0xc001), change }));
    let said = |number, name, said| event(number, number.into(), device(name), None, Body::Observed(said));
    vec![
        ("screen.play.v1.json", said(66, "screen-1", Observation::ScreenPlay(Box::new(play)))),
        ("screen.play.v1.trigger.json", said(67, "screen-1", Observation::ScreenPlay(Box::new(cut)))),
        ("screen.action.v1.json", said(68, "screen-1", Observation::ScreenAction(Box::new(click)))),
        ("screen.action.v1.lift.json", said(69, "sensor-1", Observation::ScreenAction(Box::new(lift)))),
        ("station.session.v1.json", said(70, "screen-1", session(bound))),
        ("station.session.v1.ended.json", said(71, "screen-1", session(ended))),
    ]
}

fn show() -> Action {
    Action::Show(Show { scene: scene("product:LIP-204"), for_ms: Some(12_000), session: None })
}

fn content() -> Action {
    let url = "https://cdn.example/autumn/content.jws".to_owned();
    Action::ContentPut(ContentSource { url, sha256: ABC.parse().expect("a digest") })
}

fn leave(on: bool) -> Action {
    let text = if on { "请从东门离开 Please leave by the east door" } else { "" }.to_owned();
    Action::ScreenOverride(ScreenOverride {
        text,
        until: on.then(|| time("2026-11-22T03:00:00Z")),
        by: "Li Wei".to_owned(),
    })
}

pub(super) fn commands() -> Vec<(&'static str, &'static str, Option<DeviceId>, Action)> {
    vec![
        ("command.show.json", "cmd-2026:030", device("screen-1"), show()),
        ("command.content.put.json", "cmd-2026:031", None, content()),
        ("command.screen.override.json", "cmd-2026:032", None, leave(true)),
        ("command.screen.override.off.json", "cmd-2026:033", None, leave(false)),
    ]
}

//! A smart shelf: what is lifted, or scanned, is shown on its screen.
//!
//! What is older than a moment is not shown any more: the shopper has put it back, or left.

use super::{Around, Effects, Flow, Input, derived_command};
use crate::types::{Body, CodeKind, DeviceId, Event, Observation, SceneId, ScreenAction, Show, StationId, Verb};

/// Of one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelfSettings {
    /// The station.
    pub station: StationId,
    /// Its screen.
    pub screen: DeviceId,
    /// What feels that something is lifted.
    pub sensor: Option<DeviceId>,
    /// What reads codes.
    pub scanner: Option<DeviceId>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct ShelfFlow {
    settings: ShelfSettings,
    name: String,
}

impl ShelfFlow {
    /// Which remembers nothing.
    pub fn new(settings: ShelfSettings) -> Self {
        let name = format!("station.{}", settings.station);
        Self { settings, name }
    }

    /// The scene that an event asks for.
    fn scene(&self, event: &Event) -> Option<SceneId> {
        let device = event.draft.device.as_ref();
        match &event.draft.body {
            Body::Observed(Observation::ScreenAction(action)) if device == self.settings.sensor.as_ref() => {
                let ScreenAction { verb: Verb::ItemSensor, lifted: Some(true), facing: Some(facing), .. } = &**action
                else {
                    return None;
                };
                SceneId::new(&format!("facing:{facing}")).ok()
            }
            Body::Observed(Observation::Code(code)) if device == self.settings.scanner.as_ref() => {
                let gtin = code.gtin.as_ref().filter(|_| code.kind == CodeKind::Product)?;
                SceneId::new(&format!("gtin:{}", gtin.as_str())).ok()
            }
            _ => None,
        }
    }
}

impl Flow for ShelfFlow {
    fn name(&self) -> &str {
        &self.name
    }

    fn cares(&self, input: Input<'_>) -> bool {
        matches!(input, Input::Event(event) if self.scene(event).is_some())
    }

    fn handle(&mut self, input: Input<'_>, around: &Around<'_>) -> Effects {
        let mut effects = Effects::default();
        let Input::Event(event) = input else { return effects };
        let scene = self.scene(event).filter(|_| !around.is_stale(event));
        if let (Some(scene), Some(id)) = (scene, derived_command(event.draft.id, "show")) {
            effects.show(id, &self.settings.screen, Show { scene, for_ms: None, session: None }, around.at);
        }
        effects
    }

    fn fork(&self) -> Box<dyn Flow> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use uuid::Uuid;

    use super::super::limits;
    use super::*;
    use crate::clock::Clock;
    use crate::types::{Action, CodeScanned, Draft, FacingId, Gtin, Origin, Row, Seq, Timestamp};

    fn device(name: &str) -> DeviceId {
        DeviceId::new(name).unwrap()
    }

    fn shelf() -> ShelfFlow {
        let (sensor, scanner) = (Some(device("sensor-1")), Some(device("scanner-1")));
        ShelfFlow::new(ShelfSettings {
            station: StationId::new("shelf-1").unwrap(),
            screen: device("screen-1"),
            sensor,
            scanner,
        })
    }

    fn said(clock: &Clock, by: &str, observation: Observation) -> Event {
        let (id, at, body) = (clock.event_id(), clock.stamp(), Body::Observed(observation));
        Event { row: Row(1), seq: Seq(1), draft: Draft { id, device: Some(device(by)), at, cause: None, body } }
    }

    fn lift(lifted: bool) -> Observation {
        Observation::ScreenAction(Box::new(ScreenAction {
            verb: Verb::ItemSensor,
            op_time: Timestamp::from_unix_ms(0),
            outer_biz_id: Uuid::nil(),
            item: None,
            sku: None,
            gtin: None,
            facing: FacingId::new("A3").ok(),
            lifted: Some(lifted),
            session: None,
        }))
    }

    fn scan(gtin: Option<&str>) -> Observation {
        Observation::Code(CodeScanned {
            kind: CodeKind::Product,
            symbology: None,
            value: "6291041500213".to_owned(),
            gtin: gtin.and_then(Gtin::from_digits),
            ai: BTreeMap::new(),
        })
    }

    #[test]
    fn what_is_lifted_or_scanned_here_and_now_is_shown_on_its_screen() {
        let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), 1);
        let shown = |event: &Event| {
            let (lanes, recalled) = (|_: &DeviceId, _| None, BTreeMap::new());
            let around = Around { at: clock.stamp(), online: false, lanes: &lanes, recalled: &recalled };
            let mut shelf = shelf();
            let effects = if shelf.cares(Input::Event(event)) {
                shelf.handle(Input::Event(event), &around)
            } else {
                Effects::default()
            };
            let scenes = effects.commands.into_iter().map(|command| {
                assert_eq!((command.device, command.origin), (Some(device("screen-1")), Origin::Flow));
                let Action::Show(show) = command.action else { panic!("it shows") };
                show.scene.to_string()
            });
            scenes.collect::<Vec<_>>()
        };
        let lifted = said(&clock, "sensor-1", lift(true));
        assert_eq!(shown(&lifted), ["facing:A3"]);
        assert_eq!(shown(&said(&clock, "scanner-1", scan(Some("6291041500213")))), ["gtin:06291041500213"]);
        for nothing in [
            said(&clock, "sensor-1", lift(false)),
            said(&clock, "sensor-2", lift(true)),
            said(&clock, "scanner-1", scan(None)),
            said(&clock, "scanner-2", scan(Some("6291041500213"))),
        ] {
            assert_eq!(shown(&nothing), Vec::<String>::new(), "{nothing:?}");
        }
        clock.pass(limits::STALE + Duration::from_millis(1));
        assert_eq!(shown(&lifted), Vec::<String>::new(), "too late");
    }
}

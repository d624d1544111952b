//! What the cloud sees and says: the gateway's state, its health, and commands that end in exactly one outcome.

use std::time::Duration;

use serde_json::Value;

use super::broker::Mosquitto;
use super::daemon::Shop;
use super::subscriber::{Received, Subscriber, publish};
use super::wait_until;

const ARRIVES: Duration = Duration::from_secs(60);
const COMMANDS: &str = "smartstore/v1/hz-wulin-001/gw-1/commands";

struct Cloud {
    shop: Shop,
    subscriber: Subscriber,
    broker: Mosquitto,
}

impl Cloud {
    fn connected() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let mut shop = Shop::new(folder, "scanner/generic-serial", Some(&broker.url()));
        shop.start();
        shop.wait_held();
        let cloud = Self { shop, subscriber, broker };
        cloud.waits_for_state("online");
        cloud
    }

    fn waits_for(&self, what: &str, arrived: impl Fn(&Received) -> bool) {
        wait_until(what, ARRIVES, || self.subscriber.look(&arrived));
    }

    fn waits_for_state(&self, state: &str) {
        self.waits_for(&format!("the status `{state}`"), |got| got.states.last().is_some_and(|last| last == state));
    }

    fn commands(&self, id: &str, action: &str, not_after: &str) {
        let command = format!(
            r#"{{"id":"{id}","device":"scanner-1","action":"{action}","args":{{}},"not_after":"{not_after}"}}"#
        );
        publish(self.broker.port(), COMMANDS, &command);
    }

    /// How the command ended, once it has.
    fn outcome(&self, id: &str) -> String {
        self.waits_for(&format!("the outcome of {id}"), |got| outcomes(got, id).next().is_some());
        let received = self.subscriber.received();
        let ended: Vec<_> = outcomes(&received, id).map(|event| event["data"]["ended"].clone()).collect();
        assert_eq!(ended.len(), 1, "{id} ends in exactly one outcome: {ended:?}");
        ended[0].as_str().expect("a word").to_owned()
    }
}

fn outcomes<'a>(received: &'a Received, id: &'a str) -> impl Iterator<Item = &'a Value> {
    received.of_type("command.ended.v1").filter(move |event| event["data"]["command"] == id)
}

const LATER: &str = "2099-01-01T00:00:00Z";
const EARLIER: &str = "2020-01-01T00:00:00Z";

#[test]
fn the_cloud_sees_the_gateway_go_and_come() {
    let mut cloud = Cloud::connected();
    cloud.shop.kill();
    cloud.waits_for_state("offline");
    cloud.shop.start();
    cloud.waits_for_state("online");
    cloud.shop.stop();
    cloud.waits_for_state("offline");
}

#[test]
fn a_pulled_cable_is_a_condition_and_an_event_until_it_is_back() {
    let mut cloud = Cloud::connected();
    let is_missing = |shop: &Shop| shop.conditions().iter().any(|code| code == "tty.missing");
    assert!(!is_missing(&cloud.shop));
    cloud.shop.line.unplug();
    wait_until("the missing port is a condition", ARRIVES, || is_missing(&cloud.shop));
    cloud.shop.line.replug();
    cloud.shop.wait_held();
    wait_until("the condition goes", ARRIVES, || !is_missing(&cloud.shop));
    cloud.waits_for("both changes are events", |got| {
        let changes = got.of_type("device.health.v1").filter(|event| event["data"]["code"] == "tty.missing");
        let raised: Vec<_> = changes.map(|event| event["data"]["raised"].clone()).collect();
        raised.contains(&Value::Bool(true)) && raised.contains(&Value::Bool(false))
    });
}

#[test]
fn a_command_ends_in_exactly_one_outcome_however_often_it_comes() {
    let mut cloud = Cloud::connected();
    for _ in 0..3 {
        cloud.commands("restart-1", "device.restart", LATER);
    }
    assert_eq!(cloud.outcome("restart-1"), "done");
    cloud.shop.kill();
    cloud.commands("restart-1", "device.restart", LATER);
    cloud.commands("late-1", "device.restart", EARLIER);
    cloud.commands("wrong-1", "device.dance", LATER);
    cloud.shop.start();
    cloud.shop.wait_held();
    assert_eq!(cloud.outcome("late-1"), "expired");
    assert_eq!(cloud.outcome("wrong-1"), "refused");
    assert_eq!(cloud.outcome("restart-1"), "done");
    cloud.shop.stop();
    assert_eq!(cloud.subscriber.received().numbering_problems(), Vec::<String>::new());
}

#[test]
fn what_is_no_command_does_no_harm() {
    let mut cloud = Cloud::connected();
    for payload in ["", "{", "[]", "null", r#"{"id":7}"#, r#"{"id":"x"}"#, &"[".repeat(10_000)] {
        publish(cloud.broker.port(), COMMANDS, payload);
    }
    cloud.commands("after-1", "device.restart", LATER);
    assert_eq!(cloud.outcome("after-1"), "done");
    cloud.shop.stop();
    assert!(!cloud.shop.whole_log().contains("panicked"), "{}", cloud.shop.log_tail());
}

//! The MQTT side of the contract as an [AsyncAPI 3.0](https://www.asyncapi.com/docs/reference/specification/v3.0.0)
//! document: topics, operations and messages as the gateway sees them, with payload schemas from the payload structs
//! and examples from the golden files.
//!
//! Payload schemas are of draft 7, which AsyncAPI takes for its own, and lie in `components/schemas`.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::BATCH_EVENTS;
use super::authorise::AuthoriseV1;
use super::command::CommandV1;
use super::desired::{DesiredV1, ReportedV1};
use super::payload::{EventV1, StatusV1};
use super::schema::typed;
use crate::types::Class;

/// Version of the MQTT bindings, which AsyncAPI counts apart.
const BINDING: &str = "0.2.0";
/// Every topic begins so.
const ROOT: &str = "smartstore/v1/{store}/{gateway}";

/// A file of `tests/contract/v1`: its name and its text.
macro_rules! golden {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../tests/contract/v1/", $name)))),*]
    };
}

/// The golden events, in the order of the contract's table.
const EVENTS: [(&str, &str); 29] = golden![
    "command.ended.v1.json",
    "command.ended.v1.done.json",
    "vend.sale.v1.json",
    "vend.sale.v1.resolved.json",
    "sample.dispensed.v1.json",
    "sample.refused.v1.json",
    "coupon.redeemed.v1.json",
    "coupon.refused.v1.json",
    "coupon.refused.v1.minimal.json",
    "scan.code.v1.json",
    "scan.code.v1.minimal.json",
    "vend.stock.v1.json",
    "vend.stock.v1.minimal.json",
    "vend.cash.v1.json",
    "vend.machine.v1.json",
    "vend.selection.v1.json",
    "footfall.window.v1.json",
    "screen.play.v1.json",
    "screen.play.v1.trigger.json",
    "screen.action.v1.json",
    "screen.action.v1.lift.json",
    "station.session.v1.json",
    "station.session.v1.ended.json",
    "device.health.v1.json",
    "config.applied.v1.json",
    "journal.opened.v1.json",
    "journal.opened.v1.first.json",
    "journal.dropped.v1.json",
    "diagnostics.chunk.v1.json",
];
const STATUS: [(&str, &str); 3] = golden!["status.online.json", "status.offline.json", "status.online.zstd.json"];
const COMMANDS: [(&str, &str); 15] = golden![
    "command.scan.trigger.json",
    "command.device.restart.json",
    "command.diagnostics.json",
    "command.coupon.keys.json",
    "command.show.json",
    "command.content.put.json",
    "command.screen.override.json",
    "command.screen.override.off.json",
    "command.dispense.json",
    "command.dispense.sample.json",
    "command.stock.set.json",
    "command.lane.clear.json",
    "command.sale.authorised.json",
    "command.sale.queried.json",
    "command.sale.cancelled.json",
];
const DESIRED: [(&str, &str); 1] = golden!["config.desired.json"];
const REPORTED: [(&str, &str); 4] = golden![
    "config.reported.applied.json",
    "config.reported.refused.json",
    "config.reported.rolled-back.json",
    "config.reported.unreadable.json",
];
const AUTHORISE: [(&str, &str); 3] = golden!["authorise.json", "authorise.query.json", "authorise.cancel.json"];

/// The document; `version` is the software's.
pub fn asyncapi(version: &str) -> Value {
    let settings = SchemaSettings::draft07().for_serialize();
    let settings = settings.with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let messages = messages(&mut generator);
    let schemas = generator.take_definitions(true);
    json!({
        "asyncapi": "3.0.0",
        "info": info(version),
        "defaultContentType": "application/json",
        "servers": servers(),
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": messages,
            "schemas": schemas,
            "parameters": {
                "store": {
                    "description": "The store, as in `[store] id`: `[a-z0-9-]{1,32}`.",
                    "examples": ["hz-wulin-001"],
                },
                "gateway": {
                    "description": "The gateway in it, as in `[gateway] id`: `[a-z0-9-]{1,32}`.",
                    "examples": ["gw-1"],
                },
            },
            "securitySchemes": {
                "password": { "type": "userPassword", "description": "`username` and `password_file`." },
                "certificate": { "type": "X509", "description": "`cert_file` and `key_file`." },
            },
        },
    })
}

fn info(version: &str) -> Value {
    json!({
        "title": "smartstore gateway",
        "version": version,
        "description": "What one gateway publishes and takes, MQTT 5, QoS 1, seen from the gateway: it sends events \
            and its status, it receives commands. Delivery is at least once and in order per class: remove duplicates \
            by `id`, prove by `epoch` and `seq` that nothing is missing. Payloads change only by addition.",
        "license": { "name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0" },
    })
}

/// One broker, met by two clients: AsyncAPI binds a client to a server, so each is a server of its own.
fn servers() -> Value {
    let will = format!("{ROOT}/status");
    json!({
        "up": server("Where events and the status go: clean start, holds the will.", &json!({
            "clientId": "{store}.{gateway}-up",
            "cleanSession": true,
            "keepAlive": 10,
            "lastWill": { "topic": will, "qos": 1, "retain": true, "message": STATUS[1].1.trim() },
            "bindingVersion": BINDING,
        })),
        "down": server("Where commands come from: the broker keeps the session for 7 days.", &json!({
            "clientId": "{store}.{gateway}-down",
            "cleanSession": false,
            "keepAlive": 10,
            "sessionExpiryInterval": 604_800,
            "bindingVersion": BINDING,
        })),
    })
}

fn server(description: &str, mqtt: &Value) -> Value {
    json!({
        "host": "{host}:{port}",
        "protocol": "secure-mqtt",
        "protocolVersion": "5.0",
        "description": format!("{description} `mqtts://` or, in a trusted network, `mqtt://`."),
        "variables": {
            "host": { "description": "The broker's name or address.", "examples": ["mqtt.example.com"] },
            "port": { "default": "8883", "description": "8883 with TLS, 1883 without." },
        },
        "security": [
            { "$ref": "#/components/securitySchemes/password" },
            { "$ref": "#/components/securitySchemes/certificate" },
        ],
        "bindings": { "mqtt": mqtt },
    })
}

/// Key and last levels of each topic, the server it is at, and what it carries.
fn topics() -> [(String, String, &'static str, &'static str); 8] {
    let events = |class: Class, says| (events_key(class), format!("events/{}", class.as_str()), "up", says);
    [
        ("status".into(), "status".into(), "up", "Whether the gateway is connected: retained, and its last will."),
        events(Class::Money, "Events about money and outcomes of commands. They never wait behind the other classes."),
        events(Class::Record, "Events that must not be lost: codes, health, the journal's own."),
        events(
            Class::Telemetry,
            "Events that are dropped first when a disk is full; every dropped range is announced.",
        ),
        (
            "authorise".into(),
            "authorise".into(),
            "up",
            "Questions about a sale's money, answered by commands: the only place of a payment code. Store none.",
        ),
        ("commands".into(), "commands".into(), "down", "What the gateway or a device of it is to do."),
        ("config-desired".into(), "config/desired".into(), "down", "The configuration that the cloud wants: retained."),
        ("config-reported".into(), "config/reported".into(), "up", "What became of it: retained."),
    ]
}

fn events_key(class: Class) -> String {
    format!("events-{}", class.as_str())
}

fn channels() -> Value {
    let channels = topics().map(|(key, levels, server, says)| {
        let channel = json!({
            "address": format!("{ROOT}/{levels}"),
            "description": says,
            "servers": [{ "$ref": format!("#/servers/{server}") }],
            "parameters": {
                "store": { "$ref": "#/components/parameters/store" },
                "gateway": { "$ref": "#/components/parameters/gateway" },
            },
            "messages": { &key: { "$ref": format!("#/components/messages/{key}") } },
        });
        (key, channel)
    });
    Value::Object(channels.into_iter().collect())
}

fn operations() -> Value {
    let operations = topics().map(|(key, _, server, says)| {
        let (name, action, mqtt) = if server == "down" {
            ("receive", "receive", json!({ "qos": 1, "bindingVersion": BINDING }))
        } else {
            let retain = key == "status" || key == "config-reported";
            ("send", "send", json!({ "qos": 1, "retain": retain, "bindingVersion": BINDING }))
        };
        let operation = json!({
            "action": action,
            "summary": says,
            "channel": { "$ref": format!("#/channels/{key}") },
            "messages": [{ "$ref": format!("#/channels/{key}/messages/{key}") }],
            "bindings": { "mqtt": mqtt },
        });
        (format!("{name}-{key}"), operation)
    });
    Value::Object(operations.into_iter().collect())
}

fn messages(generator: &mut SchemaGenerator) -> Value {
    let mut messages = Map::new();
    let status = json!({ "allOf": [generator.subschema_for::<StatusV1<'_>>()] });
    messages.insert("status".to_owned(), message("Status", "`online` or `offline`.", &status, plain(&STATUS)));
    let authorise = json!({ "allOf": [generator.subschema_for::<AuthoriseV1<'_>>()] });
    let says = "Promise, query or undo the money of one sale: idempotent by `sale`.";
    messages.insert("authorise".to_owned(), message("Authorise", says, &authorise, plain(&AUTHORISE)));
    let command = json!({ "allOf": [generator.subschema_for::<CommandV1<'_>>()] });
    let says = "One command. The same id never acts twice; its one outcome is a `command.ended.v1`.";
    messages.insert("commands".to_owned(), message("Command", says, &command, plain(&COMMANDS)));
    let desired = json!({ "allOf": [generator.subschema_for::<DesiredV1<'_>>()] });
    let says = "A configuration, 256 KiB at most. It is checked, tried, and kept or taken back.";
    messages.insert("config-desired".to_owned(), message("Wanted configuration", says, &desired, plain(&DESIRED)));
    let reported = json!({ "allOf": [generator.subschema_for::<ReportedV1>()] });
    let says = "`applied`, `refused` or `rolled-back`, with the mistakes as `smartstore check --json` says them.";
    messages.insert("config-reported".to_owned(), message("Report", says, &reported, plain(&REPORTED)));
    let types = typed(generator);
    for class in Class::ALL {
        let types: Vec<_> = types.iter().filter(|(_, of, _)| *of == class).collect();
        let mut event = Map::from_iter([("allOf".to_owned(), json!([generator.subschema_for::<EventV1<'_>>()]))]);
        if !types.is_empty() {
            event.insert("oneOf".to_owned(), types.iter().map(|(_, _, schema)| schema.clone()).collect());
        }
        let batch = json!({ "type": "array", "minItems": 1, "maxItems": BATCH_EVENTS, "items": event });
        let title = format!("Events of the class {}", class.as_str());
        let says = "Events of one class in the order of `seq`: CloudEvents 1.0 in JSON. Where the status announces \
            `zstd`, a message may be a Zstandard frame of this; it begins with the bytes `28 b5 2f fd`.";
        let known: Vec<_> = types.iter().map(|(name, _, _)| *name).collect();
        messages.insert(events_key(class), message(&title, says, &batch, batches(&known)));
    }
    Value::Object(messages)
}

fn message(title: &str, summary: &str, payload: &Value, examples: Vec<Value>) -> Value {
    let mut message = json!({
        "title": title,
        "summary": summary,
        "contentType": "application/json",
        "payload": payload,
    });
    if !examples.is_empty() {
        message["examples"] = Value::Array(examples);
    }
    message
}

fn plain(files: &[(&str, &str)]) -> Vec<Value> {
    files.iter().map(|(name, text)| json!({ "name": stem(name), "payload": parsed(text) })).collect()
}

/// The golden events of these types, each as a batch of one.
fn batches(types: &[&str]) -> Vec<Value> {
    let of_these = EVENTS.iter().filter(|(name, _)| types.iter().any(|known| name.starts_with(known)));
    of_these.map(|(name, text)| json!({ "name": stem(name), "payload": [parsed(text)] })).collect()
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".json").unwrap_or(name)
}

#[expect(clippy::expect_used, reason = "the files are part of the program, and a test reads every one of them")]
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("a golden file is JSON")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::types::{GatewayId, StoreId};
    use crate::wire::cloud::Topics;

    #[test]
    fn its_addresses_are_the_topics_that_are_used() {
        let document = asyncapi("1.2.3");
        let topics = Topics::new(&StoreId::new("s-1").unwrap(), &GatewayId::new("g-1").unwrap());
        let used: BTreeSet<String> = Class::ALL
            .map(|class| topics.events(class))
            .into_iter()
            .chain([topics.status(), topics.authorise(), topics.commands()])
            .chain([topics.config_desired(), topics.config_reported()])
            .collect();
        let channels = document["channels"].as_object().unwrap().values();
        let written: BTreeSet<String> = channels
            .map(|channel| channel["address"].as_str().unwrap().replace("{store}", "s-1").replace("{gateway}", "g-1"))
            .collect();
        assert_eq!(written, used);
    }

    #[test]
    fn every_golden_file_is_an_example_once_in_its_class() {
        let document = asyncapi("1.2.3");
        let examples = |key: &str| {
            let examples = document["components"]["messages"][key]["examples"].as_array().cloned();
            examples.unwrap_or_default().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (money, telemetry) = (examples("events-money"), examples("events-telemetry"));
        let of_money = ["command.", "coupon.", "sample.", "vend.sale."];
        assert!(money.iter().all(|name| of_money.iter().any(|word| name.starts_with(word))), "{money:?}");
        let of_telemetry = ["vend.machine.v1", "vend.selection.v1", "footfall.window.v1", "diagnostics.chunk.v1"];
        assert_eq!(telemetry, of_telemetry);
        assert_eq!(examples("events-record").len(), EVENTS.len() - money.len() - telemetry.len());
        assert_eq!(
            examples("config-desired").len() + examples("config-reported").len(),
            DESIRED.len() + REPORTED.len()
        );
        assert_eq!(examples("status").len() + examples("commands").len(), STATUS.len() + COMMANDS.len());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(to)) = fields.get("$ref") {
                        found.push(to.clone());
                    }
                    fields.values().for_each(|field| references(field, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = asyncapi("1.2.3");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for to in found {
            assert!(document.pointer(to.strip_prefix('#').unwrap()).is_some(), "{to}");
        }
    }
}

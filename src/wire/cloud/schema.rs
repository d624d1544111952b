//! JSON Schemas (draft 2020-12) of what crosses to and from the cloud, derived from the payload structs themselves.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::command::CommandV1;
use super::payload::{
    CommandEndedV1, ConfigAppliedV1, DeviceHealthV1, EventV1, JournalDroppedV1, JournalOpenedV1, ScanCodeV1,
};

/// The schema of one event; a message is an array of 1 to 100 of them. `type` decides the form of `data`.
pub fn events_schema() -> Schema {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let types = [
        typed::<ScanCodeV1<'_>>(&mut generator, "scan.code.v1"),
        typed::<CommandEndedV1<'_>>(&mut generator, "command.ended.v1"),
        typed::<DeviceHealthV1<'_>>(&mut generator, "device.health.v1"),
        typed::<JournalOpenedV1>(&mut generator, "journal.opened.v1"),
        typed::<JournalDroppedV1>(&mut generator, "journal.dropped.v1"),
        typed::<ConfigAppliedV1<'_>>(&mut generator, "config.applied.v1"),
    ];
    let mut schema = generator.into_root_schema_for::<EventV1<'_>>();
    schema.insert("oneOf".to_owned(), Value::Array(types.into()));
    schema
}

/// The schema of one command.
pub fn commands_schema() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<CommandV1<'_>>()
}

fn typed<T: JsonSchema>(generator: &mut SchemaGenerator, r#type: &str) -> Value {
    let data = generator.subschema_for::<T>();
    json!({ "properties": { "type": { "const": r#type }, "data": data } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_data_and_the_envelope_names_what_is_required() {
        let schema = events_schema().to_value();
        let types: Vec<_> =
            schema["oneOf"].as_array().unwrap().iter().map(|one| one["properties"]["type"]["const"].clone()).collect();
        assert_eq!(types.len(), 6);
        assert!(types.contains(&"journal.dropped.v1".into()));
        let required = schema["required"].as_array().unwrap();
        assert!(required.contains(&"seq".into()) && !required.contains(&"cause".into()));
        let code = &schema["$defs"]["ScanCodeV1"];
        assert_eq!(code["properties"]["kind"]["enum"].as_array().unwrap().len(), 8, "{schema:#}");
        assert!(code["required"].as_array().unwrap().contains(&"symbology".into()));
        assert!(!code["required"].as_array().unwrap().contains(&"gtin".into()));
    }

    #[test]
    fn the_command_schema_ties_arguments_to_their_action() {
        let schema = commands_schema().to_value();
        let actions: Vec<_> = schema["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["properties"]["action"]["const"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(actions, ["scan.trigger", "device.restart"]);
        let required = schema["required"].as_array().unwrap();
        assert!(required.contains(&"id".into()) && required.contains(&"not_after".into()));
    }
}

//! JSON Schemas (draft 2020-12) of what crosses to and from the cloud, derived from the payload structs themselves.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::command::CommandV1;
use super::coupon::{CouponRedeemedV1, CouponRefusedV1};
use super::face::{FaceMemberV1, FaceVisitV1, FaceWindowV1};
use super::footfall::FootfallWindowV1;
use super::payload::{
    CommandEndedV1, ConfigAppliedV1, DeviceHealthV1, DiagnosticsChunkV1, EventV1, JournalDroppedV1, JournalOpenedV1,
    ScanCodeV1,
};
use super::screen::{ScreenActionV1, ScreenPlayV1, StationSessionV1};
use super::vending::{
    SampleDispensedV1, SampleRefusedV1, VendCashV1, VendMachineV1, VendSaleV1, VendSelectionV1, VendStockV1,
};
use crate::types::Class;

/// The schema of one event; a message is an array of 1 to 100 of them. `type` decides the form of `data`.
pub fn events_schema() -> Schema {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let types: Vec<Value> = typed(&mut generator).into_iter().map(|(_, _, schema)| schema).collect();
    let mut schema = generator.into_root_schema_for::<EventV1<'_>>();
    schema.insert("oneOf".to_owned(), Value::Array(types));
    schema
}

/// The schema of one command.
pub fn commands_schema() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<CommandV1<'_>>()
}

/// Every event type with its class and what it demands of `type` and `data`.
pub(super) fn typed(generator: &mut SchemaGenerator) -> [(&'static str, Class, Value); 23] {
    [
        one::<ScanCodeV1<'_>>(generator, "scan.code.v1", Class::Record),
        one::<CommandEndedV1<'_>>(generator, "command.ended.v1", Class::Money),
        one::<VendSaleV1<'_>>(generator, "vend.sale.v1", Class::Money),
        one::<SampleDispensedV1<'_>>(generator, "sample.dispensed.v1", Class::Money),
        one::<SampleRefusedV1<'_>>(generator, "sample.refused.v1", Class::Money),
        one::<VendStockV1>(generator, "vend.stock.v1", Class::Record),
        one::<VendMachineV1<'_>>(generator, "vend.machine.v1", Class::Telemetry),
        one::<VendSelectionV1>(generator, "vend.selection.v1", Class::Telemetry),
        one::<VendCashV1<'_>>(generator, "vend.cash.v1", Class::Record),
        one::<CouponRedeemedV1<'_>>(generator, "coupon.redeemed.v1", Class::Money),
        one::<CouponRefusedV1<'_>>(generator, "coupon.refused.v1", Class::Money),
        one::<FootfallWindowV1>(generator, "footfall.window.v1", Class::Telemetry),
        one::<FaceVisitV1<'_>>(generator, "face.visit.v1", Class::Telemetry),
        one::<FaceWindowV1>(generator, "face.window.v1", Class::Telemetry),
        one::<FaceMemberV1<'_>>(generator, "face.member.v1", Class::Record),
        one::<ScreenPlayV1<'_>>(generator, "screen.play.v1", Class::Record),
        one::<ScreenActionV1<'_>>(generator, "screen.action.v1", Class::Record),
        one::<StationSessionV1<'_>>(generator, "station.session.v1", Class::Record),
        one::<DeviceHealthV1<'_>>(generator, "device.health.v1", Class::Record),
        one::<JournalOpenedV1>(generator, "journal.opened.v1", Class::Record),
        one::<JournalDroppedV1>(generator, "journal.dropped.v1", Class::Record),
        one::<ConfigAppliedV1<'_>>(generator, "config.applied.v1", Class::Record),
        one::<DiagnosticsChunkV1<'_>>(generator, "diagnostics.chunk.v1", Class::Telemetry),
    ]
}

fn one<T: JsonSchema>(
    generator: &mut SchemaGenerator,
    r#type: &'static str,
    class: Class,
) -> (&'static str, Class, Value) {
    let data = generator.subschema_for::<T>();
    (r#type, class, json!({ "properties": { "type": { "const": r#type }, "data": data } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_data_and_the_envelope_names_what_is_required() {
        let schema = events_schema().to_value();
        let types: Vec<_> =
            schema["oneOf"].as_array().unwrap().iter().map(|one| one["properties"]["type"]["const"].clone()).collect();
        assert_eq!(types.len(), 23);
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
        let offered = crate::types::ActionKind::ALL.iter().filter(|kind| kind.offered());
        assert_eq!(actions, offered.map(|kind| kind.as_str()).collect::<Vec<_>>());
        let required = schema["required"].as_array().unwrap();
        assert!(required.contains(&"id".into()) && required.contains(&"not_after".into()));
    }
}

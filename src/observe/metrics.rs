//! Counters and gauges in the Prometheus text format.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::types::{DeviceId, Tally};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeviceLabels {
    device: String,
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GaugeLabels {
    what: String,
}

/// All counters of one gateway. Cheap to clone; every clone counts into the same.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    devices: Family<DeviceLabels, Counter>,
    gauges: Family<GaugeLabels, Gauge>,
}

/// Values read at the moment of asking: name and value, in the order given.
pub type Gauges = Vec<(String, i64)>;

impl Default for Metrics {
    fn default() -> Self {
        let devices = Family::<DeviceLabels, Counter>::default();
        let gauges = Family::<GaugeLabels, Gauge>::default();
        let mut registry = Registry::with_prefix("smartstore");
        registry.register("device", "What each device's line and driver counted", devices.clone());
        registry.register("gateway", "Depths, positions and totals of the gateway", gauges.clone());
        Self { registry: Arc::new(Mutex::new(registry)), devices, gauges }
    }
}

impl Metrics {
    /// Adds to a device's counter.
    pub fn count(&self, device: &DeviceId, tally: Tally, count: u64) {
        let labels = DeviceLabels { device: device.to_string(), what: tally.as_str() };
        self.devices.get_or_create(&labels).inc_by(count);
    }

    /// What a device's counter stands at.
    pub fn read(&self, device: &DeviceId, tally: Tally) -> u64 {
        let labels = DeviceLabels { device: device.to_string(), what: tally.as_str() };
        self.devices.get_or_create(&labels).get()
    }

    /// Everything in the Prometheus text format, with these gauges beside the counters.
    pub fn render(&self, gauges: Gauges) -> Result<String, fmt::Error> {
        for (what, value) in gauges {
            self.gauges.get_or_create(&GaugeLabels { what }).set(value);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_rendered_under_its_device() {
        let metrics = Metrics::default();
        let device = DeviceId::new("scanner-1").unwrap();
        metrics.count(&device, Tally::NoiseBytes, 3);
        metrics.count(&device, Tally::NoiseBytes, 4);
        let text = metrics.render(vec![("journal_unsent_money".to_owned(), 5)]).unwrap();
        assert!(text.contains("smartstore_device_total{device=\"scanner-1\",what=\"noise_bytes\"} 7"), "{text}");
        assert!(text.contains("smartstore_gateway{what=\"journal_unsent_money\"} 5"), "{text}");
    }
}

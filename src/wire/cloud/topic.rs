//! The topics of one gateway.

use crate::types::{Class, GatewayId, StoreId};

/// Where one gateway publishes and listens: `smartstore/v1/{store}/{gateway}/…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    root: String,
}

impl Topics {
    /// The topics of this gateway of this store. Neither id can hold a separator or a wildcard.
    pub fn new(store: &StoreId, gateway: &GatewayId) -> Self {
        Self { root: format!("smartstore/v1/{store}/{gateway}") }
    }

    /// Up, retained: whether the gateway is connected; also its last will.
    pub fn status(&self) -> String {
        format!("{}/status", self.root)
    }

    /// Up: events of one class.
    pub fn events(&self, class: Class) -> String {
        format!("{}/events/{}", self.root, class.as_str())
    }

    /// Down: commands.
    pub fn commands(&self) -> String {
        format!("{}/commands", self.root)
    }

    /// Up: questions about a sale's money.
    pub fn authorise(&self) -> String {
        format!("{}/authorise", self.root)
    }

    /// Down, retained: the configuration that the cloud wants.
    pub fn config_desired(&self) -> String {
        format!("{}/config/desired", self.root)
    }

    /// Up, retained: what became of it.
    pub fn config_reported(&self) -> String {
        format!("{}/config/reported", self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_the_contracts() {
        let topics = Topics::new(&StoreId::new("hz-wulin-001").unwrap(), &GatewayId::new("gw-1").unwrap());
        assert_eq!(topics.status(), "smartstore/v1/hz-wulin-001/gw-1/status");
        assert_eq!(topics.events(Class::Money), "smartstore/v1/hz-wulin-001/gw-1/events/money");
        assert_eq!(topics.events(Class::Telemetry), "smartstore/v1/hz-wulin-001/gw-1/events/telemetry");
        assert_eq!(topics.commands(), "smartstore/v1/hz-wulin-001/gw-1/commands");
        assert_eq!(topics.authorise(), "smartstore/v1/hz-wulin-001/gw-1/authorise");
        assert_eq!(topics.config_desired(), "smartstore/v1/hz-wulin-001/gw-1/config/desired");
        assert_eq!(topics.config_reported(), "smartstore/v1/hz-wulin-001/gw-1/config/reported");
    }
}

//! Open the line, build the dialect's machine, pump.

use std::path::PathBuf;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::interpreter::{Interpreter, Shop};
use crate::device::{Device, DriverError, Port, attach, pump};
use crate::transport::{Line, Tty, TtySettings, open_tty};
use crate::types::{ActionKind, Condition, Currency, DeviceId, Endpoint};
use crate::wire::Machine;
use crate::wire::mdb::{MdbMachine, MdbSettings, Role};
use crate::wire::vend::{Heard, VendAction};
use crate::wire::vmc::{VmcMachine, VmcSettings};
use crate::wire::zdm8::{Zdm8Machine, Zdm8Settings};

/// What a machine speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Speech {
    Vmc(VmcSettings),
    Mdb(MdbSettings),
    Zdm8(Zdm8Settings),
}

/// A checked machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) path: PathBuf,
    pub(super) line: TtySettings,
    pub(super) speech: Speech,
    pub(super) shop: Shop,
}

/// A machine on a serial line.
#[derive(Debug)]
pub(super) struct VendingDevice {
    id: DeviceId,
    endpoint: Endpoint,
    profile: Profile,
}

impl VendingDevice {
    pub(super) fn new(id: DeviceId, endpoint: Endpoint, profile: Profile) -> Self {
        Self { id, endpoint, profile }
    }

    async fn drive(&self, port: &mut Port) -> Result<(), DriverError> {
        let Profile { path, line, speech, .. } = &self.profile;
        let opened = attach(port, Condition::TtyMissing, || open_tty(path, *line)).await;
        let Some(line) = opened else { return Ok(()) };
        let now = port.clock.now();
        match speech {
            Speech::Vmc(settings) => {
                // Another number at each start, so that the machine does not take our first command for a repetition.
                let [pack_before, ..] = *port.clock.random_uuid().as_bytes();
                self.speak(VmcMachine::new(settings.clone(), pack_before, now), line, port).await
            }
            Speech::Mdb(settings) => self.speak(MdbMachine::new(settings.clone(), now), line, port).await,
            Speech::Zdm8(settings) => self.speak(Zdm8Machine::new(settings.clone(), now), line, port).await,
        }
    }

    async fn speak<M>(&self, machine: M, line: Line<Tty>, port: &mut Port) -> Result<(), DriverError>
    where
        M: Machine<Action = VendAction, Observation = Heard>,
    {
        pump(&mut Interpreter::new(machine, self.profile.shop, port), line, port).await
    }
}

impl Device for VendingDevice {
    fn id(&self) -> &DeviceId {
        &self.id
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn can(&self) -> &'static [ActionKind] {
        match &self.profile.speech {
            Speech::Vmc(_) => {
                &[ActionKind::Dispense, ActionKind::Recover, ActionKind::JamClear, ActionKind::StockWrite]
            }
            Speech::Mdb(MdbSettings { role: Role::Slave, .. }) => {
                &[ActionKind::Dispense, ActionKind::Approve, ActionKind::Deny, ActionKind::Recover]
            }
            Speech::Mdb(MdbSettings { role: Role::Master, .. }) => &[ActionKind::Charge, ActionKind::ChargeEnd],
            Speech::Zdm8(_) => &[ActionKind::Dispense, ActionKind::Recover],
        }
    }

    fn currency(&self) -> Currency {
        self.profile.shop.currency
    }

    fn run<'a>(&'a self, port: &'a mut Port) -> BoxFuture<'a, Result<(), DriverError>> {
        self.drive(port).boxed()
    }
}

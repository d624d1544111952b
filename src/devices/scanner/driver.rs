//! Open the line, build the machine, pump.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::profile::{HidProfile, SerialProfile};
use crate::device::{Device, DriverError, Port, Vault, attach, pump};
use crate::observe::DeviceScope;
use crate::transport::{open_keyboard, open_tty};
use crate::types::{
    Action, ActionKind, Assigned, CodeGrammars, Condition, DeviceId, Ended, Endpoint, Observation, Outcome, Reason,
};
use crate::wire::scan::{Classified, Decoded, Dialect, Heard, HidScanner, ScanAction, SerialScanner, classify};
use crate::wire::{Input, Machine, Output, Showing, Way};

/// A scanner on a serial line.
#[derive(Debug)]
pub(super) struct SerialDevice {
    id: DeviceId,
    endpoint: Endpoint,
    profile: SerialProfile,
    grammars: CodeGrammars,
}

impl SerialDevice {
    pub(super) fn new(id: DeviceId, endpoint: Endpoint, profile: SerialProfile, grammars: CodeGrammars) -> Self {
        Self { id, endpoint, profile, grammars }
    }

    async fn drive(&self, port: &mut Port) -> Result<(), DriverError> {
        let opened = attach(port, Condition::TtyMissing, || open_tty(&self.profile.path, self.profile.line));
        let Some(line) = opened.await else { return Ok(()) };
        let mut scanner = SerialScanner::new(self.profile.scanner.clone(), port.clock.now());
        scanner.expect_backlog(line.opened().waited_bytes());
        pump(&mut Classifier::new(scanner, &self.grammars, port), line, port).await
    }
}

impl Device for SerialDevice {
    fn id(&self) -> &DeviceId {
        &self.id
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn can(&self) -> &'static [ActionKind] {
        match self.profile.scanner.dialect {
            Dialect::Generic => &[],
            Dialect::Gm65(_) => &[ActionKind::ScanTrigger],
        }
    }

    fn run<'a>(&'a self, port: &'a mut Port) -> BoxFuture<'a, Result<(), DriverError>> {
        self.drive(port).boxed()
    }
}

/// A scanner that types.
#[derive(Debug)]
pub(super) struct HidDevice {
    id: DeviceId,
    endpoint: Endpoint,
    profile: HidProfile,
    grammars: CodeGrammars,
}

impl HidDevice {
    pub(super) fn new(id: DeviceId, endpoint: Endpoint, profile: HidProfile, grammars: CodeGrammars) -> Self {
        Self { id, endpoint, profile, grammars }
    }

    async fn drive(&self, port: &mut Port) -> Result<(), DriverError> {
        let opened = attach(port, Condition::TtyMissing, || open_keyboard(&self.profile.path));
        let Some(line) = opened.await else { return Ok(()) };
        let scanner = HidScanner::new(&self.profile.scanner);
        pump(&mut Classifier::new(scanner, &self.grammars, port), line, port).await
    }
}

impl Device for HidDevice {
    fn id(&self) -> &DeviceId {
        &self.id
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn can(&self) -> &'static [ActionKind] {
        &[]
    }

    fn run<'a>(&'a self, port: &'a mut Port) -> BoxFuture<'a, Result<(), DriverError>> {
        self.drive(port).boxed()
    }
}

/// Puts the house's words in the place of the wire's: what was decoded becomes a classified code.
struct Classifier<'a, M> {
    machine: M,
    grammars: &'a CodeGrammars,
    scope: DeviceScope,
    vault: Vault,
    /// An action that is none of a scanner's, refused.
    refused: Option<Outcome>,
}

impl<'a, M> Classifier<'a, M> {
    /// A new run begins: what the last one complained of is not known any more.
    fn new(machine: M, grammars: &'a CodeGrammars, port: &Port) -> Self {
        let scope = port.scope.clone();
        for condition in [Condition::ScannerNoise, Condition::DeviceSilent] {
            scope.condition(condition, false, None);
        }
        Self { machine, grammars, scope, vault: port.vault.clone(), refused: None }
    }

    fn code(&self, decoded: Decoded) -> Observation {
        let Classified { code, payment } = classify(decoded.symbology, decoded.text, self.grammars);
        if let Some(payment) = payment {
            self.vault.lay(self.scope.device(), payment);
        }
        let symbology = code.symbology.map_or_else(|| "unknown symbology".to_owned(), |s| s.to_string());
        let length = code.value.chars().count();
        self.scope.evidence(&format!("read a {} code ({symbology}, {length} characters)", code.kind.as_str()));
        Observation::Code(code)
    }
}

impl<M: Machine<Action = ScanAction, Observation = Heard>> Machine for Classifier<'_, M> {
    type Action = Assigned;
    type Observation = Observation;
    type Error = M::Error;

    fn handle(&mut self, now: std::time::Instant, input: Input<'_, Assigned>) -> Result<(), M::Error> {
        let input = match input {
            Input::Bytes(bytes) => Input::Bytes(bytes),
            Input::Tick => Input::Tick,
            Input::Action(Assigned { command, action: Action::ScanTrigger { on }, .. }) => {
                Input::Action(ScanAction::Trigger { command, on })
            }
            Input::Action(Assigned { command, .. }) => {
                self.refused = Some(Outcome { command, ended: Ended::Refused(Reason::new("not-supported")) });
                return Ok(());
            }
        };
        self.machine.handle(now, input)
    }

    fn poll(&mut self) -> Option<Output<Observation>> {
        if let Some(outcome) = self.refused.take() {
            return Some(Output::Observe(Observation::Ended(outcome)));
        }
        Some(match self.machine.poll()? {
            Output::Send(bytes) => Output::Send(bytes),
            Output::Observe(Heard::Decoded(decoded)) => Output::Observe(self.code(decoded)),
            Output::Observe(Heard::Ended(outcome)) => Output::Observe(Observation::Ended(outcome)),
            Output::Health(condition, raised) => Output::Health(condition, raised),
            Output::Count(tally, count) => Output::Count(tally, count),
        })
    }

    fn deadline(&self) -> Option<std::time::Instant> {
        self.machine.deadline()
    }

    fn in_flight(&self) -> bool {
        self.machine.in_flight()
    }

    fn shows(&self, way: Way) -> Showing {
        self.machine.shows(way)
    }
}

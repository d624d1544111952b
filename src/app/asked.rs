//! What is asked of the gateway itself, and who carries it out.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use super::{ASKED, Running, told};
use crate::members::Desk;
use crate::router::{Target, Targets};
use crate::types::{ActionKind, Assigned, Currency};

/// What can be asked of it.
const CAN: &[ActionKind] = &[ActionKind::Diagnostics, ActionKind::MemberEnrol, ActionKind::MemberForget];

/// The hands that the gateway has.
struct Hands {
    bundles: Sender<Assigned>,
    members: Sender<Assigned>,
}

impl Hands {
    fn of(&self, kind: ActionKind) -> &Sender<Assigned> {
        match kind {
            ActionKind::MemberEnrol | ActionKind::MemberForget => &self.members,
            _ => &self.bundles,
        }
    }

    /// Hands over until `stop`. Whoever has his hands full is waited for.
    async fn pass(self, mut asked: Receiver<Assigned>, stop: CancellationToken) -> Result<(), Infallible> {
        loop {
            let assigned = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(assigned) = asked.recv() => assigned,
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                // Hands that are gone are the end of the gateway, which says so itself.
                _ = self.of(assigned.action.kind()).send(assigned) => {}
            }
        }
    }
}

impl Running {
    /// Starts those who carry out what is asked of the gateway.
    pub(super) fn start_hands(&mut self, targets: &Targets, desk: Desk) {
        let stop = || self.stop_core.clone();
        let (assign, asked) = channel(ASKED);
        targets.add_gateway(Target { can: CAN, assign, restart: Arc::default(), currency: Currency::NONE });
        let ((bundles, bundles_asked), (members, members_asked)) = (channel(ASKED), channel(ASKED));
        let bundler = told(self.bundler.clone().serve(bundles_asked, stop()));
        let desk = told(desk.serve(members_asked, stop()));
        let hands = told(Hands { bundles, members }.pass(asked, stop()));
        self.core.spawn("diagnostics", bundler);
        self.core.spawn("members", desk);
        self.core.spawn("hands", hands);
    }
}

//! What is asked of the gateway itself, and who carries it out.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use super::{ASKED, Running, told};
use crate::content;
use crate::members::Desk;
use crate::router::{Target, Targets};
use crate::types::{ActionKind, Assigned, Currency};

/// What can be asked of it.
const CAN: &[ActionKind] = &[
    ActionKind::Diagnostics,
    ActionKind::MemberEnrol,
    ActionKind::MemberForget,
    ActionKind::ContentPut,
    ActionKind::ScreenOverride,
];

/// The hands that the gateway has.
struct Hands {
    bundles: Sender<Assigned>,
    members: Sender<Assigned>,
    content: Sender<Assigned>,
    overrides: Sender<Assigned>,
}

impl Hands {
    fn of(&self, kind: ActionKind) -> &Sender<Assigned> {
        match kind {
            ActionKind::MemberEnrol | ActionKind::MemberForget => &self.members,
            ActionKind::ContentPut => &self.content,
            ActionKind::ScreenOverride => &self.overrides,
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
    pub(super) fn start_hands(&mut self, targets: &Targets, desk: Desk, staff: (content::Desk, content::Herald)) {
        let stop = || self.stop_core.clone();
        let (assign, asked) = channel(ASKED);
        targets.add_gateway(Target { can: CAN, assign, restart: Arc::default(), currency: Currency::NONE });
        let ((bundles, bundles_asked), (members, members_asked)) = (channel(ASKED), channel(ASKED));
        let ((content, content_asked), (overrides, overrides_asked)) = (channel(ASKED), channel(ASKED));
        let (puts, herald) = (told(staff.0.serve(content_asked, stop())), told(staff.1.serve(overrides_asked, stop())));
        let bundler = told(self.bundler.clone().serve(bundles_asked, stop()));
        let desk = told(desk.serve(members_asked, stop()));
        let hands = told(Hands { bundles, members, content, overrides }.pass(asked, stop()));
        self.core.spawn("diagnostics", bundler);
        self.core.spawn("members", desk);
        self.core.spawn("content", puts);
        self.core.spawn("override", herald);
        self.core.spawn("hands", hands);
    }
}

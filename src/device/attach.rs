//! Opening a line that may not be there.

use std::future::Future;
use std::io;

use super::{Port, limits};
use crate::observe::DeviceState;
use crate::types::Condition;

/// Opens a line, however long it takes to appear; `None`: told to stop. While it does not appear, `missing` stands
/// with the operating system's words, and the line is looked for five times a second, so that a replugged cable works
/// at once.
pub async fn attach<L, F, O>(port: &mut Port, missing: Condition, mut open: F) -> Option<L>
where
    F: FnMut() -> O,
    O: Future<Output = io::Result<L>>,
{
    loop {
        let opened = tokio::select! {
            biased;
            () = port.stop.cancelled() => return None,
            opened = open() => opened,
        };
        match opened {
            Ok(line) => {
                port.scope.condition(missing, false, None);
                port.scope.state(DeviceState::Running);
                return Some(line);
            }
            Err(error) => {
                port.scope.condition(missing, true, Some(error.to_string()));
                port.scope.state(DeviceState::Waiting);
            }
        }
        tokio::select! {
            () = port.stop.cancelled() => return None,
            () = tokio::time::sleep(limits::ATTACH_INTERVAL) => {}
        }
    }
}

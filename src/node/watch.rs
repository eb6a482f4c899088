//! Streams for onlookers: notices for the log, outcomes of everything published. Bounded; who is slow misses some.

use crosscast_core::{Notice, Outcome};
use tokio::sync::broadcast;

/// Notices kept for a slow onlooker. 256: a node that loses and regains all links of a busy edge.
pub(crate) const NOTICES_KEPT: usize = 256;
/// Outcomes kept for a slow onlooker. 4,096: a second of single messages at full rate.
pub(crate) const OUTCOMES_KEPT: usize = 4_096;

macro_rules! stream {
    ($(#[$doc:meta])* $name:ident of $item:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            receiver: broadcast::Receiver<$item>,
            missed: u64,
        }

        impl $name {
            pub(crate) const fn new(receiver: broadcast::Receiver<$item>) -> Self {
                Self { receiver, missed: 0 }
            }

            /// Waits for the next one; `None` when the node has stopped.
            pub async fn next(&mut self) -> Option<$item> {
                loop {
                    match self.receiver.recv().await {
                        Ok(item) => return Some(item),
                        Err(broadcast::error::RecvError::Lagged(count)) => {
                            self.missed = self.missed.saturating_add(count);
                        }
                        Err(broadcast::error::RecvError::Closed) => return None,
                    }
                }
            }

            /// How many were missed because they were not taken in time.
            #[must_use]
            pub const fn missed(&self) -> u64 {
                self.missed
            }
        }
    };
}

stream!(
    /// What an operator should know, as it happens.
    Notices of Notice
);
stream!(
    /// What becomes of everything published or sent by this node.
    Outcomes of Outcome
);

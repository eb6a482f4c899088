//! Crosscast's sans-IO machine: links, groups, multicast and unicast, without a clock, a socket or chance of its own.
//!
//! [`Node::handle`] takes exactly one [`Input`]; [`Node::poll_output`] is drained to `None` after it;
//! [`Node::poll_timeout`] says when to look in again and why. Signing, verifying and storing are effects, answered
//! under the id of their question. The tokio driver is the crate `crosscast`; the simulator is `crosscast-sim`.

mod auth;
mod command;
mod config;
mod event;
mod group;
mod input;
mod limits;
mod node;
mod output;
mod peer;
mod random;
mod reject;
mod route;
mod time;
mod timer;
mod view;

pub use command::{Command, InviteOptions, ReaderId, Revoked, Since, Source, Tuning};
pub use config::{Config, Sizes, Times};
pub use event::{Delivery, Event, Notice, Outcome, Refusal, Reply};
pub use input::{CommandId, Input, Verdict};
pub use node::Node;
pub use output::{Output, SignJob, SignKey, SignatureCheck, VerifyJob};
pub use reject::{Blame, Reject};
pub use time::{Instant, Now};
pub use timer::Reason;
pub use view::{GroupView, PeerView, ServiceView, Status, TrailView};

//! The local HTTP surface of a node on a Unix socket.
//!
//! [`Door`] makes the socket and judges who may come in, [`serve`] answers: groups, publishing, streams of server-sent
//! events, a WebSocket for both directions, the inbox, and looking. Shapes of JSON, error codes and cursors are public,
//! so that a client in Rust need not write them again. Reads and writes only through the node's handle; the network is
//! not its business.

mod access;
pub mod base64;
mod codes;
mod error;
mod feed;
mod groups;
mod inbox;
mod inspect;
mod lines;
mod messages;
mod metrics;
mod params;
mod rights;
mod send;
mod server;
mod services;
mod settle;
mod settle_list;
mod since;
mod socket;
mod state;
mod stream;
mod text;
mod topic;
mod trace;
mod upload;
pub mod view;
mod ws;

pub use access::{Access, Caller};
pub use codes::{Code, Exit};
pub use crosscast_wire::TICKET_PREFIX;
pub use error::{ApiError, ErrorBody};
pub use lines::{Line, Lines};
pub use server::serve;
pub use since::{Cursor, Start, cursors_text, parse_duration_ms, parse_start};
pub use socket::{Door, Guarded, SOCKET_PATH_MAX, check_path};
pub use state::{About, Reloads};
pub use text::{is_hostile, json, shown, shown_bytes};
pub use topic::Filters;

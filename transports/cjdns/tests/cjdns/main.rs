//! The cjdns transport beside a recorded host node and hostile ones, and in the transports' exam.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod calls;
mod host;
mod hostile;

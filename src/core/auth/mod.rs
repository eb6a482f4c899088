//! Who may do what: replay windows and the gates of time and policy.

pub(crate) mod gate;
pub(crate) mod replay;

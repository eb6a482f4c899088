//! Who may do what: capability chains, floor records, replay windows and the gates of time and policy.

pub(crate) mod bucket;
pub(crate) mod chains;
pub(crate) mod floors;
pub(crate) mod gate;
pub(crate) mod register;
pub(crate) mod replay;
pub(crate) mod standing;

//! Who may do what, and what strangers may cost: chains, floors, windows, budgets, bars, the gates of time and policy.

pub(crate) mod bars;
pub(crate) mod bucket;
pub(crate) mod budget;
pub(crate) mod chains;
pub(crate) mod floors;
pub(crate) mod gate;
pub(crate) mod origin;
pub(crate) mod register;
pub(crate) mod replay;
pub(crate) mod standing;
pub(crate) mod window;

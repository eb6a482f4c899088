//! The cheap gates before a signature is checked, in the protocol's order: destination, time, policy.
//!
//! They only read. What they refuse is counted and answered with a code; nothing is written under a sender's name
//! before its signature and the payload's hash hold.

use crosscast_wire::{Header, Policy, WallMillis};

use crate::Reject;
use crate::limits;

/// The gate of time: not from the future, not too old to be pushed, not past its life.
///
/// # Errors
/// [`Reject::TooNew`], [`Reject::TooOld`] or [`Reject::Expired`].
pub(crate) fn time(header: &Header, answer: bool, now: WallMillis) -> Result<(), Reject> {
    let oldest = if answer { limits::PUSHED_MS.saturating_add(limits::ANSWER_MS) } else { limits::PUSHED_MS };
    if header.time.0 > now.0.saturating_add(limits::FUTURE_MS) {
        return Err(Reject::TooNew);
    }
    if header.time.0.saturating_add(oldest) < now.0 {
        return Err(Reject::TooOld);
    }
    if header.expires < now {
        return Err(Reject::Expired);
    }
    Ok(())
}

/// The gate of policy.
///
/// # Errors
/// [`Reject::NotAllowed`] when the sender may not publish under this policy.
pub(crate) fn policy(header: &Header, policy: Policy) -> Result<(), Reject> {
    match policy {
        Policy::Open => Ok(()),
        Policy::Keyholder if header.from.as_bytes() == header.to.as_bytes() => Ok(()),
        // Chains are not read by this version, so nobody but the key itself is let through.
        Policy::Keyholder | Policy::Capability => Err(Reject::NotAllowed),
    }
}

//! The cheap gates before a signature is checked, in the protocol's order: destination, time, policy.
//!
//! They only read. What they refuse is counted and answered with a code; nothing is written under a sender's name
//! before its signature and the payload's hash hold.

use crosscast_wire::{Header, Policy, Rights, WallMillis};

use crate::auth::chains::Chains;
use crate::group::Group;
use crate::{Reject, limits};

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

/// What lets a message into a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vouch {
    /// Whether the group key, or whoever it trusts, has signed that this sender may publish.
    pub(crate) vouched: bool,
    /// How fast it may: [`limits::UNLIMITED_RATE_CLASS`] without a bound of its own.
    pub(crate) rate_class: u8,
}

/// The gate of policy. Life is judged at the message's own time, the floor as it is known now.
///
/// # Errors
/// [`Reject::NotAllowed`] when the sender may not publish, [`Reject::NoChain`] when the chain it names is not known here.
pub(crate) fn policy(header: &Header, group: &Group, chains: &Chains, now: WallMillis) -> Result<Vouch, Reject> {
    let policy = group.policy(now);
    let own = header.from.as_bytes() == header.to.as_bytes();
    if policy == Policy::Open || own {
        return Ok(Vouch { vouched: own, rate_class: limits::UNLIMITED_RATE_CLASS });
    }
    let (Policy::Capability, Some(hash)) = (policy, &header.chain) else { return Err(Reject::NotAllowed) };
    let known = chains.get(hash).ok_or(Reject::NoChain)?;
    let own = known.group == group.id && known.subject == header.from;
    if own && known.standing.allows(Rights::PUBLISH, header.time, group.floor.as_ref()) {
        Ok(Vouch { vouched: true, rate_class: known.standing.rate_class })
    } else {
        Err(Reject::NotAllowed)
    }
}

//! Which floor record holds: the highest number, and nothing loosened but by the group key itself.
//!
//! A number is at most the time of issue in milliseconds, and that time at most two minutes ahead: a holder of `revoke`
//! could otherwise set the highest number there is, and nobody, not even the group key, would ever come above it.

use std::cmp::Ordering;

use crosscast_wire::{Chain, FloorRecord, Policy, WallMillis};

use crate::auth::standing::Standing;
use crate::{Reject, limits};

/// How a record stands to the one held.
pub(crate) fn compare(new: &FloorRecord, held: Option<&FloorRecord>) -> Ordering {
    let Some(held) = held else { return Ordering::Greater };
    let number = new.fields().number.cmp(&held.fields().number);
    // Two records of one number: everybody settles on the same one, and whoever misses his change issues it again.
    number.then_with(|| blake3::hash(held.bytes()).as_bytes().cmp(blake3::hash(new.bytes()).as_bytes()))
}

/// The cheap rules, before a signature is looked at.
///
/// # Errors
/// [`Reject::TooNew`] for a record from the future, [`Reject::BadFloor`] for one that nobody entitled has made.
pub(crate) fn check(new: &FloorRecord, chain: Option<&Chain>, now: WallMillis) -> Result<(), Reject> {
    let fields = new.fields();
    if fields.issued.0 > now.0.saturating_add(limits::FUTURE_MS) {
        return Err(Reject::TooNew);
    }
    if fields.number > fields.issued.0 || !new.is_backed_by(chain) {
        return Err(Reject::BadFloor);
    }
    Ok(())
}

/// The rules between a record whose signatures hold and the one held.
///
/// # Errors
/// [`Reject::BadFloor`] when somebody other than the group key loosens, [`Reject::NotAllowed`] when that cannot be told or
/// the signer's own chain has been revoked: an honest link that has not heard of that is not to blame.
pub(crate) fn check_change(new: &FloorRecord, chain: Option<&Chain>, held: Option<&FloorRecord>) -> Result<(), Reject> {
    if new.fields().signer.is_none() {
        return Ok(());
    }
    let stands = chain.is_some_and(|chain| Standing::of(chain).stands(held));
    if !stands {
        return Err(Reject::NotAllowed);
    }
    match held {
        Some(held) if is_loosened(new, held) => Err(Reject::BadFloor),
        // To a newcomer the signer's own chain shows that the group key hands out rights, not that all may publish.
        None if new.fields().policy == Policy::Open => Err(Reject::NotAllowed),
        Some(_) | None => Ok(()),
    }
}

fn is_loosened(new: &FloorRecord, held: &FloorRecord) -> bool {
    let (new, held) = (new.fields(), held.fields());
    let forgiven = || new.lowest_epoch == held.lowest_epoch && !held.revoked.iter().all(|id| new.revoked.contains(id));
    openness(new.policy) > openness(held.policy)
        || new.lowest_epoch < held.lowest_epoch
        || forgiven()
        || (held.content_key.is_some() && new.content_key.is_none())
}

/// How many may publish: a record that raises this must be the group key's own.
const fn openness(policy: Policy) -> u8 {
    match policy {
        Policy::Keyholder => 0,
        Policy::Capability => 1,
        Policy::Open => 2,
    }
}

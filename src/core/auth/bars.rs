//! Who has been convicted of claiming one number twice: barred runs, and keys with three of them.
//!
//! A conviction is a proof that anybody can check (`docs/spec/gates.md`). It bars the run for a day, and the key for as
//! long as three of its runs are barred. A home that was restored and a second machine with the same key speak as other
//! runs, so neither can be convicted.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_wire::{Equivocation, Instance, NodeId, WallMillis};

use crate::limits;

/// The table.
#[derive(Default)]
pub(crate) struct Bars {
    barred: BTreeMap<(NodeId, Instance), WallMillis>,
}

impl Bars {
    /// Whether a run of a node is barred, or the node is.
    pub(crate) fn hold(&self, from: NodeId, instance: Instance) -> bool {
        // Nobody is, nearly always.
        !self.barred.is_empty()
            && (self.is_barred(from, instance) || self.runs(from).count() >= limits::BARRED_RUNS_OF_A_KEY)
    }

    /// Whether this very run is.
    pub(crate) fn is_barred(&self, from: NodeId, instance: Instance) -> bool {
        self.barred.contains_key(&(from, instance))
    }

    fn runs(&self, from: NodeId) -> impl Iterator<Item = (&(NodeId, Instance), &WallMillis)> {
        self.barred.range((from, Instance(0))..=(from, Instance(u64::MAX)))
    }

    /// Bars a run; returns the one that had to go for it.
    pub(crate) fn bar(&mut self, from: NodeId, instance: Instance, at: WallMillis) -> Option<(NodeId, Instance)> {
        let oldest = self.barred.iter().map(|(key, at)| (*at, *key)).min().map(|(_, key)| key);
        let gone = oldest.filter(|_| self.barred.len() >= limits::BARRED);
        if let Some(gone) = &gone {
            self.barred.remove(gone);
        }
        self.barred.insert((from, instance), at);
        gone
    }

    /// Lets go of those whose time is over; returns them so that the store can forget them too.
    pub(crate) fn expire(&mut self, now: WallMillis) -> Vec<(NodeId, Instance)> {
        let over = |at: &WallMillis| now.0.saturating_sub(at.0) >= limits::BARRED_MS;
        let gone: Vec<_> = self.barred.iter().filter(|(_, at)| over(at)).map(|(key, _)| *key).collect();
        for key in &gone {
            self.barred.remove(key);
        }
        gone
    }
}

/// The key of a bar in the store.
pub(crate) fn key(from: &NodeId, instance: Instance) -> Bytes {
    [from.as_bytes().as_slice(), &instance.0.to_be_bytes()].concat().into()
}

/// The value of a bar in the store: when, and the proof.
pub(crate) fn value(at: WallMillis, proof: &Equivocation) -> Bytes {
    [at.0.to_be_bytes().as_slice(), proof.bytes()].concat().into()
}

/// Reads a bar of the store; `None` when it is not one.
pub(crate) fn read(value: &[u8]) -> Option<(WallMillis, Equivocation)> {
    let (at, proof) = value.split_first_chunk::<8>()?;
    Some((WallMillis(u64::from_be_bytes(*at)), Equivocation::parse(proof).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_barred_runs_bar_the_key_for_a_day() {
        let (mut bars, from, start) = (Bars::default(), NodeId::new([1; 32]), WallMillis(1_000));
        for run in 0..2 {
            assert_eq!(bars.bar(from, Instance(run), start), None);
        }
        assert!(bars.hold(from, Instance(1)) && !bars.hold(from, Instance(9)));
        let _ = bars.bar(from, Instance(2), WallMillis(5_000));
        assert!(bars.hold(from, Instance(9)) && !bars.hold(NodeId::new([2; 32]), Instance(1)));
        assert_eq!(bars.expire(WallMillis(1_000 + limits::BARRED_MS)).len(), 2);
        assert!(!bars.hold(from, Instance(9)) && bars.hold(from, Instance(2)));
    }

    #[test]
    fn a_full_table_lets_the_oldest_go() {
        let (mut bars, from) = (Bars::default(), NodeId::new([1; 32]));
        for run in 0..limits::BARRED as u64 {
            assert_eq!(bars.bar(from, Instance(run), WallMillis(run)), None);
        }
        assert_eq!(bars.bar(from, Instance(u64::MAX), WallMillis(9)), Some((from, Instance(0))));
    }
}

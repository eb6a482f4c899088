//! The model of a node's CPU: how long signing and checking take.
//!
//! A few workers take jobs as they come; results of one sender (or one signing key) come back in the order of asking,
//! results of different senders overtake each other. The work itself is done at once, by the machine's own jobs.

use std::collections::BTreeMap;

use crate::agenda::Micros;
use crate::prng::Prng;

/// One signature made, about what a small server takes.
const SIGN_US: Micros = 30;
/// One signature checked.
const VERIFY_US: Micros = 70;
/// Bytes hashed in a microsecond.
const HASHED_PER_US: u64 = 1_000;
/// Most time the operating system adds to a job's way back.
const WAY_BACK_US: u64 = 120;
/// Senders remembered with the time of their last result; older than now they mean nothing and are dropped.
const SENDERS: usize = 256;

/// Two workers and the order of each sender's results.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    workers: [Micros; 2],
    last: BTreeMap<[u8; 32], Micros>,
    /// Times slower than usual, at least 1.
    slowness: u64,
    prng: Prng,
}

impl Pool {
    pub(crate) const fn new(prng: Prng) -> Self {
        Self { workers: [0; 2], last: BTreeMap::new(), slowness: 1, prng }
    }

    pub(crate) const fn set_slowness(&mut self, times: u64) {
        self.slowness = if times == 0 { 1 } else { times };
    }

    /// Forgets what was under way: the process died.
    pub(crate) fn reset(&mut self) {
        self.workers = [0; 2];
        self.last.clear();
    }

    /// When a signature under this key comes back.
    pub(crate) fn sign(&mut self, now: Micros, key: [u8; 32]) -> Micros {
        self.job(now, key, SIGN_US)
    }

    /// When a check comes back.
    pub(crate) fn verify(&mut self, now: Micros, sender: [u8; 32], signatures: u64, payload: u64) -> Micros {
        let cost = signatures.saturating_mul(VERIFY_US).saturating_add(payload / HASHED_PER_US);
        self.job(now, sender, cost)
    }

    fn job(&mut self, now: Micros, sender: [u8; 32], cost: Micros) -> Micros {
        let [first, second] = &mut self.workers;
        let worker = if *first <= *second { first } else { second };
        *worker = now.max(*worker).saturating_add(cost.saturating_mul(self.slowness));
        let way_back = self.prng.below(WAY_BACK_US.saturating_mul(self.slowness));
        let back = worker.saturating_add(way_back);
        if self.last.len() >= SENDERS {
            self.last.retain(|_, at| *at > now);
        }
        let last = self.last.entry(sender).or_default();
        *last = back.max(*last);
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_one_sender_keep_their_order_and_others_overtake() {
        let mut pool = Pool::new(Prng::new(3));
        let mut overtaken = false;
        let (mut last_a, mut last_b) = (0, 0);
        for _ in 0..200 {
            let a = pool.verify(0, [1; 32], 1, 0);
            let b = pool.verify(0, [2; 32], 1, 0);
            assert!(a >= last_a && b >= last_b);
            overtaken |= b < a;
            (last_a, last_b) = (a, b);
        }
        assert!(overtaken);
        // 400 checks by two workers.
        assert!(last_a.max(last_b) >= 200 * VERIFY_US);
    }

    #[test]
    fn a_slow_cpu_takes_longer() {
        let mut pool = Pool::new(Prng::new(3));
        let usual = pool.sign(0, [1; 32]);
        pool.reset();
        pool.set_slowness(100);
        assert!(pool.sign(0, [1; 32]) > usual.max(100 * SIGN_US - 1));
    }
}

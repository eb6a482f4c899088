//! Floods in a victim's name: nobody can censor a sender by forging it.
//!
//! A third party sends messages that claim to be the honest sender's: with a wrong signature, with another payload under
//! a header the sender really signed, and replays of numbers it has used. Then the sender's next message must arrive.

use std::collections::BTreeMap;

use crosscast_wire::{Crypto as _, Destination, Domain, Policy, RustCrypto, Seq, assemble};

use crate::attacker::{Attacker, data, header, payload, raw_data, signed};
use crate::{Chance, Victim};

/// What came of a flood.
#[derive(Debug)]
pub struct ForgeReport {
    pub forged: u64,
    /// Honest messages sent and delivered.
    pub honest: u64,
    pub delivered: u64,
    /// Forged texts that reached the reader: must be 0.
    pub forged_delivered: u64,
    pub rejects: BTreeMap<&'static str, u64>,
}

impl ForgeReport {
    #[must_use]
    pub fn holds(&self) -> bool {
        let refused: u64 = self.rejects.values().sum();
        self.forged_delivered == 0 && self.delivered == self.honest && refused >= self.forged
    }
}

/// Sends `count` forgeries; after every hundred of them the honest sender speaks once.
#[must_use]
pub fn forge(count: u64, seed: u64) -> ForgeReport {
    let mut chance = Chance(seed);
    let mut victim = Victim::new(1, 16 << 20);
    let (group, _) = victim.group("forged", Policy::Open);
    let mut honest = Attacker::new(seed ^ 1);
    let mut forger = Attacker::new(seed ^ 2);
    let mut sent = 0;
    let mut used = honest.sound(group, victim.now.wall, b"honest");
    for number in 0..count {
        let link = forger.link(&mut victim);
        // The honest sender's coming message: same header, which only it can sign.
        let mut coming = honest.draft(Destination::Multicast(group), victim.now.wall);
        honest.seq -= 1;
        let body = payload(b"honest");
        let frame = match chance.below(3) {
            0 => raw_data(signed(&forger.key, &header(&coming, &body), &body)),
            1 => {
                // It is not signed yet, so the forger takes a header the sender did sign, for another payload.
                let bytes = header(&coming, &body);
                let right = RustCrypto.sign(&honest.key, Domain::Message, &bytes);
                let mut other = body.clone();
                let last = other.len() - 1;
                other[last] ^= 1;
                raw_data(assemble(&bytes, &right, &[&other]))
            }
            _ => {
                coming.seq = Seq(used.header().seq.0.max(1));
                raw_data(signed(&forger.key, &header(&coming, &body), &body))
            }
        };
        victim.frames(link, vec![frame]);
        if number % 100 == 99 {
            used = honest.sound(group, victim.now.wall, b"honest");
            let link = honest.link(&mut victim);
            victim.frames(link, vec![data(&used)]);
            sent += 1;
            victim.pass(1);
        }
    }
    let rejects = victim.rejects();
    let delivered = victim.delivered.iter().filter(|text| text.as_slice() == b"honest").count() as u64;
    let forged_delivered = victim.delivered.len() as u64 - delivered;
    ForgeReport { forged: count, honest: sent, delivered, forged_delivered, rejects }
}

//! The networks a message has crossed, newest last: part of the hop map, so it advises and proves nothing.

use crate::Network;

/// Most links that a trail remembers. 8: what a message may cross as unicast; of a longer way the newest.
pub const TRAIL_MAX: usize = 8;

/// Bits for one network: its number and one, so that none is zero.
const BITS: u32 = 4;
const MASK: u32 = 0xf;

/// The networks of up to eight links, the newest in the lowest four bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Trail(u32);

impl Trail {
    /// The trail with this number on the wire; what is no network of this version is left out.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The number on the wire; 0 for an empty trail.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The trail one link further.
    #[must_use]
    pub fn then(self, network: Network) -> Self {
        Self(self.0 << BITS | (u32::from(network.number()).saturating_add(1) & MASK))
    }

    /// The networks in the order in which they were crossed.
    pub fn networks(self) -> impl Iterator<Item = Network> {
        let places = (0..TRAIL_MAX).rev().filter_map(|place| u32::try_from(place).ok());
        let number = move |place: u32| (self.0 >> place.saturating_mul(BITS)) & MASK;
        places.filter_map(move |place| Network::from_number(u64::from(number(place).checked_sub(1)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_come_in_the_order_in_which_they_were_crossed_and_the_oldest_goes() {
        let trail = Trail::default().then(Network::Tls).then(Network::Libp2p);
        assert_eq!(trail.networks().collect::<Vec<_>>(), [Network::Tls, Network::Libp2p]);
        let long = (0..9).fold(trail, |trail, _| trail.then(Network::Cjdns));
        assert_eq!(long.networks().collect::<Vec<_>>(), [Network::Cjdns; TRAIL_MAX]);
        assert_eq!(Trail::from_bits(u32::MAX).networks().count(), 0);
    }
}

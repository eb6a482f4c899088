//! What cjdns's keys and addresses look like, and how one follows from the other.
//!
//! A node's address is the first 16 bytes of SHA-512 of SHA-512 of its X25519 key; keys are drawn until that begins with
//! 0xfc. So an address can be checked against a key, never turned into one. Text is base32 after dnscurve.org: 32 digits
//! and letters without the vowels, lowest bits first. Admin replies name a node by version, path and key in one word.

use std::fmt;
use std::net::Ipv6Addr;

use crosscast_stream::overlay::HostKey;
use sha2::{Digest as _, Sha512};

/// The first byte of every address.
const PREFIX: u8 = 0xfc;

const ALPHABET: &[u8; 32] = b"0123456789bcdfghjklmnpqrstuvwxyz";

/// Whether an address is in fc00::/8.
#[must_use]
pub const fn is_address(address: Ipv6Addr) -> bool {
    let [first, ..] = address.octets();
    first == PREFIX
}

/// The address of an X25519 key; `None` for most keys, which no node can have.
#[must_use]
pub fn address_of(key: &HostKey) -> Option<Ipv6Addr> {
    let digest: [u8; 64] = Sha512::digest(Sha512::digest(key)).into();
    let address = Ipv6Addr::from(*digest.first_chunk::<16>()?);
    is_address(address).then_some(address)
}

/// A key as cjdns writes it, `.k` included.
#[must_use]
pub fn key_text(key: &HostKey) -> String {
    encode(key) + ".k"
}

/// Reads a key as cjdns writes it.
#[must_use]
pub fn parse_key(text: &[u8]) -> Option<HostKey> {
    decode(text.strip_suffix(b".k")?)
}

/// The base32 of bytes, in as many digits as their bits need.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let (mut text, mut work, mut bits) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        work |= u32::from(*byte) << bits;
        bits = bits.saturating_add(8);
        while bits >= 5 {
            text.push(digit(work));
            work >>= 5;
            bits = bits.saturating_sub(5);
        }
    }
    if bits > 0 {
        text.push(digit(work));
    }
    text
}

fn digit(work: u32) -> char {
    ALPHABET.iter().zip(0..).find(|(_, value)| *value == work & 31).map_or('0', |(digit, _)| char::from(*digit))
}

/// Exactly `N` bytes out of the one base32 they have: of the right length, with zeros in the bits left over.
pub(crate) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (mut bytes, mut at) = ([0; N], 0_usize);
    let (mut work, mut bits) = (0_u32, 0_u32);
    for digit in text {
        work |= ALPHABET.iter().zip(0..).find(|(known, _)| *known == digit).map(|(_, value): (_, u32)| value)? << bits;
        bits = bits.saturating_add(5);
        if bits >= 8 {
            let [byte, ..] = work.to_le_bytes();
            *bytes.get_mut(at)? = byte;
            at = at.saturating_add(1);
            work >>= 8;
            bits = bits.saturating_sub(8);
        }
    }
    // Five bits left over would be a whole digit too many.
    (at == N && work == 0 && bits < 5).then_some(bytes)
}

/// A way through the network's switches, as a node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub u64);

impl Path {
    /// The path of what has none: known, and not reachable now.
    pub const NONE: Self = Self(u64::MAX);

    /// The path of a node to itself.
    pub const SELF: Self = Self(1);

    /// Reads four groups of four hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut groups = text.split('.');
        let mut path = 0_u64;
        for _ in 0..4 {
            let group = groups.next().filter(|group| group.len() == 4)?;
            // "+fff" is a number to the reader below.
            let digits = group.bytes().all(|byte| byte.is_ascii_hexdigit());
            path = (path << 16) | u64::from(u16::from_str_radix(group, 16).ok().filter(|_| digits)?);
        }
        groups.next().is_none().then_some(Self(path))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i] = self.0.to_be_bytes();
        write!(f, "{a:02x}{b:02x}.{c:02x}{d:02x}.{e:02x}{g:02x}.{h:02x}{i:02x}")
    }
}

/// A node as admin replies name it, `v22.0000.0000.0000.0013.KEY.k`, when its key can be a node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeAddr {
    /// Its protocol version, 0 while that is unknown.
    pub version: u32,
    /// The way to it.
    pub path: Path,
    /// Its X25519 key.
    pub key: HostKey,
    /// The address that follows from the key.
    pub address: Ipv6Addr,
}

impl NodeAddr {
    /// Reads the one word.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (version, rest) = text.strip_prefix('v')?.split_once('.')?;
        // Digits alone: a number as Rust reads it may have a sign.
        let version = version.parse().ok().filter(|_| version.bytes().all(|byte| byte.is_ascii_digit()))?;
        let (path, key) = rest.split_at_checked(19)?;
        let key = parse_key(key.strip_prefix('.')?.as_bytes())?;
        Some(Self { version, path: Path::parse(path)?, key, address: address_of(&key)? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    /// Keys with their addresses: three of the recorded nodes and one of another lab.
    const KNOWN: &[(&str, &str)] = &[
        ("gbd4bvfr35jxss35jzl2xl8l61l1xs1b1mfd5q1ksv5ylckx08y0.k", "fc01:0e84:9af2:08f9:7139:84bb:192e:95be"),
        ("b97kk579pgsyldtn2syz0bfbvvf5567m6f0shmus1r3brzhftxb0.k", "fcb8:80f2:4593:6494:048e:3fea:9f65:4b7d"),
        ("kmq1fkr0nqbunt5wu6s4rf3k1074nufzz25dl492qur8x4s29bz0.k", "fc3c:263a:2904:d7ba:5086:06ab:03d8:d815"),
        ("850mwc628wddnvgqn38tyxk2xv2w4jw0uy2julfs95vscf6xrzl0.k", "fce3:25fb:d229:f6e8:d490:3c94:eeb9:e0d9"),
    ];

    #[test]
    fn addresses_follow_from_keys() {
        for (text, address) in KNOWN {
            let key = parse_key(text.as_bytes()).unwrap();
            assert_eq!(key_text(&key), *text);
            assert_eq!(address_of(&key), Some(address.parse().unwrap()));
        }
    }

    #[test]
    fn the_bits_of_a_key_are_read_lowest_first() {
        let key = parse_key(KNOWN[3].0.as_bytes()).unwrap();
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "a880c99711883346b7b374a0ec7b147d0b4e2007da0ba865c3a96cbc9ae9f74b");
    }

    #[test]
    fn most_keys_have_no_address() {
        let with = (0..=255).filter(|first| address_of(&[*first; 32]).is_some()).count();
        assert!(with < 8, "{with}");
    }

    #[test]
    fn a_key_has_one_text() {
        let good = KNOWN[0].0;
        assert!(parse_key(good.as_bytes()).is_some());
        for bad in [
            good.trim_end_matches(".k").to_owned(),
            good.replace('0', "o"),
            good.to_uppercase(),
            good.replacen("gb", "b", 1),
            good.replacen('g', "gg", 1),
            good.replace("y0.k", "yz.k"),
            good.replace("y0.k", "y0.K"),
            ".k".to_owned(),
            String::new(),
        ] {
            assert_eq!(parse_key(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn nodes_are_named_by_version_path_and_key() {
        let text = format!("v22.0000.0000.0000.0013.{}", KNOWN[1].0);
        let node = NodeAddr::parse(text.as_bytes()).unwrap();
        assert_eq!((node.version, node.path), (22, Path(0x13)));
        assert_eq!(node.address, KNOWN[1].1.parse::<Ipv6Addr>().unwrap());
        assert_eq!(node.path.to_string(), "0000.0000.0000.0013");
        assert_eq!(Path::parse("ffff.ffff.ffff.ffff"), Some(Path::NONE));
        for bad in [
            text.replace("v22", "22"),
            text.replace("v22", "v"),
            text.replace("v22", "v-1"),
            text.replace("v22", "v+22"),
            text.replace("0013", "+013"),
            text.replace("0013", "013"),
            text.replace(".0013", "0013"),
            text.replace("0000.0013", "0000.00\u{e9}"),
            // A key that no node can have.
            text.replace(KNOWN[1].0, &key_text(&[1; 32])),
        ] {
            assert_eq!(NodeAddr::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(NodeAddr::parse(b"v22.0000\xff"), None);
    }

    #[test]
    fn only_fc_is_cjdns() {
        assert!(is_address("fc00::1".parse().unwrap()) && is_address("fcff::".parse().unwrap()));
        assert!(!is_address("fd00::1".parse().unwrap()) && !is_address("200::1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn bytes_survive_their_text(key in any::<[u8; 32]>(), long in prop::collection::vec(any::<u8>(), 64)) {
            prop_assert_eq!(parse_key(key_text(&key).as_bytes()), Some(key));
            prop_assert_eq!(encode(&long).len(), 103);
            prop_assert_eq!(decode::<64>(encode(&long).as_bytes()).unwrap().to_vec(), long);
        }

        #[test]
        fn no_text_whatever_does_harm(text in "[v0-9a-z.]{0,120}") {
            let _ = NodeAddr::parse(text.as_bytes());
            let _ = decode::<64>(text.as_bytes());
        }
    }
}

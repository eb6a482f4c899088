//! Yggdrasil's own way from a key to an address, as another library has it, against ours.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_wire::SecretKey;
use crosscast_yggdrasil::{NodeKey, address_of, subnet_of};
use crosscast_yggdrasil_keygen::{KeygenError, STRENGTH_MAX, SharedKey};

/// As many keys as found the rule right before it was relied on.
const KEYS: u64 = 20_000;

/// The keys of a row that is always the same.
fn keys() -> impl Iterator<Item = SecretKey> {
    (0..KEYS)
        .map(|number| SecretKey::new(blake3::derive_key("crosscast test keys of yggdrasil v1", &number.to_be_bytes())))
}

#[test]
fn twenty_thousand_keys_have_the_address_and_the_subnet_that_the_other_library_gives() {
    let mut strongest = 0;
    for key in keys() {
        let (shared, public) = (SharedKey::of(&key), key.public());
        assert_eq!(address_of(&public), Some(shared.address()), "{public:02x?}");
        assert_eq!(subnet_of(&public), Some(shared.subnet()), "{public:02x?}");
        let zeros = public.iter().take_while(|byte| **byte == 0).count() * 8;
        let rest = public.iter().find(|byte| **byte != 0).map_or(0, |byte| byte.leading_zeros());
        assert_eq!(shared.strength() as usize, zeros + rest as usize, "{public:02x?}");
        strongest = strongest.max(shared.strength());
    }
    assert!(strongest >= 10, "no key of these is strong: {strongest}");
}

#[test]
fn a_key_of_the_strength_that_was_asked_for_is_found() {
    for strength in [0, 1, 9, 12] {
        let key = SharedKey::generate(strength).unwrap();
        assert!(key.strength() >= strength);
        assert_eq!(address_of(&key.node_key().public()), Some(key.address()));
    }
    assert_eq!(SharedKey::generate(STRENGTH_MAX + 1).unwrap_err(), KeygenError::Strength);
}

#[test]
fn the_daemon_reads_the_nodes_key_from_its_configuration() {
    let key = SharedKey::generate(0).unwrap();
    let snippet = key.daemon_config();
    for text in [format!("{{\n{}\n  IfName: auto\n}}\n", *snippet), snippet.to_string()] {
        let read = NodeKey::from_config_text(&text).unwrap();
        assert_eq!(read.public(), key.node_key().public());
    }
    assert!(snippet.contains(&key.address().to_string()));
}

#[test]
fn the_secret_is_shown_nowhere() {
    assert_eq!(format!("{:?}", SharedKey::generate(0).unwrap()), "SharedKey(..)");
}

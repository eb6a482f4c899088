//! Strict Ed25519, and the domains that keep signed objects apart.
//!
//! The signatures that only a lenient verifier accepts were made once from the seed 01 01 ... with big-integer arithmetic
//! and stand here as constants: they need the secret scalar or points of small order, which no library hands out.

use crosscast_wire::{Crypto as _, Domain, RustCrypto};
use serde_json::{Value, json};

use super::Set;
use super::support::{key, public};
use crate::values::{from_hex, hex};

const BODY: [u8; 3] = [0xa1, 0, 1];

/// The order of the base point, little endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The points of small order and the non-canonical ways to write some of them: name, first byte(s), sign.
const SMALL_ORDER: [(&str, &str); 14] = [
    ("the neutral point", "0100000000000000000000000000000000000000000000000000000000000000"),
    ("the point of order 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("a point of order 4", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("the other point of order 4", "0000000000000000000000000000000000000000000000000000000000000080"),
    ("a point of order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    ("a second point of order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    ("a third point of order 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ("a fourth point of order 8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    ("the neutral point with the sign of -0", "0100000000000000000000000000000000000000000000000000000000000080"),
    ("the point of order 2 with the sign of -0", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
    ("the neutral point as p + 1", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    (
        "the neutral point as p + 1 with the sign of -0",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ),
    ("a point of order 4 as p", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ("the other point of order 4 as p", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
];

/// Name, key, body, signature; all in the domain of messages.
const LENIENT: [(&str, &str, &str, &str); 5] = [
    (
        "R is the neutral point",
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "a10001",
        "0100000000000000000000000000000000000000000000000000000000000000c9d5e74e49c00b5ffed27c3fd717cea424bbea471625cfec72bf0c6688ed800b",
    ),
    (
        "R is the neutral point as p + 1",
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "a10001",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7fde132f968c42fc8968704eaa2b0135e56f0e79d06124bc8f0f7d7c9e022f7101",
    ),
    (
        "R is a point of order 8",
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "a10001",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05f5fbff95e605303ef7c54041dfdb30de957a20d915f27ad7b6daddf5a4927607",
    ),
    (
        "R has a part of order 8: only a verifier with cofactor accepts it",
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "a10001",
        "b15bf26424d1b69dd33b7a9e57db5de4a2aadea4a2a051efd9bfd6af74165d2b9bbebcc3026eef3e963fe2f1e142ffe56436a42f9f9138a22bdea126c7221303",
    ),
    (
        "the key has a part of order 8 and the hash is not divisible by 8",
        "3bcfb78c4ad06f9b8d7e8c50e37e33dd40042a7805f5df945fbf33620745bc68",
        "a10000",
        "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dca5728f678d005ab5489fe7e12de22c1ebfff59dcd9e9699b3382d2c49f4dfc667700",
    ),
];

/// Of mixed order but not of small order, and the equation without cofactor holds: accepted.
const MIXED_KEY: (&str, &str, &str) = (
    "3bcfb78c4ad06f9b8d7e8c50e37e33dd40042a7805f5df945fbf33620745bc68",
    "a10009",
    "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dca57263213c23915b6610f1d52e5758e92112b30e405fb9890ecb2a8ccd1d467fe106",
);

fn context(key: impl AsRef<[u8]>, domain: Domain, body: &[u8]) -> Value {
    json!({ "key": hex(key), "domain": domain.name(), "body": hex(body) })
}

pub(super) fn all(set: &mut Set) {
    let ours = context(public(1), Domain::Message, &BODY);
    let good = RustCrypto.sign(&key(1), Domain::Message, &BODY);
    set.valid("signature", "a signature", ours.clone(), good);
    let nothing = RustCrypto.sign(&key(1), Domain::Message, &[]);
    set.valid("signature", "a signature of nothing", context(public(1), Domain::Message, &[]), nothing);
    let bare = |name: &str| Domain::ALL.iter().find(|d| d.name() == name).copied().unwrap_or(Domain::Message);
    set.valid("signature", "a key of mixed order", mixed_context(), unhex(MIXED_KEY.2));
    let mut refused = |name: &str, context: &Value, signature: &[u8]| {
        set.refused("signature", name, context.clone(), signature, "bad-signature");
    };
    for (name, at) in [("a bit of R changed", 0), ("a bit of S changed", 32), ("the top bit of S changed", 63)] {
        let bit = if at == 63 { 0x80 } else { 1 };
        let changed: Vec<u8> = good.iter().enumerate().map(|(i, b)| if i == at { b ^ bit } else { *b }).collect();
        refused(name, &ours, &changed);
    }
    let (r, s) = good.split_at(32);
    refused("S plus the order: the same signature written otherwise", &ours, &[r, &plus_order(s)].concat());
    refused("S is the order", &ours, &[r, &ORDER].concat());
    refused("zero bytes", &ours, &[0; 64]);
    refused("another body", &context(public(1), Domain::Message, &[0xa1, 0, 2]), &good);
    refused("another key", &context(public(2), Domain::Message, &BODY), &good);
    refused("another domain", &context(public(1), bare("hello"), &BODY), &good);
    let neutral = [unhex("01"), vec![0; 63]].concat();
    for (name, encoding) in SMALL_ORDER {
        let weak = context(unhex(encoding), Domain::Message, &BODY);
        refused(&format!("the key is {name}"), &weak, &neutral);
    }
    for (name, public, body, signature) in LENIENT {
        refused(name, &context(unhex(public), Domain::Message, &unhex(body)), &unhex(signature));
    }
    let not_a_point = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    refused("the key is not a point", &context(not_a_point, Domain::Message, &BODY), &good);
}

fn mixed_context() -> Value {
    context(unhex(MIXED_KEY.0), Domain::Message, &unhex(MIXED_KEY.1))
}

/// Every domain's signature holds as that domain's and is refused as every other's.
pub(super) fn domains(set: &mut Set) {
    for signed_as in Domain::ALL {
        let signature = RustCrypto.sign(&key(1), *signed_as, &BODY);
        for read_as in Domain::ALL {
            let context = context(public(1), *read_as, &BODY);
            let name = format!("signed as {}, read as {}", signed_as.name(), read_as.name());
            if signed_as == read_as {
                set.valid("signature", &name, context, signature);
            } else {
                set.refused("signature", &name, context, signature, "bad-signature");
            }
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    from_hex(text).unwrap_or_default()
}

/// The little-endian sum of a number and the order; it fits 32 bytes.
fn plus_order(number: &[u8]) -> Vec<u8> {
    let mut carry = 0_u16;
    let sum = number.iter().zip(ORDER).map(|(a, b)| {
        let digit = u16::from(*a) + u16::from(b) + carry;
        carry = digit >> 8;
        digit.to_le_bytes()[0]
    });
    sum.collect()
}

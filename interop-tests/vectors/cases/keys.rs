//! Keys in text, derive-key hashes, short ids.

use crosscast_wire::{GroupId, NodeId, ServiceId, context};
use serde_json::{Value, json};

use super::Set;
use super::support::public;
use crate::values::hex;

pub(super) fn all(set: &mut Set) {
    let none = Value::Null;
    let node = NodeId::new(public(1)).to_string();
    set.valid("key-text", "a node's key", none.clone(), &node);
    set.valid("key-text", "a group's key", none.clone(), GroupId::new(public(1)).to_string());
    set.valid("key-text", "a service's key", none.clone(), ServiceId::new(public(1)).to_string());
    set.valid("key-text", "a key of zero bytes is a name too", none.clone(), NodeId::new([0; 32]).to_string());
    set.valid("key-text", "a key of 0xff bytes is a name too", none.clone(), NodeId::new([255; 32]).to_string());
    let mut refused = |name: &str, text: String, reason: &str| {
        set.refused("key-text", name, Value::Null, text, reason);
    };
    refused("a key that is cut short", node.chars().take(57).collect(), "length");
    refused("a key with a letter too many", format!("{node}a"), "length");
    refused("a key with padding", format!("{node}="), "length");
    refused("an unknown kind", node.replacen("cn", "cx", 1), "kind");
    refused("a kind in capitals", node.replacen("cn", "CN", 1), "kind");
    refused("a key in capitals", format!("cn{}", node.to_uppercase().chars().skip(2).collect::<String>()), "alphabet");
    refused("a digit that base32 does not have", node.replacen(|c: char| c.is_ascii_digit(), "1", 1), "alphabet");
    let typo: String =
        node.chars().enumerate().map(|(i, c)| if i == 20 { if c == 'a' { 'b' } else { 'a' } } else { c }).collect();
    refused("a key with a typing error", typo, "checksum");
    refused("a node's key with a group's letters", node.replacen("cn", "cg", 1), "checksum");
    for (name, word) in [
        ("key text", context::KEY_TEXT),
        ("message id", context::MESSAGE_ID),
        ("short id", context::SHORT_ID),
        ("capability serial", context::CAPABILITY_SERIAL),
        ("chain", context::CHAIN),
        ("revoked subject", context::REVOKED_SUBJECT),
        ("revoked invite", context::REVOKED_INVITE),
        ("request", context::REQUEST),
        ("content key id", context::CONTENT_KEY_ID),
        ("message key", context::MESSAGE_KEY),
        ("hello", context::HELLO),
        ("DHT key", context::DHT_KEY),
        ("rendezvous", context::RENDEZVOUS),
        ("ticket", context::TICKET),
    ] {
        set.valid("derive", &format!("derive-key for {name}"), json!({ "context": word }), b"crosscast");
    }
    set.valid("short-id", "a short id", json!({ "link_key": hex([3; 32]) }), [4; 32]);
    set.valid("short-id", "the same message on another link", json!({ "link_key": hex([5; 32]) }), [4; 32]);
}

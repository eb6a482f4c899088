//! Tickets.

use crosscast_wire::Domain;
use serde_json::Value;

use super::Set;
use super::support::{INVITE, NOW, capability, chain, chain_links, floor, public, signed};
use crate::values::{Pairs, bytes, list, map, text, uint, with};

/// Base64url without padding.
fn armour(body: &[u8]) -> String {
    armour_with(body, &blake3::derive_key("crosscast ticket v1", body))
}

fn armour_with(body: &[u8], sum: &[u8; 32]) -> String {
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let bits: Vec<u8> =
        body.iter().chain(sum.iter().take(4)).flat_map(|byte| (0..8).rev().map(move |i| (byte >> i) & 1)).collect();
    let digit = |six: &[u8]| (0..6).fold(0, |sum, i| (sum << 1) | usize::from(six.get(i) == Some(&1)));
    let digits = bits.chunks(6).filter_map(|six| alphabet.get(digit(six)));
    "cct1.".chars().chain(digits.copied()).collect()
}

pub(super) fn all(set: &mut Set) {
    let record = signed(1, Domain::Floor, &floor());
    let pairs: Pairs = vec![
        (0, bytes(public(1))),
        (1, text("garden")),
        (2, bytes(&record)),
        (3, bytes([0x5a; 32])),
        (4, bytes([9; 32])),
        (5, uint(3)),
        (6, list(&[text("tls://core.example:443"), text("ygg://[200::1]:7700")])),
    ];
    let public_floor = signed(1, Domain::Floor, &with(&floor(), 8, None));
    let other_floor = signed(2, Domain::Floor, &with(&floor(), 1, bytes(public(2))));
    let offline = |group: u8, invite: u8| {
        let link = with(&capability(group, invite, 1), 1, bytes(public(group)));
        Some(bytes(chain(&[signed(group, Domain::Capability, &link)])))
    };
    let forged_link = signed(9, Domain::Capability, &capability(1, INVITE, 1));
    let forged_floor = signed(9, Domain::Floor, &floor());
    let cases: Vec<(&str, u64, Option<Vec<u8>>, &str)> = vec![
        ("with everything", 0, Some(bytes(public(1))), ""),
        ("without an invite key", 3, None, ""),
        ("without a content key", 4, None, ""),
        ("without locators", 6, None, ""),
        ("that allows nothing", 5, Some(uint(0)), ""),
        ("unknown ignorable key 128", 128, Some(text("later")), ""),
        ("no group", 0, None, "missing-key"),
        ("no floor record", 2, None, "missing-key"),
        ("no rights", 5, None, "missing-key"),
        ("the floor record of another group", 2, Some(bytes(&other_floor)), "floor-group"),
        ("a floor record that its signer did not sign", 2, Some(bytes(&forged_floor)), "bad-signature"),
        ("a content key the floor record does not name", 4, Some(bytes([8; 32])), "content-key"),
        ("a content key of a public group", 2, Some(bytes(&public_floor)), "content-key"),
        ("an empty name", 1, Some(text("")), "too-short"),
        ("a name of 65 bytes", 1, Some(text(&"a".repeat(65))), "too-long"),
        ("a name with a tab", 1, Some(text("a\tb")), "name"),
        ("unknown rights", 5, Some(uint(128)), "unknown-rights"),
        ("an empty list of locators", 6, Some(list(&[])), "too-short"),
        ("nine locators", 6, Some(list(&vec![text("a"); 9])), "too-long"),
        ("a locator with white space", 6, Some(list(&[text("a b")])), "locator"),
        ("with an offline invite", 7, offline(1, INVITE), ""),
        ("with the end of its invite", 8, Some(uint(NOW)), ""),
        ("the chain of another invite", 7, offline(1, 3), "invite-chain"),
        ("the chain of another group", 7, offline(2, INVITE), "invite-chain"),
        ("a chain that is not a byte string", 7, Some(chain(&chain_links(1))), "wrong-type"),
        ("a chain without links", 7, Some(bytes(chain(&[]))), "too-short"),
        ("a chain that its issuer did not sign", 7, Some(bytes(chain(&[forged_link]))), "bad-signature"),
        ("unknown critical key 9", 9, Some(uint(0)), "unknown-critical-key"),
        ("longer than 4,096 bytes", 128, Some(bytes([0; 4096])), "length"),
    ];
    for (name, key, value, reason) in cases {
        let text = armour(&map(&with(&pairs, key, value)));
        if reason.is_empty() {
            set.valid("ticket", name, Value::Null, text);
        } else {
            set.refused("ticket", name, Value::Null, text, reason);
        }
    }
    let no_invite = with(&with(&pairs, 3, None), 7, offline(1, INVITE));
    set.refused("ticket", "a chain without an invite", Value::Null, armour(&map(&no_invite)), "invite-chain");
    let good = armour(&map(&pairs));
    let mut refused = |name: &str, text: String, reason: &str| set.refused("ticket", name, Value::Null, text, reason);
    refused("another prefix", good.replacen("cct1", "cct2", 1), "prefix");
    refused("white space in front", format!(" {good}"), "prefix");
    refused("nothing behind the prefix", "cct1.".to_owned(), "length");
    refused("padding", format!("{good}="), "base64");
    refused("a line end", format!("{good}\n"), "base64");
    refused("the plain alphabet", format!("{good}+"), "base64");
    // Whole groups of four digits, so that nothing but the checksum can tell.
    refused("cut short", good.chars().take(5 + (good.len() - 9) / 4 * 4).collect(), "checksum");
    let typo = good.chars().enumerate().map(|(i, c)| if i == 40 { if c == 'A' { 'B' } else { 'A' } } else { c });
    refused("a typing error", typo.collect(), "checksum");
    let other =
        armour_with(&map(&with(&pairs, 1, text("gardem"))), &blake3::derive_key("crosscast ticket v1", &map(&pairs)));
    refused("another name under the same checksum", other, "checksum");
    let spare: String = "cct1.AAAAAAB".to_owned();
    refused("bits that mean nothing in the last digit", spare, "base64");
    // A name of a length that leaves four bits over: one of them is set.
    let names = (1..4).map(|length| armour(&map(&with(&pairs, 1, text(&"a".repeat(length))))));
    for ticket in names.filter(|ticket| (ticket.len() - 5) % 4 == 2) {
        let last = |c: char| if let 'A' | 'Q' | 'g' | 'w' = c { char::from(c as u8 + 1) } else { '=' };
        let bent: String =
            ticket.char_indices().map(|(i, c)| if i + 1 == ticket.len() { last(c) } else { c }).collect();
        refused("a whole ticket with a bit that means nothing", bent, "base64");
    }
}

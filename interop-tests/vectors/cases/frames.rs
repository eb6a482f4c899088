//! Frames of every type.

use crosscast_wire::Domain;
use serde_json::{Value, json};

use super::Set;
use super::support::{
    chain, chain_links, equivocation, floor, header, hello, join_request, locate, message, one_entry, public, signed,
    two_claims,
};
use crate::values::{bytes, list, map, text, uint, with};

const HELLO: u8 = 0x01;
const PROOF: u8 = 0x02;
const CLOSE: u8 = 0x03;
const PING: u8 = 0x04;
const PONG: u8 = 0x05;
const CREDIT: u8 = 0x06;
const ACK: u8 = 0x07;
const CHAIN: u8 = 0x08;
const FLOOR: u8 = 0x09;
const SUBSCRIBE: u8 = 0x0a;
const RESUME: u8 = 0x0b;
const REFUSE: u8 = 0x0c;
const ASK: u8 = 0x0d;
const LOCATE: u8 = 0x0e;
const EQUIVOCATION: u8 = 0x0f;
const MESSAGE: u8 = 0x10;

fn on(frame_type: u8, lane: u8) -> Value {
    json!({ "type": frame_type, "lane": lane })
}

pub(super) fn all(set: &mut Set) {
    link(set);
    counts(set);
    groups(set);
    hopping(set);
    messages(set);
    types(set);
}

fn link(set: &mut Set) {
    set.valid("frame", "HELLO", on(HELLO, 0), map(&hello(1)));
    set.refused("frame", "HELLO without a prekey", on(HELLO, 0), map(&with(&hello(1), 14, None)), "missing-key");
    set.refused("frame", "HELLO of 4,097 bytes", on(HELLO, 0), [0; 4097], "too-long");
    set.valid("frame", "PROOF", on(PROOF, 0), list(&[bytes([9; 64])]));
    set.refused("frame", "PROOF of 63 bytes", on(PROOF, 0), list(&[bytes([9; 63])]), "too-short");
    set.refused("frame", "PROOF without its array", on(PROOF, 0), bytes([9; 64]), "wrong-type");
    set.refused("frame", "PROOF of two values", on(PROOF, 0), list(&[bytes([9; 64]), uint(0)]), "too-long");
    let close = |pairs: &[(u64, Vec<u8>)]| map(&[&[(0, uint(4))], pairs].concat());
    for code in [1, 2, 3, 4, 5, 6, 7, 9] {
        set.valid("frame", &format!("CLOSE with code {code}"), on(CLOSE, 0), map(&[(0, uint(code))]));
    }
    for code in [0, 8, 10] {
        let body = map(&[(0, uint(code))]);
        set.refused("frame", &format!("CLOSE with code {code}"), on(CLOSE, 0), body, "unknown-close-code");
    }
    let full = close(&[(1, uint(5_000)), (2, text("busy"))]);
    set.valid("frame", "CLOSE with a pause and a line", on(CLOSE, 0), full);
    let long = close(&[(1, uint(u64::MAX))]);
    set.valid("frame", "CLOSE with a pause that is clipped to an hour", on(CLOSE, 0), long);
    set.refused("frame", "CLOSE with a pause of 0", on(CLOSE, 0), close(&[(1, uint(0))]), "redundant");
    set.refused("frame", "CLOSE with an empty line", on(CLOSE, 0), close(&[(2, text(""))]), "too-short");
    set.refused(
        "frame",
        "CLOSE with a line of 129 bytes",
        on(CLOSE, 0),
        close(&[(2, text(&"a".repeat(129)))]),
        "too-long",
    );
    set.refused("frame", "CLOSE with a control character", on(CLOSE, 0), close(&[(2, text("\u{1b}[2J"))]), "text");
    for (word, frame_type) in [("PING", PING), ("PONG", PONG)] {
        let token = map(&[(0, uint(u64::MAX))]);
        set.valid("frame", word, on(frame_type, 0), &token);
        set.refused("frame", &format!("{word} without a token"), on(frame_type, 0), map(&[]), "missing-key");
        set.refused(
            "frame",
            &format!("{word} with trailing bytes"),
            on(frame_type, 0),
            [token, vec![0]].concat(),
            "trailing",
        );
    }
    let later = |key: u64| map(&[(0, uint(1)), (key, text("later"))]);
    set.refused("frame", "PING with unknown critical key 1", on(PING, 0), later(1), "unknown-critical-key");
    set.refused("frame", "PING with unknown critical key 127", on(PING, 0), later(127), "unknown-critical-key");
    set.valid("frame", "PING with unknown ignorable key 128", on(PING, 0), later(128));
    set.refused("frame", "PING of 1,025 bytes", on(PING, 0), [0; 1025], "too-long");
}

fn counts(set: &mut Set) {
    let credit = |lane: u64| map(&[(0, uint(lane)), (1, uint(65_536))]);
    let pair = |lane: u64, count: u64| list(&[uint(lane), uint(count)]);
    for lane in 1..=3 {
        set.valid("frame", &format!("CREDIT on lane {lane}"), on(CREDIT, 0), credit(lane));
    }
    set.refused("frame", "CREDIT on lane control", on(CREDIT, 0), credit(0), "no-data-lane");
    set.refused("frame", "CREDIT on lane 4", on(CREDIT, 0), credit(4), "no-data-lane");
    set.valid("frame", "ACK of one lane", on(ACK, 0), list(&[pair(2, 10)]));
    set.valid("frame", "ACK of three lanes", on(ACK, 0), list(&[pair(1, 0), pair(2, 10), pair(3, u64::MAX)]));
    set.refused("frame", "ACK of no lane", on(ACK, 0), list(&[]), "too-short");
    set.refused("frame", "ACK of lane control", on(ACK, 0), list(&[pair(0, 1)]), "no-data-lane");
    set.refused("frame", "ACK of a lane twice", on(ACK, 0), list(&[pair(1, 1), pair(1, 2)]), "order");
    set.refused("frame", "ACK of lanes that descend", on(ACK, 0), list(&[pair(2, 1), pair(1, 2)]), "order");
    set.refused("frame", "ACK of a lane without a count", on(ACK, 0), list(&[list(&[uint(1)])]), "too-short");
    let refuse = |lane: u64, number: u64, code: u64| map(&[(0, uint(lane)), (1, uint(number)), (2, uint(code))]);
    for code in 0..=9 {
        set.valid("frame", &format!("REFUSE with code {code}"), on(REFUSE, 0), refuse(2, 10, code));
    }
    set.valid("frame", "REFUSE with a code to come reads as 0", on(REFUSE, 0), refuse(2, 10, 1_000));
    set.refused("frame", "REFUSE of frame 0", on(REFUSE, 0), refuse(2, 0, 1), "out-of-range");
    set.refused("frame", "REFUSE on lane control", on(REFUSE, 0), refuse(0, 1, 1), "no-data-lane");
    set.refused("frame", "REFUSE without a code", on(REFUSE, 0), map(&[(0, uint(1)), (1, uint(1))]), "missing-key");
}

fn groups(set: &mut Set) {
    set.valid("frame", "CHAIN", on(CHAIN, 0), chain(&chain_links(2)));
    set.refused("frame", "CHAIN without links", on(CHAIN, 0), chain(&[]), "too-short");
    let record = signed(1, Domain::Floor, &floor());
    let by_other = signed(2, Domain::Floor, &with(&floor(), 9, bytes(public(2))));
    set.valid("frame", "FLOOR of the group key", on(FLOOR, 0), map(&[(0, bytes(&record))]));
    let chained = map(&[(0, bytes(by_other)), (1, chain(&chain_links(1)))]);
    set.valid("frame", "FLOOR of another signer with a chain", on(FLOOR, 0), chained);
    let no_chain = map(&[(0, bytes(&record)), (1, list(&[]))]);
    set.refused("frame", "FLOOR with an empty chain", on(FLOOR, 0), no_chain, "too-short");
    set.refused("frame", "FLOOR without a record", on(FLOOR, 0), map(&[]), "missing-key");
    let forged = map(&[(0, bytes(signed(9, Domain::Floor, &floor())))]);
    set.refused("frame", "FLOOR that its signer did not sign", on(FLOOR, 0), forged, "bad-signature");
    let group = (0, bytes(public(1)));
    let subscribe = |rest: &[(u64, Vec<u8>)]| map(&[core::slice::from_ref(&group), rest].concat());
    set.valid("frame", "SUBSCRIBE", on(SUBSCRIBE, 0), subscribe(&[(1, vec![0xf5])]));
    set.valid("frame", "SUBSCRIBE with a chain", on(SUBSCRIBE, 0), subscribe(&[(1, vec![0xf5]), (2, bytes([3; 32]))]));
    set.valid("frame", "SUBSCRIBE that ends", on(SUBSCRIBE, 0), subscribe(&[(1, vec![0xf4])]));
    set.refused("frame", "SUBSCRIBE with a number", on(SUBSCRIBE, 0), subscribe(&[(1, uint(1))]), "wrong-type");
    set.refused("frame", "SUBSCRIBE without a word", on(SUBSCRIBE, 0), subscribe(&[]), "missing-key");
    let window = |from: u8, instance: u64, seq: u64| list(&[bytes([from; 32]), uint(instance), uint(seq)]);
    let resume = |windows: &[Vec<u8>]| subscribe(&[(1, list(windows))]);
    set.valid("frame", "RESUME that knows nothing", on(RESUME, 0), resume(&[]));
    let three = [window(1, 1, 0), window(1, 2, 9), window(2, 1, u64::MAX)];
    set.valid("frame", "RESUME of three windows", on(RESUME, 0), resume(&three));
    let more = subscribe(&[(1, list(&[window(1, 1, 1)])), (2, vec![0xf5])]);
    set.valid("frame", "RESUME with more to come", on(RESUME, 0), more);
    let not_more = subscribe(&[(1, list(&[])), (2, vec![0xf4])]);
    set.refused("frame", "RESUME that says that nothing follows", on(RESUME, 0), not_more, "redundant");
    let descending = resume(&[window(2, 1, 1), window(1, 1, 1)]);
    set.refused("frame", "RESUME with windows that descend", on(RESUME, 0), descending, "order");
    let twice = resume(&[window(1, 1, 1), window(1, 1, 2)]);
    set.refused("frame", "RESUME with a window twice", on(RESUME, 0), twice, "order");
    set.refused("frame", "RESUME of 513 windows", on(RESUME, 0), resume(&vec![vec![0x80]; 513]), "too-long");
}

fn hopping(set: &mut Set) {
    let request = bytes(signed(2, Domain::JoinRequest, &join_request()));
    let sought = bytes(signed(2, Domain::Locate, &locate()));
    let shown = bytes(map(&equivocation(&two_claims())));
    for (word, frame_type, object) in [("ASK", ASK, &request), ("LOCATE", LOCATE, &sought)] {
        for hops in [0, 8, 255] {
            let body = map(&[(0, uint(hops)), (1, object.clone())]);
            set.valid("frame", &format!("{word} after {hops} hops"), on(frame_type, 0), body);
        }
        let mut refused = |name: &str, pairs: &[(u64, Vec<u8>)], reason: &str| {
            set.refused("frame", &format!("{word} {name}"), on(frame_type, 0), map(pairs), reason);
        };
        refused("after 256 hops", &[(0, uint(256)), (1, object.clone())], "out-of-range");
        refused("without its hops", &[(1, object.clone())], "missing-key");
        refused("without its object", &[(0, uint(0))], "missing-key");
        refused("with an empty object", &[(0, uint(0)), (1, bytes([]))], "length");
        let more = [(0, uint(0)), (1, object.clone()), (2, uint(0))];
        refused("with unknown critical key 2", &more, "unknown-critical-key");
        set.refused("frame", &format!("{word} on lane urgent"), on(frame_type, 1), map(&more), "wrong-lane");
    }
    let forged = map(&[(0, uint(0)), (1, bytes(signed(9, Domain::JoinRequest, &join_request())))]);
    set.refused("frame", "ASK that its asker did not sign", on(ASK, 0), forged, "bad-signature");
    let other = map(&[(0, uint(0)), (1, sought)]);
    set.refused("frame", "ASK with a locate in it", on(ASK, 0), other, "missing-key");
    set.refused("frame", "ASK of 4,097 bytes", on(ASK, 0), [0; 4097], "too-long");
    set.refused("frame", "LOCATE of 1,537 bytes", on(LOCATE, 0), [0; 1537], "too-long");
    set.valid("frame", "EQUIVOCATION", on(EQUIVOCATION, 0), map(&[(0, shown.clone())]));
    set.refused("frame", "EQUIVOCATION of nothing", on(EQUIVOCATION, 0), map(&[]), "missing-key");
    let more = map(&[(0, shown.clone()), (1, uint(0))]);
    set.refused("frame", "EQUIVOCATION with unknown critical key 1", on(EQUIVOCATION, 0), more, "unknown-critical-key");
    let urgent = map(&[(0, shown)]);
    set.refused("frame", "EQUIVOCATION on lane normal", on(EQUIVOCATION, 2), urgent, "wrong-lane");
    set.refused("frame", "EQUIVOCATION of 18,305 bytes", on(EQUIVOCATION, 0), vec![0; 18_305], "too-long");
}

fn messages(set: &mut Set) {
    let payload = one_entry();
    let of_class = |class: u64| message(&with(&header(&payload), 8, uint(class)), &payload);
    let hop = vec![(0, uint(0)), (1, uint(2)), (2, uint(350))];
    let body = |hop: &[(u64, Vec<u8>)]| [map(hop), of_class(2)].concat();
    for (class, word, lane) in
        [(0, "control", 0), (1, "urgent", 1), (2, "normal", 2), (3, "bulk", 3), (4, "realtime", 1)]
    {
        let frame = [map(&hop), of_class(class)].concat();
        set.valid("frame", &format!("MESSAGE of class {word} on lane {lane}"), on(MESSAGE, lane), &frame);
        for wrong in (0..4).filter(|wrong| *wrong != lane) {
            let name = format!("MESSAGE of class {word} on lane {wrong}");
            set.refused("frame", &name, on(MESSAGE, wrong), &frame, "wrong-lane");
        }
    }
    let full = with(&with(&hop, 3, list(&[bytes(public(3)), bytes(public(4))])), 4, uint(0x8000_0001));
    let full = with(&full, 5, uint(0x132));
    set.valid("frame", "MESSAGE with a full hop map", on(MESSAGE, 2), body(&full));
    for (name, trail) in [
        ("one link", 1),
        ("eight links", 0x1234_5612),
        ("eight links of unknown networks", 0xffff_ffff),
        ("a gap", 0x102),
    ] {
        let name = format!("MESSAGE with a trail of {name}");
        set.valid("frame", &name, on(MESSAGE, 2), body(&with(&hop, 5, uint(trail))));
    }
    set.valid("frame", "MESSAGE with an unknown ignorable key", on(MESSAGE, 2), body(&with(&hop, 128, text("later"))));
    let cases: Vec<(&str, u64, Option<Vec<u8>>, &str)> = vec![
        ("no tree", 0, None, "missing-key"),
        ("tree 256", 0, Some(uint(256)), "out-of-range"),
        ("256 hops", 1, Some(uint(256)), "out-of-range"),
        ("an age of 2^32 ms", 2, Some(uint(1 << 32)), "out-of-range"),
        ("an empty list of routers", 3, Some(list(&[])), "too-short"),
        ("five routers", 3, Some(list(&vec![bytes([0; 32]); 5])), "too-long"),
        ("a bitmap of 33 bits", 4, Some(uint(1 << 32)), "out-of-range"),
        ("an empty trail", 5, Some(uint(0)), "out-of-range"),
        ("a trail of 33 bits", 5, Some(uint(1 << 32)), "out-of-range"),
        ("unknown critical key 6", 6, Some(uint(0)), "unknown-critical-key"),
    ];
    for (name, key, value, reason) in cases {
        let name = format!("MESSAGE with {name} in its hop map");
        set.refused("frame", &name, on(MESSAGE, 2), body(&with(&hop, key, value)), reason);
    }
    set.refused("frame", "MESSAGE without a message", on(MESSAGE, 2), map(&hop), "truncated");
    set.refused("frame", "MESSAGE without a hop map", on(MESSAGE, 2), of_class(2), "wrong-type");
    let later = [map(&hop), map(&[(0, uint(2))])].concat();
    set.refused("frame", "MESSAGE of a version to come", on(MESSAGE, 2), later, "unsupported-version");
}

fn types(set: &mut Set) {
    let body = map(&[(0, uint(1))]);
    for lane in 1..=3 {
        set.refused("frame", &format!("PING on lane {lane}"), on(PING, lane), &body, "wrong-lane");
    }
    set.refused("frame", "HELLO on lane bulk", on(HELLO, 3), map(&hello(1)), "wrong-lane");
    for frame_type in [0x00, 0x11, 0x40, 0x7f] {
        let name = format!("unknown type {frame_type:#04x}");
        set.refused("frame", &name, on(frame_type, 0), &body, "unknown-type");
    }
    set.refused("frame", "unknown type 0x11 on lane bulk", on(0x11, 3), &body, "unknown-type");
    for frame_type in [0x80, 0xff] {
        set.valid("frame", &format!("skippable type {frame_type:#04x}"), on(frame_type, 0), &body);
    }
    set.valid("frame", "a skippable type on lane bulk with any body", on(0x80, 3), [0xff; 20]);
    set.valid("frame", "a skippable type without a body", on(0x81, 0), []);
}

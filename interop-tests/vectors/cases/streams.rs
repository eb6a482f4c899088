//! Frames as fragments on a stream.

use serde_json::Value;

use super::Set;
use crate::values::{map, uint};

fn fragment(frame_type: u8, lane: u8, body: &[u8]) -> Vec<u8> {
    let [.., a, b, c] = (body.len() as u64).to_be_bytes();
    [&[a, b, c, frame_type, lane], body].concat()
}

pub(super) fn all(set: &mut Set) {
    let ping = map(&[(0, uint(7))]);
    let none = Value::Null;
    set.valid("stream", "nothing", none.clone(), []);
    set.valid("stream", "one frame", none.clone(), fragment(4, 0, &ping));
    set.valid("stream", "two frames", none.clone(), [fragment(4, 0, &ping), fragment(5, 0, &ping)].concat());
    set.valid("stream", "a frame without a body", none.clone(), fragment(0x80, 3, &[]));
    let parts = [fragment(0x90, 0x81, &[1, 2]), fragment(0x90, 0x81, &[3]), fragment(0x90, 1, &[4])].concat();
    set.valid("stream", "a frame of three fragments", none.clone(), parts);
    let interleaved = [
        fragment(0x90, 0x83, &[1]),
        fragment(4, 0, &ping),
        fragment(0x91, 0x82, &[5]),
        fragment(0x90, 3, &[2]),
        fragment(0x91, 2, &[6]),
    ];
    set.valid("stream", "fragments of three lanes between each other", none.clone(), interleaved.concat());
    let full = fragment(0x90, 2, &[0; 16_384]);
    set.valid("stream", "a fragment of 16,384 bytes", none.clone(), &full);
    set.valid(
        "stream",
        "a fragment that has not wholly come",
        none.clone(),
        [fragment(4, 0, &ping), vec![0, 0, 9, 4, 0, 1]].concat(),
    );
    let mut refused =
        |name: &str, bytes: Vec<u8>, reason: &str| set.refused("stream", name, none.clone(), bytes, reason);
    refused("a fragment of 16,385 bytes", vec![0, 0x40, 1, 0x90, 2], "fragment-too-long");
    refused("a fragment of 16 MiB", vec![255, 255, 255, 0x90, 2], "fragment-too-long");
    refused("a lane byte with bit 2 set", fragment(4, 4, &ping), "lane-bits");
    refused("a lane byte with bit 6 set", fragment(4, 0x40, &ping), "lane-bits");
    refused(
        "another type inside a frame",
        [fragment(0x90, 0x82, &[1]), fragment(0x91, 2, &[2])].concat(),
        "type-changed",
    );
    refused("an empty last fragment", [fragment(0x90, 0x82, &[1]), fragment(0x90, 2, &[])].concat(), "empty-fragment");
    refused("an empty first fragment", fragment(0x90, 0x82, &[]), "empty-fragment");
}

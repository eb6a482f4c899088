//! The CBOR profile: what is canonical, and every way not to be.

use serde_json::Value;

use super::Set;

const VALID: &[(&str, &[u8])] = &[
    ("zero", &[0]),
    ("23 in one byte", &[0x17]),
    ("24 in two bytes", &[0x18, 24]),
    ("255", &[0x18, 0xff]),
    ("256", &[0x19, 1, 0]),
    ("65,535", &[0x19, 0xff, 0xff]),
    ("65,536", &[0x1a, 0, 1, 0, 0]),
    ("the largest 32-bit number", &[0x1a, 255, 255, 255, 255]),
    ("the smallest number of 8 bytes", &[0x1b, 0, 0, 0, 1, 0, 0, 0, 0]),
    ("the largest number", &[0x1b, 255, 255, 255, 255, 255, 255, 255, 255]),
    ("no bytes", &[0x40]),
    ("three bytes", &[0x43, 1, 2, 3]),
    ("no text", &[0x60]),
    ("text of four bytes in UTF-8", &[0x64, 0xf0, 0x9f, 0xa6, 0x8a]),
    ("false", &[0xf4]),
    ("true", &[0xf5]),
    ("an empty array", &[0x80]),
    ("an empty map", &[0xa0]),
    ("keys that ascend", &[0xa3, 0, 0, 0x17, 0, 0x18, 0x18, 0]),
    ("four containers inside each other", &[0x81, 0xa1, 0, 0x81, 0x81, 0]),
];

const REFUSED: &[(&str, &[u8], &str)] = &[
    ("nothing", &[], "truncated"),
    ("23 in two bytes", &[0x18, 23], "long-integer"),
    ("255 in three bytes", &[0x19, 0, 255], "long-integer"),
    ("65,535 in five bytes", &[0x1a, 0, 0, 255, 255], "long-integer"),
    ("a 32-bit number in nine bytes", &[0x1b, 0, 0, 0, 0, 255, 255, 255, 255], "long-integer"),
    ("a length in two bytes that fits one", &[0x58, 1, 0], "long-integer"),
    ("an array's length in two bytes that fits one", &[0x98, 1, 0], "long-integer"),
    ("a map's length in two bytes that fits one", &[0xb8, 1, 0, 0], "long-integer"),
    ("a key in two bytes that fits one", &[0xa1, 0x18, 1, 0], "long-integer"),
    ("bytes of indefinite length", &[0x5f, 0x41, 0, 0xff], "indefinite-length"),
    ("text of indefinite length", &[0x7f, 0xff], "indefinite-length"),
    ("an array of indefinite length", &[0x9f, 0xff], "indefinite-length"),
    ("a map of indefinite length", &[0xbf, 0xff], "indefinite-length"),
    ("a break alone", &[0xff], "indefinite-length"),
    ("a reserved head", &[0x1c], "reserved-head"),
    ("keys that descend", &[0xa2, 1, 0, 0, 0], "unsorted-keys"),
    ("a key twice", &[0xa2, 1, 0, 1, 0], "duplicate-key"),
    ("a text key", &[0xa1, 0x61, 0x61, 0], "key-type"),
    ("a negative key", &[0xa1, 0x20, 0], "key-type"),
    ("a 16-bit float", &[0xf9, 0, 0], "float"),
    ("a 32-bit float", &[0xfa, 0, 0, 0, 0], "float"),
    ("a 64-bit float", &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0], "float"),
    ("a tag", &[0xc0, 0], "tag"),
    ("null", &[0xf6], "simple"),
    ("undefined", &[0xf7], "simple"),
    ("simple value 32", &[0xf8, 0x20], "simple"),
    ("five containers inside each other", &[0x81, 0x81, 0x81, 0x81, 0x80], "depth"),
    ("text that is not UTF-8", &[0x62, 0xc3, 0x28], "utf8"),
    ("a surrogate in UTF-8", &[0x63, 0xed, 0xa0, 0x80], "utf8"),
    ("bytes that are cut short", &[0x42, 0], "truncated"),
    ("an array that claims more than there is", &[0x9b, 255, 255, 255, 255, 255, 255, 255, 255], "truncated"),
    ("a map without its last value", &[0xa1, 0], "truncated"),
    ("a second value", &[0, 0], "trailing"),
];

pub(super) fn all(set: &mut Set) {
    for (name, bytes) in VALID {
        set.valid("cbor", name, Value::Null, bytes);
    }
    for (name, bytes, reason) in REFUSED {
        set.refused("cbor", name, Value::Null, bytes, reason);
    }
}

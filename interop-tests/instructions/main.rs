//! The hot paths one by one, for counting the instructions they take: `crosscast-instructions PATH` does one of them a
//! number of times inside a function called `measured`, and prints that number.
//!
//! `cargo xtask test --only instructions` runs each under callgrind, which counts what `measured` does and nothing else,
//! and holds the count of one time against `ceilings.txt`. Counts do not depend on how busy a machine is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cores;

use std::hint::black_box;

use bytes::Bytes;
use crosscast::NodeCrypto;
use crosscast_seal::{ContentKey, MessageKey, Sealing, Suite, open_payload, seal_payload};
use crosscast_transport::framing::{FragmentReader, FragmentWriter};
use crosscast_wire::{
    Class, Codec, Crypto as _, Destination, Domain, Entries, Entry, FrameType, GroupId, HeaderDraft, Instance, Lane,
    Message, NodeId, Order, Payload, RawFrame, SecretKey, Seq, WallMillis, encode_entries,
};

/// A path: its name, and what does it so many times.
type Path = (&'static str, fn() -> usize);

const PATHS: &[Path] = &[
    ("header-decode", header_decode),
    ("entries-encode", entries_encode),
    ("entries-decode", entries_decode),
    ("seal", seal),
    ("open", open),
    ("verify", verify),
    ("framing-write", framing_write),
    ("framing-read", framing_read),
    ("accept-and-deliver", cores::accept_and_deliver),
    ("accept-and-forward-to-10", cores::accept_and_forward),
];

fn main() {
    let asked = std::env::args().nth(1).unwrap_or_default();
    match PATHS.iter().find(|(name, _)| *name == asked) {
        Some((_, path)) => println!("{}", path()),
        None => PATHS.iter().for_each(|(name, _)| println!("{name}")),
    }
}

/// What is counted: the name is what callgrind looks for.
#[inline(never)]
fn measured(run: &mut dyn FnMut()) {
    run();
}

/// Does something so many times, measured.
fn times(count: usize, mut one: impl FnMut()) -> usize {
    measured(&mut || (0..count).for_each(|_| one()));
    count
}

/// What a fast publisher puts into one message: 236 entries of 1 KiB.
fn entries() -> Vec<Entry> {
    (0..236u8).map(|n| Entry::new(Bytes::from(vec![n; 1024]))).collect()
}

fn draft(count: u16, codec: Codec) -> HeaderDraft {
    HeaderDraft {
        to: Destination::Multicast(GroupId::new([9; 32])),
        from: NodeId::new(SecretKey::new([1; 32]).public()),
        instance: Instance::new(1_700_000_000, 42),
        seq: Seq(77),
        time: WallMillis(1_700_000_000_000),
        expires: WallMillis(1_700_000_600_000),
        class: Class::Normal,
        order: Order::Fifo,
        deps: Vec::new(),
        chain: None,
        recipients: Vec::new(),
        codec,
        count,
    }
}

fn key() -> MessageKey {
    ContentKey::new([5; 32]).for_sender(&[9; 32], &NodeId::new(SecretKey::new([1; 32]).public()), Instance(42))
}

fn sealing<'a>(key: &'a MessageKey, aad: &'a [u8]) -> Sealing<'a> {
    let (suite, nonce) = (Suite::XAes256Gcm, &[3; 24]);
    Sealing { suite, key, nonce, aad, codec: Codec::Entries, pad: true, wraps: &[] }
}

fn header_decode() -> usize {
    let payload = encode_entries(&[Entry::new(Bytes::from_static(b"hello"))]).unwrap();
    let message = draft(1, Codec::Entries).sign(&NodeCrypto, &SecretKey::new([1; 32]), &payload).unwrap();
    times(1_000, || {
        black_box(Message::parse(black_box(message.bytes().clone())).unwrap());
    })
}

fn entries_encode() -> usize {
    let entries = entries();
    times(10, || {
        black_box(encode_entries(black_box(&entries)).unwrap());
    })
}

fn entries_decode() -> usize {
    let payload = Bytes::from(encode_entries(&entries()).unwrap());
    times(10, || {
        let entries = Entries::decode(black_box(payload.clone()), 236).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.payload.len()).sum::<usize>(), 236 * 1024);
    })
}

fn seal() -> usize {
    let (key, draft, entries) = (key(), draft(236, Codec::Sealed), entries());
    times(5, || {
        let aad = draft.aad();
        let inner = draft.lay_out(&aad, black_box(&entries)).unwrap();
        black_box(seal_payload(&NodeCrypto, black_box(&sealing(&key, &aad)), inner).unwrap());
    })
}

fn open() -> usize {
    let (key, draft, inner) = (key(), draft(236, Codec::Sealed), encode_entries(&entries()).unwrap());
    let payload = seal_payload(&NodeCrypto, &sealing(&key, &draft.aad()), &inner[..]).unwrap();
    let message = draft.sign(&NodeCrypto, &SecretKey::new([1; 32]), payload.as_slice()).unwrap();
    times(5, || {
        let Ok(Payload::Sealed(sealed)) = Payload::of_message(black_box(&message)) else { panic!("not sealed") };
        black_box(open_payload(&NodeCrypto, &key, &message.aad(), &sealed).unwrap());
    })
}

fn verify() -> usize {
    let key = SecretKey::new([1; 32]);
    let (public, body) = (key.public(), [7; 220]);
    let signature = NodeCrypto.sign(&key, Domain::Message, &body);
    let holds = || assert!(NodeCrypto.verify(black_box(&public), Domain::Message, &body, &signature));
    // A sender who says much, and whose key is prepared for it.
    (0..300).for_each(|_| holds());
    times(20, holds)
}

fn frames() -> Vec<RawFrame> {
    let long = Bytes::from(vec![1; 250_000]);
    let short = (0..20u8).map(|n| RawFrame::new(FrameType::MESSAGE, Lane::Urgent, Bytes::from(vec![n; 1_300])));
    short.chain([RawFrame::new(FrameType::MESSAGE, Lane::Normal, long)]).collect()
}

fn framing_write() -> usize {
    let (frames, mut writer, mut pieces) = (frames(), FragmentWriter::new(), Vec::new());
    times(10, || {
        frames.iter().cloned().for_each(|frame| writer.push(frame));
        while !writer.is_empty() {
            writer.take(256 * 1024, &mut pieces);
        }
        black_box(&mut pieces).clear();
    })
}

fn framing_read() -> usize {
    let (mut writer, mut pieces, mut reader, mut got) =
        (FragmentWriter::new(), Vec::new(), FragmentReader::new(), Vec::new());
    frames().into_iter().for_each(|frame| writer.push(frame));
    while !writer.is_empty() {
        writer.take(256 * 1024, &mut pieces);
    }
    let stream = pieces.concat();
    times(10, || {
        // As TLS hands it out: record by record.
        stream.chunks(16 * 1024).for_each(|record| reader.push(black_box(record), &mut got).unwrap());
        assert_eq!(black_box(&mut got).drain(..).count(), 21);
    })
}

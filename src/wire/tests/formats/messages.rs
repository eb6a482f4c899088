//! Messages: round trips, every refusal of the header by name, ids, associated data, unknown keys.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_wire::cbor::{CborError, Writer};
use crosscast_wire::limits::{HEADER_MAX, LIFE_MAX_MS, MESSAGE_MAX, PAYLOAD_MAX};
use crosscast_wire::{
    Crypto as _, Destination, Domain, Header, HeaderDraft, Message, MessageError, MessageId, NodeId, PayloadHash,
    RustCrypto, Seq, WallMillis, assemble, context,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::make::{cases, change, changes, draft, key, node, plain_draft};

/// A header as its keys and encoded values, to be bent one at a time.
struct Pairs(BTreeMap<u64, Vec<u8>>);

impl Pairs {
    fn plain() -> Self {
        let hash = PayloadHash::of_payload(b"payload");
        let values = |write: &dyn Fn(&mut Writer) -> &mut Writer| {
            let mut writer = Writer::new();
            write(&mut writer);
            writer.into_bytes()
        };
        let mut pairs = BTreeMap::new();
        for (key, number) in [(0, 1), (1, 1), (4, 77), (5, 1), (6, 1000), (7, 2000), (8, 2), (9, 0), (13, 1), (14, 1)] {
            pairs.insert(key, values(&|writer| writer.uint(number)));
        }
        pairs.insert(2, values(&|writer| writer.bytes(&[9; 32])));
        pairs.insert(3, values(&|writer| writer.bytes(node().as_bytes())));
        pairs.insert(15, values(&|writer| writer.uint(7)));
        pairs.insert(16, values(&|writer| writer.bytes(hash.as_bytes())));
        Self(pairs)
    }

    fn with(mut self, key: u64, write: impl Fn(&mut Writer) -> &mut Writer) -> Self {
        let mut writer = Writer::new();
        write(&mut writer);
        self.0.insert(key, writer.into_bytes());
        self
    }

    fn number(self, key: u64, number: u64) -> Self {
        self.with(key, |writer| writer.uint(number))
    }

    fn ids(self, key: u64, ids: &[[u8; 32]]) -> Self {
        self.with(key, |writer| {
            writer.array(ids.len());
            for id in ids {
                writer.bytes(id);
            }
            writer
        })
    }

    fn without(mut self, key: u64) -> Self {
        self.0.remove(&key);
        self
    }

    fn header(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(self.0.len());
        for (key, value) in &self.0 {
            writer.uint(*key).raw(value);
        }
        writer.into_bytes()
    }

    fn message(&self) -> Result<Message, MessageError> {
        let header = self.header();
        let signature = RustCrypto.sign(&key(), Domain::Message, &header);
        Message::parse(assemble(&header, &signature, &[b"pay", b"load"]))
    }
}

#[test]
fn a_message_is_read_as_it_was_drafted() {
    let run = |(draft, payload): (HeaderDraft, Vec<u8>)| {
        let message = draft.sign(&RustCrypto, &key(), &payload).unwrap();
        let header = message.header();
        let read = HeaderDraft {
            to: header.to,
            from: header.from,
            instance: header.instance,
            seq: header.seq,
            time: header.time,
            expires: header.expires,
            class: header.class,
            order: header.order,
            deps: header.deps.clone(),
            chain: header.chain,
            recipients: header.recipients.clone(),
            codec: header.codec,
            count: header.count,
        };
        prop_assert_eq!(&read, &draft);
        prop_assert_eq!(message.payload(), payload.clone());
        prop_assert_eq!(header.payload_len as usize, payload.len());
        prop_assert_eq!(message.aad(), draft.aad());
        let again = draft.finish(payload.len(), &header.payload_hash).unwrap();
        prop_assert_eq!((again.bytes.as_slice(), again.id), (message.header_bytes(), message.id()));
        prop_assert!(message.verify_signature(&RustCrypto) && message.check_payload_hash());
        let (prefix, len) = Header::parse_prefix(message.bytes()).unwrap();
        prop_assert_eq!((&prefix, len), (header, message.header_bytes().len()));
        Ok(())
    };
    TestRunner::new(cases(200)).run(&(draft(), proptest::collection::vec(any::<u8>(), 0..300)), run).unwrap();
}

#[test]
fn changed_bytes_are_refused_or_read_but_never_believed() {
    let strategy = (draft(), changes());
    let run = |(draft, changes): (HeaderDraft, Vec<(u16, u8)>)| {
        let message = draft.sign(&RustCrypto, &key(), b"payload").unwrap();
        let mut bytes = message.bytes().to_vec();
        change(&mut bytes, &changes);
        if let Ok(read) = Message::parse(bytes.clone().into()) {
            let same = read == message;
            prop_assert_eq!(read.verify_signature(&RustCrypto) && read.check_payload_hash(), same);
            prop_assert_eq!(read.bytes(), &bytes);
        }
        Ok(())
    };
    TestRunner::new(cases(200)).run(&strategy, run).unwrap();
}

#[test]
fn every_refusal_of_a_header_has_its_name() {
    let ids = |range: std::ops::Range<u8>| range.map(|byte| [byte; 32]).collect::<Vec<_>>();
    let plain = Pairs::plain;
    let cases: Vec<(Pairs, MessageError)> = vec![
        (plain().number(0, 2), MessageError::UnsupportedVersion(2)),
        (plain().number(1, 2), MessageError::UnknownKind(2)),
        (plain().number(8, 5), MessageError::UnknownClass(5)),
        (plain().number(9, 3), MessageError::UnknownOrder(3)),
        (plain().number(13, 0), MessageError::UnknownCodec(0)),
        (plain().number(13, 256 + 1), MessageError::UnknownCodec(257)),
        (plain().number(5, 0), MessageError::SeqZero),
        (plain().number(7, 999), MessageError::ExpiresBeforeTime),
        (plain().number(7, 1000 + LIFE_MAX_MS + 1), MessageError::LifeTooLong),
        (plain().ids(10, &[]), MessageError::Deps),
        (plain().ids(10, &[[2; 32], [1; 32]]), MessageError::Deps),
        (plain().ids(10, &[[2; 32], [2; 32]]), MessageError::Deps),
        (plain().ids(10, &ids(0..17)), MessageError::Deps),
        (plain().ids(12, &[]), MessageError::Recipients),
        (plain().ids(12, &[[1; 32], [1; 32]]), MessageError::Recipients),
        (plain().ids(12, &ids(0..33)), MessageError::Recipients),
        (plain().number(14, 0), MessageError::EntryCount),
        (plain().number(14, 257), MessageError::EntryCount),
        (plain().number(15, PAYLOAD_MAX as u64 + 1), MessageError::PayloadTooLong),
        (plain().number(15, u64::MAX), MessageError::PayloadTooLong),
        (plain().number(15, 6), MessageError::Trailing),
        (plain().number(15, 8), MessageError::Truncated),
        (plain().with(200, |w| w.bytes(&[0; HEADER_MAX])), MessageError::HeaderTooLong),
        (plain().number(17, 0), CborError::UnknownCriticalKey(17).into()),
        (plain().number(127, 0), CborError::UnknownCriticalKey(127).into()),
        (plain().number(2, 0), CborError::WrongType.into()),
        (plain().with(3, |w| w.bytes(&[0; 31])), CborError::TooShort.into()),
        (plain().with(16, |w| w.bytes(&[0; 33])), CborError::TooLong.into()),
    ];
    for (at, (pairs, error)) in cases.into_iter().enumerate() {
        assert_eq!(pairs.message(), Err(error), "case {at}");
    }
    for key in (0..=9).chain(13..=16) {
        assert_eq!(plain().without(key).message(), Err(CborError::MissingKey(key).into()));
    }
    assert_eq!(Message::parse(Bytes::from(vec![0; MESSAGE_MAX + 1])), Err(MessageError::TooLong));
    assert_eq!(Message::parse(Bytes::new()), Err(CborError::Truncated.into()));
}

#[test]
fn the_limits_themselves_are_legal() {
    let ids = |range: std::ops::Range<u8>| range.map(|byte| [byte; 32]).collect::<Vec<_>>();
    let pairs = Pairs::plain()
        .ids(10, &ids(0..16))
        .with(11, |writer| writer.bytes(&[5; 32]))
        .ids(12, &ids(0..32))
        .number(7, 1000 + LIFE_MAX_MS)
        .number(14, 256)
        .number(4, u64::MAX)
        .number(5, u64::MAX);
    let message = pairs.message().unwrap();
    assert_eq!((message.header().deps.len(), message.header().recipients.len()), (16, 32));
    assert_eq!((message.header().wrap_count(), message.header().count), (32, 256));

    let room = HEADER_MAX - Pairs::plain().with(200, |w| w.bytes(&[0; 300])).header().len() + 300;
    let message = Pairs::plain().with(200, |w| w.bytes(&vec![0; room])).message().unwrap();
    assert_eq!(message.header_bytes().len(), HEADER_MAX);
}

#[test]
fn an_illegal_draft_is_refused_as_a_reader_would() {
    let refused = |bend: &dyn Fn(&mut HeaderDraft)| {
        let mut draft = plain_draft();
        bend(&mut draft);
        draft.sign(&RustCrypto, &key(), b"payload").map(|message| message.id())
    };
    let ids = |count: u8| (0..count).map(|byte| MessageId::new([byte; 32])).collect::<Vec<_>>();
    let nodes = |count: u8| (0..count).map(|byte| NodeId::new([byte; 32])).collect::<Vec<_>>();
    assert_eq!(refused(&|draft| draft.seq = Seq(0)), Err(MessageError::SeqZero));
    assert_eq!(refused(&|draft| draft.expires = WallMillis(0)), Err(MessageError::ExpiresBeforeTime));
    assert_eq!(refused(&|draft| draft.expires.0 += LIFE_MAX_MS), Err(MessageError::LifeTooLong));
    assert_eq!(refused(&|draft| draft.deps = ids(17)), Err(MessageError::Deps));
    assert_eq!(refused(&|draft| draft.deps = ids(2).into_iter().rev().collect()), Err(MessageError::Deps));
    assert_eq!(refused(&|draft| draft.recipients = nodes(33)), Err(MessageError::Recipients));
    assert_eq!(refused(&|draft| draft.recipients = vec![node(), node()]), Err(MessageError::Recipients));
    assert_eq!(refused(&|draft| draft.count = 0), Err(MessageError::EntryCount));
    assert_eq!(refused(&|draft| draft.count = 257), Err(MessageError::EntryCount));
    let too_long = plain_draft().sign(&RustCrypto, &key(), &vec![0; PAYLOAD_MAX + 1]);
    assert_eq!(too_long, Err(MessageError::PayloadTooLong));
    let largest = plain_draft().sign(&RustCrypto, &key(), &vec![0; PAYLOAD_MAX]).unwrap();
    assert_eq!(largest.payload().len(), PAYLOAD_MAX);
}

#[test]
fn every_cut_of_a_message_is_refused() {
    let message = plain_draft().sign(&RustCrypto, &key(), b"payload").unwrap();
    let bytes = message.bytes();
    for len in 0..bytes.len() {
        assert!(Message::parse(bytes.slice(..len)).is_err(), "{len} bytes");
    }
}

#[test]
fn an_ignorable_key_is_signed_kept_and_authenticated_but_not_understood() {
    let message = Pairs::plain().with(128, |writer| writer.text("later")).message().unwrap();
    let plain = Pairs::plain().message().unwrap();
    assert_eq!((plain.header().deps.capacity(), plain.header().recipients.capacity()), (0, 0));
    assert!(message.verify_signature(&RustCrypto) && message.check_payload_hash());
    assert_eq!(message.header(), plain.header());
    assert_ne!(message.id(), plain.id());
    let (before, after) = message.aad_parts();
    assert_eq!((before, after), (plain.aad_parts().0, &b"\x18\x80\x65later"[..]));
    let bent = Pairs::plain().with(128, |writer| writer.raw(&[0x18, 1]));
    assert_eq!(bent.message(), Err(CborError::LongInteger.into()));
}

#[test]
fn a_header_may_have_more_keys_than_fit_a_short_head() {
    let pairs = (0..20).fold(Pairs::plain(), |pairs, more| pairs.number(200 + more, more));
    let message = pairs.message().unwrap();
    assert_eq!(message.aad_parts().0, Pairs::plain().message().unwrap().aad_parts().0);
    assert_eq!(message.aad().len(), message.header_bytes().len() - 2 - 2 - 35);
}

#[test]
fn the_id_is_of_the_header_alone() {
    let message = plain_draft().sign(&RustCrypto, &key(), b"payload").unwrap();
    let forged = Message::parse(assemble(message.header_bytes(), &[7; 64], &[b"anothe", b"r"])).unwrap();
    assert_eq!(forged.id(), message.id());
    assert!(!forged.verify_signature(&RustCrypto) && !forged.check_payload_hash());
    let direct = blake3::derive_key(context::MESSAGE_ID, message.header_bytes());
    assert_eq!(message.id().as_bytes(), &direct);
}

#[test]
fn wraps_follow_the_destination() {
    let mut draft = plain_draft();
    let wraps = |draft: &HeaderDraft| draft.sign(&RustCrypto, &key(), b"").unwrap().header().wrap_count();
    assert_eq!(wraps(&draft), 0);
    draft.recipients = vec![NodeId::new([1; 32]), NodeId::new([2; 32])];
    assert_eq!(wraps(&draft), 2);
    draft.to = Destination::Unicast(node());
    assert_eq!(wraps(&draft), 2);
    draft.recipients.clear();
    assert_eq!(wraps(&draft), 1);
}

//! Payloads: round trips of every codec, every refusal by name, buffers shared rather than copied.

use bytes::Bytes;
use crosscast_wire::cbor::{CborError, Writer};
use crosscast_wire::limits::{ENTRY_MAX, MANIFEST_PARTS_MAX, PAYLOAD_MAX, SEALED_INNER_MAX, WRAP_MAX};
use crosscast_wire::{
    Aead, Class, Codec, ContentKeyId, Crypto as _, Entries, Entry, EntryMeta, HeaderDraft, Headroom, Manifest, Message,
    MessageError, NodeId, Payload, PayloadError, PayloadHash, Plaintext, RustCrypto, Sealed, SealedDraft, Suite,
    assemble_in_place, encode_entries, padded_len,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::make::{cases, change, changes, entry, key, plain_draft};

const KEY_ID: ContentKeyId = ContentKeyId::new([8; 8]);

fn bytes(write: impl Fn(&mut Writer) -> &mut Writer) -> Bytes {
    let mut writer = Writer::new();
    write(&mut writer);
    writer.into_bytes().into()
}

fn plain_entries(count: usize, len: usize) -> Vec<Entry> {
    vec![Entry::new(vec![7; len].into()); count]
}

#[test]
fn entries_are_read_as_they_were_written() {
    let run = |entries: Vec<Entry>| {
        let payload = Bytes::from(encode_entries(&entries).unwrap());
        let bound = entries.iter().map(Entry::encoded_len_max).sum::<usize>() + 16;
        prop_assert!(payload.len() <= bound, "{} bytes, announced {}", payload.len(), bound);
        let decoded = Entries::decode(payload.clone(), entries.len() as u16).unwrap();
        prop_assert_eq!((decoded.len(), decoded.iter().len()), (entries.len(), entries.len()));
        for read in &decoded {
            let range = payload.as_ptr_range();
            prop_assert!(read.payload.is_empty() || range.contains(&read.payload.as_ptr()), "a payload was copied");
        }
        prop_assert_eq!(decoded.iter().collect::<Vec<_>>(), entries);
        Ok(())
    };
    TestRunner::new(cases(200)).run(&vec(entry(), 1..20), run).unwrap();
}

#[test]
fn changed_entries_are_refused_or_whole() {
    let run = |(entries, changes): (Vec<Entry>, Vec<(u16, u8)>)| {
        let mut payload = encode_entries(&entries).unwrap();
        change(&mut payload, &changes);
        let count = entries.len() as u16;
        if let Ok(decoded) = Entries::decode(payload.clone().into(), count) {
            let read: Vec<_> = decoded.iter().collect();
            prop_assert_eq!(read.len(), entries.len());
            // Whatever is accepted has one encoding, unless a key turned into one that is skipped.
            if encode_entries(&read).unwrap() != payload {
                prop_assert!(entries.iter().any(|entry| !entry.meta.is_empty()));
            }
        }
        Ok(())
    };
    TestRunner::new(cases(300)).run(&(vec(entry(), 1..6), changes()), run).unwrap();
}

#[test]
fn every_refusal_of_entries_has_its_name() {
    let decode = |payload: Bytes, count| Entries::decode(payload, count).map(|entries| entries.len());
    let two = || bytes(|w| w.array(2).array(2).uint(1).uint(2).bytes(b"abc"));
    assert_eq!(decode(two(), 2), Ok(2));
    for count in [0, 1, 3, 257] {
        assert_eq!(decode(two(), count), Err(PayloadError::EntryCount));
    }
    let cases: Vec<(Bytes, PayloadError)> = vec![
        (bytes(|w| w.array(2).array(2).uint(1).uint(2).bytes(b"ab")), PayloadError::BlobLength),
        (bytes(|w| w.array(2).array(2).uint(1).uint(1).bytes(b"abc")), PayloadError::BlobLength),
        (bytes(|w| w.array(2).array(2).uint(1).uint(ENTRY_MAX as u64 + 1)), PayloadError::EntryTooLong),
        (bytes(|w| w.array(2).array(2).uint(u64::MAX).uint(u64::MAX).bytes(b"")), PayloadError::EntryTooLong),
        (bytes(|w| w.array(1).array(2).uint(1).uint(2)), CborError::TooShort.into()),
        (bytes(|w| w.array(4).uint(0).uint(0).uint(0).uint(0)), CborError::TooLong.into()),
        (bytes(|w| w.array(2).array(2).uint(1).uint(2).text("abc")), CborError::WrongType.into()),
        (bytes(|w| w.array(2).array(2).uint(1).uint(2).bytes(b"abc").uint(0)), CborError::Trailing.into()),
        (bytes(|w| w.array(3).array(2).uint(1).uint(2).array(1).map(0)), PayloadError::MetaColumn),
        (bytes(|w| w.array(3).array(2).uint(1).uint(2).array(2).map(0).map(0).bytes(b"abc")), PayloadError::MetaColumn),
        (bytes(|w| w.array(3).array(2).uint(1).uint(2).array(2).uint(0).uint(0)), CborError::WrongType.into()),
        (meta_row(|w| w.uint(1).text("")), CborError::TooShort.into()),
        (meta_row(|w| w.uint(1).text(&"t".repeat(129))), CborError::TooLong.into()),
        (meta_row(|w| w.uint(0).text("")), CborError::TooShort.into()),
        (meta_row(|w| w.uint(2).bytes(&[])), CborError::TooShort.into()),
        (meta_row(|w| w.uint(2).bytes(&[0; 65])), CborError::TooLong.into()),
        (meta_row(|w| w.uint(3).bytes(&[0; 31])), CborError::TooShort.into()),
        (meta_row(|w| w.uint(4).bytes(&[0; 17])), CborError::TooLong.into()),
        (meta_row(|w| w.uint(5).uint(0)), CborError::UnknownCriticalKey(5).into()),
        (meta_row(|w| w.uint(200).array(1).array(1).uint(0)), CborError::Depth.into()),
    ];
    for (at, (payload, error)) in cases.into_iter().enumerate() {
        assert_eq!(decode(payload, 2), Err(error), "case {at}");
    }
    // An ignorable key is passed over, and counts as something in the row.
    assert_eq!(decode(meta_row(|w| w.uint(200).array(0)), 2), Ok(2));
}

/// Two entries, the second with one pair of metadata.
fn meta_row(pair: impl Fn(&mut Writer) -> &mut Writer) -> Bytes {
    bytes(|w| {
        w.array(3).array(2).uint(1).uint(2).array(2).map(0).map(1);
        pair(w);
        w.bytes(b"abc")
    })
}

#[test]
fn entries_that_fit_no_payload_are_refused_before_they_travel() {
    assert_eq!(encode_entries(&[]), Err(PayloadError::EntryCount));
    assert_eq!(encode_entries(&plain_entries(257, 1)), Err(PayloadError::EntryCount));
    assert_eq!(encode_entries(&plain_entries(1, ENTRY_MAX + 1)), Err(PayloadError::EntryTooLong));
    assert_eq!(encode_entries(&plain_entries(4, ENTRY_MAX)), Err(PayloadError::TooLong));
    assert_eq!(encode_entries(&plain_entries(5, ENTRY_MAX)), Err(PayloadError::TooLong));
    assert!(encode_entries(&plain_entries(3, ENTRY_MAX)).is_ok());
    assert!(encode_entries(&plain_entries(256, 0)).is_ok());
    let with = |meta: EntryMeta| encode_entries(&[Entry { meta, payload: Bytes::new() }]);
    let topic = |len: usize| EntryMeta { topic: Some("t".repeat(len)), ..EntryMeta::default() };
    assert_eq!(with(topic(0)), Err(CborError::TooShort.into()));
    assert_eq!(with(topic(129)), Err(CborError::TooLong.into()));
    assert!(with(topic(128)).is_ok());
}

fn draft_of(codec: Codec, class: Class) -> HeaderDraft {
    HeaderDraft { codec, class, ..plain_draft() }
}

#[test]
fn a_message_may_nest_one_message_and_no_more() {
    let innermost = plain_draft().sign(&RustCrypto, &key(), &encode_entries(&plain_entries(1, 3)).unwrap()).unwrap();
    let nesting = draft_of(Codec::Nested, Class::Normal).sign(&RustCrypto, &key(), innermost.bytes()).unwrap();
    assert_eq!(Payload::of_message(&nesting), Ok(Payload::Nested(Box::new(innermost))));
    let deeper = draft_of(Codec::Nested, Class::Normal).sign(&RustCrypto, &key(), nesting.bytes()).unwrap();
    assert_eq!(Payload::of_message(&deeper), Err(PayloadError::NestedTooDeep));
    let broken = draft_of(Codec::Nested, Class::Normal).sign(&RustCrypto, &key(), b"").unwrap();
    let truncated = PayloadError::Nested(MessageError::Cbor(CborError::Truncated));
    assert_eq!(Payload::of_message(&broken), Err(truncated));
}

#[test]
fn a_manifest_adds_up() {
    let manifest = Manifest::new(2049, 1024, vec![[1; 32], [2; 32], [3; 32]], Some("image/png".into())).unwrap();
    assert_eq!(Manifest::parse(&manifest.encode()), Ok(manifest.clone()));
    let message = draft_of(Codec::Manifest, Class::Bulk).sign(&RustCrypto, &key(), &manifest.encode()).unwrap();
    assert_eq!(Payload::of_message(&message), Ok(Payload::Manifest(manifest)));
    let new = |total, part, count| Manifest::new(total, part, vec![[0; 32]; count], None).map(|_| ());
    assert_eq!(new(3072, 1024, 3), Ok(()));
    for (total, part, count) in [
        (3073, 1024, 3),
        (2048, 1024, 3),
        (0, 1024, 0),
        (0, 1024, 1),
        (1, 0, 1),
        (1, PAYLOAD_MAX as u32 + 1, 1),
        (MANIFEST_PARTS_MAX as u64 + 1, 1, MANIFEST_PARTS_MAX + 1),
    ] {
        assert_eq!(new(total, part, count), Err(PayloadError::ManifestParts), "{total} in {count} times {part}");
    }
    assert_eq!(Manifest::new(1, 1, vec![[0; 32]], Some(String::new())), Err(CborError::TooShort.into()));
    let largest = Manifest::new(MANIFEST_PARTS_MAX as u64, 1, vec![[0; 32]; MANIFEST_PARTS_MAX], None).unwrap();
    assert!(largest.encode().len() <= PAYLOAD_MAX);
    let unknown = bytes(|w| w.map(4).uint(0).uint(1).uint(1).uint(1).uint(2).array(1).bytes(&[0; 32]).uint(4).uint(0));
    assert_eq!(Manifest::parse(&unknown), Err(CborError::UnknownCriticalKey(4).into()));
}

#[test]
fn a_seal_is_taken_apart_as_it_was_put_together() {
    let strategy = (vec(any::<u8>(), 0..2000), vec(vec(any::<u8>(), 1..=WRAP_MAX), 0..=32), any::<bool>());
    let run = |(inner, wraps, padded): (Vec<u8>, Vec<Vec<u8>>, bool)| {
        let nonce = [3; 24];
        let suite = if padded { Suite::XAes256Gcm } else { Suite::XChaCha20Poly1305 };
        let wrapped = !wraps.is_empty();
        let mut draft =
            SealedDraft::new(suite, &KEY_ID, &nonce, wrapped, (Codec::Entries, &inner[..]), padded).unwrap();
        let (aead, key) = (Aead::ChaCha20Poly1305, [1; 32]);
        prop_assert!(RustCrypto.seal_in_place(aead, &key, &[0; 12], b"aad", &mut draft.buffer, draft.from));
        let payload = Bytes::from(draft.finish(&wraps).unwrap());
        let sealed = Sealed::parse(&payload, wraps.len()).unwrap();
        prop_assert_eq!((sealed.suite, sealed.key_id, sealed.nonce), (suite, KEY_ID, nonce));
        prop_assert_eq!(&sealed.wraps, &wraps);
        prop_assert_eq!(Sealed::parse(&payload, wraps.len() + 1), Err(PayloadError::WrapCount));
        let plain = RustCrypto.open(aead, &key, &[0; 12], b"aad", &sealed.ciphertext).unwrap();
        if padded {
            prop_assert_eq!(plain.len(), padded_len(inner.len() + 5));
        }
        let read = Plaintext::parse(plain.into(), padded).unwrap();
        prop_assert_eq!((read.codec, read.payload), (Codec::Entries, inner.into()));
        Ok(())
    };
    TestRunner::new(cases(200)).run(&strategy, run).unwrap();
}

/// A seal that encrypts nothing, around entries that lie in a message's buffer.
fn sealed_in_place(draft: &HeaderDraft, inner: Headroom) -> Headroom {
    let wraps = vec![[1; WRAP_MAX]; draft.recipients.len()];
    let (inner, padded) = ((Codec::Entries, inner), draft.class != Class::Bulk);
    let sealed = SealedDraft::new(Suite::XAes256Gcm, &KEY_ID, &[0; 24], !wraps.is_empty(), inner, padded);
    let mut sealed = sealed.unwrap();
    sealed.buffer.extend_from_slice(&[0; 16]);
    sealed.finish(&wraps).unwrap()
}

#[test]
fn a_message_is_laid_out_in_the_buffer_that_it_travels_in() {
    let recipients: Vec<NodeId> = (1..=32).map(|byte| NodeId::new([byte; 32])).collect();
    let drafts = [
        plain_draft(),
        draft_of(Codec::Sealed, Class::Normal),
        draft_of(Codec::Sealed, Class::Bulk),
        HeaderDraft { recipients, ..draft_of(Codec::Sealed, Class::Normal) },
    ];
    for (draft, len) in drafts.iter().flat_map(|draft| [0, 20, 300, 60_000].map(|len| (draft, len))) {
        let entries = plain_entries(2, len);
        let encoded = encode_entries(&entries).unwrap();
        let inner = draft.lay_out(&draft.aad(), &entries).unwrap();
        assert_eq!(inner.as_slice(), encoded);
        let place = inner.as_slice().as_ptr() as usize;
        let payload = if draft.codec == Codec::Sealed { sealed_in_place(draft, inner) } else { inner };
        let header = draft.finish(payload.len(), &PayloadHash::of_payload(payload.as_slice())).unwrap();
        let message = Message::parse(assemble_in_place(&header.bytes, &[7; 64], payload)).unwrap();
        assert!(message.check_payload_hash() && message.signature() == &[7; 64]);
        let at = place.checked_sub(message.bytes().as_ptr() as usize).expect("the entries were moved");
        assert_eq!(message.bytes()[at..][..encoded.len()], encoded);
    }
}

#[test]
fn every_refusal_of_a_seal_has_its_name() {
    let seal = |suite: u64, nonce: usize, cipher: usize, wraps: Option<&[usize]>| {
        bytes(|w| {
            w.array(if wraps.is_some() { 5 } else { 4 }).uint(suite).bytes(&[8; 8]);
            w.bytes(&vec![0; nonce]).bytes(&vec![0; cipher]);
            if let Some(wraps) = wraps {
                w.array(wraps.len());
                for len in wraps {
                    w.bytes(&vec![1; *len]);
                }
            }
            w
        })
    };
    let parse = |payload: Bytes, wraps| Sealed::parse(&payload, wraps).map(|sealed| sealed.wraps.len());
    assert_eq!(parse(seal(1, 24, 16, None), 0), Ok(0));
    assert_eq!(parse(seal(2, 24, 16, Some(&[1, 160])), 2), Ok(2));
    assert_eq!(parse(seal(0, 24, 16, None), 0), Err(PayloadError::UnknownSuite(0)));
    assert_eq!(parse(seal(3, 24, 16, None), 0), Err(PayloadError::UnknownSuite(3)));
    assert_eq!(parse(seal(1, 23, 16, None), 0), Err(CborError::TooShort.into()));
    assert_eq!(parse(seal(1, 24, 15, None), 0), Err(CborError::TooShort.into()));
    assert_eq!(parse(seal(1, 24, 16, None), 1), Err(PayloadError::WrapCount));
    assert_eq!(parse(seal(1, 24, 16, Some(&[1])), 0), Err(PayloadError::WrapCount));
    assert_eq!(parse(seal(1, 24, 16, Some(&[1])), 2), Err(PayloadError::WrapCount));
    assert_eq!(parse(seal(1, 24, 16, Some(&[])), 1), Err(CborError::TooShort.into()));
    assert_eq!(parse(seal(1, 24, 16, Some(&[161])), 1), Err(CborError::TooLong.into()));
    assert_eq!(parse(seal(1, 24, 16, Some(&[0])), 1), Err(CborError::TooShort.into()));

    let new = |inner: &[u8], codec| SealedDraft::new(Suite::XAes256Gcm, &KEY_ID, &[0; 24], true, (codec, inner), true);
    assert_eq!(new(b"", Codec::Sealed).map(|_| ()), Err(PayloadError::InnerCodec(4)));
    assert_eq!(new(&vec![0; PAYLOAD_MAX], Codec::Entries).map(|_| ()), Err(PayloadError::TooLong));
    assert_eq!(new(b"", Codec::Entries).unwrap().finish(&[[0; 161]]), Err(PayloadError::WrapCount));
    assert_eq!(new(b"", Codec::Entries).unwrap().finish(&[[0; 1]; 33]), Err(PayloadError::WrapCount));
}

#[test]
fn the_largest_inner_payload_fits_with_every_wrap_and_the_next_length_does_not() {
    let finish = |len: usize| {
        let inner = vec![0; len];
        let mut draft =
            SealedDraft::new(Suite::XAes256Gcm, &KEY_ID, &[0; 24], true, (Codec::Entries, &inner[..]), true).unwrap();
        draft.buffer.extend_from_slice(&[0; 16]);
        draft.finish(&[[0; WRAP_MAX]; 32])
    };
    assert!(finish(SEALED_INNER_MAX).is_ok());
    assert_eq!(finish(SEALED_INNER_MAX + 1), Err(PayloadError::TooLong));
}

#[test]
fn a_plaintext_has_one_form() {
    let plain = |codec: u8, len: u32, rest: &[u8]| Bytes::from([&[codec], &len.to_be_bytes()[..], rest].concat());
    let parse = |plaintext: Bytes, padded| Plaintext::parse(plaintext, padded).map(|plain| plain.payload.len());
    // 5 + 4 bytes are padded to 10.
    assert_eq!(padded_len(9), 10);
    assert_eq!(parse(plain(1, 4, b"abcd\0"), true), Ok(4));
    assert_eq!(parse(plain(1, 4, b"abcd"), false), Ok(4));
    assert_eq!(parse(plain(1, 4, b"abcd\0"), false), Err(PayloadError::InnerLength));
    assert_eq!(parse(plain(1, 4, b"abcd"), true), Err(PayloadError::InnerLength));
    assert_eq!(parse(plain(1, 4, b"abcd\0\0"), true), Err(PayloadError::InnerLength));
    assert_eq!(parse(plain(1, 4, b"abcd\x01"), true), Err(PayloadError::Padding));
    assert_eq!(parse(plain(1, 5, b"abcd"), false), Err(PayloadError::InnerLength));
    assert_eq!(parse(plain(1, u32::MAX, b"abcd"), true), Err(PayloadError::InnerLength));
    assert_eq!(parse(plain(0, 4, b"abcd"), false), Err(PayloadError::InnerCodec(0)));
    assert_eq!(parse(plain(4, 4, b"abcd"), false), Err(PayloadError::InnerCodec(4)));
    assert_eq!(parse(Bytes::from_static(b"\x01\0\0\0"), false), Err(PayloadError::InnerLength));
}

#[test]
fn what_was_under_a_seal_is_read_by_the_class_of_its_message() {
    let inner = encode_entries(&plain_entries(1, 4)).unwrap();
    for (class, other) in [(Class::Bulk, true), (Class::Normal, false)] {
        let message: Message = draft_of(Codec::Sealed, class).sign(&RustCrypto, &key(), b"").unwrap();
        let plaintext = |padded| {
            let nonce = [0; 24];
            let inner = (Codec::Entries, &inner[..]);
            let draft = SealedDraft::new(Suite::XAes256Gcm, &KEY_ID, &nonce, false, inner, padded);
            let draft = draft.unwrap();
            Bytes::from(draft.buffer).slice(draft.from..)
        };
        let entries = Entries::decode(inner.clone().into(), 1).unwrap();
        assert_eq!(Payload::of_plaintext(&message, plaintext(!other)), Ok(Payload::Entries(entries)));
        assert_eq!(Payload::of_plaintext(&message, plaintext(other)), Err(PayloadError::InnerLength));
    }
}

#[test]
fn padding_shows_few_lengths_and_costs_at_most_an_eighth() {
    let mut lengths = std::collections::BTreeSet::new();
    for len in 0..=PAYLOAD_MAX {
        let padded = padded_len(len);
        assert!(padded >= len && padded_len(padded) == padded, "{len}");
        assert!((padded - len) * 100 <= padded * 12, "{len} becomes {padded}");
        lengths.insert(padded);
    }
    assert!(lengths.len() < 400, "{} lengths", lengths.len());
}

//! Targets for canonical CBOR, messages, payloads, and the text of keys and locators.
//!
//! Where a format allows keys that are skipped, what is written again may be shorter than what was read, never different
//! at the same length. The first bytes of some inputs choose what the format's caller would know from elsewhere.

use bytes::Bytes;
use crosscast_wire::cbor::Reader;
use crosscast_wire::limits::{ENTRIES_MAX, PAYLOAD_MAX, RECIPIENTS_MAX};
use crosscast_wire::{
    ContentKeyId, Entries, GroupId, Header, HeaderDraft, Locator, Manifest, Message, MessageId, NodeId, Payload,
    Plaintext, RustCrypto, Sealed, SealedDraft, ServiceId, Suite, encode_entries,
};

/// One value of the profile: ciborium reads it too, and writes the same bytes.
pub fn cbor(data: &[u8]) {
    let mut reader = Reader::new(data);
    if reader.skip_value().is_err() {
        return;
    }
    let value = &data[..reader.position()];
    assert_eq!(reader.rest(), &data[value.len()..]);
    let theirs: ciborium::Value = ciborium::de::from_reader(value).expect("ciborium reads what we accept");
    let mut again = Vec::new();
    ciborium::ser::into_writer(&theirs, &mut again).expect("a vector takes everything");
    assert_eq!(again, value, "a value with two encodings");
}

/// A whole message: its parts lie where they should, and the header is written again alike.
pub fn message(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(message) = Message::parse(bytes.clone()) else { return };
    let header = message.header();
    let parts = [message.header_bytes(), message.signature(), message.payload_bytes()].concat();
    assert_eq!(parts, data);
    assert_eq!(message.bytes(), &bytes);
    assert_eq!(message.id(), MessageId::of_header(message.header_bytes()));
    assert_eq!(Header::parse_prefix(data), Ok((header.clone(), message.header_bytes().len())));
    let draft = HeaderDraft {
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
    let again = draft.finish(message.payload().len(), &header.payload_hash).expect("a legal header is a legal draft");
    let (before, ignorable) = message.aad_parts();
    assert_eq!(draft.aad(), before);
    assert_eq!(again.bytes == message.header_bytes(), ignorable.is_empty());
    let _ = message.verify_signature(&RustCrypto);
    let _ = Payload::of_message(&message);
    let _ = Payload::of_plaintext(&message, message.payload());
}

/// A payload of codec 1; the first byte chooses the number of entries, less one.
pub fn entries(data: &[u8]) {
    let Some((count, payload)) = data.split_first() else { return };
    let count = u16::from(*count) + 1;
    let Ok(entries) = Entries::decode(Bytes::copy_from_slice(payload), count) else { return };
    let list: Vec<_> = entries.iter().collect();
    assert_eq!(list.len(), usize::from(count));
    assert!(list.len() <= ENTRIES_MAX);
    if payload.len() <= PAYLOAD_MAX {
        one_encoding(payload, &encode_entries(&list).expect("what was read can be written"));
    }
}

/// A payload of codec 3.
pub fn manifest(data: &[u8]) {
    let Ok(manifest) = Manifest::parse(data) else { return };
    let again = manifest.encode();
    assert_eq!(Manifest::parse(&again).as_ref(), Ok(&manifest));
    one_encoding(data, &again);
}

/// A payload of codec 4; the first byte chooses the number of wraps.
pub fn sealed(data: &[u8]) {
    let Some((wraps, payload)) = data.split_first() else { return };
    let wraps = usize::from(*wraps) % (RECIPIENTS_MAX + 1);
    let payload = Bytes::copy_from_slice(payload);
    let Ok(sealed) = Sealed::parse(&payload, wraps) else { return };
    assert_eq!(sealed.wraps.len(), wraps);
    let range = payload.as_ptr_range();
    assert!(range.contains(&sealed.ciphertext.as_ptr()), "the ciphertext was copied");
    assert!(sealed.ciphertext.len() >= 16);
}

/// What lies under a seal; the first byte chooses whether it is padded.
pub fn plaintext(data: &[u8]) {
    let Some((padded, plain)) = data.split_first() else { return };
    let padded = padded & 1 == 1;
    let Ok(read) = Plaintext::parse(Bytes::copy_from_slice(plain), padded) else { return };
    let key_id = ContentKeyId::new([0; 8]);
    let inner = (read.codec, &read.payload[..]);
    let Ok(draft) = SealedDraft::new(Suite::XAes256Gcm, &key_id, &[0; 24], false, inner, padded) else {
        assert!(plain.len() > PAYLOAD_MAX);
        return;
    };
    assert_eq!(&draft.buffer[draft.from..], plain, "a plaintext with two forms");
}

/// Keys and locators: whatever is read has one text.
pub fn text(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let read = [
        NodeId::parse(text).map(|key| key.to_string()).ok(),
        GroupId::parse(text).map(|key| key.to_string()).ok(),
        ServiceId::parse(text).map(|key| key.to_string()).ok(),
        MessageId::parse(text).map(|id| id.to_string()).ok(),
        Locator::parse(text).map(|locator| locator.to_string()).ok(),
    ];
    for again in read.into_iter().flatten() {
        assert_eq!(again, text);
    }
    if let Ok(locator) = Locator::parse(text) {
        let _ = (locator.host_port(), locator.relay_target());
        let again = Locator::new(locator.scheme(), locator.address(), locator.node());
        assert_eq!(again, Ok(locator));
    }
}

/// Skipped keys may make it shorter; nothing else may differ.
fn one_encoding(read: &[u8], written: &[u8]) {
    assert!(written.len() < read.len() || written == read, "a value with two encodings");
}

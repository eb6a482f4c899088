//! What a machine's store gives away: the floor record in force, its keys, and the messages it keeps.
//!
//! The checks must not ask a machine what it thinks of itself. What it writes for a restart says which floor record it
//! holds and which content keys it has had, at the moment when that changes.

use bytes::Bytes;
use crosscast_port::{Space, Write};
use crosscast_seal::{ContentKey, open_payload, unwrap, wrap_prologue};
use crosscast_wire::cbor::Reader;
use crosscast_wire::{Crypto, Destination, FloorRecord, Grant, GroupId, Message, Payload, SecretKey};

/// What a store is told to keep of a group.
#[derive(Debug)]
pub(crate) struct KeptGroup {
    pub(crate) group: GroupId,
    pub(crate) floor: Option<FloorRecord>,
    /// The group's own key, where its maker keeps it.
    pub(crate) secret: Option<SecretKey>,
    /// Content keys, newest first.
    pub(crate) keys: Vec<[u8; 32]>,
}

/// Reads the record of a group; `None` for any other write.
pub(crate) fn group_of(write: &Write) -> Option<KeptGroup> {
    let Write::Put { space: Space::Group, key, value } = write else { return None };
    let group = GroupId::new(<[u8; 32]>::try_from(key.as_ref()).ok()?);
    let mut reader = Reader::new(value);
    reader.array().ok()?;
    reader.text().ok()?;
    let floor = FloorRecord::parse(reader.bytes().ok()?).ok();
    let secret = <[u8; 32]>::try_from(reader.bytes().ok()?).ok().map(SecretKey::new);
    let count = reader.array().ok()?;
    let mut keys = Vec::new();
    for _ in 0..count {
        keys.push(reader.fixed().ok()?);
    }
    Some(KeptGroup { group, floor, secret, keys })
}

/// The message that is added to a log; `None` for any other write.
pub(crate) fn message_of(write: &Write) -> Option<Message> {
    let Write::Append { log: _, item } = write else { return None };
    Message::parse(item.bytes.clone()).ok()
}

/// What lies under the seal of a group's message, when one of these keys opens it.
pub(crate) fn opened(crypto: &dyn Crypto, message: &Message, keys: &[[u8; 32]]) -> Option<Bytes> {
    let header = message.header();
    let Destination::Multicast(group) = header.to else { return None };
    let Ok(Payload::Sealed(sealed)) = Payload::of_message(message) else { return None };
    keys.iter().find_map(|key| {
        let key = ContentKey::new(*key).for_sender(group.as_bytes(), &header.from, header.instance);
        open_payload(crypto, &key, &message.aad(), &sealed).ok()
    })
}

/// Content keys in a grant to somebody whose prekey is known.
pub(crate) fn granted(crypto: &dyn Crypto, message: &Message, prekey: &[u8; 32]) -> Vec<[u8; 32]> {
    let header = message.header();
    let Destination::Unicast(node) = header.to else { return Vec::new() };
    let Ok(Payload::Sealed(sealed)) = Payload::of_message(message) else { return Vec::new() };
    let prologue = wrap_prologue(node.as_bytes(), &node, &header.from, header.instance);
    let plain = sealed.wraps.first().and_then(|wrap| unwrap(prekey, &prologue, wrap)).and_then(|content| {
        let key = content.for_sender(node.as_bytes(), &header.from, header.instance);
        open_payload(crypto, &key, &message.aad(), &sealed).ok()
    });
    let entries = plain.and_then(|plain| Payload::of_plaintext(message, plain).ok());
    let Some(Payload::Entries(entries)) = entries else { return Vec::new() };
    let grants = entries.iter().filter_map(|entry| Grant::parse(&entry.payload).ok());
    grants.flat_map(|grant| grant.into_fields().content_keys).map(|key| *key.expose()).collect()
}

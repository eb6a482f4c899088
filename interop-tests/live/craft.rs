//! Messages, keys and addresses made by hand, for peers that a suite moves itself.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bytes::Bytes;
use crosscast_wire::{
    Class, Codec, Destination, Entry, GroupId, HeaderDraft, Hop, Instance, Lane, NodeId, Order, RawFrame, RustCrypto,
    SecretKey, Seq, WallMillis, encode_entries,
};

/// A number that the environment may set.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

pub(crate) fn now() -> WallMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallMillis(u64::try_from(since.as_millis()).unwrap_or_default())
}

pub(crate) fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

/// A key of this process: the same for the same kind and number.
pub(crate) fn secret(kind: u8, number: u64) -> SecretKey {
    let mut bytes = [kind; 32];
    let seed = u64::from(std::process::id()) << 32 | number;
    bytes.iter_mut().zip(seed.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    SecretKey::new(bytes)
}

pub(crate) fn id(key: &SecretKey) -> NodeId {
    NodeId::new(key.public())
}

/// A header of a key to a group, for one entry, as of now.
pub(crate) fn draft(key: &SecretKey, group: GroupId, seq: u64) -> HeaderDraft {
    let time = now();
    HeaderDraft {
        to: Destination::Multicast(group),
        from: id(key),
        instance: Instance::new(1, 1),
        seq: Seq(seq),
        time,
        expires: WallMillis(time.0.saturating_add(600_000)),
        class: Class::Normal,
        order: Order::None,
        deps: Vec::new(),
        chain: None,
        recipients: Vec::new(),
        codec: Codec::Entries,
        count: 1,
    }
}

/// A message as its sender's own link carries it.
pub(crate) fn data(message: Bytes) -> RawFrame {
    Hop::new(0, 0, 0).frame(message, Lane::Normal)
}

/// A message with nothing wrong in it.
pub(crate) fn sound(key: &SecretKey, group: GroupId, seq: u64, text: &str) -> Result<RawFrame> {
    signed(draft(key, group, seq), key, text)
}

/// Signs a header over a text, properly.
pub(crate) fn signed(draft: HeaderDraft, key: &SecretKey, text: &str) -> Result<RawFrame> {
    let payload = encode_entries(&[Entry::new(Bytes::copy_from_slice(text.as_bytes()))])?;
    Ok(data(draft.sign(&RustCrypto, key, &payload)?.bytes().clone()))
}

/// For one thread's own peers.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// A loopback address that stands for one of a prefix of its own.
pub(crate) fn local(third: u8, fourth: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, third, fourth).into()
}

//! Messages and chains for the tests of the carrier.
//!
//! It needs nothing but `crosscast-wire`, so that tests outside this crate take it in by its path.

use crosscast_wire::{
    Capability, CapabilityFields, Chain, ChainHash, Class, Codec, Destination, Entry, FrameType, GroupId, HeaderDraft,
    Hop, Instance, Lane, Message, NodeId, Order, RawFrame, Rights, RustCrypto, SecretKey, Seq, WallMillis,
    encode_entries,
};

/// A message of class normal with an entry of so many bytes.
pub(crate) fn message(seq: u64, len: usize) -> Message {
    naming(None, seq, len)
}

/// As [`message`], by the right of the chain in [`chain`].
pub(crate) fn by_right(seq: u64, len: usize) -> Message {
    naming(Some(right().hash()), seq, len)
}

fn naming(chain: Option<ChainHash>, seq: u64, len: usize) -> Message {
    let key = SecretKey::new([7; 32]);
    let draft = HeaderDraft {
        to: Destination::Multicast(GroupId::new([9; 32])),
        from: NodeId::new(key.public()),
        instance: Instance::new(1, 2),
        seq: Seq(seq),
        time: WallMillis(1_000),
        expires: WallMillis(2_000),
        class: Class::Normal,
        order: Order::None,
        deps: Vec::new(),
        chain,
        recipients: Vec::new(),
        codec: Codec::Entries,
        count: 1,
    };
    let payload = encode_entries(&[Entry::new(vec![b'.'; len].into())]).unwrap();
    draft.sign(&RustCrypto, &key, &payload).unwrap()
}

/// The MESSAGE frame of a message, as its sender makes it.
pub(crate) fn frame(message: &Message) -> RawFrame {
    Hop::new(0, 0, 0).frame(message.bytes().clone(), Lane::Normal)
}

/// The CHAIN frame of the sender's right.
pub(crate) fn chain(lane: Lane) -> RawFrame {
    RawFrame::new(FrameType::CHAIN, lane, right().encode().into())
}

/// The right of the sender to publish.
fn right() -> Chain {
    let root = SecretKey::new([8; 32]);
    let fields = CapabilityFields {
        group: GroupId::new(root.public()),
        subject: NodeId::new(SecretKey::new([7; 32]).public()),
        rights: Rights::PUBLISH,
        not_before: WallMillis(1),
        not_after: WallMillis(9_000),
        epoch: 0,
        rate_class: 0,
        depth_left: 0,
        issuer: NodeId::new(root.public()),
        invite: None,
    };
    let issued = Capability::issue(fields, &RustCrypto, &root).unwrap();
    Chain::new(vec![issued]).unwrap()
}

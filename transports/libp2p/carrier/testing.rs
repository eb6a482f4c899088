//! Messages and chains for the tests of the carrier.

use crosscast_wire::{
    Capability, CapabilityFields, Chain, ChainHash, Class, Codec, Destination, Entry, FrameType, GroupId, HeaderDraft,
    Hop, Instance, Lane, NodeId, Order, RawFrame, Rights, RustCrypto, SecretKey, Seq, WallMillis, encode_entries,
};

/// A MESSAGE frame of class normal with an entry of so many bytes.
pub(crate) fn message(seq: u64, len: usize) -> RawFrame {
    naming(None, seq, len)
}

/// As [`message`], by the right of a chain.
pub(crate) fn by_right(seq: u64, len: usize) -> RawFrame {
    naming(Some(capability().hash()), seq, len)
}

fn naming(chain: Option<ChainHash>, seq: u64, len: usize) -> RawFrame {
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
    let message = draft.sign(&RustCrypto, &key, &payload).unwrap();
    Hop::new(0, 0, 0).frame(message.bytes().clone(), Lane::Normal)
}

/// The CHAIN frame of that right.
pub(crate) fn chain(lane: Lane) -> RawFrame {
    RawFrame::new(FrameType::CHAIN, lane, capability().encode().into())
}

fn capability() -> Chain {
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

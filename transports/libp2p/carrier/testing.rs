//! Messages and chains for the tests of the carrier.

use bytes::Bytes;
use crosscast_wire::{
    Class, Codec, Destination, Entry, FrameType, GroupId, HeaderDraft, Hop, Instance, Lane, NodeId, Order, RawFrame,
    RustCrypto, SecretKey, Seq, WallMillis, encode_entries,
};

/// A MESSAGE frame of class normal with an entry of so many bytes.
pub(crate) fn message(seq: u64, len: usize) -> RawFrame {
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
        chain: None,
        recipients: Vec::new(),
        codec: Codec::Entries,
        count: 1,
    };
    let payload = encode_entries(&[Entry::new(vec![b'.'; len].into())]).unwrap();
    let message = draft.sign(&RustCrypto, &key, &payload).unwrap();
    Hop::new(0, 0, 0).frame(message.bytes().clone(), Lane::Normal)
}

/// A CHAIN frame, whose body is nobody's business here.
pub(crate) fn chain(lane: Lane) -> RawFrame {
    RawFrame::new(FrameType::CHAIN, lane, Bytes::from_static(&[0x81; 300]))
}

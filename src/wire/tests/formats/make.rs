//! What the tests draw their values from.

use bytes::Bytes;
use crosscast_wire::{
    ChainHash, Class, Codec, Destination, Entry, EntryMeta, GroupId, HeaderDraft, Instance, MessageId, NodeId, Order,
    SecretKey, Seq, WallMillis,
};
use proptest::collection::{btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// How many cases a property test runs: a number in the environment, or `default`.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    #[expect(clippy::disallowed_methods, reason = "the size of a test run is the environment's to say")]
    let wanted = std::env::var("CROSSCAST_PROPTEST_CASES").ok();
    let cases = wanted.map_or(default, |text| text.parse().expect("CROSSCAST_PROPTEST_CASES is a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Numbers near the places where the length of a head changes, and any other.
pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..30u64, 250..260u64, 65_530..65_540u64, (u64::from(u32::MAX) - 2)..(1 << 32) + 2, any::<u64>()]
}

pub(crate) fn key() -> SecretKey {
    SecretKey::new([0x42; 32])
}

pub(crate) fn node() -> NodeId {
    NodeId::new(key().public())
}

/// A plain multicast with one entry.
pub(crate) fn plain_draft() -> HeaderDraft {
    HeaderDraft {
        to: Destination::Multicast(GroupId::new([9; 32])),
        from: node(),
        instance: Instance(77),
        seq: Seq(1),
        time: WallMillis(1_700_000_000_000),
        expires: WallMillis(1_700_000_060_000),
        class: Class::Normal,
        order: Order::None,
        deps: Vec::new(),
        chain: None,
        recipients: Vec::new(),
        codec: Codec::Entries,
        count: 1,
    }
}

/// Any legal draft, signed by [`key`].
pub(crate) fn draft() -> impl Strategy<Value = HeaderDraft> {
    let ids = |max| btree_set(any::<[u8; 32]>(), 0..=max).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    let to = prop_oneof![
        any::<[u8; 32]>().prop_map(|key| Destination::Unicast(NodeId::new(key))),
        any::<[u8; 32]>().prop_map(|key| Destination::Multicast(GroupId::new(key))),
    ];
    let life = (0..1u64 << 50, 0..=30 * 24 * 3600 * 1000u64);
    let words = (select(Class::ALL), select(Order::ALL), select(Codec::ALL), 1..=256u16);
    let lists = (ids(16), of(any::<[u8; 32]>()), ids(32));
    (to, number(), number(), life, words, lists).prop_map(|(to, instance, seq, life, words, lists)| HeaderDraft {
        to,
        from: node(),
        instance: Instance(instance),
        seq: Seq(seq.max(1)),
        time: WallMillis(life.0),
        expires: WallMillis(life.0 + life.1),
        class: words.0,
        order: words.1,
        deps: lists.0.into_iter().map(MessageId::new).collect(),
        chain: lists.1.map(ChainHash::new),
        recipients: lists.2.into_iter().map(NodeId::new).collect(),
        codec: words.2,
        count: words.3,
    })
}

fn text(max: usize) -> impl Strategy<Value = String> {
    "[a-z/äß€]{1,40}".prop_filter("within bounds", move |text| text.len() <= max)
}

/// Any metadata; about every third is empty.
pub(crate) fn meta() -> impl Strategy<Value = EntryMeta> {
    let full =
        (of(text(128)), of(text(128)), of(vec(any::<u8>(), 1..=64)), of(any::<[u8; 32]>()), of(any::<[u8; 16]>()));
    prop_oneof![
        1 => Just(EntryMeta::default()),
        2 => full.prop_map(|(content_type, topic, correlation, reply_to, key)| EntryMeta {
            content_type,
            topic,
            correlation: correlation.map(Bytes::from),
            reply_to: reply_to.map(NodeId::new),
            key,
        }),
    ]
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    (meta(), vec(any::<u8>(), 0..300)).prop_map(|(meta, payload)| Entry { meta, payload: payload.into() })
}

/// A few changes to make to some bytes: where (as a share of the length), and what to.
pub(crate) fn changes() -> impl Strategy<Value = Vec<(u16, u8)>> {
    vec((any::<u16>(), any::<u8>()), 1..4)
}

pub(crate) fn change(bytes: &mut [u8], changes: &[(u16, u8)]) {
    let len = bytes.len();
    for (at, to) in changes {
        if let Some(byte) = bytes.get_mut(usize::from(*at) * len / 65_536) {
            *byte = *to;
        }
    }
}

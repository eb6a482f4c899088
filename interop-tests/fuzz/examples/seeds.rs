//! Writes the seeds of the corpus: one legal input or two for every shape a format has.
//!
//! `cargo run --example seeds`; the result is committed. Inputs that a fuzzer found go beside them under other names.

use bytes::Bytes;
use crosscast_wire::cbor::Writer;
use crosscast_wire::{
    ChainHash, Class, Codec, ContentKeyId, Destination, Domain, Entry, EntryMeta, GroupId, HeaderDraft, Instance,
    Manifest, Message, MessageId, NodeId, Order, PayloadHash, RustCrypto, SealedDraft, SecretKey, Seq, Suite,
    WallMillis, assemble, encode_entries,
};
use crosscast_wire::{Crypto as _, ServiceId};

fn main() -> std::io::Result<()> {
    for (target, name, data) in seeds() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(name), data)?;
    }
    Ok(())
}

fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    seeds.extend(cbor());
    seeds.extend(entries().map(|(name, count, payload)| ("entries", name, with_first(count, &payload))));
    seeds.extend(messages());
    let manifest = Manifest::new(2049, 1024, vec![[1; 32], [2; 32], [3; 32]], Some("image/png".into())).expect("legal");
    seeds.push(("manifest", "three-parts", manifest.encode()));
    seeds.push(("manifest", "one-part", Manifest::new(1, 1, vec![[1; 32]], None).expect("legal").encode()));
    seeds.push(("sealed", "to-a-group", with_first(0, &sealed(Suite::XChaCha20Poly1305, 0).0)));
    seeds.push(("sealed", "to-two", with_first(2, &sealed(Suite::XAes256Gcm, 2).0)));
    seeds.push(("plaintext", "padded", with_first(1, &sealed(Suite::XAes256Gcm, 0).1)));
    seeds.push(("plaintext", "unpadded", with_first(0, &[&[2, 0, 0, 0, 4], &b"abcd"[..]].concat())));
    let (a, b) = (NodeId::new([1; 32]), NodeId::new([2; 32]));
    for (name, text) in [
        ("node", a.to_string()),
        ("group", GroupId::new([3; 32]).to_string()),
        ("service", ServiceId::new([4; 32]).to_string()),
        ("message-id", MessageId::new([5; 32]).to_string()),
        ("tls", format!("tls://[::1]:443#{a}")),
        ("quic", "quic://host.example:65535".to_owned()),
        ("ygg", "ygg://[200::1]:7700".to_owned()),
        ("cjdns", "cjdns://[fc00::1]:7700".to_owned()),
        ("libp2p", "libp2p:/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW".to_owned()),
        ("relay", format!("relay:{a}/{b}")),
        ("memory", "memory:left".to_owned()),
    ] {
        seeds.push(("text", name, text.into_bytes()));
    }
    seeds
}

fn with_first(first: u8, rest: &[u8]) -> Vec<u8> {
    [&[first], rest].concat()
}

fn cbor() -> impl Iterator<Item = (&'static str, &'static str, Vec<u8>)> {
    let mut numbers = Writer::new();
    numbers.array(8);
    for number in [0, 23, 24, 255, 256, 65_536, 1 << 32, u64::MAX] {
        numbers.uint(number);
    }
    let mut nested = Writer::new();
    nested.map(3).uint(0).array(2).bytes(b"bytes").text("tëxt").uint(24).bool(true).uint(1 << 40);
    nested.map(1).uint(7).array(1).map(1).uint(300).bool(false);
    [("numbers", numbers), ("nested", nested)].into_iter().map(|(name, writer)| ("cbor", name, writer.into_bytes()))
}

fn entries() -> impl Iterator<Item = (&'static str, u8, Vec<u8>)> {
    let plain = Entry::new(Bytes::from_static(b"hello"));
    let meta = EntryMeta {
        content_type: Some("text/plain".into()),
        topic: Some("a/b".into()),
        correlation: Some(Bytes::from_static(&[1, 2, 3])),
        reply_to: Some(NodeId::new([7; 32])),
        key: Some([9; 16]),
    };
    let full = Entry { meta, payload: Bytes::from_static(b"world") };
    let encode = |entries: &[Entry]| encode_entries(entries).expect("legal");
    [
        ("one", 0, encode(std::slice::from_ref(&plain))),
        ("with-metadata", 1, encode(&[plain.clone(), full])),
        ("many", 255, encode(&vec![plain; 256])),
    ]
    .into_iter()
}

/// A sealed payload, and the plaintext in it.
fn sealed(suite: Suite, wraps: usize) -> (Vec<u8>, Vec<u8>) {
    let inner = encode_entries(&[Entry::new(Bytes::from_static(b"hello"))]).expect("legal");
    let key_id = ContentKeyId::new([8; 8]);
    let draft = SealedDraft::new(suite, &key_id, &[3; 24], wraps > 0, (Codec::Entries, &inner[..]), true);
    let mut draft = draft.expect("legal");
    let plain = draft.buffer[draft.from..].to_vec();
    draft.buffer.extend_from_slice(&[0xaa; 16]);
    (draft.finish(&vec![[5; 96]; wraps]).expect("legal").as_slice().to_vec(), plain)
}

fn messages() -> impl Iterator<Item = (&'static str, &'static str, Vec<u8>)> {
    let key = SecretKey::new([0x42; 32]);
    let draft = HeaderDraft {
        to: Destination::Multicast(GroupId::new([9; 32])),
        from: NodeId::new(key.public()),
        instance: Instance::new(1_700_000_000, 77),
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
    };
    let sign = |draft: &HeaderDraft, payload: &[u8]| draft.sign(&RustCrypto, &key, payload).expect("legal");
    let payload = encode_entries(&[Entry::new(Bytes::from_static(b"hello"))]).expect("legal");
    let plain = sign(&draft, &payload);
    let full = HeaderDraft {
        order: Order::Causal,
        deps: vec![MessageId::new([1; 32]), MessageId::new([2; 32])],
        chain: Some(ChainHash::new([6; 32])),
        recipients: vec![NodeId::new([1; 32]), NodeId::new([2; 32])],
        codec: Codec::Sealed,
        ..draft.clone()
    };
    let unicast = HeaderDraft {
        to: Destination::Unicast(NodeId::new([1; 32])),
        codec: Codec::Sealed,
        class: Class::Urgent,
        ..draft.clone()
    };
    let nested = HeaderDraft { codec: Codec::Nested, class: Class::Bulk, ..draft.clone() };
    [
        ("plain", plain.clone()),
        ("full", sign(&full, &sealed(Suite::XAes256Gcm, 2).0)),
        ("unicast", sign(&unicast, &sealed(Suite::XChaCha20Poly1305, 1).0)),
        ("nested", sign(&nested, plain.bytes())),
        ("ignorable-key", with_ignorable_key(&draft, &key, &payload)),
    ]
    .into_iter()
    .map(|(name, message)| ("message", name, message.bytes().to_vec()))
}

fn with_ignorable_key(draft: &HeaderDraft, key: &SecretKey, payload: &[u8]) -> Message {
    let hash = PayloadHash::of_payload(payload);
    let legal = draft.finish(payload.len(), &hash).expect("legal").bytes;
    // The head of the map counts one pair more.
    let mut writer = Writer::append_to(vec![legal[0] + 1]);
    writer.raw(&legal[1..]).uint(200).text("later");
    let header = writer.into_bytes();
    let signature = RustCrypto.sign(key, Domain::Message, &header);
    Message::parse(assemble(&header, &signature, &[payload])).expect("legal")
}

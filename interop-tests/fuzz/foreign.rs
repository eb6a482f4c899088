//! Targets for what other networks bring: introductions, what their daemons answer, and payloads of a carrier.
//!
//! Daemons have no one encoding, so for them the word is: what is shown is plain and short, lists are bounded, keys and
//! addresses belong together. The first 32 bytes of some inputs are the key of the node that was asked.

use bytes::Bytes;
use crosscast_cjdns::address::{NodeAddr, address_of as cjdns_address, is_address as is_cjdns, key_text};
use crosscast_cjdns::admin::fuzzing as cjdns;
use crosscast_cjdns::{CjdnsError, NodeSignature};
use crosscast_stream::overlay::{INTRODUCTION_MAX, Introduction};
use crosscast_wire::frame::body_max;
use crosscast_wire::{Chain, FrameType, Hop, Message, PeerFault, RawFrame, Rendezvous, WallMillis};
use crosscast_yggdrasil::{address_of, fuzzing as yggdrasil, is_address};
use serde_json::Value;

use crate::carrier::codec;

/// When NodeInfo is read: a moment in the lives of the markers that are seeds.
const NOW: WallMillis = WallMillis(1_700_000_000_000);

/// 2 min: how far clocks may differ that judge a marker (docs/spec/nodeinfo.md).
const SLACK_MS: u64 = 120_000;

/// An introduction: written again it says the same, and what comes out shorter had keys that are skipped.
pub fn introduction(data: &[u8]) {
    let Ok(introduction) = Introduction::parse(data) else { return };
    assert!(data.len() <= INTRODUCTION_MAX);
    assert!(introduction.key.is_some() || introduction.attestation.is_none());
    let again = introduction.to_bytes();
    assert!(again == data || again.len() < data.len(), "an introduction with two encodings");
    assert_eq!(Introduction::parse(&again), Ok(introduction));
}

/// An answer of a Yggdrasil daemon behind the key of the node that was asked for.
pub fn yggdrasil_answer(data: &[u8]) {
    let Some((asked, said)) = data.split_first_chunk::<32>() else { return };
    let end = yggdrasil::object_end([said]);
    for piece in [1, 7, said.len().max(1)] {
        assert_eq!(yggdrasil::object_end(said.chunks(piece)), end, "an end that depends on the pieces");
    }
    // Whatever a parser takes for an object ends where it does.
    let mut values = serde_json::Deserializer::from_slice(said).into_iter::<Value>();
    if let Some(Ok(Value::Object(_))) = values.next() {
        assert_eq!(end, Ok(Some(values.byte_offset())));
    }
    // As the client has it: nothing behind the end is read.
    let Ok(Some(end)) = end else { return };
    let said = &said[..end];
    let answer = yggdrasil::answer(said, asked);
    assert!(answer.nodes.iter().all(|key| address_of(key).is_some_and(is_address)));
    assert!(answer.counts.iter().all(|count| *count <= yggdrasil::ITEMS_MAX));
    for text in &answer.texts {
        assert!(text.len() <= yggdrasil::SAID_MAX + 40, "{} bytes to show", text.len());
        assert!(text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{text:?}");
    }
    if let Some(info) = answer.node_info {
        let range = said.as_ptr_range();
        assert!(range.contains(&info.as_ptr()), "NodeInfo was copied");
        let _ = yggdrasil::node_info(info, asked, NOW);
    }
}

/// NodeInfo behind the key of the node it is of: a marker that holds does so for that key and in its life alone.
pub fn node_info(data: &[u8]) {
    let Some((asked, info)) = data.split_first_chunk::<32>() else { return };
    let Ok(info) = core::str::from_utf8(info) else { return };
    let read = |asked, now| yggdrasil::node_info(info, asked, WallMillis(now));
    match read(asked, NOW.0) {
        Ok(None) => assert_eq!(read(asked, u64::MAX), Ok(None), "a marker of one time only"),
        Ok(Some((_, port, until))) => {
            assert!(port > 0 && NOW.0 <= until.0.saturating_add(SLACK_MS));
            let mut other = *asked;
            other[31] ^= 1;
            assert_eq!(read(&other, NOW.0), Err(PeerFault::AttestationForeign));
            if let Some(after) = until.0.checked_add(SLACK_MS + 1) {
                assert_eq!(read(asked, after), Err(PeerFault::AttestationExpired));
                assert!(read(asked, after - 1).is_ok());
            }
        }
        Err(fault) => assert!(matches!(
            fault,
            PeerFault::AttestationForeign | PeerFault::AttestationForged | PeerFault::AttestationExpired
        )),
    }
}

/// A datagram of cjdns's admin port: written again it says the same to every reader.
pub fn cjdns_answer(data: &[u8]) {
    let Ok(reply) = cjdns::reply(data) else { return };
    assert!(reply.written.len() <= data.len(), "writing made it longer");
    assert_eq!(cjdns::reply(&reply.written).as_ref(), Ok(&reply));
    // A dictionary ends the text, so no part of it is one.
    assert!(cjdns::reply(&data[..data.len() - 1]).is_err());
    assert!(reply.handles.len() + reply.nodes.len() <= data.len());
    if let Some(own) = reply.own {
        assert!(is_cjdns(own.address) && cjdns_address(&own.key) == Some(own.address));
    }
    for node in &reply.nodes {
        assert!(is_cjdns(node.address) && cjdns_address(&node.key) == Some(node.address));
        let text = format!("v{}.{}.{}", node.version, node.path, key_text(&node.key));
        assert_eq!(NodeAddr::parse(text.as_bytes()), Some(*node));
    }
    if let Some(signature) = reply.signature {
        assert_eq!(NodeSignature::parse(signature.to_string().as_bytes()), Some(signature));
        let _ = signature.signer_of(data);
    }
    for error in &reply.errors {
        let text = error.to_string();
        assert!(text.len() <= 200 && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{text:?}");
        assert!(!matches!(error, CjdnsError::System(_) | CjdnsError::NoRandomness), "nobody was asked");
    }
}

/// A payload of a carrier: laid out again it is the same bytes, and its frames are those that a link would bring.
pub fn carrier(data: &[u8]) {
    // Whether a text is a topic is asked of whatever comes in.
    if let Ok(text) = core::str::from_utf8(data)
        && codec::is_topic(text)
    {
        assert_eq!(text.len(), codec::topic(&Rendezvous::new([0; 32])).len());
    }
    let Ok(payload) = codec::decode(data.to_vec()) else { return };
    assert!(data.len() <= codec::PAYLOAD_MAX);
    assert_eq!(codec::encode(&payload).as_deref(), Some(data), "a payload with two layouts");
    let body = |frame: &RawFrame| -> Bytes {
        assert!(frame.head.is_empty() && frame.body_len() <= body_max(frame.frame_type));
        frame.tail.clone()
    };
    let message = body(&payload.message);
    assert_eq!(payload.message.frame_type, FrameType::MESSAGE);
    let (hop, message) = Hop::split(&message).expect("a hop map that was read is one");
    assert_eq!(hop, Hop::new(0, 0, 0));
    assert!(payload.message.tail.starts_with(&hop.encode()), "a hop map with another encoding");
    let named = payload.chain.as_ref().map(|chain| {
        assert_eq!((chain.frame_type, chain.lane), (FrameType::CHAIN, payload.message.lane));
        Chain::parse(&body(chain)).expect("a chain that was read is one").hash()
    });
    if let Ok(message) = Message::parse(message) {
        assert_eq!(message.header().class.lane(), payload.message.lane);
        assert_eq!(message.header().chain, named);
    }
}

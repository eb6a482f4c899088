//! What the decoder makes of a vector's bytes: the fields it reads, or the name of its refusal.
//!
//! A thing is valid when it parses, its signatures hold and its hashes match. Absent fields are left out, byte strings
//! are hexadecimal, words are their wire numbers.

mod records;

use bytes::Bytes;
use crosscast_stream::overlay::Introduction;
use crosscast_transport::framing::FragmentReader;
use crosscast_wire::hello::{proof_bytes, transcript, verify_proof};
use crosscast_wire::{
    CborError, Chain, Crypto as _, Domain, Entries, Equivocation, FloorRecord, Frame, FrameType, GroupId, Header,
    Hello, HelloFields, JoinRequest, Lane, Locate, Manifest, Message, MessageError, MessageId, NodeId, Payload,
    Plaintext, RawFrame, RustCrypto, Scheme, Sealed, ServiceId, ShortId, Successor, cbor,
};
use serde_json::{Value, json};

use records::{
    attestation, capability, chain, equivocation, floor, grant, join_request, locate, peer_record, service_record,
    successor, ticket,
};

use crate::reason;
use crate::values::{Object, from_hex, hex};

const CRYPTO: RustCrypto = RustCrypto;

/// Reads `bytes` as a `kind` in a `context`.
///
/// # Errors
/// The name of the refusal; a sentence with a colon when kind or context make no sense.
pub fn judge(kind: &str, context: &Value, bytes: &[u8]) -> Result<Value, String> {
    match kind {
        "key-text" => key_text(bytes),
        "derive" => derive(context, bytes),
        "short-id" => short_id(context, bytes),
        "cbor" => cbor_value(bytes),
        "signature" => signature(context, bytes),
        "header" => header(bytes),
        "message" => message(bytes),
        "message-id" => {
            Message::parse(owned(bytes)).map(|m| Object::default().bytes("id", m.id()).done()).map_err(name)
        }
        "entries" => entries(context, bytes),
        "nested" => nested(bytes),
        "manifest" => manifest(bytes),
        "sealed" => sealed(context, bytes),
        "plaintext" => plaintext(context, bytes),
        "capability" => capability(bytes),
        "chain" => chain(&Chain::parse(bytes).map_err(name)?),
        "floor" => floor(&FloorRecord::parse(bytes).map_err(name)?),
        "peer-record" => peer_record(bytes),
        "service-record" => service_record(bytes),
        "successor" => successor(&Successor::parse(bytes).map_err(name)?),
        "attestation" => attestation(context, bytes),
        "join-request" => join_request(&JoinRequest::parse(bytes).map_err(name)?),
        "locate" => locate(&Locate::parse(bytes).map_err(name)?),
        "equivocation" => equivocation(&Equivocation::parse(bytes).map_err(name)?),
        "grant" => grant(bytes),
        "hello" => Hello::parse(owned(bytes)).map(|hello| hello_fields(hello.fields())).map_err(name),
        "proof" => proof(context, bytes),
        "introduction" => introduction(bytes),
        "frame" => frame(context, bytes),
        "stream" => stream(bytes),
        "ticket" => ticket(bytes),
        other => Err(format!("no such kind: {other}")),
    }
}

fn name(error: impl core::fmt::Debug) -> String {
    reason::of(&error)
}

fn owned(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn holds(signature_holds: bool) -> Result<(), String> {
    if signature_holds { Ok(()) } else { Err("bad-signature".to_owned()) }
}

fn given<T>(value: Option<T>, what: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("context lacks: {what}"))
}

fn given_text<'a>(context: &'a Value, what: &str) -> Result<&'a str, String> {
    given(context.get(what).and_then(Value::as_str), what)
}

fn given_bytes(context: &Value, what: &str) -> Result<Vec<u8>, String> {
    given(from_hex(given_text(context, what)?), what)
}

fn given_key(context: &Value, what: &str) -> Result<[u8; 32], String> {
    given(given_bytes(context, what)?.try_into().ok(), what)
}

fn given_number(context: &Value, what: &str) -> Result<u64, String> {
    given(context.get(what).and_then(Value::as_u64), what)
}

fn given_bool(context: &Value, what: &str) -> Result<bool, String> {
    given(context.get(what).and_then(Value::as_bool), what)
}

fn key_text(bytes: &[u8]) -> Result<Value, String> {
    let text = core::str::from_utf8(bytes).map_err(|_| "alphabet".to_owned())?;
    // Whoever reads a key knows which kind it needs; here the text says it.
    let key = match text.get(..2) {
        Some("cg") => *GroupId::parse(text).map_err(name)?.as_bytes(),
        Some("cs") => *ServiceId::parse(text).map_err(name)?.as_bytes(),
        Some(_) | None => *NodeId::parse(text).map_err(name)?.as_bytes(),
    };
    Ok(Object::default().set("kind", text.get(..2)).bytes("key", key).done())
}

fn derive(context: &Value, bytes: &[u8]) -> Result<Value, String> {
    let hash = blake3::derive_key(given_text(context, "context")?, bytes);
    Ok(Object::default().bytes("hash", hash).done())
}

fn short_id(context: &Value, bytes: &[u8]) -> Result<Value, String> {
    let id = MessageId::new(given(bytes.try_into().ok(), "a message id")?);
    Ok(Object::default().bytes("short_id", ShortId::of_message(&given_key(context, "link_key")?, &id)).done())
}

fn cbor_value(bytes: &[u8]) -> Result<Value, String> {
    let read = || {
        let mut reader = cbor::Reader::new(bytes);
        reader.skip_value()?;
        reader.finish()
    };
    read().map(|()| json!({})).map_err(|error: CborError| name(error))
}

fn signature(context: &Value, bytes: &[u8]) -> Result<Value, String> {
    let word = given_text(context, "domain")?;
    let domain = given(Domain::ALL.iter().find(|domain| domain.name() == word), "domain")?;
    let signature = given(bytes.try_into().ok(), "a signature")?;
    holds(CRYPTO.verify(&given_key(context, "key")?, *domain, &given_bytes(context, "body")?, signature))?;
    Ok(json!({}))
}

fn header_fields(header: &Header) -> Object {
    Object::default()
        .set("version", 1)
        .set("kind", header.to.kind().number())
        .bytes("to", header.to.as_bytes())
        .bytes("from", header.from)
        .set("instance", header.instance.0)
        .set("seq", header.seq.0)
        .set("time", header.time.0)
        .set("expires", header.expires.0)
        .set("class", header.class.number())
        .set("order", header.order.number())
        .all_bytes("deps", &header.deps)
        .maybe("chain", header.chain.map(hex))
        .all_bytes("recipients", &header.recipients)
        .set("codec", header.codec.number())
        .set("count", header.count)
        .set("payload_length", header.payload_len)
        .bytes("payload_hash", header.payload_hash)
}

fn header(bytes: &[u8]) -> Result<Value, String> {
    let (header, len) = Header::parse_prefix(bytes).map_err(name)?;
    if len != bytes.len() {
        return Err(name(MessageError::Trailing));
    }
    Ok(header_fields(&header).bytes("id", MessageId::of_header(bytes)).done())
}

fn verified(message: &Message) -> Result<Value, String> {
    holds(message.verify_signature(&CRYPTO))?;
    if !message.check_payload_hash() {
        return Err("bad-payload-hash".to_owned());
    }
    let fields = header_fields(message.header());
    Ok(fields.bytes("id", message.id()).bytes("associated_data", message.aad()).done())
}

fn message(bytes: &[u8]) -> Result<Value, String> {
    verified(&Message::parse(owned(bytes)).map_err(name)?)
}

fn entries(context: &Value, bytes: &[u8]) -> Result<Value, String> {
    let count = u16::try_from(given_number(context, "count")?).map_err(|_| "context: count".to_owned())?;
    let entries = Entries::decode(owned(bytes), count).map_err(name)?;
    let rows = entries.iter().map(|entry| {
        Object::default()
            .bytes("payload", &entry.payload)
            .maybe("content_type", entry.meta.content_type)
            .maybe("topic", entry.meta.topic)
            .maybe("correlation", entry.meta.correlation.map(hex))
            .maybe("reply_to", entry.meta.reply_to.map(hex))
            .maybe("entry_key", entry.meta.key.map(hex))
            .done()
    });
    Ok(Object::default().set("entries", rows.collect::<Vec<_>>()).done())
}

fn nested(bytes: &[u8]) -> Result<Value, String> {
    // The rule against deeper nesting is the outer payload's, so the bytes are put where a payload stands.
    let outer = crate::cases::wrap_nested(bytes)?;
    match Payload::of_message(&outer).map_err(name)? {
        Payload::Nested(inner) => verified(&inner),
        Payload::Entries(_) | Payload::Manifest(_) | Payload::Sealed(_) => Err("context: not nested".to_owned()),
    }
}

fn manifest(bytes: &[u8]) -> Result<Value, String> {
    let manifest = Manifest::parse(bytes).map_err(name)?;
    let fields = Object::default().set("total_length", manifest.total_len()).set("part_length", manifest.part_len());
    Ok(fields.all_bytes("parts", manifest.parts()).maybe("content_type", manifest.content_type()).done())
}

fn sealed(context: &Value, bytes: &[u8]) -> Result<Value, String> {
    let wraps = usize::try_from(given_number(context, "wraps")?).map_err(|_| "context: wraps".to_owned())?;
    let sealed = Sealed::parse(&owned(bytes), wraps).map_err(name)?;
    let fields = Object::default().set("suite", sealed.suite.number()).bytes("key_id", sealed.key_id);
    Ok(fields
        .bytes("nonce", sealed.nonce)
        .bytes("ciphertext", &sealed.ciphertext)
        .all_bytes("wraps", &sealed.wraps)
        .done())
}

fn plaintext(context: &Value, bytes: &[u8]) -> Result<Value, String> {
    let inner = Plaintext::parse(owned(bytes), given_bool(context, "padded")?).map_err(name)?;
    Ok(Object::default().set("codec", inner.codec.number()).bytes("payload", &inner.payload).done())
}

fn hello_fields(fields: &HelloFields) -> Value {
    Object::default()
        .bytes("node", fields.node)
        .set("min_version", fields.versions.min())
        .set("max_version", fields.versions.max())
        .bytes("nonce", fields.nonce)
        .set("features", fields.features.bits())
        .set("max_message_bytes", fields.max_message_bytes)
        .set("credit", fields.credit.to_vec())
        .set("roles", fields.roles.bits())
        .set("instance", fields.instance.0)
        .set("wall_clock", fields.wall.0)
        .set("agent", fields.agent.clone())
        .maybe("peer_record", fields.peer_record)
        .all_text("overlay", &fields.overlay)
        .all_bytes("attestations", &fields.attestations)
        .bytes("prekey", fields.prekey)
        .maybe("name", fields.name.clone())
        .done()
}

fn proof(context: &Value, bytes: &[u8]) -> Result<Value, String> {
    let hellos = [given_bytes(context, "dialler")?, given_bytes(context, "listener")?];
    let [dialler, listener] = &hellos;
    let hash = transcript(dialler, listener);
    let node = |body: &[u8]| Hello::parse(owned(body)).map(|hello| hello.fields().node).map_err(name);
    let by_listener = given_bool(context, "by_listener")?;
    let (own, peer) = if by_listener { (node(listener)?, node(dialler)?) } else { (node(dialler)?, node(listener)?) };
    let scheme = given(Scheme::from_word(given_text(context, "scheme")?), "scheme")?;
    let signed = proof_bytes(scheme, by_listener, &given_bytes(context, "binding")?, &own, &peer, &hash);
    let signature = given(bytes.try_into().ok(), "a signature")?;
    holds(verify_proof(&CRYPTO, &own, &signed, signature))?;
    Ok(Object::default().bytes("transcript", hash).bytes("signed", signed).done())
}

fn introduction(bytes: &[u8]) -> Result<Value, String> {
    let read = Introduction::parse(bytes).map_err(name)?;
    let fields = Object::default().bytes("node", read.node).maybe("host_key", read.key.map(hex));
    Ok(fields.maybe("attestation", read.attestation.map(hex)).done())
}

fn frame(context: &Value, bytes: &[u8]) -> Result<Value, String> {
    let number = |what: &str| given_number(context, what).map(u8::try_from)?.map_err(|_| format!("context: {what}"));
    let lane = given(Lane::from_number(number("lane")?.into()), "lane")?;
    let raw = RawFrame::new(FrameType(number("type")?), lane, owned(bytes));
    frame_fields(&Frame::parse(&raw).map_err(|error| name(error.cause))?)
}

fn frame_fields(frame: &Frame) -> Result<Value, String> {
    let object = Object::default();
    Ok(match frame {
        Frame::Hello(hello) => return Ok(hello_fields(hello.fields())),
        Frame::Proof(signature) => object.bytes("signature", signature),
        Frame::Close { code, retry_after_ms, text } => object
            .set("code", code.number())
            .maybe("retry_after", (*retry_after_ms > 0).then_some(*retry_after_ms))
            .maybe("text", (!text.is_empty()).then(|| text.clone())),
        Frame::Ping { token } | Frame::Pong { token } => object.set("token", *token),
        Frame::Credit { lane, total } => object.set("lane", lane.number()).set("total", *total),
        Frame::Ack(counts) => {
            object.set("counts", counts.iter().map(|(lane, count)| json!([lane.number(), count])).collect::<Vec<_>>())
        }
        Frame::Refuse { lane, number, code } => {
            object.set("lane", lane.number()).set("number", *number).set("code", code.number())
        }
        Frame::Chain(links) => return chain(links),
        Frame::Floor { floor: record, chain: links } => {
            let links = links.as_ref().map(|links| chain(links)).transpose()?;
            object.set("floor", floor(record)?).maybe("chain", links)
        }
        Frame::Subscribe { group, on, chain } => {
            object.bytes("group", group).set("on", *on).maybe("chain", chain.map(hex))
        }
        Frame::Resume { group, windows, more } => {
            let row = |w: &crosscast_wire::ResumeWindow| json!([hex(w.from), w.instance.0, w.contiguous.0]);
            let object = object.bytes("group", group).set("windows", windows.iter().map(row).collect::<Vec<_>>());
            object.maybe("more", more.then_some(true))
        }
        Frame::Ask { hops, request } => object.set("hops", *hops).set("request", join_request(request)?),
        Frame::Locate { hops, locate: sought } => object.set("hops", *hops).set("locate", locate(sought)?),
        Frame::Equivocation(shown) => object.set("equivocation", equivocation(shown)?),
        Frame::Message { hop, message } => {
            let hop_fields = Object::default().set("tree", hop.tree).set("hops", hop.hops).set("age", hop.age_ms);
            let hop_fields = hop_fields.all_bytes("via", hop.via()).maybe("remaining", hop.remaining);
            let trail = Some(hop.trail.bits()).filter(|bits| *bits != 0);
            let hop_fields = hop_fields.maybe("trail", trail);
            object.set("hop", hop_fields.done()).set("message", verified(message)?)
        }
        Frame::Skipped(_) => object.set("skipped", true),
    }
    .done())
}

fn stream(bytes: &[u8]) -> Result<Value, String> {
    let mut frames = Vec::new();
    FragmentReader::new().push(bytes, &mut frames).map_err(name)?;
    let row = |frame: &RawFrame| {
        let object = Object::default().set("type", frame.frame_type.0).set("lane", frame.lane.number());
        object.bytes("body", &frame.tail).done()
    };
    Ok(Object::default().set("frames", frames.iter().map(row).collect::<Vec<_>>()).done())
}

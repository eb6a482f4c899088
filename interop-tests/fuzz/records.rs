//! Targets for hellos, records, chains, tickets and frames.
//!
//! What is signed is kept as it came, so for records the word is: the parts are the bytes, names are hashes of them, and
//! their bounds hold. What carries no signature is written again and has to say the same. The first two bytes of
//! a frame's input are its type and its lane.

use bytes::Bytes;
use crosscast_wire::frame::{self, body_max};
use crosscast_wire::{
    Attestation, AttestationDraft, Capability, Chain, FloorRecord, Frame, FrameType, Hello, Lane, Network, PeerRecord,
    RawFrame, RustCrypto, TRAIL_MAX, Ticket, Trail,
};

/// A hello: written again it says the same.
pub fn hello(data: &[u8]) {
    let Ok(hello) = Hello::parse(Bytes::copy_from_slice(data)) else { return };
    assert_eq!(hello.body(), data);
    let again = Hello::new(hello.fields().clone()).expect("what was read can be written");
    assert_eq!(again.fields(), hello.fields());
    assert_eq!(Hello::parse(again.body().clone()).as_ref().map(Hello::fields), Ok(hello.fields()));
}

/// A capability and a chain: the same links make the same chain, and a chain is never longer than three.
pub fn chain(data: &[u8]) {
    if let Ok(capability) = Capability::parse(data) {
        assert_eq!([capability.body(), capability.signature()].concat(), data);
        let _ = capability.verify(&RustCrypto);
    }
    let Ok(chain) = Chain::parse(data) else { return };
    assert!((1..=3).contains(&chain.depth()));
    assert_eq!(chain.encode(), data, "a chain with two encodings");
    assert_eq!(Chain::new(chain.links().cloned().collect()).as_ref(), Ok(&chain));
    assert!(chain.links().all(|link| link.fields().rights.contains(chain.rights())));
    let _ = chain.verify(&RustCrypto);
}

/// A floor record: its bounds hold and its bytes are kept.
pub fn floor(data: &[u8]) {
    let Ok(floor) = FloorRecord::parse(data) else { return };
    assert_eq!([floor.body(), floor.signature()].concat(), data);
    let fields = floor.fields();
    assert!(fields.number > 0 && fields.valid_until > fields.issued && fields.revoked.len() <= 32);
    assert!(fields.revoked.iter().all(|id| floor.revokes(id)));
    assert_eq!(floor.is_backed_by(None), fields.signer.is_none());
    let _ = floor.verify(&RustCrypto);
}

/// A peer record: its bounds hold and its bytes are kept.
pub fn peer_record(data: &[u8]) {
    let Ok(record) = PeerRecord::parse(data) else { return };
    assert_eq!([record.body(), record.signature()].concat(), data);
    let fields = record.fields();
    assert!(fields.locators.len() <= 16 && fields.attestations.len() <= 4 && data.len() <= 1024);
    assert!(record.locators().all(|locator| fields.locators.contains(&locator.to_string())));
    let _ = record.verify(&RustCrypto);
}

/// An attestation: its bounds hold, its bytes are kept, and its host signs one thing only.
pub fn attestation(data: &[u8]) {
    let Ok(attestation) = Attestation::parse(data) else { return };
    assert_eq!(attestation.bytes(), data);
    let fields = attestation.fields();
    assert!((128..=256).contains(&data.len()) && fields.not_before < fields.not_after);
    assert!(fields.network == Network::Cjdns || attestation.host_key() == fields.key);
    let draft = AttestationDraft::new(*fields).expect("what was read can be written");
    assert_eq!(draft.host_bytes().len() == 64, fields.network == Network::Cjdns);
    let _ = attestation.verify(&RustCrypto, &fields.node, fields.not_before);
}

/// A ticket: written again it says the same, and a second text for the same ticket has keys that are skipped.
pub fn ticket(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let Ok(ticket) = Ticket::parse(text) else { return };
    let again = ticket.to_text();
    assert!(again.len() <= text.len());
    assert!(again == text || again.len() < text.len(), "a ticket with two texts");
    assert_eq!(Ticket::parse(&again).map(|ticket| ticket.to_text()), Ok(again));
}

/// A frame: written again it says the same, and its bytes are bounded.
pub fn frame(data: &[u8]) {
    let [frame_type, lane, body @ ..] = data else { return };
    let Some(lane) = Lane::from_number(u64::from(lane % 4)) else { return };
    let frame_type = FrameType(*frame_type);
    let raw = RawFrame::new(frame_type, lane, Bytes::copy_from_slice(body));
    let (head, tail) = body.split_at(body.len() / 2);
    let pieces = RawFrame { frame_type, lane, head: Bytes::copy_from_slice(head), tail: Bytes::copy_from_slice(tail) };
    let parsed = Frame::parse(&raw);
    assert_eq!(parsed, Frame::parse(&pieces), "a body in two pieces reads otherwise");
    let Ok(parsed) = parsed else { return };
    assert!(body.len() <= body_max(frame_type));
    assert_eq!(parsed.frame_type(), frame_type);
    if let Frame::Message { hop, .. } = &parsed {
        trail(hop.trail);
    }
    if let Some(again) = written(&parsed) {
        let whole = RawFrame::new(frame_type, again.lane, [again.head.as_ref(), &again.tail].concat().into());
        assert_eq!(Frame::parse(&whole).as_ref(), Ok(&parsed));
        assert!(whole.body_len() <= body.len() || may_grow(&parsed), "writing made it longer");
    }
}

/// A trail: its networks make it again, where it names no others and has no gaps.
fn trail(trail: Trail) {
    let networks: Vec<_> = trail.networks().collect();
    assert!(networks.len() <= TRAIL_MAX);
    let again = networks.iter().fold(Trail::default(), |again, network| again.then(*network));
    assert!(again.bits() <= trail.bits() && again.networks().eq(networks));
    // A router adds the newest below and loses the oldest, whatever it was given.
    let longer: Vec<_> = trail.then(Network::Tls).networks().collect();
    assert_eq!(longer.last(), Some(&Network::Tls));
}

/// A hello's message limit is raised when it is read, so its number may be longer afterwards.
fn may_grow(frame: &Frame) -> bool {
    matches!(frame, Frame::Hello(_))
}

fn written(parsed: &Frame) -> Option<RawFrame> {
    match parsed {
        Frame::Hello(hello) => Some(frame::hello(hello)),
        Frame::Proof(signature) => Some(frame::proof(signature)),
        Frame::Close { code, retry_after_ms, text } => Some(frame::close(*code, *retry_after_ms, text)),
        Frame::Ping { token } => Some(frame::ping(*token)),
        Frame::Pong { token } => Some(frame::pong(*token)),
        Frame::Credit { lane, total } => frame::credit(*lane, *total),
        Frame::Ack(counts) => frame::ack(counts),
        Frame::Refuse { lane, number, code } => frame::refuse(*lane, *number, *code),
        Frame::Chain(chain) => Some(frame::chain(chain)),
        Frame::Floor { floor, chain } => Some(frame::floor(floor, chain.as_deref())),
        Frame::Subscribe { group, on, chain } => Some(frame::subscribe(group, *on, chain.as_ref())),
        Frame::Resume { group, windows, more: false } => frame::resume(group, windows.iter().copied()).pop(),
        Frame::Ask { hops, request } => Some(frame::ask(*hops, request)),
        Frame::Locate { hops, locate } => Some(frame::locate(*hops, locate)),
        Frame::Equivocation(shown) => Some(frame::equivocation(shown)),
        Frame::Message { hop, message } => Some(hop.frame(message.bytes().clone(), message.header().class.lane())),
        // The last page of several is never followed by another, so a page that announces one is not written alone.
        Frame::Resume { more: true, .. } | Frame::Skipped(_) => None,
    }
}

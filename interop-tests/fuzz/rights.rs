//! Targets for what asks for rights, grants them and hands them on: requests, locates, services, successors,
//! equivocations, grants.
//!
//! What is signed is kept as it came: the parts are the bytes, names are hashes of them, what one part says of another
//! holds. A grant is written again and has to say the same.

use crosscast_wire::{
    Equivocation, Grant, Header, JoinRequest, Locate, MessageId, Purpose, RequestId, RustCrypto, ServiceRecord,
    Successor,
};

/// A join request: invite and proof come together, and chain and successor are the asker's and the group's.
pub fn join_request(data: &[u8]) {
    let Ok(request) = JoinRequest::parse(data) else { return };
    assert_eq!([request.body(), request.signature()].concat(), data);
    assert_eq!(request.id(), RequestId::of_body(request.body()));
    let fields = request.fields();
    assert!(data.len() <= 3072 && fields.name.as_ref().is_none_or(|name| (1..=64).contains(&name.len())));
    assert!(fields.purpose == Purpose::Join || fields.chain.is_some());
    assert!(fields.chain.as_ref().is_none_or(|chain| chain.group() == fields.group));
    assert!(fields.successor.as_ref().is_none_or(|successor| successor.fields().new == fields.node));
    assert!(Locate::parse(data).is_err(), "a request that is a locate too");
    let again = JoinRequest::draft(fields).expect("what was read can be written");
    // Keys that are skipped make the original longer; without them there is one encoding.
    assert!(again.len() <= request.body().len() && (again == request.body() || again.len() < request.body().len()));
    let _ = (request.verify(&RustCrypto), request.verify_invite(&RustCrypto));
}

/// A locate: its bytes are kept, and its name is theirs.
pub fn locate(data: &[u8]) {
    let Ok(locate) = Locate::parse(data) else { return };
    assert_eq!([locate.body(), locate.signature()].concat(), data);
    assert_eq!(locate.id(), RequestId::of_body(locate.body()));
    let again = Locate::draft(locate.fields());
    assert!(again == locate.body() || again.len() < locate.body().len());
    let _ = locate.verify(&RustCrypto);
}

/// A service record: its bounds hold and its bytes are kept.
pub fn service_record(data: &[u8]) {
    let Ok(record) = ServiceRecord::parse(data) else { return };
    assert_eq!([record.body(), record.signature()].concat(), data);
    let fields = record.fields();
    assert!(fields.number > 0 && fields.valid_until > fields.issued && (1..=8).contains(&fields.nodes.len()));
    assert!(fields.nodes.iter().all(|node| record.is_served_by(node)));
    let again = ServiceRecord::draft(fields).expect("what was read can be written");
    assert!(again == record.body() || again.len() < record.body().len());
    let _ = record.verify(&RustCrypto);
}

/// A successor: two keys, and its bytes are kept.
pub fn successor(data: &[u8]) {
    let Ok(successor) = Successor::parse(data) else { return };
    assert_eq!([successor.body(), successor.signature()].concat(), data);
    assert_ne!(successor.fields().old, successor.fields().new);
    let again = Successor::draft(successor.fields()).expect("what was read can be written");
    assert!(again == successor.body() || again.len() < successor.body().len());
    let _ = successor.verify(&RustCrypto);
}

/// An equivocation: both headers are in its bytes, differ, and claim one number; the other order is refused.
pub fn equivocation(data: &[u8]) {
    // A header alone gets further than noise.
    if let Ok((header, len)) = Header::parse_prefix(data) {
        assert!(len <= data.len() && header.seq.0 > 0);
    }
    let Ok(shown) = Equivocation::parse(data) else { return };
    assert_eq!(shown.bytes(), data);
    let [a, b] = shown.ids();
    assert!(a < b && shown.seq().0 > 0 && data.len() <= 17_280);
    let holds = |id: &MessageId| {
        let at = |start: usize| {
            data.get(start..).and_then(|rest| Header::parse_prefix(rest).ok().map(|(h, len)| (h, len, rest)))
        };
        (0..data.len()).filter_map(at).any(|(header, len, rest)| {
            MessageId::of_header(&rest[..len]) == *id
                && (header.from, header.instance, header.to, header.seq)
                    == (shown.from(), shown.instance(), shown.to(), shown.seq())
        })
    };
    assert!(holds(&a) && holds(&b), "a header that is not in the bytes");
    let _ = shown.verify(&RustCrypto);
}

/// A grant: written again it says the same, and everything in it is of one group.
pub fn grant(data: &[u8]) {
    let Ok(grant) = Grant::parse(data) else { return };
    let fields = grant.fields();
    assert!(fields.content_keys.len() <= 4 && data.len() <= 8192 && fields.floor.fields().group == fields.group);
    let chains = [&fields.chain, &fields.floor_chain];
    assert!(chains.into_iter().flatten().all(|chain| chain.group() == fields.group));
    let again = grant.encode();
    assert!(*again == data || again.len() < data.len(), "a grant with two encodings");
    assert_eq!(Grant::parse(&again).map(|grant| grant.encode()), Ok(again));
    let _ = Grant::new(grant.into_fields()).expect("what was read can be written");
}

//! Equivocations: what convicts a sender, and what does not.

use crosscast_wire::{
    CborError, Crypto as _, Destination, Domain, Equivocation, EquivocationError, HeaderDraft, Instance, Message,
    MessageError, MessageId, NodeId, Seq, assemble, limits,
};
use proptest::prelude::*;

use crate::make::{cases, draft, key, node, plain_draft};
use crate::support::{CRYPTO, bytes, map, text, uint, with};

type Pairs = Vec<(u64, Vec<u8>)>;

/// A message of `draft` whose payload differs with `word`.
fn message(draft: &HeaderDraft, word: &[u8]) -> Message {
    draft.sign(&CRYPTO, &key(), word).unwrap()
}

/// Two messages with one number, the lower id first.
fn pair() -> [Message; 2] {
    let mut pair = [message(&plain_draft(), b"yes"), message(&plain_draft(), b"no")];
    pair.sort_by_key(Message::id);
    pair
}

fn pairs_of(a: &Message, b: &Message) -> Pairs {
    let header = |message: &Message| bytes(message.header_bytes());
    vec![(0, uint(1)), (1, header(a)), (2, bytes(a.signature())), (3, header(b)), (4, bytes(b.signature()))]
}

fn pairs() -> Pairs {
    let [a, b] = pair();
    pairs_of(&a, &b)
}

/// A header of `len` bytes that says what `draft` says and has a long ignorable value in it.
fn long_header(draft: &HeaderDraft, len: usize) -> Message {
    let plain = message(draft, b"");
    let header = plain.header_bytes();
    // The head of the map counts one pair more: key 128 in two bytes, a head of three, the value.
    let filled = len - header.len() - 5;
    let body = [&[header[0] + 1], &header[1..], &[0x18, 128], &bytes(&vec![0; filled])].concat();
    assert_eq!(body.len(), len);
    let signature = CRYPTO.sign(&key(), Domain::Message, &body);
    Message::parse(assemble(&body, &signature, &[])).unwrap()
}

#[test]
fn two_messages_with_one_number_convict_their_sender_in_either_order() {
    let [a, b] = pair();
    let shown = Equivocation::new(&a, &b).unwrap();
    assert_eq!(shown.bytes(), &map(&pairs()));
    assert_eq!(Equivocation::new(&b, &a).as_ref(), Ok(&shown));
    assert_eq!(Equivocation::parse(shown.bytes()).as_ref(), Ok(&shown));
    assert!(shown.verify(&CRYPTO));
    assert_eq!((shown.from(), shown.instance(), shown.seq()), (node(), Instance(77), Seq(1)));
    assert_eq!((shown.to(), shown.ids()), (plain_draft().to, [a.id(), b.id()]));
}

#[test]
fn headers_that_may_both_stand_convict_nobody() {
    let [a, _] = pair();
    let apart = |change: &dyn Fn(&mut HeaderDraft)| {
        let mut draft = plain_draft();
        change(&mut draft);
        let other = message(&draft, b"other");
        Equivocation::new(&a, &other).err()
    };
    assert_eq!(apart(&|_| ()), None);
    assert_eq!(apart(&|draft| draft.seq = Seq(2)), Some(EquivocationError::Apart));
    assert_eq!(apart(&|draft| draft.instance = Instance(78)), Some(EquivocationError::Apart));
    assert_eq!(
        apart(&|draft| draft.to = Destination::Multicast(crosscast_wire::GroupId::new([8; 32]))),
        Some(EquivocationError::Apart)
    );
    // A node and a group of the same bytes are two destinations.
    assert_eq!(apart(&|draft| draft.to = Destination::Unicast(NodeId::new([9; 32]))), Some(EquivocationError::Apart));
    let stranger = crosscast_wire::SecretKey::new([3; 32]);
    let draft = HeaderDraft { from: NodeId::new(stranger.public()), ..plain_draft() };
    let theirs = draft.sign(&CRYPTO, &stranger, b"no").unwrap();
    assert_eq!(Equivocation::new(&a, &theirs), Err(EquivocationError::Apart));
    assert_eq!(Equivocation::new(&a, &a), Err(EquivocationError::Same));
    // The same header under two signatures is one message.
    let forged = Message::parse(assemble(a.header_bytes(), &[9; 64], &[a.payload_bytes()])).unwrap();
    assert_eq!(Equivocation::new(&a, &forged), Err(EquivocationError::Same));
}

#[test]
fn a_forged_conviction_does_not_hold() {
    let [a, b] = pair();
    let forged = Message::parse(assemble(b.header_bytes(), a.signature(), &[b.payload_bytes()])).unwrap();
    assert!(!Equivocation::new(&a, &forged).unwrap().verify(&CRYPTO));
    assert!(!Equivocation::new(&forged, &a).unwrap().verify(&CRYPTO));
    for domain in Domain::ALL {
        let signature = CRYPTO.sign(&key(), *domain, b.header_bytes());
        let signed = Message::parse(assemble(b.header_bytes(), &signature, &[b.payload_bytes()])).unwrap();
        let shown = Equivocation::new(&a, &signed).unwrap();
        assert_eq!(shown.verify(&CRYPTO), *domain == Domain::Message, "{}", domain.name());
    }
}

#[test]
fn an_illegal_equivocation_is_refused_by_name() {
    use EquivocationError as E;
    let [a, b] = pair();
    let refusal =
        |key: u64, value: Option<Vec<u8>>| Equivocation::parse(&map(&with(&pairs(), key, value))).unwrap_err();
    for key in 0..=4 {
        assert_eq!(refusal(key, None), E::Cbor(CborError::MissingKey(key)));
    }
    assert_eq!(refusal(0, Some(uint(2))), E::UnsupportedVersion(2));
    assert_eq!(refusal(1, Some(bytes(&[]))), E::Header(MessageError::Cbor(CborError::Truncated)));
    let behind = [a.header_bytes(), &[0]].concat();
    assert_eq!(refusal(1, Some(bytes(&behind))), E::Header(MessageError::Trailing));
    assert_eq!(refusal(3, Some(bytes(b.bytes()))), E::Header(MessageError::Trailing), "a message is no header");
    assert_eq!(refusal(3, Some(bytes(&map(&[(0, uint(2))])))), E::Header(MessageError::UnsupportedVersion(2)));
    assert_eq!(refusal(2, Some(bytes(&[0; 63]))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(5, Some(uint(0))), E::Cbor(CborError::UnknownCriticalKey(5)));
    assert_eq!(refusal(128, Some(bytes(&vec![0; limits::EQUIVOCATION_MAX]))), E::Length);
    assert_eq!(Equivocation::parse(&map(&pairs_of(&b, &a))), Err(E::Order));
    assert_eq!(Equivocation::parse(&map(&pairs_of(&a, &a))), Err(E::Same));
    let next = message(&HeaderDraft { seq: Seq(2), ..plain_draft() }, b"no");
    assert_eq!(Equivocation::parse(&map(&pairs_of(&a, &next))), Err(E::Apart));
    assert_eq!(Equivocation::parse(&[map(&pairs()), vec![0]].concat()), Err(E::Cbor(CborError::Trailing)));
    assert!(Equivocation::parse(&map(&with(&pairs(), 128, Some(text("later"))))).is_ok());
}

#[test]
fn headers_of_full_length_fit_and_longer_ones_are_refused() {
    let other = HeaderDraft { class: crosscast_wire::Class::Bulk, ..plain_draft() };
    let [a, b] = [long_header(&plain_draft(), limits::HEADER_MAX), long_header(&other, limits::HEADER_MAX)];
    let shown = Equivocation::new(&a, &b).unwrap();
    assert!(shown.bytes().len() <= limits::EQUIVOCATION_MAX && shown.verify(&CRYPTO));
    assert_eq!(Equivocation::parse(shown.bytes()).as_ref(), Ok(&shown));
    // No message has such a header, so it can only be shown by hand.
    let header = a.header_bytes();
    let long = [&header[..header.len() - (limits::HEADER_MAX - 400)], &[0; limits::HEADER_MAX - 399]].concat();
    let wrong = map(&with(&pairs(), 1, Some(bytes(&long))));
    assert_eq!(Equivocation::parse(&wrong), Err(EquivocationError::Header(MessageError::HeaderTooLong)));
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn whatever_a_sender_numbers_twice_convicts_it(one in draft(), other in draft()) {
        let other = HeaderDraft { to: one.to, instance: one.instance, seq: one.seq, ..other };
        let (a, b) = (message(&one, b"a"), message(&other, b"b"));
        let shown = Equivocation::new(&a, &b).unwrap();
        prop_assert_eq!(&Equivocation::parse(shown.bytes()).unwrap(), &shown);
        prop_assert!(shown.verify(&CRYPTO));
        let mut ids: [MessageId; 2] = [a.id(), b.id()];
        ids.sort();
        prop_assert_eq!(shown.ids(), ids);
        prop_assert_eq!((shown.to(), shown.seq()), (one.to, one.seq));
    }

    #[test]
    fn no_changed_bit_leaves_a_conviction_valid(at in 0_usize..10_000, bit in 0_u8..8) {
        let mut bytes = map(&pairs());
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert!(!Equivocation::parse(&bytes).is_ok_and(|shown| shown.verify(&CRYPTO)));
    }

    #[test]
    fn arbitrary_bytes_never_do_harm(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Equivocation::parse(&noise).map(|shown| shown.verify(&CRYPTO));
        let _ = Equivocation::parse(&map(&with(&pairs(), 3, Some(bytes(&noise))))).map(|shown| shown.verify(&CRYPTO));
    }
}

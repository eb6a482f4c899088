//! Tickets: text in, legal values out, secrets never shown.

use crosscast_wire::{
    CapabilityFields, CborError, Chain, ChainError, Domain, FloorError, FloorFields, FloorRecord, Rights, SecretKey,
    TICKET_PREFIX, Ticket, TicketError, TicketFields, WallMillis,
};
use proptest::prelude::*;

use crate::support::*;

fn fields() -> TicketFields {
    TicketFields {
        group: group(1),
        name: "garden".into(),
        floor: floor(),
        invite: Some(SecretKey::new([0x5a; 32])),
        content_key: Some(SecretKey::new([9; 32])),
        allows: Rights::PUBLISH | Rights::SUBSCRIBE,
        locators: vec!["tls://core.example:443".into()],
        invite_chain: Some(offline_chain(1, INVITE)),
        invite_until: Some(WallMillis(2_000)),
    }
}

/// What an offline invite brings: the chain of the invite's own key.
fn offline_chain(of: u8, invite: u8) -> Chain {
    let rights = Rights::PUBLISH | Rights::SUBSCRIBE | Rights::ADMIT;
    Chain::new(vec![issue(CapabilityFields { group: group(of), rights, ..grant(of, invite, 1) }, of)]).unwrap()
}

fn pairs() -> Vec<(u64, Vec<u8>)> {
    vec![
        (0, bytes(group(1).as_bytes())),
        (1, text("garden")),
        (2, bytes(floor().bytes())),
        (3, bytes(&[0x5a; 32])),
        (4, bytes(&[9; 32])),
        (5, uint(3)),
        (6, list(&[text("tls://core.example:443")])),
        (7, bytes(&offline_chain(1, INVITE).encode())),
        (8, uint(2_000)),
    ]
}

/// Base64url written a second time, bit by bit, so that the crate's own is held against it.
fn armour(body: &[u8]) -> String {
    let sum = blake3::derive_key("crosscast ticket v1", body);
    let bits: Vec<u8> =
        body.iter().chain(&sum[..4]).flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1)).collect();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = bits.chunks(6).map(|six| (0..6).fold(0, |sum, i| sum << 1 | usize::from(six.get(i) == Some(&1))));
    TICKET_PREFIX.chars().chain(digits.map(|digit| char::from(alphabet[digit]))).collect()
}

fn refusal(key: u64, value: Option<Vec<u8>>) -> TicketError {
    Ticket::parse(&armour(&map(&with(&pairs(), key, value)))).unwrap_err()
}

#[test]
fn a_ticket_survives_its_text() {
    let text = Ticket::new(fields()).unwrap().to_text();
    assert_eq!(text, armour(&map(&pairs())));
    let ticket = Ticket::parse(&text).unwrap();
    assert_eq!(ticket.to_text(), text);
    assert_eq!(ticket.fields().invite.as_ref().unwrap().expose(), &[0x5a; 32]);
    assert!(ticket.fields().floor.verify(&CRYPTO));
    assert_eq!(ticket.locators().count(), 1);
    assert_eq!(ticket.fields().invite_chain.as_ref(), Some(&offline_chain(1, INVITE)));
    assert_eq!(ticket.fields().invite_until, Some(WallMillis(2_000)));
}

#[test]
fn a_secret_is_never_shown() {
    let shown = format!("{:?} {:?}", Ticket::new(fields()).unwrap(), fields());
    assert!(!shown.contains("90") && !shown.to_lowercase().contains("5a5a"), "{shown}");
}

#[test]
fn an_illegal_ticket_is_refused_by_name() {
    for key in [0, 1, 2, 5] {
        assert_eq!(refusal(key, None), TicketError::Cbor(CborError::MissingKey(key)));
    }
    for key in [4, 6, 7, 8] {
        assert!(Ticket::parse(&armour(&map(&with(&pairs(), key, None)))).is_ok());
    }
    assert_eq!(refusal(0, Some(bytes(group(2).as_bytes()))), TicketError::FloorGroup);
    assert_eq!(refusal(1, Some(text("a\tb"))), TicketError::Name);
    assert_eq!(refusal(1, Some(text(""))), TicketError::Cbor(CborError::TooShort));
    assert_eq!(refusal(2, Some(bytes(&[]))), TicketError::Floor(FloorError::Length));
    assert_eq!(refusal(4, Some(bytes(&[8; 32]))), TicketError::ContentKey);
    assert_eq!(refusal(5, Some(uint(128))), TicketError::UnknownRights(128));
    assert_eq!(refusal(6, Some(list(&vec![text("a"); 9]))), TicketError::Cbor(CborError::TooLong));
    assert_eq!(refusal(6, Some(list(&[text(" ")]))), TicketError::Locator);
    assert_eq!(refusal(3, None), TicketError::InviteChain, "a chain for no invite");
    assert_eq!(refusal(3, Some(bytes(&[8; 32]))), TicketError::InviteChain, "a chain for another invite");
    assert_eq!(refusal(7, Some(uint(0))), TicketError::Cbor(CborError::WrongType));
    assert_eq!(refusal(7, Some(bytes(&[]))), TicketError::Chain(ChainError::Cbor(CborError::Truncated)));
    let padded = [offline_chain(1, INVITE).encode(), vec![0]].concat();
    assert_eq!(refusal(7, Some(bytes(&padded))), TicketError::Chain(ChainError::Cbor(CborError::Trailing)));
    assert_eq!(refusal(7, Some(bytes(&offline_chain(2, INVITE).encode()))), TicketError::InviteChain);
    assert_eq!(refusal(7, Some(bytes(&offline_chain(1, 3).encode()))), TicketError::InviteChain);
    assert_eq!(refusal(8, Some(text("soon"))), TicketError::Cbor(CborError::WrongType));
    assert_eq!(refusal(9, Some(uint(0))), TicketError::Cbor(CborError::UnknownCriticalKey(9)));
    let public = FloorRecord::issue(FloorFields { content_key: None, ..floor_fields() }, &CRYPTO, &key(1)).unwrap();
    assert_eq!(refusal(2, Some(bytes(public.bytes()))), TicketError::ContentKey);
    assert_eq!(Ticket::new(TicketFields { name: String::new(), ..fields() }).unwrap_err(), TicketError::Name);
    assert_eq!(Ticket::new(TicketFields { group: group(2), ..fields() }).unwrap_err(), TicketError::FloorGroup);
    assert_eq!(
        Ticket::new(TicketFields { locators: vec!["x".into(); 9], ..fields() }).unwrap_err(),
        TicketError::Locator
    );
}

#[test]
fn text_that_is_no_ticket_is_refused_by_name() {
    let text = Ticket::new(fields()).unwrap().to_text();
    let error = |text: &str| Ticket::parse(text).unwrap_err();
    assert_eq!(error(""), TicketError::Prefix);
    assert_eq!(error(&text.replacen("cct1", "cct2", 1)), TicketError::Prefix);
    assert_eq!(error(&format!(" {text}")), TicketError::Prefix);
    assert_eq!(error("cct1."), TicketError::Length);
    assert_eq!(error("cct1.AAAA"), TicketError::Length);
    assert_eq!(error(&format!("{text}=")), TicketError::Base64);
    assert_eq!(error(&format!("{text}\n")), TicketError::Base64);
    assert_eq!(error(&text[..text.len() - 4]), TicketError::Checksum);
    assert_eq!(error(&format!("cct1.{}", "A".repeat(5463))), TicketError::Length);
}

#[test]
fn a_ticket_that_does_not_fit_is_not_made() {
    let long = TicketFields { locators: vec!["x".repeat(256); 8], ..fields() };
    assert!(Ticket::new(long.clone()).is_ok());
    // A floor of full length: an ignorable key fills it.
    let body = FloorRecord::draft(&floor_fields()).unwrap();
    let body = [&[body[0] + 1], &body[1..], &[0x18, 128], &bytes(&[0; 1_700])].concat();
    let floor = FloorRecord::parse(&sign(1, Domain::Floor, body)).unwrap();
    assert_eq!(Ticket::new(TicketFields { floor, ..long }).unwrap_err(), TicketError::Length);
    let body = map(&with(&pairs(), 128, Some(bytes(&[0; 4096]))));
    assert_eq!(Ticket::parse(&armour(&body)).unwrap_err(), TicketError::Length);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_legal_ticket_survives_its_text(
        name in plain_text(1, 64), invite in proptest::option::of(any::<[u8; 32]>()), sealed in any::<bool>(),
        allows in 0_u64..128, locators in proptest::collection::vec(address(256), 0..=8),
        until in proptest::option::of(any::<u64>()),
    ) {
        let given = TicketFields {
            name: name.clone(), invite: invite.map(SecretKey::new), content_key: sealed.then(|| SecretKey::new([9; 32])),
            allows: Rights::from_bits(allows).unwrap(), locators: locators.clone(), invite_chain: None,
            invite_until: until.map(WallMillis), ..fields()
        };
        let text = Ticket::new(given).unwrap().to_text();
        let ticket = Ticket::parse(&text).unwrap();
        prop_assert_eq!(&ticket.to_text(), &text);
        let read = ticket.fields();
        prop_assert_eq!((&read.name, &read.locators, read.allows.bits()), (&name, &locators, allows));
        prop_assert_eq!(read.invite.as_ref().map(|key| *key.expose()), invite);
        prop_assert_eq!((read.content_key.is_some(), read.invite_until.map(|until| until.0)), (sealed, until));
    }

    #[test]
    fn a_mistyped_ticket_is_refused(at in 5_usize..400, digit in "[A-Za-z0-9_-]") {
        let text = Ticket::new(fields()).unwrap().to_text();
        let at = at % text.len();
        let mut wrong = text.clone();
        wrong.replace_range(at..=at, &digit);
        prop_assert!(wrong == text || Ticket::parse(&wrong).is_err());
    }

    #[test]
    fn arbitrary_text_never_does_harm(noise in "[A-Za-z0-9_-]{0,300}") {
        let _ = Ticket::parse(&format!("cct1.{noise}"));
    }
}

//! Public vectors, snow as the oracle of records, and refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_wire::{Aead, Crypto as _, RustCrypto};
use proptest::prelude::*;

use super::records::*;
use super::*;
use crate::tests::{hex, unhex};

/// Records by the reference provider.
struct Reference([u8; 32]);

impl RecordCipher for Reference {
    fn new(key: &[u8; 32]) -> Option<Self> {
        Some(Self(*key))
    }

    fn seal(&self, nonce: [u8; 12], content: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        let mut buffer = content.to_vec();
        assert!(RustCrypto.seal_in_place(Aead::Aes256Gcm, &self.0, &nonce, &[], &mut buffer, 0));
        content.copy_from_slice(&buffer[..content.len()]);
        buffer.last_chunk().copied()
    }

    fn open<'a>(&self, nonce: [u8; 12], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let content = RustCrypto.open(Aead::Aes256Gcm, &self.0, &nonce, &[], sealed)?;
        sealed[..content.len()].copy_from_slice(&content);
        Some(&sealed[..content.len()])
    }
}

fn secret(byte: u8) -> NoiseSecret {
    NoiseSecret::new([byte; 32])
}

fn pair(seeds: [u8; 2]) -> (Handshake, Handshake) {
    (
        Handshake::initiator(&secret(1), &[seeds[0]; 32], b"prologue").unwrap(),
        Handshake::responder(&secret(2), &[seeds[1]; 32], b"prologue").unwrap(),
    )
}

/// Shakes hands with payloads.
fn shake(mut a: Handshake, mut b: Handshake, payloads: [&[u8]; 3]) -> (Channel, Channel) {
    for (n, payload) in payloads.into_iter().enumerate() {
        let (from, to) = if n % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        let message = from.write(payload).unwrap();
        assert_eq!(message.len(), payload.len() + OVERHEADS[n]);
        assert_eq!(to.read(&message).unwrap(), payload);
    }
    assert!(a.is_finished() && b.is_finished());
    (a.finish().unwrap(), b.finish().unwrap())
}

fn channel() -> (Sealer<Reference>, Opener<Reference>) {
    let (a, b) = pair([3, 4]);
    let (a, b) = shake(a, b, [b"", b"two", b"three"]);
    (Sealer::new(a.sends).unwrap(), Opener::new(b.receives).unwrap())
}

fn sealed(sealer: &mut Sealer<Reference>, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    sealer.seal(&RustCrypto, &[content], &mut out).unwrap();
    out
}

#[test]
fn handshake_and_records_agree_with_the_cacophony_vectors() {
    // haskell-cryptography/cacophony, vectors/cacophony.txt, Noise_XX_25519_AESGCM_BLAKE2s.
    let secrets = [
        "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
        "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
    ];
    let ephemerals = [
        "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
    ];
    let messages = [
        (
            "4c756477696720766f6e204d69736573",
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944\
             4c756477696720766f6e204d69736573",
        ),
        (
            "4d757272617920526f746862617264",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843\
             634564bd977239d69da02ca48e74df0b51163816ee3a23b2b5c18f070438f510ddb0d8029e11bff2822f24d428d360fb\
             854e385a4bd05b23ffd951e20662611b4351c0d3a6554bb15c8eb19a36347d",
        ),
        (
            "462e20412e20486179656b",
            "0bdb0a4fbb0c13bbc9974900c401a9e84078cf813ef0159ceea5eca94fca40f43b5093c7f6afb2f44990cb43dd883295\
             9deab76fbc9c70756b3efc216b345d8d734e16624e2d9b8b28c1a2",
        ),
        ("4361726c204d656e676572", "bda60d063b3fdd955d4d8eb1d1d0f2c7f446d29c95f303724a9d99"),
        ("4a65616e2d426170746973746520536179", "18bcd3467fe240f01369d9738b2ab0aa8744ec9787e5838019833e04095bd5e964"),
        (
            "457567656e2042f6686d20766f6e2042617765726b",
            "d150aa092584136a9ddd3ee7573ab9e2d39ee6d817306fdcaffd4f4af41bedc2f767530688",
        ),
    ];
    let secrets = secrets.map(|text| NoiseSecret::new(unhex(text).try_into().unwrap()));
    let ephemerals = ephemerals.map(unhex);
    let start = |n: usize| {
        prepared(&secrets[n], &[0; 32], b"John Galt").unwrap().fixed_ephemeral_key_for_testing_only(&ephemerals[n])
    };
    let mut a = Handshake { state: Box::new(start(0).build_initiator().unwrap()) };
    let mut b = Handshake { state: Box::new(start(1).build_responder().unwrap()) };
    for (n, (payload, message)) in messages[..3].iter().enumerate() {
        let (from, to) = if n % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        assert_eq!(hex(&from.write(&unhex(payload)).unwrap()), *message, "message {n}");
        assert_eq!(hex(&to.read(&unhex(message)).unwrap()), *payload, "message {n}");
    }
    let (a, b) = (a.finish().unwrap(), b.finish().unwrap());
    assert_eq!(hex(&a.binding), "90beb3518585efdb9c4d038507792f57d99e1ec020871cc5ee8fb8ec015a2166");
    assert_eq!(a.binding, b.binding);
    let mut senders = [Sealer::<Reference>::new(b.sends).unwrap(), Sealer::<Reference>::new(a.sends).unwrap()];
    for (n, (payload, message)) in messages[3..].iter().enumerate() {
        let record = sealed(&mut senders[n % 2], &unhex(payload));
        assert_eq!(record[..HEAD_LEN], u16::try_from(message.len() / 2).unwrap().to_be_bytes());
        assert_eq!(hex(&record[HEAD_LEN..]), *message, "message {}", n + 3);
    }
}

/// snow's own two ends of the same handshake as [`channel`].
fn oracle() -> snow::TransportState {
    let (mut a, mut b) = pair([3, 4]);
    let one = a.write(b"").unwrap();
    b.read(&one).unwrap();
    let two = b.write(b"two").unwrap();
    a.read(&two).unwrap();
    let three = a.write(b"three").unwrap();
    b.read(&three).unwrap();
    b.state.into_transport_mode().unwrap()
}

#[test]
fn snow_opens_what_is_sealed_before_and_after_a_new_key() {
    let (mut sealer, mut opener) = channel();
    let mut snow = oracle();
    for number in (0..3).chain(RECORDS_PER_KEY - 2..RECORDS_PER_KEY + 3) {
        if number == RECORDS_PER_KEY - 2 {
            sealer.skip_to(number);
            opener.skip_to(number);
            snow.set_receiving_nonce(number);
        }
        if number == RECORDS_PER_KEY {
            snow.rekey_incoming();
        }
        let mut record = sealed(&mut sealer, &number.to_be_bytes());
        let mut out = [0; 64];
        let read = snow.read_message(&record[HEAD_LEN..], &mut out).unwrap();
        assert_eq!(out[..read], number.to_be_bytes(), "record {number}");
        let Ok(Opened::Content(content, rest)) = opener.open(&RustCrypto, &mut record) else { panic!("{number}") };
        assert_eq!((content, rest.len()), (&number.to_be_bytes()[..], 0), "record {number}");
    }
}

#[test]
fn the_same_seeds_give_the_same_bytes_and_another_seed_another_channel() {
    let run = |seeds| {
        let (a, b) = pair(seeds);
        let (a, b) = shake(a, b, [b"", b"b", b"a"]);
        assert_eq!(a.binding, b.binding);
        a.binding
    };
    assert_eq!(run([1, 2]), run([1, 2]));
    assert_ne!(run([1, 2]), run([1, 3]));
    assert_ne!(run([1, 2]), run([3, 2]));
}

#[test]
fn another_prologue_another_payload_or_replayed_messages_are_refused() {
    let mut a = Handshake::initiator(&secret(1), &[1; 32], b"one").unwrap();
    let mut b = Handshake::responder(&secret(2), &[2; 32], b"another").unwrap();
    let first = a.write(b"").unwrap();
    b.read(&first).unwrap();
    let second = b.write(b"").unwrap();
    assert_eq!(a.read(&second), Err(NoiseError::BadMessage));

    let (mut a, mut b) = pair([1, 2]);
    let first = a.write(b"").unwrap();
    b.read(&first).unwrap();
    a.read(&b.write(b"").unwrap()).unwrap();
    let third = a.write(b"it is me").unwrap();
    b.read(&third).unwrap();
    // The same first and third message to the same node, which draws anew.
    let (_, mut b) = pair([1, 3]);
    b.read(&first).unwrap();
    b.write(b"").unwrap();
    assert_eq!(b.read(&third), Err(NoiseError::BadMessage));
}

#[test]
fn a_key_of_small_order_is_refused() {
    let (_, mut b) = pair([1, 2]);
    b.read(&[0; 32]).unwrap();
    assert_eq!(b.write(b""), Err(NoiseError::BadMessage), "nothing secret can be agreed with it");
    let (mut a, _) = pair([1, 2]);
    a.write(b"").unwrap();
    assert_eq!(a.read(&[0; 96]), Err(NoiseError::BadMessage));
}

#[test]
fn out_of_turn_and_unfinished_are_misuse() {
    let (mut a, mut b) = pair([1, 2]);
    assert_eq!(a.read(&[0; 32]), Err(NoiseError::Misuse));
    assert_eq!(b.write(b""), Err(NoiseError::Misuse));
    assert_eq!(a.write(&vec![0; NOISE_MAX]), Err(NoiseError::Misuse));
    assert_eq!(a.finish().unwrap_err(), NoiseError::Misuse);
}

#[test]
fn an_end_is_a_record_and_nothing_may_follow_it() {
    let (mut sealer, mut opener) = channel();
    let mut bytes = sealed(&mut sealer, b"last words");
    sealer.end(&RustCrypto, &mut bytes).unwrap();
    let Ok(Opened::Content(content, rest)) = opener.open(&RustCrypto, &mut bytes) else { panic!() };
    assert_eq!(content, b"last words");
    assert_eq!(rest.len(), HEAD_LEN + TAG_LEN);
    assert_eq!(opener.open(&RustCrypto, rest), Ok(Opened::End));
    assert_eq!(opener.open(&RustCrypto, &mut []), Ok(Opened::Part(&mut [])));
    assert_eq!(opener.open(&RustCrypto, &mut [0]), Err(NoiseError::BehindEnd));

    let (mut sealer, mut opener) = channel();
    let mut bytes = Vec::new();
    sealer.end(&RustCrypto, &mut bytes).unwrap();
    bytes.push(0);
    assert_eq!(opener.open(&RustCrypto, &mut bytes), Err(NoiseError::BehindEnd));
}

#[test]
fn records_that_are_altered_swapped_repeated_or_too_short_are_refused() {
    let open = |record: &[u8]| channel().1.open(&RustCrypto, &mut record.to_vec()).map(|_| ());
    let (mut sealer, _) = channel();
    let (first, second) = (sealed(&mut sealer, b"first"), sealed(&mut sealer, b"second"));
    assert_eq!(open(&first), Ok(()));
    assert_eq!(open(&second), Err(NoiseError::BadRecord), "out of order");
    for at in HEAD_LEN..first.len() {
        let mut altered = first.clone();
        altered[at] ^= 1;
        assert_eq!(open(&altered), Err(NoiseError::BadRecord), "byte {at}");
    }
    for len in 0..16_u8 {
        assert_eq!(open(&[0, len]), Err(NoiseError::BadRecord), "length {len}");
    }
    let (_, mut opener) = channel();
    let twice = [first.clone(), first].concat();
    let mut twice = twice.clone();
    let Ok(Opened::Content(_, rest)) = opener.open(&RustCrypto, &mut twice) else { panic!() };
    assert_eq!(opener.open(&RustCrypto, rest), Err(NoiseError::BadRecord), "replayed");
}

#[test]
fn a_channel_that_is_used_up_seals_nothing() {
    let (mut sealer, _) = channel();
    sealer.skip_to(u64::MAX);
    let mut out = vec![1, 2];
    assert_eq!(sealer.seal(&RustCrypto, &[b"x"], &mut out), Err(NoiseError::Misuse));
    assert_eq!(sealer.end(&RustCrypto, &mut out), Err(NoiseError::Misuse));
    assert_eq!(out, [1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn pieces_of_any_lengths_survive_any_cut_of_the_stream(
        lens in proptest::collection::vec(prop_oneof![0..40_usize, 0..3000_usize, 60_000..140_000_usize], 0..6),
        cuts in proptest::collection::vec(1..70_000_usize, 1..8),
    ) {
        let (mut sealer, mut opener) = channel();
        let pieces: Vec<Vec<u8>> = lens.iter().zip(1_u8..).map(|(len, fill)| vec![fill; *len]).collect();
        let mut stream = b"before".to_vec();
        sealer.seal(&RustCrypto, &pieces, &mut stream).unwrap();
        let total: usize = lens.iter().sum();
        prop_assert_eq!(stream.len(), 6 + total + total.div_ceil(CONTENT_MAX) * (HEAD_LEN + TAG_LEN));
        let (mut got, mut held) = (Vec::new(), Vec::new());
        let mut cuts = cuts.iter().cycle();
        let mut rest = &stream[6..];
        while !rest.is_empty() {
            let (part, left) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            rest = left;
            held.extend_from_slice(part);
            let mut gone = 0;
            while let Opened::Content(content, _) = opener.open(&RustCrypto, &mut held[gone..]).unwrap() {
                got.extend_from_slice(content);
                gone += HEAD_LEN + content.len() + TAG_LEN;
            }
            held.drain(..gone);
        }
        prop_assert!(held.is_empty());
        prop_assert_eq!(got, pieces.concat());
    }

    #[test]
    fn garbage_never_opens(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (_, mut opener) = channel();
        let opened = opener.open(&RustCrypto, &mut bytes.clone()).map(|opened| matches!(opened, Opened::Part(_)));
        prop_assert!(matches!(opened, Ok(true) | Err(NoiseError::BadRecord)));
        let (_, mut b) = pair([1, 2]);
        if b.read(&bytes).is_ok() && b.write(b"").is_ok() {
            prop_assert_eq!(b.read(&bytes), Err(NoiseError::BadMessage));
        }
    }
}

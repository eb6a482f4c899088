//! Who does not shake hands as it should, or breaks the channel or the framing, gets no link or loses it.

use std::time::Duration;

use crosscast_exam::transport::{Station, listening, tcp};
use crosscast_port::{DialError, DownReason, Report};
use crosscast_seal::noise::records::{RecordCipher, Sealer, TAG_LEN};
use crosscast_seal::noise::{Channel, Handshake, NoiseSecret};
use crosscast_stream::overlay::{INTRODUCTION_MAX, Introduction};
use crosscast_wire::{Aead, Crypto as _, Lane, Locator, PeerFault, RustCrypto};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::host::node_id;
use crate::stranger::{PROLOGUE, Stranger, both_ways, is_well, receive, refusal, send, victim};
use crate::{ON_LOOPBACK, tuned};

const BROKEN: PeerFault = PeerFault::HandshakeBroken;

/// Sends bytes instead of a handshake; the node says no, ends the connection and answers with nothing more than it
/// answers everybody with.
async fn throws(garbage: &[u8]) {
    let (mut station, at) = victim().await;
    let mut stream = TcpStream::connect(at.host_port().unwrap()).await.unwrap();
    let _ = stream.write_all(garbage).await;
    let _ = stream.shutdown().await;
    assert_eq!(refusal(&mut station).await, BROKEN);
    let mut answer = Vec::new();
    let end = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.expect("the node ends it");
    assert!(end.is_err() || answer.len() <= 610, "{} bytes", answer.len());
    is_well(&mut station, &at).await;
}

#[tokio::test]
async fn garbage_is_refused_by_name() {
    let noise: Vec<u8> = (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    throws(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    throws(&noise).await;
    throws(&[0; 4096]).await;
    throws(&[0xff; 4096]).await;
    throws(b"").await;
    // A first message of the right length, and then noise: what follows cannot be authentic.
    throws(&[&[0, 32][..], &noise[..5_000]].concat()).await;
}

#[tokio::test]
async fn a_server_of_plain_text_is_no_peer() {
    for (words, error) in [
        (&b"220 mail.example ESMTP\r\n"[..], DialError::Refused(BROKEN)),
        (b"", DialError::Handshake),
        (&[0, 96, 1, 2, 3], DialError::Handshake),
        (&[&[0, 96][..], &[9; 96]].concat(), DialError::Refused(BROKEN)),
    ] {
        let (listener, at) = tcp::listener(&ON_LOOPBACK).await;
        let words = words.to_vec();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&words).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        assert_eq!(Station::start(&ON_LOOPBACK, 2).dial(at).await.unwrap_err(), error);
    }
}

#[tokio::test]
async fn another_protocol_version_or_network_is_refused() {
    for prologue in [&b"crosscast overlay v1\0cjdns"[..], b"crosscast overlay v2\0ygg", b""] {
        let other = || Stranger { prologue, ..Stranger::polite() };
        let (mut station, at) = victim().await;
        assert!(other().dial(&at).await.is_err(), "the second message does not hold for it");
        assert_eq!(refusal(&mut station).await, BROKEN);
        let failed = station.dial(other().serve().await).await.unwrap_err();
        assert_eq!(failed, DialError::Refused(BROKEN));
    }
}

#[tokio::test]
async fn an_introduction_that_is_too_long_or_is_none_is_refused() {
    let node = node_id(1);
    let whole = Introduction { node, key: None, attestation: None }.to_bytes();
    for introduction in [
        vec![0; INTRODUCTION_MAX + 1],
        vec![0; 60_000],
        Vec::new(),
        b"I am your friend".to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], &[0]].concat(),
        Introduction { node, key: None, attestation: Some(vec![1; 200].into()) }.to_bytes(),
    ] {
        let broken = both_ways(|| Stranger::raw(introduction.clone())).await;
        assert_eq!(broken, (Err(BROKEN), Err(BROKEN)), "{} bytes", introduction.len());
    }
}

#[tokio::test]
async fn replayed_handshake_bytes_are_refused() {
    let (mut station, at) = victim().await;
    // An honest handshake, written down.
    let mut stream = TcpStream::connect(at.host_port().unwrap()).await.unwrap();
    let mut hands = Handshake::initiator(&NoiseSecret::new([1; 32]), &[5; 32], PROLOGUE).unwrap();
    let first = hands.write(b"").unwrap();
    send(&mut stream, &first).await.unwrap();
    hands.read(&receive(&mut stream).await.unwrap()).unwrap();
    let third = hands.write(&Stranger::polite().introduction).unwrap();
    send(&mut stream, &third).await.unwrap();
    station.accept().await;
    // The same bytes again.
    let mut stream = TcpStream::connect(at.host_port().unwrap()).await.unwrap();
    send(&mut stream, &first).await.unwrap();
    receive(&mut stream).await.unwrap();
    send(&mut stream, &third).await.unwrap();
    assert_eq!(refusal(&mut station).await, BROKEN);
    let mut reports = Vec::new();
    station.driver.try_recv(&mut reports);
    assert!(!reports.iter().any(|report| matches!(report, Report::Up { .. })), "{reports:?}");
}

#[tokio::test]
async fn a_slow_handshake_is_refused_at_its_deadline_and_holds_a_place_only_that_long() {
    let tuned = tuned(|config| {
        config.limits.half_open = 8;
        config.timeouts.handshake = Duration::from_millis(600);
    });
    let (mut station, at) = listening(&tuned).await;
    let stranger = Stranger::polite();
    let polite = stranger.dial(&at);
    let cut = tcp::slow_handshakes_are_cut_and_hold_a_place_only_that_long((&mut station, &at), 0, polite).await;
    for _ in 0..cut {
        assert_eq!(refusal(&mut station).await, BROKEN);
    }
}

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

    fn open<'a>(&self, _: [u8; 12], _: &'a mut [u8]) -> Option<&'a [u8]> {
        None
    }
}

/// A polite stranger's link to a node, and what it sends with.
async fn linked() -> (Station, crosscast_port::LinkId, TcpStream, Sealer<Reference>) {
    let (mut station, at) = victim().await;
    let polite = Stranger::polite();
    let (dialled, (link, _)) = tokio::join!(polite.dial(&at), station.accept());
    let (stream, Channel { sends, .. }) = dialled.unwrap();
    (station, link, stream, Sealer::new(sends).unwrap())
}

fn sealed(sealer: &mut Sealer<Reference>, content: &[u8]) -> Vec<u8> {
    let mut records = Vec::new();
    sealer.seal(&RustCrypto, &[content], &mut records).unwrap();
    records
}

#[tokio::test]
async fn frames_that_come_with_the_last_handshake_message_are_not_lost() {
    let (mut station, at) = victim().await;
    let mut stream = TcpStream::connect(at.host_port().unwrap()).await.unwrap();
    let mut hands = Handshake::initiator(&NoiseSecret::new([1; 32]), &[5; 32], PROLOGUE).unwrap();
    send(&mut stream, &hands.write(b"").unwrap()).await.unwrap();
    hands.read(&receive(&mut stream).await.unwrap()).unwrap();
    let third = hands.write(&Stranger::polite().introduction).unwrap();
    let mut sealer = Sealer::<Reference>::new(hands.finish().unwrap().sends).unwrap();
    let record = sealed(&mut sealer, &[&[0, 0, 3, 0x10, 1][..], b"abc"].concat());
    let len = u16::try_from(third.len()).unwrap().to_be_bytes();
    stream.write_all(&[&len[..], &third, &record].concat()).await.unwrap();
    let (link, _) = station.accept().await;
    assert_eq!(station.receive(link, 1).await[0].tail, &b"abc"[..]);
}

#[tokio::test]
async fn a_peer_that_breaks_the_framing_is_down_after_its_good_frames() {
    let good = [&[0, 0, 3, 0x10, 1][..], b"abc"].concat();
    for breach in [vec![0, 0x40, 1, 0x10, 3], vec![0, 0, 1, 0x10, 4], vec![0, 0, 0, 0x10, 0x83]] {
        let (mut station, link, mut stream, mut sealer) = linked().await;
        stream.write_all(&sealed(&mut sealer, &good)).await.unwrap();
        stream.write_all(&sealed(&mut sealer, &breach)).await.unwrap();
        let frames = station.receive(link, 1).await;
        assert_eq!((frames[0].lane, &frames[0].tail[..]), (Lane::Urgent, &b"abc"[..]));
        assert_eq!(station.down(link).await, DownReason::Framing, "{breach:?}");
    }
}

#[tokio::test]
async fn an_end_is_in_order_only_by_its_record_and_between_two_frames() {
    let good = [&[0, 0, 3, 0x10, 1][..], b"abc"].concat();
    let end = |sealer: &mut Sealer<Reference>| {
        let mut records = Vec::new();
        sealer.end(&RustCrypto, &mut records).unwrap();
        records
    };
    for (content, with_end, reason) in [
        (&good[..], true, DownReason::PeerClosed),
        (&good[..], false, DownReason::Broken),
        (&good[..good.len() - 1], true, DownReason::Broken),
        (&good[..2], true, DownReason::Broken),
    ] {
        let (mut station, link, mut stream, mut sealer) = linked().await;
        let mut records = sealed(&mut sealer, content);
        if with_end {
            records.extend(end(&mut sealer));
        }
        stream.write_all(&records).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(station.down(link).await, reason, "{} bytes", content.len());
    }
}

#[tokio::test]
async fn records_that_are_altered_repeated_or_nonsense_break_the_link() {
    let good = [&[0, 0, 3, 0x10, 1][..], b"abc"].concat();
    for kind in 0..4 {
        let (mut station, link, mut stream, mut sealer) = linked().await;
        let mut records = sealed(&mut sealer, &good);
        match kind {
            0 => *records.last_mut().unwrap() ^= 1,
            1 => records = [records.clone(), records].concat(),
            2 => records = vec![0, 15, 1, 2, 3],
            _ => {
                sealer.end(&RustCrypto, &mut records).unwrap();
                records.extend(sealed(&mut sealer, &good));
            }
        }
        stream.write_all(&records).await.unwrap();
        assert_eq!(station.down(link).await, DownReason::Broken, "kind {kind}");
    }
}

#[tokio::test]
async fn what_is_not_on_the_network_is_neither_dialled_nor_listened_on() {
    use crosscast_port::ListenError;
    let mut station = Station::start(&ON_LOOPBACK, 1);
    let locator = |text: &str| Locator::parse(text).unwrap();
    for text in ["ygg://[fe80::1]:7700", "ygg://127.0.0.1:7700", "ygg://localhost:7700", "ygg://[::1]:0"] {
        assert_eq!(station.dial(locator(text)).await.unwrap_err(), DialError::BadLocator, "{text}");
    }
    for (text, error) in [
        ("ygg://[::]:0", ListenError::NoSuchAddress),
        ("ygg://[200::1]:7700", ListenError::NoSuchAddress),
        ("ygg://localhost:7700", ListenError::BadLocator),
    ] {
        assert_eq!(station.listen(locator(text)).await, Err(error), "{text}");
    }
}

//! Who does not prove the key it shows, does not speak our protocol, or breaks the framing, gets no link.

use std::time::Duration;

use crosscast_exam::transport::{Station, tcp};
use crosscast_port::{DialError, DownReason, Report};
use crosscast_wire::{FrameType, Lane, Locator};
use rcgen::KeyPair;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::OnLoopback;
use crate::stranger::{Stranger, certified, ed25519, victim};

/// The server must end the connection, report no link for it, and still take a polite one.
async fn is_refused(mut victim: Station, at: &Locator, stranger: Stranger) {
    if let Ok(mut stream) = stranger.connect(at).await {
        let end = timeout(Duration::from_secs(5), stream.read(&mut [0; 64])).await.expect("the server ends it");
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
    is_well(&mut victim, at).await;
}

/// A polite stranger gets the node's first and only link.
async fn is_well(victim: &mut Station, at: &Locator) {
    let (polite, (link, _)) = tokio::join!(Stranger::polite().connect(at), victim.accept());
    drop(polite.unwrap());
    victim.down(link).await;
    let mut more = Vec::new();
    victim.driver.try_recv(&mut more);
    assert!(!more.iter().any(|report| matches!(report, Report::Up { .. })), "{more:?}");
}

async fn dialled(stranger: Stranger) -> DialError {
    let at = stranger.serve().await;
    Station::start(&OnLoopback("127.0.0.1"), 2).dial(at).await.unwrap_err()
}

fn ecdsa() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

fn rsa() -> KeyPair {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap()
}

#[tokio::test]
async fn any_ed25519_certificate_is_welcome_whatever_else_it_says() {
    let (mut station, at) = victim().await;
    is_well(&mut station, &at).await;
    let at = Stranger::polite().serve().await;
    assert!(Station::start(&OnLoopback("127.0.0.1"), 2).dial(at).await.is_ok());
}

#[tokio::test]
async fn a_wrong_certificate_verify_is_refused() {
    let (station, at) = victim().await;
    let forged = || Stranger { certified: Some(certified(&ed25519(), &ed25519())), ..Stranger::polite() };
    is_refused(station, &at, forged()).await;
    assert_eq!(dialled(forged()).await, DialError::Handshake);
}

#[tokio::test]
async fn a_forged_key_is_not_reported_as_the_wrong_key() {
    // Only a key that proved itself may be named: the certificate shows a victim's key, the signature is a forger's.
    let forged = Stranger { certified: Some(certified(&ed25519(), &ed25519())), ..Stranger::polite() };
    let at = forged.serve().await.with_node(crate::node_id(9));
    let failed = Station::start(&OnLoopback("127.0.0.1"), 2).dial(at).await.unwrap_err();
    assert_eq!(failed, DialError::Handshake);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let (station, at) = victim().await;
    is_refused(station, &at, Stranger { certified: None, ..Stranger::polite() }).await;
}

#[tokio::test]
async fn ecdsa_and_rsa_certificates_are_refused() {
    for key in [ecdsa(), rsa()] {
        let other = || Stranger { certified: Some(certified(&key, &key)), ..Stranger::polite() };
        let (station, at) = victim().await;
        is_refused(station, &at, other()).await;
        assert_eq!(dialled(other()).await, DialError::Handshake);
    }
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let old = || Stranger { version: &rustls::version::TLS12, ..Stranger::polite() };
    let (station, at) = victim().await;
    assert!(old().connect(&at).await.is_err());
    is_refused(station, &at, old()).await;
    assert_eq!(dialled(old()).await, DialError::Handshake);
}

#[tokio::test]
async fn another_protocol_or_none_is_refused() {
    for alpn in [vec![b"h2".to_vec()], vec![b"crosscast/2".to_vec()], Vec::new()] {
        let other = || Stranger { alpn: alpn.clone(), ..Stranger::polite() };
        let (station, at) = victim().await;
        is_refused(station, &at, other()).await;
        assert_eq!(dialled(other()).await, DialError::Handshake);
    }
}

#[tokio::test]
async fn plain_text_garbage_is_refused() {
    let (mut station, at) = victim().await;
    let noise: Vec<u8> = (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for garbage in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], &[0; 4096], &noise] {
        let mut stream = TcpStream::connect(at.host_port().unwrap()).await.unwrap();
        let _ = stream.write_all(garbage).await;
        let mut answer = Vec::new();
        // At most a TLS alert comes back before the end.
        let end = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.expect("the server ends it");
        assert!(end.is_err() || answer.len() <= 7, "{answer:?}");
    }
    is_well(&mut station, &at).await;
}

#[tokio::test]
async fn a_server_of_plain_text_is_no_peer() {
    let (listener, at) = tcp::listener(&OnLoopback("127.0.0.1")).await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let failed = Station::start(&OnLoopback("127.0.0.1"), 2).dial(at).await.unwrap_err();
    assert_eq!(failed, DialError::Handshake);
}

#[tokio::test]
async fn a_peer_that_breaks_the_framing_is_down_after_its_good_frames() {
    let good = [&[0, 0, 3, 0x10, 1][..], b"abc"].concat();
    for breach in [
        vec![0, 0x40, 1, 0x10, 3],
        vec![0xff; 5],
        vec![0, 0, 1, 0x10, 0x04],
        [&[0, 0, 1, 0x10, 0x83][..], b"x", &[0, 0, 1, 0x11, 0x03]].concat(),
        [0, 0x40, 0, 0x10, 0x83].into_iter().chain(vec![0; 16_384]).collect::<Vec<u8>>().repeat(18),
    ] {
        let (mut station, at) = victim().await;
        let (mut stranger, (link, _)) = tokio::join!(
            async {
                let mut stream = Stranger::polite().connect(&at).await.unwrap();
                stream.write_all(&good).await.unwrap();
                stream
            },
            station.accept()
        );
        let frames = station.receive(link, 1).await;
        assert_eq!(
            (frames[0].frame_type, frames[0].lane, &frames[0].tail[..]),
            (FrameType::MESSAGE, Lane::Urgent, &b"abc"[..])
        );
        let _ = stranger.write_all(&breach).await;
        let _ = stranger.flush().await;
        assert_eq!(station.down(link).await, DownReason::Framing, "{:?}", &breach[..5]);
    }
}

#[tokio::test]
async fn a_connection_cut_without_the_end_of_tls_is_broken_not_closed() {
    let (mut station, at) = victim().await;
    let (stranger, (link, _)) = tokio::join!(Stranger::polite().connect(&at), station.accept());
    let (stream, _) = stranger.unwrap().into_inner();
    drop(stream);
    assert_eq!(station.down(link).await, DownReason::Broken);
}

#[tokio::test]
async fn a_flipped_bit_on_the_way_breaks_the_link() {
    tcp::a_flipped_bit_on_the_way_breaks_the_link(&OnLoopback("127.0.0.1")).await;
}

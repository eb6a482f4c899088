//! Who does not prove the key it shows, does not speak our protocol, or breaks the framing, gets no link.

use std::time::Duration;

use crosscast_exam::transport::{Station, listening};
use crosscast_port::{DialError, DownReason, Report};
use crosscast_transport::framing::{FragmentWriter, mark};
use crosscast_wire::{FrameType, Lane, Locator, RawFrame};
use quinn::VarInt;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::V4;
use super::stranger::{Visit, address, serve, visit};
use crate::stranger::{Stranger, certified, ed25519};

/// The server must end the connection, report no link for it, and still take a polite one.
async fn is_refused(victim: &mut Station, at: &Locator, stranger: Stranger) {
    if let Ok(visit) = visit(stranger, at).await {
        timeout(Duration::from_secs(5), visit.connection.closed()).await.expect("the server ends it");
    }
    is_well(victim, at).await;
}

/// A polite stranger gets the node's first and only link.
async fn is_well(victim: &mut Station, at: &Locator) {
    let (polite, (link, _)) = tokio::join!(visit(Stranger::polite(), at), victim.accept());
    polite.unwrap().connection.close(VarInt::from_u32(0), b"");
    assert_eq!(victim.down(link).await, DownReason::Broken);
    let mut more = Vec::new();
    victim.driver.try_recv(&mut more);
    assert!(!more.iter().any(|report| matches!(report, Report::Up { .. })), "{more:?}");
}

async fn dialled(stranger: Stranger) -> DialError {
    Station::start(&V4, 2).dial(serve(stranger)).await.unwrap_err()
}

#[tokio::test]
async fn any_ed25519_certificate_is_welcome_whatever_else_it_says() {
    let (mut station, at) = listening(&V4).await;
    is_well(&mut station, &at).await;
    assert!(Station::start(&V4, 2).dial(serve(Stranger::polite())).await.is_ok());
}

#[tokio::test]
async fn a_wrong_certificate_verify_is_refused() {
    let (mut station, at) = listening(&V4).await;
    let forged = || Stranger { certified: Some(certified(&ed25519(), &ed25519())), ..Stranger::polite() };
    is_refused(&mut station, &at, forged()).await;
    assert_eq!(dialled(forged()).await, DialError::Handshake);
}

#[tokio::test]
async fn a_client_without_a_certificate_or_with_another_kind_of_key_is_refused() {
    let (mut station, at) = listening(&V4).await;
    is_refused(&mut station, &at, Stranger { certified: None, ..Stranger::polite() }).await;
    let ecdsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let other = || Stranger { certified: Some(certified(&ecdsa, &ecdsa)), ..Stranger::polite() };
    is_refused(&mut station, &at, other()).await;
    assert_eq!(dialled(other()).await, DialError::Handshake);
}

#[tokio::test]
async fn another_protocol_or_none_is_refused() {
    let (mut station, at) = listening(&V4).await;
    for alpn in [vec![b"h3".to_vec()], vec![b"crosscast/2".to_vec()], Vec::new()] {
        let other = || Stranger { alpn: alpn.clone(), ..Stranger::polite() };
        is_refused(&mut station, &at, other()).await;
        assert_eq!(dialled(other()).await, DialError::Handshake);
    }
}

#[tokio::test]
async fn the_hybrid_key_exchange_and_x25519_are_spoken_and_no_other() {
    use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, X25519, X25519MLKEM768};
    let (mut station, at) = listening(&V4).await;
    for (group, spoken) in [(X25519MLKEM768, true), (X25519, true), (SECP256R1, false)] {
        let only = || Stranger { groups: vec![group], ..Stranger::polite() };
        let dialled = Station::start(&V4, 2).dial(serve(only())).await;
        assert_eq!(dialled.is_ok(), spoken, "{:?} {dialled:?}", group.name());
        if spoken {
            let (visit, (link, _)) = tokio::join!(visit(only(), &at), station.accept());
            visit.unwrap().connection.close(VarInt::from_u32(0), b"");
            station.down(link).await;
        } else {
            is_refused(&mut station, &at, only()).await;
        }
    }
}

#[tokio::test]
async fn garbage_datagrams_are_ignored() {
    let (mut station, at) = listening(&V4).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let noise: Vec<u8> = (0..60_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for (n, len) in (0..2_000).zip([1, 20, 600, 1_200, 1_472, 9_000].into_iter().cycle()) {
        let mut datagram = noise[n * 20..][..len].to_vec();
        // Half of them look like the beginning of a connection of version 1.
        if n % 2 == 0 && len > 20 {
            let long_header = 0xc0 | datagram[0] & 0x0f;
            datagram[..6].copy_from_slice(&[long_header, 0, 0, 0, 1, 8]);
        }
        socket.send_to(&datagram, address(&at)).await.unwrap();
    }
    is_well(&mut station, &at).await;
}

/// A stranger with a link, which the victim has taken in.
async fn linked(victim: &mut Station, at: &Locator) -> (Visit, crosscast_port::LinkId) {
    let (visit, (link, _)) = tokio::join!(visit(Stranger::polite(), at), victim.accept());
    (visit.unwrap(), link)
}

fn bytes(frames: &[RawFrame]) -> Vec<u8> {
    let mut writer = FragmentWriter::new();
    frames.iter().for_each(|frame| writer.push(frame.clone()));
    let mut pieces = Vec::new();
    while !writer.is_empty() {
        writer.take(65_536, &mut pieces);
    }
    pieces.concat()
}

fn frame(lane: Lane, len: usize) -> RawFrame {
    RawFrame::new(FrameType::MESSAGE, lane, vec![7; len].into())
}

#[tokio::test]
async fn a_peer_that_breaks_the_framing_is_down_after_its_good_frames() {
    let oversize = [0, 0x40, 0, 0x10, 0x83].into_iter().chain(vec![0; 16_384]).collect::<Vec<u8>>().repeat(18);
    for (stream, breach) in [
        (3, vec![0, 0x40, 1, 0x10, 3]),
        (3, oversize),
        (1, bytes(&[frame(Lane::Bulk, 3)])),
        (1, bytes(&[frame(Lane::Control, 3)])),
        (0, bytes(&[mark(0), frame(Lane::Urgent, 3)])),
    ] {
        let (mut station, at) = listening(&V4).await;
        let (visit, link) = linked(&mut station, &at).await;
        let mut streams = Vec::new();
        for _ in 0..4 {
            streams.push(visit.connection.open_uni().await.unwrap());
        }
        let lane = Lane::ALL[stream];
        let good = frame(lane, 100);
        streams[stream].write_all(&[bytes(std::slice::from_ref(&good)), breach].concat()).await.unwrap();
        assert_eq!(station.receive(link, 1).await, [good]);
        assert_eq!(station.down(link).await, DownReason::Framing, "stream {stream}");
        timeout(Duration::from_secs(5), visit.connection.closed()).await.expect("the server ends it");
    }
}

#[tokio::test]
async fn a_peer_that_ends_its_lanes_in_order_has_closed_and_one_that_resets_one_is_broken() {
    for (reset, reason) in [(false, DownReason::PeerClosed), (true, DownReason::Broken)] {
        let (mut station, at) = listening(&V4).await;
        let (visit, link) = linked(&mut station, &at).await;
        for n in 0..4 {
            let mut stream = visit.connection.open_uni().await.unwrap();
            if reset && n == 2 {
                stream.write_all(&[0]).await.unwrap();
                stream.reset(VarInt::from_u32(0)).unwrap();
            } else {
                stream.finish().unwrap();
            }
        }
        assert_eq!(station.down(link).await, reason);
    }
}

#[tokio::test]
async fn data_that_comes_before_its_control_frame_waits_within_bounds() {
    let (mut station, at) = listening(&V4).await;
    let (visit, link) = linked(&mut station, &at).await;
    let mut control = visit.connection.open_uni().await.unwrap();
    let mut urgent = visit.connection.open_uni().await.unwrap();
    let _normal = visit.connection.open_uni().await.unwrap();
    let mut bulk = visit.connection.open_uni().await.unwrap();
    // Urgent and bulk wait for a hello that is not sent yet; bulk goes on for as long as it is taken.
    urgent.write_all(&bytes(&[mark(1), frame(Lane::Urgent, 500)])).await.unwrap();
    bulk.write_all(&bytes(&[mark(1)])).await.unwrap();
    let flood = bytes(&[frame(Lane::Bulk, 100_000)]);
    let mut taken = 0;
    while let Ok(done) = timeout(Duration::from_millis(400), bulk.write(&flood[taken % flood.len()..])).await {
        taken += done.unwrap();
        assert!(taken < 2_000_000, "a lane that waits takes its window and no more");
    }
    assert!(taken > 1_000_000, "{taken}");
    assert_eq!(station.driver.waiting_bytes(), 0, "nothing of it reaches the node");
    // Another lane is not held up by it.
    let hello = RawFrame::new(FrameType::HELLO, Lane::Control, vec![1].into());
    control.write_all(&bytes(std::slice::from_ref(&hello))).await.unwrap();
    let got = station.receive(link, 2 + taken / 100_100).await;
    assert_eq!(got[0], hello, "the hello first");
    assert_eq!(got.iter().filter(|frame| frame.lane == Lane::Urgent).count(), 1);
}

#[tokio::test]
async fn a_peer_opens_four_streams_and_no_more() {
    let (mut station, at) = listening(&V4).await;
    let (visit, link) = linked(&mut station, &at).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(visit.connection.open_uni().await.unwrap());
    }
    let more = Duration::from_millis(200);
    assert!(timeout(more, visit.connection.open_uni()).await.is_err(), "a fifth one");
    assert!(timeout(more, visit.connection.open_bi()).await.is_err(), "a two-way one");
    streams.iter_mut().for_each(|stream| stream.finish().unwrap());
    assert_eq!(station.down(link).await, DownReason::PeerClosed);
}

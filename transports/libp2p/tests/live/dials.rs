//! What dials and listeners come to that do not lead to a link.

use crosscast_exam::transport::Station;
use crosscast_port::{DialError, ListenError};
use crosscast_wire::{Locator, PeerFault};

use super::OnLoopback;

fn locator(text: &str) -> Locator {
    Locator::parse(text).unwrap()
}

const SOMEBODY: &str = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5";

#[tokio::test]
async fn a_dial_says_why_it_failed() {
    let mut a = Station::start(&OnLoopback::tcp(), 1);
    // A program that speaks something else.
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port();
    let talk = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = other.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, &[b'2'; 100]).await.unwrap();
            open.push(stream);
        }
    });
    for (text, expected) in [
        ("libp2p:/ip4/127.0.0.1/tcp/1".to_owned(), DialError::Unreachable),
        (format!("libp2p:/ip4/127.0.0.1/tcp/{port}"), DialError::Handshake),
        ("libp2p:/dns4/no-such-host.invalid/tcp/1".to_owned(), DialError::NoSuchHost),
        ("libp2p:/ip4/127.0.0.1/sctp/1".to_owned(), DialError::BadLocator),
        ("libp2p:/ip4/127.0.0.1".to_owned(), DialError::BadLocator),
        ("libp2p:/unknown/1".to_owned(), DialError::BadLocator),
        (format!("libp2p:/p2p/{SOMEBODY}"), DialError::Unreachable),
        (format!("libp2p:/ip4/127.0.0.1/tcp/1/p2p/{SOMEBODY}/p2p-circuit"), DialError::BadLocator),
        (format!("libp2p:/ip4/127.0.0.1/tcp/1/p2p/{SOMEBODY}/p2p-circuit/p2p/{SOMEBODY}"), DialError::Unreachable),
    ] {
        assert_eq!(a.dial(locator(&text)).await.unwrap_err(), expected, "{text}");
    }
    talk.abort();
}

#[tokio::test]
async fn another_peer_at_the_address_is_refused_by_name() {
    let (mut a, mut b) = (Station::start(&OnLoopback::tcp(), 1), Station::start(&OnLoopback::tcp(), 2));
    let at = b.listen(locator("libp2p:/ip4/127.0.0.1/tcp/0")).await.unwrap();
    let (place, _) = at.address().rsplit_once("/p2p/").unwrap();
    let wrong = locator(&format!("libp2p:{place}/p2p/{SOMEBODY}"));
    assert_eq!(a.dial(wrong).await.unwrap_err(), DialError::Refused(PeerFault::AddressNotOwned));
    // Where no peer is named, whoever answers is taken, and the link says who it is.
    let (up, (_, there)) = tokio::join!(a.dial(locator(&format!("libp2p:{place}"))), b.accept());
    assert!(there.locator.address().contains("/ip4/127.0.0.1/tcp/"));
    assert_eq!(up.unwrap().1.binding, there.binding);
}

#[tokio::test]
async fn a_dial_to_itself_fails() {
    let mut a = Station::start(&OnLoopback::tcp(), 1);
    let at = a.listen(locator("libp2p:/ip4/127.0.0.1/tcp/0")).await.unwrap();
    assert_eq!(a.dial(at).await.unwrap_err(), DialError::Unreachable);
}

#[tokio::test]
async fn a_listener_says_why_it_could_not_be_made() {
    let mut a = Station::start(&OnLoopback::tcp(), 1);
    for (text, expected) in [
        ("libp2p:/ip4/192.0.2.1/tcp/4001".to_owned(), ListenError::NoSuchAddress),
        ("libp2p:/ip4/192.0.2.1/tcp/0".to_owned(), ListenError::NoSuchAddress),
        ("libp2p:/ip4/192.0.2.1/udp/0/quic-v1".to_owned(), ListenError::NoSuchAddress),
        ("libp2p:/ip4/127.0.0.1/sctp/1".to_owned(), ListenError::BadLocator),
        ("libp2p:/nonsense".to_owned(), ListenError::BadLocator),
        (format!("libp2p:/ip4/127.0.0.1/tcp/0/p2p/{SOMEBODY}"), ListenError::BadLocator),
    ] {
        assert_eq!(a.listen(locator(&text)).await.unwrap_err(), expected, "{text}");
    }
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = locator(&format!("libp2p:/ip4/127.0.0.1/udp/{taken}/quic-v1"));
    assert!(a.listen(at.clone()).await.is_ok());
    assert_eq!(Station::start(&OnLoopback::tcp(), 2).listen(at).await.unwrap_err(), ListenError::AddressInUse);
}

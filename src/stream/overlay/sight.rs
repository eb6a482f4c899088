//! Looking at the host node again and again, and what the node is told of it.
//!
//! Two things decide how the network stands: what the host node looks like, and whether this node could take its port
//! there. The node hears of it when it changes, not at every look.

use core::time::Duration;
use std::net::{Ipv6Addr, SocketAddr};

use crosscast_port::NetworkReport;
use crosscast_transport::Reporter;
use crosscast_wire::{NetworkReason, NetworkState, Scheme};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use super::{Host, Looks, Sighting};

/// A look that takes longer has failed: the contract has ten seconds, and this is beside it.
const LOOK_MAX: Duration = Duration::from_secs(15);

/// Bytes of explanation that a report may have.
const DETAIL_MAX: usize = 200;

/// The last look at the host node; none before the first.
pub(super) type Sight = watch::Receiver<Option<Sighting>>;

/// How the listener on this node's own port is doing.
pub(super) type OwnPort = watch::Receiver<PortState>;

/// How a listener on the host node's address is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortState {
    /// There is no address to listen on.
    Waiting,
    /// It is up.
    Listening(SocketAddr),
    /// The system refuses the port; it is asked again and again.
    Refused(u16, Refusal),
}

/// Why there is no listener although there is an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another program has the port.
    Taken,
    /// The address is not on this machine, although the host node says so.
    NoAddress,
    /// The system forbids it.
    Denied,
}

/// Looks at the host node until dropped.
pub(super) async fn keep_looking<H: Host>(host: &H, looks: Looks, sight: watch::Sender<Option<Sighting>>) {
    loop {
        let seen = timeout(LOOK_MAX, host.look()).await.unwrap_or_else(|_| silent());
        let pause = if attached(&seen).is_some() { looks.up } else { looks.down };
        sight.send_if_modified(|last| {
            let changed = last.as_ref() != Some(&seen);
            if changed {
                debug!(state = %seen.state, address = ?seen.address, "the host node looks different");
                *last = Some(seen);
            }
            changed
        });
        sleep(pause).await;
    }
}

fn silent() -> Sighting {
    Sighting {
        state: NetworkState::Down,
        address: None,
        key: None,
        mtu: None,
        reason: Some(NetworkReason::HostUnreachable),
        detail: "the host node did not answer in time".to_owned(),
    }
}

/// The address from which links can be made, if any can.
pub(super) fn attached(seen: &Sighting) -> Option<Ipv6Addr> {
    match seen.state {
        NetworkState::Up | NetworkState::Degraded => seen.address,
        NetworkState::Starting | NetworkState::Down => None,
    }
}

/// Waits for the first look, and gives what the last one found.
pub(super) async fn first_look(sight: &mut Sight) -> Option<Sighting> {
    sight.wait_for(Option::is_some).await.ok()?.clone()
}

/// Tells the node how the network stands, until dropped.
pub(super) async fn keep_reporting(scheme: Scheme, mut sight: Sight, mut own_port: OwnPort, reporter: Reporter) {
    let mut last = report(scheme, None, PortState::Waiting);
    reporter.network(last.clone());
    loop {
        let report = report(scheme, sight.borrow_and_update().as_ref(), *own_port.borrow_and_update());
        if last != report {
            info!(%scheme, state = %report.state, reason = report.reason.map(NetworkReason::word), "network");
            reporter.network(report.clone());
            last = report;
        }
        let changed = tokio::select! {
            changed = sight.changed() => changed,
            changed = own_port.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

fn report(scheme: Scheme, seen: Option<&Sighting>, own_port: PortState) -> NetworkReport {
    let as_it_looks = |seen: &Sighting| (seen.state, seen.reason, plain(&seen.detail));
    let degraded = |reason, detail: String| (NetworkState::Degraded, reason, detail);
    let address = seen.and_then(|seen| seen.address);
    let (state, reason, detail) = match (seen, address.filter(|_| seen.and_then(attached).is_some()), own_port) {
        (None, _, _) => (NetworkState::Starting, None, String::new()),
        // Without an address there is nothing to listen on, and the host node's own reason says why.
        (Some(seen), None, _) | (Some(seen), Some(_), PortState::Waiting | PortState::Listening(_)) => {
            as_it_looks(seen)
        }
        (Some(_), Some(address), PortState::Refused(port, refusal)) => match refusal {
            Refusal::Taken => {
                degraded(Some(NetworkReason::PortTaken), format!("another program has port {port} on {address}"))
            }
            Refusal::NoAddress => {
                degraded(Some(NetworkReason::AddressGone), format!("{address} is not on an interface of this machine"))
            }
            Refusal::Denied => degraded(
                Some(NetworkReason::PortDenied),
                format!("the system does not let this node listen on port {port} of {address}"),
            ),
        },
    };
    NetworkReport { scheme, state, address: address.map(|address| address.to_string()), reason, meets: false, detail }
}

/// What may go to a terminal: no control characters, and at most [`DETAIL_MAX`] bytes.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        if plain.len().saturating_add(letter.len_utf8()) > DETAIL_MAX {
            break;
        }
        plain.push(if letter.is_control() { '?' } else { letter });
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn up() -> Sighting {
        Sighting {
            state: NetworkState::Up,
            address: Some(Ipv6Addr::LOCALHOST),
            key: None,
            mtu: None,
            reason: None,
            detail: String::new(),
        }
    }

    #[test]
    fn a_taken_port_is_the_reason_only_while_there_is_an_address_to_have_it_on() {
        let (scheme, taken) = (Scheme::Ygg, PortState::Refused(7700, Refusal::Taken));
        let there = report(scheme, Some(&up()), taken);
        assert_eq!((there.state, there.reason), (NetworkState::Degraded, Some(NetworkReason::PortTaken)));
        assert_eq!(there.detail, "another program has port 7700 on ::1");
        let denied = report(scheme, Some(&up()), PortState::Refused(80, Refusal::Denied));
        assert_eq!((denied.state, denied.reason), (NetworkState::Degraded, Some(NetworkReason::PortDenied)));
        assert_eq!(denied.detail, "the system does not let this node listen on port 80 of ::1");
        let gone =
            Sighting { state: NetworkState::Down, address: None, reason: Some(NetworkReason::AddressGone), ..up() };
        let gone = report(scheme, Some(&gone), taken);
        assert_eq!((gone.state, gone.reason), (NetworkState::Down, Some(NetworkReason::AddressGone)));
        assert_eq!(report(scheme, Some(&up()), PortState::Waiting).state, NetworkState::Up);
        assert_eq!(report(scheme, None, taken).state, NetworkState::Starting);
    }

    #[test]
    fn an_explanation_is_plain_and_short() {
        let long = Sighting { detail: format!("\x1b[31m{}", "ä".repeat(300)), ..up() };
        let detail = report(Scheme::Ygg, Some(&long), PortState::Waiting).detail;
        assert!(detail.len() <= DETAIL_MAX && detail.starts_with("?[31mä"));
    }
}

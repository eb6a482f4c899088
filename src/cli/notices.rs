//! What the daemon logs of what the node notices.
//!
//! Whoever can reach the daemon can be refused by it as often as they like, so refusals are logged by kind, each at most
//! once in a while, with how many were left unsaid.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crosscast::{DialError, NetworkReport, NetworkState, Notice, Notices, PeerFault};
use crosscast_api::shown;

/// How often one kind of refusal is logged at most.
const REFUSALS: Duration = Duration::from_secs(10);

/// Logs what an operator should know, until the node has stopped.
pub(crate) async fn tell_notices(mut notices: Notices) {
    let mut refusals = Refusals::default();
    while let Some(notice) = notices.next().await {
        tell(&notice, &mut refusals);
    }
}

fn tell(notice: &Notice, refusals: &mut Refusals) {
    match notice {
        Notice::PeerUp { node, network, .. } => tracing::info!(%node, %network, "peer up"),
        Notice::PeerMoved { node, network, .. } => tracing::info!(%node, %network, "peer reached another way"),
        Notice::PeerDown { node, code, .. } => tracing::info!(%node, code, "peer down"),
        // Somebody else sits there, or the locator is mistyped: neither goes away by itself.
        Notice::DialFailed { locator, error: DialError::WrongKey { expected, actual } } => {
            tracing::warn!(%locator, %expected, %actual, "another key answered");
        }
        Notice::DialFailed { locator, error } => tracing::debug!(%locator, ?error, "dial failed"),
        Notice::Listening { locator } => tracing::info!(%locator, "listening"),
        Notice::Unlistened { locator } => tracing::warn!(%locator, "not listening any more"),
        Notice::ListenFailed { locator, error } => tracing::warn!(%locator, ?error, "not listening"),
        Notice::Network(report) => tell_network(report),
        Notice::PeerRefused { from, fault } => {
            if let Some(unsaid) = refusals.tell(*fault, Instant::now()) {
                tracing::warn!(%from, code = fault.word(), unsaid, "somebody was refused before the hello");
            }
        }
        Notice::Pinned { locator, node } => {
            tracing::info!(%locator, %node, "first key seen there is expected from now on")
        }
        Notice::Equivocated { node, group, .. } => {
            tracing::warn!(%node, %group, "a sender claimed one number twice; that run of it is not heard for a day");
        }
        Notice::ClockSkew { node, skew_ms } => tracing::warn!(%node, skew_ms, "a peer's clock differs"),
        Notice::RightsLost { group } => {
            tracing::warn!(%group, "this node's rights in a group were taken back");
        }
        Notice::NotFound { node } => tracing::info!(%node, "nobody answers for it; the search goes on"),
        Notice::StoreFailed { code } => tracing::warn!(code, "the store refuses writes"),
        // The enum is open; what it gains is at least seen.
        other => tracing::info!(?other, "notice"),
    }
}

fn tell_network(report: &NetworkReport) {
    let (network, address) = (report.scheme.network(), report.address.as_deref().unwrap_or("-"));
    let (code, detail) = (report.reason.map_or("-", |reason| reason.word()), shown(&report.detail));
    match report.state {
        NetworkState::Starting => tracing::debug!(%network, code, %detail, "looking for the host node"),
        NetworkState::Up => tracing::info!(%network, address, code, %detail, "network up"),
        NetworkState::Degraded => {
            tracing::warn!(%network, address, code, %detail, "network up, with less than it could")
        }
        NetworkState::Down => tracing::warn!(%network, code, %detail, "network down"),
    }
}

/// When each kind of refusal was last logged, and how many were not since.
#[derive(Debug, Default)]
struct Refusals(BTreeMap<PeerFault, (Option<Instant>, u64)>);

impl Refusals {
    /// Whether to log one now, and how many were left unsaid before it.
    fn tell(&mut self, fault: PeerFault, now: Instant) -> Option<u64> {
        let (last, unsaid) = self.0.entry(fault).or_default();
        if last.is_some_and(|last| now.saturating_duration_since(last) < REFUSALS) {
            *unsaid = unsaid.saturating_add(1);
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(unsaid))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_a_line_now_and_then_that_counts_them() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.tell(PeerFault::HandshakeBroken, start), Some(0));
        for _ in 0..1000 {
            assert_eq!(refusals.tell(PeerFault::HandshakeBroken, start), None);
        }
        assert_eq!(refusals.tell(PeerFault::AttestationForged, start), Some(0), "another kind is another matter");
        assert_eq!(refusals.tell(PeerFault::HandshakeBroken, start + REFUSALS), Some(1000));
    }
}

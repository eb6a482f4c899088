//! Looking: status, peers, paths, ping, and whether the daemon lives and is ready.

use std::fs;
use std::time::Duration;

use axum::extract::{Path, State};
use crosscast::{DialError, ListenError, Status};
use crosscast_wire::{Network, NetworkReason, NetworkState, NodeId, ServiceId};
use serde::Serialize;

use crate::params::Params;
use crate::server::{App, Reply, ok};
use crate::view::{NetworkView, PathView, PeerJson, PongView, StatusView, millis, role_words};
use crate::{ApiError, Code, shown};

/// How long a ping may take without a wish of the caller. 10 s: longer than any path that is of use.
const PING_MAX: Duration = Duration::from_secs(10);

/// How long the node may take to answer before it is not ready. 2 s: an answer takes microseconds.
const READY_MAX: Duration = Duration::from_secs(2);

/// `GET /v1/status`
pub(crate) async fn status(State(app): State<App>) -> Reply {
    let status = app.node.status().await?;
    ok(&StatusView {
        node: status.node.to_string(),
        name: app.node.name(),
        version: app.about.version.clone(),
        agent: app.about.agent.clone(),
        instance: format!("{:016x}", status.instance.0),
        uptime_s: app.started.elapsed().as_secs(),
        roles: role_words(app.about.roles),
        listen: status.listen.iter().map(ToString::to_string).collect(),
        networks: networks(&app, &status),
        peers: status.peers,
        groups: status.groups,
        rss_bytes: resident_bytes().unwrap_or_default(),
        rejects: status.rejects.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect(),
        reload: app.reloads.last(),
    })
}

/// A row for each network that is attached to, a row for each listener of the others that is up or failed, and one for
/// each that is only dialled from.
fn networks(app: &App, status: &Status) -> Vec<NetworkView> {
    let row = |network: Network, state: &str, address: Option<String>, reason: Option<&str>| NetworkView {
        network: network.word().to_owned(),
        state: state.to_owned(),
        address,
        reason: reason.map(str::to_owned),
        detail: None,
    };
    let broken: Vec<Network> = app.node.failed_transports().iter().map(|(scheme, _)| scheme.network()).collect();
    let attached = |network: Network| status.networks.iter().any(|report| report.scheme.network() == network);
    // What a transport said last does not hold once it has ended.
    let reports = status.networks.iter().filter(|report| !broken.contains(&report.scheme.network()));
    let reports = reports.map(|report| {
        let reason = report.reason.map(NetworkReason::word);
        let detail = detail(&report.detail);
        NetworkView { detail, ..row(report.scheme.network(), report.state.word(), report.address.clone(), reason) }
    });
    let listen = status.listen.iter().filter(|locator| !attached(locator.scheme().network()));
    let up = listen.map(|locator| row(locator.scheme().network(), "up", Some(locator.to_string()), None));
    let failed = status.listen_failed.iter().map(|(locator, error)| {
        row(locator.scheme().network(), "failed", Some(locator.to_string()), Some(listen_code(error)))
    });
    let broken = broken.iter().map(|network| row(*network, "failed", None, Some(Code::TransportFailed.word())));
    let mut rows: Vec<NetworkView> = reports.chain(up).chain(failed).chain(broken).collect();
    for network in &app.about.networks {
        if !rows.iter().any(|row| row.network == network.word()) {
            // What is attached to a host node says how that stands as soon as it has looked.
            let state = if *network == Network::Tls { NetworkState::Up } else { NetworkState::Starting };
            rows.push(row(*network, state.word(), None, None));
        }
    }
    rows
}

/// Longest explanation that is taken from a transport, in bytes: the contract's.
const DETAIL_MAX: usize = 200;

/// An explanation as it may be shown: host nodes have a say in it. None when there is none.
fn detail(text: &str) -> Option<String> {
    let end = text.char_indices().map(|(at, letter)| at.saturating_add(letter.len_utf8()));
    let end = end.take_while(|end| *end <= DETAIL_MAX).last()?;
    text.get(..end).map(shown)
}

/// Resident memory of this process, as the kernel counts it.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

#[derive(Debug, Serialize)]
struct Peers {
    peers: Vec<PeerJson>,
}

/// `GET /v1/peers`
pub(crate) async fn peers(State(app): State<App>) -> Reply {
    let peers = app.node.peers().await?;
    let rates = app.rates(&peers);
    let peers = peers.iter().zip(rates).map(|(peer, rate)| PeerJson::of(peer, rate, app.last_error(&peer.node)));
    ok(&Peers { peers: peers.collect() })
}

#[derive(Debug, Serialize)]
struct Paths {
    paths: Vec<PathView>,
}

/// `GET /v1/paths`
pub(crate) async fn paths(State(app): State<App>) -> Reply {
    ok(&Paths { paths: app.node.peers().await?.iter().map(PathView::of).collect() })
}

/// `POST /v1/ping/{node}`
pub(crate) async fn ping(State(app): State<App>, Path(text): Path<String>, params: Params) -> Reply {
    params.only(&["timeout_ms"])?;
    let node = node_id(&text)?;
    let most = params.millis("timeout_ms")?.unwrap_or(PING_MAX);
    let pong = tokio::time::timeout(most, app.node.ping(node)).await;
    let pong =
        pong.map_err(|_| ApiError::new(Code::Timeout, format!("no answer within {} ms", most.as_millis())))??;
    ok(&PongView {
        node: node.to_string(),
        rtt_ms: millis(u64::try_from(pong.rtt.as_micros()).unwrap_or(u64::MAX)),
        path: pong.path.word().to_owned(),
        reason: pong.reason.word().to_owned(),
    })
}

/// Reads a NodeId from a path.
/// The key of a node or of a service: both are sent to alike.
pub(crate) fn recipient(text: &str) -> Result<NodeId, ApiError> {
    match ServiceId::parse(text) {
        Ok(service) => Ok(NodeId::new(*service.as_bytes())),
        Err(_) => node_id(text),
    }
}

pub(crate) fn node_id(text: &str) -> Result<NodeId, ApiError> {
    NodeId::parse(text).map_err(|error| ApiError::new(Code::BadKey, format!("`{text}`: {error}")))
}

#[derive(Debug, Serialize)]
struct Health {
    ok: bool,
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthy() -> Reply {
    ok(&Health { ok: true })
}

/// `GET /readyz`: the node answers.
pub(crate) async fn ready(State(app): State<App>) -> Reply {
    match tokio::time::timeout(READY_MAX, app.node.status()).await {
        Ok(status) => status.map_err(ApiError::from).and_then(|_| ok(&Health { ok: true })),
        Err(_) => Err(ApiError::new(Code::NotReady, "the node does not answer yet")),
    }
}

/// A listener's failure as a code.
fn listen_code(error: &ListenError) -> &'static str {
    match error {
        ListenError::AddressInUse => NetworkReason::PortTaken.word(),
        ListenError::NoSuchAddress | ListenError::Denied | ListenError::BadLocator => Code::ListenFailed.word(),
        // The enum is open; what it gains is no better known.
        _ => Code::ListenFailed.word(),
    }
}

/// A dial's failure in words.
pub(crate) fn dial_words(error: &DialError) -> String {
    match error {
        DialError::Timeout => "nothing answered in time".to_owned(),
        DialError::Unreachable => "the host refused, or there is no way to it".to_owned(),
        DialError::NoSuchHost => "the host name did not resolve".to_owned(),
        DialError::BadLocator => "the locator cannot be dialled".to_owned(),
        DialError::Handshake => "the secure handshake failed".to_owned(),
        DialError::WrongKey { expected: _, actual } => format!("another key answered: {actual}"),
        DialError::Full => "this node has as many links as it may".to_owned(),
        DialError::Refused(fault) => format!("whoever answered was refused: {fault}"),
        DialError::NotAttached => "the network's host node is not attached now".to_owned(),
        // The enum is open; the words for what it gains come with it.
        _ => "the dial failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_bounded_and_obeyed_by_no_terminal() {
        assert_eq!(detail(""), None);
        assert_eq!(detail("no \u{1b}[31m socket").as_deref(), Some("no \\u{1b}[31m socket"));
        let long = detail(&"\u{e9}".repeat(300));
        assert_eq!(long.map(|text| text.len()), Some(DETAIL_MAX));
    }
}

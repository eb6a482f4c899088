//! One peer in detail, and over which links something goes: to a node, or to those who take part in a group.
//!
//! Only what this node knows is said: its own links and, for a linked node, a round trip measured just now; for a group,
//! the networks that its senders' newest messages have crossed, as the routers on their way tell it. Which nodes lie behind
//! the first hop is not known here, and the answer says so.

use std::time::{Duration, SystemTime};

use axum::extract::{Path, State};
use crosscast::PeerView;
use crosscast_wire::{GroupId, NodeId, Rendezvous};

use crate::inspect::node_id;
use crate::params::Params;
use crate::server::{App, Reply, ok};
use crate::view::{PeerDetail, PeerJson, TraceLink, TraceSender, TraceView, millis};
use crate::{ApiError, Code};

/// Groups that are looked through for one peer. 256: more is a list for a program, which asks group by group.
const GROUPS: usize = 256;

/// Seconds of a day, by which names of meetings change.
const DAY_SECS: u64 = 86_400;

/// How long the round trip of a trace may take without a wish of the caller. 5 s: a trace is looked at by a person.
const MEASURE: Duration = Duration::from_secs(5);

/// `GET /v1/peers/{node}`
pub(crate) async fn peer(State(app): State<App>, Path(text): Path<String>) -> Reply {
    let node = node_id(&text)?;
    let all = app.node.peers().await?;
    let rates = app.rates(&all);
    let linked = all.iter().zip(rates).filter(|(peer, _)| peer.node == node);
    let instances: Vec<PeerJson> =
        linked.map(|(peer, rate)| PeerJson::of(peer, rate, app.last_error(&peer.node))).collect();
    if instances.is_empty() {
        return Err(not_linked(&app, &node));
    }
    let mut groups = Vec::new();
    for group in app.node.groups().await?.iter().filter(|group| group.neighbours > 0).take(GROUPS) {
        // A group that was left meanwhile has no peers.
        let peers = app.node.group_peers(group.group).await.unwrap_or_default();
        if peers.iter().any(|peer| peer.node == node) {
            groups.push(group.group.to_string());
        }
    }
    ok(&PeerDetail { node: node.to_string(), instances, groups })
}

/// `GET /v1/trace/{target}`: a NodeId, a GroupId, or the local name of a group.
pub(crate) async fn trace(State(app): State<App>, Path(text): Path<String>, params: Params) -> Reply {
    params.only(&["timeout_ms"])?;
    match NodeId::parse(&text) {
        Ok(node) => trace_node(&app, node, params.millis("timeout_ms")?.unwrap_or(MEASURE)).await,
        Err(_) => trace_group(&app, &text).await,
    }
}

async fn trace_node(app: &App, node: NodeId, most: Duration) -> Reply {
    if node == app.node.node_id() {
        return Err(ApiError::new(Code::BadRequest, "that is this node"));
    }
    let peers = app.node.peers().await?;
    let links: Vec<TraceLink> = peers.iter().filter(|peer| peer.node == node).map(TraceLink::of).collect();
    if links.is_empty() {
        return Err(not_linked(app, &node));
    }
    let measured = tokio::time::timeout(most, app.node.ping(node)).await.ok().and_then(Result::ok);
    ok(&TraceView {
        target: node.to_string(),
        kind: "node".to_owned(),
        extent: "whole".to_owned(),
        links,
        senders: Vec::new(),
        measured_ms: measured.map(|pong| millis(u64::try_from(pong.rtt.as_micros()).unwrap_or(u64::MAX))),
        rendezvous: None,
    })
}

async fn trace_group(app: &App, text: &str) -> Reply {
    let group = app.group(text).await?;
    let mut peers: Vec<PeerView> = app.node.group_peers(group).await?;
    peers.sort_by_key(|peer| (peer.node, peer.instance.0));
    ok(&TraceView {
        target: group.to_string(),
        kind: "group".to_owned(),
        extent: "first_hop".to_owned(),
        links: peers.iter().map(TraceLink::of).collect(),
        senders: app.node.group_trails(group).await?.iter().map(TraceSender::of).collect(),
        measured_ms: None,
        rendezvous: Some(rendezvous(&group, SystemTime::now())),
    })
}

/// Under which name a group meets on the day of this time.
fn rendezvous(group: &GroupId, now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let name = Rendezvous::of(group, since.as_secs() / DAY_SECS);
    name.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn not_linked(app: &App, node: &NodeId) -> ApiError {
    let last = app.last_error(node).map(|last| format!("; last: {last}")).unwrap_or_default();
    ApiError::new(Code::NotLinked, format!("no link to {node}{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_meets_under_another_name_every_day() {
        let group = GroupId::new([7; 32]);
        let at = |secs| rendezvous(&group, SystemTime::UNIX_EPOCH + Duration::from_secs(secs));
        let of_day = |day| Rendezvous::of(&group, day).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let days: [String; 2] = [of_day(20_000), of_day(20_001)];
        assert_eq!([at(20_000 * DAY_SECS), at(20_001 * DAY_SECS)], days);
        assert_eq!(at(20_001 * DAY_SECS - 1), days[0]);
    }
}

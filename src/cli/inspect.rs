//! `status`, `peers`, `peer`, `trace`, `ping`: looking at the node.

use std::time::Duration;

use crosscast::Locator;
use crosscast_api::Code;
use crosscast_api::view::{NetworkView, PeerDetail, PeerJson, PongView, ReloadView, StatusView, TraceView};
use serde::{Deserialize, Serialize};

use crate::Context;
use crate::args::{PeerArgs, PeersArgs, PingArgs, TraceArgs};
use crate::client::{Client, escaped};
use crate::failure::Failure;
use crate::out::table;

/// Pause between two lists of `peers --watch`.
const WATCH: Duration = Duration::from_secs(1);

/// Prints the node's state.
pub(crate) async fn status(client: &Client, context: &mut Context) -> Result<(), Failure> {
    let status: StatusView = client.get("/v1/status").await?;
    if context.json {
        return context.out.json(&status);
    }
    let mut rows = vec![
        vec!["node".to_owned(), status.node],
        vec!["name".to_owned(), status.name],
        vec!["version".to_owned(), status.version],
        vec!["instance".to_owned(), status.instance],
        vec!["uptime".to_owned(), format!("{} s", status.uptime_s)],
        vec!["roles".to_owned(), status.roles.join(", ")],
    ];
    for network in &status.networks {
        let mut lines = about_network(network, &status.listen).into_iter();
        rows.extend(lines.next().map(|line| vec!["network".to_owned(), line]));
        rows.extend(lines.map(|line| vec![String::new(), line]));
    }
    rows.push(vec!["peers".to_owned(), status.peers.to_string()]);
    rows.push(vec!["groups".to_owned(), status.groups.to_string()]);
    rows.push(vec!["memory".to_owned(), format!("{} KiB", status.rss_bytes / 1_024)]);
    let refused: Vec<String> = status.rejects.iter().map(|(word, count)| format!("{word} {count}")).collect();
    if !refused.is_empty() {
        rows.push(vec!["refused".to_owned(), refused.join(", ")]);
    }
    rows.extend(status.reload.as_ref().map(|reload| vec!["config".to_owned(), reloaded(reload)]));
    table(&rows).iter().try_for_each(|line| context.out.line(line))
}

/// A network in a line: where this node is there, and what a code means. Further places, and what ails it, stand below.
fn about_network(network: &NetworkView, listen: &[String]) -> Vec<String> {
    let mut line = format!("{} {}", network.network, network.state);
    let mut places = places(network, listen).into_iter();
    match (places.next(), network.state.as_str()) {
        (Some(place), _) => line = format!("{line} {place}"),
        (None, "up") => line.push_str(" (only dials)"),
        (None, _) => {}
    }
    if let Some(reason) = &network.reason {
        let means = Code::from_word(reason).map_or_else(String::new, |code| format!(": {}", code.means()));
        line = format!("{line} ({reason}{means})");
    }
    let detail = network.detail.clone().filter(|_| network.reason.is_some());
    [line].into_iter().chain(places).chain(detail).collect()
}

/// Where a node is on a network: where it listens there, else its bare address. A listener of its own has a row of its own.
fn places(network: &NetworkView, listen: &[String]) -> Vec<String> {
    let is_there = |place: &&String| {
        Locator::parse(place.as_str()).is_ok_and(|place| place.scheme().network().word() == network.network)
    };
    let there: Vec<String> = match &network.address {
        Some(address) if listen.contains(address) => Vec::new(),
        Some(_) => listen.iter().filter(is_there).cloned().collect(),
        None => Vec::new(),
    };
    if there.is_empty() { network.address.iter().cloned().collect() } else { there }
}

/// What the last reading of the configuration came to.
fn reloaded(reload: &ReloadView) -> String {
    let list = |keys: &[String]| if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
    let cause = reload.cause.as_ref().map(|cause| format!("; {cause}")).unwrap_or_default();
    if !reload.ok {
        return format!("read again and left alone{cause}");
    }
    let restart = match reload.restart.as_slice() {
        [] => String::new(),
        keys => format!("; after a restart: {}", list(keys)),
    };
    format!("read again; changed: {}{restart}{cause}", list(&reload.changed))
}

#[derive(Debug, Serialize, Deserialize)]
struct Peers {
    peers: Vec<PeerJson>,
}

/// Prints the linked peers, once or again and again.
pub(crate) async fn peers(client: &Client, args: &PeersArgs, context: &mut Context) -> Result<(), Failure> {
    loop {
        let peers: Peers = client.get("/v1/peers").await?;
        if context.json {
            context.out.json(&peers)?;
        } else {
            if args.watch && context.out.is_terminal() {
                // Home, and erase to the end: the list is drawn over the last one.
                context.out.write(b"\x1b[H\x1b[J")?;
            }
            show_peers(&peers, context)?;
        }
        context.out.flush()?;
        if !args.watch {
            return Ok(());
        }
        let over = client.deadline().is_some_and(|deadline| std::time::Instant::now() + WATCH > deadline);
        if over {
            return Err(Failure::new(Code::Timeout, "the time given with --timeout is over"));
        }
        tokio::time::sleep(WATCH).await;
    }
}

fn show_peers(peers: &Peers, context: &mut Context) -> Result<(), Failure> {
    if peers.peers.is_empty() {
        context.note("no peer is linked");
        return Ok(());
    }
    let head = ["NODE", "ALIAS", "NETWORK", "DIR", "PATH", "REASON", "RTT", "RX/S", "TX/S", "GROUPS", "LOCATOR"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(peers.peers.iter().map(|peer| {
        vec![
            peer.node.clone(),
            peer.alias.clone(),
            networks(&peer.network, &peer.standby),
            peer.direction.clone(),
            peer.path.clone(),
            peer.reason.clone(),
            peer.rtt_ms.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt:.1} ms")),
            peer.rx_rate.to_string(),
            peer.tx_rate.to_string(),
            peer.groups.to_string(),
            peer.locator.clone(),
        ]
    }));
    table(&rows).iter().try_for_each(|line| context.out.line(line))
}

/// The network of the link that leads, and those of links that stand by.
fn networks(lead: &str, standby: &[String]) -> String {
    [lead].into_iter().chain(standby.iter().map(String::as_str)).collect::<Vec<_>>().join("+")
}

/// Prints one peer in detail.
pub(crate) async fn peer(client: &Client, args: &PeerArgs, context: &mut Context) -> Result<(), Failure> {
    let peer: PeerDetail = client.get(&format!("/v1/peers/{}", escaped(&args.node))).await?;
    if context.json {
        return context.out.json(&peer);
    }
    let mut rows = vec![("node", peer.node)];
    for run in peer.instances {
        rows.extend([
            ("instance", run.instance),
            ("alias", run.alias),
            ("agent", run.agent),
            ("roles", run.roles.join(", ")),
            ("network", format!("{} {} ({})", run.network, run.path, run.reason)),
            ("standby", if run.standby.is_empty() { "none".to_owned() } else { run.standby.join(", ") }),
            ("locator", format!("{} {}", run.direction, run.locator)),
            ("up since", run.up_since.to_string()),
            ("round trip", run.rtt_ms.map_or_else(|| "not measured yet".to_owned(), |rtt| format!("{rtt:.3} ms"))),
            ("received", format!("{} bytes, {} a second", run.rx_bytes, run.rx_rate)),
            ("sent", format!("{} bytes, {} a second", run.tx_bytes, run.tx_rate)),
            ("waiting", format!("{} bytes", run.mailbox)),
            ("last error", run.last_error.unwrap_or_else(|| "none".to_owned())),
        ]);
    }
    rows.extend(peer.groups.into_iter().map(|group| ("group", group)));
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    table(&rows).iter().try_for_each(|line| context.out.line(line))
}

/// Prints over which links something goes.
pub(crate) async fn trace(client: &Client, args: &TraceArgs, context: &mut Context) -> Result<(), Failure> {
    let query = client.wait_ms().map(|wait| format!("?timeout_ms={wait}")).unwrap_or_default();
    let trace: TraceView = client.get(&format!("/v1/trace/{}{query}", escaped(&args.target))).await?;
    if context.json {
        return context.out.json(&trace);
    }
    let rtt = |rtt: Option<f64>| rtt.map_or_else(|| "-".to_owned(), |rtt| format!("{rtt:.3} ms"));
    if let Some(rendezvous) = &trace.rendezvous {
        context.out.line(&format!("meets elsewhere today as {rendezvous}"))?;
    }
    if trace.links.is_empty() {
        context.note("nobody who takes part in the group is linked");
        return Ok(());
    }
    let head = ["NODE", "ALIAS", "NETWORK", "DIR", "PATH", "REASON", "RTT", "WAITING", "LOCATOR"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(trace.links.into_iter().map(|link| {
        let waiting = link.queued_bytes.to_string();
        let (path, rtt) = (link.path, rtt(link.rtt_ms));
        vec![link.node, link.alias, link.network, link.direction, path, link.reason, rtt, waiting, link.locator]
    }));
    table(&rows).iter().try_for_each(|line| context.out.line(line))?;
    if !trace.senders.is_empty() {
        let mut rows = vec![["SENDER", "NEWEST", "HOPS", "NETWORKS"].map(str::to_owned).to_vec()];
        rows.extend(trace.senders.into_iter().map(|sender| {
            let networks = if sender.networks.is_empty() { "here".to_owned() } else { sender.networks.join(" > ") };
            vec![sender.from, sender.seq.to_string(), sender.hops.to_string(), networks]
        }));
        context.out.line("")?;
        table(&rows).iter().try_for_each(|line| context.out.line(line))?;
    }
    if trace.kind == "group" {
        context.note("these are the first hops; what lies behind them is not known here");
    } else {
        context.note(&format!("round trip just now: {}", rtt(trace.measured_ms)));
    }
    Ok(())
}

/// Measures the round trip to a peer.
pub(crate) async fn ping(client: &Client, args: &PingArgs, context: &mut Context) -> Result<(), Failure> {
    let query = client.wait_ms().map(|wait| format!("?timeout_ms={wait}")).unwrap_or_default();
    let path = format!("/v1/ping/{}{query}", escaped(&args.node));
    let pong: PongView = client.post(&path, bytes::Bytes::new()).await?;
    if context.json {
        return context.out.json(&pong);
    }
    context.out.line(&format!("{}: {:.3} ms, {} ({})", pong.node, pong.rtt_ms, pong.path, pong.reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const LISTEN: [&str; 4] =
        ["tls://127.0.0.1:7700", "ygg://[200::1]:7701", "libp2p:/ip4/127.0.0.1/tcp/1", "libp2p:/ip4/127.0.0.2/tcp/1"];

    fn lines(network: &str, state: &str, address: Option<&str>, reason: Option<&str>, detail: &str) -> Vec<String> {
        let detail = (!detail.is_empty()).then(|| detail.to_owned());
        let view = NetworkView {
            network: network.to_owned(),
            state: state.to_owned(),
            address: address.map(str::to_owned),
            reason: reason.map(str::to_owned),
            detail,
        };
        about_network(&view, &LISTEN.map(str::to_owned))
    }

    #[test]
    fn a_network_is_shown_with_the_places_where_this_node_listens_there() {
        let tls = lines("tls", "up", Some(LISTEN[0]), None, "");
        assert_eq!(tls, ["tls up tls://127.0.0.1:7700"]);
        let yggdrasil = lines("yggdrasil", "up", Some("200::1"), None, "Yggdrasil 0.5");
        assert_eq!(yggdrasil, ["yggdrasil up ygg://[200::1]:7701"]);
        let libp2p = lines("libp2p", "up", Some("12D3Koo"), None, "");
        assert_eq!(libp2p, ["libp2p up libp2p:/ip4/127.0.0.1/tcp/1", "libp2p:/ip4/127.0.0.2/tcp/1"]);
        assert_eq!(lines("cjdns", "up", Some("fc00::1"), None, ""), ["cjdns up fc00::1"], "it does not listen yet");
        assert_eq!(lines("tls", "up", None, None, ""), ["tls up (only dials)"]);
    }

    #[test]
    fn what_ails_a_network_stands_below_its_code() {
        let [line, detail] = &lines("yggdrasil", "down", None, Some("admin-denied"), "it is for the group y")[..]
        else {
            panic!("two lines");
        };
        assert!(line.starts_with("yggdrasil down (admin-denied: "), "{line}");
        assert_eq!(detail, "it is for the group y");
    }

    #[test]
    fn links_that_stand_by_are_named_behind_the_one_that_leads() {
        assert_eq!(networks("tls", &[]), "tls");
        assert_eq!(networks("tls", &["yggdrasil".to_owned(), "cjdns".to_owned()]), "tls+yggdrasil+cjdns");
    }
}

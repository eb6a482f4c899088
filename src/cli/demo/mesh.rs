//! The chain of nodes and the group that spans it, over networks that no two nodes of the ends have in common.
//!
//! Each node joins with a ticket of the one before it that says only where both can meet, so the ends share neither a link
//! nor, in most cases, a network, and whatever the first says must be carried by those between.

use std::path::Path;
use std::time::{Duration, Instant};

use crosscast::{Home, Locator, Network};
use crosscast_api::Code;
use crosscast_api::view::{GroupJson, StatusView, TicketView};
use serde_json::json;

use crate::client::{Client, escaped};
use crate::demo::child::{Node, Place};
use crate::failure::Failure;
use crate::wings;

/// The networks of the nodes that are always there, in the order of the chain.
const CHAIN: [&[Network]; 5] = [
    &[Network::Tls],
    &[Network::Tls, Network::Libp2p],
    &[Network::Libp2p],
    &[Network::Libp2p, Network::Tls],
    &[Network::Tls],
];

/// The nodes' names, in their order; with two more for the networks that may be found on the machine.
pub(crate) const NAMES: [&str; 7] = ["A", "B", "C", "D", "E", "F", "G"];

/// The group's local name.
const GROUP: &str = "demo";

/// How long the links may take to come up. 20 s: they take milliseconds, unless the machine is very busy.
const LINKED: Duration = Duration::from_secs(20);

/// What is known of a node when it runs.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) place: Place,
    pub(crate) node: String,
    pub(crate) pid: u32,
    pub(crate) networks: Vec<String>,
    /// Where it listens.
    listen: Vec<String>,
}

/// Which networks each node has: the chain, and a node on each further network that the machine is attached to.
fn plan(found: &[Network]) -> Vec<Vec<Network>> {
    let built = |network: &Network| *network == Network::Tls || cfg!(feature = "libp2p");
    let chain = CHAIN.iter().map(|networks| networks.iter().copied().filter(built).collect::<Vec<_>>());
    // A build without libp2p has a shorter chain, of one network.
    let mut chain: Vec<Vec<Network>> = chain.filter(|networks| !networks.is_empty()).collect();
    for network in found {
        if let Some(last) = chain.last_mut() {
            last.push(*network);
        }
        chain.push(vec![*network]);
    }
    chain
}

/// Starts the nodes, all at once.
pub(crate) async fn start(base: &Path) -> Result<(Vec<Node>, Vec<Member>), Failure> {
    let found = wings::found().await;
    let places = plan(&found).into_iter().zip(NAMES).enumerate().map(|(number, (networks, name))| Place {
        number,
        name: name.to_owned(),
        home: Home::at(base.join(name)),
        networks,
    });
    let starts = places.map(|place| async move {
        let (node, status) = Node::start(place.clone()).await?;
        Ok::<_, Failure>((member(place, node.pid(), status), node))
    });
    let started = futures_util::future::join_all(starts).await;
    let (members, nodes) = started.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    Ok((nodes, members))
}

fn member(place: Place, pid: u32, status: StatusView) -> Member {
    let networks = place.networks.iter().map(|network| network.word().to_owned()).collect();
    Member { place, node: status.node, pid, networks, listen: status.listen }
}

/// Makes the group at the first node and has each other join through its neighbour; returns its GroupId.
pub(crate) async fn join(members: &[Member]) -> Result<String, Failure> {
    let (mut ticket, mut group) = (String::new(), String::new());
    for (number, member) in members.iter().enumerate() {
        let client = member.place.client();
        let made: TicketView = if group.is_empty() {
            client.post_json("/v1/groups", &json!({ "name": GROUP })).await?
        } else {
            client.post_json("/v1/groups/join", &json!({ "ticket": ticket })).await?
        };
        group = made.group;
        let Some(next) = members.get(number.saturating_add(1)) else { break };
        let path = format!("/v1/groups/{}/invite", escaped(&group));
        let locators = member.meeting(next);
        let invited: TicketView = client.post_json(&path, &json!({ "locators": locators })).await?;
        ticket = invited.ticket.unwrap_or_default();
    }
    linked(members, &group).await?;
    Ok(group)
}

impl Member {
    /// Where this node can be dialled by one that has only some of its networks.
    fn meeting(&self, other: &Self) -> Vec<String> {
        let common = |text: &&String| {
            Locator::parse(text).is_ok_and(|place| other.place.networks.contains(&place.scheme().network()))
        };
        self.listen.iter().filter(common).map(|place| format!("{place}#{}", self.node)).collect()
    }

    /// The network that this node and another have in common, in a word.
    pub(crate) fn between(&self, other: &Self) -> &str {
        self.networks.iter().find(|network| other.networks.contains(network)).map_or("", String::as_str)
    }
}

/// Waits until every node has its neighbours in the group.
async fn linked(members: &[Member], group: &str) -> Result<(), Failure> {
    let start = Instant::now();
    for member in members {
        let number = member.place.number;
        let wanted = if number == 0 || number.saturating_add(1) == members.len() { 1 } else { 2 };
        let client: Client = member.place.client();
        loop {
            let view: GroupJson = client.get(&format!("/v1/groups/{}", escaped(group))).await?;
            if view.neighbours >= wanted {
                break;
            }
            if start.elapsed() > LINKED {
                let cause = format!("node {} has {} of {wanted} neighbours", member.place.name, view.neighbours);
                return Err(Failure::new(Code::DemoFailed, cause));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn neighbours_share_a_network_and_the_ends_of_a_long_chain_none() {
        for found in [&[][..], &[Network::Yggdrasil], &[Network::Cjdns], &[Network::Yggdrasil, Network::Cjdns]] {
            let chain = plan(found);
            assert!(chain.len() <= NAMES.len());
            for pair in chain.windows(2) {
                let [a, b] = pair else { continue };
                assert!(a.iter().any(|network| b.contains(network)), "{chain:?}");
            }
            let (first, last) = (chain.first().unwrap(), chain.last().unwrap());
            assert_eq!(first.iter().any(|network| last.contains(network)), found.is_empty(), "{chain:?}");
        }
    }
}

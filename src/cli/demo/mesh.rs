//! The chain of nodes and the group that spans it.
//!
//! Each node joins with a ticket of the one before it and dials only that one, so the ends share no link and whatever
//! the first says must be carried by those between.

use std::path::Path;
use std::time::{Duration, Instant};

use crosscast::Home;
use crosscast_api::Code;
use crosscast_api::view::{GroupJson, TicketView};
use serde_json::json;

use crate::client::{Client, escaped};
use crate::demo::child::{Node, Place};
use crate::failure::Failure;

/// The nodes, in their order.
pub(crate) const NAMES: [&str; 5] = ["A", "B", "C", "D", "E"];

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
}

/// Starts the nodes, all at once.
pub(crate) async fn start(base: &Path) -> Result<(Vec<Node>, Vec<Member>), Failure> {
    let places = NAMES.iter().enumerate().map(|(number, name)| Place {
        number,
        name: (*name).to_owned(),
        home: Home::at(base.join(name)),
    });
    let starts = places.map(|place| async move {
        let (node, status) = Node::start(place.clone()).await?;
        let mut networks: Vec<String> = status.networks.into_iter().map(|network| network.network).collect();
        networks.dedup();
        let member = Member { place, node: status.node, pid: node.pid(), networks };
        Ok::<_, Failure>((node, member))
    });
    let started = futures_util::future::join_all(starts).await;
    Ok(started.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().unzip())
}

/// Makes the group at the first node and has each other join through its neighbour; returns its GroupId.
pub(crate) async fn join(members: &[Member]) -> Result<String, Failure> {
    let (mut ticket, mut group) = (String::new(), String::new());
    for member in members {
        let client = member.place.client();
        let made: TicketView = if group.is_empty() {
            client.post_json("/v1/groups", &json!({ "name": GROUP })).await?
        } else {
            client.post_json("/v1/groups/join", &json!({ "ticket": ticket })).await?
        };
        group = made.group;
        let path = format!("/v1/groups/{}/invite", escaped(&group));
        let invited: TicketView = client.post_json(&path, &json!({})).await?;
        ticket = invited.ticket.unwrap_or_default();
    }
    linked(members, &group).await?;
    Ok(group)
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

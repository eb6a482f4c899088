//! A node of the library between two points, whose throughput is measured: its transport is the one under test, its
//! store is in memory, its group is sealed as groups are by default.
//!
//! `flow source NETWORK LOCATOR` listens, makes the group and publishes as many entries of 64 KiB as each line of its input
//! says; `flow sink NETWORK LOCATOR TICKET` links to it and says when each such round has arrived. NETWORK is `tls`,
//! `libp2p` or `yggdrasil:SOCKET`.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use crosscast::{Entry, Identity, Item, Node, Policy, PublishOptions, SecretKey, Since, Sizes, Source, Transport};
use crosscast_libp2p::{Libp2p, Libp2pConfig};
use crosscast_tls::{Tls, TlsConfig};
use crosscast_wire::{Locator, NodeId};
use crosscast_yggdrasil::{AdminAddress, YggdrasilConfig};
use serde_json::json;

use super::{answer, lines};

/// Bytes of an entry: the most it holds.
const ENTRY: usize = 64 << 10;

/// What the live window may keep. 16 MiB: what a daemon keeps.
const WINDOW: usize = 16 << 20;

/// What a reader lets come ahead.
const AHEAD: u32 = 8 << 20;

pub(super) fn play(args: &[String]) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["source", network, listen] => runtime.block_on(source(network, listen)),
        ["sink", network, locator, ticket] => runtime.block_on(sink(network, locator, ticket)),
        _ => bail!("flow source NETWORK LOCATOR | flow sink NETWORK LOCATOR TICKET"),
    }
}

/// A transport by the name of its network; behind a colon, what it attaches to.
fn transport(network: &str, key: &SecretKey) -> Result<Box<dyn Transport>> {
    match network.split_once(':').unwrap_or((network, "")) {
        ("tls", _) => Ok(Box::new(Tls::new(TlsConfig::new(key.clone()))?)),
        ("libp2p", _) => Ok(Box::new(Libp2p::new(Libp2pConfig::new(key.clone()))?)),
        ("yggdrasil", socket) => {
            let admin = Some(AdminAddress::parse(socket)?);
            let config = YggdrasilConfig { admin, ..YggdrasilConfig::new(NodeId::new(key.public())) };
            Ok(crosscast_yggdrasil::transport(config)?)
        }
        (other, _) => bail!("no transport for {other}"),
    }
}

async fn start(network: &str) -> Result<Node> {
    let key = Identity::generate()?.into_key();
    let transport = transport(network, &key)?;
    let sizes = Sizes { window_bytes: WINDOW as u64, ..Sizes::default() };
    Ok(Node::builder().identity(key).name("flow").transport(transport).sizes(sizes).start().await?)
}

async fn source(network: &str, listen: &str) -> Result<()> {
    let node = start(network).await?;
    // Over Yggdrasil it listens by itself, on its address.
    let locator = if listen.starts_with("ygg:") { Locator::parse(listen)? } else { node.listen(listen).await? };
    let locator = locator.with_node(node.node_id());
    let (group, ticket) = node.create_group("flow", Policy::Open, false).await?;
    answer(&json!({ "locator": locator.to_string(), "ticket": ticket }))?;
    let mut publisher = node.publisher(group, PublishOptions::default());
    let payload = Bytes::from(vec![0x78; ENTRY]);
    let mut lines = lines();
    linked(&node).await?;
    answer(&json!({ "linked": true }))?;
    while let Some(line) = lines.recv().await {
        let entries: usize = line.trim().parse().context("a number of entries")?;
        for _ in 0..entries {
            publisher.push(Entry::new(payload.clone())).await?;
        }
        let tally = publisher.flush().await?;
        answer(&json!({ "given": entries.saturating_mul(ENTRY), "tally": format!("{tally:?}") }))?;
    }
    Ok(())
}

async fn sink(network: &str, locator: &str, ticket: &str) -> Result<()> {
    let node = start(network).await?;
    node.attach(locator).await?;
    let (group, _) = node.join(ticket, None).await?;
    let mut reader = node.subscribe(Source::Group(group), Since::Now, AHEAD).await?;
    linked(&node).await?;
    answer(&json!({ "linked": true }))?;
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        let wanted: usize = line.trim().parse().context("a number of entries")?;
        let (mut entries, mut bytes) = (0_usize, 0_usize);
        while entries < wanted {
            match reader.next().await {
                Some(Item::Delivery(delivery)) => {
                    entries = entries.saturating_add(delivery.entries.iter().len());
                    bytes = delivery.entries.iter().fold(bytes, |sum, entry| sum.saturating_add(entry.payload.len()));
                }
                Some(Item::Gap) => bail!("the reader fell behind what is kept"),
                None => bail!("the node stopped"),
            }
        }
        answer(&json!({ "taken": bytes }))?;
    }
    Ok(())
}

async fn linked(node: &Node) -> Result<()> {
    while node.groups().await?.iter().all(|group| group.neighbours == 0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

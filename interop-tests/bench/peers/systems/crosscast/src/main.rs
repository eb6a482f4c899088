//! Crosscast, through the library's API: TLS links, sealed group, memory stores; verified at the router and at each
//! subscriber, and each subscriber a node of its own.
//!
//! Each publisher is a node of its own, with a key and a link of its own. With many publishers, all but the first end
//! their subscription (`sender.rs`): they publish to a group that they do not follow.

mod sender;

use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use crosscast::{
    Builder, CryptoPool, Entry, GroupId, Identity, Item, Node, Policy, PublishOptions, Since, Sizes, Source,
};
use crosscast_bench::{Args, Keep, Lane, Publisher, Router, System, run};
use crosscast_tls::{Tls, TlsConfig};
use crosscast_transport::Transport;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::sender::Sender;

/// Publishers that link at a time: a quarter of the handshakes a node takes at once.
const LINKING: usize = 64;

fn main() -> Result<()> {
    run::<Crosscast>()
}

struct Crosscast;

struct Opening {
    node: Node,
    group: GroupId,
    ticket: String,
}

struct Publishing(Vec<crosscast::Publisher>);

impl Publisher for Publishing {
    async fn publish(&mut self, who: usize, payload: Bytes) -> Result<()> {
        Ok(self.0.get_mut(who).context("no such publisher")?.push(Entry::new(payload)).await?)
    }
}

impl System for Crosscast {
    type Opening = Opening;
    type Publisher = Publishing;

    async fn open(_args: &Args) -> Result<(Opening, String)> {
        let node = builder("publisher", false).await?.start().await?;
        let (group, ticket) = node.create_group("bench", Policy::Open, false).await?;
        Ok((Opening { node, group, ticket: ticket.clone() }, ticket))
    }

    async fn link(opening: Opening, args: &Args) -> Result<Publishing> {
        let Opening { node, group, ticket } = opening;
        node.attach(&args.router).await?;
        linked(&node).await?;
        let mut publishers = vec![node.publisher(group, PublishOptions::default())];
        let mut linking = JoinSet::new();
        for _ in 1..args.publishers {
            if linking.len() >= LINKING {
                publishers.push(linking.join_next().await.context("nobody links")???);
            }
            linking.spawn(sender_node(ticket.clone(), args.router.clone()));
        }
        while let Some(publisher) = linking.join_next().await {
            publishers.push(publisher??);
        }
        Ok(Publishing(publishers))
    }

    async fn router(args: &Args) -> Result<Router> {
        let node = builder("router", false).await?.start().await?;
        let locator = node.listen("tls://127.0.0.1:0").await?;
        node.join(&args.offer, None).await?;
        let address = locator.with_node(node.node_id()).to_string();
        Ok(Router { address, pid: None, keep: Box::new(node) })
    }

    async fn subscriber(args: &Args, lane: Lane) -> Result<Keep> {
        let node = builder("subscriber", false).await?.attach(&args.router).start().await?;
        let (group, _) = node.join(&args.offer, None).await?;
        let mut reader = node.subscribe(Source::Group(group), Since::Now, 8 << 20).await?;
        linked(&node).await?;
        tokio::spawn(async move {
            while let Some(item) = reader.next().await {
                match item {
                    Item::Delivery(delivery) => {
                        lane.book_all(delivery.entries.iter().map(|entry| entry.payload));
                    }
                    Item::Gap => lane.lost("the reader fell behind what is kept"),
                }
            }
        });
        Ok(Box::new(node))
    }
}

async fn sender_node(ticket: String, router: String) -> Result<crosscast::Publisher> {
    let node = builder("sender", true).await?.attach(&router).start().await?;
    let (group, _) = node.join(&ticket, None).await?;
    linked(&node).await?;
    Ok(node.publisher(group, PublishOptions::default()))
}

/// Signing and verifying threads are shared by the nodes of a process.
async fn pool() -> CryptoPool {
    static POOL: OnceCell<CryptoPool> = OnceCell::const_new();
    POOL.get_or_init(|| async { CryptoPool::for_this_machine() }).await.clone()
}

async fn builder(name: &str, only_sends: bool) -> Result<Builder> {
    let key = Identity::generate()?.into_key();
    let tls: Box<dyn Transport> = Box::new(Tls::new(TlsConfig::new(key.clone()))?);
    let transport = if only_sends { Box::new(Sender::new(tls)) } else { tls };
    // The live window is bounded by what may be in flight, not by ten minutes of load.
    let sizes = Sizes { window_bytes: 8 << 20, ..Sizes::default() };
    Ok(Node::builder().identity(key).name(name).transport(transport).sizes(sizes).crypto_pool(pool().await))
}

async fn linked(node: &Node) -> Result<()> {
    while node.groups().await?.iter().all(|group| group.neighbours == 0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

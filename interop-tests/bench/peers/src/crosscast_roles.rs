//! Crosscast in the three roles, through the library's API: TLS links, sealed group, memory stores.

use anyhow::{Result, anyhow, bail};
use bytes::Bytes;
use crosscast::{Builder, CryptoPool, Entry, Identity, Item, Node, Policy, PublishOptions, Since, Sizes, Source};
use crosscast_tls::{Tls, TlsConfig};

use crate::flow::{Behind, Counts, due, stamped, window};
use crate::{number, value};

fn builder(name: &str, pool: CryptoPool) -> Result<Builder> {
    let key = Identity::generate()?.into_key();
    let tls = Box::new(Tls::new(TlsConfig::new(key.clone()))?);
    // The live window is bounded by what may be in flight, not by ten minutes of load.
    let sizes = Sizes { window_bytes: 8 << 20, ..Sizes::default() };
    Ok(Node::builder().identity(key).name(name).transport(tls).sizes(sizes).crypto_pool(pool))
}

pub(crate) async fn run(role: &str, args: &[String]) -> Result<()> {
    match role {
        "pub" => publisher(args).await,
        "router" => router(args).await,
        "sub" => subscribers(args).await,
        other => bail!("no role {other}"),
    }
}

async fn router(args: &[String]) -> Result<()> {
    let ticket = value(args, "--ticket").ok_or_else(|| anyhow!("--ticket is missing"))?;
    let node = builder("router", CryptoPool::for_this_machine())?.start().await?;
    let locator = node.listen("tls://127.0.0.1:0").await?;
    node.join(ticket, None).await?;
    println!("{}", locator.with_node(node.node_id()));
    wait_for_end().await;
    Ok(())
}

async fn subscribers(args: &[String]) -> Result<()> {
    let ticket = value(args, "--ticket").ok_or_else(|| anyhow!("--ticket is missing"))?;
    let router = value(args, "--router").ok_or_else(|| anyhow!("--router is missing"))?;
    let (count, size) = (number(args, "--count", 1) as usize, number(args, "--size", 1024));
    let port = u16::try_from(number(args, "--control", 0))?;
    let counts = Counts::new(count);
    let pool = CryptoPool::for_this_machine();
    let mut nodes = Vec::new();
    for subscriber in 0..count {
        let node = builder("subscriber", pool.clone())?.attach(router).start().await?;
        let (group, _) = node.join(ticket, None).await?;
        let mut reader = node.subscribe(Source::Group(group), Since::Now, 8 << 20).await?;
        let state = counts.clone();
        tokio::spawn(async move {
            while let Some(item) = reader.next().await {
                match item {
                    Item::Delivery(delivery) => {
                        for entry in &delivery.entries {
                            state.book(&entry.payload);
                        }
                        state.add(subscriber, delivery.entries.len() as u64);
                    }
                    Item::Gap => {
                        eprintln!("a subscriber lost messages");
                        std::process::exit(1);
                    }
                }
            }
        });
        nodes.push(node);
    }
    for node in &nodes {
        while node.groups().await?.iter().all(|group| group.neighbours == 0) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    println!("ready");
    tokio::spawn(counts.clone().report(port, window(size)));
    counts.serve().await
}

async fn publisher(args: &[String]) -> Result<()> {
    use tokio::io::AsyncBufReadExt as _;
    let (size, rate) = (number(args, "--size", 1024) as usize, number(args, "--rate", 0));
    let node = builder("publisher", CryptoPool::for_this_machine())?.start().await?;
    let (group, ticket) = node.create_group("bench", Policy::Open, false).await?;
    let (behind, port) = Behind::listen().await?;
    println!("{ticket}");
    println!("{port}");
    let mut lines = tokio::io::BufReader::new(tokio::io::stdin()).lines();
    let router = lines.next_line().await?.ok_or_else(|| anyhow!("no router"))?;
    node.attach(&router).await?;
    while node.groups().await?.iter().all(|group| group.neighbours == 0) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    println!("linked");
    lines.next_line().await?;
    let options = PublishOptions::default();
    let mut publisher = node.publisher(group, options);
    let filler = vec![b'x'; size];
    let payload = Bytes::from(filler.clone());
    let (mut sent, window, start) = (0, window(size as u64), std::time::Instant::now());
    loop {
        if rate > 0 {
            for _ in 0..due(start, rate, sent) {
                publisher.push(Entry::new(stamped(size, &filler))).await?;
                sent += 1;
            }
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        } else {
            for _ in 0..behind.room(sent, window).await {
                publisher.push(Entry::new(payload.clone())).await?;
                sent += 1;
            }
        }
    }
}

async fn wait_for_end() {
    use tokio::io::AsyncReadExt as _;
    let mut byte = [0];
    let _ = tokio::io::stdin().read(&mut byte).await;
}

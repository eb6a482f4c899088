//! NATS in the two client roles; the router is Debian's nats-server.

use anyhow::{Result, anyhow, bail};
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::flow::{Behind, Counts, due, stamped, window};
use crate::{number, value};

const SUBJECT: &str = "bench";

pub(crate) async fn run(role: &str, args: &[String]) -> Result<()> {
    match role {
        "pub" => publisher(args).await,
        "sub" => subscribers(args).await,
        other => bail!("no role {other}"),
    }
}

async fn connect(args: &[String]) -> Result<async_nats::Client> {
    let url = value(args, "--router").ok_or_else(|| anyhow!("--router is missing"))?;
    let options = async_nats::ConnectOptions::new().subscription_capacity(1 << 16);
    Ok(options.connect(url).await?)
}

async fn subscribers(args: &[String]) -> Result<()> {
    let (count, size) = (number(args, "--count", 1) as usize, number(args, "--size", 1024));
    let port = u16::try_from(number(args, "--control", 0))?;
    let counts = Counts::new(count);
    for subscriber in 0..count {
        let client = connect(args).await?;
        let mut stream = client.subscribe(SUBJECT).await?;
        client.flush().await?;
        let state = counts.clone();
        tokio::spawn(async move {
            let _client = client;
            while let Some(message) = stream.next().await {
                state.book(&message.payload);
                state.add(subscriber, 1);
            }
        });
    }
    println!("ready");
    tokio::spawn(counts.clone().report(port, window(size)));
    counts.serve().await
}

async fn publisher(args: &[String]) -> Result<()> {
    use tokio::io::AsyncBufReadExt as _;
    let (size, rate) = (number(args, "--size", 1024) as usize, number(args, "--rate", 0));
    let client = connect(args).await?;
    let (behind, port) = Behind::listen().await?;
    println!("{port}");
    let mut lines = tokio::io::BufReader::new(tokio::io::stdin()).lines();
    lines.next_line().await?;
    let filler = vec![b'x'; size];
    let payload = Bytes::from(filler.clone());
    let (mut sent, window, start) = (0, window(size as u64), std::time::Instant::now());
    loop {
        if rate > 0 {
            for _ in 0..due(start, rate, sent) {
                client.publish(SUBJECT, stamped(size, &filler)).await?;
                sent += 1;
            }
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        } else {
            for _ in 0..behind.room(sent, window).await {
                client.publish(SUBJECT, payload.clone()).await?;
                sent += 1;
            }
        }
    }
}

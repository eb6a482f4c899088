//! NATS: Debian's nats-server with async-nats; nothing signed, plain TCP, no persistence.

use anyhow::Result;
use async_nats::{Client, ConnectOptions};
use bytes::Bytes;
use crosscast_bench::{Args, Daemon, Keep, Lane, Publisher, Router, System, free_port, run, wait_for_port};
use futures_util::StreamExt as _;

const SUBJECT: &str = "bench";

fn main() -> Result<()> {
    run::<Nats>()
}

struct Nats;

struct Publishing(Client);

impl Publisher for Publishing {
    async fn publish(&mut self, _who: usize, payload: Bytes) -> Result<()> {
        Ok(self.0.publish(SUBJECT, payload).await?)
    }
}

impl System for Nats {
    type Opening = ();
    type Publisher = Publishing;

    async fn open(_args: &Args) -> Result<((), String)> {
        Ok(((), String::new()))
    }

    async fn link((): (), args: &Args) -> Result<Publishing> {
        Ok(Publishing(connect(args).await?))
    }

    async fn router(_args: &Args) -> Result<Router> {
        let port = free_port()?;
        let daemon = Daemon::start("nats-server", &["-a", "127.0.0.1", "-p", &port.to_string()])?;
        wait_for_port(port).await?;
        Ok(Router { address: format!("nats://127.0.0.1:{port}"), pid: Some(daemon.pid()), keep: Box::new(daemon) })
    }

    async fn subscriber(args: &Args, lane: Lane) -> Result<Keep> {
        let client = connect(args).await?;
        let mut stream = client.subscribe(SUBJECT).await?;
        client.flush().await?;
        tokio::spawn(async move {
            while let Some(message) = stream.next().await {
                lane.book(&message.payload);
            }
        });
        Ok(Box::new(client))
    }
}

async fn connect(args: &Args) -> Result<Client> {
    Ok(ConnectOptions::new().subscription_capacity(1 << 16).connect(&args.router).await?)
}

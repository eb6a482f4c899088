//! zenoh: publisher and subscribers as clients of a router, all with the zenoh crate; nothing signed, plain TCP.
//!
//! The publisher waits where zenoh would drop (congestion control "block"); all else is as zenoh has it by default.

use anyhow::{Result, anyhow};
use bytes::Bytes;
use crosscast_bench::{Args, Keep, Lane, Publisher, Router, System, free_port, run};
use zenoh::qos::CongestionControl;
use zenoh::{Config, Session};

const KEY: &str = "bench";

fn main() -> Result<()> {
    run::<Zenoh>()
}

struct Zenoh;

struct Publishing {
    publisher: zenoh::pubsub::Publisher<'static>,
    _session: Session,
}

impl Publisher for Publishing {
    async fn publish(&mut self, _who: usize, payload: Bytes) -> Result<()> {
        self.publisher.put(payload).await.map_err(|error| anyhow!("{error}"))
    }
}

impl System for Zenoh {
    type Opening = ();
    type Publisher = Publishing;

    async fn open(_args: &Args) -> Result<((), String)> {
        Ok(((), String::new()))
    }

    async fn link((): (), args: &Args) -> Result<Publishing> {
        let session = session("client", "connect", &args.router).await?;
        let publisher = session.declare_publisher(KEY).congestion_control(CongestionControl::Block).await;
        Ok(Publishing { publisher: publisher.map_err(|error| anyhow!("{error}"))?, _session: session })
    }

    async fn router(_args: &Args) -> Result<Router> {
        let address = format!("tcp/127.0.0.1:{}", free_port()?);
        let session = session("router", "listen", &address).await?;
        Ok(Router { address, pid: None, keep: Box::new(session) })
    }

    async fn subscriber(args: &Args, lane: Lane) -> Result<Keep> {
        let session = session("client", "connect", &args.router).await?;
        let book = move |sample: zenoh::sample::Sample| lane.book(&sample.payload().to_bytes());
        let subscriber = session.declare_subscriber(KEY).callback(book).await.map_err(|error| anyhow!("{error}"))?;
        // The declaration travels to the router by itself.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        Ok(Box::new((subscriber, session)))
    }
}

async fn session(mode: &str, end: &str, address: &str) -> Result<Session> {
    let mut config = Config::default();
    let settings = [
        ("mode".to_owned(), format!("\"{mode}\"")),
        (format!("{end}/endpoints"), format!("[\"{address}\"]")),
        ("scouting/multicast/enabled".to_owned(), "false".to_owned()),
        ("scouting/gossip/enabled".to_owned(), "false".to_owned()),
    ];
    for (key, value) in settings {
        config.insert_json5(&key, &value).map_err(|error| anyhow!("{error}"))?;
    }
    zenoh::open(config).await.map_err(|error| anyhow!("{error}"))
}

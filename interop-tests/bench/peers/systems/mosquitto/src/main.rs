//! MQTT: Debian's mosquitto with rumqttc, quality of service 0; nothing signed, plain TCP, no persistence.
//!
//! The broker runs with Debian's defaults but for its queue, which is not to drop: the window bounds it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use crosscast_bench::{Args, Daemon, Keep, Lane, Publisher, Router, System, free_port, run, wait_for_port};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};

const TOPIC: &str = "bench";

fn main() -> Result<()> {
    run::<Mosquitto>()
}

struct Mosquitto;

struct Publishing(AsyncClient);

impl Publisher for Publishing {
    async fn publish(&mut self, _who: usize, payload: Bytes) -> Result<()> {
        Ok(self.0.publish_bytes(TOPIC, QoS::AtMostOnce, false, payload).await?)
    }
}

/// The broker and its configuration.
struct Broker {
    _daemon: Daemon,
    config: PathBuf,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.config);
    }
}

impl System for Mosquitto {
    type Opening = ();
    type Publisher = Publishing;

    async fn open(_args: &Args) -> Result<((), String)> {
        Ok(((), String::new()))
    }

    async fn link((): (), args: &Args) -> Result<Publishing> {
        let (client, mut events) = connect(args, "publisher").await?;
        tokio::spawn(async move {
            while events.poll().await.is_ok() {}
            eprintln!("the broker ended the publisher's connection");
            std::process::exit(1);
        });
        Ok(Publishing(client))
    }

    async fn router(_args: &Args) -> Result<Router> {
        let port = free_port()?;
        let config = std::env::temp_dir().join(format!("bench-mosquitto-{port}.conf"));
        let lines = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\npersistence false\n\
             max_queued_messages 0\nmax_queued_bytes 0\n"
        );
        fs::write(&config, lines)?;
        let daemon = Daemon::start("mosquitto", &["-c", config.to_str().context("no path")?])?;
        wait_for_port(port).await?;
        let pid = Some(daemon.pid());
        Ok(Router { address: port.to_string(), pid, keep: Box::new(Broker { _daemon: daemon, config }) })
    }

    async fn subscriber(args: &Args, lane: Lane) -> Result<Keep> {
        let name = format!("subscriber-{}-{}", std::process::id(), lane.subscriber());
        let (client, mut events) = connect(args, &name).await?;
        client.subscribe(TOPIC, QoS::AtMostOnce).await?;
        until(&mut events, |packet| matches!(packet, Packet::SubAck(_))).await?;
        tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::Publish(publish))) => lane.book(&publish.payload),
                    Ok(_) => {}
                    Err(error) => return lane.lost(&error.to_string()),
                }
            }
        });
        Ok(Box::new(client))
    }
}

async fn connect(args: &Args, name: &str) -> Result<(AsyncClient, EventLoop)> {
    let mut options = MqttOptions::new(name, "127.0.0.1", args.router.parse()?);
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut events) = AsyncClient::new(options, 4096);
    until(&mut events, |packet| matches!(packet, Packet::ConnAck(_))).await?;
    Ok((client, events))
}

async fn until(events: &mut EventLoop, is_it: impl Fn(&Packet) -> bool) -> Result<()> {
    for _ in 0..64 {
        if let Event::Incoming(packet) = events.poll().await?
            && is_it(&packet)
        {
            return Ok(());
        }
    }
    bail!("the broker does not answer")
}

//! A libp2p program with a node in its own swarm: two of them here, which share a group over a stream of their swarms.

use crosscast::{Identity, Item, Node, Policy, Since, Source};
use crosscast_libp2p::embed;
use futures_util::StreamExt as _;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{SwarmBuilder, identify, identity::Keypair, noise, ping, tcp, yamux};

type Error = Box<dyn std::error::Error>;

#[derive(NetworkBehaviour)]
struct Host {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    crosscast: crosscast_libp2p::Behaviour,
}

async fn host() -> Result<Node, Error> {
    let key = Keypair::generate_ed25519();
    let (crosscast, transport) = embed(key.public().to_peer_id());
    let identify = identify::Behaviour::new(identify::Config::new("/host/1".into(), key.public()));
    let builder = SwarmBuilder::with_existing_identity(key).with_tokio();
    let builder = builder.with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)?;
    let mut swarm = builder.with_behaviour(|_| Host { identify, ping: ping::Behaviour::default(), crosscast })?.build();
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    let node = Node::builder().identity(Identity::generate()?.into_key()).transport(Box::new(transport));
    Ok(node.listen("libp2p:/ip4/127.0.0.1/tcp/0").start().await?)
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let (ada, bob) = (host().await?, host().await?);
    let (group, ticket) = ada.create_group("hello", Policy::Open, false).await?;
    bob.join(&ticket, None).await?; // The ticket names where Ada listens.
    let mut reader = bob.subscribe(Source::Group(group), Since::Oldest, 1 << 20).await?;
    ada.publish(group, "Hello, Bob!").await?;
    let Some(Item::Delivery(delivery)) = reader.next().await else { return Err("nothing came".into()) };
    println!("{}", String::from_utf8_lossy(&delivery.entries.iter().next().ok_or("empty")?.payload));
    Ok(())
}

//! Two nodes in one process: one makes a group and publishes, the other joins and reads.
//!
//! `cargo run -p crosscast --example two_nodes`

use crosscast::{Identity, Item, Node, Policy, Since, Source};
use crosscast_memory::{Hub, Memory};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hub = Hub::new();
    let start = |name: &'static str| {
        let identity = Identity::generate().map(Identity::into_key);
        let memory = Box::new(Memory::new(hub.clone()));
        async move {
            let builder = Node::builder().identity(identity?).name(name).transport(memory);
            let node = builder.listen(&format!("memory:{name}")).start().await?;
            Ok::<Node, Box<dyn std::error::Error>>(node)
        }
    };
    let (ada, bob) = (start("ada").await?, start("bob").await?);
    bob.attach("memory:ada").await?;

    let (group, ticket) = ada.create_group("hello", Policy::Open, false).await?;
    bob.join(&ticket, None).await?;
    let mut reader = bob.subscribe(Source::Group(group), Since::Oldest, 1 << 20).await?;
    ada.publish(group, "Hello, Bob!").await?;

    if let Some(Item::Delivery(delivery)) = reader.next().await {
        for entry in &delivery.entries {
            println!("{}: {}", delivery.from, String::from_utf8_lossy(&entry.payload));
        }
    }
    ada.shutdown().await;
    bob.shutdown().await;
    Ok(())
}

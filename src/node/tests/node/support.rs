//! What every test needs: nodes on a hub, time limits, temporary folders.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crosscast::{Builder, Item, Node, SecretKey, Subscription};
use crosscast_memory::{Hub, Memory};

/// No test waits longer for one thing; on a busy machine of two cores it is far from enough to hide a stall.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it did not happen in time")
}

pub(crate) fn builder(hub: &Hub, seed: u8) -> Builder {
    Node::builder().identity(SecretKey::new([seed; 32])).transport(Box::new(Memory::new(hub.clone())))
}

/// A node that listens at `memory:n<seed>` and is attached to others.
pub(crate) async fn node(hub: &Hub, seed: u8, attach: &[u8]) -> Node {
    let listening = builder(hub, seed).listen(&format!("memory:n{seed}"));
    let attached = attach.iter().fold(listening, |builder, peer| builder.attach(&format!("memory:n{peer}")));
    soon(attached.start()).await.unwrap()
}

/// Waits until a group has this many neighbours at a node.
pub(crate) async fn neighbours(node: &Node, count: u32) {
    soon(async {
        loop {
            let groups = node.groups().await.unwrap();
            if groups.iter().any(|group| group.neighbours >= count) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The next `count` payloads as text; a gap is a failure.
pub(crate) async fn texts(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        match soon(subscription.next()).await {
            Some(Item::Delivery(delivery)) => {
                texts.extend(delivery.entries.iter().map(|entry| String::from_utf8(entry.payload.to_vec()).unwrap()));
            }
            other => panic!("after {} of {count}: {other:?}", texts.len()),
        }
    }
    texts
}

pub(crate) fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("line {n}")).collect()
}

/// A folder of its own, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("crosscast-node-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

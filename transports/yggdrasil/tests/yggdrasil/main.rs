//! Yggdrasil as a host node: against recordings of its admin socket, against hostile ones, against real daemons.
//!
//! What needs an address of Yggdrasil on this machine puts it on `lo`, which takes root; what needs a daemon takes the
//! one that `YGG` names or the system's. A test that cannot run says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod daemons;
mod exam;
mod hostile;
mod look;
mod neighbours;

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crosscast_hosts::yggdrasil::At;
use crosscast_wire::{NodeId, SecretKey};
use crosscast_yggdrasil::{AdminAddress, YggdrasilConfig};

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

fn secret(node: u8) -> SecretKey {
    SecretKey::new([node; 32])
}

fn node_id(node: u8) -> NodeId {
    NodeId::new(secret(node).public())
}

fn config(admin: &str) -> YggdrasilConfig {
    YggdrasilConfig { admin: Some(AdminAddress::parse(admin).unwrap()), ..YggdrasilConfig::new(node_id(1)) }
}

/// A folder of its own for a test; removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("crosscast-ygg-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn socket(&self) -> At {
        At::Unix(self.at("admin.sock"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Puts an address on `lo`, where it stays; false, said aloud, where that cannot be done.
fn on_lo(address: Ipv6Addr) -> bool {
    let added =
        Command::new("ip").args(["-6", "address", "replace", &format!("{address}/128"), "dev", "lo", "nodad"]).output();
    match added {
        Ok(done) if done.status.success() => true,
        Ok(done) => {
            crosscast_exam::skip(&format!("no address on lo: {}", String::from_utf8_lossy(&done.stderr)));
            false
        }
        Err(error) => {
            crosscast_exam::skip(&format!("no address on lo: ip: {error}"));
            false
        }
    }
}

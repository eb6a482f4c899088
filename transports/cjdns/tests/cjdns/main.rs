//! The cjdns transport beside a recorded host node and hostile ones, and in the transports' exam.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod calls;
mod daemon;
mod exam;
mod host;
mod hostile;

use std::net::{Ipv6Addr, UdpSocket};
use std::process::Command;

use crosscast_cjdns::address::{address_of, key_text};
use crosscast_cjdns::{CjdnsConfig, Password};
use crosscast_hosts::cjdns::{Identity, Server};
use crosscast_wire::{NodeId, SecretKey};

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

/// The recorded nodes. Their addresses are on no machine; those of [`nth_node`] may be.
const N0: &str = "fc01:e84:9af2:8f9:7139:84bb:192e:95be";
const N1: &str = "fcb8:80f2:4593:6494:48e:3fea:9f65:4b7d";
const N2: &str = "fc3c:263a:2904:d7ba:5086:6ab:3d8:d815";

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn node_id(node: u8) -> NodeId {
    NodeId::new(SecretKey::new([node; 32]).public())
}

fn config(server: &Server, password: Option<&str>) -> CjdnsConfig {
    let mut config = CjdnsConfig::new(node_id(1));
    config.admin = server.address;
    config.password = password.map(|password| Password::new(password.to_owned()).unwrap());
    config
}

/// The key and address of a host node made for tests: of all keys that are small numbers, the n-th that has an address.
fn nth_node(n: usize) -> (Identity, Ipv6Addr) {
    let keys = (0_u32..).map(|number| {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        key
    });
    let (key, address) = keys.filter_map(|key| Some((key, address_of(&key)?))).nth(n).unwrap();
    (Identity { key: key_text(&key), address: full_text(address) }, address)
}

/// An address as cjdns writes it, with every zero.
fn full_text(address: Ipv6Addr) -> String {
    let groups: Vec<String> = address.segments().iter().map(|group| format!("{group:04x}")).collect();
    groups.join(":")
}

/// Puts an address on `lo`, where it stays; false, said aloud, where that cannot be done.
fn on_lo(address: Ipv6Addr) -> bool {
    if UdpSocket::bind((address, 0)).is_ok() {
        return true;
    }
    let place = format!("{address}/128");
    let added = Command::new("ip").args(["-6", "address", "replace", &place, "dev", "lo", "nodad"]).output();
    let problem = match added {
        Ok(done) if done.status.success() => return true,
        Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
        Err(error) => format!("ip: {error}"),
    };
    crosscast_exam::skip(&format!("no address on lo: {problem}"));
    false
}

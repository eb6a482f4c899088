//! Whom a look around finds, and whom it asks for that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crosscast_hosts::yggdrasil::{AdminServer, At, Recording};
use crosscast_port::Report;
use crosscast_stream::overlay::{Host as _, HostKey, Neighbour};
use crosscast_transport::PortDriver;
use crosscast_wire::{PeerFault, Scheme, WallMillis};
use crosscast_yggdrasil::{YggdrasilConfig, YggdrasilHost, address_of, node_info, transport};
use serde_json::{Value, json};

use super::{config, node_id, on_lo, secret};

pub(super) fn in_an_hour() -> WallMillis {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(3600);
    WallMillis(u64::try_from(now.as_millis()).unwrap())
}

fn hex(key: &HostKey) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A network in which every node but the own has a number, peers and NodeInfo.
#[derive(Clone, Default)]
struct Invented {
    linked: Vec<u8>,
    sessions: Vec<u8>,
    peers: BTreeMap<u8, Vec<u8>>,
    info: BTreeMap<u8, Value>,
    asked: Arc<Mutex<Vec<(String, u8)>>>,
}

fn key(number: u8) -> HostKey {
    [number; 32]
}

fn address(number: u8) -> std::net::Ipv6Addr {
    address_of(&key(number)).unwrap()
}

impl Invented {
    fn serve(&self) -> AdminServer {
        let net = self.clone();
        AdminServer::invented(move |name, of| net.answer(name, of), At::Tcp)
    }

    fn answer(&self, name: &str, of: &str) -> Option<Value> {
        let node = |number: &u8| json!({"key": hex(&key(*number)), "address": address(*number).to_string()});
        let keys = |numbers: &[u8]| numbers.iter().map(|number| hex(&key(*number))).collect::<Vec<_>>();
        let asked = u8::from_str_radix(of.get(..2).unwrap_or_default(), 16).ok();
        if let Some(asked) = asked {
            self.asked.lock().unwrap().push((name.to_owned(), asked));
        }
        Some(match name {
            "list" => json!({"list": ["getself", "gettree", "debug_remotegetpeers"]}),
            "getself" => node(&1),
            "gettun" => json!({"enabled": true}),
            "getpeers" => json!({"peers": self.linked.iter().map(node).collect::<Vec<_>>()}),
            "getsessions" => json!({"sessions": self.sessions.iter().map(node).collect::<Vec<_>>()}),
            "getpaths" => json!({"paths": []}),
            "getnodeinfo" => json!({of: self.info.get(&asked?).cloned().unwrap_or_else(|| json!({}))}),
            "debug_remotegetpeers" => {
                json!({address(asked?).to_string(): {"keys": keys(self.peers.get(&asked?)?)}})
            }
            _ => return None,
        })
    }

    fn asked(&self, name: &str) -> Vec<u8> {
        let mut asked: Vec<u8> =
            self.asked.lock().unwrap().iter().filter(|(own, _)| own == name).map(|(_, of)| *of).collect();
        asked.sort_unstable();
        asked
    }
}

fn marker(node: u8, host: u8, port: u16) -> Value {
    serde_json::from_str(&node_info(&secret(node), &key(host), port, in_an_hour())).unwrap()
}

async fn around(config: &YggdrasilConfig) -> (YggdrasilHost, Vec<Neighbour>) {
    let host = YggdrasilHost::new(config);
    host.look().await;
    let found = host.neighbours().await;
    (host, found)
}

#[tokio::test]
async fn direct_peers_are_found_and_asked_and_nobody_else_unless_wanted() {
    let net = Invented {
        linked: vec![2, 3],
        sessions: vec![4],
        peers: [(2, vec![1, 5]), (3, vec![1]), (4, vec![5])].into(),
        info: [(3, marker(13, 3, 7703)), (4, marker(14, 4, 7704)), (5, marker(15, 5, 7705))].into(),
        ..Invented::default()
    };
    let server = net.serve();
    let (_, found) = around(&config(server.address())).await;
    let marked = |number: u8, node| Neighbour {
        address: address(number),
        port: Some(7700 + u16::from(number)),
        node: Some(node_id(node)),
    };
    let bare = Neighbour { address: address(2), port: None, node: None };
    assert_eq!(found, [marked(3, 13), bare.clone()]);
    assert_eq!(net.asked("getnodeinfo"), [2, 3]);
    assert_eq!(net.asked("debug_remotegetpeers"), Vec::<u8>::new());

    net.asked.lock().unwrap().clear();
    let (host, found) = around(&YggdrasilConfig { discover: true, ..config(server.address()) }).await;
    assert_eq!(found, [marked(3, 13), marked(4, 14), marked(5, 15), bare]);
    assert_eq!(net.asked("getnodeinfo"), [2, 3, 4, 5]);
    assert_eq!(net.asked("debug_remotegetpeers"), [2, 3, 4, 5]);
    host.neighbours().await;
    assert_eq!(net.asked("getnodeinfo").len(), 4, "nobody is asked twice");
}

#[tokio::test]
async fn a_marker_that_was_made_for_another_node_leads_nowhere() {
    let net = Invented {
        linked: vec![2, 3],
        info: [(2, marker(13, 3, 7703)), (3, marker(13, 3, 7703))].into(),
        ..Invented::default()
    };
    let server = net.serve();
    let (_, found) = around(&config(server.address())).await;
    assert_eq!(found.iter().filter(|one| one.node == Some(node_id(13))).count(), 1);
    assert!(found.contains(&Neighbour { address: address(2), port: None, node: None }));
}

#[tokio::test]
async fn the_node_is_told_of_found_neighbours_and_of_markers_that_do_not_hold_by_name() {
    if !on_lo(address(1)) {
        return;
    }
    let forged = |number| {
        let mut info = marker(13, number, 7703);
        info["crosscast"]["port"] = json!(7704);
        info
    };
    let ended: Value =
        serde_json::from_str(&node_info(&secret(13), &key(5), 7705, WallMillis(1_700_000_000_000))).unwrap();
    let net = Invented {
        linked: vec![2, 3, 4, 5],
        info: [(2, marker(12, 2, 7702)), (3, marker(12, 2, 7702)), (4, forged(4)), (5, ended)].into(),
        ..Invented::default()
    };
    let server = net.serve();
    let transport = transport(YggdrasilConfig { port: 0, ..config(server.address()) }).unwrap();
    let mut driver = PortDriver::new();
    let task = tokio::spawn(transport.run(driver.attach(Scheme::Ygg)));
    let (mut found, mut refused) = (BTreeSet::new(), BTreeSet::new());
    while found.len() < 4 || refused.len() < 3 {
        let mut batch = Vec::new();
        tokio::time::timeout(Duration::from_secs(30), driver.recv(&mut batch)).await.expect("reports in time");
        for report in batch {
            if let Report::Found { locator } = report {
                found.insert(locator.to_string());
            } else if let Report::Refused { from, fault, .. } = report {
                refused.insert((from.to_string(), fault));
            }
        }
    }
    let at = |number: u8, port: u16| format!("ygg://[{}]:{port}", address(number));
    let bare = [3, 4, 5].map(|number| at(number, 7700));
    let marked = format!("{}#{}", at(2, 7702), node_id(12));
    assert_eq!(found, [vec![marked], bare.to_vec()].concat().into_iter().collect());
    let faults = [PeerFault::AttestationForeign, PeerFault::AttestationForged, PeerFault::AttestationExpired];
    assert_eq!(refused, (3..).map(|number| at(number, 0)).zip(faults).collect());
    task.abort();
}

#[tokio::test]
async fn a_network_of_any_size_costs_an_hours_share() {
    let all: Vec<u8> = (2..=255).collect();
    let net = Invented {
        linked: vec![2],
        peers: all.iter().map(|number| (*number, all.clone())).collect(),
        ..Invented::default()
    };
    let server = net.serve();
    let (host, _) = around(&YggdrasilConfig { discover: true, ..config(server.address()) }).await;
    assert_eq!(net.asked("getnodeinfo").len(), 16);
    for _ in 0..10 {
        host.neighbours().await;
    }
    assert_eq!(net.asked("getnodeinfo").len(), 64);
}

#[tokio::test]
async fn recorded_neighbours_of_either_version_are_found() {
    for version in ["0.4.7", "0.5.14"] {
        let recording = Recording::of(version);
        let nodes = recording.nodes();
        let server = AdminServer::replay(recording, At::Tcp);
        let (host, found) = around(&YggdrasilConfig { discover: true, ..config(server.address()) }).await;
        let bare = Neighbour { address: nodes[1].address, port: None, node: None };
        assert_eq!(found, [bare], "{version}");
        host.neighbours().await;
        let heard = server.heard();
        for node in &nodes {
            let asked = heard.iter().filter(|asked| asked.contains("getnodeinfo") && asked.contains(&node.key)).count();
            assert_eq!(asked, usize::from(node != &nodes[0]), "{version}: {heard:?}");
        }
    }
}

#[tokio::test]
async fn nobody_is_found_before_a_daemon_is() {
    assert_eq!(YggdrasilHost::new(&config("tcp://127.0.0.1:1")).neighbours().await, []);
}

//! The same nodes over QUIC: other locators, the same network, the same messages.

use serde_json::Value;

use crate::world::{Home, Stream, World};

/// A home that keeps links to these places.
fn attached(world: &World, name: &str, places: &[&str]) -> Home {
    let home = world.home(name);
    let words: Vec<&str> = places.iter().flat_map(|place| ["--attach", place]).collect();
    home.ok(&[&["init", "--name", name], &words[..]].concat());
    home
}

/// The peers that a node lists, once there are some.
fn peers(home: &Home) -> Vec<Value> {
    for _ in 0..100 {
        let peers = home.json(&["peers"])["peers"].as_array().unwrap().clone();
        if !peers.is_empty() {
            return peers;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("no peer in ten seconds");
}

#[test]
fn a_node_listens_on_tcp_and_udp_and_messages_cross_a_quic_link() {
    let world = World::new();
    let a = world.home("a");
    a.ok(&["init", "--name", "a", "--listen", "tls://127.0.0.1:0", "--listen", "quic://127.0.0.1:0"]);
    let _a = a.run();
    let status = a.json(&["status"]);
    let mut listen: Vec<&str> = status["listen"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    listen.sort_unstable();
    assert!(listen[0].starts_with("quic://127.0.0.1:") && listen[1].starts_with("tls://127.0.0.1:"), "{listen:?}");
    let place = format!("{}#{}", listen[0], status["node"].as_str().unwrap());
    let b = attached(&world, "b", &[&place]);
    let _b = b.run();
    let peer = &peers(&b)[0];
    assert_eq!((&peer["network"], &peer["path"]), (&"tls".into(), &"direct".into()));
    assert!(peer["locator"].as_str().unwrap().starts_with(listen[0]), "{peer}");
    let ticket = a.json(&["group", "create", "g"])["ticket"].as_str().unwrap().to_owned();
    b.ok(&["group", "join", &ticket]);
    let mut sub = Stream::start(b.command(&["sub", "g", "--since", "oldest", "-n", "1", "--json"]));
    std::thread::sleep(std::time::Duration::from_millis(300));
    a.ok(&["pub", "g", "over udp"]);
    let entry = sub.json();
    assert_eq!((&entry["payload"], &entry["network"], &entry["hops"]), (&"over udp".into(), &"tls".into(), &1.into()));
    assert_eq!(sub.wait(), 0);
    b.ok(&["ping", status["node"].as_str().unwrap()]);
}

//! Sending beyond the next node, to several at once and to services; strangers; keys taken out, in and replaced.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{Daemon, Home, World, text};

/// Three nodes in a row, all part of one group: the first and the last know nothing of each other but the group.
struct Row {
    _world: World,
    homes: Vec<Home>,
    _daemons: Vec<Daemon>,
}

impl Row {
    fn new() -> Self {
        let world = World::new();
        let mut homes = vec![world.listener("a")];
        let mut daemons = vec![homes[0].run()];
        for name in ["b", "c"] {
            let near = homes.last().unwrap().locator();
            let home = world.home(name);
            home.ok(&["init", "--name", name, "--listen", "tls://127.0.0.1:0", "--attach", &near]);
            daemons.push(home.run());
            homes.push(home);
        }
        homes[0].ok(&["group", "create", "g"]);
        // A ticket that names only the neighbour.
        for at in 1..homes.len() {
            let ticket = homes[at - 1].ok(&["group", "invite", "g"]);
            homes[at].ok(&["group", "join", &ticket]);
        }
        let row = Self { _world: world, homes, _daemons: daemons };
        row.wait("the row is linked", || row.homes[1].json(&["group", "show", "g"])["neighbours"] == 2);
        row
    }

    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}: not in time");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn node(&self, at: usize) -> String {
        self.homes[at].ok(&["key", "show"])
    }

    fn inbox(&self, at: usize) -> Vec<Value> {
        self.homes[at].json(&["inbox"])["messages"].as_array().unwrap().clone()
    }
}

#[test]
fn a_row_of_nodes_carries_single_messages_lists_and_services() {
    let row = Row::new();
    let (a, c) = (&row.homes[0], &row.homes[2]);
    assert_eq!(a.json(&["send", &row.node(2), "over b"])["state"], "sent");
    row.wait("it arrives", || row.inbox(2).len() == 1);
    let first = row.inbox(2)[0].clone();
    assert_eq!((&first["payload"], &first["request"]), (&"over b".into(), &true.into()), "a has never spoken to c");
    // To both, in one message.
    let both = format!("{},{}", row.node(1), row.node(2));
    let sent = a.json(&["send", &both, "to both"]);
    let ids: Vec<&Value> = sent["messages"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!((ids.len(), ids[0]), (2, ids[1]), "{sent}");
    row.wait("both have it", || row.inbox(1).len() == 1 && row.inbox(2).len() == 2);
    assert_eq!(row.inbox(1)[0]["recipients"].as_array().unwrap().len(), 2);
    // A service.
    let shop = c.json(&["serve", "shop"]);
    let key = shop["service"].as_str().unwrap();
    assert!(key.starts_with("cs"), "{shop}");
    assert_eq!(c.ok(&["serve", "shop"]), key, "the same name is the same key");
    assert_eq!(a.json(&["send", key, "one dozen"])["state"], "sent");
    row.wait("the service has it", || row.inbox(2).len() == 3);
    assert_eq!(row.inbox(2)[2]["service"], key);
    assert_eq!(c.json(&["serve"]), json!({ "services": [shop] }));
    c.ok(&["serve", "shop", "--stop"]);
    assert_eq!(c.fails(&["serve", "shop", "--stop"]), (1, "unknown_service".to_owned()));
    // Accepted, it is a stranger no more.
    c.ok(&["inbox", "--accept", &row.node(0)]);
    assert!(row.inbox(2).iter().all(|message| message.get("request").is_none()));
}

#[test]
fn who_nobody_knows_is_told_by_name() {
    let row = Row::new();
    let nobody = row._world.home("nobody");
    nobody.ok(&["init"]);
    let nobody = nobody.ok(&["key", "show"]);
    let output = row.homes[0].call(&["send", &format!("{},{nobody}", row.node(1)), "some", "--json"]);
    let sent: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(sent["messages"][0]["state"], "sent");
    assert_eq!(
        (&sent["messages"][1]["state"], &sent["messages"][1]["code"]),
        (&"refused".into(), &"unknown-to".into())
    );
    assert_eq!(row.homes[0].fails(&["send", &nobody, "x"]), (3, "nobody_answers".to_owned()));
}

#[test]
fn a_key_is_exported_imported_and_replaced() {
    let world = World::new();
    let (home, other) = (world.home("home"), world.home("other"));
    home.ok(&["init"]);
    let (node, file) = (home.ok(&["key", "show"]), world.dir.join("copy.key"));
    let file = file.to_str().unwrap();
    assert_eq!(home.ok(&["key", "export", file]), node);
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(home.fails(&["key", "export", file]).1, "has_identity", "nothing is overwritten");
    assert_eq!(other.ok(&["key", "import", file]), node);
    assert_eq!(other.fails(&["key", "import", file]).1, "has_identity");
    let third = world.home("third");
    let piped = home.call(&["key", "export", "-"]);
    assert_eq!(text(&third.feed(&["key", "import", "-"], &piped.stdout).stdout).trim(), node);
    // Replaced: both keys are named, the old one is kept.
    let rotated = home.json(&["key", "rotate"]);
    assert_eq!((&rotated["old"], &rotated["new"]), (&node.as_str().into(), &home.ok(&["key", "show"]).into()));
    assert_ne!(rotated["old"], rotated["new"]);
    for name in ["old_file", "successor"] {
        let mode = std::fs::metadata(rotated[name].as_str().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let daemon = home.run();
    assert_eq!(home.fails(&["key", "rotate"]), (1, "already_running".to_owned()));
    daemon.stop();
}

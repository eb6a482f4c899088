//! The demonstration: complete, honest about its input, and through the death of a node.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::world::{Stream, World, fields, text, words};

const TOTALS: &str = "sent receivers delivered lost duplicates unverified networks p50_ms p99_ms relayed";

#[test]
fn every_line_arrives_everywhere_exactly_once() {
    let world = World::new();
    let input = b"one\n\nsame\nsame\n\xff\xfe\nlast";
    let output = world.home("x").feed(&["demo", "--json"], input);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    let objects: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let nodes: Vec<&Value> = objects.iter().filter(|object| object["event"] == "node").collect();
    // More where a Yggdrasil or cjdns daemon answers on this machine.
    let receivers = nodes.len() as u64 - 1;
    assert!(receivers >= 4, "{nodes:?}");
    assert_eq!(fields(nodes[0]), words("event name pid home networks"));
    assert_eq!(objects.iter().filter(|object| object["event"] == "delivery").count() as u64, 6 * receivers);
    let totals = objects.last().unwrap();
    assert_eq!(fields(totals), words(TOTALS));
    let counts = ["sent", "receivers", "delivered", "lost", "duplicates", "unverified", "relayed"];
    assert_eq!(counts.map(|name| totals[name].as_u64().unwrap()), [6, receivers, 6 * receivers, 0, 0, 0, 0]);
    for network in ["libp2p", "tls"] {
        assert!(totals["networks"].as_array().unwrap().contains(&network.into()), "{totals}");
    }
    let home = nodes[0]["home"].as_str().unwrap();
    assert!(!std::path::Path::new(home).exists(), "the homes are removed");
}

#[test]
fn a_line_that_no_entry_holds_is_refused_by_its_number_before_anything_starts() {
    let world = World::new();
    let file = world.dir.join("input");
    std::fs::write(&file, format!("ok\n{}\n", "x".repeat(65_537))).unwrap();
    let home = world.home("x");
    let output = home.call(&["demo", "--input", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("line 2 has 65537 bytes"), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
    assert_eq!(home.fails(&["demo", "--input", "/nowhere"]), (1, "io".to_owned()));
}

#[test]
fn a_killed_node_is_started_again_and_nothing_is_lost() {
    let world = World::new();
    let mut command = world.home("x").command(&["demo", "--json", "--lines", "3000"]);
    command.stdin(Stdio::null());
    let mut demo = Stream::start(command);
    let (mut started, mut deliveries, mut victim) = (0, 0, None);
    let totals = loop {
        let object = demo.json();
        match object["event"].as_str() {
            Some("node") => {
                started += 1;
                if object["name"] == "C" {
                    victim = object["pid"].as_u64().map(|pid| i32::try_from(pid).unwrap());
                }
            }
            Some("delivery") => deliveries += 1,
            _ => break object,
        }
        if deliveries == 100 {
            let pid = rustix::process::Pid::from_raw(victim.take().unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            deliveries += 1;
        }
    };
    let counts = ["sent", "delivered", "lost", "duplicates", "unverified"];
    let receivers = totals["receivers"].as_u64().unwrap();
    assert_eq!(counts.map(|name| totals[name].as_u64().unwrap()), [3000, 3000 * receivers, 0, 0, 0]);
    assert_eq!(started, receivers + 2, "every node, and one of them again");
    assert_eq!(demo.wait(), 0);
}

#[test]
fn whoever_stops_it_finds_nothing_left_behind() {
    let world = World::new();
    for interrupted in [true, false] {
        let mut child = world.home("x").command(&["demo", "--json", "--lines", "100000"]).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let node: Value = serde_json::from_str(&line).unwrap();
        let home = std::path::PathBuf::from(node["home"].as_str().unwrap());
        assert!(home.exists());
        if interrupted {
            let drained = std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
            let pid = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(1));
            drained.join().unwrap().unwrap();
        } else {
            drop(out);
            assert_eq!(child.wait().unwrap().code(), Some(1), "what nobody watched has shown nothing");
        }
        assert!(!home.exists(), "the homes are removed");
        let pid = rustix::process::Pid::from_raw(i32::try_from(node["pid"].as_u64().unwrap()).unwrap()).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_err(), "the nodes are gone");
    }
}

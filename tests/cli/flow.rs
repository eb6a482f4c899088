//! Publishing, subscribing, sending: what goes in comes out, with exactly the documented fields.

use crate::world::{Pair, Stream, World, fields, text, words};

#[test]
fn every_json_object_has_exactly_the_documented_fields() {
    let pair = Pair::new();
    let (a, b) = (&pair.a, &pair.b);
    let status = "node name version agent instance uptime_s roles listen networks peers groups rss_bytes rejects \
                  reload";
    assert_eq!(fields(&a.json(&["status"])), words(status));
    assert_eq!(fields(&a.json(&["status"])["networks"][0]), words("network state address reason detail"));
    let peer = "node instance alias roles network locator direction path reason rtt_ms rx_bytes tx_bytes rx_rate \
                tx_rate standby groups mailbox score agent up_since last_error";
    let peers = b.json(&["peers"]);
    assert_eq!(fields(&peers), ["peers"]);
    assert_eq!(fields(&peers["peers"][0]), words(peer));
    assert_eq!(fields(&a.json(&["group", "create", "other"])), words("group name ticket"));
    assert_eq!(fields(&a.json(&["group", "invite", "g"])), words("group name ticket"));
    let sub = Stream::start(b.command(&["sub", "g", "--json"]));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let published = a.json(&["pub", "g", "hello"]);
    assert_eq!(fields(&published), words("id index state links cores"));
    assert_eq!((&published["state"], &published["links"]), (&"sent".into(), &1.into()));
    let entry = sub.json();
    let names = "id index group from seq time payload hops network path trail order gap cursor";
    assert_eq!(fields(&entry), words(names));
    assert_eq!((&entry["id"], &entry["payload"], &entry["hops"]), (&published["id"], &"hello".into(), &1.into()));
    assert_eq!(
        (&entry["network"], &entry["path"], &entry["group"]),
        (&"tls".into(), &"direct".into(), &pair.group.clone().into())
    );
    let (node_a, node_b) = (a.ok(&["key", "show"]), b.ok(&["key", "show"]));
    assert_eq!(entry["from"], *node_a);
    assert_eq!(fields(&a.json(&["ping", &node_b])), words("node rtt_ms path reason"));
    assert_eq!(fields(&a.json(&["send", &node_b, "psst"])), words("id state"));
    let inbox = b.json(&["inbox"]);
    assert_eq!(fields(&inbox["messages"][0]), words("id from seq time payload"));
}

#[test]
fn lines_arrive_as_they_are_empty_equal_and_binary_ones_too() {
    let pair = Pair::new();
    let input = b"first\n\n\nsame\nsame\n\xff\xfe not text\r\n  spaces  \nlast without newline";
    let mut sub = Stream::start(pair.b.command(&["sub", &pair.group, "--since", "oldest", "-n", "8"]));
    let output = pair.a.feed(&["pub", "g", "--json"], input);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().count(), 8);
    let lines: Vec<Vec<u8>> = (0..8).map(|_| sub.line()).collect();
    assert_eq!(lines.join(&b'\n'), input);
    assert_eq!(sub.wait(), 0);
}

#[test]
fn a_line_that_no_entry_holds_is_named_and_the_others_are_published() {
    let pair = Pair::new();
    let input = format!("short\n{}\nend\n", "x".repeat(65_537));
    let output = pair.a.feed(&["pub", "g"], input.as_bytes());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("error[too_large]: line 2: line 2 has 65537 bytes"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(text(&output.stdout).lines().count(), 2);
    assert_eq!(pair.a.fails(&["pub", "g", &"y".repeat(65_537)]), (2, "too_large".to_owned()));
    assert_eq!(pair.a.fails(&["pub", "nobody", "x"]), (1, "unknown_group".to_owned()));
    assert_eq!(pair.a.fails(&["pub", "g"]), (2, "empty".to_owned()));
}

#[test]
fn what_nobody_has_acknowledged_is_said_and_not_silent() {
    let world = World::new();
    let home = world.listener("a");
    let _daemon = home.run();
    home.ok(&["group", "create", "alone"]);
    let output = home.call(&["pub", "alone", "x", "--json"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains(r#""state":"accepted","links":0"#), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains(r#""code":"not_acknowledged""#), "{}", text(&output.stderr));
}

#[test]
fn topics_are_filtered_with_wildcards() {
    let pair = Pair::new();
    let mut sub = Stream::start(pair.b.command(&["sub", "g", "--since", "oldest", "--topic", "a/+/c", "-n", "2"]));
    for (topic, payload) in [("a/x/c", "one"), ("a/x/d", "no"), ("a/y/c", "two")] {
        pair.a.ok(&["pub", "g", payload, "--topic", topic]);
    }
    pair.a.ok(&["pub", "g", "without topic"]);
    assert_eq!((sub.line(), sub.line()), (b"one".to_vec(), b"two".to_vec()));
    assert_eq!(sub.wait(), 0);
    assert_eq!(pair.b.fails(&["sub", "g", "--topic", "a+"]), (2, "bad_topic".to_owned()));
    assert_eq!(pair.a.fails(&["pub", "g", "x", "--topic", "a/#"]), (2, "bad_topic".to_owned()));
}

#[test]
fn a_subscriber_goes_on_after_its_daemon_was_killed_and_sees_everything_once() {
    let mut pair = Pair::new();
    let sub = Stream::start(pair.b.command(&["sub", "g", "--since", "oldest"]));
    pair.a.feed(&["pub", "g"], b"1\n2\n3\n");
    assert_eq!([sub.line(), sub.line(), sub.line()], [b"1", b"2", b"3"]);
    pair.daemons.pop().unwrap().kill();
    pair.a.feed(&["pub", "g", "--wait", "accepted"], b"4\n5\n");
    let again = pair.b.run();
    pair.daemons.push(again);
    assert_eq!([sub.line(), sub.line()], [b"4", b"5"]);
    pair.linked();
    pair.a.feed(&["pub", "g"], b"6\n");
    assert_eq!(sub.line(), b"6");
    assert!(sub.is_quiet());
}

#[test]
fn since_starts_at_a_message_a_cursor_or_a_time() {
    let pair = Pair::new();
    let published: Vec<serde_json::Value> = text(&pair.a.feed(&["pub", "g", "--json"], b"1\n2\n3\n4\n").stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let read = |since: &str, count: &str| {
        let out = pair.b.ok(&["sub", "g", "--json", "--since", since, "-n", count, "--timeout", "20s"]);
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let all = read("oldest", "4");
    for (at, entry) in all.iter().enumerate().take(3) {
        let rest = read(entry["cursor"].as_str().unwrap(), "1");
        assert_eq!(rest[0]["payload"], all[at + 1]["payload"], "after {entry}");
    }
    assert_eq!(read("10m", "1")[0], all[0]);
    pair.a.ok(&["pub", "g", "5"]);
    let last = published.last().unwrap()["id"].as_str().unwrap();
    assert_eq!(read(last, "1")[0]["payload"], "5");
    assert_eq!(pair.b.fails(&["sub", "g", "--since", "yesterday"]), (2, "bad_since".to_owned()));
    assert_eq!(pair.b.fails(&["sub", "g", "--timeout", "200ms"]), (5, "timeout".to_owned()));
}

#[test]
fn an_inbox_keeps_what_was_sent_until_it_is_acknowledged() {
    let mut pair = Pair::new();
    let (a, b) = (pair.a.clone(), pair.b.clone());
    let node = b.ok(&["key", "show"]);
    a.ok(&["send", &node, "one"]);
    let output = a.feed(&["send", &node], b"\xff\nbytes");
    assert!(output.status.success());
    pair.daemons.pop().unwrap().kill();
    pair.daemons.push(b.run());
    let messages = b.json(&["inbox"])["messages"].clone();
    assert_eq!((&messages[0]["payload"], &messages[1]["payload_b64"]), (&"one".into(), &"/wpieXRlcw==".into()));
    b.ok(&["inbox", "--ack"]);
    assert_eq!(b.json(&["inbox"])["messages"], serde_json::json!([]));
    assert_eq!(a.fails(&["send", "cnoops", "x"]), (2, "bad_key".to_owned()));
    assert_eq!(a.fails(&["ping", &a.ok(&["key", "show"])]), (3, "not_linked".to_owned()));
}

#[test]
fn groups_are_joined_by_a_piped_ticket_and_left_for_good() {
    let pair = Pair::new();
    let ticket = pair.a.ok(&["group", "create", "second"]);
    assert!(ticket.starts_with("cct1.") && !ticket.contains(char::is_whitespace));
    let output = pair.b.feed(&["group", "join", "-", "--name", "mine"], ticket.as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let names = |groups: serde_json::Value| {
        groups["groups"].as_array().unwrap().iter().map(|group| group["name"].clone()).collect::<Vec<_>>()
    };
    assert!(names(pair.b.json(&["group", "ls"])).contains(&"mine".into()));
    pair.b.ok(&["group", "leave", "mine"]);
    assert_eq!(names(pair.b.json(&["group", "ls"])), ["g"]);
    assert_eq!(pair.b.fails(&["pub", "mine", "x"]), (1, "unknown_group".to_owned()));
    assert_eq!(pair.a.fails(&["group", "create", "g"]), (1, "name_taken".to_owned()));
    assert_eq!(pair.b.fails(&["group", "join", &ticket[..ticket.len() - 1]]), (2, "bad_ticket".to_owned()));
}

#[test]
fn what_is_no_longer_kept_is_an_error_and_not_a_hole() {
    let world = World::new();
    let home = world.listener("a");
    let config = home.dir.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[limits]", "[limits]\nwindow_bytes = 1048576")).unwrap();
    let _daemon = home.run();
    home.ok(&["group", "create", "g"]);
    let first = home.json(&["pub", "g", "first", "--wait", "accepted"]);
    let start = home.json(&["group", "show", "g"])["head"].as_str().unwrap().to_owned();
    let line = "x".repeat(60_000) + "\n";
    assert!(home.feed(&["pub", "g", "--wait", "accepted"], line.repeat(60).as_bytes()).status.success());
    home.ok(&["pub", "g", "last", "--wait", "accepted"]);
    let gone = (1, "no_history".to_owned());
    assert_eq!(home.fails(&["sub", "g", "--since", &start, "-n", "1", "--timeout", "20s"]), gone);
    assert_eq!(
        home.fails(&["sub", "g", "--since", first["id"].as_str().unwrap(), "-n", "1", "--timeout", "20s"]),
        gone
    );
    let oldest = home.ok(&["sub", "g", "--since", "oldest", "-n", "1", "--json", "--timeout", "20s"]);
    assert!(oldest.contains(r#""payload":"xxx"#), "{}", &oldest[..200]);
}

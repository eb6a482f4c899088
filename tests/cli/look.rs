//! Looking closer: one peer, over which links something goes, metrics, and a configuration that is read again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{Home, Pair, World, fields, text, words};

#[test]
fn one_peer_is_shown_in_detail_and_a_stranger_is_not_linked() {
    let pair = Pair::new();
    let node = pair.b.ok(&["key", "show"]);
    let peer = pair.a.json(&["peer", &node]);
    assert_eq!(fields(&peer), words("node instances groups"));
    assert_eq!((&peer["node"], &peer["groups"]), (&json!(node), &json!([pair.group])));
    assert_eq!(peer["instances"][0]["node"], *node);
    let shown = pair.a.ok(&["peer", &node]);
    assert!(shown.contains("tls direct (lan)") && shown.contains(&pair.group), "{shown}");
    let own = pair.a.ok(&["key", "show"]);
    assert_eq!(pair.a.fails(&["peer", &own]), (3, "not_linked".to_owned()));
    assert_eq!(pair.a.fails(&["peer", "cnoops"]), (2, "bad_key".to_owned()));
}

#[test]
fn a_trace_names_the_links_and_how_much_of_the_way_is_known() {
    let pair = Pair::new();
    let node = pair.b.ok(&["key", "show"]);
    let to = pair.a.json(&["trace", &node]);
    assert_eq!(fields(&to), words("target kind extent links senders measured_ms rendezvous"));
    assert_eq!((&to["kind"], &to["extent"], &to["target"]), (&json!("node"), &json!("whole"), &json!(node)));
    assert!(to["measured_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{to}");
    let link = words("node alias network locator direction path reason rtt_ms queued_bytes");
    assert_eq!(fields(&to["links"][0]), link);
    let group = pair.a.json(&["trace", "g"]);
    assert_eq!((&group["kind"], &group["extent"]), (&json!("group"), &json!("first_hop")));
    assert_eq!((&group["target"], &group["links"][0]["node"]), (&json!(pair.group), &json!(node)));
    assert!(group["measured_ms"].is_null() && to["rendezvous"].is_null());
    let rendezvous = group["rendezvous"].as_str().unwrap();
    assert!(rendezvous.len() == 64 && rendezvous.bytes().all(|byte| byte.is_ascii_hexdigit()), "{rendezvous}");
    // A day may have begun meanwhile.
    assert!(text(&pair.a.call(&["trace", "g"]).stdout).starts_with("meets elsewhere today as "));
    let output = pair.a.call(&["trace", "g"]);
    assert!(text(&output.stderr).contains("first hops"), "{}", text(&output.stderr));
    pair.a.ok(&["group", "create", "alone"]);
    assert_eq!(pair.a.json(&["trace", "alone"])["links"], json!([]));
    assert!(
        pair.a.ok(&["trace", "alone"]).starts_with("meets elsewhere today as "),
        "who has no link may need it most"
    );
    assert_eq!(pair.a.fails(&["trace", "nobody"]), (1, "unknown_group".to_owned()));
    let own = pair.a.ok(&["key", "show"]);
    assert_eq!(pair.a.fails(&["trace", &own]), (2, "bad_request".to_owned()));
}

#[test]
fn metrics_are_told_in_the_format_of_prometheus() {
    let pair = Pair::new();
    let hostile = json!({ "name": "a\"b\\c\u{202e}" }).to_string();
    assert_eq!(pair.a.post("/v1/groups", "application/json", &hostile).0, 201);
    pair.a.ok(&["pub", "g", "x"]);
    let (status, head, body) = pair.a.http("GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!(status, 200);
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let node = pair.a.ok(&["key", "show"]);
    let (group, wanted) =
        (&pair.group, |line: String| assert!(body.lines().any(|found| found == line), "{line}\n{body}"));
    wanted(format!("crosscast_node_info{{node=\"{node}\",name=\"a\",version=\"0.1.0\",agent=\"crosscast/0.1.0\"}} 1"));
    wanted("crosscast_peers{network=\"tls\",path=\"direct\"} 1".to_owned());
    wanted(format!("crosscast_group_neighbours{{group=\"{group}\",name=\"g\"}} 1"));
    wanted(format!("crosscast_group_messages{{group=\"{group}\",name=\"g\"}} 1"));
    wanted("crosscast_groups 2".to_owned());
    wanted("crosscast_api_published_entries_total 1".to_owned());
    assert!(body.contains(r#"name="a\"b\\c\\u{202e}"} "#) && !body.contains('\u{202e}'), "{body}");
    // Every sample belongs to a family that was announced, and every line is a comment or a sample.
    let mut families = std::collections::BTreeSet::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned()) && matches!(kind, "gauge" | "counter"), "{line}");
        } else if !line.starts_with("# HELP ") {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(families.contains(name), "{line}");
            assert!(line.rsplit_once(' ').unwrap().1.parse::<u64>().is_ok(), "{line}");
        }
    }
    let secret = std::fs::read_to_string(pair.a.dir.join("identity.key")).unwrap();
    assert!(secret.lines().filter(|line| line.len() > 20).all(|line| !body.contains(line)));
}

#[test]
fn completions_and_manual_pages_are_made_from_the_verbs() {
    let world = World::new();
    let home = world.home("x");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(home.ok(&["completion", shell]).contains("completion"), "{shell}");
    }
    let made = home.json(&["completion", "bash"]);
    assert_eq!((fields(&made), &made["shell"]), (words("shell script"), &json!("bash")));
    assert_eq!(home.fails(&["completion", "tcsh"]), (2, "usage".to_owned()));
    let page = home.ok(&["man"]);
    assert!(page.contains(".TH crosscast 1") && page.contains("trace"), "{page}");
    assert!(home.ok(&["man", "group", "create"]).contains(".TH crosscast-group-create 1"));
    assert_eq!(fields(&home.json(&["man", "pub"])), words("name section roff"));
    assert_eq!(home.fails(&["man", "dance"]), (2, "usage".to_owned()));
}

/// Sends SIGHUP and waits until the status tells of a reading after `before`.
fn reload(home: &Home, pid: u32) -> Value {
    let before = home.json(&["status"])["reload"]["time"].as_u64().unwrap_or_default();
    std::thread::sleep(Duration::from_millis(5));
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let start = Instant::now();
    loop {
        let reload = home.json(&["status"])["reload"].clone();
        if reload["time"].as_u64().is_some_and(|time| time > before) {
            return reload;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "the daemon does not read its configuration again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_configuration_is_read_again_on_sighup_and_a_bad_one_changes_nothing() {
    let world = World::new();
    let (a, b) = (world.listener("a"), world.listener("b"));
    let (daemon, _other) = (a.run(), b.run());
    let pid = daemon.child.id();
    assert!(a.json(&["status"])["reload"].is_null());
    let config = a.dir.join("config.toml");
    let old = std::fs::read_to_string(&config).unwrap();

    std::fs::write(&config, old.replace("name = \"a\"", "nam = \"a\"")).unwrap();
    let bad = reload(&a, pid);
    assert_eq!((&bad["ok"], &bad["changed"]), (&json!(false), &json!([])));
    assert!(bad["cause"].as_str().unwrap().contains("unknown field `nam`"), "{bad}");
    assert_eq!(a.json(&["status"])["name"], "a");

    let new = old
        .replace("name = \"a\"", "name = \"other\"")
        .replace("# roles = []", "roles = [\"core\"]")
        .replace(
            "[limits]",
            &format!(
                "attach = [\"{}\"]\nlog = \"debug\"\n[limits]\nwindow_seconds = 60\nstore_bytes = 20000000",
                b.locator()
            ),
        )
        .replace("listen = [\"tls://127.0.0.1:0\"]", "listen = [\"tls://127.0.0.1:0\", \"tls://[::1]:0\"]");
    std::fs::write(&config, &new).unwrap();
    let good = reload(&a, pid);
    assert_eq!(good["changed"], json!(["name", "limits.window_seconds", "attach", "listen", "log"]), "{good}");
    assert_eq!((&good["ok"], &good["restart"]), (&json!(true), &json!(["roles", "limits.store_bytes"])));
    let status = a.json(&["status"]);
    assert_eq!((&status["name"], status["listen"].as_array().unwrap().len()), (&json!("other"), 2));
    let start = Instant::now();
    while b.json(&["peers"])["peers"][0]["alias"] != "other" {
        assert!(start.elapsed() < Duration::from_secs(20), "the new peer is not dialled under the new name");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(text(&a.call(&["status"]).stdout).contains("after a restart: roles, limits.store_bytes"));

    std::fs::write(&config, old.replace("name = \"a\"", "name = \"other\"")).unwrap();
    let back = reload(&a, pid);
    assert_eq!(back["changed"], json!(["limits.window_seconds", "attach", "log"]), "{back}");
    assert_eq!(back["restart"], json!(["listen"]), "a listener is left only by a restart");
    daemon.stop();
}

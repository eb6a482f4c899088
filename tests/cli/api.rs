//! The local API by hand: any HTTP client can do what the verbs do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::json;

use crate::world::{Home, Pair, World, fields, words};

#[test]
fn an_unknown_path_method_parameter_or_body_is_an_error_with_a_code() {
    let world = World::new();
    let home = world.listener("a");
    let _daemon = home.run();
    home.ok(&["group", "create", "g"]);
    let code = |(status, body): (u16, serde_json::Value)| {
        assert_eq!(fields(&body), words("code cause next"));
        (status, body["code"].as_str().unwrap().to_owned())
    };
    let expect = |status: u16, word: &str| (status, word.to_owned());
    assert_eq!(code(home.get("/v2/nothing")), expect(404, "not_found"));
    assert_eq!(code(home.post("/v1/status", "", "")), expect(405, "method_not_allowed"));
    assert_eq!(code(home.get("/v1/groups/nobody")), expect(404, "unknown_group"));
    assert_eq!(code(home.get("/v1/groups/g/stream?sinse=oldest")), expect(400, "bad_request"));
    assert_eq!(code(home.get("/v1/groups/g/stream?since=never")), expect(400, "bad_since"));
    assert_eq!(code(home.get("/v1/groups/g/stream?topic=a%2B")), expect(400, "bad_topic"));
    assert_eq!(code(home.post("/v1/groups/g/messages?topic=a/%23", "", "x")), expect(400, "bad_topic"));
    assert_eq!(code(home.get("/v1/stream")), expect(400, "bad_request"));
    assert_eq!(code(home.get("/v1/stream?group=g&group=g")), expect(400, "bad_request"));
    assert_eq!(code(home.post("/v1/groups", "application/json", "{")), expect(400, "bad_request"));
    assert_eq!(code(home.post("/v1/groups", "application/json", r#"{"name":"g"}"#)), expect(409, "name_taken"));
    assert_eq!(code(home.post("/v1/groups", "application/json", r#"{"name":"a\nb"}"#)), expect(400, "bad_request"));
    assert_eq!(code(home.post("/v1/groups/g/messages?wait=forever", "", "x")), expect(400, "bad_request"));
    assert_eq!(code(home.post("/v1/send/cnoops", "", "x")), expect(400, "bad_key"));
    assert_eq!(home.get("/healthz"), (200, json!({"ok": true})));
    assert_eq!(home.get("/readyz"), (200, json!({"ok": true})));
}

#[test]
fn one_entry_a_batch_and_lines_are_published_over_http() {
    let pair = Pair::new();
    let (status, one) = pair.a.post("/v1/groups/g/messages", "text/plain", "as it is");
    assert_eq!((status, fields(&one)), (200, words("id index state links cores")));
    assert_eq!(pair.a.post("/v1/groups/g/messages", "application/json", r#"{"payload_b64":"/w=="}"#).0, 200);
    let (_, many) = pair.a.post("/v1/groups/g/messages", "application/json", r#"[{"payload":"a"},{"payload":"b"}]"#);
    assert_eq!(many["results"].as_array().unwrap().len(), 2);
    let (_, lines) = pair.a.post("/v1/groups/g/messages?batch=lines", "text/plain", "c\n\nd");
    assert_eq!(lines["results"].as_array().unwrap().len(), 3);
    let out = pair.b.ok(&["sub", "g", "--json", "--since", "oldest", "-n", "7", "--timeout", "20s"]);
    let payloads: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|entry| if entry["payload"].is_null() { entry["payload_b64"].clone() } else { entry["payload"].clone() })
        .collect();
    assert_eq!(payloads, ["as it is", "/w==", "a", "b", "c", "", "d"]);
}

#[test]
fn an_event_stream_resumes_at_the_last_event_id_over_several_groups() {
    let pair = Pair::new();
    pair.b.ok(&["group", "create", "h"]);
    pair.a.feed(&["pub", "g"], b"1\n2\n3\n");
    pair.b.feed(&["pub", "h", "--wait", "accepted"], b"x\ny\n");
    let all = events(&pair.b, "/v1/stream?group=g&group=h&since=oldest", None, 5);
    let mut payloads: Vec<String> = all.iter().map(|(_, payload)| payload.clone()).collect();
    payloads.sort();
    assert_eq!(payloads, ["1", "2", "3", "x", "y"]);
    for at in 0..4 {
        let (id, _) = &all[at];
        let mut seen: Vec<String> = all[..=at].iter().map(|(_, payload)| payload.clone()).collect();
        let rest = events(&pair.b, "/v1/stream?group=g&group=h&since=oldest", Some(id), 4 - at);
        seen.extend(rest.into_iter().map(|(_, payload)| payload));
        seen.sort();
        assert_eq!(seen, ["1", "2", "3", "x", "y"], "resumed after event {at} at {id}");
    }
}

#[test]
fn an_event_stream_is_filtered_by_topics_and_resumes_behind_what_it_passed() {
    let pair = Pair::new();
    for (topic, payload) in [("a/1", "one"), ("b", "no"), ("a/2", "two"), ("c", "no"), ("a/3", "three")] {
        pair.a.ok(&["pub", "g", payload, "--topic", topic]);
    }
    let path = "/v1/groups/g/stream?since=oldest&topic=a/%2B&topic=c/x";
    let all = events(&pair.b, path, None, 3);
    assert_eq!(all.iter().map(|(_, payload)| payload.as_str()).collect::<Vec<_>>(), ["one", "two", "three"]);
    let rest = events(&pair.b, path, Some(&all[0].0), 2);
    assert_eq!(rest, all[1..]);
}

/// Reads this many entries of a stream: their ids and payloads.
fn events(home: &Home, path: &str, last: Option<&str>, count: usize) -> Vec<(String, String)> {
    let mut stream = UnixStream::connect(home.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n{last}\r\n").unwrap();
    let (mut events, mut id) = (Vec::new(), String::new());
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if let Some(text) = line.strip_prefix("id: ") {
            id = text.to_owned();
        }
        if let Some(data) = line.strip_prefix("data: ") {
            let entry: serde_json::Value = serde_json::from_str(data).unwrap();
            assert_eq!(entry["cursor"], *id);
            events.push((id.clone(), entry["payload"].as_str().unwrap().to_owned()));
        }
        if events.len() == count {
            return events;
        }
    }
    panic!("the stream ended after {} of {count} events", events.len());
}

#[test]
fn names_from_elsewhere_reach_a_terminal_only_in_escapes() {
    let world = World::new();
    let home = world.listener("a");
    let _daemon = home.run();
    let name = "evil\u{202e}\u{9b}2J";
    let body = json!({ "name": "fine\u{202e}gpj" }).to_string();
    let (status, made) = home.post("/v1/groups", "application/json", &body);
    assert_eq!((status, made["name"].as_str()), (201, Some("fine\u{202e}gpj")));
    let list = home.ok(&["group", "ls"]);
    assert!(list.contains("fine\\u{202e}gpj") && !list.contains('\u{202e}'), "{list}");
    let raw = home.ok(&["group", "ls", "--json"]);
    assert!(raw.contains("fine\\u202egpj"), "{raw}");
    let output = home.call(&["group", "show", name]);
    let shown = crate::world::text(&output.stderr);
    assert!(!shown.contains(['\u{202e}', '\u{9b}']), "{shown}");
}

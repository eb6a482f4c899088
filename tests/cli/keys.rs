//! Entry keys: a retried publish is delivered once, however it is retried.

use serde_json::{Value, json};

use crate::world::{Pair, Stream};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

#[test]
fn a_retried_publish_is_delivered_once_also_after_the_daemon_was_killed() {
    let mut pair = Pair::new();
    let reader = Stream::start(pair.a.command(&["sub", "g", "--json", "--since", "oldest"]));
    let path = format!("/v1/groups/g/messages?key={KEY}");
    let (status, first) = pair.b.post(&path, "text/plain", "once");
    assert_eq!((status, &first["state"], &first["repeated"]), (200, &json!("sent"), &Value::Null));
    let (_, again) = pair.b.post(&path, "text/plain", "once");
    assert_eq!((&again["id"], &again["state"], &again["repeated"]), (&first["id"], &json!("sent"), &json!(true)));
    pair.daemons.pop().unwrap().kill();
    pair.daemons.push(pair.b.run());
    pair.linked();
    // The same key in a header, as a verb's option, in a batch, and beside others.
    let len = "once".len();
    let request = format!(
        "POST /v1/groups/g/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\nidempotency-key: \"{KEY}\"\r\ncontent-length: {len}\r\n\r\nonce"
    );
    let (status, _, body) = pair.b.http(&request);
    let again: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &again["id"], &again["repeated"]), (200, &first["id"], &json!(true)));
    assert_eq!(pair.b.json(&["pub", "g", "once", "--key", KEY])["id"], first["id"]);
    let batch = json!([{ "payload": "a" }, { "payload": "once", "key": KEY }, { "payload": "b" }]).to_string();
    let (_, many) = pair.b.post("/v1/groups/g/messages", "application/json", &batch);
    let repeated: Vec<bool> = many["results"].as_array().unwrap().iter().map(|one| one["repeated"] == true).collect();
    assert_eq!(repeated, [false, true, false]);
    let payloads: Vec<Value> = (0..3).map(|_| reader.json()["payload"].clone()).collect();
    assert_eq!(payloads, [json!("once"), json!("a"), json!("b")]);
    assert!(reader.is_quiet());
    // Another group is another matter.
    pair.b.ok(&["group", "create", "other"]);
    let other = pair.b.json(&["pub", "other", "once", "--key", KEY, "--wait", "accepted"]);
    assert_eq!(other["repeated"], Value::Null);
}

#[test]
fn retries_at_once_become_one_entry() {
    let pair = Pair::new();
    let reader = Stream::start(pair.b.command(&["sub", "g", "--json", "--since", "oldest"]));
    let ids: Vec<Value> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| pair.a.post(&format!("/v1/groups/g/messages?key={KEY}"), "text/plain", "once").1))
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|one| one["id"] == ids[0]["id"] && one["state"] == "sent"), "{ids:?}");
    assert_eq!(ids.iter().filter(|one| one["repeated"] != true).count(), 1);
    assert_eq!(reader.json()["payload"], "once");
    assert!(reader.is_quiet());
}

#[test]
fn a_retry_at_another_machine_with_the_same_key_is_read_once() {
    let pair = Pair::new();
    let ticket = pair.a.ok(&["group", "invite", "g"]);
    let twin = crate::world::Home { dir: pair.a.dir.with_file_name("twin") };
    twin.ok(&["init", "--listen", "tls://127.0.0.1:0", "--attach", &pair.b_locator()]);
    std::fs::copy(pair.a.dir.join("identity.key"), twin.dir.join("identity.key")).unwrap();
    let _daemon = twin.run();
    twin.ok(&["group", "join", &ticket]);
    let reader = Stream::start(pair.b.command(&["sub", "g", "--json", "--since", "oldest"]));
    let first = pair.a.json(&["pub", "g", "once", "--key", KEY]);
    assert_eq!(reader.json()["payload"], "once");
    let second = twin.json(&["pub", "g", "once", "--key", KEY]);
    assert_ne!(first["id"], second["id"], "the other machine reads nothing, so it cannot know");
    twin.ok(&["pub", "g", "after"]);
    assert_eq!(reader.json()["payload"], "after");
    assert!(reader.is_quiet());
}

#[test]
fn a_key_that_is_none_or_stands_for_several_entries_is_refused() {
    let pair = Pair::new();
    let code = |(status, body): (u16, Value)| (status, body["code"].as_str().unwrap().to_owned());
    let refused = (400, "bad_entry_key".to_owned());
    assert_eq!(code(pair.a.post("/v1/groups/g/messages?key=short", "", "x")), refused);
    let lines = format!("/v1/groups/g/messages?batch=lines&key={KEY}");
    assert_eq!(code(pair.a.post(&lines, "", "x\ny\n")), refused);
    assert_eq!(code(pair.a.post("/v1/groups/g/messages", "application/json", r#"{"payload":"x","key":"y"}"#)), refused);
    assert_eq!(pair.a.fails(&["pub", "g", "x", "--key", "zz"]), (2, "bad_entry_key".to_owned()));
    assert_eq!(pair.a.fails(&["pub", "g", "--key", KEY]), (2, "usage".to_owned()));
}

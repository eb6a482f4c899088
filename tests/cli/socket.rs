//! The WebSocket of the local API: both directions, in JSON and in CBOR, within credit, through restarts.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use crate::world::{Home, Pair, Stream, World, fields, words};

/// A WebSocket and what it said that nobody asked for yet.
struct Socket {
    socket: WebSocket<UnixStream>,
    kept: VecDeque<Value>,
}

impl Socket {
    fn open(home: &Home) -> (Self, Value) {
        let stream = UnixStream::connect(home.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        let (socket, _) =
            tungstenite::client::client_with_config("ws://localhost/v1/ws", stream, Some(config)).unwrap();
        let mut socket = Self { socket, kept: VecDeque::new() };
        let hello = socket.hear();
        assert_eq!(fields(&hello), words("op protocol node version limits"));
        (socket, hello)
    }

    fn say(&mut self, object: &Value) {
        self.socket.send(Message::Text(object.to_string().into())).unwrap();
    }

    /// The next object, in either form.
    fn hear(&mut self) -> Value {
        if let Some(kept) = self.kept.pop_front() {
            return kept;
        }
        loop {
            match self.socket.read().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Binary(bytes) => {
                    let value: ciborium::Value = ciborium::from_reader(bytes.as_ref()).unwrap();
                    return json!({ "cbor": format!("{value:?}") });
                }
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(close) => panic!("{close:?}"),
                Message::Frame(frame) => panic!("{frame:?}"),
            }
        }
    }

    /// The next object with this `op`; others are kept for later.
    fn hear_of(&mut self, op: &str) -> Value {
        let kept = std::mem::take(&mut self.kept);
        let mut passed = VecDeque::new();
        let mut waiting = kept.into_iter();
        loop {
            let value = waiting.next().unwrap_or_else(|| self.hear());
            if value["op"] == op {
                passed.extend(waiting);
                passed.append(&mut self.kept);
                self.kept = passed;
                return value;
            }
            assert_ne!(value["op"], "error", "{value}");
            passed.push_back(value);
        }
    }

    /// Says something that fails; returns the code.
    fn fails(&mut self, object: &Value) -> String {
        self.say(object);
        let error = self.hear();
        assert_eq!(error["op"], "error", "{error}");
        assert!(error["cause"].as_str().is_some_and(|cause| !cause.is_empty()), "{error}");
        assert!(error["next"].as_str().is_some_and(|next| !next.is_empty()), "{error}");
        for member in ["ref", "sub"] {
            assert_eq!(error[member], object[member], "{error}");
        }
        error["code"].as_str().unwrap().to_owned()
    }

    /// Whether nothing more comes for a while.
    fn is_quiet(&mut self) -> bool {
        self.socket.get_ref().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let quiet = self.kept.is_empty() && self.socket.read().is_err();
        self.socket.get_ref().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        quiet
    }
}

#[test]
fn a_socket_publishes_and_reads_and_says_what_became_of_each() {
    let pair = Pair::new();
    let ((mut near, hello), (mut far, _)) = (Socket::open(&pair.a), Socket::open(&pair.b));
    assert_eq!((&hello["protocol"], &hello["node"]), (&json!(1), &pair.a.ok(&["key", "show"]).into()));
    far.say(&json!({ "op": "subscribe", "sub": 1, "groups": ["g"], "entries": 10 }));
    assert_eq!(fields(&far.hear_of("subscribed")), words("op sub cursor"));
    near.say(&json!({ "op": "publish", "ref": 7, "group": "g", "payload": "hello", "topic": "a/b" }));
    let accepted = near.hear();
    assert_eq!(fields(&accepted), words("op ref id index state links cores final"));
    assert_eq!((&accepted["state"], &accepted["final"]), (&json!("accepted"), &json!(false)));
    let sent = near.hear();
    assert_eq!((&sent["ref"], &sent["state"], &sent["final"]), (&json!(7), &json!("sent"), &json!(true)));
    let entry = far.hear();
    let names = "op sub id index group from seq time topic payload hops network path trail order gap cursor";
    assert_eq!(fields(&entry), words(names));
    assert_eq!((&entry["id"], &entry["payload"]), (&sent["id"], &json!("hello")));
    near.say(&json!({ "op": "publish", "ref": 8, "group": "g", "payload_b64": "/w==", "wait": "accepted" }));
    assert_eq!(near.hear()["final"], true);
    assert_eq!(far.hear()["payload_b64"], "/w==");

    let to = pair.b.ok(&["key", "show"]);
    far.say(&json!({ "op": "subscribe", "sub": 2, "inbox": true, "bytes": 1000 }));
    far.hear_of("subscribed");
    near.say(&json!({ "op": "send", "ref": 9, "to": to, "payload": "psst" }));
    assert_eq!(near.hear()["op"], "sent");
    assert_eq!((&near.hear()["state"], true), (&json!("sent"), true));
    let message = far.hear_of("message");
    assert_eq!(fields(&message), words("op sub id from seq time payload cursor"));
    far.say(&json!({ "op": "ack", "sub": 2, "cursor": message["cursor"] }));
    far.hear_of("acked");
    assert_eq!(pair.b.json(&["inbox"])["messages"], json!([]));
    far.say(&json!({ "op": "unsubscribe", "sub": 1 }));
    assert_eq!(far.hear_of("unsubscribed")["sub"], 1);
}

#[test]
fn a_socket_never_gets_more_than_the_credit_it_granted() {
    let pair = Pair::new();
    let (mut socket, _) = Socket::open(&pair.b);
    let lines: String = (0..50).map(|number| format!("{number:0100}\n")).collect();
    pair.a.feed(&["pub", "g"], lines.as_bytes());
    socket.say(&json!({ "op": "subscribe", "sub": 1, "groups": ["g"], "since": "oldest" }));
    socket.hear_of("subscribed");
    assert_eq!(socket.hear(), json!({ "op": "starved", "sub": 1, "bytes": 100 }));
    assert!(socket.is_quiet(), "nothing without credit");
    socket.say(&json!({ "op": "credit", "sub": 1, "entries": 3 }));
    let first: Vec<Value> = (0..3).map(|_| socket.hear_of("entry")["payload"].clone()).collect();
    assert_eq!(first, (0..3).map(|number| json!(format!("{number:0100}"))).collect::<Vec<_>>());
    socket.hear_of("starved");
    assert!(socket.is_quiet(), "three and no more");
    // Both are counted from now on: 250 bytes are two entries of 100.
    socket.say(&json!({ "op": "credit", "sub": 1, "entries": 10, "bytes": 250 }));
    (0..2).for_each(|_| drop(socket.hear_of("entry")));
    socket.hear_of("starved");
    assert!(socket.is_quiet(), "250 bytes and no more");
    socket.say(&json!({ "op": "credit", "sub": 1, "entries": 1000, "bytes": 1_000_000 }));
    for number in 5..50 {
        assert_eq!(socket.hear_of("entry")["payload"], format!("{number:0100}"));
    }
}

#[test]
fn a_cursor_kept_by_name_survives_the_daemon_and_resumes_behind_what_was_acknowledged() {
    let mut pair = Pair::new();
    pair.b.ok(&["group", "create", "h"]);
    let subscribe = json!({
        "op": "subscribe", "sub": 1, "groups": ["g", "h"], "name": "app", "since": "oldest", "entries": 100
    });
    pair.a.feed(&["pub", "g"], b"1\n2\n3\n");
    pair.b.feed(&["pub", "h", "--wait", "accepted"], b"x\n");
    let (mut socket, _) = Socket::open(&pair.b);
    socket.say(&subscribe);
    socket.hear_of("subscribed");
    let entries: Vec<Value> = (0..4).map(|_| socket.hear_of("entry")).collect();
    socket.say(&json!({ "op": "ack", "sub": 1, "cursor": entries[1]["cursor"] }));
    assert_eq!(socket.hear_of("acked"), json!({ "op": "acked", "sub": 1, "cursor": entries[1]["cursor"] }));
    pair.daemons.pop().unwrap().kill();
    pair.daemons.push(pair.b.run());
    let (mut socket, _) = Socket::open(&pair.b);
    socket.say(&subscribe);
    socket.hear_of("subscribed");
    let again: Vec<Value> = (0..2).map(|_| socket.hear_of("entry")["payload"].clone()).collect();
    let mut all: Vec<Value> = entries[..2].iter().map(|entry| entry["payload"].clone()).chain(again).collect();
    all.sort_by_key(Value::to_string);
    assert_eq!(all, [json!("1"), json!("2"), json!("3"), json!("x")]);
    assert!(socket.is_quiet(), "what was acknowledged is not sent again");
    let (mut socket, _) = Socket::open(&pair.b);
    let mut reset = subscribe;
    reset["reset"] = json!(true);
    socket.say(&reset);
    (0..4).for_each(|_| drop(socket.hear_of("entry")));
}

#[test]
fn topics_are_filtered_by_the_daemon_and_what_is_passed_moves_the_cursor() {
    let pair = Pair::new();
    let (mut socket, _) = Socket::open(&pair.b);
    socket.say(&json!({ "op": "subscribe", "sub": 1, "groups": ["g"], "topics": ["a/+", "b/#"], "entries": 100 }));
    let start = socket.hear_of("subscribed")["cursor"].clone();
    for (topic, payload) in [("a/x", "1"), ("a/x/y", "no"), ("b", "2"), ("b/x/y", "3"), ("c", "no")] {
        pair.a.ok(&["pub", "g", payload, "--topic", topic]);
    }
    let payloads: Vec<Value> = (0..3).map(|_| socket.hear_of("entry")["payload"].clone()).collect();
    assert_eq!(payloads, [json!("1"), json!("2"), json!("3")]);
    assert!(socket.is_quiet());
    socket.say(&json!({ "op": "unsubscribe", "sub": 1 }));
    let end = socket.hear_of("unsubscribed")["cursor"].as_str().unwrap().to_owned();
    let head = pair.b.json(&["group", "show", "g"])["head"].clone();
    assert_eq!(json!(end), head, "passed the last, which it did not want, from {start}");
}

#[test]
fn the_same_words_are_spoken_in_cbor() {
    let pair = Pair::new();
    let (mut socket, _) = Socket::open(&pair.b);
    let text = |text: &str| ciborium::Value::Text(text.to_owned());
    let send = |socket: &mut Socket, members: Vec<(&str, ciborium::Value)>| {
        let map = members.into_iter().map(|(name, value)| (text(name), value)).collect();
        let mut bytes = Vec::new();
        ciborium::into_writer(&ciborium::Value::Map(map), &mut bytes).unwrap();
        socket.socket.send(Message::Binary(bytes.into())).unwrap();
    };
    let groups = ciborium::Value::Array(vec![text("g")]);
    let number = |number: u64| ciborium::Value::Integer(number.into());
    let members = vec![("op", text("subscribe")), ("sub", number(1)), ("groups", groups), ("entries", number(9))];
    send(&mut socket, members);
    assert!(socket.hear()["cbor"].as_str().unwrap().contains("subscribed"));
    let payload = ciborium::Value::Bytes(vec![0, 255, b'x']);
    let key = ciborium::Value::Bytes(vec![7; 16]);
    let members = vec![
        ("op", text("publish")),
        ("ref", number(2)),
        ("group", text("g")),
        ("payload", payload),
        ("key", key),
        ("wait", text("accepted")),
    ];
    send(&mut socket, members);
    let heard = [socket.hear(), socket.hear()].map(|value| value["cbor"].as_str().unwrap().to_owned());
    assert!(heard.iter().any(|text| text.contains("published")), "{heard:?}");
    assert!(heard.iter().any(|text| text.contains(r#"Text("payload"), Bytes([0, 255, 120])"#)), "{heard:?}");
    let payload: Value =
        serde_json::from_str(&pair.b.ok(&["sub", "g", "--json", "--since", "oldest", "-n", "1"])).unwrap();
    assert_eq!(payload["payload_b64"], "AP94");
}

#[test]
fn what_a_socket_cannot_have_is_an_error_with_a_code_and_the_socket_goes_on() {
    let world = World::new();
    let home = world.listener("a");
    let daemon = home.run();
    home.ok(&["group", "create", "g"]);
    let (mut socket, _) = Socket::open(&home);
    let subscribe = |sub: u64, more: Value| {
        let mut ask = json!({ "op": "subscribe", "sub": sub, "groups": ["g"] });
        more.as_object().unwrap().iter().for_each(|(name, value)| ask[name] = value.clone());
        ask
    };
    assert_eq!(socket.fails(&json!({ "op": "dance" })), "bad_request");
    assert_eq!(socket.fails(&json!({ "op": "subscribe", "sub": 1, "grups": ["g"] })), "bad_request");
    assert_eq!(socket.fails(&subscribe(1, json!({ "groups": ["nobody"] }))), "unknown_group");
    assert_eq!(socket.fails(&subscribe(1, json!({ "inbox": true }))), "bad_request");
    assert_eq!(socket.fails(&subscribe(1, json!({ "topics": ["a+"] }))), "bad_topic");
    assert_eq!(socket.fails(&subscribe(1, json!({ "since": "never" }))), "bad_since");
    assert_eq!(socket.fails(&subscribe(1, json!({ "since": "1.0,1.0" }))), "bad_since");
    assert_eq!(socket.fails(&json!({ "op": "credit", "sub": 1, "entries": 1 })), "bad_request");
    assert_eq!(socket.fails(&json!({ "op": "ack", "sub": 1, "cursor": "1.0" })), "bad_request");
    socket.say(&subscribe(1, json!({ "name": "app", "since": "oldest" })));
    socket.hear_of("subscribed");
    assert_eq!(socket.fails(&subscribe(1, json!({}))), "bad_request");
    assert_eq!(socket.fails(&json!({ "op": "credit", "sub": 1 })), "bad_request");
    assert_eq!(socket.fails(&json!({ "op": "ack", "sub": 1, "cursor": "99.0" })), "bad_since");
    let publish = |more: Value| {
        let mut ask = json!({ "op": "publish", "ref": 5, "group": "g", "payload": "x" });
        more.as_object().unwrap().iter().for_each(|(name, value)| ask[name] = value.clone());
        ask
    };
    assert_eq!(socket.fails(&publish(json!({ "group": "nobody" }))), "unknown_group");
    assert_eq!(socket.fails(&publish(json!({ "payload_b64": "eA==" }))), "bad_request");
    assert_eq!(socket.fails(&publish(json!({ "key": "short" }))), "bad_entry_key");
    assert_eq!(socket.fails(&publish(json!({ "topic": "a/#" }))), "bad_topic");
    assert_eq!(socket.fails(&publish(json!({ "wait": "forever" }))), "bad_request");
    assert_eq!(socket.fails(&publish(json!({ "payload": "x".repeat(65_537) }))), "too_large");
    assert_eq!(socket.fails(&json!({ "op": "send", "ref": 5, "to": "cnoops", "payload": "x" })), "bad_key");
    socket.socket.send(Message::Text("{".into())).unwrap();
    assert_eq!(socket.hear()["code"], "bad_request");
    for sub in 2..=64 {
        socket.say(&subscribe(sub, json!({})));
        socket.hear_of("subscribed");
    }
    assert_eq!(socket.fails(&subscribe(65, json!({}))), "limit");
    assert_eq!(home.get("/v1/ws").0, 400, "a plain request is told so");
    daemon.stop();
    match socket.socket.read() {
        Ok(Message::Close(Some(close))) => assert_eq!(u16::from(close.code), 1001),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_frame_beyond_the_bound_ends_the_socket_and_nothing_else() {
    let world = World::new();
    let home = world.listener("a");
    let _daemon = home.run();
    let (mut socket, hello) = Socket::open(&home);
    let most = hello["limits"]["frame_bytes"].as_u64().unwrap() as usize;
    // The other side may hang up before it has taken all of it.
    let _ = socket.socket.send(Message::Text("x".repeat(most + 1).into()));
    let end = loop {
        match socket.socket.read() {
            Ok(Message::Close(close)) => break close.map(|close| u16::from(close.code)),
            Ok(_) => {}
            Err(_) => break None,
        }
    };
    assert!(matches!(end, Some(1009) | None), "{end:?}");
    home.json(&["status"]);
}

#[test]
fn more_asks_than_may_be_under_way_are_refused_and_the_others_are_not() {
    let world = World::new();
    let home = world.listener("a");
    let _daemon = home.run();
    home.ok(&["group", "create", "g"]);
    let reader = Stream::start(home.command(&["sub", "g", "--json"]));
    std::thread::sleep(Duration::from_millis(300));
    let (mut socket, hello) = Socket::open(&home);
    let most = hello["limits"]["outstanding"].as_u64().unwrap();
    // Nobody is linked, so each waits two seconds for somebody to take it.
    let reader_thread = std::thread::spawn(move || (0..most).filter(|_| reader.json()["payload"].is_string()).count());
    for number in 0..most + 20 {
        socket.say(&json!({ "op": "publish", "ref": number, "group": "g", "payload": number.to_string() }));
    }
    let (mut refused, mut ended) = (0, 0);
    while refused + ended < most + 20 {
        let heard = socket.hear();
        match heard["op"].as_str() {
            Some("error") if heard["code"] == "busy" => refused += 1,
            Some("published") => ended += u64::from(heard["final"] == true),
            _ => panic!("{heard}"),
        }
    }
    assert_eq!((refused, ended), (20, most));
    assert_eq!(reader_thread.join().unwrap() as u64, most);
}

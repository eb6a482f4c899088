//! Answers as real daemons gave them, as Yggdrasil-ng words them, and as nobody should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_hosts::yggdrasil::{RecordedNode, Recording};
use crosscast_stream::overlay::HostKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::object::ObjectEnd;
use super::reply::*;
use super::{AdminError, request::Request};
use crate::address::address_of;
use crate::hex;

const VERSIONS: [&str; 2] = ["0.4.7", "0.5.14"];

fn key(of: &RecordedNode) -> HostKey {
    hex::read(&of.key).unwrap()
}

fn success(response: &Value) -> Vec<u8> {
    json!({"status": "success", "request": null, "response": response}).to_string().into_bytes()
}

#[test]
fn every_recorded_answer_is_read_as_what_it_is() {
    for version in VERSIONS {
        let recording = Recording::of(version);
        let nodes = recording.nodes();
        let [n0, n1, n2] = [key(&nodes[0]), key(&nodes[1]), key(&nodes[2])];
        for name in recording.names() {
            let answer = recording.answer(name);
            let end = ObjectEnd::default().look(answer).unwrap().expect("an object ends");
            let answer = &answer[..end];
            let asked = if name.ends_with("-n1") { &n1 } else { &n2 };
            let readers = [
                ("list", dialect(answer).map(drop)),
                ("getself", own_node(answer).map(drop)),
                ("gettun", tun(answer).map(drop)),
                ("getpeers", peers(answer).map(drop)),
                ("getsessions", sessions(answer).map(drop)),
                ("getpaths", paths(answer).map(drop)),
                ("getnodeinfo", node_info(answer, asked).map(drop)),
                ("debug_remotegetpeers", remote_peers(answer, asked).map(drop)),
            ];
            let said_no = serde_json::from_slice::<Value>(answer).unwrap()["status"] == "error";
            for (request, read) in readers {
                if said_no {
                    assert!(matches!(read, Err(AdminError::Declined(_))), "{version} {name} as {request}: {read:?}");
                } else if name == request || name == format!("{request}-n1") {
                    assert_eq!(read, Ok(()), "{version} {name}");
                }
            }
        }
        let own = own_node(recording.answer("getself")).unwrap();
        assert_eq!((own.key, own.address), (n0, nodes[0].address));
        assert_eq!(address_of(&own.key), Some(own.address));
        let up: Vec<_> = peers(recording.answer("getpeers")).unwrap();
        assert_eq!((up.len(), up[0].up, up[0].key), (1, true, Some(n1)));
        assert_eq!(up[0].remote.as_deref(), Some("tls://10.77.1.2:7001"));
        assert!(sessions(recording.answer("getsessions")).unwrap().contains(&n2));
        assert_eq!(remote_peers(recording.answer("debug_remotegetpeers-n1"), &n1).unwrap(), sorted([n0, n2]));
        let info: Value = serde_json::from_str(node_info(recording.answer("getnodeinfo"), &n2).unwrap()).unwrap();
        assert_eq!(info["name"], "lab-n2");
        assert!(node_info(recording.answer("getnodeinfo"), &n1).is_err(), "another node's answer");
        assert!(remote_peers(recording.answer("debug_remotegetpeers-n1"), &n2).is_err(), "another node's answer");
    }
}

fn sorted(mut keys: [HostKey; 2]) -> Vec<HostKey> {
    keys.sort_unstable();
    keys.to_vec()
}

#[test]
fn the_version_shows_in_the_list_of_requests_alone() {
    for (version, is) in [("0.4.7", Version::V04), ("0.5.14", Version::V05)] {
        let found = dialect(Recording::of(version).answer("list")).unwrap();
        assert_eq!(found, Dialect { version: is, remote_peers: true });
    }
    let bare = success(&json!({"list": ["getself", "GetTree", "getpeers"]}));
    assert_eq!(dialect(&bare), Ok(Dialect { version: Version::V05, remote_peers: false }));
    let neither = success(&json!({"list": ["getself", 7, null, {"command": 7}, {}]}));
    assert_eq!(dialect(&neither), Ok(Dialect { version: Version::Unknown, remote_peers: false }));
    for foreign in [json!({}), json!({"list": []}), json!({"list": 7}), json!(null), json!([])] {
        assert!(matches!(dialect(&success(&foreign)), Err(AdminError::Garbled(_))), "{foreign}");
    }
}

#[test]
fn the_mtu_is_the_versions_own_and_none_without_an_interface() {
    assert_eq!(tun(Recording::of("0.4.7").answer("gettun")), Ok(Tun { enabled: Some(true), mtu: Some(53049) }));
    assert_eq!(tun(Recording::of("0.5.14").answer("gettun")), Ok(Tun { enabled: Some(true), mtu: Some(65535) }));
    assert_eq!(tun(&success(&json!({"enabled": false}))), Ok(Tun { enabled: Some(false), mtu: None }));
    let odd = json!({"enabled": "yes", "mtu": 1280.5, "name": 3});
    assert_eq!(tun(&success(&odd)), Ok(Tun::default()));
}

#[test]
fn a_peer_that_is_down_says_why() {
    let found = peers(Recording::of("0.5.14").answer("getpeers-with-refused")).unwrap();
    let down: Vec<_> = found.iter().filter(|peer| !peer.up).collect();
    assert_eq!(down.len(), 1);
    assert_eq!((down[0].key, down[0].remote.as_deref()), (None, Some("tcp://10.77.1.2:9")));
    assert_eq!(down[0].last_error.as_deref(), Some("dial tcp 10.77.1.2:9: connect: connection refused"));
}

#[test]
fn stubs_of_searches_are_no_nodes() {
    let recording = Recording::of("0.4.7");
    let n2 = key(&recording.nodes()[2]);
    assert_eq!(paths(recording.answer("getpaths")), Ok(vec![n2]));
    let recording = Recording::of("0.5.14");
    assert_eq!(paths(recording.answer("getpaths")).unwrap().len(), 2);
}

#[test]
fn the_words_of_yggdrasil_ng_are_read_too() {
    let node = &Recording::of("0.5.14").nodes()[1];
    let answer = json!({
        "peers": [
            {"uri": "tls://[::1]:1?password=secret", "up": true, "key": node.key, "address": node.address,
             "latency": 6.47, "coordinates": [1, 2]},
            {"uri": "tls://[::1]:2", "up": false},
        ]
    });
    let found = peers(&success(&answer)).unwrap();
    assert_eq!((found[0].up, found[0].key), (true, Some(key(node))));
    assert_eq!(found[0].remote.as_deref(), Some("tls://[::1]:1"));
    assert_eq!((found[1].up, found[1].key), (false, None));
    assert_eq!(peers(&success(&json!({"peers": null}))), Ok(vec![]));
    assert_eq!(peers(&success(&json!({}))), Ok(vec![]));
}

#[test]
fn a_key_with_another_address_beside_it_is_no_key() {
    let nodes = Recording::of("0.5.14").nodes();
    let lie = json!([{"key": nodes[1].key, "address": nodes[2].address}, {"key": nodes[1].key}]);
    assert_eq!(sessions(&success(&json!({"sessions": lie}))), Ok(vec![key(&nodes[1])]));
}

#[test]
fn what_the_daemon_says_is_shown_without_tricks() {
    let no = json!({"status": "error", "error": "go\u{1b}[31m away\n".repeat(50)}).to_string();
    let Err(AdminError::Declined(said)) = own_node(no.as_bytes()) else { panic!("not declined") };
    assert!(said.starts_with("go?[31m away?go?") && said.len() == SAID_MAX, "{said}");
}

#[test]
fn a_list_of_any_length_holds_what_is_bounded() {
    let node = &Recording::of("0.5.14").nodes()[1];
    let many = json!({"sessions": vec![json!({"key": node.key}); ITEMS_MAX + 10]});
    assert_eq!(sessions(&success(&many)).unwrap().len(), ITEMS_MAX);
}

#[test]
fn requests_are_those_that_were_recorded() {
    for version in VERSIONS {
        let recording = Recording::of(version);
        let n2 = key(&recording.nodes()[2]);
        for (name, request) in [
            ("list", Request::List),
            ("getself-no-newline", Request::GetSelf),
            ("gettun", Request::GetTun),
            ("getpeers", Request::GetPeers),
            ("getsessions", Request::GetSessions),
            ("getpaths", Request::GetPaths),
            ("getnodeinfo", Request::GetNodeInfo(n2)),
            ("debug_remotegetpeers", Request::RemotePeers(n2)),
        ] {
            assert_eq!(request.json().as_bytes(), recording.request(name).trim_ascii_end(), "{version} {name}");
        }
    }
}

/// JSON of any shape, with names that answers have.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9a-f:. ]{0,70}".prop_map(Value::from),
        Just(json!("success")),
    ];
    let name = prop::sample::select(vec![
        "status", "response", "error", "list", "command", "key", "address", "peers", "up", "sessions", "paths", "path",
        "keys", "enabled", "mtu", "x",
    ]);
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_is_more_than_refused(json in any_json(), cut in 0_usize..400, wrapped: bool) {
        let said = if wrapped { success(&json) } else { json.to_string().into_bytes() };
        let said = &said[..said.len().saturating_sub(cut)];
        let asked = [5; 32];
        let _ = ObjectEnd::default().look(said);
        let _ = (dialect(said), own_node(said), tun(said), peers(said), sessions(said), paths(said));
        let _ = (remote_peers(said, &asked), node_info(said, &asked));
    }

    #[test]
    fn an_objects_end_is_where_a_parser_finds_it(json in any_json(), behind in "[ \n{}\\[\\]\"a]{0,9}") {
        prop_assume!(json.is_object());
        let text = json.to_string();
        let whole = format!("{text}{behind}");
        prop_assert_eq!(ObjectEnd::default().look(whole.as_bytes()), Ok(Some(text.len())));
    }
}

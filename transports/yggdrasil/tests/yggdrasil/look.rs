//! What a look finds at recorded and invented daemons.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crosscast_hosts::yggdrasil::{AdminServer, At, Recording};
use crosscast_stream::overlay::{Host as _, Ownership};
use crosscast_wire::{NetworkReason, NetworkState};
use crosscast_yggdrasil::{NodeKey, YggdrasilHost, address_of, owns};
use serde_json::json;

use super::{Folder, config, on_lo};

const VERSIONS: [&str; 2] = ["0.4.7", "0.5.14"];

#[tokio::test]
async fn a_recorded_daemon_of_either_version_is_up_when_its_address_is_here() {
    for (version, shown, mtu) in [("0.4.7", "Yggdrasil 0.4", 53049), ("0.5.14", "Yggdrasil 0.5", 65535)] {
        let recording = Recording::of(version);
        let own = &recording.nodes()[0];
        if !on_lo(own.address) {
            return;
        }
        for at in [Folder::new().socket(), At::Tcp] {
            let folder = Folder::new();
            let at = if matches!(at, At::Tcp) { at } else { folder.socket() };
            let server = AdminServer::replay(recording.clone(), at);
            let host = YggdrasilHost::new(&config(server.address()));
            let seen = host.look().await;
            assert_eq!((seen.state, seen.reason), (NetworkState::Up, None), "{}", seen.detail);
            assert_eq!((seen.address, seen.mtu), (Some(own.address), Some(mtu)));
            assert_eq!(owns(&seen.key.unwrap(), own.address), Ownership::Node);
            assert!(seen.detail.starts_with(shown), "{}", seen.detail);

            // The second look knows whom it asks.
            let first = server.heard().len();
            assert_eq!(host.look().await, seen);
            let heard = server.heard();
            assert!(heard[..first].iter().any(|asked| asked.contains("\"list\"")), "{heard:?}");
            assert!(!heard[first..].iter().any(|asked| asked.contains("\"list\"")), "{heard:?}");
            assert!(heard.iter().all(|asked| !asked.ends_with('\n')));
        }
    }
}

#[tokio::test]
async fn a_daemon_of_another_machine_is_named_so() {
    let key = [9; 32];
    let address = address_of(&key).unwrap();
    let server = AdminServer::invented(
        move |name, _| match name {
            "list" => Some(json!({"list": ["getself"]})),
            "getself" => Some(json!({"key": "09".repeat(32), "address": address.to_string()})),
            "gettun" => Some(json!({"enabled": true, "mtu": 65535})),
            _ => None,
        },
        At::Tcp,
    );
    let seen = YggdrasilHost::new(&config(server.address())).look().await;
    assert_eq!((seen.state, seen.reason), (NetworkState::Down, Some(NetworkReason::NotThisMachine)));
    assert!(seen.address.is_none() && seen.detail.contains(&address.to_string()), "{}", seen.detail);
}

#[tokio::test]
async fn a_daemon_that_names_a_strangers_address_is_garbled() {
    let server = AdminServer::invented(
        move |name, _| match name {
            "list" => Some(json!({"list": ["getself"]})),
            "getself" => Some(json!({"key": "09".repeat(32), "address": "201:eb8:2558:2196:5b78:d5b9:885:1dd4"})),
            _ => None,
        },
        At::Tcp,
    );
    let seen = YggdrasilHost::new(&config(server.address())).look().await;
    assert_eq!((seen.state, seen.reason), (NetworkState::Down, Some(NetworkReason::AdminGarbled)));
}

#[tokio::test]
async fn a_socket_that_is_not_there_and_one_that_nobody_serves_are_told_apart() {
    let folder = Folder::new();
    let path = folder.at("admin.sock");
    let host = YggdrasilHost::new(&config(path.to_str().unwrap()));
    assert_eq!(host.look().await.reason, Some(NetworkReason::NoAdmin));
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(host.look().await.reason, Some(NetworkReason::HostUnreachable));
}

/// Root is denied nothing, so as root this runs itself once more as somebody else.
#[tokio::test]
async fn a_socket_that_is_denied_names_the_group_it_is_for() {
    let folder = Folder::new();
    let path = folder.at("admin.sock");
    drop(UnixListener::bind(&path).unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    let seen = YggdrasilHost::new(&config(path.to_str().unwrap())).look().await;
    if seen.reason == Some(NetworkReason::AdminDenied) || std::env::var_os(AS_NOBODY).is_some() {
        assert_eq!(seen.reason, Some(NetworkReason::AdminDenied), "{}", seen.detail);
        assert!(seen.detail.contains("it is for the group "), "{}", seen.detail);
        return;
    }
    let itself = ["--exact", "look::a_socket_that_is_denied_names_the_group_it_is_for"];
    let again = Command::new(std::env::current_exe().unwrap())
        .args(itself)
        .env(AS_NOBODY, "1")
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    match again {
        Ok(done) => assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout)),
        Err(error) => crosscast_exam::skip(&format!("another user may not run this test: {error}")),
    }
}

/// Whom every system has.
const NOBODY: u32 = 65534;

/// Says to the test that it is run as nobody.
const AS_NOBODY: &str = "CROSSCAST_TEST_AS_NOBODY";

#[tokio::test]
async fn a_daemon_that_went_is_awaited_and_found_again() {
    let recording = Recording::of("0.5.14");
    if !on_lo(recording.nodes()[0].address) {
        return;
    }
    let folder = Folder::new();
    let server = AdminServer::replay(recording.clone(), folder.socket());
    let host = YggdrasilHost::new(&config(server.address()));
    assert_eq!(host.look().await.state, NetworkState::Up);
    drop(server);
    let gone = host.look().await;
    assert_eq!((gone.state, gone.reason), (NetworkState::Down, Some(NetworkReason::AddressGone)), "{}", gone.detail);
    let again = AdminServer::replay(Recording::of("0.4.7"), folder.socket());
    if on_lo(Recording::of("0.4.7").nodes()[0].address) {
        let seen = host.look().await;
        assert_eq!(seen.state, NetworkState::Up, "{}", seen.detail);
        assert!(seen.detail.starts_with("Yggdrasil 0.4"), "another version came back: {}", seen.detail);
    }
    drop(again);
}

#[test]
fn keys_of_recorded_nodes_are_those_of_their_configurations() {
    for version in VERSIONS {
        for node in Recording::of(version).nodes() {
            let key = NodeKey::from_config_text(&format!("  PrivateKey: {}\n", node.private_key)).unwrap();
            assert_eq!(address_of(&key.public()), Some(node.address));
        }
    }
}

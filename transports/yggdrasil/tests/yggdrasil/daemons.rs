//! Two real daemons without interfaces, linked over loopback: no root, no TUN.

use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crosscast_stream::overlay::{Host as _, HostKey, Neighbour};
use crosscast_wire::{NetworkReason, NetworkState};
use crosscast_yggdrasil::{NodeKey, YggdrasilConfig, YggdrasilHost, address_of, node_info};
use serde_json::{Value, json};

use super::neighbours::in_an_hour;
use super::{Folder, config, node_id, secret};

/// Longest wait for a daemon; it takes a tenth of a second on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The number of the daemon that the first of two dials.
const SECOND: u8 = 22;

/// A running daemon; killed when dropped.
struct Daemon {
    child: Child,
    key: HostKey,
    admin: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The daemon's program: what `YGG` names, or the system's.
fn program() -> Option<PathBuf> {
    let usual = ["/usr/sbin/yggdrasil", "/usr/bin/yggdrasil", "/usr/local/bin/yggdrasil"].map(PathBuf::from);
    let found = std::env::var_os("YGG").map(PathBuf::from).into_iter().chain(usual).find(|path| path.exists());
    if found.is_none() {
        crosscast_exam::skip("no yggdrasil here (apt-get install yggdrasil, or name one in YGG)");
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn host_key(number: u8) -> HostKey {
    secret(number).public()
}

/// Starts a daemon whose key grows from a number, and waits for its admin socket.
fn start(program: &Path, folder: &Folder, number: u8, listen: &[String], peers: &[String], info: &Value) -> Daemon {
    let admin = folder.at(&format!("{number}.sock"));
    let conf = json!({
        "PrivateKey": format!("{}{}", hex(secret(number).expose()), hex(&host_key(number))),
        "PublicKey": hex(&host_key(number)),
        "Listen": listen, "Peers": peers, "AdminListen": format!("unix://{}", admin.display()),
        "MulticastInterfaces": [], "IfName": "none", "NodeInfoPrivacy": true, "NodeInfo": info,
    });
    let path = folder.at(&format!("{number}.conf"));
    std::fs::write(&path, conf.to_string()).unwrap();
    assert_eq!(NodeKey::from_config_file(&path).unwrap().public(), host_key(number));
    let child = Command::new(program)
        .args(["-useconffile", path.to_str().unwrap()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let daemon = Daemon { child, key: host_key(number), admin };
    wait_for("its admin socket", || std::os::unix::net::UnixStream::connect(&daemon.admin).is_ok());
    daemon
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "no {what} in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Two daemons, the first dialling the second; whoever dials starts when the other listens, since 0.4 waits a minute after
/// a refusal.
fn two(program: &Path, folder: &Folder, info: &Value) -> (Daemon, Daemon) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = [format!("tcp://{free}")];
    let second = start(program, folder, SECOND, &listen, &[], info);
    wait_for("listener", || TcpStream::connect(free).is_ok());
    let first = start(program, folder, 21, &[], &listen, &json!({}));
    (first, second)
}

#[tokio::test]
async fn a_real_daemon_without_an_interface_is_down_and_says_so() {
    let Some(program) = program() else { return };
    let folder = Folder::new();
    let daemon = start(&program, &folder, 20, &[], &[], &json!({}));
    let seen = YggdrasilHost::new(&config(daemon.admin.to_str().unwrap())).look().await;
    assert_eq!((seen.state, seen.reason), (NetworkState::Down, Some(NetworkReason::NoInterface)), "{}", seen.detail);
    assert!(seen.detail.contains("without an interface"), "{}", seen.detail);
    drop(daemon);
    let host = YggdrasilHost::new(&config(folder.at("20.sock").to_str().unwrap()));
    let gone = host.look().await.reason;
    assert!(matches!(gone, Some(NetworkReason::HostUnreachable | NetworkReason::NoAdmin)), "{gone:?}");
}

#[tokio::test]
async fn real_node_info_leads_to_the_node_beside_it() {
    let Some((address, found)) = found_by_info_for(SECOND).await else { return };
    assert_eq!(found, [Neighbour { address, port: Some(7722), node: Some(node_id(2)) }]);
}

#[tokio::test]
async fn node_info_copied_from_another_real_node_leads_nowhere() {
    let Some((address, found)) = found_by_info_for(23).await else { return };
    assert_eq!(found, [Neighbour { address, port: None, node: None }]);
}

/// The address of a second daemon whose NodeInfo was made for the daemon of this number, and what the first finds.
async fn found_by_info_for(number: u8) -> Option<(Ipv6Addr, Vec<Neighbour>)> {
    let program = program()?;
    let folder = Folder::new();
    let info: Value = serde_json::from_str(&node_info(&secret(2), &host_key(number), 7722, in_an_hour())).unwrap();
    let (first, second) = two(&program, &folder, &info);
    let address = address_of(&second.key).unwrap();
    Some((address, around(&first, address).await))
}

/// What a daemon's neighbours are, once they are linked.
async fn around(daemon: &Daemon, peer: Ipv6Addr) -> Vec<Neighbour> {
    let host = YggdrasilHost::new(&YggdrasilConfig { discover: true, ..config(daemon.admin.to_str().unwrap()) });
    host.look().await;
    let started = Instant::now();
    loop {
        let found = host.neighbours().await;
        if found.iter().any(|one| one.address == peer) {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "the daemons do not link");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

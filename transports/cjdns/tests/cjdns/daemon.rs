//! Two real cjdns cores without interfaces, linked over loopback: no root, no TUN.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crosscast_cjdns::address::{Path, address_of, key_text, parse_key};
use crosscast_cjdns::admin::{Admin, PeerState};
use crosscast_cjdns::{CjdnsConfig, CjdnsError, CjdnsHost, NodeSignature, Password, sign};
use crosscast_hosts::cjdns::{KEY, PASSWORD};
use crosscast_stream::overlay::{Host as _, Neighbour};
use crosscast_wire::{NetworkReason, NetworkState};
use sha2::{Digest as _, Sha256};

use crate::node_id;

/// The private keys of the first two recorded nodes, made for the recording.
const PRIVATE: [&str; 2] = [
    "f6d0c446566bdbb9dc0387b38d1fa5546bcd0d3022c34f3b6304f220ca57799e",
    "967567ee1c4927abb188de17c51e42eaa2933f64dc1b260f31719a489cb86e83",
];
const KEYS: [&str; 2] = [KEY, "b97kk579pgsyldtn2syz0bfbvvf5567m6f0shmus1r3brzhftxb0.k"];

/// Longest wait for a core; it takes a second on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running core; killed when dropped.
struct Core {
    child: Child,
    admin: SocketAddr,
    pipe: PathBuf,
    password: &'static str,
}

impl Drop for Core {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.pipe);
    }
}

/// cjdns's program, which no package registry has.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("CJDROUTE").map(PathBuf::from).filter(|path| path.exists());
    if named.is_none() {
        crosscast_exam::skip("no cjdns here (name its cjdroute in CJDROUTE)");
    }
    named
}

fn free_port() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn string(text: &str) -> String {
    format!("{}:{text}", text.len())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Core {
    /// Starts a core and tells it its key and where its admin port is.
    fn start(program: &PathBuf, node: usize, password: &'static str) -> Self {
        let admin = free_port();
        let pipe = std::env::temp_dir().join(format!("crosscast-cjdns-{}-{}.pipe", std::process::id(), admin.port()));
        let child = Command::new(program)
            .arg("core")
            .arg(&pipe)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let core = Self { child, admin, pipe, password };
        let mut stream = None;
        wait_for("pipe", || {
            stream = UnixStream::connect(&core.pipe).ok();
            stream.is_some()
        });
        let admin = format!("d4:bind{}4:pass{}e", string(&core.admin.to_string()), string(core.password));
        let told = format!("d5:admin{admin}7:loggingde10:privateKey{}e", string(PRIVATE[node]));
        let mut stream = stream.unwrap();
        stream.write_all(told.as_bytes()).unwrap();
        let mut answer = [0; 512];
        let len = stream.read(&mut answer).unwrap();
        assert!(answer[..len].windows(4).any(|word| word == b"none"), "{}", answer[..len].escape_ascii());
        core
    }

    /// Calls what sets a core up; arguments in bencode.
    fn call(&self, function: &str, args: &str) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.admin).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let ask = |request: String| {
            let mut reply = [0; 4096];
            socket.send(request.as_bytes()).unwrap();
            let len = socket.recv(&mut reply).unwrap();
            reply[..len].escape_ascii().to_string()
        };
        let cookie = ask("d1:q6:cookie4:txid1:1e".to_owned());
        let (_, cookie) = cookie.split_once("cookie10:").unwrap();
        let cookie = &cookie[..10];
        let request = |hash: &str| {
            let head = format!("d2:aq{}4:argsd{args}e6:cookie{}", string(function), string(cookie));
            format!("{head}4:hash{}1:q4:auth4:txid1:2e", string(hash))
        };
        let first = hex(&Sha256::digest(format!("{}{cookie}", self.password)));
        let reply = ask(request(&hex(&Sha256::digest(request(&first)))));
        assert!(!reply.contains("error") || reply.contains("5:error4:none"), "{function}: {reply}");
        reply
    }

    /// Opens the port where peers connect.
    fn listen(&self) -> SocketAddr {
        let at = free_port();
        self.call("UDPInterface_new", &format!("11:bindAddress{}", string(&at.to_string())));
        at
    }

    fn config(&self, password: Option<&str>) -> CjdnsConfig {
        let mut config = CjdnsConfig::new(node_id(1));
        config.admin = self.admin;
        config.password = password.map(|password| Password::new(password.to_owned()).unwrap());
        config.discover = true;
        config
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "no {what} in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until the core knows its calls: it answers a moment before it has them all, those of its router last.
async fn answers(core: &Core) -> Admin {
    let started = Instant::now();
    loop {
        let mut admin = Admin::open(core.admin, Password::new(core.password.to_owned()).ok()).await.unwrap();
        match admin.known_nodes().await {
            Ok(_) => return admin,
            Err(error) => assert!(started.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_real_node_is_seen_signs_and_tells_a_wrong_password() {
    let Some(program) = program() else { return };
    let core = Core::start(&program, 0, PASSWORD);
    let mut admin = answers(&core).await;
    admin.ping().await.unwrap();
    let node = admin.node_info().await.unwrap();
    assert_eq!(key_text(&node.key), KEYS[0]);
    let seen = CjdnsHost::new(&core.config(None)).look().await;
    assert_eq!((seen.state, seen.reason), (NetworkState::Down, Some(NetworkReason::NoInterface)));
    assert_eq!(admin.stored_node(node.address).await.unwrap().unwrap().path, Path::SELF);

    let message = hex(&Sha256::digest(b"a real node"));
    let (key, signature) = sign(&core.config(Some(PASSWORD)), &message).await.unwrap();
    let signature = NodeSignature { key, signature };
    assert_eq!(signature.signer_of(message.as_bytes()), Some(node.key));
    assert_eq!(admin.check_signature(&message, &signature).await, Ok(Some(node.key)));
    assert_eq!(admin.check_signature("another message", &signature).await, Ok(None));

    assert_eq!(admin.check_password().await, Ok(()));
    assert_eq!(sign(&core.config(Some("wrong")), &message).await, Err(CjdnsError::WrongPassword));
    assert_eq!(sign(&core.config(None), &message).await, Err(CjdnsError::NoPassword));
}

#[tokio::test]
async fn a_real_node_of_a_generated_configuration_lets_everyone_sign() {
    let Some(program) = program() else { return };
    let core = Core::start(&program, 1, "NONE");
    answers(&core).await;
    let (key, signature) = sign(&core.config(None), "abc").await.unwrap();
    assert_eq!(NodeSignature { key, signature }.signer_of(b"abc"), parse_key(KEYS[1].as_bytes()));
}

#[tokio::test]
async fn real_nodes_name_their_peers_and_sessions() {
    let Some(program) = program() else { return };
    let cores = [0, 1].map(|node| Core::start(&program, node, PASSWORD));
    let mut admins = [answers(&cores[0]).await, answers(&cores[1]).await];
    let other = parse_key(KEYS[1].as_bytes()).unwrap();
    let listening = cores[1].listen();
    cores[0].listen();
    let account = format!("8:password{}4:user{}", string("lab-peering-password"), string("lab"));
    cores[1].call("AuthorizedPasswords_add", &format!("8:authTypei1e{account}"));
    let to = format!("7:address{}15:interfaceNumberi0e5:login{}", string(&listening.to_string()), string("lab"));
    let login = format!("8:password{}9:publicKey{}", string("lab-peering-password"), string(KEYS[1]));
    cores[0].call("UDPInterface_beginConnection", &format!("{to}{login}"));

    let started = Instant::now();
    let peer = loop {
        let peers = Admin::open(cores[0].admin, None).await.unwrap().peers(|_| false).await.unwrap();
        match peers.items.first() {
            Some(peer) if peer.state == PeerState::Established => break *peer,
            Some(_) | None => assert!(started.elapsed() < PATIENCE, "not established: {peers:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(peer.node.key, other);
    let address = address_of(&other).unwrap();
    let neighbours = CjdnsHost::new(&cores[0].config(Some(PASSWORD))).neighbours().await;
    assert_eq!(neighbours, [Neighbour { address, port: None, node: None }]);

    // The cores ask each other who they are, and talk end to end from then on.
    let started = Instant::now();
    let session = loop {
        admins[0] = answers(&cores[0]).await;
        match admins[0].session_with(address).await.unwrap() {
            Some(session) => break session,
            None => assert!(started.elapsed() < PATIENCE, "no session"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(session.node.key, other);
    assert!(!admins[0].session_handles().await.unwrap().is_empty());
    assert!(admins[0].peers_of(peer.node.path).await.unwrap().iter().any(|node| node.key == other));
}

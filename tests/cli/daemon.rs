//! The daemon: ready, small, alone on its home, gone when asked.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::world::{World, resident};

#[test]
fn the_daemon_is_ready_soon_and_small() {
    let world = World::new();
    let home = world.listener("a");
    let start = Instant::now();
    let daemon = home.run();
    // The bar is 500 ms for a release build on an idle machine; this one may be neither.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let bytes = resident(daemon.child.id());
    assert!(bytes <= 40 << 20, "{bytes} bytes resident");
    let status = home.json(&["status"]);
    assert!(status["rss_bytes"].as_u64().unwrap() > 1 << 20);
    assert_ne!(status["listen"][0], "tls://127.0.0.1:0", "the real port is shown");
    daemon.stop();
    assert!(!home.socket().exists(), "the socket goes with the daemon");
}

#[test]
fn two_daemons_never_share_a_home_and_a_dead_one_leaves_nothing_in_the_way() {
    let world = World::new();
    let home = world.listener("a");
    let first = home.run();
    assert_eq!(home.fails_last_line(&["run"]), (1, "already_running".to_owned()));
    first.kill();
    assert!(home.socket().exists(), "a killed daemon leaves its socket");
    assert_eq!(home.fails(&["status"]), (3, "no_daemon".to_owned()));
    let second = home.run();
    home.json(&["status"]);
    second.stop();
}

#[test]
fn the_service_manager_is_told_when_it_is_ready() {
    let world = World::new();
    let home = world.listener("a");
    let place = world.dir.join("notify");
    let socket = UnixDatagram::bind(&place).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut child = home.command(&["run"]).env("NOTIFY_SOCKET", &place).spawn().unwrap();
    let mut heard = [0; 64];
    let len = socket.recv(&mut heard).unwrap();
    assert_eq!(&heard[..len], b"READY=1");
    home.json(&["status"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_listener_that_cannot_be_made_is_named() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let home = world.home("a");
    home.ok(&["init", "--listen", &format!("tls://{}", taken.local_addr().unwrap())]);
    assert_eq!(home.fails_last_line(&["run"]), (1, "listen_failed".to_owned()));
}

impl crate::world::Home {
    /// As `fails`, for a verb that logs on stderr before.
    fn fails_last_line(&self, args: &[&str]) -> (i32, String) {
        let output = self.call(&[args, &["--json"]].concat());
        let stderr = crate::world::text(&output.stderr);
        let body: serde_json::Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
        (output.status.code().unwrap(), body["code"].as_str().unwrap().to_owned())
    }
}

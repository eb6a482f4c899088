//! Writes seeds of the corpus that are recorded answers of daemons (`interop-tests/fixtures`), and NodeInfo with markers.
//!
//! `cargo run --example admin_seeds`; the result is committed.

use std::path::{Path, PathBuf};

use crosscast_wire::{SecretKey, WallMillis};
use serde_json::Value;

/// One answer for each reader, and one that says no.
const YGGDRASIL: &[&str] = &[
    "list",
    "getself",
    "gettun",
    "getpeers-with-refused",
    "getsessions",
    "getpaths",
    "getnodeinfo",
    "debug_remotegetpeers",
    "key-not-hex",
];

/// As Yggdrasil-ng words them: bare names, `uri` for `remote`.
const NG: &[(&str, &str)] = &[
    ("list-ng", r#"{"status":"success","response":{"list":["getself","gettree","getpeers"]}}"#),
    (
        "getpeers-ng",
        r#"{"status":"success","response":{"peers":[{"uri":"tls://[::1]:1?password=secret","up":true,"latency":6.47},{"uri":"tls://[::1]:2","up":false}]}}"#,
    ),
];

const CJDNS: &[&str] = &[
    "Core_nodeInfo",
    "InterfaceController_peerStats",
    "NodeStore_dumpTable",
    "NodeStore_nodeForAddr-n1",
    "NodeStore_nodeForAddr-unknown",
    "RouterModule_getPeers",
    "SessionManager_getHandles",
    "SessionManager_sessionStats",
    "Sign_sign",
    "Sign_checkSig",
    "cookie",
    "ping",
    "auth-wrong-password",
    "unknown-function",
];

/// Key of the node that the markers are beside.
const HOST: [u8; 32] = [3; 32];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for version in ["0.4.7", "0.5.14"] {
        let folder = fixtures(&format!("yggdrasil-{version}"));
        let nodes: Value = serde_json::from_slice(&std::fs::read(folder.join("nodes.json"))?)?;
        let asked = nodes["nodes"][2]["key"].as_str().and_then(from_hex).ok_or("no key of the third node")?;
        for name in YGGDRASIL {
            let answer = std::fs::read(folder.join(format!("{name}.res")))?;
            write("yggdrasil_answer", &format!("{name}-{version}"), &[asked.as_slice(), &answer].concat())?;
        }
        let info = serde_json::to_vec(&nodes["nodes"][2]["node_info"])?;
        write("node_info", &format!("none-{version}"), &[asked.as_slice(), &info].concat())?;
    }
    for (name, answer) in NG {
        write("yggdrasil_answer", name, &[HOST.as_slice(), answer.as_bytes()].concat())?;
    }
    for name in CJDNS {
        let file = fixtures("cjdns-22.1").join(format!("{name}.res"));
        write("cjdns_answer", &name.to_lowercase(), &std::fs::read(file)?)?;
    }
    // The end of the first is the example's in docs/spec/nodeinfo.md.
    for (name, host, until) in [
        ("marker", HOST, 1_700_000_600_000),
        ("marker-copied", [4; 32], 1_700_000_600_000),
        ("marker-expired", HOST, 1),
        ("marker-without-end", HOST, u64::MAX),
    ] {
        let info = crosscast_yggdrasil::node_info(&SecretKey::new([7; 32]), &host, 7700, WallMillis(until));
        write("node_info", name, &[HOST.as_slice(), info.as_bytes()].concat())?;
    }
    Ok(())
}

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(folder)
}

fn write(target: &str, name: &str, data: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), data)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

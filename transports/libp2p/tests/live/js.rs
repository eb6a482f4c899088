//! A js-libp2p node that runs beside the tests: its packages are fetched once, below the build folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crosscast_libp2p::Multiaddr;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

const FILES: [&str; 3] = ["package.json", "package-lock.json", "node.mjs"];
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Js {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) address: Multiaddr,
}

impl Js {
    /// Starts one on loopback; none where it cannot be had, by which the test is skipped.
    pub(crate) async fn start(port: u16) -> Option<Self> {
        let folder = match tokio::task::spawn_blocking(installed).await.unwrap() {
            Ok(folder) => folder,
            Err(why) => {
                crosscast_exam::skip(&format!("no js-libp2p here ({why})"));
                return None;
            }
        };
        let mut child = Command::new(folder.join("node_modules/.bin/node"))
            .arg(folder.join("node.mjs"))
            .args(["127.0.0.1", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut lines = BufReader::new(stdout).lines();
        let listens = next(&mut lines).await;
        let address = listens["addrs"][0].as_str().unwrap().parse().unwrap();
        Some(Self { child, stdin, lines, address })
    }

    /// Gives a command and waits until it is done.
    pub(crate) async fn tell(&mut self, line: &str) -> Value {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.until(|event| event["ev"] == "done" || event["ev"] == "error").await
    }

    /// Waits for something to happen to it.
    pub(crate) async fn until(&mut self, look: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = next(&mut self.lines).await;
            if look(&event) {
                return event;
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        let text = self.address.to_string();
        text.split('/').nth(4).unwrap().parse().unwrap()
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = timeout(PATIENCE, lines.next_line()).await.expect("js-libp2p says nothing").unwrap();
    serde_json::from_str(&line.expect("js-libp2p has ended")).unwrap()
}

fn installed() -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-tests/live/js");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("js-libp2p");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    // One test fetches the packages, the others wait for it.
    let lock = File::create(folder.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let same = |name: &str| fs::read(source.join(name)).ok() == fs::read(folder.join(name)).ok();
    let node = folder.join("node_modules/.bin/node");
    let ready = same("package-lock.json") && node.exists();
    for name in FILES.iter().filter(|name| !same(name)) {
        fs::copy(source.join(name), folder.join(name)).map_err(|error| error.to_string())?;
    }
    if ready {
        return Ok(folder);
    }
    let mut npm = std::process::Command::new("npm");
    let ran = npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).output();
    let done = ran.as_ref().is_ok_and(|ran| ran.status.success()) && node.exists();
    if done {
        return Ok(folder);
    }
    // So that the next run does not take half of it for the whole.
    let _ = fs::remove_file(folder.join("package-lock.json"));
    Err(ran.map_or_else(|error| format!("npm: {error}"), |ran| String::from_utf8_lossy(&ran.stderr).into_owned()))
}

//! Homes, daemons and calls.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder that goes when the test ends.
pub(crate) struct World {
    pub(crate) dir: PathBuf,
}

impl World {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("cct-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        Self { dir }
    }

    pub(crate) fn home(&self, name: &str) -> Home {
        Home { dir: self.dir.join(name) }
    }

    /// A home with an identity that listens on a free port.
    pub(crate) fn listener(&self, name: &str) -> Home {
        let home = self.home(name);
        home.ok(&["init", "--name", name, "--listen", "tls://127.0.0.1:0"]);
        home
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A home folder and how to call verbs on it.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
}

impl Home {
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crosscast"));
        command.arg("--home").arg(&self.dir).args(args).env_remove("NOTIFY_SOCKET").env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn call(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Calls with standard input.
    pub(crate) fn feed(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output
    }

    /// Calls, expects success, returns stdout without the last newline.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.call(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout).trim_end().to_owned()
    }

    /// Calls with `--json`, expects success and exactly one object.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(&[args, &["--json"]].concat());
        assert_eq!(out.lines().count(), 1, "{out}");
        serde_json::from_str(&out).unwrap()
    }

    /// Calls, expects a failure; returns the exit code and the code on stderr.
    pub(crate) fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.call(&[args, &["--json"]].concat());
        let body: Value = serde_json::from_slice(&output.stderr).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert!(body["cause"].as_str().is_some_and(|cause| !cause.is_empty()), "{body}");
        assert!(body["next"].as_str().is_some_and(|next| !next.is_empty()), "{body}");
        (output.status.code().unwrap(), body["code"].as_str().unwrap().to_owned())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.join("api.sock")
    }

    pub(crate) fn run(&self) -> Daemon {
        let mut child = self.command(&["run"]).stdout(Stdio::null()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        while !seen.contains("ready: ") {
            let read = log.read_line(&mut seen).unwrap();
            assert!(read > 0, "the daemon ended: {seen}");
        }
        // The pipe is kept drained, or the daemon would stop at a full one.
        let said = Arc::new(Mutex::new(seen));
        let all = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut line = String::new();
            while log.read_line(&mut line).is_ok_and(|read| read > 0) {
                all.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        Daemon { child, said }
    }

    /// A joined pair: this home's daemon listens, the other dials it.
    pub(crate) fn locator(&self) -> String {
        let status = self.json(&["status"]);
        format!("{}#{}", status["listen"][0].as_str().unwrap(), status["node"].as_str().unwrap())
    }

    /// Speaks HTTP by hand; returns status, headers and body.
    pub(crate) fn http(&self, request: &str) -> (u16, String, String) {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = text(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let (status, _, body) = self.http(&request);
        (status, serde_json::from_str(&body).unwrap())
    }

    pub(crate) fn post(&self, path: &str, kind: &str, body: &str) -> (u16, Value) {
        let len = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {len}\r\n\r\n{body}"
        );
        let (status, _, body) = self.http(&request);
        (status, serde_json::from_str(&body).unwrap())
    }
}

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    said: Arc<Mutex<String>>,
}

impl Daemon {
    /// Ends it at once, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it has said on standard error, once these words are in it.
    pub(crate) fn logs(&self, words: &str) -> String {
        let start = Instant::now();
        loop {
            let said = self.said.lock().unwrap().clone();
            if said.contains(words) {
                return said;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "no {words:?} in {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to end, and expects that it does so well.
    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "the daemon does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A verb that streams: its lines as they come.
pub(crate) struct Stream {
    child: Child,
    lines: std::sync::mpsc::Receiver<Vec<u8>>,
}

impl Stream {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = std::sync::mpsc::sync_channel(1_024);
        std::thread::spawn(move || {
            let mut line = Vec::new();
            while out.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                line.pop();
                if to.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line.
    pub(crate) fn line(&self) -> Vec<u8> {
        self.lines.recv_timeout(Duration::from_secs(30)).expect("a line within 30 s")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.line()).unwrap()
    }

    /// Whether nothing more comes for a while.
    pub(crate) fn is_quiet(&self) -> bool {
        self.lines.recv_timeout(Duration::from_millis(500)).is_err()
    }

    pub(crate) fn wait(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two linked nodes in one group called `g`.
pub(crate) struct Pair {
    pub(crate) a: Home,
    pub(crate) b: Home,
    pub(crate) daemons: Vec<Daemon>,
    pub(crate) group: String,
    _world: World,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let a = world.listener("a");
        let first = a.run();
        let b = world.home("b");
        b.ok(&["init", "--attach", &a.locator()]);
        let second = b.run();
        let made = a.json(&["group", "create", "g"]);
        b.ok(&["group", "join", made["ticket"].as_str().unwrap()]);
        let pair = Self {
            group: made["group"].as_str().unwrap().to_owned(),
            a,
            b,
            daemons: vec![first, second],
            _world: world,
        };
        pair.linked();
        pair
    }

    /// Where the second can be dialled; it only does so itself, so it is given a place to listen on first.
    pub(crate) fn b_locator(&self) -> String {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = self.b.dir.join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let text = text.replace("# listen = [\"tls://[::]:7700\"]", &format!("listen = [\"tls://{taken}\"]"));
        std::fs::write(&config, text).unwrap();
        let pid = rustix::process::Pid::from_child(&self.daemons[1].child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        let start = Instant::now();
        while self.b.json(&["status"])["listen"].as_array().unwrap().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(20), "the second does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.b.locator()
    }

    /// Waits until both know each other in the group.
    pub(crate) fn linked(&self) {
        let start = Instant::now();
        while [&self.a, &self.b].iter().any(|home| home.json(&["group", "show", "g"])["neighbours"] != 1) {
            assert!(start.elapsed() < Duration::from_secs(20), "the two are not linked");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The names of an object's fields, sorted.
pub(crate) fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A list of words, sorted.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

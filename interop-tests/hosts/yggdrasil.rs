//! The admin server of Yggdrasil: one that replays a recording, one that answers for an invented node, hostile ones.
//!
//! The daemon reads one JSON object from a connection, answers, and closes. What a client sends behind the object it
//! leaves unread at some lengths, which resets the connection; the replay does that where the recording has it.

mod hostile;
mod recording;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

pub use hostile::Hostile;
pub use recording::{RecordedNode, Recording};

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum At {
    /// On a Unix socket of this path.
    Unix(PathBuf),
    /// On a free TCP port of 127.0.0.1.
    Tcp,
}

/// A running admin server; stops when dropped.
#[derive(Debug)]
pub struct AdminServer {
    address: String,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the server's threads have in common.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    heard: Mutex<Vec<String>>,
    said: AtomicU64,
}

/// What a server does with a connection.
type Manner = Arc<dyn Fn(&mut Caller) + Send + Sync>;

impl AdminServer {
    /// Says what was recorded, and to anything else what was recorded for an unknown request.
    #[must_use]
    pub fn replay(recording: Recording, at: At) -> Self {
        Self::start(at, Arc::new(move |caller| recording.serve(caller)))
    }

    /// Answers for a node that never was: with what a function has for a request's name and key, or not at all.
    #[must_use]
    pub fn invented(answer: impl Fn(&str, &str) -> Option<Value> + Send + Sync + 'static, at: At) -> Self {
        Self::start(
            at,
            Arc::new(move |caller| {
                let Some(request) = caller.hear_object() else { return };
                let asked: Value = serde_json::from_str(&request).unwrap_or_default();
                let name = asked["request"].as_str().unwrap_or_default();
                if let Some(response) = answer(name, asked["arguments"]["key"].as_str().unwrap_or_default()) {
                    let said = serde_json::json!({"status": "success", "request": asked, "response": response});
                    caller.say(said.to_string().as_bytes());
                }
            }),
        )
    }

    /// Breaks every rule in one way.
    #[must_use]
    pub fn hostile(how: Hostile, at: At) -> Self {
        Self::start(at, Arc::new(move |caller| how.serve(caller)))
    }

    fn start(at: At, manner: Manner) -> Self {
        let (listener, address) = Listener::bind(&at);
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accept(&listener, &theirs, &manner));
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens: a path, or `tcp://host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Every request so far, in order of arrival.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// Bytes that clients or the system's buffers have taken so far.
    #[must_use]
    pub fn said(&self) -> u64 {
        self.shared.said.load(Ordering::Relaxed)
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(acceptor) = self.acceptor.take() {
            // Threads of connections end by themselves, when they next look.
            let _ = acceptor.join();
        }
        if !self.address.starts_with("tcp:") {
            let _ = std::fs::remove_file(Path::new(&self.address));
        }
    }
}

/// How long a thread waits before it looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);

fn accept(listener: &Listener, shared: &Arc<Shared>, manner: &Manner) {
    while !shared.stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Some(stream) => {
                let (shared, manner) = (Arc::clone(shared), Arc::clone(manner));
                std::thread::spawn(move || manner(&mut Caller { stream, shared }));
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

/// One connection, as a server sees it.
struct Caller {
    stream: Box<dyn Stream>,
    shared: Arc<Shared>,
}

impl Caller {
    /// Reads to the end of one JSON object, or of whatever else came; nothing when the client says no more before that.
    fn hear_object(&mut self) -> Option<String> {
        let (heard, whole) = self.hear();
        whole.then(|| String::from_utf8_lossy(&heard).into_owned())
    }

    /// Reads byte by byte, so that what follows an object stays unread; whether it ended as an object or cannot be one.
    fn hear(&mut self) -> (Vec<u8>, bool) {
        let (mut heard, mut depth, mut in_text, mut escaped) = (Vec::new(), 0_usize, false, false);
        let mut whole = false;
        while !whole {
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if waits(&error) && !self.stops() => continue,
                Err(_) => break,
            }
            let byte = byte[0];
            heard.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                _ if in_text => {}
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            whole = depth == 0 && !byte.is_ascii_whitespace();
        }
        self.shared.heard.lock().unwrap().push(String::from_utf8_lossy(&heard).into_owned());
        (heard, whole)
    }

    /// Takes what the client has sent and nobody asked for.
    fn drain(&mut self) {
        let mut rest = [0; 1024];
        while matches!(self.stream.read(&mut rest), Ok(1..)) {}
    }

    /// Says bytes; whether the client took them all.
    fn say(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return false,
                Ok(taken) => {
                    bytes = &bytes[taken..];
                    self.shared.said.fetch_add(u64::try_from(taken).unwrap(), Ordering::Relaxed);
                }
                Err(error) if waits(&error) && !self.stops() => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// How many requests so far, of this and other connections, had these words.
    fn times_heard(&self, words: &str) -> usize {
        self.shared.heard.lock().unwrap().iter().filter(|heard| heard.contains(words)).count()
    }

    /// Waits; whether there is a reason to go on.
    fn rest(&self, time: Duration) -> bool {
        let mut left = time;
        while !left.is_zero() && !self.stops() {
            let nap = left.min(LOOK);
            std::thread::sleep(nap);
            left -= nap;
        }
        !self.stops()
    }

    fn stops(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }
}

fn waits(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Either kind of listener; never waits.
enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    fn bind(at: &At) -> (Self, String) {
        match at {
            At::Unix(path) => {
                let listener = UnixListener::bind(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                listener.set_nonblocking(true).unwrap();
                (Self::Unix(listener), path.display().to_string())
            }
            At::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                listener.set_nonblocking(true).unwrap();
                let address = format!("tcp://{}", listener.local_addr().unwrap());
                (Self::Tcp(listener), address)
            }
        }
    }

    fn accept(&self) -> Option<Box<dyn Stream>> {
        let stream: Box<dyn Stream> = match self {
            Self::Unix(listener) => Box::new(listener.accept().ok()?.0),
            Self::Tcp(listener) => Box::new(listener.accept().ok()?.0),
        };
        stream.look_often();
        Some(stream)
    }
}

/// Either kind of connection; waits for a moment at most.
trait Stream: Read + Write + Send {
    fn look_often(&self);
}

impl Stream for UnixStream {
    fn look_often(&self) {
        self.set_nonblocking(false).unwrap();
        self.set_read_timeout(Some(LOOK)).unwrap();
        self.set_write_timeout(Some(LOOK)).unwrap();
    }
}

impl Stream for TcpStream {
    fn look_often(&self) {
        self.set_nonblocking(false).unwrap();
        self.set_read_timeout(Some(LOOK)).unwrap();
        self.set_write_timeout(Some(LOOK)).unwrap();
    }
}

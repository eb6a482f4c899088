//! Readers of the local API without our own client: server-sent events by hand, a WebSocket by a library that others
//! wrote. Both outlive the daemon: they come back and resume at the cursor behind the last entry that they took.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// Pause before a reader comes back. 50 ms: a daemon is away for a few times as long.
const PAUSE: Duration = Duration::from_millis(50);

/// Silence after which a connection is looked at again. 1 s: a reader that is to end does so within it.
const SILENCE: Duration = Duration::from_secs(1);

/// Entries that a WebSocket grants at a time. 64: small, so that credit runs out and is renewed all the time.
const CREDIT: u64 = 64;

/// How a reader speaks with its daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Server-sent events, resumed by `Last-Event-ID`.
    Events,
    /// A WebSocket, resumed by `since`.
    Socket,
}

/// What a reader took.
#[derive(Debug, Default)]
struct Taken {
    payloads: Mutex<Vec<String>>,
    gaps: AtomicUsize,
    connections: AtomicUsize,
    stop: AtomicBool,
}

/// A reader of groups that runs until it is dropped.
#[derive(Debug)]
pub struct Reader {
    taken: Arc<Taken>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts to read groups from the oldest that is kept, and waits until the daemon has answered.
    ///
    /// # Errors
    /// When it does not answer in ten seconds.
    pub fn start(way: Way, home: &Path, groups: &[&str]) -> Result<Self> {
        let taken: Arc<Taken> = Arc::default();
        let into = Arc::clone(&taken);
        let (home, groups) = (home.to_owned(), groups.iter().map(|group| (*group).to_owned()).collect());
        let thread = std::thread::spawn(move || Place { home, groups, cursor: None }.read(way, &into));
        let reader = Self { taken, thread: Some(thread) };
        crate::until("a reader is answered", Duration::from_secs(10), || Ok(reader.connections() > 0))?;
        Ok(reader)
    }

    /// The payloads it took, in order.
    #[must_use]
    pub fn payloads(&self) -> Vec<String> {
        self.taken.payloads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many entries it took.
    #[must_use]
    pub fn count(&self) -> usize {
        self.taken.payloads.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How often it was told that entries are missing.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.taken.gaps.load(Ordering::Relaxed)
    }

    /// How often the daemon answered it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.taken.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.taken.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // What it could tell is in what it took.
            let _ = thread.join();
        }
    }
}

/// Where a reader stands.
struct Place {
    home: PathBuf,
    groups: Vec<String>,
    cursor: Option<String>,
}

impl Place {
    fn read(mut self, way: Way, into: &Taken) {
        while !into.stop.load(Ordering::Relaxed) {
            // The daemon goes and comes: every end of a connection is as good as the other.
            let _ = match way {
                Way::Events => self.events(into),
                Way::Socket => self.socket(into),
            };
            std::thread::sleep(PAUSE);
        }
    }

    fn connect(&self) -> Result<UnixStream> {
        let stream = UnixStream::connect(self.home.join("api.sock"))?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        Ok(stream)
    }

    fn take(&mut self, entry: &Value, into: &Taken) -> Result<()> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).with_context(|| format!("no {name}"));
        let (payload, cursor) = (text("payload")?.to_owned(), text("cursor")?.to_owned());
        into.payloads.lock().unwrap_or_else(PoisonError::into_inner).push(payload);
        self.cursor = Some(cursor);
        if entry.get("gap") == Some(&Value::Bool(true)) {
            into.gaps.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn events(&mut self, into: &Taken) -> Result<()> {
        let mut stream = self.connect()?;
        let groups: Vec<String> = self.groups.iter().map(|group| format!("group={group}")).collect();
        let last = self.cursor.as_ref().map(|cursor| format!("Last-Event-ID: {cursor}\r\n")).unwrap_or_default();
        // Version 1.0, so that the body comes in no chunks.
        write!(stream, "GET /v1/stream?since=oldest&{} HTTP/1.0\r\nHost: x\r\n{last}\r\n", groups.join("&"))?;
        let mut lines = BufReader::new(stream);
        let (mut event, mut head) = (Event::default(), true);
        loop {
            let line = match next_line(&mut lines, into)? {
                Some(line) => line,
                None => return Ok(()),
            };
            if head {
                ensure!(!line.starts_with("HTTP/") || line.contains(" 200 "), "{line}");
                head = !line.is_empty();
                into.connections.fetch_add(usize::from(!head), Ordering::Relaxed);
            } else if line.is_empty() {
                // Only what is complete counts.
                let Event { name, id, data } = std::mem::take(&mut event);
                match name.as_deref() {
                    Some("gap") => drop(into.gaps.fetch_add(1, Ordering::Relaxed)),
                    _ if !data.is_empty() => self.take(&serde_json::from_str(&data)?, into)?,
                    _ => {}
                }
                self.cursor = id.or(self.cursor.take());
            } else if let Some(data) = line.strip_prefix("data: ") {
                data.clone_into(&mut event.data);
            } else if let Some(id) = line.strip_prefix("id: ") {
                event.id = Some(id.to_owned());
            } else if let Some(name) = line.strip_prefix("event: ") {
                event.name = Some(name.to_owned());
            }
        }
    }

    fn socket(&mut self, into: &Taken) -> Result<()> {
        let (mut socket, _) = tungstenite::client("ws://localhost/v1/ws", self.connect()?)
            .map_err(|_| anyhow::anyhow!("no handshake"))?;
        let since = self.cursor.as_deref().unwrap_or("oldest");
        say(
            &mut socket,
            &json!({ "op": "subscribe", "sub": 1, "groups": self.groups, "since": since, "entries": CREDIT }),
        )?;
        let mut granted = CREDIT;
        while !into.stop.load(Ordering::Relaxed) {
            let Some(object) = hear(&mut socket)? else { continue };
            match object.get("op").and_then(Value::as_str) {
                Some("subscribed") => drop(into.connections.fetch_add(1, Ordering::Relaxed)),
                Some("entry") => {
                    self.take(&object, into)?;
                    ensure!(granted > 0, "more than was granted");
                    granted -= 1;
                    if granted == 0 {
                        say(&mut socket, &json!({ "op": "credit", "sub": 1, "entries": CREDIT }))?;
                        granted = CREDIT;
                    }
                }
                Some("gap") => drop(into.gaps.fetch_add(1, Ordering::Relaxed)),
                Some("error") => bail!("{object}"),
                _ => {}
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Event {
    name: Option<String>,
    id: Option<String>,
    data: String,
}

/// The next whole line without its end; none when the connection has ended, or the reader is to.
fn next_line(lines: &mut BufReader<UnixStream>, into: &Taken) -> Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => return Ok(None),
            Ok(_) if line.last() == Some(&b'\n') => {
                let text = String::from_utf8(line)?;
                return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
            }
            // The connection ended within a line.
            Ok(_) => return Ok(None),
            Err(error) if is_silence(&error) && !into.stop.load(Ordering::Relaxed) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_silence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// Says an object over a WebSocket.
///
/// # Errors
/// The connection's own.
pub fn say(socket: &mut WebSocket<UnixStream>, object: &Value) -> Result<()> {
    Ok(socket.send(Message::Text(object.to_string().into()))?)
}

/// Hears an object over a WebSocket; none when there was silence, or a sign of life.
///
/// # Errors
/// The connection's own, and what is no object.
pub fn hear(socket: &mut WebSocket<UnixStream>) -> Result<Option<Value>> {
    match socket.read() {
        Ok(Message::Text(text)) => Ok(Some(serde_json::from_str(&text)?)),
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_) | Message::Binary(_)) => Ok(None),
        Ok(Message::Close(close)) => bail!("closed: {close:?}"),
        Err(tungstenite::Error::Io(error)) if is_silence(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens a WebSocket to the daemon behind a home's socket.
///
/// # Errors
/// When nobody answers there.
pub fn open_socket(home: &Path, within: Duration) -> Result<WebSocket<UnixStream>> {
    let stream = UnixStream::connect(home.join("api.sock")).context("no daemon answers")?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    let opened = tungstenite::client("ws://localhost/v1/ws", stream);
    opened.map(|(socket, _)| socket).map_err(|error| anyhow::anyhow!("no WebSocket: {error}"))
}

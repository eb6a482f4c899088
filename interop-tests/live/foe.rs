//! A peer moved by hand against a real daemon: hostile, newcomer or honest, from an address of its choice.
//!
//! It is a link and the format, nothing more: it says hello, proves its key, and sends whatever it is told to within what
//! its own transport takes, or beyond what the daemon granted. Its packets come from any loopback address, since a small
//! forwarder between the two binds to it; the forwarder can also stop reading, as a peer does that is slow on purpose.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use crosscast_port::{DialId, LinkId, Report, Request};
use crosscast_tls::{Tls, TlsConfig};
use crosscast_transport::{PortDriver, Transport as _};
use crosscast_wire::{Frame, Hello, Lane, Locator, NodeId, RawFrame, RustCrypto, Scheme, SecretKey, frame, hello};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;

use crate::raw::{dialled, our_hello};

/// How long a hello may take. 10 s: twice what a daemon grants.
const HELLO: Duration = Duration::from_secs(10);

/// A linked peer.
pub(crate) struct Foe {
    driver: PortDriver,
    pub(crate) key: SecretKey,
    link: LinkId,
    tasks: Vec<AbortHandle>,
    /// Bytes that its own transport still takes on the normal lane.
    room: i64,
    /// What the daemon has granted on the normal lane, and what was charged against that.
    granted: u64,
    charged: u64,
    /// Data frames taken, for acknowledgements.
    taken: u64,
    /// Set to stop reading.
    pub(crate) deaf: Arc<AtomicBool>,
    pub(crate) down: bool,
}

impl Foe {
    /// Links to a daemon from a source address.
    ///
    /// # Errors
    /// When the daemon does not let it in.
    pub(crate) async fn link(daemon: SocketAddr, from: IpAddr, key: SecretKey) -> Result<Self> {
        let deaf = Arc::new(AtomicBool::new(false));
        let (near, forwarder) = forward(daemon, from, Arc::clone(&deaf)).await?;
        let tls = Tls::new(TlsConfig::new(key.clone()))?;
        let mut driver = PortDriver::new();
        let transport = tokio::spawn(Box::new(tls).run(driver.attach(Scheme::Tls))).abort_handle();
        let tasks = vec![transport, forwarder];
        driver.request(Request::Dial { dial: DialId(1), locator: Locator::parse(&format!("tls://{near}"))? })?;
        let up = tokio::time::timeout(HELLO, Box::pin(dialled(&mut driver))).await;
        let (link, binding, first) = match up {
            Ok(Ok(up)) => up,
            Ok(Err(error)) => return Err(ended(&tasks, error)),
            Err(_) => return Err(ended(&tasks, anyhow::anyhow!("no link in time"))),
        };
        let room = 0;
        let mut foe =
            Self { driver, key, link, tasks, room, granted: 1 << 20, charged: 0, taken: 0, deaf, down: false };
        let ours = our_hello(&foe.key)?;
        foe.send(vec![frame::hello(&ours)])?;
        foe.book(&first);
        let mut frames = frames_of(first);
        let start = Instant::now();
        loop {
            for frame in std::mem::take(&mut frames) {
                if let Frame::Hello(theirs) = &frame {
                    foe.prove(&ours, theirs, &binding)?;
                }
                if matches!(frame, Frame::Proof(_)) {
                    return Ok(foe);
                }
                if let Frame::Close { code, text, .. } = &frame {
                    bail!("closed in the hello: {code:?} {text}");
                }
            }
            if foe.down || start.elapsed() > HELLO {
                bail!("no hello came");
            }
            frames = foe.take(Duration::from_millis(100)).await;
        }
    }

    fn prove(&mut self, ours: &Hello, theirs: &Hello, binding: &Bytes) -> Result<()> {
        let transcript = hello::transcript(ours.body(), theirs.body());
        let (own, peer) = (NodeId::new(self.key.public()), theirs.fields().node);
        let bytes = hello::proof_bytes(Scheme::Tls, false, binding, &own, &peer, &transcript);
        self.send(vec![frame::proof(&hello::sign_proof(&RustCrypto, &self.key, &bytes))])
    }

    /// Sends frames about the link.
    pub(crate) fn send(&mut self, frames: Vec<RawFrame>) -> Result<()> {
        Ok(self.driver.request(Request::Send { link: self.link, frames })?)
    }

    /// Sends a data frame as long as its own transport takes it, whatever the daemon has granted; whether it went.
    pub(crate) fn push(&mut self, frame: RawFrame) -> Result<bool> {
        if self.room <= 0 || self.down {
            return Ok(false);
        }
        let len = frame.body_len() as u64;
        self.room = self.room.saturating_sub_unsigned(len.max(1));
        self.charged = self.charged.saturating_add(len).saturating_add(256);
        self.send(vec![frame])?;
        Ok(true)
    }

    /// As [`Foe::push`], but within what the daemon has granted.
    pub(crate) fn push_within(&mut self, frame: RawFrame) -> Result<bool> {
        let charge = (frame.body_len() as u64).saturating_add(256);
        if self.charged.saturating_add(charge) > self.granted {
            return Ok(false);
        }
        self.push(frame)
    }

    /// What comes within a time, or at once when something is there; messages are acknowledged, PINGs answered.
    pub(crate) async fn take(&mut self, within: Duration) -> Vec<Frame> {
        let mut reports = Vec::new();
        if tokio::time::timeout(within, self.driver.recv(&mut reports)).await.is_err() {
            return Vec::new();
        }
        self.book(&reports);
        let frames = frames_of(reports);
        let mut answers = Vec::new();
        for frame in &frames {
            if let Frame::Ping { token } = frame {
                answers.push(frame::pong(*token));
            }
            if let Frame::Credit { lane: Lane::Normal, total } = frame {
                self.granted = *total;
            }
            self.taken = self.taken.saturating_add(u64::from(matches!(frame, Frame::Message { .. })));
            self.down |= matches!(frame, Frame::Close { .. });
        }
        if frames.iter().any(|frame| matches!(frame, Frame::Message { .. })) {
            answers.extend(frame::ack(&[(Lane::Normal, self.taken)]));
        }
        // A link that has just gone takes no answers.
        if self.send(answers).is_err() {
            self.down = true;
        }
        frames
    }

    fn book(&mut self, reports: &[Report]) {
        for report in reports {
            if let Report::Writable { lane: Lane::Normal, bytes, .. } = report {
                self.room = self.room.saturating_add((*bytes).into());
            }
            self.down |= matches!(report, Report::Down { .. });
        }
    }
}

impl Drop for Foe {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn ended(tasks: &[AbortHandle], error: anyhow::Error) -> anyhow::Error {
    tasks.iter().for_each(AbortHandle::abort);
    error
}

fn frames_of(reports: Vec<Report>) -> Vec<Frame> {
    let frames = reports
        .into_iter()
        .filter_map(|report| if let Report::Frames { frames, .. } = report { Some(frames) } else { None });
    frames.flatten().filter_map(|raw| Frame::parse(&raw).ok()).collect()
}

/// Opens a connection from a source address.
///
/// # Errors
/// The system's own.
pub(crate) async fn connect_from(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(to).await
}

/// A port that leads to a daemon from another source address, for one connection.
async fn forward(to: SocketAddr, from: IpAddr, deaf: Arc<AtomicBool>) -> Result<(SocketAddr, AbortHandle)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let near = listener.local_addr().context("a port of our own")?;
    let task = tokio::spawn(async move {
        let Ok((near, _)) = listener.accept().await else { return };
        let Ok(far) = connect_from(from, to).await else { return };
        let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
        let up = async { tokio::io::copy(&mut near_in, &mut far_out).await };
        let down = async {
            let mut buffer = vec![0; 64 << 10];
            loop {
                while deaf.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                let Ok(read @ 1..) = far_in.read(&mut buffer).await else { break };
                if near_out.write_all(buffer.get(..read).unwrap_or_default()).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! { _ = up => {}, () = down => {} }
    });
    Ok((near, task.abort_handle()))
}

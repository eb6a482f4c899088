//! A client made of the link and the format alone: it records what a daemon really sends.
//!
//! It dials over TLS, says hello and proves its key, subscribes to one group, and keeps every frame it receives. The
//! frames' bodies are exactly the daemon's bytes; only the fragments around them are cut anew for the record, since the
//! transport joins them. It acknowledges what it takes, so that the daemon goes on.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use crosscast_port::{DialId, LinkId, Report, Request};
use crosscast_tls::{Tls, TlsConfig};
use crosscast_transport::framing::FragmentWriter;
use crosscast_transport::{PortDriver, Transport as _};
use crosscast_wire::{
    Features, Frame, GroupId, Hello, HelloFields, Instance, Lane, Locator, NodeId, RawFrame, Roles, RustCrypto, Scheme,
    SecretKey, VersionRange, WallMillis, frame, hello,
};

/// Credit granted per data lane, in bytes: more than a capture ever takes.
const CREDIT: u64 = 64 << 20;

/// What was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// The received frames as one direction of a link's byte stream.
    pub stream: Vec<u8>,
    /// How many frames.
    pub frames: usize,
    /// How many of them carry a message.
    pub messages: usize,
    /// How many entries those messages carry.
    pub entries: usize,
}

/// Records what a daemon sends of a group until that many entries came.
///
/// # Errors
/// When the daemon does not answer, or the time is over.
pub fn capture(at: &str, group: &str, entries: usize, within: Duration) -> Result<Capture> {
    let locator = Locator::parse(at).context("the daemon's locator")?;
    let group = GroupId::parse(group).context("the group's key")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = async { tokio::time::timeout(within, Box::pin(Client::run(locator, group, entries))).await };
    runtime.block_on(work).context("the entries did not come in time")?
}

struct Client {
    driver: PortDriver,
    key: SecretKey,
    ours: Hello,
    link: LinkId,
    binding: Bytes,
    group: GroupId,
    taken: [u64; 3],
    capture: Capture,
    writer: FragmentWriter,
}

impl Client {
    async fn run(locator: Locator, group: GroupId, entries: usize) -> Result<Capture> {
        let key = SecretKey::new(own_key()?);
        let tls = Tls::new(TlsConfig::new(key.clone()))?;
        let mut driver = PortDriver::new();
        let transport = tokio::spawn(Box::new(tls).run(driver.attach(Scheme::Tls)));
        driver.request(Request::Dial { dial: DialId(1), locator })?;
        let (link, binding, first) = dialled(&mut driver).await?;
        let ours = our_hello(&key)?;
        let (taken, capture, writer) = ([0; 3], Capture::default(), FragmentWriter::new());
        let mut client = Self { driver, key, ours, link, binding, group, taken, capture, writer };
        client.send(vec![frame::hello(&client.ours)])?;
        client.take(first)?;
        let mut reports = Vec::new();
        while client.capture.entries < entries {
            client.driver.recv(&mut reports).await;
            client.take(std::mem::take(&mut reports))?;
        }
        transport.abort();
        Ok(client.capture)
    }

    fn take(&mut self, reports: Vec<Report>) -> Result<()> {
        for report in reports {
            match report {
                Report::Frames { link, frames } if link == self.link => {
                    frames.into_iter().try_for_each(|frame| self.on_frame(frame))?;
                }
                Report::Down { link, reason } if link == self.link => bail!("the daemon ended the link: {reason:?}"),
                // Grants are larger than what is sent here; the rest concerns no link of ours.
                Report::Up { .. }
                | Report::Frames { .. }
                | Report::Datagram { .. }
                | Report::Writable { .. }
                | Report::Down { .. }
                | Report::DialFailed { .. }
                | Report::Listening { .. }
                | Report::ListenFailed { .. }
                | Report::Unlistened { .. }
                | Report::Network(_)
                | Report::Found { .. }
                | Report::Refused { .. } => {}
            }
        }
        Ok(())
    }

    fn on_frame(&mut self, raw: RawFrame) -> Result<()> {
        let parsed = Frame::parse(&raw)?;
        self.capture.frames += 1;
        let lane = raw.lane;
        self.writer.push(raw);
        let mut pieces = Vec::new();
        while !self.writer.is_empty() {
            self.writer.take(usize::MAX, &mut pieces);
        }
        pieces.iter().for_each(|piece| self.capture.stream.extend_from_slice(piece));
        match parsed {
            Frame::Hello(theirs) => self.prove(&theirs),
            Frame::Proof(_) => {
                let mut frames = vec![frame::subscribe(&self.group, true, None)];
                frames.extend(frame::resume(&self.group, []));
                self.send(frames)
            }
            Frame::Ping { token } => self.send(vec![frame::pong(token)]),
            Frame::Message { message, .. } => {
                self.capture.messages += 1;
                self.capture.entries += usize::from(message.header().count);
                self.acknowledge(lane)
            }
            Frame::Close { code, text, .. } => bail!("the daemon closed the link: {code:?} {text}"),
            Frame::Pong { .. }
            | Frame::Credit { .. }
            | Frame::Ack(_)
            | Frame::Refuse { .. }
            | Frame::Chain(_)
            | Frame::Floor { .. }
            | Frame::Subscribe { .. }
            | Frame::Resume { .. }
            | Frame::Ask { .. }
            | Frame::Locate { .. }
            | Frame::Equivocation(_)
            | Frame::Skipped(_) => Ok(()),
        }
    }

    fn prove(&mut self, theirs: &Hello) -> Result<()> {
        let transcript = hello::transcript(self.ours.body(), theirs.body());
        let (own, peer) = (NodeId::new(self.key.public()), theirs.fields().node);
        let bytes = hello::proof_bytes(Scheme::Tls, false, &self.binding, &own, &peer, &transcript);
        self.send(vec![frame::proof(&hello::sign_proof(&RustCrypto, &self.key, &bytes))])
    }

    fn acknowledge(&mut self, lane: Lane) -> Result<()> {
        let [urgent, normal, bulk] = &mut self.taken;
        let taken = match lane {
            Lane::Control => bail!("a message on lane control"),
            Lane::Urgent => urgent,
            Lane::Normal => normal,
            Lane::Bulk => bulk,
        };
        *taken += 1;
        let ack = frame::ack(&[(lane, *taken)]).context("an acknowledgement")?;
        self.send(vec![ack])
    }

    fn send(&mut self, frames: Vec<RawFrame>) -> Result<()> {
        Ok(self.driver.request(Request::Send { link: self.link, frames })?)
    }
}

/// Waits for the link; returns what came behind it too.
pub(crate) async fn dialled(driver: &mut PortDriver) -> Result<(LinkId, Bytes, Vec<Report>)> {
    let mut reports = Vec::new();
    loop {
        driver.recv(&mut reports).await;
        for report in &reports {
            if let Report::DialFailed { error, .. } = report {
                bail!("the dial failed: {error:?}");
            }
        }
        let up = reports.iter().find_map(|report| {
            if let Report::Up { link, up } = report { Some((*link, up.binding.clone())) } else { None }
        });
        if let Some((link, binding)) = up {
            let granted = |report: &Report| matches!(report, Report::Writable { link: of, lane: Lane::Control, .. } if *of == link);
            if reports.iter().any(granted) {
                return Ok((link, binding, reports));
            }
        }
    }
}

pub(crate) fn our_hello(key: &SecretKey) -> Result<Hello> {
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let fields = HelloFields {
        node: NodeId::new(key.public()),
        versions: VersionRange::OURS,
        nonce: own_key()?,
        features: Features::from_known_bits(0),
        max_message_bytes: crosscast_wire::limits::MESSAGE_MAX as u64,
        credit: [CREDIT; 3],
        roles: Roles::from_known_bits(0),
        instance: Instance(wall.as_secs() << 32 | 1),
        wall: WallMillis(u64::try_from(wall.as_millis())?),
        agent: "crosscast-live".to_owned(),
        peer_record: None,
        overlay: Vec::new(),
        attestations: Vec::new(),
        prekey: own_key()?,
        name: None,
    };
    Ok(Hello::new(fields)?)
}

/// 32 bytes of the system's randomness.
fn own_key() -> Result<[u8; 32]> {
    use std::io::Read as _;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    ensure!(bytes != [0; 32], "no randomness");
    Ok(bytes)
}

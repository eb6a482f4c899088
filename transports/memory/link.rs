//! One link's task: fragments out while the channel has room, frames in while the node has room.
//!
//! It ends in order when the node asks (after at most a second of flushing), when the peer ends, or when the peer's
//! task is gone.

use bytes::Bytes;
use crosscast_port::{DialId, DownReason, LinkTraits, LinkUp, Role};
use crosscast_transport::framing::{FragmentReader, FragmentWriter};
use crosscast_transport::{FLUSH_TIME, Grants, LinkPort, LinkRequest, STALL_TIME};
use crosscast_wire::{Lane, Locator, NodeId, PathKind, PathReason, RawFrame, Scheme};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::hub::{CHUNK, Chunk, Wire};

/// One end of a link, not yet running.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) role: Role,
    pub(crate) peer: Option<NodeId>,
    pub(crate) wire: Wire,
    pub(crate) binding: Bytes,
}

impl Link {
    /// Runs the link to its end.
    pub(crate) async fn run(self, port: LinkPort, dial: Option<DialId>, locator: Locator) {
        port.up(LinkUp {
            scheme: Scheme::Memory,
            role: self.role,
            dial,
            locator,
            peer: self.peer,
            binding: self.binding,
            traits: LinkTraits::STREAM,
            path: PathKind::Direct,
            reason: PathReason::Lan,
            rendezvous: None,
        });
        let mut pump = Pump::default();
        let reason = pump.run(&port, self.wire).await;
        port.down(reason);
    }
}

#[derive(Debug, Default)]
struct Pump {
    writer: FragmentWriter,
    reader: FragmentReader,
    grants: Grants,
    closing: bool,
    /// When the link gives up: flushing, or a write that nobody takes.
    deadline: Option<Instant>,
}

impl Pump {
    async fn run(&mut self, port: &LinkPort, mut wire: Wire) -> DownReason {
        let mut peer_reads = true;
        loop {
            self.grant(port);
            if self.closing && (self.writer.is_empty() || !peer_reads) {
                // A peer that does not take the end in time finds the channel dropped, and calls it broken.
                let _ = timeout_at(self.deadline.unwrap_or_else(Instant::now), wire.out.send(Chunk::End)).await;
                return DownReason::Requested;
            }
            let deadline = self.deadline.unwrap_or_else(Instant::now);
            tokio::select! {
                request = port.next(), if !self.closing => match request {
                    Some(request) => self.on_request(request),
                    None => return DownReason::Stopped,
                },
                permit = wire.out.reserve(), if peer_reads && !self.writer.is_empty() => match permit {
                    Ok(permit) => self.write(permit),
                    Err(_) => peer_reads = false,
                },
                chunk = read(port, &mut wire.back) => if let Some(reason) = self.on_chunk(port, chunk) {
                    return reason;
                },
                () = sleep_until(deadline), if self.deadline.is_some() => {
                    return if self.closing { DownReason::Requested } else { DownReason::Stalled };
                }
            }
        }
    }

    fn on_request(&mut self, request: LinkRequest) {
        match request {
            LinkRequest::Send(frames) => {
                frames.into_iter().for_each(|frame| self.writer.push(frame));
                self.deadline.get_or_insert_with(|| after(STALL_TIME));
            }
            // The traits say that there are no datagrams, and this is no carrier.
            LinkRequest::Datagram(_) | LinkRequest::Judge(..) => {}
            LinkRequest::Close => {
                self.closing = true;
                self.deadline = Some(after(FLUSH_TIME));
            }
        }
    }

    fn write(&mut self, permit: mpsc::Permit<'_, Chunk>) {
        let mut pieces = Vec::new();
        let taken = self.writer.take(CHUNK, &mut pieces);
        permit.send(Chunk::Data(pieces));
        for &lane in Lane::ALL {
            self.grants.left(lane, *taken.get(lane));
        }
        if !self.closing {
            self.deadline = (!self.writer.is_empty()).then(|| after(STALL_TIME));
        }
    }

    fn grant(&mut self, port: &LinkPort) {
        for &lane in Lane::ALL {
            port.grant(lane, self.grants.take_due(lane));
        }
    }

    fn on_chunk(&mut self, port: &LinkPort, chunk: Option<Chunk>) -> Option<DownReason> {
        match chunk {
            Some(Chunk::Data(pieces)) => {
                let mut frames: Vec<RawFrame> = Vec::new();
                let broken = pieces.iter().any(|piece| self.reader.push_owned(piece, &mut frames).is_err());
                port.frames(frames);
                broken.then_some(DownReason::Framing)
            }
            Some(Chunk::End) => Some(DownReason::PeerClosed),
            None => Some(DownReason::Broken),
        }
    }
}

/// The next chunk, read only when the node has room for it.
async fn read(port: &LinkPort, back: &mut mpsc::Receiver<Chunk>) -> Option<Chunk> {
    port.room().await.ok()?;
    back.recv().await
}

fn after(time: core::time::Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}

//! One link's task over a stream: fragments out while the stream takes them, frames in while the node has room.

use crosscast_port::DownReason;
use crosscast_stream::Timeouts;
use crosscast_transport::framing::{FragmentReader, FragmentWriter};
use crosscast_transport::{Grants, LinkPort, LinkRequest};
use crosscast_wire::Lane;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until};

use crate::duplex::Duplex;

const CHUNK: usize = 64 * 1024;

pub(crate) async fn run(port: LinkPort, duplex: Duplex, timeouts: Timeouts) {
    let (read, write) = tokio::io::split(duplex);
    let reason = tokio::select! {
        reason = Box::pin(writing(&port, write, timeouts)) => reason,
        reason = Box::pin(reading(&port, read)) => reason,
    };
    port.down(reason);
}

async fn reading(port: &LinkPort, mut read: ReadHalf<Duplex>) -> DownReason {
    let mut reader = FragmentReader::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        if port.room().await.is_err() {
            return DownReason::Stopped;
        }
        let n = match read.read(&mut buffer).await {
            Ok(0) => return DownReason::PeerClosed,
            Ok(n) => n,
            Err(_) => return DownReason::Broken,
        };
        let mut frames = Vec::new();
        let broken = reader.push(buffer.get(..n).unwrap_or_default(), &mut frames).is_err();
        port.frames(frames);
        if broken {
            return DownReason::Framing;
        }
    }
}

async fn writing(port: &LinkPort, mut write: WriteHalf<Duplex>, timeouts: Timeouts) -> DownReason {
    let mut writer = FragmentWriter::new();
    let mut grants = Grants::default();
    let mut closing: Option<Instant> = None;
    let mut buffer = Vec::new();
    let mut pieces = Vec::new();
    loop {
        for &lane in Lane::ALL {
            port.grant(lane, grants.take_due(lane));
        }
        if closing.is_none() {
            let request = if writer.is_empty() {
                port.next().await.map(Some)
            } else {
                tokio::select! { biased; request = port.next() => request.map(Some), () = std::future::ready(()) => Some(None) }
            };
            match request {
                None => return DownReason::Stopped,
                Some(Some(LinkRequest::Send(frames))) => frames.into_iter().for_each(|frame| writer.push(frame)),
                Some(Some(LinkRequest::Close)) => closing = Some(after(timeouts.flush)),
                Some(Some(LinkRequest::Datagram(_) | LinkRequest::Judge(..)) | None) => {}
            }
        }
        let deadline = closing.unwrap_or_else(|| after(timeouts.stall));
        let ended = if closing.is_some() { DownReason::Requested } else { DownReason::Stalled };
        if writer.is_empty() {
            if closing.is_some() {
                tokio::select! { _ = write.shutdown() => {} () = sleep_until(deadline) => {} }
                return DownReason::Requested;
            }
            continue;
        }
        buffer.clear();
        pieces.clear();
        let taken = writer.take(CHUNK, &mut pieces);
        pieces.iter().for_each(|piece| buffer.extend_from_slice(piece));
        tokio::select! {
            written = write.write_all(&buffer) => if written.is_err() { return DownReason::Broken },
            () = sleep_until(deadline) => return ended,
        }
        if write.flush().await.is_err() {
            return DownReason::Broken;
        }
        for &lane in Lane::ALL {
            grants.left(lane, *taken.get(lane));
        }
    }
}

fn after(time: core::time::Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}

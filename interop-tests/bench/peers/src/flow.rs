//! The lossless window, the same for every system: subscribers tell the publisher how far the slowest of them is.
//!
//! The subscriber process connects to the publisher's control port and writes the smallest count of messages delivered,
//! as 8 bytes, whenever it has moved by a sixteenth of the window. The publisher never has more than a window in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// 4 MiB of payload, between 64 and 4,096 messages.
pub(crate) fn window(size: u64) -> u64 {
    (4 * 1024 * 1024 / size.max(1)).clamp(64, 4096)
}

/// The publisher's end: how many messages the slowest subscriber has.
pub(crate) struct Behind {
    slowest: AtomicU64,
    moved: Notify,
}

impl Behind {
    pub(crate) async fn listen() -> Result<(Arc<Self>, u16)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let behind = Arc::new(Self { slowest: AtomicU64::new(0), moved: Notify::new() });
        let state = behind.clone();
        tokio::spawn(async move {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            while let Ok(count) = stream.read_u64().await {
                state.slowest.store(count, Ordering::Release);
                state.moved.notify_one();
            }
        });
        Ok((behind, port))
    }

    /// Waits until another message may be sent; returns how many.
    pub(crate) async fn room(&self, sent: u64, window: u64) -> u64 {
        loop {
            let room = (self.slowest.load(Ordering::Acquire) + window).saturating_sub(sent);
            if room > 0 {
                return room;
            }
            let _ = tokio::time::timeout(Duration::from_millis(100), self.moved.notified()).await;
        }
    }
}

/// The subscribers' end: counts per subscriber, the smallest of which is reported.
pub(crate) struct Counts {
    counts: Vec<AtomicU64>,
    latencies: std::sync::Mutex<Vec<u32>>,
    measuring: std::sync::atomic::AtomicBool,
}

impl Counts {
    pub(crate) fn new(subscribers: usize) -> Arc<Self> {
        let counts = (0..subscribers).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { counts, latencies: std::sync::Mutex::default(), measuring: false.into() })
    }

    pub(crate) fn add(&self, subscriber: usize, messages: u64) {
        self.counts[subscriber].fetch_add(messages, Ordering::Relaxed);
    }

    /// Books the latency of a payload that starts with its send time; cheap unless latency is measured.
    pub(crate) fn book(&self, payload: &[u8]) {
        if !self.measuring.load(Ordering::Relaxed) {
            return;
        }
        let Some(sent) = payload.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)) else { return };
        let micros = now_nanos().saturating_sub(sent) / 1000;
        if let Ok(mut latencies) = self.latencies.lock() {
            latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn smallest(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).min().unwrap_or(0)
    }

    /// Reports to the publisher's control port for as long as it listens.
    pub(crate) async fn report(self: Arc<Self>, port: u16, window: u64) -> Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let step = (window / 16).max(1);
        let mut told = 0;
        loop {
            let smallest = self.smallest();
            if smallest >= told + step || (smallest > told && step == 1) {
                told = smallest;
                stream.write_u64(told).await?;
            } else {
                tokio::time::sleep(Duration::from_micros(300)).await;
                if smallest > told {
                    told = smallest;
                    stream.write_u64(told).await?;
                }
            }
        }
    }

    /// Answers `mark` lines on standard input with the totals so far, and `latency` with what was booked since.
    pub(crate) async fn serve(self: Arc<Self>) -> Result<()> {
        use tokio::io::AsyncBufReadExt as _;
        let mut lines = tokio::io::BufReader::new(tokio::io::stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            match line.as_str() {
                "mark" => println!("{}", serde_json::json!({ "delivered": self.total() })),
                "measure" => self.measuring.store(true, Ordering::Relaxed),
                "latency" => {
                    let mut sorted = self.latencies.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default();
                    sorted.sort_unstable();
                    let at = |part: f64| sorted.get((sorted.len() as f64 * part) as usize).copied().unwrap_or(0);
                    println!("{}", serde_json::json!({ "n": sorted.len(), "p50_us": at(0.5), "p99_us": at(0.99) }));
                }
                _ => break,
            }
        }
        Ok(())
    }
}

pub(crate) fn now_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}

/// A payload of `size` bytes that starts with its send time.
pub(crate) fn stamped(size: usize, filler: &[u8]) -> bytes::Bytes {
    let mut payload = Vec::with_capacity(size);
    payload.extend_from_slice(&now_nanos().to_be_bytes());
    payload.extend_from_slice(&filler[8.min(size)..size]);
    payload.into()
}

/// At a fixed rate: sends in 1 ms ticks, `send` is given how many are due.
pub(crate) fn due(start: std::time::Instant, rate: u64, sent: u64) -> u64 {
    let owed = start.elapsed().as_micros() as u64 * rate / 1_000_000;
    owed.saturating_sub(sent)
}

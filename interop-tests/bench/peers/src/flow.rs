//! The lossless window and the books, the same for every system: subscribers tell the publisher how far the slowest is.
//!
//! Each subscriber process connects to the publisher's control port and writes the smallest count of messages delivered,
//! as 8 bytes, whenever it has moved by a sixteenth of the window. The publisher never has more than a window in flight.
//! At a fixed rate there is no window: messages start with their send time, and what does not arrive is lost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// 4 MiB of payload, between 64 and 4,096 messages.
#[must_use]
pub fn window(size: u64) -> u64 {
    (4 * 1024 * 1024 / size.max(1)).clamp(64, 4096)
}

/// The publisher's end: how many messages the slowest subscriber has.
pub(crate) struct Behind {
    slowest: Mutex<Vec<u64>>,
    smallest: AtomicU64,
    moved: Notify,
}

impl Behind {
    /// Listens for so many subscriber processes.
    pub(crate) async fn listen(processes: usize) -> Result<(Arc<Self>, u16)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let state = Self { slowest: Mutex::new(vec![0; processes]), smallest: 0.into(), moved: Notify::new() };
        let behind = Arc::new(state);
        let state = behind.clone();
        tokio::spawn(async move {
            for index in 0..processes {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let state = state.clone();
                tokio::spawn(async move {
                    while let Ok(count) = stream.read_u64().await {
                        state.moved(index, count);
                    }
                });
            }
        });
        Ok((behind, port))
    }

    fn moved(&self, index: usize, count: u64) {
        if let Ok(mut slowest) = self.slowest.lock() {
            slowest[index] = count;
            self.smallest.store(slowest.iter().copied().min().unwrap_or(0), Ordering::Release);
        }
        self.moved.notify_one();
    }

    /// How many more messages may be sent; waits a little when none.
    pub(crate) async fn room(&self, sent: u64, window: u64) -> u64 {
        let room = || (self.smallest.load(Ordering::Acquire) + window).saturating_sub(sent);
        if room() == 0 {
            let _ = tokio::time::timeout(Duration::from_millis(100), self.moved.notified()).await;
        }
        room()
    }
}

/// One subscriber's count, on a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Count {
    /// Messages of the publisher: payloads.
    delivered: AtomicU64,
    /// What the system carried them in.
    messages: AtomicU64,
}

/// The subscribers' end: counts per subscriber, and times once they are asked for.
pub struct Counts {
    counts: Vec<Count>,
    booking: AtomicBool,
    /// Microseconds from sending to arrival.
    latencies: Mutex<Vec<u32>>,
    /// Microseconds that a payload waited for the last one it shares a message with.
    gathering: Mutex<Vec<u32>>,
}

/// One subscriber's place in the books.
#[derive(Clone)]
pub struct Lane {
    counts: Arc<Counts>,
    subscriber: usize,
}

impl Lane {
    pub(crate) fn new(counts: &Arc<Counts>, subscriber: usize) -> Self {
        Self { counts: counts.clone(), subscriber }
    }

    /// Which of the process's subscribers it is.
    #[must_use]
    pub fn subscriber(&self) -> usize {
        self.subscriber
    }

    /// Books one payload that came alone.
    pub fn book(&self, payload: &[u8]) {
        self.book_all(std::iter::once(payload));
    }

    /// Books payloads that came in one message.
    pub fn book_all(&self, payloads: impl Iterator<Item: AsRef<[u8]>> + Clone) {
        let booking = self.counts.booking.load(Ordering::Relaxed);
        let number = if booking { self.counts.book(payloads) } else { payloads.count() as u64 };
        let count = &self.counts.counts[self.subscriber];
        count.delivered.fetch_add(number, Ordering::Relaxed);
        count.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// The system says that it lost messages on the way to this subscriber; said once a process.
    pub fn lost(&self, words: &str) {
        static SAID: AtomicBool = AtomicBool::new(false);
        if !SAID.swap(true, Ordering::Relaxed) {
            eprintln!("a subscriber was told that messages were lost: {words}");
        }
    }
}

impl Counts {
    pub(crate) fn new(subscribers: usize) -> Arc<Self> {
        let counts = (0..subscribers).map(|_| Count::default()).collect();
        let (latencies, gathering) = (Mutex::default(), Mutex::default());
        Arc::new(Self { counts, booking: false.into(), latencies, gathering })
    }

    fn book(&self, payloads: impl Iterator<Item: AsRef<[u8]>> + Clone) -> u64 {
        let times = payloads.filter_map(|payload| payload.as_ref().first_chunk::<8>().copied().map(u64::from_be_bytes));
        let (now, last) = (now_nanos(), times.clone().max().unwrap_or(0));
        let mut number = 0;
        if let (Ok(mut latencies), Ok(mut gathering)) = (self.latencies.lock(), self.gathering.lock()) {
            for sent in times {
                latencies.push(micros(now.saturating_sub(sent)));
                gathering.push(micros(last.saturating_sub(sent)));
                number += 1;
            }
        }
        number
    }

    fn totals(&self) -> (u64, u64) {
        let sum = |pick: fn(&Count) -> &AtomicU64| -> u64 {
            self.counts.iter().map(|count| pick(count).load(Ordering::Relaxed)).sum()
        };
        (sum(|count| &count.delivered), sum(|count| &count.messages))
    }

    fn smallest(&self) -> u64 {
        self.counts.iter().map(|count| count.delivered.load(Ordering::Relaxed)).min().unwrap_or(0)
    }

    /// Reports to the publisher's control port for as long as it listens.
    pub(crate) async fn report(self: Arc<Self>, port: u16, window: u64) -> Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let step = (window / 16).max(1);
        let mut told = 0;
        loop {
            let mut smallest = self.smallest();
            if smallest < told + step {
                tokio::time::sleep(Duration::from_micros(300)).await;
                smallest = self.smallest();
            }
            if smallest > told {
                told = smallest;
                stream.write_u64(told).await?;
            }
        }
    }

    /// Answers the measuring process: `mark` with the totals so far, `book` by booking times from now on, `times` with
    /// what was booked.
    pub(crate) fn answer(&self, line: &str) -> Option<serde_json::Value> {
        match line {
            "mark" => {
                let (delivered, messages) = self.totals();
                Some(serde_json::json!({ "delivered": delivered, "messages": messages }))
            }
            "book" => {
                self.booking.store(true, Ordering::Relaxed);
                Some(serde_json::json!({}))
            }
            "times" => {
                self.booking.store(false, Ordering::Relaxed);
                let (latency, gathering) = (Sorted::take(&self.latencies), Sorted::take(&self.gathering));
                Some(serde_json::json!({
                    "n": latency.0.len(), "p50_us": latency.at(0.5), "p99_us": latency.at(0.99),
                    "gather_p50_us": gathering.at(0.5), "gather_p99_us": gathering.at(0.99),
                }))
            }
            _ => None,
        }
    }
}

struct Sorted(Vec<u32>);

impl Sorted {
    fn take(from: &Mutex<Vec<u32>>) -> Self {
        let mut values = from.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default();
        values.sort_unstable();
        Self(values)
    }

    fn at(&self, part: f64) -> u32 {
        self.0.get((self.0.len() as f64 * part) as usize).copied().unwrap_or(0)
    }
}

fn micros(nanos: u64) -> u32 {
    u32::try_from(nanos / 1000).unwrap_or(u32::MAX)
}

pub(crate) fn now_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}

/// A payload of `filler`'s length that starts with a number: its send time, or what makes it unlike all others.
pub(crate) fn stamped(filler: &[u8], number: u64) -> Bytes {
    let mut payload = Vec::with_capacity(filler.len().max(8));
    payload.extend_from_slice(&number.to_be_bytes());
    payload.extend_from_slice(&filler[8.min(filler.len())..]);
    payload.into()
}

/// A steady rate: sleeps the calling thread to the next message's time, by the kernel's clock, not a timer wheel's.
pub(crate) struct Pace {
    start: Instant,
    rate: u64,
}

/// Shortest sleep. 100 us: below, wakes cost more than the messages, and a few are sent at once instead.
const SHORTEST: Duration = Duration::from_micros(100);

impl Pace {
    pub(crate) fn new(rate: u64) -> Self {
        Self { start: Instant::now(), rate }
    }

    /// How many messages are due beyond those sent; sleeps until there is one.
    pub(crate) fn due(&self, sent: u64) -> u64 {
        loop {
            let elapsed = self.start.elapsed();
            let owed = (elapsed.as_nanos() * u128::from(self.rate) / 1_000_000_000) as u64;
            if owed > sent {
                return owed - sent;
            }
            let next = Duration::from_nanos((sent + 1).saturating_mul(1_000_000_000) / self.rate.max(1));
            std::thread::sleep(next.saturating_sub(elapsed).max(SHORTEST));
        }
    }
}

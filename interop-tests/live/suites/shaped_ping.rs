//! A link of 2 Mb/s with a queue of 50 ms, filled with bulk; PINGs go over it all the while.
//!
//! The bulk is published through the API with as many messages under way as keep the link busy, and the kernel's
//! counters tell whether it was. Measured is the PING of the daemon that sends the bulk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::netns::{ADDRESSES, Cable};
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, http, until};

const GROUP: &str = "bulk";

/// Bytes of an entry: the most it holds.
const ENTRY: usize = 65_536;

/// Messages under way: half a megabyte, two seconds of the link.
const UNDER_WAY: usize = 8;

/// The link's speed in bits a second, and as `tc` says it.
const RATE: (f64, &str) = (2e6, "2mbit");
const QUEUE_MS: u32 = 50;

/// Before measuring: TCP has found the link's speed by then.
const WARM_UP: Duration = Duration::from_secs(5);

/// Pause between two PINGs.
const PAUSE: Duration = Duration::from_millis(50);

/// The promise: 99 of 100 PINGs within this many milliseconds.
const P99_MS: f64 = 150.0;

/// How full the link must be to count as saturated.
const FULL: f64 = 0.9;

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    if let Some(obstacle) = Cable::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    let cable = Cable::lay(RATE.1, QUEUE_MS)?;
    let [here, there] = cable.ends();
    let mut near = Daemon::make_in(site, Some(here), "near", ADDRESSES[0], &[])?;
    near.start()?;
    let mut far = Daemon::make_in(site, Some(there), "far", ADDRESSES[1], &[near.locator()?])?;
    far.start()?;
    let pair = [near, far];
    share_group(GROUP, &pair)?;
    let [near, far] = &pair;
    near.wait_neighbours(GROUP, 1)?;

    let flood = Flood::start(near);
    thread::sleep(WARM_UP);
    let (before, start) = (cable.sent(here)?, Instant::now());
    let count = size.pick(100, 400);
    let mut trips = Vec::new();
    let mut failed = 0;
    for _ in 0..count {
        match ping(near, far)? {
            Some(millis) => trips.push(millis),
            None => failed += 1,
        }
        thread::sleep(PAUSE);
    }
    let secs = start.elapsed().as_secs_f64();
    let bits = cable.sent(here)?.saturating_sub(before) as f64 * 8.0;
    let published = flood.stop();
    let used = bits / secs / RATE.0;
    trips.sort_by(f64::total_cmp);
    let at = |share: f64| trips.get((trips.len() as f64 * share).ceil() as usize - 1).copied().unwrap_or(f64::MAX);
    ensure!(!trips.is_empty(), "no PING was answered");
    eprintln!("{}", cable.bucket(here)?.trim_end());
    let p99 = at(0.99);
    let value = json!({
        "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": p99, "max_ms": at(1.0), "pings": count, "failed": failed,
        "link_used": (used * 1e3).round() / 1e3, "bulk_entries": published,
    });
    Ok(Verdict::of(p99 <= P99_MS && failed == 0 && used >= FULL, value))
}

fn ping(from: &Daemon, to: &Daemon) -> Result<Option<f64>> {
    let path = format!("/v1/ping/{}", to.node());
    let answer = http::post(from.home(), &path, b"", Duration::from_secs(15))?;
    Ok(answer.body.get("rtt_ms").and_then(Value::as_f64))
}

/// Threads that publish bulk as fast as it is taken.
struct Flood {
    stop: Arc<AtomicBool>,
    published: Arc<AtomicU64>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Flood {
    fn start(from: &Daemon) -> Self {
        let (stop, published) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let threads = (0..UNDER_WAY).map(|_| {
            let (stop, published, home) = (Arc::clone(&stop), Arc::clone(&published), from.home().to_owned());
            thread::spawn(move || {
                let path = format!("/v1/groups/{GROUP}/messages?class=bulk&wait=sent&timeout_ms=30000");
                let body = vec![b'x'; ENTRY];
                while !stop.load(Ordering::Relaxed) {
                    match http::post(&home, &path, &body, Duration::from_secs(60)) {
                        Ok(answer) if answer.status == 200 => {
                            published.fetch_add(1, Ordering::Relaxed);
                        }
                        // Busy: its queue is full, which is what is wanted.
                        Ok(_) => thread::sleep(Duration::from_millis(20)),
                        Err(_) => return,
                    }
                }
            })
        });
        let threads = threads.collect();
        Self { stop, published, threads }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        // What is under way is abandoned with the daemon.
        let _ = until("the flood ebbs", Duration::from_secs(10), || {
            Ok(self.threads.iter().all(thread::JoinHandle::is_finished))
        });
        self.published.load(Ordering::Relaxed)
    }
}

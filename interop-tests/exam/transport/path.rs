//! A UDP path on loopback: it delays, limits, queues, loses by a seed, and can forget its mapping like a NAT.
//!
//! It stands in front of one listener and carries one peer at a time. Which packets are lost is drawn from the seed for
//! each packet that is long enough, in the order in which they came; or a single one is picked.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// What a path does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// How long a packet travels, one way.
    pub delay: Duration,
    /// Bytes per millisecond in each direction; 0 for no limit.
    pub rate: u32,
    /// Bytes that may wait for the rate in each direction; what comes beyond is lost.
    pub queue: u32,
    /// Lost of a million packets of at least `long` bytes, in each direction.
    pub loss_ppm: u32,
    /// From how many bytes on a packet may be lost. 1,000: data in long runs, and neither acknowledgements nor small
    /// frames alone.
    pub long: usize,
}

impl Weather {
    /// A path that only takes its time.
    #[must_use]
    pub const fn calm(delay: Duration) -> Self {
        Self { delay, rate: 0, queue: u32::MAX, loss_ppm: 0, long: 1_000 }
    }
}

/// What a path has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Packets that passed, both ways.
    pub passed: usize,
    /// Packets that were lost to the weather or picked, both ways.
    pub lost: usize,
    /// Packets that found the queue full, both ways.
    pub overflowed: usize,
}

/// A path in front of a listener.
#[derive(Debug)]
pub struct UdpPath {
    /// Where to dial.
    pub front: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    remap: Notify,
}

#[derive(Debug)]
struct State {
    weather: Weather,
    dice: u64,
    /// Long packets towards the listener that still pass before one is lost.
    pick: Option<usize>,
    carried: Carried,
}

impl UdpPath {
    /// Makes a path to a listener.
    pub async fn to(listener: SocketAddr, weather: Weather, seed: u64) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let front = socket.local_addr().unwrap();
        let state = State { weather, dice: seed, pick: None, carried: Carried::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), remap: Notify::new() });
        let task = tokio::spawn(carry(Arc::clone(&shared), socket, listener));
        Self { front, shared, task }
    }

    /// Loses one packet towards the listener: the one after so many long ones.
    pub fn lose_after(&self, long_packets: usize) {
        self.shared.lock().pick = Some(long_packets);
    }

    /// Changes what the path does.
    pub fn set(&self, weather: Weather) {
        self.shared.lock().weather = weather;
    }

    /// Forgets the mapping: what the dialler sends comes from another port from now on, and nothing sent to the old
    /// one arrives.
    pub fn remap(&self) {
        self.shared.remap.notify_one();
    }

    /// What it has carried so far.
    #[must_use]
    pub fn carried(&self) -> Carried {
        self.shared.lock().carried
    }
}

impl Drop for UdpPath {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a packet gets through the weather.
    fn passes(&mut self, len: usize, to_listener: bool) -> bool {
        if len < self.weather.long {
            return true;
        }
        if to_listener && let Some(left) = self.pick {
            self.pick = left.checked_sub(1);
            if left == 0 {
                return false;
            }
        }
        // The increment and finaliser of SplitMix64 (Steele, Lea, Flood 2014).
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % 1_000_000 >= u64::from(self.weather.loss_ppm)
    }
}

/// One direction's packets on their way.
struct Line {
    packets: VecDeque<(Instant, Vec<u8>)>,
    free_at: Instant,
}

impl Line {
    fn new() -> Self {
        Self { packets: VecDeque::new(), free_at: Instant::now() }
    }

    fn take(&mut self, shared: &Shared, packet: &[u8], to_listener: bool) {
        let mut state = shared.lock();
        if !state.passes(packet.len(), to_listener) {
            state.carried.lost += 1;
            return;
        }
        let (now, weather) = (Instant::now(), state.weather);
        let mut gone_at = now;
        if weather.rate > 0 {
            let start = self.free_at.max(now);
            let waiting = (start - now).as_millis() * u128::from(weather.rate);
            if waiting + packet.len() as u128 > u128::from(weather.queue) {
                state.carried.overflowed += 1;
                return;
            }
            gone_at = start + Duration::from_micros(packet.len() as u64 * 1000 / u64::from(weather.rate));
            self.free_at = gone_at;
        }
        state.carried.passed += 1;
        self.packets.push_back((gone_at + weather.delay, packet.to_vec()));
    }

    fn next(&self) -> Option<Instant> {
        self.packets.front().map(|(due, _)| *due)
    }

    async fn deliver(&mut self, socket: &UdpSocket, to: Option<SocketAddr>) {
        let now = Instant::now();
        while self.packets.front().is_some_and(|(due, _)| *due <= now) {
            if let (Some((_, packet)), Some(to)) = (self.packets.pop_front(), to) {
                // The other side may be gone; then the packet is lost.
                let _ = socket.send_to(&packet, to).await;
            }
        }
    }
}

async fn carry(shared: Arc<Shared>, front: UdpSocket, listener: SocketAddr) {
    let fresh = || async { UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap() };
    let (mut back, mut peer) = (fresh().await, None);
    let (mut up, mut down) = (Line::new(), Line::new());
    let (mut from_peer, mut from_listener) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        let next = up.next().into_iter().chain(down.next()).min();
        tokio::select! {
            Ok((len, from)) = front.recv_from(&mut from_peer) => {
                peer = Some(from);
                up.take(&shared, &from_peer[..len], true);
            }
            Ok((len, _)) = back.recv_from(&mut from_listener) => down.take(&shared, &from_listener[..len], false),
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            () = shared.remap.notified() => back = fresh().await,
        }
        up.deliver(&back, Some(listener)).await;
        down.deliver(&front, peer).await;
    }
}

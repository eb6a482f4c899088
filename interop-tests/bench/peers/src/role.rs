//! The three roles as processes: what they are told, what they print, and when they end.
//!
//! A role ends with its standard input. The publisher prints its offer, hears the router's address, prints its control
//! port, hears `go`; then it answers `sent` and `stop` with how many it has sent. The router prints its process and its
//! address. The subscribers print `ready` and answer as [`crate::Counts`] says.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};

use crate::flow::{Behind, Counts, Lane, Pace, now_nanos, stamped};
use crate::{Books, Publisher as _, Router, System};

/// What a role is told on its command line.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Payload bytes.
    pub size: u64,
    /// Messages a second; 0 is as fast as the window lets.
    pub rate: u64,
    /// Most messages in flight.
    pub window: u64,
    /// All subscribers.
    pub fanout: usize,
    /// Subscribers of this process.
    pub count: usize,
    /// Processes of subscribers.
    pub processes: usize,
    /// Publishers, each with a key of its own where the system signs.
    pub publishers: usize,
    /// What the publisher offered.
    pub offer: String,
    /// The router's address.
    pub router: String,
    /// The publisher's control port.
    pub control: u16,
}

impl Args {
    fn parse(words: &[String]) -> Result<Self> {
        let mut args = Self::default();
        for pair in words.chunks(2) {
            let [name, value] = pair else { bail!("{} without a value", pair.join(" ")) };
            match name.as_str() {
                "--size" => args.size = value.parse()?,
                "--rate" => args.rate = value.parse()?,
                "--window" => args.window = value.parse()?,
                "--fanout" => args.fanout = value.parse()?,
                "--count" => args.count = value.parse()?,
                "--processes" => args.processes = value.parse()?,
                "--publishers" => args.publishers = value.parse()?,
                "--offer" => args.offer.clone_from(value),
                "--router" => args.router.clone_from(value),
                "--control" => args.control = value.parse()?,
                other => bail!("no option {other}"),
            }
        }
        Ok(args)
    }
}

/// The whole of a system's program.
///
/// # Errors
/// When the role cannot be played; the measuring process then reads the end of its output.
pub fn run<S: System>() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (role, rest) = words.split_first().context("which role?")?;
    let args = Args::parse(rest)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = match role.as_str() {
        "publisher" => runtime.block_on(publisher::<S>(args)),
        "router" => runtime.block_on(router::<S>(args)),
        "subscribers" => runtime.block_on(subscribers::<S>(args)),
        other => bail!("no role {other}"),
    };
    if let Err(error) = done {
        eprintln!("{role}: {error:#}");
        std::process::exit(1);
    }
    // Ending in order is not measured, and some systems take long for it.
    std::process::exit(0)
}

fn lines() -> Lines<BufReader<Stdin>> {
    BufReader::new(tokio::io::stdin()).lines()
}

async fn router<S: System>(args: Args) -> Result<()> {
    let router = S::router(&args).await?;
    println!("{} {}", router.pid.unwrap_or_else(std::process::id), router.address);
    let mut lines = lines();
    while lines.next_line().await?.is_some() {}
    let Router { keep, .. } = router;
    drop(keep);
    Ok(())
}

async fn subscribers<S: System>(args: Args) -> Result<()> {
    let counts: Books = Counts::new(args.count);
    let mut keep = Vec::new();
    for subscriber in 0..args.count {
        keep.push(S::subscriber(&args, Lane::new(&counts, subscriber)).await?);
    }
    println!("ready");
    if args.rate == 0 {
        tokio::spawn(counts.clone().report(args.control, args.window));
    }
    let mut lines = lines();
    while let Some(line) = lines.next_line().await? {
        let answer = counts.answer(&line).with_context(|| format!("no question {line}"))?;
        println!("{answer}");
    }
    Ok(())
}

async fn publisher<S: System>(mut args: Args) -> Result<()> {
    let (opening, offer) = S::open(&args).await?;
    println!("{offer}");
    let mut lines = lines();
    args.router = lines.next_line().await?.context("no router")?;
    let (behind, port) = Behind::listen(args.processes).await?;
    let publisher = S::link(opening, &args).await?;
    println!("{port}");
    lines.next_line().await?.context("no go")?;
    let sent = Arc::new(Sent::default());
    tokio::spawn(answer(lines, sent.clone()));
    send::<S>(publisher, &args, &behind, &sent).await
}

#[derive(Default)]
struct Sent {
    number: AtomicU64,
    stop: AtomicBool,
    stopped: AtomicBool,
}

/// How long a message that is being published may hold up the end.
const STOPPING: Duration = Duration::from_secs(20);

async fn answer(mut lines: Lines<BufReader<Stdin>>, sent: Arc<Sent>) {
    while let Ok(Some(line)) = lines.next_line().await {
        if line == "stop" {
            sent.stop.store(true, Ordering::Relaxed);
            let asked = Instant::now();
            while !sent.stopped.load(Ordering::Acquire) && asked.elapsed() < STOPPING {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        println!("{}", sent.number.load(Ordering::Relaxed));
    }
    std::process::exit(0);
}

async fn send<S: System>(mut publisher: S::Publisher, args: &Args, behind: &Behind, told: &Sent) -> Result<()> {
    let filler = vec![b'x'; args.size as usize];
    let publishers = args.publishers.max(1);
    let (mut sent, pace) = (0_u64, Pace::new(args.rate));
    while !told.stop.load(Ordering::Relaxed) {
        let room = if args.rate > 0 { pace.due(sent) } else { behind.room(sent, args.window).await };
        for _ in 0..room {
            // Always a fresh payload: a system may take the same bytes for the same message.
            let payload = stamped(&filler, if args.rate > 0 { now_nanos() } else { sent });
            publisher.publish((sent % publishers as u64) as usize, payload).await?;
            sent += 1;
            told.number.store(sent, Ordering::Relaxed);
            if told.stop.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    told.stopped.store(true, Ordering::Release);
    // What is still on its way is to arrive.
    std::future::pending().await
}

/// A broker of the operating system's packages, ended when dropped.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn start(program: &str, args: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().with_context(|| format!("{program} is not installed: apt-get install {program}"))?;
        Ok(Self(child))
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of the loopback interface that nobody uses.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until something listens on a port.
///
/// # Errors
/// When nothing does within 5 s.
pub async fn wait_for_port(port: u16) -> Result<()> {
    let start = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if start.elapsed() > Duration::from_secs(5) {
            bail!("nothing listens on port {port}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

//! Starting the roles, and reading what they cost from the kernel's books.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::report::Case;

/// A role's process with its two pipes; ended when dropped.
pub(crate) struct Role {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Role {
    pub(crate) fn start(system: &str, role: &str, args: &[String]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["role", system, role]).args(args);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or_else(|| anyhow!("no standard input"))?;
        let output = child.stdout.take().ok_or_else(|| anyhow!("no standard output"))?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}")?;
        Ok(self.input.flush()?)
    }

    pub(crate) fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("a role ended early");
        }
        Ok(line.trim().to_owned())
    }

    fn ask(&mut self, line: &str) -> Result<serde_json::Value> {
        self.say(line)?;
        Ok(serde_json::from_str(&self.hear()?)?)
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system seconds of a process, all its threads.
fn cpu(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let behind = stat.rsplit_once(") ").context("no stat")?.1;
    let ticks = behind.split(' ').skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum::<f64>();
    Ok(ticks / 100.0)
}

/// Resident megabytes.
fn resident(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// The three processes of one round: publisher, router, subscribers.
pub(crate) struct Trio {
    publisher: Role,
    router: Role,
    subscribers: Role,
}

impl Trio {
    pub(crate) fn start(case: &Case) -> Result<Self> {
        match case.system.as_str() {
            "crosscast" => Self::crosscast(case),
            "nats" => Self::nats(case),
            other => bail!("no system {other}"),
        }
    }

    fn crosscast(case: &Case) -> Result<Self> {
        let words = |pairs: &[(&str, String)]| -> Vec<String> {
            pairs.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()]).collect()
        };
        let common = [("size", case.size.to_string()), ("rate", case.rate.to_string())];
        let mut publisher = Role::start("crosscast", "pub", &words(&common))?;
        let ticket = publisher.hear()?;
        let control = publisher.hear()?;
        let mut router = Role::start("crosscast", "router", &words(&[("ticket", ticket.clone())]))?;
        let locator = router.hear()?;
        publisher.say(&locator)?;
        publisher.hear()?;
        let count = case.fanout.to_string();
        let args = [("ticket", ticket), ("router", locator), ("count", count), ("control", control), common[0].clone()];
        let mut subscribers = Role::start("crosscast", "sub", &words(&args))?;
        subscribers.hear()?;
        publisher.say("go")?;
        Ok(Self { publisher, router, subscribers })
    }

    fn nats(case: &Case) -> Result<Self> {
        let port = free_port()?;
        let mut server = Command::new("nats-server");
        server.args(["-a", "127.0.0.1", "-p", &port.to_string()]).stderr(Stdio::null());
        let router = Role::spawn(server).context("nats-server is not installed: apt-get install nats-server")?;
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > Duration::from_secs(5) {
                bail!("nats-server does not answer");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let url = format!("nats://127.0.0.1:{port}");
        let common = ["--router".to_owned(), url, "--size".to_owned(), case.size.to_string()];
        let rate = ["--rate".to_owned(), case.rate.to_string()];
        let mut publisher = Role::start("nats", "pub", &[&common[..], &rate].concat())?;
        let control = publisher.hear()?;
        let more = ["--count".to_owned(), case.fanout.to_string(), "--control".to_owned(), control];
        let mut subscribers = Role::start("nats", "sub", &[&common[..], &more].concat())?;
        subscribers.hear()?;
        publisher.say("go")?;
        Ok(Self { publisher, router, subscribers })
    }

    /// Warm-up, then the measured time.
    pub(crate) fn measure(&mut self, seconds: f64) -> Result<Sample> {
        std::thread::sleep(Duration::from_millis(800));
        self.subscribers.say("measure")?;
        let pids = [self.publisher.pid(), self.router.pid(), self.subscribers.pid()];
        let cpus = || pids.iter().map(|pid| cpu(*pid)).collect::<Result<Vec<f64>>>();
        let (before, start) = (cpus()?, Instant::now());
        let first = self.delivered()?;
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let last = self.delivered()?;
        let (after, elapsed) = (cpus()?, start.elapsed().as_secs_f64());
        let latency = self.subscribers.ask("latency")?;
        let deliveries = (last - first) as f64;
        let per_million = |index: usize| (after[index] - before[index]) / deliveries * 1e6;
        Ok(Sample {
            rate: deliveries / elapsed,
            cpu: [per_million(0), per_million(1), per_million(2)],
            resident: [resident(pids[0])?, resident(pids[1])?, resident(pids[2])?],
            p50_us: latency["p50_us"].as_f64().unwrap_or(0.0),
            p99_us: latency["p99_us"].as_f64().unwrap_or(0.0),
        })
    }

    fn delivered(&mut self) -> Result<u64> {
        self.subscribers.ask("mark")?["delivered"].as_u64().context("no count")
    }
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// What one round of one case cost; arrays are publisher, router, subscribers.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Deliveries a second.
    pub(crate) rate: f64,
    /// CPU seconds per million deliveries.
    pub(crate) cpu: [f64; 3],
    /// Resident megabytes at the end.
    pub(crate) resident: [f64; 3],
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

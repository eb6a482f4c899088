//! Starting the roles of one case, and reading what they cost from the kernel's books.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;

use crate::plan::{Case, Mode};

/// Longest wait for a role's word. 2 min: a thousand publishers that link one by one.
const PATIENCE: Duration = Duration::from_secs(120);
/// Before the measured time.
const WARM_UP: Duration = Duration::from_millis(800);
/// The same with many publishers: each has sent a few messages by then, the first of which may wait for earlier ones.
const WARM_UP_MANY: Duration = Duration::from_secs(3);
/// How long nothing must arrive after the publisher has stopped before the rest is taken for lost.
const SILENCE: Duration = Duration::from_secs(3);
/// How long roles may take to end in order.
const GRACE: Duration = Duration::from_secs(2);

/// A role's process with its two pipes; ended when dropped.
struct Role {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    /// The process that is measured: a broker's where the role only starts it.
    pid: u32,
}

impl Role {
    fn start(system: &str, role: &str, args: &[(&str, String)]) -> Result<Self> {
        let program = std::env::current_exe()?.with_file_name(format!("bench-{system}"));
        let mut command = Command::new(&program);
        command.arg(role).args(args.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()]));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} is not built", program.display()))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| anyhow!("no standard output"))?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let pid = child.id();
        Ok(Self { child, input, output: lines, pid })
    }

    fn say(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("the role is ending")?;
        writeln!(input, "{line}")?;
        Ok(input.flush()?)
    }

    fn hear(&mut self) -> Result<String> {
        self.output.recv_timeout(PATIENCE).map_err(|_| anyhow!("a role ended early or fell silent"))
    }

    fn ask(&mut self, line: &str) -> Result<Value> {
        self.say(line)?;
        Ok(serde_json::from_str(&self.hear()?)?)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        drop(self.input.take());
        let start = Instant::now();
        while start.elapsed() < GRACE {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
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

/// The processes of one round: publisher, router, subscribers.
pub(crate) struct Roles {
    subscribers: Vec<Role>,
    publisher: Role,
    router: Role,
    timed: bool,
    fanout: u64,
    warm_up: Duration,
}

impl Roles {
    pub(crate) fn start(case: &Case) -> Result<Self> {
        let system = case.system.as_str();
        let counts = match case.mode {
            Mode::Memory => vec![case.fanout - 1, 1],
            Mode::Full | Mode::Rate | Mode::Half | Mode::Many => vec![case.fanout],
        };
        let common = [
            ("size", case.size.to_string()),
            ("rate", case.rate.to_string()),
            ("window", case.window.to_string()),
            ("fanout", case.fanout.to_string()),
            ("publishers", case.publishers.to_string()),
            ("processes", counts.len().to_string()),
        ];
        let mut publisher = Role::start(system, "publisher", &common)?;
        let offer = ("offer", publisher.hear()?);
        let mut router = Role::start(system, "router", &[&common[..], std::slice::from_ref(&offer)].concat())?;
        let line = router.hear()?;
        let (pid, address) = line.split_once(' ').context("no address")?;
        router.pid = pid.parse()?;
        publisher.say(address)?;
        let more = [offer, ("router", address.to_owned()), ("control", publisher.hear()?)];
        let mut subscribers = Vec::new();
        for count in counts {
            let count = [("count", count.to_string())];
            subscribers.push(Role::start(system, "subscribers", &[&common[..], &more, &count].concat())?);
        }
        for role in &mut subscribers {
            let word = role.hear()?;
            if word != "ready" {
                bail!("subscribers said {word}");
            }
        }
        publisher.say("go")?;
        let warm_up = if case.mode == Mode::Many { WARM_UP_MANY } else { WARM_UP };
        Ok(Self { subscribers, publisher, router, timed: case.rate > 0, fanout: case.fanout, warm_up })
    }

    /// Warm-up, the measured time, then the end of the flow.
    pub(crate) fn measure(&mut self, seconds: f64) -> Result<Sample> {
        std::thread::sleep(self.warm_up);
        if self.timed {
            for role in &mut self.subscribers {
                role.ask("book")?;
            }
        }
        let (before, start, first) = (self.cpus()?, Instant::now(), self.mark()?);
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let (last, elapsed, after) = (self.mark()?, start.elapsed().as_secs_f64(), self.cpus()?);
        let resident = [resident(self.publisher.pid)?, resident(self.router.pid)?, self.resident(0)?];
        let one_subscriber = self.resident(self.subscribers.len() - 1)?;
        let times = if self.timed { self.subscribers[0].ask("times")? } else { Value::Null };
        let sent = self.publisher.ask("stop")?.as_u64().context("no number")?;
        let delivered = self.drained(sent * self.fanout)?;
        let (deliveries, messages) = ((last.0 - first.0) as f64, (last.1 - first.1) as f64);
        let micros = |name: &str| times[name].as_f64().unwrap_or(0.0);
        Ok(Sample {
            deliveries_per_s: deliveries / elapsed,
            cpu: [0, 1, 2].map(|index| (after[index] - before[index]) / deliveries.max(1.0) * 1e6),
            cores: [0, 1, 2].map(|index| (after[index] - before[index]) / elapsed),
            resident,
            one_subscriber,
            entries_per_message: deliveries / messages.max(1.0),
            p50_us: micros("p50_us"),
            p99_us: micros("p99_us"),
            gather_p99_us: micros("gather_p99_us"),
            lost: (sent * self.fanout) as f64 - delivered as f64,
        })
    }

    fn resident(&self, index: usize) -> Result<f64> {
        resident(self.subscribers.get(index).context("no subscribers")?.pid)
    }

    /// CPU seconds so far: publisher, router, subscribers.
    fn cpus(&self) -> Result<[f64; 3]> {
        let subscribers: f64 = self.subscribers.iter().map(|role| cpu(role.pid)).sum::<Result<f64>>()?;
        Ok([cpu(self.publisher.pid)?, cpu(self.router.pid)?, subscribers])
    }

    /// Deliveries, and the messages they came in.
    fn mark(&mut self) -> Result<(u64, u64)> {
        let (mut delivered, mut messages) = (0, 0);
        for role in &mut self.subscribers {
            let mark = role.ask("mark")?;
            delivered += mark["delivered"].as_u64().context("no count")?;
            messages += mark["messages"].as_u64().context("no count")?;
        }
        Ok((delivered, messages))
    }

    /// What has arrived once all has, or once no more may be hoped for.
    fn drained(&mut self, all: u64) -> Result<u64> {
        let (mut before, mut moved) = (0, Instant::now());
        loop {
            let (delivered, _) = self.mark()?;
            if delivered > before {
                (before, moved) = (delivered, Instant::now());
            }
            if delivered >= all || moved.elapsed() > SILENCE {
                return Ok(delivered);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What one round of one case cost; arrays are publisher, router, subscribers.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) deliveries_per_s: f64,
    /// CPU seconds per million deliveries.
    pub(crate) cpu: [f64; 3],
    /// Cores in use.
    pub(crate) cores: [f64; 3],
    /// Resident megabytes at the end of the measured time.
    pub(crate) resident: [f64; 3],
    /// Resident megabytes of the last process of subscribers.
    pub(crate) one_subscriber: f64,
    /// Payloads per message of the system, as subscribers got them.
    pub(crate) entries_per_message: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) gather_p99_us: f64,
    /// Deliveries that never came, warm-up included.
    pub(crate) lost: f64,
}

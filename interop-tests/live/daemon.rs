//! A daemon as a child process: made, started, killed, started again on the same home and port.
//!
//! It ends when its standard input does, so none outlives the runner, however that ends. Its log is kept in memory. It
//! may run in a network namespace, and as a user who is nobody in particular.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::client::{Ran, Subscriber, run_within};
use crate::journal::Journal;
use crate::{Site, until};

/// How long a daemon may take to say that it is ready. 20 s: fifty times what is promised, for a machine that is busy.
const START: Duration = Duration::from_secs(20);

/// How long a daemon may take to stop when asked to. 10 s: its own farewells add up to less than four.
const STOP: Duration = Duration::from_secs(10);

/// How long a verb may take.
const VERB: Duration = Duration::from_secs(60);

/// The user who is nobody in particular, and the group of the same kind.
const NOBODY: u32 = 65_534;

/// Where a daemon is to run and whom it is to know.
#[derive(Clone, Debug, Default)]
pub struct Plan<'a> {
    /// The network namespace it runs in.
    pub netns: Option<&'a str>,
    /// Runs it as a user without rights, who is in these groups.
    pub nobody_in: Option<Vec<u32>>,
    /// What it listens on.
    pub listen: &'a [String],
    /// What it attaches to.
    pub attach: &'a [String],
}

/// A home and, while it runs, its process.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    bin: PathBuf,
    home: PathBuf,
    node: String,
    netns: Option<String>,
    nobody_in: Option<Vec<u32>>,
    child: Option<Child>,
    log: Arc<Journal>,
    ready_in: Duration,
    /// Where it listens over TLS, once it has run.
    listens: Option<String>,
}

impl Daemon {
    /// Makes a home that listens on a free port of an address and keeps links to locators.
    ///
    /// # Errors
    /// What `crosscast init` says.
    pub fn make(site: &Site, name: &str, address: &str, attach: &[String]) -> Result<Self> {
        Self::make_in(site, None, name, address, attach)
    }

    /// As [`Daemon::make`], to run in a network namespace.
    ///
    /// # Errors
    /// What `crosscast init` says.
    pub fn make_in(site: &Site, netns: Option<&str>, name: &str, address: &str, attach: &[String]) -> Result<Self> {
        let listen = [format!("tls://{address}:0")];
        Self::plan(site, name, &Plan { netns, listen: &listen, attach, ..Plan::default() })
    }

    /// Makes a home by a plan.
    ///
    /// # Errors
    /// What `crosscast init` says.
    pub fn plan(site: &Site, name: &str, plan: &Plan<'_>) -> Result<Self> {
        let mut daemon = Self {
            name: name.to_owned(),
            bin: site.bin().to_owned(),
            home: site.dir().join(name),
            node: String::new(),
            netns: plan.netns.map(str::to_owned),
            nobody_in: plan.nobody_in.clone(),
            child: None,
            log: Arc::default(),
            ready_in: Duration::ZERO,
            listens: None,
        };
        if plan.nobody_in.is_some() {
            daemon.let_nobody_in(site)?;
        }
        let mut command = daemon.own_command();
        command.args(["init", "--name", name]);
        command.args(plan.listen.iter().flat_map(|locator| ["--listen", locator.as_str()]));
        command.args(plan.attach.iter().flat_map(|locator| ["--attach", locator.as_str()]));
        daemon.node = run_within(&mut command, VERB)?.text()?.trim().to_owned();
        Ok(daemon)
    }

    /// Lets a user without rights reach the binary and make a home.
    fn let_nobody_in(&mut self, site: &Site) -> Result<()> {
        fs::set_permissions(site.dir(), fs::Permissions::from_mode(0o711))?;
        let yard = site.dir().join(format!("{}-yard", self.name));
        fs::create_dir(&yard)?;
        chown(&yard, Some(NOBODY), Some(NOBODY))?;
        self.bin = yard.join("crosscast");
        fs::copy(site.bin(), &self.bin)?;
        fs::set_permissions(&self.bin, fs::Permissions::from_mode(0o755))?;
        self.home = yard.join("home");
        Ok(())
    }

    /// Its name in this scenario.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its NodeId.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Its home folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Its process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// From the start of the process to its ready line, the last time.
    #[must_use]
    pub const fn ready_in(&self) -> Duration {
        self.ready_in
    }

    /// Where it listens, with the real port and without a key.
    ///
    /// # Errors
    /// When it has never run.
    pub fn place(&self) -> Result<&str> {
        let listens = self.listens.as_deref().context("a daemon that never ran listens nowhere")?;
        Ok(listens.split('#').next().unwrap_or(listens))
    }

    /// Where it listens and which key answers there.
    ///
    /// # Errors
    /// When it has never run.
    pub fn locator(&self) -> Result<String> {
        Ok(format!("{}#{}", self.place()?, self.node))
    }

    /// Changes the configuration's text; it holds from the next start on.
    ///
    /// # Errors
    /// When the file cannot be read or written, or the text is not there.
    pub fn edit(&self, from: &str, to: &str) -> Result<()> {
        let path = self.home.join("config.toml");
        let text = fs::read_to_string(&path)?;
        ensure!(text.contains(from), "config.toml of {} has no {from}", self.name);
        Ok(fs::write(path, text.replacen(from, to, 1))?)
    }

    /// Starts it and waits for its ready line. The port that it gets is its port from then on.
    ///
    /// # Errors
    /// When it ends, or is not ready in time; with the end of its log.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "{} runs already", self.name);
        self.log = Arc::default();
        let mut command = self.own_command();
        command.args(["run", "--until-stdin-ends"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.bin.display()))?;
        let errors = child.stderr.take().context("a child without stderr")?;
        self.child = Some(child);
        self.log.keep(errors);
        let Some((at, line)) = self.log.ready(START) else {
            bail!("{} did not become ready:\n{}", self.name, self.log_tail(20))
        };
        self.ready_in = at.duration_since(start);
        let mut words = line.split(' ').map(|word| word.trim_end_matches(','));
        let listens = words.find(|word| word.starts_with("tls://")).map(str::to_owned);
        if self.listens.is_some() {
            ensure!(self.listens == listens, "{} listens on {listens:?} instead of {:?}", self.name, self.listens);
        } else if listens.is_some() {
            self.listens = listens;
            let place = self.place()?.to_owned();
            let (address, _) = place.rsplit_once(':').context("a locator without a port")?;
            self.edit(&format!("{address}:0\""), &format!("{place}\""))?;
        }
        Ok(())
    }

    /// Ends it without warning, as SIGKILL does.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().with_context(|| format!("{} does not run", self.name))?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Stops it in good order.
    ///
    /// # Errors
    /// When it does not run, does not stop in time, or ends as failed.
    pub fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().with_context(|| format!("{} does not run", self.name))?;
        drop(child.stdin.take());
        let mut status = None;
        let stopped = until("a daemon stops", STOP, || {
            status = child.try_wait()?;
            Ok(status.is_some())
        });
        if stopped.is_err() {
            child.kill()?;
            child.wait()?;
        }
        stopped.with_context(|| self.log_tail(20))?;
        ensure!(status.is_some_and(|status| status.success()), "{} ended as failed: {status:?}", self.name);
        Ok(())
    }

    /// Stops it as a service manager does, with SIGTERM.
    ///
    /// # Errors
    /// As [`Daemon::stop`].
    pub fn terminate(&mut self) -> Result<()> {
        let pid = self.pid().with_context(|| format!("{} does not run", self.name))?;
        let told = Command::new("kill").arg("-TERM").arg(pid.to_string()).status()?;
        ensure!(told.success(), "{} cannot be told to stop", self.name);
        self.stop()
    }

    /// A command of the binary with this home, in this daemon's network.
    #[must_use]
    pub fn command(&self) -> Command {
        self.wrapped(None)
    }

    /// The same as the daemon's own user.
    fn own_command(&self) -> Command {
        self.wrapped(self.nobody_in.as_deref())
    }

    fn wrapped(&self, nobody_in: Option<&[u32]>) -> Command {
        let mut words: Vec<String> = Vec::new();
        if let Some(netns) = &self.netns {
            words.extend(["ip", "netns", "exec", netns].map(str::to_owned));
        }
        if let Some(groups) = nobody_in {
            let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
            let groups =
                if groups.is_empty() { "--clear-groups".to_owned() } else { format!("--groups={}", groups.join(",")) };
            words.extend(["setpriv".into(), format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), groups]);
        }
        words.push(self.bin.to_string_lossy().into_owned());
        let mut command = Command::new(words.first().map_or("", String::as_str));
        command.args(words.iter().skip(1)).arg("--home").arg(&self.home);
        command.env("NO_COLOR", "1").env_remove("NOTIFY_SOCKET");
        command
    }

    /// Runs a verb to its end.
    ///
    /// # Errors
    /// When it cannot be run or takes a minute; not when it says no.
    pub fn run(&self, args: &[&str]) -> Result<Ran> {
        let mut command = self.command();
        command.args(args);
        run_within(&mut command, VERB)
    }

    /// Runs a verb that must succeed with `--json` and reads its one object.
    ///
    /// # Errors
    /// What it said.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let mut all = args.to_vec();
        all.push("--json");
        let text = self.run(&all)?.text()?;
        serde_json::from_str(&text).with_context(|| format!("{args:?} printed {text}"))
    }

    /// Its peers as `peers --json` lists them.
    ///
    /// # Errors
    /// What the verb says.
    pub fn peers(&self) -> Result<Vec<Value>> {
        let list = self.json(&["peers"])?;
        Ok(list.get("peers").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// How often this run refused input, for the given words.
    ///
    /// # Errors
    /// What the verb says.
    pub fn rejects(&self, words: &[&str]) -> Result<u64> {
        let status = self.json(&["status"])?;
        let rejects = status.get("rejects").context("status names no rejects")?;
        let of = |word: &&str| rejects.get(*word).and_then(Value::as_u64).unwrap_or_default();
        Ok(words.iter().map(of).sum())
    }

    /// Resident memory of the process in bytes, as the kernel counts it.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resident(&self) -> Result<u64> {
        let pid = self.pid().with_context(|| format!("{} does not run", self.name))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()?.saturating_mul(1_024))
    }

    /// Starts `crosscast sub`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn subscribe(&self, group: &str, since: &str) -> Result<Subscriber> {
        let mut command = self.command();
        command.args(["sub", group, "--json", "--since", since]);
        Subscriber::start(command)
    }

    /// Waits until this many linked peers take part in a group.
    ///
    /// # Errors
    /// When they do not in half a minute, with the end of the log.
    pub fn wait_neighbours(&self, group: &str, count: u64) -> Result<()> {
        let what = format!("{} has {count} neighbours in {group}", self.name);
        until(&what, Duration::from_secs(30), || {
            let shown = self.json(&["group", "show", group])?;
            Ok(shown.get("neighbours").and_then(Value::as_u64).is_some_and(|found| found >= count))
        })
        .with_context(|| self.log_tail(20))
    }

    /// Fails when it has other links than so many: a scenario that counts on a way is worth nothing beside a shorter one.
    ///
    /// # Errors
    /// When it is so.
    pub fn ensure_links(&self, count: usize) -> Result<()> {
        let found = self.peers()?.len();
        ensure!(found == count, "{} has {found} links instead of {count}", self.name);
        Ok(())
    }

    /// Lines of this run's log that hold a text.
    #[must_use]
    pub fn log_count(&self, text: &str) -> usize {
        self.log.count(text)
    }

    /// The first line of this run's log that holds a text.
    #[must_use]
    pub fn log_line(&self, text: &str) -> Option<String> {
        self.log.line(text)
    }

    /// The end of this run's log.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        format!("log of {}:\n  {}", self.name, self.log.tail(lines))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing can be told here, and a child that is gone already is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

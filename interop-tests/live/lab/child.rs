//! A foreign daemon as a child process: its output in a file, its end with the runner's, whatever ends that.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::until;

/// How long a foreign daemon may take to stop when asked to, before it is killed.
const STOP: Duration = Duration::from_secs(5);

/// A running daemon of somebody else's.
#[derive(Debug)]
pub struct Foreign {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Foreign {
    /// Starts a program with what it says appended to a file, in a network namespace when one is named.
    ///
    /// The kernel ends it when the thread that started it is gone, so start it from one that stays.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(space: Option<&str>, program: &Path, args: &[&str], log: &Path) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Each of these replaces itself by the next, so the id stays that of the daemon.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(space) = space {
            command.args(["ip", "netns", "exec", space]);
        }
        command.arg(program).args(args).stdin(Stdio::null());
        Self::spawn(name, command, log)
    }

    /// Starts a command that was put together elsewhere.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(name: String, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command.stdout(file.try_clone()?).stderr(file).spawn();
        let child = child.with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until something holds, as long as the daemon runs.
    ///
    /// # Errors
    /// When it ends before, or the time is over: with the end of what it said.
    pub fn until(&mut self, what: &str, within: Duration, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
        let (child, name) = (&mut self.child, &self.name);
        let held = until(what, within, || {
            if let Some(status) = child.try_wait()? {
                bail!("{name} ended: {status}");
            }
            look()
        });
        held.with_context(|| self.said(15))
    }

    /// The end of what it said.
    #[must_use]
    pub fn said(&self, lines: usize) -> String {
        let text = fs::read(&self.log).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        let end = all.get(all.len().saturating_sub(lines)..).unwrap_or_default();
        format!("{} said:\n  {}", self.name, end.join("\n  "))
    }

    /// Ends it without warning.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "{} is gone already", self.name);
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// When it is gone already or cannot be asked.
    pub fn stop(mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "{} is gone already", self.name);
        let told = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(told.success(), "{} cannot be told to stop", self.name);
        // What does not stop is killed below.
        let _ = until("a foreign daemon stops", STOP, || Ok(self.child.try_wait()?.is_some()));
        Ok(())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // A child that is gone already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

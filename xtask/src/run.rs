//! Child processes: no stdin, no colour, output into a log file, an end even when the child never ends.
//!
//! Every command of a stage is appended to that stage's log with the line that started it, so a failure can be read
//! and repeated without running the stage again.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// How long one command of a test may run. A cold release build of everything takes about seven minutes on two cores, so
/// a command that needs ten times as long is stuck.
const PATIENCE: Duration = Duration::from_secs(70 * 60);

/// How long one measurement may run. A thousand simulations take an hour or two on a busy machine.
pub(crate) const LONG_PATIENCE: Duration = Duration::from_secs(4 * 60 * 60);

/// How often a running child is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// A log file that commands write into.
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    patience: Duration,
}

/// What a command came to.
pub(crate) struct Done {
    /// Whether it ended by itself with status 0.
    pub(crate) ok: bool,
    /// Everything it wrote, both streams.
    pub(crate) text: String,
}

impl Done {
    /// The last line that says something.
    pub(crate) fn last_line(&self) -> &str {
        self.text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default()
    }
}

impl Log {
    /// Starts an empty log.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let file = OpenOptions::new().read(true).append(true).open(&path)?;
        Ok(Self { path, file, patience: PATIENCE })
    }

    /// Gives each command this long.
    pub(crate) const fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Adds a line of our own.
    pub(crate) fn note(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.file, "{line}")?)
    }

    /// Runs a command to its end. An error means that it could not be started at all.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<Done> {
        self.run_watched(command, |_| {})
    }

    /// Runs a command to its end and hands each finished line to `watch` while it runs.
    pub(crate) fn run_watched(&mut self, command: &mut Command, mut watch: impl FnMut(&str)) -> Result<Done> {
        self.note(&format!("$ {}", spelled(command)))?;
        let start = self.file.seek(SeekFrom::End(0))?;
        let mut child = quiet(command)
            .stdout(self.file.try_clone()?)
            .stderr(self.file.try_clone()?)
            .spawn()
            .with_context(|| format!("cannot start `{}`", spelled(command)))?;
        let deadline = Instant::now() + self.patience;
        let mut seen = Tail::open(&self.path, start)?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                break None;
            }
            seen.advance(&mut watch)?;
            thread::sleep(GLANCE);
        };
        if status.is_none() {
            self.note(&format!("killed after {} s", self.patience.as_secs()))?;
        }
        seen.advance(&mut watch)?;
        Ok(Done { ok: status.is_some_and(|status| status.success()), text: seen.text })
    }

    /// The last lines of the log.
    pub(crate) fn tail(&self, lines: usize) -> Result<String> {
        let text = String::from_utf8_lossy(&fs::read(&self.path)?).into_owned();
        let all: Vec<&str> = text.lines().collect();
        let skip = all.len().saturating_sub(lines);
        Ok(all.into_iter().skip(skip).collect::<Vec<_>>().join("\n"))
    }

    /// Where the log is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads what a child appends to the log, through a handle (and so a file position) of its own.
struct Tail {
    file: File,
    text: String,
    unfinished: Vec<u8>,
}

impl Tail {
    fn open(path: &Path, start: u64) -> Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(Self { file, text: String::new(), unfinished: Vec::new() })
    }

    fn advance(&mut self, watch: &mut impl FnMut(&str)) -> Result<()> {
        self.file.read_to_end(&mut self.unfinished)?;
        let Some(end) = self.unfinished.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let rest = self.unfinished.split_off(end.saturating_add(1));
        let fresh = String::from_utf8_lossy(&std::mem::replace(&mut self.unfinished, rest)).into_owned();
        fresh.lines().for_each(watch);
        self.text.push_str(&fresh);
        Ok(())
    }
}

/// A command of cargo itself, the same cargo that runs this tool.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether a tool can be started with these arguments and says yes.
pub(crate) fn answers(command: &mut Command) -> bool {
    quiet(command).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What a command prints on stdout, when it ends well.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let spelled = spelled(command);
    let output = quiet(command).stderr(Stdio::piped()).output().with_context(|| format!("cannot start `{spelled}`"))?;
    anyhow::ensure!(
        output.status.success(),
        "`{spelled}` failed: {}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as someone would type it.
pub(crate) fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).env("CARGO_TERM_COLOR", "never").env("NO_COLOR", "1")
}

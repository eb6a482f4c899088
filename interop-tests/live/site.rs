//! What a suite is given and what it gives back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// How much a suite does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Enough to see a break: seconds.
    Reduced,
    /// The figures that are promised.
    Full,
}

impl Size {
    /// Picks by size.
    #[must_use]
    pub fn pick<T>(self, reduced: T, full: T) -> T {
        match self {
            Self::Reduced => reduced,
            Self::Full => full,
        }
    }
}

/// What a suite came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It ran.
    Done(Measured),
    /// It could not run here, and why.
    Skipped(String),
}

/// What was measured, and whether it is good enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The figures.
    pub value: Value,
    /// Whether the bar is met.
    pub pass: bool,
    /// What repeats the run, where chance is ours.
    pub seed: Option<u64>,
}

impl Verdict {
    /// Figures and whether they are good enough.
    #[must_use]
    pub fn of(pass: bool, value: Value) -> Self {
        Self::Done(Measured { value, pass, seed: None })
    }

    /// A reason not to have run.
    pub fn skip(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }
}

/// Where a suite runs: the binary, and a private folder that goes when this is dropped.
#[derive(Debug)]
pub struct Site {
    bin: PathBuf,
    dir: PathBuf,
    keep: bool,
}

impl Site {
    /// Makes a private folder under the system's own, with a name short enough for sockets in it.
    ///
    /// # Errors
    /// The system's own, or a binary that is not there.
    pub fn new(bin: &Path, keep: bool) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let bin = bin.canonicalize().with_context(|| format!("no binary at {}", bin.display()))?;
        for attempt in 0_u32..1_000 {
            let dir = std::env::temp_dir().join(format!("ccl-{}-{attempt}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => return Ok(Self { bin, dir, keep }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot make {}", dir.display())),
            }
        }
        bail!("no free name for a folder in {}", std::env::temp_dir().display())
    }

    /// The binary under test.
    #[must_use]
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The private folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The top of the repository.
    #[must_use]
    pub fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("kept: {}", self.dir.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            eprintln!("{}: {error}", self.dir.display());
        }
    }
}

/// Waits until something holds, looking a hundred times a second.
///
/// # Errors
/// When it never held within the time, with its name; the look's own.
pub fn until(what: &str, within: Duration, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !look()? {
        if start.elapsed() > within {
            bail!("not within {} s: {what}", within.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

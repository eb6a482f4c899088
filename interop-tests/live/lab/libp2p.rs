//! A js-libp2p node as npm has it: what a foreign network of libp2p looks like that has never heard of us.
//!
//! Its program is `js/`, whose packages are fetched below the build folder when they are missing, in the versions of the
//! lock file and with the Node.js that stands among them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::net::Plug;
use crate::client::run_within;
use crate::role::Actor;
use crate::{Site, tools};

/// Where the node listens.
const PORT: u16 = 4001;

/// How long npm may take to fetch a hundred packages.
const NPM: Duration = Duration::from_secs(300);

/// How long a node may take to listen. 60 s: it takes two on a machine that does nothing else.
const START: Duration = Duration::from_secs(60);

/// The files of the program.
const FILES: [&str; 3] = ["package.json", "package-lock.json", "node.mjs"];

/// A running js-libp2p node; ends when dropped.
#[derive(Debug)]
pub struct Js {
    actor: Actor,
    address: String,
}

/// Why there can be none here; fetches what it needs first.
///
/// # Errors
/// When there is no build folder.
pub fn obstacle() -> Result<Option<String>> {
    if !tools::has("npm", "--version") {
        return Ok(Some("npm is missing (package npm)".to_owned()));
    }
    Ok(installed()?.is_none().then(|| "npm could not fetch js-libp2p".to_owned()))
}

/// Which js-libp2p it is.
///
/// # Errors
/// When it was never fetched.
pub fn version() -> Result<String> {
    let folder = installed()?.context("js-libp2p was not fetched")?;
    let package: Value = serde_json::from_str(&fs::read_to_string(folder.join("node_modules/libp2p/package.json"))?)?;
    Ok(format!("libp2p {}", package.get("version").and_then(Value::as_str).unwrap_or("?")))
}

/// The folder with the program and its packages; none when npm cannot fetch them.
fn installed() -> Result<Option<PathBuf>> {
    let source = Site::repository().join("interop-tests/live/js");
    let folder = tools::target()?.join("js");
    let same = |name: &str| fs::read(source.join(name)).ok() == fs::read(folder.join(name)).ok();
    let node = folder.join("node_modules/.bin/node");
    let ready = same("package-lock.json") && node.exists();
    fs::create_dir_all(&folder)?;
    for name in FILES.iter().filter(|name| !same(name)) {
        fs::copy(source.join(name), folder.join(name)).with_context(|| format!("js/{name}"))?;
    }
    if ready {
        return Ok(Some(folder));
    }
    let mut install = Command::new("npm");
    install.args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder);
    let ran = run_within(&mut install, NPM);
    let done = ran.as_ref().is_ok_and(|ran| ran.code == Some(0)) && node.exists();
    if !done {
        // So that the next run does not take half of it for the whole.
        let _ = fs::remove_file(folder.join("package-lock.json"));
        eprintln!("npm ci: {}", ran.map_or_else(|error| format!("{error:#}"), |ran| ran.err));
    }
    Ok(done.then_some(folder))
}

impl Js {
    /// Starts one at a port of a switch, and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(plug: &Plug) -> Result<Self> {
        let folder = installed()?.context("js-libp2p was not fetched")?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &plug.space]).arg(folder.join("node_modules/.bin/node"));
        command.arg(folder.join("node.mjs")).arg(plug.address.to_string()).arg(PORT.to_string());
        let actor = Actor::spawn("js-libp2p".to_owned(), command)?;
        let listening = actor.hear_of("addrs", START)?;
        let addresses = listening.get("addrs").and_then(Value::as_array).context("no addresses")?;
        let address = addresses.first().and_then(Value::as_str).context("no address")?.to_owned();
        Ok(Self { actor, address })
    }

    /// Its multiaddr, with its name.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Gives it a command.
    ///
    /// # Errors
    /// When it is gone.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        self.actor.tell(line)
    }
}

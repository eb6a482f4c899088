//! A real cjdns network, when `CJDROUTE` names a binary: cores in namespaces of their own, peered over cables.
//!
//! The core is started and set up by ourselves (`role/cjdns.rs`); the starter that comes with it races with its core on a
//! machine of two cores. Beacons are off and no supernode is asked.

use std::fs;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::child::Foreign;
use super::net::{self, Net, Plug};
use crate::client::run_within;
use crate::role::Actor;

/// The interface of every node.
pub const DEVICE: &str = "cjd0";

/// The admin password of every node.
pub const PASSWORD: &str = "lab-admin-password";

/// Where nodes peer.
const PORT: u16 = 9001;

/// How long a core may take to be set up.
const START: Duration = Duration::from_secs(30);

/// How long packets may take to cross a fresh network.
const CROSS: Duration = Duration::from_secs(120);

/// The daemon to run, when one is named.
#[must_use]
pub fn program() -> Option<PathBuf> {
    std::env::var_os("CJDROUTE").map(PathBuf::from).filter(|program| program.exists())
}

/// Why there can be no such network here.
#[must_use]
pub fn obstacle() -> Option<String> {
    let missing = || program().is_none().then_some("no cjdns: set CJDROUTE to a cjdroute binary");
    Net::obstacle_to_tun().or_else(missing).map(str::to_owned)
}

/// A line of cores: only neighbours share a cable.
#[derive(Debug)]
pub struct Cjdns {
    nodes: Vec<Node>,
}

/// One core.
#[derive(Debug)]
pub struct Node {
    space: String,
    dir: PathBuf,
    address: Ipv6Addr,
    process: Foreign,
}

/// A key as the daemon makes it.
struct Keys {
    private: String,
    public: String,
    address: Ipv6Addr,
}

impl Cjdns {
    /// A line; each dials the one before it.
    ///
    /// # Errors
    /// What the tools or daemons say.
    pub fn line(net: &mut Net, dir: &Path, count: usize) -> Result<Self> {
        let program = program().context("no cjdns")?;
        let (mut nodes, mut before): (Vec<Node>, Option<(String, Keys)>) = (Vec::new(), None);
        for number in 0..count {
            let space = net.space(&format!("cjd{number}"))?;
            let keys = Keys::make(&program)?;
            let mut dials = Vec::new();
            if let Some((space_before, keys_before)) = &before {
                let [_, there]: [Plug; 2] = net.cable(&space, space_before)?;
                dials.push(json!({
                    "address": format!("{}:{PORT}", there.address), "public_key": keys_before.public,
                    "password": peering(number - 1),
                }));
            }
            let own = dir.join(format!("cjd{number}"));
            fs::create_dir_all(&own)?;
            let pipe = own.join("pipe.sock").to_string_lossy().into_owned();
            let mut process = Foreign::start(Some(&space), &program, &["core", &pipe], &own.join("log"))?;
            let plan = json!({
                "pipe": pipe, "private_key": keys.private, "password": PASSWORD, "accepts": peering(number),
                "bind": format!("0.0.0.0:{PORT}"), "dials": dials,
            });
            let starter = Actor::start(Some(&space), &["cjdns", &plan.to_string()])?;
            starter.hear_of("ready", START).with_context(|| process.said(10))?;
            process.until("the core runs on", Duration::from_secs(5), || Ok(true))?;
            nodes.push(Node { space: space.clone(), dir: own, address: keys.address, process });
            before = Some((space, keys));
        }
        let network = Self { nodes };
        network.wait()?;
        Ok(network)
    }

    /// One of its nodes.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn node(&self, number: usize) -> Result<&Node> {
        self.nodes.get(number).context("no such node")
    }

    fn wait(&self) -> Result<()> {
        let (first, last) = (self.nodes.first().context("no nodes")?, self.nodes.last().context("no nodes")?);
        let crossed = crate::until("packets cross cjdns", CROSS, || net::pings(&first.space, last.address.into()));
        crossed.with_context(|| first.process.said(15))
    }
}

impl Node {
    /// The namespace it runs in.
    #[must_use]
    pub fn space(&self) -> &str {
        &self.space
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> Ipv6Addr {
        self.address
    }

    /// Its private folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Keys {
    fn make(program: &Path) -> Result<Self> {
        let text = run_within(Command::new(program).arg("--genconf"), START)?.text()?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("\"{name}\": \"")));
            line.and_then(|rest| rest.split('"').next()).map(str::to_owned).with_context(|| format!("no {name}"))
        };
        Ok(Self { private: field("privateKey")?, public: field("publicKey")?, address: field("ipv6")?.parse()? })
    }
}

fn peering(number: usize) -> String {
    format!("lab-peering-password-{number}")
}

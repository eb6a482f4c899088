//! Network namespaces with cables and switches between them, and what breaks a connection in them; all of it goes when
//! it is dropped.
//!
//! A namespace's name says which process made it, so that what a killed runner left behind is swept by the next. Every
//! cable has a network of its own, so that two namespaces without one in common reach each other only through others.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::client::run_within;
use crate::tools;

/// What the names of all namespaces begin with.
const PREFIX: &str = "cclab";

/// How long one tool may take.
const TOOL: Duration = Duration::from_secs(15);

/// Namespaces and what lies between them.
#[derive(Debug)]
pub struct Net {
    tag: String,
    spaces: Vec<String>,
    cables: u8,
    switches: u8,
}

/// One end of a cable, or a port of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plug {
    /// The namespace.
    pub space: String,
    /// The device in it.
    pub device: String,
    /// Its address.
    pub address: Ipv4Addr,
}

impl Net {
    /// Why there can be none here.
    #[must_use]
    pub fn obstacle() -> Option<&'static str> {
        if !tools::is_root() {
            return Some("network namespaces need root");
        }
        if !tools::has("ip", "-V") || !tools::has("ss", "-V") {
            return Some("ip and ss are missing (package iproute2)");
        }
        if !tools::has("nft", "-v") {
            return Some("nft is missing (package nftables)");
        }
        if !tools::has("ping", "-V") {
            return Some("ping is missing (package iputils-ping)");
        }
        if !tools::has("setpriv", "--version") {
            return Some("setpriv is missing (package util-linux)");
        }
        None
    }

    /// Why there can be none here with daemons whose interface is a TUN device.
    #[must_use]
    pub fn obstacle_to_tun() -> Option<&'static str> {
        Self::obstacle().or_else(|| (!Path::new("/dev/net/tun").exists()).then_some("there is no /dev/net/tun"))
    }

    /// An empty one; sweeps what runners that were killed have left.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{PREFIX}-{}-{count}", std::process::id());
        Self { tag, spaces: Vec::new(), cables: 0, switches: 0 }
    }

    /// Makes a namespace; its full name.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn space(&mut self, name: &str) -> Result<String> {
        let space = format!("{}-{name}", self.tag);
        tool("ip", &["netns", "add", &space])?;
        self.spaces.push(space.clone());
        tool("ip", &["-n", &space, "link", "set", "lo", "up"])?;
        Ok(space)
    }

    /// Lays a cable between two namespaces.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn cable(&mut self, a: &str, b: &str) -> Result<[Plug; 2]> {
        self.cables = self.cables.checked_add(1).context("too many cables")?;
        let (number, device) = (self.cables, format!("cable{}", self.cables));
        tool("ip", &["-n", a, "link", "add", &device, "type", "veth", "peer", "name", &device, "netns", b])?;
        let plug = |space: &str, end: u8| -> Result<Plug> {
            let plug =
                Plug { space: space.into(), device: device.clone(), address: Ipv4Addr::new(10, 77, number, end) };
            plug.bring_up()?;
            Ok(plug)
        };
        Ok([plug(a, 1)?, plug(b, 2)?])
    }

    /// Puts namespaces on one switch, in a network of their own.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn switch<const N: usize>(&mut self, members: [&str; N]) -> Result<[Plug; N]> {
        self.switches = self.switches.checked_add(1).context("too many switches")?;
        let number = self.switches;
        let middle = self.space(&format!("switch{number}"))?;
        tool("ip", &["-n", &middle, "link", "add", "bridge", "type", "bridge"])?;
        tool("ip", &["-n", &middle, "link", "set", "bridge", "up"])?;
        let mut plugs = Vec::new();
        for (member, host) in members.into_iter().zip(1_u8..) {
            let (device, port) = (format!("lan{number}"), format!("port{host}"));
            tool(
                "ip",
                &["-n", member, "link", "add", &device, "type", "veth", "peer", "name", &port, "netns", &middle],
            )?;
            tool("ip", &["-n", &middle, "link", "set", &port, "master", "bridge", "up"])?;
            let plug = Plug { space: member.into(), device, address: Ipv4Addr::new(10, 78, number, host) };
            plug.bring_up()?;
            plugs.push(plug);
        }
        plugs.try_into().map_err(|_| anyhow::anyhow!("a port for each member"))
    }
}

impl Default for Net {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for space in &self.spaces {
            if let Err(error) = tool("ip", &["netns", "delete", space]) {
                eprintln!("{space}: {error:#}");
            }
        }
    }
}

impl Plug {
    fn bring_up(&self) -> Result<()> {
        tool("ip", &["-n", &self.space, "address", "add", &format!("{}/24", self.address), "dev", &self.device])?;
        tool("ip", &["-n", &self.space, "link", "set", &self.device, "up"])?;
        Ok(())
    }
}

/// Silence: packets that come in on a device vanish without a word, until it is dropped or mended.
#[derive(Debug)]
pub struct Silence {
    /// Namespace and table.
    tables: Vec<(String, String)>,
}

impl Silence {
    /// Nothing that comes in on these devices is heard any more; for both ends of a way it is a black hole.
    ///
    /// # Errors
    /// What `nft` says.
    pub fn on(ends: &[(&str, &str)]) -> Result<Self> {
        let mut silence = Self { tables: Vec::new() };
        for (space, device) in ends {
            let table = format!("silence_{device}");
            // Heard by taps, but neither routed nor answered: not even a refusal goes back.
            let rules = format!(
                "table inet {table} {{ chain early {{ type filter hook prerouting priority -300; \
                 iifname \"{device}\" drop; }}; }}"
            );
            in_space(space, "nft", &[&rules])?;
            silence.tables.push(((*space).to_owned(), table));
        }
        Ok(silence)
    }

    /// Ends it.
    ///
    /// # Errors
    /// What `nft` says.
    pub fn mend(mut self) -> Result<()> {
        for (space, table) in std::mem::take(&mut self.tables) {
            in_space(&space, "nft", &["delete", "table", "inet", &table])?;
        }
        Ok(())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        for (space, table) in &self.tables {
            if let Err(error) = in_space(space, "nft", &["delete", "table", "inet", table]) {
                eprintln!("{space}: {error:#}");
            }
        }
    }
}

/// Closes the TCP connections of a namespace that match a filter of `ss`, at both ends, as a reset does; how many.
///
/// # Errors
/// What `ss` says.
pub fn cut(space: &str, filter: &[&str]) -> Result<usize> {
    let mut words = vec!["--no-header", "--tcp", "--kill"];
    words.extend(filter);
    Ok(in_space(space, "ss", &words)?.lines().count())
}

/// Whether something listens on a TCP port in a namespace.
///
/// # Errors
/// What `ss` says.
pub fn listens(space: Option<&str>, port: u16) -> Result<bool> {
    let filter = format!("sport = :{port}");
    let words = ["--no-header", "--tcp", "--listening", "--numeric", &filter];
    let out = match space {
        Some(space) => in_space(space, "ss", &words)?,
        None => tool("ss", &words)?,
    };
    Ok(!out.trim().is_empty())
}

/// Whether a ping is answered within a second.
///
/// # Errors
/// When ping cannot be run.
pub fn pings(space: &str, to: std::net::IpAddr) -> Result<bool> {
    let args = ["netns", "exec", space, "ping", "-c", "1", "-W", "1", &to.to_string()];
    Ok(run_within(Command::new("ip").args(args), TOOL)?.code == Some(0))
}

/// Runs a tool within a namespace to its good end.
///
/// # Errors
/// What it says.
pub fn in_space(space: &str, name: &str, args: &[&str]) -> Result<String> {
    let mut words = vec!["netns", "exec", space, name];
    words.extend(args);
    tool("ip", &words)
}

fn tool(name: &str, args: &[&str]) -> Result<String> {
    let ran = run_within(Command::new(name).args(args), TOOL)?;
    ensure!(ran.code == Some(0), "{name} {}: {}", args.join(" "), ran.err.trim_end());
    Ok(ran.out)
}

/// Deletes the namespaces of runners that are gone.
fn sweep() {
    let Ok(names) = std::fs::read_dir("/run/netns") else { return };
    for entry in names.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1)?.parse::<u32>().ok());
        if maker.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
            && let Err(error) = tool("ip", &["netns", "delete", &name])
        {
            eprintln!("{name}: {error:#}");
        }
    }
}

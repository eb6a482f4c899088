//! Two network namespaces with a shaped cable between them; both go when it is dropped.
//!
//! Each end sends through a token bucket of the given rate whose queue holds a given time's worth of bytes, which is what
//! a slow access link does. The kernel's counter of bytes behind the bucket tells how full the cable is.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::client::run_within;
use crate::tools;

/// A shaped cable.
#[derive(Debug)]
pub struct Cable {
    names: [String; 2],
}

/// The addresses of the two ends.
pub const ADDRESSES: [&str; 2] = ["10.99.7.1", "10.99.7.2"];

/// Name of the interface at either end.
const DEVICE: &str = "shaped0";

impl Cable {
    /// Why there can be none here.
    #[must_use]
    pub fn obstacle() -> Option<&'static str> {
        if !tools::is_root() {
            return Some("network namespaces need root");
        }
        if !tools::has("ip", "-V") || !tools::has("tc", "-V") {
            return Some("ip and tc are missing (package iproute2)");
        }
        None
    }

    /// Lays it: `rate` in the words of `tc`, such as `2mbit`, with a queue of so many milliseconds.
    ///
    /// # Errors
    /// What `ip` or `tc` says.
    pub fn lay(rate: &str, queue_ms: u32) -> Result<Self> {
        let names = ["a", "b"].map(|end| format!("ccl-{}-{end}", std::process::id()));
        let cable = Self { names };
        let [a, b] = cable.ends();
        for name in [a, b] {
            tool("ip", &["netns", "add", name])?;
            tool("ip", &["-n", name, "link", "set", "lo", "up"])?;
        }
        tool("ip", &["-n", a, "link", "add", DEVICE, "type", "veth", "peer", "name", DEVICE, "netns", b])?;
        let latency = format!("{queue_ms}ms");
        for (name, address) in [a, b].into_iter().zip(ADDRESSES) {
            tool("ip", &["-n", name, "address", "add", &format!("{address}/24"), "dev", DEVICE])?;
            tool("ip", &["-n", name, "link", "set", DEVICE, "up"])?;
            let shape =
                ["qdisc", "add", "dev", DEVICE, "root", "tbf", "rate", rate, "burst", "5kb", "latency", &latency];
            let mut words = vec!["-n", name];
            words.extend(shape);
            tool("tc", &words)?;
        }
        Ok(cable)
    }

    /// The names of the two namespaces.
    #[must_use]
    pub fn ends(&self) -> [&str; 2] {
        self.names.each_ref().map(String::as_str)
    }

    /// Bytes that left an end so far, link-layer headers included.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn sent(&self, end: &str) -> Result<u64> {
        let file = format!("/sys/class/net/{DEVICE}/statistics/tx_bytes");
        let text = tool("ip", &["netns", "exec", end, "cat", &file])?;
        text.trim().parse().context("the counter is no number")
    }

    /// What the bucket of an end has counted: sent, dropped, waiting.
    ///
    /// # Errors
    /// What `tc` says.
    pub fn bucket(&self, end: &str) -> Result<String> {
        tool("tc", &["-n", end, "-s", "qdisc", "show", "dev", DEVICE])
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in &self.names {
            if let Err(error) = tool("ip", &["netns", "delete", name]) {
                eprintln!("{name}: {error:#}");
            }
        }
    }
}

fn tool(name: &str, args: &[&str]) -> Result<String> {
    let ran = run_within(Command::new(name).args(args), Duration::from_secs(10))?;
    ensure!(ran.code == Some(0), "{name} {}: {}", args.join(" "), ran.err.trim_end());
    Ok(ran.out)
}

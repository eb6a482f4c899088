//! A real Yggdrasil network: daemons in namespaces of their own, peered over cables, and nothing else.
//!
//! The daemon is the one in `YGG`, or else the system's; `YGG05` names one of version 0.5. Who dials is started after who listens: version 0.4 tries a
//! peer that refused it again only after a minute. A network counts as up when packets cross it from end to end; that
//! its daemons answer says nothing.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Ipv6Addr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::child::Foreign;
use super::net::{self, Net, Plug};
use crate::client::{Ran, run_within};
use crate::tools;

/// Where Debian has it.
const SYSTEM: &str = "/usr/sbin/yggdrasil";

/// The interface of every node, each in a namespace of its own.
pub const DEVICE: &str = "ygg0";

/// Where a node listens for its peers.
const PORT: u16 = 7001;

/// How long a daemon may take to answer on its admin socket.
const START: Duration = Duration::from_secs(15);

/// How long packets may take to cross a fresh network. 90 s: a lost start-up race costs a minute.
const CROSS: Duration = Duration::from_secs(90);

/// How long an admin socket may take to answer: seven times what a busy machine needs, beyond the 6 s of a far request.
const ANSWER: Duration = Duration::from_secs(15);

/// The most that is read of an answer.
const ANSWER_MAX: u64 = 1 << 20;

/// The daemon to run, when there is one.
#[must_use]
pub fn program() -> Option<PathBuf> {
    let named = std::env::var_os("YGG").map(PathBuf::from);
    let program = named.unwrap_or_else(|| SYSTEM.into());
    tools::has(&program.to_string_lossy(), "-version").then_some(program)
}

/// One of version 0.5, when it is named.
#[must_use]
pub fn program_05() -> Option<PathBuf> {
    std::env::var_os("YGG05").map(PathBuf::from).filter(|program| tools::has(&program.to_string_lossy(), "-version"))
}

/// What such a daemon is: as its package is called, since Debian's does not know its own version; else as it says.
///
/// # Errors
/// When it cannot be run.
pub fn version(program: &Path) -> Result<String> {
    if program == Path::new(SYSTEM) {
        let mut ask = Command::new("dpkg-query");
        ask.args(["--show", "--showformat", "${Version}", "yggdrasil"]);
        if let Ok(text) = run_within(&mut ask, START).and_then(Ran::text) {
            return Ok(format!("Debian's {text}"));
        }
    }
    let text = run_within(Command::new(program).arg("-version"), START)?.text()?;
    Ok(text.lines().map(str::trim).collect::<Vec<_>>().join(", "))
}

/// Why there can be no such network here.
#[must_use]
pub fn obstacle() -> Option<String> {
    let missing = || program().is_none().then_some("yggdrasil is missing (package yggdrasil, or YGG names one)");
    Net::obstacle_to_tun().or_else(missing).map(str::to_owned)
}

/// A network of daemons.
#[derive(Debug)]
pub struct Yggdrasil {
    nodes: Vec<Node>,
}

/// One daemon with its files; it may run or not.
#[derive(Debug)]
pub struct Node {
    program: PathBuf,
    space: Option<String>,
    dir: PathBuf,
    key: String,
    address: Ipv6Addr,
    listens: bool,
    group: Option<u32>,
    process: Option<Foreign>,
}

/// What a daemon is to be.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The namespace it runs in; without one it has no interface either.
    pub space: Option<&'a str>,
    /// Where it listens for peers, as URIs.
    pub listen: Vec<String>,
    /// Whom it dials, as URIs.
    pub peers: Vec<String>,
    /// Its NodeInfo.
    pub info: Value,
}

impl Yggdrasil {
    /// A line: only neighbours share a cable, so its ends speak through all between. Each dials the one before it.
    ///
    /// # Errors
    /// What the tools or daemons say.
    pub fn line(net: &mut Net, dir: &Path, count: usize) -> Result<Self> {
        Self::line_of(&program().context("no yggdrasil")?, net, dir, &vec![Value::Null; count])
    }

    /// The same of a certain daemon, with a NodeInfo for each.
    ///
    /// # Errors
    /// What the tools or daemons say.
    pub fn line_of(program: &Path, net: &mut Net, dir: &Path, infos: &[Value]) -> Result<Self> {
        let pairs: Vec<(usize, usize)> = (1..infos.len()).map(|node| (node, node - 1)).collect();
        Self::tree(program, net, dir, infos, &pairs)
    }

    /// A star: all dial the first, and speak through it.
    ///
    /// # Errors
    /// What the tools or daemons say.
    pub fn star(net: &mut Net, dir: &Path, count: usize) -> Result<Self> {
        let pairs: Vec<(usize, usize)> = (1..count).map(|node| (node, 0)).collect();
        Self::tree(&program().context("no yggdrasil")?, net, dir, &vec![Value::Null; count], &pairs)
    }

    /// A cable for each pair of who dials and who listens, the listener's number the smaller.
    fn tree(program: &Path, net: &mut Net, dir: &Path, infos: &[Value], pairs: &[(usize, usize)]) -> Result<Self> {
        let spaces = (0..infos.len()).map(|node| net.space(&format!("ygg{node}"))).collect::<Result<Vec<_>>>()?;
        let mut ends = Vec::new();
        for (dialler, listener) in pairs {
            let [from, to] = [dialler, listener].map(|node| spaces.get(*node).context("no such node"));
            let [_, plug]: [Plug; 2] = net.cable(from?, to?)?;
            ends.push((*dialler, *listener, format!("tcp://{}:{PORT}", plug.address)));
        }
        let mut nodes = Vec::new();
        for ((number, space), info) in spaces.iter().enumerate().zip(infos) {
            let dials = ends.iter().filter(|(dialler, ..)| *dialler == number).map(|(.., uri)| uri.clone());
            let listens = ends.iter().filter(|(_, listener, _)| *listener == number).map(|(.., uri)| uri.clone());
            let info = info.clone();
            let plan = Plan { space: Some(space), listen: listens.collect(), peers: dials.collect(), info };
            let mut node = Node::make(program, &dir.join(format!("ygg{number}")), &plan)?;
            node.start()?;
            nodes.push(node);
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

    /// One of its nodes, to stop and start.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn node_mut(&mut self, number: usize) -> Result<&mut Node> {
        self.nodes.get_mut(number).context("no such node")
    }

    /// Waits until packets cross it, from each node to the first and between the first and the last.
    ///
    /// # Errors
    /// When they do not in time, with what the last daemon said.
    pub fn wait(&self) -> Result<()> {
        for node in &self.nodes {
            let last = self.nodes.last().context("no nodes")?;
            node.wait_for(last.address)?;
        }
        Ok(())
    }
}

impl Node {
    /// Makes the files of a daemon with a fresh key.
    ///
    /// # Errors
    /// What the daemon says when it makes a key.
    pub fn make(program: &Path, dir: &Path, plan: &Plan<'_>) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let made = run_within(Command::new(program).args(["-genconf", "-json"]), START)?.text()?;
        let made: Value = serde_json::from_str(&made).context("-genconf printed no JSON")?;
        let secret = made.get("PrivateKey").and_then(Value::as_str).context("-genconf printed no key")?;
        let config = json!({
            "PrivateKey": secret,
            "Listen": plan.listen, "Peers": plan.peers, "MulticastInterfaces": [],
            "AdminListen": format!("unix://{}", dir.join("admin.sock").display()),
            "IfName": if plan.space.is_some() { DEVICE } else { "none" },
            "NodeInfoPrivacy": true, "NodeInfo": plan.info,
        });
        let file = dir.join("config.json");
        let mut out = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(file)?;
        out.write_all(config.to_string().as_bytes())?;
        Ok(Self {
            program: program.to_owned(),
            space: plan.space.map(str::to_owned),
            dir: dir.to_owned(),
            key: String::new(),
            address: Ipv6Addr::UNSPECIFIED,
            listens: !plan.listen.is_empty(),
            group: None,
            process: None,
        })
    }

    /// Starts it, and waits until its admin socket answers and its listener is there.
    ///
    /// # Errors
    /// When it does not come up in time, with what it said.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "it runs already");
        let (socket, config) = (self.socket(), self.dir.join("config.json"));
        // One that was killed leaves its socket behind.
        let _ = fs::remove_file(&socket);
        let args = ["-useconffile", &config.to_string_lossy()].map(str::to_owned);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut process = Foreign::start(self.space.as_deref(), &self.program, &args, &self.dir.join("log"))?;
        let mut this = None;
        process.until("yggdrasil answers", START, || {
            this = ask(&socket, &json!({ "request": "getself" })).ok();
            Ok(this.is_some())
        })?;
        if let (true, Some(space)) = (self.listens, self.space.clone()) {
            process.until("yggdrasil listens", START, || net::listens(Some(&space), PORT))?;
        }
        let this = this.context("no answer")?;
        let text =
            |name: &str| this.get(name).and_then(Value::as_str).with_context(|| format!("getself has no {name}"));
        self.key = text("key")?.to_owned();
        self.address = text("address")?.parse()?;
        self.process = Some(process);
        if let Some(group) = self.group {
            self.let_in(group)?;
        }
        Ok(())
    }

    /// Lets a group of the system at its admin socket, now and after each start, as the unit of the package does.
    ///
    /// # Errors
    /// The system's own.
    pub fn let_in(&mut self, group: u32) -> Result<()> {
        self.group = Some(group);
        fs::set_permissions(&self.dir, fs::Permissions::from_mode(0o755))?;
        std::os::unix::fs::chown(self.socket(), None, Some(group))?;
        Ok(fs::set_permissions(self.socket(), fs::Permissions::from_mode(0o660))?)
    }

    /// Ends it without warning.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("it does not run")?.kill()
    }

    /// Its process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("it does not run")?.pid())
    }

    /// Its admin socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join("admin.sock")
    }

    /// The namespace it runs in.
    ///
    /// # Errors
    /// When it runs in none.
    pub fn space(&self) -> Result<&str> {
        self.space.as_deref().context("it runs in no namespace")
    }

    /// Its address, since it was first started.
    #[must_use]
    pub const fn address(&self) -> Ipv6Addr {
        self.address
    }

    /// Its public key in hexadecimal digits, since it was first started.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its secret key in hexadecimal digits: seed, then public key.
    ///
    /// # Errors
    /// When the file is gone.
    pub fn secret(&self) -> Result<String> {
        let config: Value = serde_json::from_str(&fs::read_to_string(self.dir.join("config.json"))?)?;
        Ok(config.get("PrivateKey").and_then(Value::as_str).context("no key")?.to_owned())
    }

    /// Waits until a ping from here to an address is answered.
    ///
    /// # Errors
    /// When none is in time, with what the daemon said.
    pub fn wait_for(&self, address: Ipv6Addr) -> Result<()> {
        let (space, process) = (self.space()?, self.process.as_ref().context("it does not run")?);
        let crossed = crate::until(&format!("{space} reaches {address}"), CROSS, || net::pings(space, address.into()));
        crossed.with_context(|| process.said(15))
    }
}

/// Asks an admin socket; what it answers under `response`.
///
/// # Errors
/// When nobody answers, or the answer is no success.
pub fn ask(socket: &Path, request: &Value) -> Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(request.to_string().as_bytes())?;
    let mut text = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut text)?;
    let mut answer: Value = serde_json::from_str(&text)?;
    match answer.get("status").and_then(Value::as_str) {
        Some("success") => Ok(answer.get_mut("response").map(Value::take).unwrap_or_default()),
        _ => bail!("{request}: {answer}"),
    }
}

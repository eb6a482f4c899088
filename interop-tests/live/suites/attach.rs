//! A Yggdrasil daemon that runs, a node that attaches to it with one flag and without rights, and what is said when the
//! daemon goes, comes back, keeps its door shut, or has no interface.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::daemon::{Daemon, Plan};
use crate::lab::net::{self, Net};
use crate::lab::yggdrasil::{self, Yggdrasil};
use crate::{Site, Size, Verdict, until};

/// The group of the admin socket's users; as good as any that nobody else is in.
const GROUP: u32 = 64_321;

/// The end of the line that dials its neighbour, so that it is back as soon as it is started again.
const HERE: usize = 2;

/// Where nodes listen on their Yggdrasil address unless they are told otherwise.
const PORT: u16 = 7700;

/// Attaching is promised within seconds.
const ATTACH: Duration = Duration::from_secs(5);

/// How long a change of the daemon may take to be seen, and links to be there again.
const SEEN: Duration = Duration::from_secs(60);

pub(super) fn run(site: &Site, _size: Size) -> Result<Verdict> {
    if let Some(obstacle) = yggdrasil::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    used(site, &yggdrasil::program().context("no yggdrasil")?)
}

/// The same with a daemon of version 0.5.
pub(super) fn run_05(site: &Site, _size: Size) -> Result<Verdict> {
    match (Net::obstacle(), yggdrasil::program_05()) {
        (Some(obstacle), _) => Ok(Verdict::skip(obstacle)),
        (None, None) => Ok(Verdict::skip("no Yggdrasil 0.5: set YGG05 to its binary")),
        (None, Some(program)) => used(site, &program),
    }
}

fn used(site: &Site, program: &Path) -> Result<Verdict> {
    let mut net = Net::new();
    let mut lab = Yggdrasil::line_of(program, &mut net, site.dir(), &[Value::Null, Value::Null, Value::Null])?;
    lab.node_mut(HERE)?.let_in(GROUP)?;
    let host = lab.node(HERE)?.pid()?;

    let flag = [attach_to(&lab.node(HERE)?.socket())];
    let space = lab.node(HERE)?.space()?.to_owned();
    let plan = Plan { netns: Some(&space), nobody_in: Some(vec![GROUP]), attach: &flag, ..Plan::default() };
    let mut near = Daemon::plan(site, "near", &plan)?;
    let said = settings(near.home())?;
    near.start()?;
    let ready = Instant::now();
    let address = lab.node(HERE)?.address();
    let up = wait_for(&near, "up", None, ATTACH)?;
    let attached_ms = ready.elapsed().as_millis();
    let at = up.get("address").and_then(Value::as_str).unwrap_or_default().to_owned();
    let listeners = listeners(&space)?;
    let own = listeners == [format!("[{address}]:{PORT}")];
    let rights = rights(near.pid().context("it runs")?)?;

    let there = lab.node(0)?;
    let link = [attach_to(&there.socket()), format!("ygg://[{address}]:{PORT}#{}", near.node())];
    let plan = Plan { netns: Some(there.space()?), attach: &link, ..Plan::default() };
    let mut far = Daemon::plan(site, "far", &plan)?;
    far.start()?;
    linked(&near, &far)?;
    let linked_ms = ready.elapsed().as_millis();
    ensure!(lab.node(HERE)?.pid()? == host, "the Yggdrasil daemon was restarted");

    let restarted = restarted(&mut lab, &near, &far)?;
    near.stop()?;
    let denied = denied(site, &lab)?;
    let no_interface = no_interface(site, program)?;
    let no_admin = no_admin(site)?;

    let pass = at.contains(&address.to_string())
        && own
        && said <= 3
        && rights == "none"
        && denied == "degraded: admin-denied"
        && no_interface == "down: no-interface"
        && no_admin == "down: no-admin";
    if !pass {
        eprintln!("{}", near.log_tail(40));
    }
    let value = json!({
        "yggdrasil": yggdrasil::version(program)?, "flags": flag.len(), "lines_of_configuration": said,
        "capabilities": rights, "attached_ms": attached_ms, "address": at, "listens_on": listeners,
        "linked_ms": linked_ms, "restart": restarted, "no_access": denied, "no_interface": no_interface,
        "no_socket": no_admin,
    });
    Ok(Verdict::of(pass, value))
}

fn attach_to(socket: &Path) -> String {
    format!("yggdrasil:{}", socket.display())
}

/// Lines of a configuration that say anything about a network.
fn settings(home: &Path) -> Result<usize> {
    let text = fs::read_to_string(home.join("config.toml"))?;
    let says = |line: &&str| line.contains("yggdrasil") && !line.starts_with(['#', '[']);
    Ok(text.lines().map(str::trim).filter(says).count())
}

/// What status says of Yggdrasil.
pub(super) fn network(daemon: &Daemon, name: &str) -> Result<Value> {
    let status = daemon.json(&["status"])?;
    let networks = status.get("networks").and_then(Value::as_array).context("status names no networks")?;
    let is_it = |network: &&Value| network.get("network").and_then(Value::as_str) == Some(name);
    Ok(networks.iter().find(is_it).cloned().unwrap_or_default())
}

fn word<'a>(network: &'a Value, name: &str) -> &'a str {
    network.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Waits until status says so of Yggdrasil.
fn wait_for(daemon: &Daemon, state: &str, reason: Option<&str>, within: Duration) -> Result<Value> {
    let mut last = Value::Null;
    let what = format!("{} says that Yggdrasil is {state}", daemon.name());
    let said = until(&what, within, || {
        last = network(daemon, "yggdrasil")?;
        Ok(word(&last, "state") == state && reason.is_none_or(|reason| word(&last, "reason") == reason))
    });
    said.with_context(|| format!("it says {last}\n{}", daemon.log_tail(30)))?;
    Ok(last)
}

/// What status settles on within the time that attaching may take, in two words.
fn settled(daemon: &Daemon) -> Result<String> {
    let mut last = Value::Null;
    // Whatever it says last is judged by whoever asked.
    let _ = until("status settles", ATTACH, || {
        last = network(daemon, "yggdrasil")?;
        Ok(!matches!(word(&last, "state"), "" | "starting"))
    });
    Ok(format!("{}: {}", word(&last, "state"), word(&last, "reason")))
}

fn linked(near: &Daemon, far: &Daemon) -> Result<()> {
    let linked = until("they are linked over Yggdrasil", SEEN, || {
        let over = |peer: &Value| word(peer, "node") == near.node() && word(peer, "network") == "yggdrasil";
        Ok(far.peers()?.iter().any(over) && near.peers()?.len() == 1)
    });
    linked.with_context(|| format!("{}\n{}", near.log_tail(30), far.log_tail(30)))
}

/// Kills the daemon under a node, and starts it again.
fn restarted(lab: &mut Yggdrasil, near: &Daemon, far: &Daemon) -> Result<Value> {
    lab.node_mut(HERE)?.kill()?;
    let start = Instant::now();
    wait_for(near, "down", Some("address-gone"), SEEN)?;
    let noticed_ms = start.elapsed().as_millis();
    until("its link is given up", SEEN, || Ok(near.peers()?.is_empty()))?;
    lab.node_mut(HERE)?.start()?;
    let start = Instant::now();
    wait_for(near, "up", None, SEEN)?;
    let up_ms = start.elapsed().as_millis();
    linked(near, far)?;
    let linked_ms = start.elapsed().as_millis();
    Ok(json!({ "noticed_ms": noticed_ms, "up_again_ms": up_ms, "linked_again_ms": linked_ms }))
}

/// The same flag, but a user whom the daemon's socket does not let in.
fn denied(site: &Site, lab: &Yggdrasil) -> Result<String> {
    let here = lab.node(HERE)?;
    let flag = [attach_to(&here.socket())];
    let plan = Plan { netns: Some(here.space()?), nobody_in: Some(Vec::new()), attach: &flag, ..Plan::default() };
    let mut daemon = Daemon::plan(site, "denied", &plan)?;
    daemon.start()?;
    settled(&daemon)
}

/// A daemon without an interface, which needs no root: its address is on no machine.
fn no_interface(site: &Site, program: &Path) -> Result<String> {
    let plan = yggdrasil::Plan { space: None, listen: Vec::new(), peers: Vec::new(), info: Value::Null };
    let mut node = yggdrasil::Node::make(program, &site.dir().join("bare"), &plan)?;
    node.start()?;
    attached_to(site, "bare-node", &node.socket())
}

fn no_admin(site: &Site) -> Result<String> {
    attached_to(site, "lonely", &site.dir().join("nothing.sock"))
}

fn attached_to(site: &Site, name: &str, socket: &Path) -> Result<String> {
    let mut daemon = Daemon::plan(site, name, &Plan { attach: &[attach_to(socket)], ..Plan::default() })?;
    daemon.start()?;
    settled(&daemon)
}

/// Where TCP is listened on in a namespace.
fn listeners(space: &str) -> Result<Vec<String>> {
    let words = ["--no-header", "--tcp", "--listening", "--numeric", "--processes"];
    let lines = net::in_space(space, "ss", &words)?;
    // The Yggdrasil daemon's own are none of ours.
    let ours = lines.lines().filter(|line| line.contains("crosscast"));
    Ok(ours.filter_map(|line| line.split_whitespace().nth(3)).map(str::to_owned).collect())
}

/// The capabilities of a process, as the kernel counts them.
fn rights(pid: u32) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    let bare = line("CapEff:").chars().all(|digit| digit == '0') && !line("Uid:").starts_with("0\t");
    Ok(if bare { "none".to_owned() } else { format!("{} as {}", line("CapEff:"), line("Uid:")) })
}

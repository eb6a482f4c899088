//! Those who say on Yggdrasil what is not so, and whether each is refused by name: forged source addresses, another
//! node's NodeInfo, attestations that are foreign, forged or stale, a wrong key at the right address, a handshake and a
//! hello that somebody else has said before.
//!
//! The daemon is the shipped one, on a real Yggdrasil; who lies to it is a program of ours on the next node. Between the
//! lies an honest introduction is believed, so that nothing is refused for being unheard of.

use std::time::Duration;

use anyhow::{Context as _, Result};
use crosscast_wire::{AttestationDraft, AttestationFields, Network, NodeId, RustCrypto, SecretKey, WallMillis};
use crosscast_yggdrasil::NodeKey;
use serde_json::{Map, Value, json};

use crate::craft::{id, now, secret};
use crate::daemon::{Daemon, Plan};
use crate::lab::net::{self, Net};
use crate::lab::yggdrasil::{self, Node, Yggdrasil};
use crate::role::Actor;
use crate::{Site, Size, Verdict, until};

const PORT: u16 = 7700;

/// Where the liar listens.
const LURE: u16 = 7790;

/// How long a lie may take to be told from the truth.
const WITHIN: Duration = Duration::from_secs(20);

/// How long a neighbour's NodeInfo may take to be read.
const SURVEY: Duration = Duration::from_secs(90);

const HOUR_MS: u64 = 3_600_000;

pub(super) fn run(site: &Site, _size: Size) -> Result<Verdict> {
    if let Some(obstacle) = yggdrasil::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    let mut net = Net::new();
    // What the next node says in its NodeInfo was made for another.
    let until_ms = WallMillis(now().0.saturating_add(HOUR_MS));
    let copied = crosscast_yggdrasil::node_info(&secret(60, 0), &[7; 32], PORT, until_ms);
    let infos = [Value::Null, serde_json::from_str(&copied)?, Value::Null];
    let program = yggdrasil::program().context("no yggdrasil")?;
    let lab = Yggdrasil::line_of(&program, &mut net, site.dir(), &infos)?;
    let [home, next, far] = [lab.node(0)?, lab.node(1)?, lab.node(2)?];
    let lied_to = format!("[{}]:{PORT}", home.address());
    let mut honest = member(site, "honest", far, &[])?;
    honest.start()?;
    let wrong = format!("ygg://[{}]:{PORT}#{}", far.address(), id(&secret(60, 1)));
    let mut daemon = member(site, "lied-to", home, &[wrong])?;
    daemon.start()?;
    until("it listens", WITHIN, || net::listens(Some(home.space()?), PORT))?;

    let mut trial = Trial { daemon: &daemon, seen: Map::new(), pass: true };
    let mut liar = Actor::start(Some(next.space()?), &["pretend"])?;
    liar.hear_of("ready", WITHIN)?;
    for (name, word, wish) in lies(next, far, &lied_to)? {
        trial.lie(&mut liar, name, word, &wish)?;
    }
    trial.lie(
        &mut liar,
        "a handshake said again",
        Some("handshake-broken"),
        &json!({ "to": lied_to, "again": true }),
    )?;
    trial.spoofed(next, far, home)?;
    trial.in_log("a wrong key at the right address", "another key answered", WITHIN)?;
    trial.in_log("another node's NodeInfo", "attestation-foreign", SURVEY)?;
    trial.stolen(site, &mut liar, next, far, home)?;

    if !trial.pass {
        eprintln!("{}\n{}", daemon.log_tail(60), honest.log_tail(10));
    }
    Ok(Verdict::of(trial.pass, Value::Object(trial.seen)))
}

fn member(site: &Site, name: &str, node: &Node, more: &[String]) -> Result<Daemon> {
    let mut attach = vec![format!("yggdrasil:{}", node.socket().display())];
    attach.extend(more.iter().cloned());
    let daemon = Daemon::plan(site, name, &Plan { netns: Some(node.space()?), attach: &attach, ..Plan::default() })?;
    // Refusals before the hello are no news to an operator; they are looked for here.
    daemon.edit("# log = \"info\"", "log = \"debug\"")?;
    Ok(daemon)
}

/// What the liar says of itself, and the word for it; without a word it is the truth.
type Lie = (&'static str, Option<&'static str>, Value);

fn lies(next: &Node, far: &Node, to: &str) -> Result<Vec<Lie>> {
    let own = id(&secret(61, 0));
    let (key, foreign) = (next.key(), far.key());
    let another = secret(61, 1);
    let at = now().0;
    let lasting = (at.saturating_sub(HOUR_MS), at.saturating_add(HOUR_MS));
    let of_another = attestation(far, &another, lasting)?;
    let mut forged = attestation(next, &secret(61, 0), lasting)?;
    let last = if forged.pop() == Some('0') { '1' } else { '0' };
    forged.push(last);
    let stale = attestation(next, &secret(61, 0), (at.saturating_sub(3 * HOUR_MS), at.saturating_sub(HOUR_MS)))?;
    let subnet = subnet_host(next)?;
    let wish = |node: NodeId, key: &str, attestation: Option<&str>| json!({ "to": to, "node": node.to_string(), "key": key, "attestation": attestation });
    let mut in_subnet = wish(own, key, None);
    in_subnet.as_object_mut().context("an object")?.insert("from".to_owned(), json!(subnet));
    Ok(vec![
        ("the truth", None, wish(own, key, None)),
        ("another node's key", Some("address-not-owned"), wish(own, foreign, None)),
        ("all that another node says", Some("address-not-owned"), wish(id(&another), foreign, Some(&of_another))),
        ("another node's attestation", Some("attestation-foreign"), wish(own, key, Some(&of_another))),
        ("a forged attestation", Some("attestation-forged"), wish(own, key, Some(&forged))),
        ("a stale attestation", Some("attestation-expired"), wish(own, key, Some(&stale))),
        ("a host of the subnet without attestation", Some("attestation-missing"), in_subnet),
        ("the truth again", None, wish(own, key, None)),
    ])
}

/// An attestation of a Yggdrasil node for a node of ours, in hexadecimal digits.
fn attestation(host: &Node, node: &SecretKey, life: (u64, u64)) -> Result<String> {
    let key = NodeKey::from_config_text(&json!({ "PrivateKey": host.secret()? }).to_string())?;
    let fields = AttestationFields {
        network: Network::Yggdrasil,
        key: key.public(),
        node: id(node),
        not_before: WallMillis(life.0),
        not_after: WallMillis(life.1),
    };
    let draft = AttestationDraft::new(fields)?;
    let signature = key.sign(&draft.host_bytes());
    let made = draft.finish(&signature, node, &RustCrypto)?;
    Ok(made.bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Gives a node's namespace an address in the node's subnet.
fn subnet_host(node: &Node) -> Result<String> {
    let mut parts = node.address().segments();
    let [first, _, _, _, rest @ ..] = &mut parts;
    *first |= 0x100;
    *rest = [0, 0, 0, 5];
    let address = std::net::Ipv6Addr::from(parts).to_string();
    net::in_space(node.space()?, "ip", &["address", "add", &format!("{address}/128"), "dev", "lo"])?;
    Ok(address)
}

struct Trial<'a> {
    daemon: &'a Daemon,
    seen: Map<String, Value>,
    pass: bool,
}

impl Trial<'_> {
    /// Has a lie told, and looks whether it is believed and what it is called.
    fn lie(&mut self, liar: &mut Actor, name: &str, word: Option<&str>, wish: &Value) -> Result<()> {
        let before = word.map_or(0, |word| self.daemon.log_count(word));
        liar.tell(&wish.to_string())?;
        let answer = liar.hear_of("ended", WITHIN).with_context(|| name.to_owned())?;
        let ended = answer.get("ended").and_then(Value::as_str).unwrap_or_default() == "closed";
        let said = match word {
            Some(word) => {
                let named = until(name, Duration::from_secs(2), || Ok(self.daemon.log_count(word) > before)).is_ok();
                self.pass &= ended && named;
                if named { word } else { "not by name" }
            }
            None => {
                self.pass &= !ended;
                if ended { "refused" } else { "believed" }
            }
        };
        self.seen.insert(name.to_owned(), json!(said));
        Ok(())
    }

    /// Waits for words in the log.
    fn in_log(&mut self, name: &str, words: &str, within: Duration) -> Result<()> {
        let named = until(name, within, || Ok(self.daemon.log_count(words) > 0)).is_ok();
        self.pass &= named;
        self.seen.insert(name.to_owned(), json!(if named { words } else { "not by name" }));
        Ok(())
    }

    /// Packets with another node's address leave the next node; Yggdrasil itself drops them.
    fn spoofed(&mut self, next: &Node, far: &Node, home: &Node) -> Result<()> {
        let address = far.address().to_string();
        net::in_space(next.space()?, "ip", &["address", "add", &format!("{address}/128"), "dev", "lo"])?;
        let ping =
            net::in_space(next.space()?, "ping", &["-c", "2", "-W", "1", "-I", &address, &home.address().to_string()]);
        net::in_space(next.space()?, "ip", &["address", "del", &format!("{address}/128"), "dev", "lo"])?;
        self.pass &= ping.is_err();
        let said = if ping.is_err() { "dropped by Yggdrasil" } else { "delivered" };
        self.seen.insert("packets from another node's address".to_owned(), json!(said));
        Ok(())
    }

    /// An honest node says hello to the liar, who says the same to the daemon.
    fn stolen(&mut self, site: &Site, liar: &mut Actor, next: &Node, far: &Node, home: &Node) -> Result<()> {
        let at = format!("[{}]:{LURE}", next.address());
        liar.tell(&json!({ "listen": at, "key": next.key() }).to_string())?;
        liar.hear_of("listens", WITHIN)?;
        let mut lured = member(site, "lured", far, &[format!("ygg://{at}")])?;
        lured.edit("# port = 7700", "port = 7701")?;
        lured.start()?;
        let stole = liar.hear_of("stole", WITHIN).with_context(|| lured.log_tail(20))?;
        let before = self.daemon.rejects(&["bad-proof"])?;
        let to = format!("ygg://[{}]:{PORT}#{}", home.address(), self.daemon.node());
        let wish = json!({ "steal": true, "to": to, "key": next.key(), "from": next.address().to_string() });
        liar.tell(&wish.to_string())?;
        let answer = liar.hear_of("ended", WITHIN)?;
        let counted = self.daemon.rejects(&["bad-proof"])?.saturating_sub(before);
        let is_lured = stole.get("stole").and_then(Value::as_str) == Some(lured.node());
        self.pass &= counted == 1 && is_lured;
        let said = if counted == 1 { json!("bad-proof") } else { answer };
        self.seen.insert("a hello said again".to_owned(), said);
        Ok(())
    }
}

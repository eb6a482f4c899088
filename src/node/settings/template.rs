//! The text of a new `config.toml`: every key with its meaning, the ones that were asked for set.

use std::fmt::{Display, Write as _};
use std::path::Path;

use super::{Libp2pSettings, LimitSettings, NetworkSettings, Settings};

/// What the transports listen on unless they are told otherwise.
const EXAMPLE_PORT: u16 = 7700;

pub(super) fn render(settings: &Settings) -> String {
    let limits = LimitSettings::default();
    let mut text = String::from("# A crosscast node. `crosscast config check` checks this file.\n\n");
    text.push_str("# A name for peers to show, at most 64 bytes.\n");
    line(&mut text, "name", &quote(&settings.name), settings.name.is_empty());
    text.push_str("\n# What this node does for others: \"core\" (always on), \"edge\" (comes and goes), \"relay\".\n");
    let roles: Vec<&str> = settings.roles.words().collect();
    line(&mut text, "roles", &list(&roles), roles.is_empty());
    text.push_str("\n# Where it listens; port 0 picks a free one, shown by `crosscast status`.\n");
    let example = "[\"tls://[::]:7700\"]";
    locators(&mut text, "listen", &settings.listen, example);
    text.push_str("\n# Peers it keeps a link to; `#NODEID` behind one names the key that must answer. And running nodes of other\n");
    text.push_str("# networks that it uses: \"yggdrasil\", \"cjdns\", \"libp2p:/ip4/127.0.0.1/tcp/4001\".\n");
    locators(&mut text, "attach", &settings.attach, "[\"tls://peer.example:7700\", \"yggdrasil\"]");
    text.push_str("\n# What it logs: error, warn, info, debug, trace, or a filter; `run --log` goes before.\n");
    line(&mut text, "log", &quote(settings.log.as_deref().unwrap_or("info")), settings.log.is_none());
    text.push_str("\n[limits]\n# Bytes kept per group for peers and readers that come back, and for how long.\n");
    number(&mut text, "window_bytes", settings.limits.window_bytes, limits.window_bytes);
    number(&mut text, "window_seconds", settings.limits.window_ms / 1000, limits.window_ms / 1000);
    text.push_str("# Bytes kept in the inbox, and of the whole store on disk.\n");
    number(&mut text, "inbox_bytes", settings.limits.inbox_bytes, limits.inbox_bytes);
    number(&mut text, "store_bytes", settings.limits.store_bytes, limits.store_bytes);
    text.push_str(
        "# How many times the budgets of another prefix, a /24 or /48, a local one has against strangers' floods.\n",
    );
    number(&mut text, "lan_budget", settings.limits.lan_budget.into(), limits.lan_budget.into());
    text.push_str("\n[api]\n# A system group whose members may use api.sock, besides this node's user and root.\n");
    let group = settings.api.group.as_deref();
    line(&mut text, "group", &quote(group.unwrap_or("crosscast")), group.is_none());
    if let Some(tcp) = settings.api.tcp {
        line(&mut text, "tcp", &quote(&tcp.to_string()), false);
    }
    networks(&mut text, &settings.networks);
    text
}

/// The tables of the networks that `attach` can name a node of.
fn networks(text: &mut String, settings: &NetworkSettings) {
    let NetworkSettings { yggdrasil, cjdns, libp2p } = settings;
    text.push_str(
        "\n# What follows holds for the networks that `attach` names a running node of.\n[network.yggdrasil]\n",
    );
    text.push_str("# The port on the Yggdrasil address to listen on; whether to look for nodes beyond direct peers.\n");
    overlay(text, yggdrasil.port, yggdrasil.discover);
    text.push_str("# What `crosscast key attest yggdrasil` made, for peers that cannot see it from the address.\n");
    file(text, "attestation", yggdrasil.attestation.as_deref(), "attestations/yggdrasil");
    text.push_str("\n[network.cjdns]\n# As for Yggdrasil.\n");
    overlay(text, cjdns.port, cjdns.discover);
    file(text, "attestation", cjdns.attestation.as_deref(), "attestations/cjdns");
    text.push_str("# A file with the admin password of cjdns; without, .cjdnsadmin of the user who runs this node.\n");
    file(text, "password_file", cjdns.password_file.as_deref(), "cjdns.password");
    let defaults = Libp2pSettings::default();
    text.push_str("\n[network.libp2p]\n# Look for neighbours on the local network; carry groups by gossipsub; be reached by relay.\n");
    flag(text, "mdns", libp2p.mdns, defaults.mdns);
    flag(text, "carrier", libp2p.carrier, defaults.carrier);
    flag(text, "relay", libp2p.relay, defaults.relay);
    text.push_str("# The protocol of the DHT that is asked for others, where it is not the public one.\n");
    line(text, "dht", &quote(libp2p.dht.as_deref().unwrap_or("/ipfs/kad/1.0.0")), libp2p.dht.is_none());
}

fn overlay(text: &mut String, port: Option<u16>, discover: bool) {
    line(text, "port", &port.unwrap_or(EXAMPLE_PORT).to_string(), port.is_none());
    flag(text, "discover", discover, false);
}

fn flag(text: &mut String, key: &str, value: bool, default: bool) {
    line(text, key, &value.to_string(), value == default);
}

fn file(text: &mut String, key: &str, path: Option<&Path>, example: &str) {
    let shown = path.map_or_else(|| example.to_owned(), |path| path.display().to_string());
    line(text, key, &quote(&shown), path.is_none());
}

fn line(text: &mut String, key: &str, value: &str, is_comment: bool) {
    let mark = if is_comment { "# " } else { "" };
    let _ = writeln!(text, "{mark}{key} = {value}");
}

fn number(text: &mut String, key: &str, value: u64, default: u64) {
    line(text, key, &value.to_string(), value == default);
}

fn locators(text: &mut String, key: &str, values: &[impl Display], example: &str) {
    let words: Vec<String> = values.iter().map(ToString::to_string).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    line(text, key, &if words.is_empty() { example.to_owned() } else { list(&words) }, words.is_empty());
}

fn list(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!("[{}]", words.join(", "))
}

/// A basic string of TOML.
fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

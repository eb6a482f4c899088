//! The text of a new `config.toml`: every key with its meaning, the ones that were asked for set.

use std::fmt::{Display, Write as _};

use super::{LimitSettings, Settings};

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
    text.push_str("\n# Peers it keeps a link to; `#NODEID` behind one names the key that must answer.\n");
    locators(&mut text, "attach", &settings.attach, "[\"tls://peer.example:7700\"]");
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
    text
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

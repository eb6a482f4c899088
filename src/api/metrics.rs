//! What a monitor reads: Prometheus's text format, version 0.0.4.
//!
//! Labels are closed words of ours, keys, and names made safe to show; keys and names only of the groups that weigh most,
//! so that a node with ten thousand groups stays within a hundred lines of each kind. Nothing secret is in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use crosscast::{GroupView, PeerView};

use crate::inspect::resident_bytes;
use crate::server::{App, Reply};

/// Groups that are shown one by one. 100: what a person watches; the rest is one line.
const GROUPS: usize = 100;

/// `GET /metrics`
pub(crate) async fn show(State(app): State<App>) -> Reply {
    let (status, peers, groups) = (app.node.status().await?, app.node.peers().await?, app.node.groups().await?);
    let mut page = Page::default();
    let (node, name) = (status.node.to_string(), app.node.name());
    let info = [("node", node.as_str()), ("name", &name), ("version", &app.about.version), ("agent", &app.about.agent)];
    page.gauge("node_info", "The node; always 1.");
    page.line("node_info", &info, 1);
    page.gauge("uptime_seconds", "Seconds since the daemon started.");
    page.line("uptime_seconds", &[], app.started.elapsed().as_secs());
    page.gauge("resident_memory_bytes", "Resident memory of the daemon.");
    page.line("resident_memory_bytes", &[], resident_bytes().unwrap_or_default());
    page.gauge("listeners", "Places it listens on.");
    page.line("listeners", &[("state", "up")], status.listen.len() as u64);
    page.line("listeners", &[("state", "failed")], status.listen_failed.len() as u64);
    page.gauge("inbox_positions", "Positions of the node's log between the inbox's cursor and its newest message.");
    page.line("inbox_positions", &[], status.inbox_head.0.saturating_sub(status.inbox_acknowledged.0));
    page.peers(&peers);
    page.groups(&groups);
    page.counter("rejects_total", "Input of peers that was refused, by reason.");
    for (word, count) in &status.rejects {
        page.line("rejects_total", &[("reason", word)], *count);
    }
    let (published, streamed) = app.counters.read();
    page.counter("api_published_entries_total", "Entries that applications gave to be published.");
    page.line("api_published_entries_total", &[], published);
    page.counter("api_streamed_entries_total", "Entries that readers were given.");
    page.line("api_streamed_entries_total", &[], streamed);
    page.gauge("api_streams", "Streams and WebSockets that are open.");
    page.line("api_streams", &[], app.open_streams() as u64);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], page.text).into_response())
}

/// The page as it grows.
#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    fn gauge(&mut self, name: &str, help: &str) {
        self.head(name, "gauge", help);
    }

    fn counter(&mut self, name: &str, help: &str) {
        self.head(name, "counter", help);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP crosscast_{name} {help}\n# TYPE crosscast_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "crosscast_{name}{labels} {value}");
    }

    /// Sums by network and path: as many lines as there are words, however many peers.
    fn peers(&mut self, peers: &[PeerView]) {
        let mut sums: BTreeMap<(&str, &str), [u64; 4]> = BTreeMap::new();
        for peer in peers {
            let sum = sums.entry((peer.network.word(), peer.path.word())).or_default();
            let counts = [1, peer.rx_bytes, peer.tx_bytes, peer.queued_bytes];
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        }
        let families = [
            ("peers", "Linked peers, by the network and path of their preferred link."),
            ("peer_received_bytes", "Bytes received over preferred links that are up now."),
            ("peer_sent_bytes", "Bytes sent over preferred links that are up now."),
            ("peer_queued_bytes", "Bytes waiting for linked peers."),
        ];
        for (at, (name, help)) in families.into_iter().enumerate() {
            self.gauge(name, help);
            for ((network, path), sum) in &sums {
                self.line(name, &[("network", network), ("path", path)], sum.get(at).copied().unwrap_or_default());
            }
        }
    }

    /// The groups that weigh most, and the sum of the rest.
    fn groups(&mut self, groups: &[GroupView]) {
        self.gauge("groups", "Groups the node is part of.");
        self.line("groups", &[], groups.len() as u64);
        let mut heavy: Vec<&GroupView> = groups.iter().collect();
        heavy.sort_by_key(|group| (std::cmp::Reverse(group.bytes), group.group));
        let (shown, rest) = heavy.split_at(heavy.len().min(GROUPS));
        type Count = fn(&GroupView) -> u64;
        let families: [(&str, &str, Count); 3] = [
            ("group_messages", "Messages kept.", |group| group.messages),
            ("group_bytes", "Bytes kept.", |group| group.bytes),
            ("group_neighbours", "Linked peers that take part in the group.", |group| u64::from(group.neighbours)),
        ];
        for (name, help, count) in families {
            self.gauge(name, help);
            for group in shown {
                self.line(name, &[("group", &group.group.to_string()), ("name", &group.name)], count(group));
            }
            if !rest.is_empty() {
                let sum = rest.iter().map(|group| count(group)).fold(0, u64::saturating_add);
                self.line(name, &[("group", "other"), ("name", "")], sum);
            }
        }
    }
}

/// A label's value: safe to show, and escaped as the format wants it.
fn escaped(value: &str) -> String {
    // A newline is a control character, and none is left.
    crate::text::shown(value).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use crosscast::LogPos;
    use crosscast_wire::{GroupId, Policy};

    use super::*;

    fn group(number: u8, name: &str, bytes: u64) -> GroupView {
        GroupView {
            group: GroupId::new([number; 32]),
            name: name.to_owned(),
            policy: Policy::Open,
            sealed: true,
            keyholder: false,
            floor: 1,
            rights: crosscast_wire::Rights::NONE,
            rights_until: None,
            asking: None,
            neighbours: 2,
            messages: 3,
            bytes,
            head: LogPos(9),
        }
    }

    #[test]
    fn a_hostile_name_can_neither_end_its_label_nor_reach_a_terminal() {
        let mut page = Page::default();
        page.groups(&[group(1, "a\"} 1\nx\\\u{202e}\u{1b}[2J", 5)]);
        let line = page.text.lines().find(|line| line.starts_with("crosscast_group_bytes{")).unwrap();
        assert!(line.ends_with(r#"name="a\"} 1\\u{a}x\\\\u{202e}\\u{1b}[2J"} 5"#), "{line}");
        assert!(!page.text.contains(['\u{202e}', '\u{1b}']));
    }

    #[test]
    fn many_groups_are_a_hundred_lines_and_a_sum() {
        let groups: Vec<GroupView> = (0..=255).map(|number| group(number, "g", u64::from(number))).collect();
        let mut page = Page::default();
        page.groups(&groups);
        let lines: Vec<&str> = page.text.lines().filter(|line| line.starts_with("crosscast_group_bytes{")).collect();
        assert_eq!(lines.len(), GROUPS + 1);
        assert!(lines[0].ends_with(" 255"), "the heaviest first: {}", lines[0]);
        assert_eq!(
            *lines.last().unwrap(),
            format!("crosscast_group_bytes{{group=\"other\",name=\"\"}} {}", 155 * 156 / 2)
        );
    }
}

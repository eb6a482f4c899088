//! What a person sees of the demonstration: the topology with its counters, the path of each line, and the table.
//!
//! On a terminal the topology is drawn over itself below the lines; elsewhere there are only plain lines. With `--json`
//! there is data only.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::demo::ledger::{Arrival, Ledger, Seen, Totals};
use crate::demo::mesh::{Member, NAMES};
use crate::failure::Failure;
use crate::out::{Out, table};

/// Lines whose path is shown one by one; of more, every so many-th.
const PATHS: usize = 100;

/// Pause between two drawings. A tenth of a second: smooth enough.
const REDRAW: Duration = Duration::from_millis(100);

/// Shows things.
pub(crate) struct Show {
    out: Out,
    json: bool,
    /// Whether stderr is a terminal that the topology can be drawn on.
    live: bool,
    /// Lines of the drawing on the screen.
    drawn: usize,
    last: Instant,
    every: usize,
    /// Lines whose path was shown.
    shown: std::collections::BTreeSet<usize>,
}

#[derive(Debug, Serialize)]
struct NodeEvent<'a> {
    event: &'static str,
    name: &'a str,
    pid: u32,
    home: String,
    networks: &'a [String],
}

#[derive(Debug, Serialize)]
struct DeliveryEvent<'a> {
    event: &'static str,
    receiver: &'a str,
    line: Option<usize>,
    id: &'a str,
    index: u16,
    from: &'a str,
    hops: u8,
    network: Option<&'a str>,
    path: Option<&'a str>,
    latency_ms: f64,
}

impl Show {
    pub(crate) fn new(json: bool, lines: usize) -> Self {
        // A dumb terminal cannot draw over itself.
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let live = !json && !dumb && std::io::stderr().is_terminal();
        Self {
            out: Out::new(),
            json,
            live,
            drawn: 0,
            last: Instant::now(),
            every: lines.div_ceil(PATHS).max(1),
            shown: std::collections::BTreeSet::new(),
        }
    }

    /// A remark on stderr.
    pub(crate) fn say(&mut self, text: &str) {
        if !self.json {
            self.erase();
            eprintln!("{}", crosscast_api::shown(text));
        }
    }

    /// A node runs, or runs again.
    pub(crate) fn node(&mut self, member: &Member) -> Result<(), Failure> {
        let home = member.place.home.dir().display().to_string();
        let name = &member.place.name;
        if self.json {
            let event = NodeEvent { event: "node", name, pid: member.pid, home, networks: &member.networks };
            self.out.json(&event)?;
            return self.out.flush();
        }
        self.erase();
        let networks = member.networks.join(", ");
        self.out.line(&format!("node {name}  {}  pid {}  networks {networks}  {home}", member.node, member.pid))?;
        self.out.flush()
    }

    /// The chain, once it stands.
    pub(crate) fn chain(&mut self, members: &[Member], group: &str, lines: usize, source: &str) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        self.out.line(&format!("group  {group}"))?;
        let mut chain = members.first().map(|member| member.place.name.clone()).unwrap_or_default();
        for (member, before) in members.iter().skip(1).zip(members) {
            chain.push_str(&format!(" --{}-- {}", before.between(member), member.place.name));
        }
        self.out.line(&format!("chain  {chain}  (each linked with its neighbours only)"))?;
        self.out.line(&format!(
            "input  {lines} lines of {source}, published at {}",
            NAMES.first().copied().unwrap_or_default()
        ))?;
        self.out.flush()
    }

    /// A delivery, and the path of its line when it was the last that was missing.
    pub(crate) fn arrival(&mut self, arrival: &Arrival, ledger: &Ledger) -> Result<(), Failure> {
        let Arrival { receiver, line, view, seen } = arrival;
        if self.json {
            return self.out.json(&DeliveryEvent {
                event: "delivery",
                receiver: name_of(*receiver),
                line: line.map(|line| line.saturating_add(1)),
                id: &view.id,
                index: view.index,
                from: &view.from,
                hops: view.hops,
                network: view.network.as_deref(),
                path: view.path.as_deref(),
                latency_ms: crosscast_api::view::millis(seen.micros),
            });
        }
        match line {
            Some(line) if line % self.every == 0 => match ledger.everywhere(*line) {
                // Deliveries that came before their line was known are booked together and told one by one.
                Some(seen) if self.shown.insert(*line) => self.path(*line, &seen),
                Some(_) | None => Ok(()),
            },
            Some(_) => Ok(()),
            None => {
                self.erase();
                self.out.line(&format!(
                    "unverified at {}: message {} entry {}",
                    name_of(*receiver),
                    view.id,
                    view.index
                ))
            }
        }
    }

    fn path(&mut self, line: usize, seen: &[Seen]) -> Result<(), Failure> {
        self.erase();
        let mut text = format!("line {:<6} {}", line.saturating_add(1), NAMES.first().copied().unwrap_or_default());
        for (receiver, seen) in seen.iter().enumerate() {
            let (name, millis) = (name_of(receiver), crosscast_api::view::millis(seen.micros));
            text.push_str(&format!(
                " -> {name} {millis:.1} ms ({} hop{})",
                seen.hops,
                if seen.hops == 1 { "" } else { "s" }
            ));
        }
        self.out.line(&text)
    }

    /// Draws the topology again when it is time.
    pub(crate) fn tick(&mut self, ledger: &Ledger, up: &[bool]) -> Result<(), Failure> {
        if self.last.elapsed() < REDRAW {
            return Ok(());
        }
        self.last = Instant::now();
        self.out.flush()?;
        if !self.live {
            return Ok(());
        }
        self.erase();
        let mut boxes = vec![format!("{} {}", state(up, 0), ledger.handed())];
        boxes.extend(
            ledger
                .delivered()
                .iter()
                .enumerate()
                .map(|(at, count)| format!("{} {count}", state(up, at.saturating_add(1)))),
        );
        // Drawn on stderr, so that stdout stays a plain record.
        let _ = writeln!(std::io::stderr(), "  [{}]", boxes.join("]--tls--["));
        self.drawn = 1;
        Ok(())
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            // Up, and clear the line; a terminal that went away is no failure.
            let _ = write!(std::io::stderr(), "\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
    }

    /// The end: the table, or the object.
    pub(crate) fn totals(&mut self, totals: &Totals) -> Result<(), Failure> {
        self.erase();
        if self.json {
            self.out.json(totals)?;
            return self.out.flush();
        }
        let millis = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} ms"));
        let rows = [
            ("sent", totals.sent.to_string()),
            ("receivers", totals.receivers.to_string()),
            ("delivered", totals.delivered.to_string()),
            ("lost", totals.lost.to_string()),
            ("duplicates", totals.duplicates.to_string()),
            ("unverified", totals.unverified.to_string()),
            ("networks", totals.networks.join(", ")),
            ("p50 latency", millis(totals.p50_ms)),
            ("p99 latency", millis(totals.p99_ms)),
            ("relayed", totals.relayed.to_string()),
        ];
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
        self.out.line("")?;
        table(&rows).iter().try_for_each(|line| self.out.line(line))?;
        self.out.flush()
    }
}

/// Receivers are the nodes after the first.
fn name_of(receiver: usize) -> &'static str {
    NAMES.get(receiver.saturating_add(1)).copied().unwrap_or_default()
}

fn state(up: &[bool], node: usize) -> String {
    let name = NAMES.get(node).copied().unwrap_or_default();
    if up.get(node).copied().unwrap_or_default() { name.to_owned() } else { format!("{name}!") }
}

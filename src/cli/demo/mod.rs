//! `crosscast demo`: real nodes, real sockets, and a count of every line at every reader.
//!
//! Five child processes in a chain, and more where Yggdrasil or cjdns answers on this machine; the first publishes the input, the others read. `input` is what is said, `child` a
//! node's process, `mesh` the chain and its group, `flow` what goes in and out, `ledger` the books, `show` what a person
//! sees. It ends well only when every line arrived everywhere, exactly once, in order, and was what it should be.

mod child;
mod flow;
mod input;
mod ledger;
mod mesh;
mod show;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crosscast_api::view::EntryView;
use crosscast_api::{Code, Exit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::args::{DemoArgs, Global};
use crate::failure::Failure;
use flow::Logged;
use ledger::Ledger;
use mesh::Member;
use show::Show;

/// Happenings on their way to the books. 16,384: a burst at every reader, so that a reader's clock is read when an entry
/// arrives and not when the books are free.
const HAPPENINGS: usize = 16_384;

/// Threads that run tasks. 2: the books keep one busy, the readers another.
const WORKERS: usize = 2;

/// How long nothing may arrive before the rest counts as lost. 60 s: a gap is held for 30, a redial waits as long.
const STALLED: Duration = Duration::from_secs(60);

/// How long it is watched for repetitions when everything has arrived. 500 ms: every copy crosses in a few.
const LINGER: Duration = Duration::from_millis(500);

/// How often it is looked whether it is over.
const LOOK: Duration = Duration::from_millis(50);

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A node's process ended.
    Died { node: usize },
    /// It runs again.
    Started { node: usize, pid: u32, after: Duration },
    /// A node's reader reads.
    Reading,
    /// Lines were handed to the first node.
    Handed { first: usize, count: usize, at: Instant },
    /// What became of a line at the first node.
    Fate { line: usize, acknowledged: bool },
    /// An entry was read at a node.
    Entry { node: usize, at: Instant, view: Box<EntryView> },
    /// A reader was told that entries are missing.
    Gap { node: usize },
    /// Every line has its fate.
    Published,
    /// It cannot go on.
    Failed(Failure),
}

/// Runs the demonstration.
pub(crate) fn demo(args: &DemoArgs, global: &Global) -> Result<(), Failure> {
    let (lines, source) = input::lines(args)?;
    let base = folder()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("the runtime", &error))?;
    let mut show = Show::new(global.json, lines.len());
    let done = runtime.block_on(Box::pin(perform(&base, lines, &source, global.timeout, &mut show)));
    runtime.shutdown_background();
    match done {
        Ok(()) => {
            // Left behind only when the system does not let it go; it is in the temporary folder.
            let _ = std::fs::remove_dir_all(&base);
            Ok(())
        }
        Err(failure) if failure.cause == INTERRUPTED || failure.exit == Exit::Ok => {
            let _ = std::fs::remove_dir_all(&base);
            // A demonstration that nobody watched to its end has shown nothing.
            Err(Failure { exit: Exit::Failed, ..failure })
        }
        Err(failure) => {
            show.say(&format!("the homes of the nodes and their logs are kept in {}", base.display()));
            Err(failure)
        }
    }
}

/// A folder of our own with room for the paths of sockets.
fn folder() -> Result<PathBuf, Failure> {
    let name = format!("ccdemo-{}", std::process::id());
    let temp = std::env::temp_dir();
    // A long temporary folder leaves no room for a socket's path.
    let temp = if temp.as_os_str().len() > 60 { PathBuf::from("/tmp") } else { temp };
    let base = temp.join(name);
    let made = std::fs::DirBuilder::new().mode(0o700).create(&base);
    made.map_err(|error| Failure::io(base.display(), &error))?;
    Ok(base)
}

async fn perform(
    base: &Path,
    lines: Vec<Bytes>,
    source: &str,
    timeout: Option<Duration>,
    show: &mut Show,
) -> Result<(), Failure> {
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut interrupt = Interrupt::new()?;
    let (nodes, members) = tokio::select! {
        started = mesh::start(base) => started?,
        () = interrupt.wait() => return Err(interrupted()),
    };
    let (to, happenings) = mpsc::channel(HAPPENINGS);
    let (stop, stopping) = watch::channel(false);
    let mut keepers = JoinSet::new();
    for node in nodes {
        keepers.spawn(node.keep(stopping.clone(), to.clone()));
    }
    let mut stage = Stage::new(members, lines, show);
    let result = tokio::select! {
        result = stage.run(source, to, happenings, deadline) => result,
        () = interrupt.wait() => Err(interrupted()),
    };
    // Every child is gone before this process is.
    stop.send_replace(true);
    while keepers.join_next().await.is_some() {}
    result
}

/// What ends it when somebody wants it to end; nothing is kept then.
const INTERRUPTED: &str = "interrupted";

fn interrupted() -> Failure {
    let next = "Run it again; nothing is left behind.".to_owned();
    Failure { next, ..Failure::new(Code::DemoFailed, INTERRUPTED) }
}

/// SIGINT and SIGTERM.
struct Interrupt {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interrupt {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::io("signals", &error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The demonstration while it runs.
struct Stage<'a> {
    members: Vec<Member>,
    lines: Arc<Vec<Bytes>>,
    ledger: Ledger,
    show: &'a mut Show,
    up: Vec<bool>,
    logged: watch::Sender<Logged>,
    published: bool,
    progress: Instant,
    complete: Option<Instant>,
}

impl<'a> Stage<'a> {
    fn new(members: Vec<Member>, lines: Vec<Bytes>, show: &'a mut Show) -> Self {
        let speaker = members.first().map(|member| member.node.clone()).unwrap_or_default();
        let receivers = members.len().saturating_sub(1);
        Self {
            up: vec![true; members.len()],
            ledger: Ledger::new(lines.clone(), speaker, receivers),
            lines: Arc::new(lines),
            members,
            show,
            logged: watch::channel(Logged::default()).0,
            published: false,
            progress: Instant::now(),
            complete: None,
        }
    }

    /// Plays to the end, whatever that is, and sums up.
    async fn run(
        &mut self,
        source: &str,
        to: mpsc::Sender<Happening>,
        mut happenings: mpsc::Receiver<Happening>,
        deadline: Option<Instant>,
    ) -> Result<(), Failure> {
        let played = self.play(source, to, &mut happenings, deadline).await;
        self.end(played.err())
    }

    async fn play(
        &mut self,
        source: &str,
        to: mpsc::Sender<Happening>,
        happenings: &mut mpsc::Receiver<Happening>,
        deadline: Option<Instant>,
    ) -> Result<(), Failure> {
        for member in &self.members {
            self.show.node(member)?;
        }
        let group = mesh::join(&self.members).await?;
        self.show.chain(&self.members, &group, self.lines.len(), source)?;
        let mut flows = JoinSet::new();
        for member in &self.members {
            flows.spawn(Box::pin(flow::read(member.place.clone(), group.clone(), to.clone())));
        }
        // What is published before somebody listens would only be older, not lost; but it is to be seen live.
        for _ in 0..self.members.len() {
            if let Some(happening) = happenings.recv().await {
                self.take(happening)?;
            }
        }
        if let Some(first) = self.members.first() {
            let (lines, logged) = (Arc::clone(&self.lines), self.logged.subscribe());
            flows.spawn(Box::pin(flow::publish(first.place.clone(), group, lines, logged, to)));
        }
        self.progress = Instant::now();
        while !self.is_over() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Failure::new(Code::Timeout, "the time given with --timeout is over"));
            }
            if let Ok(Some(happening)) = tokio::time::timeout(LOOK, happenings.recv()).await {
                self.take(happening)?;
            }
            self.show.tick(&self.ledger, &self.up)?;
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let rested = self.complete.is_some_and(|complete| complete.elapsed() >= LINGER);
        (self.published && rested) || self.progress.elapsed() >= STALLED
    }

    fn take(&mut self, happening: Happening) -> Result<(), Failure> {
        match happening {
            Happening::Died { node } => {
                self.mark(node, false);
                self.show.say(&format!("node {} died; starting it again", self.name(node)));
            }
            Happening::Started { node, pid, after } => {
                self.mark(node, true);
                self.show.say(&format!("node {} is back after {} ms", self.name(node), after.as_millis()));
                if let Some(member) = self.members.get_mut(node) {
                    member.pid = pid;
                    self.show.node(member)?;
                }
            }
            Happening::Reading => {}
            Happening::Handed { first, count, at } => self.ledger.hand(first, count, at),
            Happening::Fate { line, acknowledged } => {
                if acknowledged {
                    self.ledger.acknowledge(line);
                }
            }
            Happening::Entry { node: 0, view, .. } => self.log(&view)?,
            Happening::Entry { node, at, view } => {
                self.progress = Instant::now();
                if let Some(arrival) = self.ledger.arrive(node.saturating_sub(1), at, view) {
                    self.show.arrival(&arrival, &self.ledger)?;
                }
            }
            Happening::Gap { node } => self.show.say(&format!("node {}: entries are missing", self.name(node))),
            Happening::Published => self.published = true,
            Happening::Failed(failure) => return Err(failure),
        }
        if self.complete.is_none() && self.ledger.is_complete() {
            self.complete = Some(Instant::now());
        }
        Ok(())
    }

    /// An entry of the first node's own log.
    fn log(&mut self, view: &EntryView) -> Result<(), Failure> {
        let arrivals = self.ledger.log(view);
        self.logged.send_replace(Logged { entries: self.ledger.logged(), cursor: view.cursor.clone() });
        for arrival in arrivals {
            self.show.arrival(&arrival, &self.ledger)?;
        }
        Ok(())
    }

    fn end(&mut self, over: Option<Failure>) -> Result<(), Failure> {
        for arrival in self.ledger.close() {
            self.show.arrival(&arrival, &self.ledger)?;
        }
        let totals = self.ledger.totals();
        let (unacknowledged, misordered) = (self.ledger.unacknowledged(), self.ledger.misordered());
        if unacknowledged > 0 {
            self.show.say(&format!("{unacknowledged} lines were not acknowledged by a next hop"));
        }
        self.show.totals(&totals)?;
        if let Some(failure) = over {
            return Err(failure);
        }
        let wrong = [
            (totals.lost, "lost"),
            (totals.duplicates, "duplicates"),
            (totals.unverified, "unverified"),
            (misordered, "out of order"),
        ];
        let wrong: Vec<String> =
            wrong.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if wrong.is_empty() { Ok(()) } else { Err(Failure::new(Code::DemoFailed, wrong.join(", "))) }
    }

    fn mark(&mut self, node: usize, up: bool) {
        self.progress = Instant::now();
        if let Some(slot) = self.up.get_mut(node) {
            *slot = up;
        }
    }

    fn name(&self, node: usize) -> String {
        self.members.get(node).map(|member| member.place.name.clone()).unwrap_or_default()
    }
}

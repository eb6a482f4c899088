//! What a socket gives to be published and sent: taken over in order, followed side by side.
//!
//! One task hands entries to the node in the order of their frames; another per entry waits for what becomes of it. What
//! is under way is bounded in number and in bytes; beyond, an ask is refused as busy and the socket goes on.

use std::time::{Duration, Instant};

use axum::extract::ws::Message;
use bytes::Bytes;
use crosscast::{Entry, NodeId, PublishOptions};
use crosscast_wire::limits::ENTRY_MAX;
use tokio::sync::mpsc;

use super::form::Form;
use super::words::{About, Publish, Say, Send};
use crate::inspect::recipient;
use crate::messages::{check_words, view};
use crate::params::{Wait, parse_class, parse_entry_key};
use crate::server::App;
use crate::settle::{Patience, Settled, Settler, settle_unicast};
use crate::view::{PayloadView, SentView};
use crate::{ApiError, Code};

/// Asks of a socket whose end was not told. 1,024: a second of a busy publisher.
pub(super) const OUTSTANDING: usize = 1_024;

/// Their payloads in bytes. 4 MiB: 64 of the largest.
pub(super) const OUTSTANDING_BYTES: usize = 4 << 20;

/// News on their way to the socket. 64: who does not read is waited for.
const NEWS: usize = 64;

/// News of an ask.
#[derive(Debug)]
pub(super) struct News {
    pub(super) message: Message,
    /// The bytes that are under way no longer, when this is the last news.
    done: Option<usize>,
}

/// What to do.
#[derive(Debug)]
enum Task {
    Publish { group: String, entry: Box<Entry>, options: PublishOptions },
    Send { to: NodeId, payload: Bytes, life: Option<Duration> },
}

#[derive(Debug)]
struct Job {
    number: u64,
    form: Form,
    bytes: usize,
    patience: Patience,
    task: Task,
}

/// The asks of a socket.
#[derive(Debug)]
pub(super) struct Jobs {
    to: mpsc::Sender<Job>,
    news: mpsc::Receiver<News>,
    count: usize,
    bytes: usize,
}

impl Jobs {
    pub(super) fn start(app: App) -> Self {
        let ((to, jobs), (tell, news)) = (mpsc::channel(OUTSTANDING), mpsc::channel(NEWS));
        tokio::spawn(Box::pin(work(app, jobs, tell)));
        Self { to, news, count: 0, bytes: 0 }
    }

    /// Waits for news of an ask.
    pub(super) async fn news(&mut self) -> Option<News> {
        let news = self.news.recv().await?;
        if let Some(bytes) = news.done {
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        Some(news)
    }

    pub(super) fn publish(&mut self, form: Form, ask: Publish) -> Result<(), ApiError> {
        let payload = payload(ask.payload, ask.payload_b64)?;
        check_words(ask.topic.as_deref(), ask.content_type.as_deref())?;
        let entry_key = ask.key.as_deref().map(parse_entry_key).transpose()?;
        let class = parse_class(ask.class.as_deref())?;
        let options = PublishOptions { class, life: ask.life_ms.map(Duration::from_millis), entry_key };
        let patience = Patience::new(Wait::parse(ask.wait.as_deref())?, ask.timeout_ms);
        let bytes = payload.len();
        let mut entry = Box::new(Entry::new(payload));
        (entry.meta.topic, entry.meta.content_type) = (ask.topic, ask.content_type);
        let task = Task::Publish { group: ask.group, entry, options };
        self.add(Job { number: ask.number, form, bytes, patience, task })
    }

    pub(super) fn send(&mut self, form: Form, ask: Send) -> Result<(), ApiError> {
        let payload = payload(ask.payload, ask.payload_b64)?;
        let patience = Patience::new(Wait::parse(ask.wait.as_deref())?, ask.timeout_ms);
        let (to, bytes) = (recipient(&ask.to)?, payload.len());
        let task = Task::Send { to, payload, life: ask.life_ms.map(Duration::from_millis) };
        self.add(Job { number: ask.number, form, bytes, patience, task })
    }

    fn add(&mut self, job: Job) -> Result<(), ApiError> {
        let bytes = self.bytes.saturating_add(job.bytes);
        if self.count >= OUTSTANDING || bytes > OUTSTANDING_BYTES {
            let cause = format!("{} asks with {} bytes are under way on this socket", self.count, self.bytes);
            return Err(ApiError::new(Code::Busy, cause));
        }
        (self.count, self.bytes) = (self.count.saturating_add(1), bytes);
        // There is room for as many as may be under way.
        self.to.try_send(job).map_err(|_| ApiError::new(Code::ShuttingDown, "the socket is closing"))
    }
}

fn payload(payload: Option<String>, payload_b64: Option<String>) -> Result<Bytes, ApiError> {
    let given = PayloadView { payload, payload_b64 };
    let cause = "either `payload` or `payload_b64` (padded base64)";
    let payload = given.bytes().ok_or_else(|| ApiError::new(Code::BadRequest, cause))?;
    match payload.len() {
        0..=ENTRY_MAX => Ok(payload),
        len => Err(ApiError::new(Code::TooLarge, format!("{len} bytes; an entry holds {ENTRY_MAX}"))),
    }
}

/// Whoever tells what becomes of one ask; nobody may listen any more.
#[derive(Clone, Debug)]
struct Teller {
    tell: mpsc::Sender<News>,
    form: Form,
    bytes: usize,
}

impl Teller {
    async fn tell(&self, say: &Say, is_last: bool) {
        let done = is_last.then_some(self.bytes);
        // The socket may be gone; what was taken over goes on.
        let _ = self.tell.send(News { message: self.form.write(say), done }).await;
    }
}

async fn work(app: App, mut jobs: mpsc::Receiver<Job>, tell: mpsc::Sender<News>) {
    while let Some(Job { number, form, bytes, patience, task }) = jobs.recv().await {
        let teller = Teller { tell: tell.clone(), form, bytes };
        let begun = match task {
            Task::Publish { group, entry, options } => {
                publish(&app, &teller, number, patience, &group, *entry, options).await
            }
            Task::Send { to, payload, life } => send(&app, &teller, number, patience, to, payload, life).await,
        };
        if let Err(error) = begun {
            teller.tell(&Say::error(About::ask(number), &error), true).await;
        }
    }
}

async fn publish(
    app: &App,
    teller: &Teller,
    number: u64,
    patience: Patience,
    group: &str,
    entry: Entry,
    options: PublishOptions,
) -> Result<(), ApiError> {
    let group = app.group(group).await?;
    let since = Instant::now();
    app.counters.published(1);
    let submitted = app.node.submit_tracked(group, vec![entry], options).await?;
    let (teller, mut settler) = (teller.clone(), Settler::new(app.clone(), group, patience));
    tokio::spawn(async move {
        let mut tracked = match submitted.await {
            Ok(tracked) => tracked,
            Err(error) => return teller.tell(&Say::error(About::ask(number), &error.into()), true).await,
        };
        let is_final = !patience.waits();
        let say =
            |settled: Settled, is_final| Say::Published { number, published: view(&tracked, 0, settled), is_final };
        teller.tell(&say(Settled::ACCEPTED, is_final), is_final).await;
        if !is_final {
            let settled = settler.settle(&mut tracked, since).await;
            let say = Say::Published { number, published: view(&tracked, 0, settled), is_final: true };
            teller.tell(&say, true).await;
        }
    });
    Ok(())
}

async fn send(
    app: &App,
    teller: &Teller,
    number: u64,
    patience: Patience,
    to: NodeId,
    payload: Bytes,
    life: Option<Duration>,
) -> Result<(), ApiError> {
    // Before sending, so that no news is missed.
    let outcomes = app.node.outcomes();
    let id = app.node.send(to, payload, life).await?;
    let (teller, app) = (teller.clone(), app.clone());
    tokio::spawn(async move {
        let is_final = !patience.waits();
        let say = |settled: Settled, is_final| Say::Sent { number, sent: SentView::of(id, settled.state), is_final };
        teller.tell(&say(Settled::ACCEPTED, is_final), is_final).await;
        if !is_final {
            let settled = settle_unicast(&app, outcomes, id, patience).await;
            teller.tell(&say(settled, true), true).await;
        }
    });
    Ok(())
}

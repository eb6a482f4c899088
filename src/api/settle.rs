//! Waiting for what becomes of a message, no longer than the caller wants, and not at all when nobody could answer.

use std::time::{Duration, Instant};

use crosscast::{Outcome, Outcomes, Tracked};
use crosscast_wire::{GroupId, MessageId, State};

use crate::ApiError;
use crate::params::{Params, Wait};
use crate::server::App;

/// How long a message waits for an acknowledgement when the caller names no time. 10 s: one idle timeout and a redial.
const WAIT: Duration = Duration::from_secs(10);

/// How long it waits while nobody is linked who could acknowledge. 2 s: a peer that was lost is redialled in 200 ms.
const GRACE: Duration = Duration::from_secs(2);

/// How often it is looked again whether somebody is linked. 250 ms: cheap, and soon enough after [`GRACE`].
const LOOK: Duration = Duration::from_millis(250);

/// What the caller waits for, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    wait: Wait,
    most: Duration,
}

impl Patience {
    /// Reads `wait` and `timeout_ms`.
    pub(crate) fn of(params: &Params) -> Result<Self, ApiError> {
        Ok(Self { wait: params.wait()?, most: params.millis("timeout_ms")?.unwrap_or(WAIT) })
    }

    /// Waits for this, for so many milliseconds at most.
    pub(crate) fn new(wait: Wait, timeout_ms: Option<u64>) -> Self {
        Self { wait, most: timeout_ms.map_or(WAIT, Duration::from_millis) }
    }

    /// Whether the caller wants to know more than that the message was accepted.
    pub(crate) fn waits(self) -> bool {
        self.wait != Wait::Accepted
    }

    /// How long it waits at most.
    pub(crate) const fn most(self) -> Duration {
        self.most
    }
}

/// What is known of a message when the wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) state: State,
    pub(crate) links: u32,
}

impl Settled {
    /// The daemon has it; more is not known.
    pub(crate) const ACCEPTED: Self = Self { state: State::Accepted, links: 0 };
}

/// Waits for published messages of one request, one after the other.
#[derive(Debug)]
pub(crate) struct Settler {
    app: App,
    group: GroupId,
    patience: Patience,
    /// Since when nobody has been linked who takes part in the group.
    lonely: Option<Instant>,
}

impl Settler {
    pub(crate) const fn new(app: App, group: GroupId, patience: Patience) -> Self {
        Self { app, group, patience, lonely: None }
    }

    /// Waits for a message that was published at `since`.
    pub(crate) async fn settle(&mut self, tracked: &mut Tracked, since: Instant) -> Settled {
        if !self.patience.waits() {
            return Settled::ACCEPTED;
        }
        let deadline = since + self.patience.most;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left.min(LOOK), tracked.outcome()).await {
                Ok(Some(outcome)) => return Settled { state: outcome.state, links: outcome.links },
                Ok(None) => return Settled::ACCEPTED,
                Err(_) if left <= LOOK || self.is_alone().await => return Settled::ACCEPTED,
                Err(_) => {}
            }
        }
    }

    /// Whether nobody has been linked for so long that waiting is of no use.
    async fn is_alone(&mut self) -> bool {
        let known = self.app.known(self.group, false).await;
        if known.is_ok_and(|known| known.is_some_and(|known| known.neighbours > 0)) {
            self.lonely = None;
            return false;
        }
        let now = Instant::now();
        now.duration_since(*self.lonely.get_or_insert(now)) >= GRACE
    }
}

/// Waits for a message to one node; `outcomes` was taken before the message was sent.
pub(crate) async fn settle_unicast(app: &App, mut outcomes: Outcomes, id: MessageId, patience: Patience) -> Settled {
    if !patience.waits() {
        return Settled::ACCEPTED;
    }
    let start = Instant::now();
    let mut seen = start;
    loop {
        let left = (start + patience.most).saturating_duration_since(Instant::now());
        match tokio::time::timeout(left.min(LOOK), next_of(&mut outcomes, id)).await {
            Ok(Some(outcome)) => return Settled { state: outcome.state, links: outcome.links },
            Ok(None) => return Settled::ACCEPTED,
            Err(_) if left <= LOOK => return Settled::ACCEPTED,
            Err(_) => {}
        }
        // Whoever is linked may know the way to the recipient, and is asked for it.
        let linked = app.node.status().await.is_ok_and(|status| status.peers > 0);
        if linked {
            seen = Instant::now();
        } else if seen.elapsed() >= GRACE {
            return Settled::ACCEPTED;
        }
    }
}

async fn next_of(outcomes: &mut Outcomes, id: MessageId) -> Option<Outcome> {
    loop {
        let outcome = outcomes.next().await?;
        if outcome.id == id && outcome.state != State::Accepted {
            return Some(outcome);
        }
    }
}

//! Reading the configuration again while the daemon runs, on SIGHUP.
//!
//! A file that cannot be used changes nothing. Of one that can, what may change at run time holds at once: `name`,
//! peers in `attach`, places to listen on that are new, `log`, and how much is kept; the rest is named as waiting for a restart.
//! What it came to is logged and stands in the status.

use std::time::{SystemTime, UNIX_EPOCH};

use crosscast::{Attach, Home, Locator, Node, Settings, Tuning};
use crosscast_api::Reloads;
use crosscast_api::view::ReloadView;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::{config, wings};

type Change = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// Changes what is logged.
pub(crate) struct LogSwitch {
    /// Whether the command line decides.
    fixed: bool,
    change: Change,
}

impl LogSwitch {
    /// What is logged when nobody says otherwise.
    pub(crate) const DEFAULT: &str = "info";

    /// A switch that does nothing while the command line decides.
    pub(crate) fn new(fixed: bool, change: Change) -> Self {
        Self { fixed, change }
    }

    /// Logs what a checked configuration says; whether that was done.
    pub(crate) fn set(&self, filter: Option<&str>) -> bool {
        if self.fixed {
            return false;
        }
        let filter = config::log_filter(filter.unwrap_or(Self::DEFAULT));
        match filter.and_then(|filter| (self.change)(filter)) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(error, "the log stays as it was");
                false
            }
        }
    }
}

/// Reads the configuration again.
pub(crate) struct Reloader {
    pub(crate) home: Home,
    /// What is in force.
    pub(crate) settings: Settings,
    pub(crate) log: LogSwitch,
    pub(crate) reloads: Reloads,
}

/// What a reading came to.
#[derive(Default)]
struct Outcome {
    changed: Vec<&'static str>,
    restart: Vec<&'static str>,
    failures: Vec<String>,
}

impl Reloader {
    /// Reads the file and does what can be done now.
    pub(crate) async fn reload(&mut self, node: &Node) {
        match config::settings(&self.home) {
            Ok(wanted) => {
                let outcome = self.apply(wanted, node).await;
                let (changed, restart) = (outcome.changed.join(", "), outcome.restart.join(", "));
                for failure in &outcome.failures {
                    tracing::error!(failure, "a change could not be made");
                }
                tracing::info!(changed, after_a_restart = restart, "configuration read again");
                self.tell(true, outcome);
            }
            Err(failure) => {
                let Failure { code, cause, .. } = failure;
                tracing::error!(code, cause, "the configuration cannot be used; nothing has changed");
                self.tell(false, Outcome { failures: vec![cause], ..Outcome::default() });
            }
        }
    }

    fn tell(&self, ok: bool, outcome: Outcome) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let words = |keys: Vec<&str>| keys.into_iter().map(str::to_owned).collect();
        self.reloads.tell(ReloadView {
            time: u64::try_from(now).unwrap_or(u64::MAX),
            ok,
            cause: Some(outcome.failures.join("; ")).filter(|cause| !cause.is_empty()),
            changed: words(outcome.changed),
            restart: words(outcome.restart),
        });
    }

    async fn apply(&mut self, wanted: Settings, node: &Node) -> Outcome {
        let mut outcome = Outcome::default();
        self.apply_tuning(&wanted, node, &mut outcome).await;
        self.apply_attach(&wanted, node, &mut outcome).await;
        self.apply_listen(&wanted, node, &mut outcome).await;
        if self.settings.log != wanted.log && self.log.set(wanted.log.as_deref()) {
            outcome.changed.push("log");
        }
        self.settings.log.clone_from(&wanted.log);
        let waiting = [
            ("roles", self.settings.roles != wanted.roles),
            ("limits.store_bytes", self.settings.limits.store_bytes != wanted.limits.store_bytes),
            ("limits.lan_budget", self.settings.limits.lan_budget != wanted.limits.lan_budget),
            ("api.group", self.settings.api.group != wanted.api.group),
            ("attach", !self.settings.hosts().eq(wanted.hosts())),
            ("network", self.settings.networks != wanted.networks),
        ];
        outcome.restart.extend(waiting.iter().filter(|(_, waits)| *waits).map(|(key, _)| *key));
        outcome
    }

    async fn apply_tuning(&mut self, wanted: &Settings, node: &Node, outcome: &mut Outcome) {
        let (old, new) = (self.settings.limits, wanted.limits);
        let differ = [
            ("name", self.settings.name != wanted.name),
            ("limits.window_bytes", old.window_bytes != new.window_bytes),
            ("limits.window_seconds", old.window_ms != new.window_ms),
            ("limits.inbox_bytes", old.inbox_bytes != new.inbox_bytes),
        ];
        let keys: Vec<&str> = differ.iter().filter(|(_, differs)| *differs).map(|(key, _)| *key).collect();
        if keys.is_empty() {
            return;
        }
        let tuning = Tuning {
            name: wanted.name.clone(),
            window_bytes: new.window_bytes,
            window_ms: new.window_ms,
            inbox_bytes: new.inbox_bytes,
        };
        match node.tune(tuning).await {
            Ok(()) => {
                self.settings.name.clone_from(&wanted.name);
                self.settings.limits.window_bytes = new.window_bytes;
                self.settings.limits.window_ms = new.window_ms;
                self.settings.limits.inbox_bytes = new.inbox_bytes;
                outcome.changed.extend(keys);
            }
            Err(error) => outcome.failures.push(format!("{}: {error}", keys.join(", "))),
        }
    }

    async fn apply_attach(&mut self, wanted: &Settings, node: &Node, outcome: &mut Outcome) {
        // Both were checked when they were read, so they can be named.
        let dialled = |settings| wings::dialled(settings).unwrap_or_default();
        let (gone, new) = differences(&dialled(&self.settings), &dialled(wanted));
        let mut any = false;
        for locator in gone {
            match node.detach(&locator).await {
                Ok(()) => any = true,
                Err(error) => outcome.failures.push(format!("attach {locator}: {error}")),
            }
        }
        for locator in new {
            match node.attach(&locator.to_string()).await {
                Ok(()) => any = true,
                Err(error) => outcome.failures.push(format!("attach {locator}: {error}")),
            }
        }
        // Host nodes are attached to by transports, and those are made at the start.
        let (old, new) = (self.settings.attach.iter(), wanted.attach.iter());
        let is_host = |attach: &&Attach| matches!(attach, Attach::Host(_));
        self.settings.attach = old.filter(is_host).chain(new.filter(|attach| !is_host(attach))).cloned().collect();
        outcome.changed.extend(any.then_some("attach"));
    }

    /// New places are listened on; one that is no longer named is left only by a restart.
    async fn apply_listen(&mut self, wanted: &Settings, node: &Node, outcome: &mut Outcome) {
        let (gone, new) = differences(&self.settings.listen, &wanted.listen);
        let mut any = false;
        for locator in new {
            match node.listen(&locator.to_string()).await {
                Ok(_) => {
                    self.settings.listen.push(locator);
                    any = true;
                }
                Err(error) => outcome.failures.push(format!("listen {locator}: {error}")),
            }
        }
        outcome.changed.extend(any.then_some("listen"));
        outcome.restart.extend((!gone.is_empty()).then_some("listen"));
    }
}

/// What only the old list has, and what only the new one has.
fn differences(old: &[Locator], new: &[Locator]) -> (Vec<Locator>, Vec<Locator>) {
    let without = |list: &[Locator], other: &[Locator]| {
        list.iter().filter(|locator| !other.contains(locator)).cloned().collect::<Vec<_>>()
    };
    (without(old, new), without(new, old))
}

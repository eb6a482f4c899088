//! Seeds run with the core, seeds run twice, and a core wrapped in lies that the checks must notice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crosscast_core::{Config, Delivery, Event, Input, Instant, Node, Now, Output, Reply};
use crosscast_port::{Recovered, Report, Request};
use crosscast_sim::{Entry, GroupPlan, Machine, NODES, Rule, Scenario, Violation, run_scenario, run_seed};
use crosscast_wire::{FrameType, Lane, NodeId, RawFrame, State};

/// Seeds in a run of the tests; the environment raises it.
const SEEDS: u64 = 20;

fn seeds() -> u64 {
    std::env::var("CROSSCAST_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}

#[test]
fn random_seeds_keep_every_rule() {
    let (next, count) = (AtomicU64::new(1), seeds());
    let failures: Vec<Violation> = std::thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed > count {
                    return failures;
                }
                failures.extend(run_seed(seed).err());
            }
        };
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let text: Vec<String> = failures.iter().map(Violation::to_string).collect();
    assert!(failures.is_empty(), "{} of {count} seeds of {NODES} nodes:\n{}", failures.len(), text.join("\n"));
}

#[test]
fn seeds_in_which_routers_once_left_some_of_a_list_out_keep_every_rule() {
    for seed in [56, 92, 274, 283] {
        run_seed(seed).unwrap();
    }
}

#[test]
fn a_seed_run_twice_gives_the_same_hash_and_another_seed_another() {
    let hash = |seed| run_scenario::<Node>(&Scenario::random(seed, 8)).unwrap().trace_hash;
    assert_eq!(hash(101), hash(101));
    assert_ne!(hash(101), hash(102));
}

#[test]
fn a_run_requires_deliveries_and_sees_faults() {
    let reports: Vec<_> = (1..=6).map(|seed| run_scenario::<Node>(&Scenario::random(seed, 8)).unwrap()).collect();
    let sum = |value: fn(&crosscast_sim::Report) -> u64| reports.iter().map(value).sum::<u64>();
    let (required, deliveries) = (sum(|report| report.required), sum(|report| report.deliveries));
    assert!(required > 1_000 && required * 4 > deliveries, "{required} of {deliveries} deliveries were required");
    assert!(sum(|report| report.faults as u64) > 20);
}

/// What a wrapped node lies about.
mod lie {
    pub(super) const FORGED: u8 = 0;
    pub(super) const DUPLICATE: u8 = 1;
    pub(super) const SWALLOWED: u8 = 2;
    pub(super) const SILENT: u8 = 3;
    pub(super) const STORED: u8 = 4;
    pub(super) const OVERDRAWN: u8 = 5;
    pub(super) const PANIC: u8 = 6;
    pub(super) const UNANSWERED: u8 = 7;
    pub(super) const BABBLE: u8 = 8;
    pub(super) const LAZY: u8 = 9;
    pub(super) const DEAF: u8 = 10;
    pub(super) const MEAN: u8 = 11;
}

/// The core, but for one lie.
struct Liar<const LIE: u8> {
    node: Node,
    now: Instant,
    begun: Instant,
    delivered: u64,
    pending: Option<Output>,
}

impl<const LIE: u8> Liar<LIE> {
    /// Some time into the run.
    fn late(&self) -> bool {
        self.now.micros_since(self.begun) > 20_000_000
    }

    fn told(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Deliver(reader, delivery) => {
                self.delivered += 1;
                let lie_now = self.delivered.is_multiple_of(40);
                match LIE {
                    lie::FORGED if lie_now => {
                        let forged = Delivery { from: NodeId::new([5; 32]), ..(*delivery).clone() };
                        Some(Event::Deliver(reader, Arc::new(forged)))
                    }
                    lie::DUPLICATE if lie_now => {
                        self.pending = Some(Output::Event(Event::Deliver(reader, Arc::clone(&delivery))));
                        Some(Event::Deliver(reader, delivery))
                    }
                    lie::SWALLOWED if lie_now => None,
                    lie::SILENT if self.late() => None,
                    _ => Some(Event::Deliver(reader, delivery)),
                }
            }
            Event::Outcome(mut outcome) => {
                if LIE == lie::STORED {
                    outcome.state = State::Stored;
                }
                Some(Event::Outcome(outcome))
            }
            Event::Reply(_, Reply::Peers(_)) if LIE == lie::UNANSWERED => None,
            Event::Reply(id, reply) => {
                assert!(!(LIE == lie::PANIC && self.late()), "a panic on purpose");
                Some(Event::Reply(id, reply))
            }
            event => Some(event),
        }
    }
}

impl<const LIE: u8> Machine for Liar<LIE> {
    fn boot(config: Config, recovered: Recovered, now: Now) -> Self {
        let node = Node::new(config, recovered, now);
        Self { node, now: now.mono, begun: now.mono, delivered: 0, pending: None }
    }

    fn handle(&mut self, now: Now, input: Input) {
        self.now = now.mono;
        let input = match (LIE, input) {
            (lie::DEAF | lie::MEAN, Input::Link(Report::Frames { link, mut frames })) => {
                // Deaf to what was taken back; mean to whoever asks for a key or for admission.
                let unheard = if LIE == lie::DEAF { FrameType::FLOOR } else { FrameType::ASK };
                frames.retain(|frame| frame.frame_type != unheard);
                Input::Link(Report::Frames { link, frames })
            }
            (_, input) => input,
        };
        self.node.handle(now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        if let Some(output) = self.pending.take() {
            return Some(output);
        }
        loop {
            let output = match self.node.poll_output()? {
                Output::Event(event) => match self.told(event) {
                    Some(event) => Output::Event(event),
                    None => continue,
                },
                Output::Link(Request::Dial { .. }) if LIE == lie::LAZY && self.late() => continue,
                Output::Link(Request::Send { link, mut frames }) if self.late() => {
                    let body = bytes::Bytes::from(vec![0; 400_000]);
                    match LIE {
                        lie::OVERDRAWN => {
                            frames.extend(vec![RawFrame::new(FrameType(0x80), Lane::Control, body); 3]);
                        }
                        lie::BABBLE => frames.push(RawFrame::new(FrameType::CREDIT, Lane::Control, body.slice(..2))),
                        _ => {}
                    }
                    Output::Link(Request::Send { link, frames })
                }
                output => output,
            };
            return Some(output);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout().map(|(at, _)| at)
    }
}

/// The first rule that breaks within a few scenarios without small windows.
fn broken_by<const LIE: u8>() -> Option<Rule> {
    let scenarios = (1..40).map(|seed| Scenario::random(seed, 5)).filter(|scenario| !scenario.small_window);
    scenarios.take(6).find_map(|scenario| run_scenario::<Liar<LIE>>(&scenario).err()).map(|violation| violation.rule)
}

/// The same within scenarios in which rights are taken back.
fn broken_in_closed_groups_by<const LIE: u8>() -> Option<Rule> {
    let revokes = |group: &GroupPlan| group.rights.as_ref().is_some_and(|rights| !rights.revoked.is_empty());
    let scenarios = (1..200).map(|seed| Scenario::random(seed, 6)).filter(|scenario| !scenario.small_window);
    let mut scenarios = scenarios.filter(|scenario| scenario.groups.iter().any(revokes)).take(6);
    scenarios.find_map(|scenario| run_scenario::<Liar<LIE>>(&scenario).err()).map(|violation| violation.rule)
}

#[test]
fn whoever_does_not_hear_of_a_revocation_or_answers_no_request_is_noticed() {
    assert_eq!(broken_in_closed_groups_by::<{ lie::DEAF }>(), Some(Rule::Rights));
    let rule = broken_in_closed_groups_by::<{ lie::MEAN }>();
    assert!(matches!(rule, Some(Rule::Rights | Rule::Command)), "{rule:?}");
}

#[test]
fn some_seeds_let_in_by_every_way_take_rights_back_and_renew() {
    let plans: Vec<_> =
        (1..=100).flat_map(|seed| Scenario::random(seed, NODES).groups).filter_map(|group| group.rights).collect();
    let entries: Vec<Entry> = plans.iter().flat_map(|plan| plan.entries.values().copied()).collect();
    assert!([Entry::Invite, Entry::Offline, Entry::Key].iter().all(|entry| entries.contains(entry)));
    let revoked: usize = plans.iter().map(|plan| plan.revoked.len()).sum();
    let short = plans.iter().filter(|plan| plan.life_ms.is_some()).count();
    assert!(plans.len() > 15 && revoked > 15 && short > 5, "{} {revoked} {short}", plans.len());
}

#[test]
fn every_lie_is_noticed() {
    assert_eq!(broken_by::<{ lie::FORGED }>(), Some(Rule::Forged));
    assert_eq!(broken_by::<{ lie::DUPLICATE }>(), Some(Rule::Duplicate));
    assert_eq!(broken_by::<{ lie::SWALLOWED }>(), Some(Rule::Gap));
    assert_eq!(broken_by::<{ lie::SILENT }>(), Some(Rule::Lost));
    assert_eq!(broken_by::<{ lie::STORED }>(), Some(Rule::Outcome));
    assert_eq!(broken_by::<{ lie::OVERDRAWN }>(), Some(Rule::Contract));
    assert_eq!(broken_by::<{ lie::PANIC }>(), Some(Rule::Panic));
    assert_eq!(broken_by::<{ lie::UNANSWERED }>(), Some(Rule::Command));
    assert_eq!(broken_by::<{ lie::BABBLE }>(), Some(Rule::Blame));
    assert_eq!(broken_by::<{ lie::LAZY }>(), Some(Rule::Link));
}

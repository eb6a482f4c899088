//! What must have arrived when everything was quiet for long enough, and what excuses a message that did not.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_wire::{MessageId, NodeId, State};

use super::{Broken, Fact, Ledger, Stream, To};
use crate::agenda::Micros;
use crate::violation::Rule;
use crate::world::HostId;

/// What happened in a run that may excuse a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Excuses {
    /// Runs that ended: host and run.
    pub(crate) ends: BTreeSet<(HostId, u64)>,
    /// Stores that lost something: host, when, and of which group when not of all.
    pub(crate) losses: Vec<(HostId, Micros, Option<usize>)>,
    /// Messages published before this need not have arrived: the window was too small to keep them.
    pub(crate) kept_since: Micros,
    /// Messages published after this need not have arrived yet.
    pub(crate) until: Micros,
    /// Messages published after this are passed on while nothing goes wrong any more.
    pub(crate) transit_until: Micros,
    /// Messages that some host had in hand while no way led from there to this recipient for as long as it is kept.
    pub(crate) strayed: BTreeSet<(MessageId, HostId)>,
    /// Hosts that must find each other.
    pub(crate) near: BTreeSet<(HostId, HostId)>,
    /// Hosts that take no more than a stranger's share from those they do not know: a router that has taken a message
    /// for one of them does not hear of it in time.
    pub(crate) picky: BTreeSet<HostId>,
    /// Whose rights in which group were taken back, and since when.
    pub(crate) revoked: BTreeMap<(HostId, usize), Micros>,
    /// When their life must have lasted to.
    pub(crate) end: Micros,
}

/// What the last check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Pairs of message and reader that had to be, and were.
    pub(crate) arrived: u64,
    /// Pairs that did not have to be, and were not, by what excuses them.
    pub(crate) excused: BTreeMap<&'static str, u64>,
}

impl Excuses {
    /// Whether the store of its publisher, or of another, may have lost a message.
    fn lost_by(&self, fact: &Fact, publisher: bool) -> bool {
        let concerns = |group: &Option<usize>| group.is_none_or(|group| fact.to == To::Group(group));
        let mut losses = self.losses.iter().filter(|(_, at, group)| *at >= fact.at && concerns(group));
        losses.any(|(host, _, _)| (*host == fact.host) == publisher)
    }

    /// Why a message may be missing at a host.
    fn cause(&self, id: &MessageId, fact: &Fact, host: HostId, shares: &Shares) -> Option<&'static str> {
        if fact.at > self.until {
            return Some("late");
        }
        if let To::Group(number) = fact.to
            && (self.revoked.contains_key(&(fact.host, number)) || self.revoked.contains_key(&(host, number)))
        {
            return Some("revoked");
        }
        if fact.at < self.kept_since {
            return Some("window");
        }
        if fact.at.saturating_add(fact.life_ms.saturating_mul(1_000)) < self.end.saturating_add(LIFE_SPARE) {
            return Some("life");
        }
        let (state, links) = (fact.told(host), fact.links(host));
        match state {
            Some(State::Expired | State::Refused | State::Dropped) => return Some("told"),
            Some(State::Accepted | State::Sent | State::Stored | State::Delivered) | None => {}
        }
        let passed_on = links > 0 && !matches!(fact.to, To::Group(_));
        if passed_on && self.strayed.contains(&(*id, host)) {
            return Some("transit");
        }
        if passed_on && self.picky.contains(&host) && shares.are_used_up(fact.host, host) {
            return Some("stranger");
        }
        // There was a way, and what had been learned while links came and went led elsewhere.
        if passed_on && fact.at < self.transit_until {
            return Some("misled");
        }
        // It waits for a way, which there may be none of.
        if state.is_none() && !matches!(fact.to, To::Group(_)) && !self.near.contains(&(fact.host, host)) {
            return Some("far");
        }
        let lost = if links > 0 {
            // A next hop has it on its disk, unless that lost something too.
            self.lost_by(fact, true) && self.lost_by(fact, false)
        } else {
            // A killed publisher has it in its store, but it may have been told of it before the commit.
            self.ends.contains(&(fact.host, fact.run)) || self.lost_by(fact, true)
        };
        lost.then_some("crash")
    }
}

/// How many messages came to inboxes: by sender and recipient, and by recipient.
#[derive(Debug, Default)]
struct Shares {
    of_senders: BTreeMap<(HostId, HostId), u64>,
    of_all: BTreeMap<HostId, u64>,
}

impl Shares {
    /// Whether so much came that a sender may have been refused as a stranger.
    fn are_used_up(&self, sender: HostId, host: HostId) -> bool {
        let came = |count: Option<&u64>, most: u64| count.is_some_and(|count| *count >= most);
        came(self.of_senders.get(&(sender, host)), STRANGER_MESSAGES) || came(self.of_all.get(&host), STRANGERS_BOX)
    }
}

/// What a stranger may leave within a day: the core's own word. Messages of a scenario are too short for its bytes.
const STRANGER_MESSAGES: u64 = 8;
/// Strangers' messages through one neighbour: 64, or somewhat fewer of the longest in its bytes.
const STRANGERS_BOX: u64 = 50;
/// Clocks differ by less than this; a message whose life ends so soon after the end may be over for some.
const LIFE_SPARE: Micros = 60_000_000;

impl Ledger {
    /// Whether everything that had to arrive did.
    ///
    /// # Errors
    /// The first message that did not arrive at a reader.
    pub(crate) fn check_end(&self, excuses: &Excuses) -> Result<Finding, Broken> {
        let mut finding = Finding::default();
        let shares = self.shares();
        for (id, fact) in &self.messages {
            for ((host, stream), chain) in &self.chains {
                if !stream.takes(fact.to, *host) || chain.since > fact.at {
                    continue;
                }
                let cause = excuses.cause(id, fact, *host, &shares);
                if chain.has(id) {
                    finding.arrived = finding.arrived.saturating_add(u64::from(cause.is_none()));
                    continue;
                }
                let marked = self.passed_over(*host, *stream, fact).then_some("gap");
                let Some(cause) = cause.or(marked) else {
                    return Err((Rule::Lost, self.story(*host, *stream, id, fact)));
                };
                let count = finding.excused.entry(cause).or_default();
                *count = count.saturating_add(1);
            }
        }
        Ok(finding)
    }

    /// What came to inboxes.
    fn shares(&self) -> Shares {
        let mut shares = Shares::default();
        let single = self.messages.iter().filter(|(_, fact)| !matches!(fact.to, To::Group(_)));
        for (id, fact) in single {
            for ((host, stream), chain) in &self.chains {
                if *stream == Stream::Inbox && chain.has(id) {
                    let of_sender = shares.of_senders.entry((fact.host, *host)).or_default();
                    *of_sender = of_sender.saturating_add(1);
                    let of_all = shares.of_all.entry(*host).or_default();
                    *of_all = of_all.saturating_add(1);
                }
            }
        }
        shares
    }

    fn passed_over(&self, host: HostId, stream: Stream, fact: &Fact) -> bool {
        let Some((instance, seq)) = fact.seq else { return false };
        let node = self.nodes.iter().find(|(_, hosts)| hosts.contains(&fact.host)).map(|(node, _)| *node);
        let group = self.groups.iter().find(|(_, number)| To::Group(**number) == fact.to).map(|(group, _)| *group);
        let senders = [node, group.map(|group| NodeId::new(*group.as_bytes()))];
        let chain = self.chains.get(&(host, stream));
        chain
            .is_some_and(|chain| senders.into_iter().flatten().any(|sender| chain.passed_over((sender, instance), seq)))
    }

    fn story(&self, host: HostId, stream: Stream, id: &MessageId, fact: &Fact) -> String {
        let has = |(other, at): &&(HostId, Stream)| *at == stream && *other != host;
        let others = self.chains.iter().filter(|(key, _)| has(key));
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for ((other, _), chain) in others {
            if chain.has(id) { with.push(other.0) } else { without.push(other.0) }
        }
        let told = fact.told(host).map_or("nothing", State::word);
        format!(
            "n{} {stream:?} never got {id:?} (seq {:?}), published by n{} at {}.{:06}, told {told} ({} links); \
             n{with:?} have it, n{without:?} not",
            host.0,
            fact.seq,
            fact.host.0,
            fact.at / 1_000_000,
            fact.at % 1_000_000,
            fact.links(host),
        )
    }
}

//! The ledger: what was published, what was told about it, and what every reader got.
//!
//! Each entry carries a token, a number that the ledger gave out, so that whatever is delivered can be held against
//! what was published. Deliveries are checked as they come; what must have arrived is checked at the end.

mod chain;
mod end;
mod facts;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crosscast_core::{Delivery, Outcome, ReaderId, Source};
use crosscast_wire::{GroupId, Instance, MessageId, NodeId, Order, State};

pub(crate) use chain::Chain;
pub(crate) use end::{Excuses, Finding};
pub(crate) use facts::{Fact, Sent, To, payload};

use crate::agenda::Micros;
use crate::violation::Rule;
use crate::world::HostId;

/// A broken rule and what was seen.
pub(crate) type Broken = (Rule, String);

/// What is delivered to a reader of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stream {
    /// A group, by its number in the scenario, from the oldest that is kept.
    Group(usize),
    /// The same, from what came next when it began.
    Tail(usize),
    /// The inbox.
    Inbox,
}

impl Stream {
    /// Whether what was sent there belongs here, on this host.
    fn takes(self, to: To, host: HostId) -> bool {
        match (self, to) {
            (Self::Group(number) | Self::Tail(number), To::Group(group)) => number == group,
            (Self::Inbox, to) => to.names(host),
            (Self::Group(_) | Self::Tail(_), To::Host(_) | To::List(_)) => false,
        }
    }
}

/// Everything that is known of a run's messages.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By token.
    sent: Vec<Sent>,
    messages: BTreeMap<MessageId, Fact>,
    chains: BTreeMap<(HostId, Stream), Chain>,
    /// More than one host where machines are twins.
    nodes: BTreeMap<NodeId, BTreeSet<HostId>>,
    groups: BTreeMap<GroupId, usize>,
    gap_us: Micros,
    retired_skipped: u64,
    pub(crate) deliveries: u64,
}

impl Ledger {
    /// An empty ledger; a gap may be given up after `gap_us` by a clock that is right to a thousandth.
    pub(crate) fn new(gap_us: Micros) -> Self {
        Self { gap_us: gap_us.saturating_sub(gap_us / 1_000), ..Self::default() }
    }

    pub(crate) fn add_node(&mut self, node: NodeId, host: HostId) {
        self.nodes.entry(node).or_default().insert(host);
    }

    /// The host that has a key, the first where several do.
    pub(crate) fn host_of(&self, node: &NodeId) -> Option<HostId> {
        self.nodes.get(node).and_then(|hosts| hosts.first()).copied()
    }

    pub(crate) fn add_group(&mut self, group: GroupId, number: usize) {
        self.groups.insert(group, number);
    }

    /// Gives out a token.
    pub(crate) fn publish(&mut self, sent: Sent) -> u64 {
        let token = self.sent.len() as u64;
        self.sent.push(sent);
        token
    }

    fn sent(&self, token: u64) -> Option<&Sent> {
        self.sent.get(usize::try_from(token).ok()?)
    }

    fn sent_mut(&mut self, token: u64) -> Option<&mut Sent> {
        self.sent.get_mut(usize::try_from(token).ok()?)
    }

    /// Where the first of some entries went; to nobody when there are none.
    pub(crate) fn destination(&self, tokens: &[u64]) -> To {
        tokens.first().and_then(|token| self.sent(*token)).map_or(To::List(0), |sent| sent.to)
    }

    /// The publisher was told that its entries were not taken.
    pub(crate) fn refused(&mut self, tokens: &[u64]) {
        for token in tokens {
            if let Some(sent) = self.sent_mut(*token) {
                sent.refused = true;
            }
        }
    }

    /// The publisher was told which message its entries are in.
    ///
    /// # Errors
    /// Two publishes with one place.
    pub(crate) fn published(&mut self, id: MessageId, first: u16, tokens: &[u64]) -> Result<(), Broken> {
        for (index, token) in (first..).zip(tokens) {
            let Some(sent) = self.sent_mut(*token) else { continue };
            sent.place = Some((id, index));
            let (to, host, run, at, wall_ms, life_ms) =
                (sent.to, sent.host, sent.run, sent.at, sent.wall_ms, sent.life_ms);
            let fact = self.messages.entry(id).or_insert_with(|| Fact::new(to, host, run, at, wall_ms, life_ms));
            if fact.to != to || fact.host != host || fact.run != run {
                return Err((Rule::Outcome, format!("one message id {id:?} for two publishers or destinations")));
            }
            if fact.entries.insert(index, *token).is_some_and(|other| other != *token) {
                return Err((Rule::Outcome, format!("two entries were told to be number {index} of {id:?}")));
            }
        }
        Ok(())
    }

    /// The publisher was told what became of a message; `wall_ms` is its clock.
    ///
    /// # Errors
    /// What it was told is not so.
    pub(crate) fn outcome(&mut self, host: HostId, run: u64, wall_ms: u64, outcome: Outcome) -> Result<(), Broken> {
        let Outcome { id, state, links, to, code: _ } = outcome;
        let recipient = to.and_then(|node| self.host_of(&node));
        let broken = |what: String| Err((Rule::Outcome, what));
        let Some(fact) = self.messages.get_mut(&id) else {
            return broken(format!("n{} was told {state} of {id:?}, which nobody published", host.0));
        };
        if fact.host != host || fact.run != run {
            return broken(format!("n{} was told {state} of {id:?}, which n{} published", host.0, fact.host.0));
        }
        if let Some(recipient) = recipient {
            if !fact.to.names(recipient) {
                return broken(format!("n{} was told {state} of {id:?} for n{}", host.0, recipient.0));
            }
            let before = fact.told.insert(recipient, state);
            if before.is_some_and(|before| before != state) {
                return broken(format!("{id:?} was told {before:?} and {state} for n{}", recipient.0));
            }
            return Ok(());
        }
        let group = matches!(fact.to, To::Group(_));
        match state {
            State::Sent if group && (links == 0 || links < fact.links) => {
                return broken(format!("{id:?} was sent over {links} links after {}", fact.links));
            }
            State::Expired if fact.wall_ms.saturating_add(fact.life_ms) > wall_ms.saturating_add(CLOCK_STEP_MS) => {
                return broken(format!("{id:?} was told expired before its time"));
            }
            State::Expired | State::Refused | State::Dropped if fact.links > 0 => {
                return broken(format!("{id:?} was told {state} after it was sent"));
            }
            State::Stored => return broken(format!("{id:?} was told stored, and no core stores yet")),
            State::Accepted | State::Sent | State::Delivered | State::Expired | State::Refused | State::Dropped => {}
        }
        fact.links = fact.links.max(links);
        fact.state = Some(state);
        Ok(())
    }

    /// A reader of a group or of the inbox starts; `anew` when it may be given again what it had.
    pub(crate) fn subscribe(&mut self, host: HostId, stream: Stream, now: Micros, window: u32, anew: bool) {
        let chain = self.chains.entry((host, stream)).or_insert_with(|| Chain::new(now));
        chain.subscribe(now, window, anew);
    }

    /// A reader is gone for good: nothing is owed to it any more.
    pub(crate) fn retire(&mut self, host: HostId, stream: Stream) {
        if let Some(chain) = self.chains.remove(&(host, stream)) {
            self.retired_skipped = self.retired_skipped.saturating_add(chain.skipped());
        }
    }

    pub(crate) fn chain_mut(&mut self, host: HostId, stream: Stream) -> Option<&mut Chain> {
        self.chains.get_mut(&(host, stream))
    }

    /// A reader got a message.
    ///
    /// # Errors
    /// It should not have.
    pub(crate) fn deliver(
        &mut self,
        host: HostId,
        reader: ReaderId,
        now: Micros,
        delivery: &Delivery,
    ) -> Result<Stream, Broken> {
        self.deliveries = self.deliveries.saturating_add(1);
        let (first, last) = ((host, Stream::Group(0)), (host, Stream::Inbox));
        let reads = |(_, chain): &(&(HostId, Stream), &Chain)| chain.reader == Some(reader);
        let Some(stream) = self.chains.range(first..=last).find(reads).map(|((_, stream), _)| *stream) else {
            return Err((Rule::Forged, format!("n{}: a delivery to reader {}, which is nobody's", host.0, reader.0)));
        };
        let source = match delivery.source {
            Source::Group(group) => self.groups.get(&group).map(|number| To::Group(*number)),
            Source::Inbox => Some(To::Host(host)),
        };
        if !source.is_some_and(|source| stream.takes(source, host)) {
            return Err((Rule::Forged, format!("n{} {stream:?} was given {:?}", host.0, delivery.source)));
        }
        self.check_origin(host, stream, delivery)?;
        let published = self.messages.get(&delivery.id).map_or(0, |fact| fact.at);
        let gap_us = self.gap_us;
        let Some(chain) = self.chains.get_mut(&(host, stream)) else {
            return Err((Rule::Forged, format!("n{} was given {:?} without a reader", host.0, delivery.id)));
        };
        let given_up_early = delivery.gap && now < published.saturating_add(gap_us);
        chain.deliver(delivery, delivery.order == Order::Fifo, given_up_early).map_err(|(rule, what)| {
            let (id, from) = (delivery.id, delivery.from);
            (rule, format!("n{} {stream:?}: {id:?} from {from:?} seq {}: {what}", host.0, delivery.seq.0))
        })?;
        Ok(stream)
    }

    /// Whether its sender published exactly this.
    fn check_origin(&mut self, host: HostId, stream: Stream, delivery: &Delivery) -> Result<(), Broken> {
        let forged = |what: String| Err((Rule::Forged, format!("n{} was given {:?}: {what}", host.0, delivery.id)));
        let mut tokens = Vec::new();
        for (index, entry) in (0_u16..).zip(delivery.entries.iter()) {
            let Some(token) = facts::token(&entry.payload) else { return forged("an entry without a token".into()) };
            let Some(sent) = self.sent(token) else { return forged(format!("token {token} was never given out")) };
            if payload(token, sent.len) != entry.payload {
                return forged(format!("entry {index} is not what was published under token {token}"));
            }
            if sent.refused {
                return forged(format!("token {token} was refused to its publisher"));
            }
            if sent.place.is_some_and(|place| place != (delivery.id, index)) {
                let place = sent.place;
                let twice =
                    format!("n{}: token {token} came as {:?} {index}, published as {place:?}", host.0, delivery.id);
                return Err((Rule::Duplicate, twice));
            }
            let by_group_key = matches!(sent.to, To::Group(group)
                if self.groups.get(&GroupId::new(*delivery.from.as_bytes())) == Some(&group));
            let by_host = self.nodes.get(&delivery.from).is_some_and(|hosts| hosts.contains(&sent.host));
            if !by_group_key && !by_host {
                return forged(format!("from {:?}, but n{} published token {token}", delivery.from, sent.host.0));
            }
            if !stream.takes(sent.to, host) {
                return forged(format!("token {token} was sent to {:?}", sent.to));
            }
            tokens.push(token);
        }
        let Some(first) = tokens.first().copied() else { return forged("no entries".into()) };
        self.check_message(delivery, first, &tokens).or_else(forged)
    }

    /// Whether the message is the same wherever it comes.
    fn check_message(&mut self, delivery: &Delivery, first: u64, tokens: &[u64]) -> Result<(), String> {
        let Some(sent) = self.sent(first) else { return Ok(()) };
        let (to, host, run, at, wall_ms, life_ms) = (sent.to, sent.host, sent.run, sent.at, sent.wall_ms, sent.life_ms);
        let id = delivery.id;
        let fact = self.messages.entry(id).or_insert_with(|| Fact::new(to, host, run, at, wall_ms, life_ms));
        let is = (delivery.instance, delivery.seq);
        let was = *fact.seq.get_or_insert(is);
        if was != is {
            return Err(format!("instance and number {is:?}, elsewhere {was:?}"));
        }
        for (index, token) in (0_u16..).zip(tokens) {
            let other = *fact.entries.entry(index).or_insert(*token);
            if other != *token {
                return Err(format!("entry {index} is token {token}, elsewhere {other}"));
            }
        }
        if fact.entries.len() != tokens.len() {
            return Err(format!("{} entries of {}", tokens.len(), fact.entries.len()));
        }
        for (index, token) in (0_u16..).zip(tokens) {
            if let Some(sent) = self.sent_mut(*token) {
                sent.place = Some((id, index));
            }
        }
        Ok(())
    }

    /// Messages that have an id.
    pub(crate) fn message_count(&self) -> u64 {
        self.messages.len() as u64
    }

    /// Messages passed over behind marked gaps, over all readers.
    pub(crate) fn skipped(&self) -> u64 {
        self.chains.values().map(Chain::skipped).fold(self.retired_skipped, u64::saturating_add)
    }

    /// Messages by what their publisher was last told.
    pub(crate) fn states(&self) -> BTreeMap<&'static str, u64> {
        let mut states = BTreeMap::new();
        for fact in self.messages.values() {
            let count: &mut u64 = states.entry(fact.state.map_or("none", State::word)).or_default();
            *count = count.saturating_add(1);
        }
        states
    }
}

/// Clocks may be set back while a message is under way; the scenario sets them by less than this.
const CLOCK_STEP_MS: u64 = 60_000;

/// A sender as order knows it.
pub(crate) type Sender = (NodeId, Instance);

//! The carriers of a swarm: which topics are joined, where a carrier is needed, and what passes between gossipsub and the
//! node.
//!
//! A topic is joined while the node meets others there. A carrier is up only while it is needed: while a neighbour that
//! does not speak our protocol has joined the topic, so that others may be behind it whom no stream reaches.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crosscast_port::Judgement;
use crosscast_transport::Reporter;
use crosscast_wire::Rendezvous;
use libp2p::PeerId;
use libp2p::gossipsub::{IdentTopic, Message, MessageAcceptance, MessageId, PublishError, TopicHash};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tracing::{debug, trace};

use crate::carrier::budget::Budgets;
use crate::carrier::codec;
use crate::carrier::gossip::Gossip;
use crate::carrier::link::{self, Handed, INBOX, Word, Words};
use crate::carrier::pending::{Origin, Pending};

/// Bytes on their way up in all carriers, in KiB. 8 MiB: what the node may have waiting of sixteen links.
const ROOM_KIB: usize = 8 * 1024;
/// Words of carriers that wait for the swarm.
const WORDS: usize = 64;
/// Bytes that wait to be published; the oldest go first when there are more. 4 MiB: four of the node's queues.
const WAITING_MAX: usize = 4 << 20;
/// How long a payload waits for somebody to take it. 10 s: then streams have brought it, or nobody is there.
const WAITING: Duration = Duration::from_secs(10);
/// Pause before publishing is tried again. 500 ms: half of gossipsub's own beat.
const AGAIN: Duration = Duration::from_millis(500);
/// How long a carrier outlives the need for it, since neighbours come and go. 30 s.
const LINGER: Duration = Duration::from_secs(30);
/// Neighbours that are known not to speak our protocol. 1,024: more than may be connected.
const FOREIGN: usize = 1_024;

/// Every carrier, and what they share.
#[derive(Debug)]
pub(super) struct Carriers {
    always: bool,
    places: BTreeMap<Rendezvous, Place>,
    names: HashMap<TopicHash, Rendezvous>,
    foreign: HashSet<PeerId>,
    budgets: Budgets,
    room: Arc<Semaphore>,
    words: Words,
    tasks: JoinSet<()>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    dropped: u64,
    again: Option<Instant>,
}

#[derive(Debug)]
struct Place {
    topic: IdentTopic,
    carrier: Option<Carrier>,
    needed_until: Option<Instant>,
    /// Whether the node has closed the carrier.
    closed: bool,
}

#[derive(Debug)]
struct Carrier {
    inbox: mpsc::Sender<Handed>,
    pending: Pending,
}

#[derive(Debug)]
struct Waiting {
    rendezvous: Rendezvous,
    data: Vec<u8>,
    until: Instant,
}

impl Carriers {
    /// Makes what there is before anybody meets, and where the carriers' words come out.
    pub(super) fn new(always: bool, now: Instant) -> (Self, mpsc::Receiver<(Rendezvous, Word)>) {
        let (words, heard) = mpsc::channel(WORDS);
        let carriers = Self {
            always,
            places: BTreeMap::new(),
            names: HashMap::new(),
            foreign: HashSet::new(),
            budgets: Budgets::new(now),
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            words,
            tasks: JoinSet::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            dropped: 0,
            again: None,
        };
        (carriers, heard)
    }

    /// Joins the topic of a name.
    pub(super) fn meet(&mut self, rendezvous: Rendezvous, gossip: &mut Gossip) {
        let topic = IdentTopic::new(codec::topic(&rendezvous));
        if self.places.contains_key(&rendezvous) {
            return;
        }
        if let Err(error) = gossip.subscribe(&topic) {
            return debug!(%topic, %error, "topic not joined");
        }
        self.names.insert(topic.hash(), rendezvous);
        self.places.insert(rendezvous, Place { topic, carrier: None, needed_until: None, closed: false });
    }

    /// Leaves it.
    pub(super) fn part(&mut self, rendezvous: &Rendezvous, gossip: &mut Gossip) {
        let Some(mut place) = self.places.remove(rendezvous) else { return };
        gossip.unsubscribe(&place.topic);
        self.names.remove(&place.topic.hash());
        place.close(gossip);
    }

    /// Whether a neighbour speaks our protocol, as it says itself; true when that is news.
    pub(super) fn identified(&mut self, peer: PeerId, speaks: bool) -> bool {
        if speaks { self.foreign.remove(&peer) } else { self.foreign.len() < FOREIGN && self.foreign.insert(peer) }
    }

    /// A neighbour is gone.
    pub(super) fn gone(&mut self, peer: PeerId) {
        self.foreign.remove(&peer);
    }

    /// Opens carriers that are needed and closes those that no longer are; true when one is needed that cannot be opened
    /// yet: before a neighbour has taken this node into its mesh, what others publish does not come here.
    pub(super) fn look(&mut self, gossip: &mut Gossip, reporter: &Reporter, now: Instant) -> bool {
        let mut unsettled = false;
        while self.tasks.try_join_next().is_some() {}
        let foreign = gossip.all_peers().filter(|(peer, _)| self.foreign.contains(peer));
        let needed: HashSet<TopicHash> = foreign.flat_map(|(_, topics)| topics.into_iter().cloned()).collect();
        for (rendezvous, place) in &mut self.places {
            if self.always || needed.contains(&place.topic.hash()) {
                place.needed_until = now.checked_add(LINGER);
            }
            let is_needed = place.needed_until.is_some_and(|until| until > now) && !place.closed;
            if !is_needed {
                place.close(gossip);
            } else if place.carrier.is_none() && !self.always && gossip.mesh_peers(&place.topic.hash()).next().is_none()
            {
                unsettled = true;
            } else if place.carrier.is_none() {
                debug!(topic = %place.topic, "a carrier is needed");
                let (inbox, from) = mpsc::channel(INBOX);
                self.tasks.spawn(link::run(reporter.open_link(), *rendezvous, from, self.words.clone()));
                place.carrier = Some(Carrier { inbox, pending: Pending::default() });
            }
        }
        unsettled
    }

    /// A payload came.
    pub(super) fn on_message(
        &mut self,
        source: PeerId,
        id: MessageId,
        message: Message,
        gossip: &mut Gossip,
        now: Instant,
    ) {
        if let Err(judgement) = self.take(source, &id, message, now) {
            report(gossip, &Origin { id, source, author: source }, judgement);
        }
    }

    /// Hands a payload up, or says at once what it is worth.
    fn take(&mut self, source: PeerId, id: &MessageId, message: Message, now: Instant) -> Result<(), Judgement> {
        let place = self.names.get(&message.topic).and_then(|name| self.places.get_mut(name));
        let Some(carrier) = place.and_then(|place| place.carrier.as_mut()) else { return Err(Judgement::Ignore) };
        // Strict signing lets no payload through without one.
        let author = message.source.ok_or(Judgement::Reject)?;
        let length = message.data.len();
        if let Err(refused) = self.budgets.admit(source, author, length, now) {
            trace!(%source, %author, ?refused, "a payload is not taken");
            return Err(Judgement::Ignore);
        }
        let payload = codec::decode(message.data).map_err(|error| {
            debug!(%source, %author, %error, "not a payload");
            self.budgets.judged(author, Judgement::Reject, now);
            Judgement::Reject
        })?;
        let kib = u32::try_from(length.div_ceil(1024).max(1)).map_err(|_| Judgement::Ignore)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib).map_err(|_| Judgement::Ignore)?;
        if !carrier.pending.has_room() {
            return Err(Judgement::Ignore);
        }
        carrier.inbox.try_send(Handed { payload, room }).map_err(|_| Judgement::Ignore)?;
        carrier.pending.hand(Origin { id: id.clone(), source, author }, now);
        Ok(())
    }

    /// A carrier says something; the author of a message that held, if that is it.
    pub(super) fn on_word(
        &mut self,
        rendezvous: &Rendezvous,
        word: Word,
        gossip: &mut Gossip,
        now: Instant,
    ) -> Option<PeerId> {
        match word {
            Word::Publish(data) => {
                let until = now.checked_add(WAITING).unwrap_or(now);
                self.waiting_bytes = self.waiting_bytes.saturating_add(data.len());
                self.waiting.push_back(Waiting { rendezvous: *rendezvous, data, until });
                self.shorten();
                self.publish(gossip, now);
                None
            }
            Word::Judge(number, judgement) => {
                let carrier = self.places.get_mut(rendezvous).and_then(|place| place.carrier.as_mut())?;
                let origin = carrier.pending.judged(number)?;
                self.budgets.judged(origin.author, judgement, now);
                report(gossip, &origin, judgement);
                (judgement == Judgement::Accept).then_some(origin.author)
            }
            Word::Closed => {
                if let Some(place) = self.places.get_mut(rendezvous) {
                    place.closed = true;
                    place.close(gossip);
                }
                None
            }
        }
    }

    /// Does what time asks for.
    pub(super) fn on_time(&mut self, gossip: &mut Gossip, now: Instant) {
        for place in self.places.values_mut() {
            while let Some(origin) = place.carrier.as_mut().and_then(|carrier| carrier.pending.take_late(now)) {
                report(gossip, &origin, Judgement::Ignore);
            }
        }
        if self.again.is_some_and(|again| again <= now) {
            self.publish(gossip, now);
        }
    }

    /// When there is something to do next, but for looking at what is needed.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let late = self.places.values().filter_map(|place| place.carrier.as_ref()?.pending.next_late());
        late.chain(self.again).min()
    }

    /// Publishes what waits, in order for each topic; keeps what nobody takes now.
    fn publish(&mut self, gossip: &mut Gossip, now: Instant) {
        let mut stuck = HashSet::new();
        let mut kept = VecDeque::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let Some(place) = self.places.get(&waiting.rendezvous) else { continue };
            if stuck.contains(&waiting.rendezvous) {
                kept.push_back(waiting);
                continue;
            }
            match gossip.publish(place.topic.clone(), waiting.data.clone()) {
                Ok(_) | Err(PublishError::Duplicate) => {}
                Err(PublishError::NoPeersSubscribedToTopic | PublishError::AllQueuesFull(_)) if waiting.until > now => {
                    stuck.insert(waiting.rendezvous);
                    kept.push_back(waiting);
                }
                Err(error) => debug!(topic = %place.topic, %error, "a payload is not published"),
            }
        }
        self.waiting_bytes = kept.iter().map(|waiting| waiting.data.len()).fold(0, usize::saturating_add);
        self.again = if kept.is_empty() { None } else { now.checked_add(AGAIN) };
        self.waiting = kept;
    }

    fn shorten(&mut self) {
        while self.waiting_bytes > WAITING_MAX
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(oldest.data.len());
            self.dropped = self.dropped.saturating_add(1);
            debug!(dropped = self.dropped, "more waits to be published than may; streams bring it");
        }
    }
}

impl Place {
    /// Ends the carrier; what it had handed up is judged by nobody.
    fn close(&mut self, gossip: &mut Gossip) {
        let Some(mut carrier) = self.carrier.take() else { return };
        while let Some(origin) = carrier.pending.take_any() {
            report(gossip, &origin, Judgement::Ignore);
        }
    }
}

fn report(gossip: &mut Gossip, origin: &Origin, judgement: Judgement) {
    let acceptance = match judgement {
        Judgement::Accept => MessageAcceptance::Accept,
        Judgement::Ignore => MessageAcceptance::Ignore,
        Judgement::Reject => MessageAcceptance::Reject,
    };
    gossip.report_message_validation_result(&origin.id, &origin.source, acceptance);
}

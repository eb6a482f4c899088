//! Where nodes lie: what is learned from what comes over a link, and how a node or service is asked for.
//!
//! A LOCATE travels from hop to hop over links that share a group, at most eight, each node passing it on once. Whoever
//! is looked for answers with its record in an ordinary unicast message, which finds its way back since the request has
//! taught where the asker lies, and teaches where the answerer does.

use bytes::Bytes;
use crosscast_port::LinkId;
use crosscast_seal::prekey_public;
use crosscast_wire::{
    Domain, Entry, Lane, Locate, LocateFields, NodeId, PeerRecord, PeerRecordFields, Roles, ServiceId, ServiceRecord,
    ServiceRecordFields, Signature, WallMillis, frame,
};

use crate::{Event, Instant, Node, Notice, Reject, SignJob, SignKey, SignatureCheck, Verdict, VerifyJob, limits};

use super::Pending;

/// What the content type of a message that carries a record is.
pub(super) const RECORD_TYPE: &str = "application/vnd.crosscast.record";

/// A node or service that is looked for.
pub(super) struct Search {
    since: Instant,
    next: Instant,
    asked: u32,
    told: bool,
}

/// An own record, and who asked for it while it was being signed.
#[derive(Default)]
pub(super) struct OwnRecord {
    bytes: Option<Bytes>,
    issued: WallMillis,
    locators: Vec<String>,
    askers: Vec<(NodeId, [u8; 32])>,
}

/// A record that came as an answer and is being checked.
pub(super) struct Found {
    node: NodeId,
    prekey: [u8; 32],
}

impl Node {
    /// Learns that a node lies behind a link, from something that it signed, that was verified and is fresh.
    pub(super) fn learn_route(&mut self, node: NodeId, link: LinkId) {
        let open = self.links.get(&link).is_some_and(crate::peer::link::Link::is_open);
        let direct = self.link_to(&node).is_some_and(|link| self.speaks_of_group(link));
        if open && !self.is_here(&node) && !direct {
            self.routes.learn(node, self.lead_of(link), self.now.mono);
            self.send_outbox(node);
        }
    }

    /// The link to send over to a node or service: its own, or the one behind which it lies. Its own carries what is
    /// others' only where its peer speaks of a group of this node.
    pub(super) fn next_hop(&self, key: &[u8; 32], is_own: bool) -> Option<LinkId> {
        let node = NodeId::new(*key);
        let known = || self.routes.find(&node, self.now.mono).filter(|link| self.shares_group(*link));
        self.link_to(&node).filter(|link| is_own || self.speaks_of_group(*link)).or_else(known)
    }

    /// Whether a link's peer takes part in a group of this node: only such links carry what is others'.
    pub(super) fn shares_group(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|state| state.is_open() && !state.feeds.is_empty())
    }

    /// Whether a link's peer at least asks to take part in a group of this node: the answer has to reach it.
    pub(super) fn speaks_of_group(&self, link: LinkId) -> bool {
        let asks = |state: &crate::peer::link::Link| state.foreign.keys().any(|id| self.groups.contains_key(id));
        self.shares_group(link) || self.links.get(&link).is_some_and(|state| state.is_open() && asks(state))
    }

    /// Whether anybody can be asked for a node.
    pub(super) fn can_search(&self) -> bool {
        self.links.keys().any(|link| self.shares_group(*link))
    }

    /// Remembers what to seal with for a node that has proven it, and sends what waited for that.
    pub(super) fn learn_prekey(&mut self, node: NodeId, prekey: [u8; 32]) {
        self.outbox.learn_prekey(node, prekey);
        self.tend_waiting();
    }

    /// Looks for a node or service, unless that is under way.
    pub(super) fn search(&mut self, node: NodeId) {
        let prekey_wanted = self.waiting.iter().any(|waiting| waiting.to.contains(&node));
        let back = self.outbox.all_came_over(&node);
        let leads_on = self.next_hop(node.as_bytes(), false).is_some_and(|link| Some(link) != back);
        let found = leads_on && !prekey_wanted;
        if found || self.searches.contains_key(&node) || self.searches.len() >= limits::SEARCHES {
            return;
        }
        let now = self.now.mono;
        self.searches.insert(node, Search { since: now, next: now, asked: 0, told: false });
        self.ask_for(node);
        self.arm_letters();
    }

    /// Looks for the recipients of a parcel that are not on their way: of an own one, and of one that this node has
    /// taken to pass on when it knew a way. Answers are not worth it: whoever asked asks again.
    pub(super) fn search_for_stuck(&mut self, number: u64) {
        let Some(parcel) = self.outbox.get(number).filter(|parcel| !parcel.is_own() || parcel.until.is_none()) else {
            return;
        };
        let stuck = parcel.branches.iter().filter(|(_, branch)| branch.on.is_none()).map(|(node, _)| *node);
        for node in stuck.collect::<Vec<_>>() {
            self.search(node);
        }
    }

    /// Asks again for what has not answered, says what is not found, and forgets what nobody waits for.
    pub(super) fn tend_searches(&mut self) {
        let now = self.now.mono;
        for node in self.searches.keys().copied().collect::<Vec<_>>() {
            let own = self.outbox.is_wanted(&node, true) || self.waiting.iter().any(|other| other.to.contains(&node));
            let wanted = own || self.outbox.is_wanted(&node, false);
            let Some(search) = self.searches.get_mut(&node).filter(|_| wanted) else {
                self.searches.remove(&node);
                continue;
            };
            let due = search.next <= now;
            let missing = now.micros_since(search.since) >= limits::NOT_FOUND_MS.saturating_mul(1_000);
            if missing && own && !std::mem::replace(&mut search.told, true) {
                self.event(Event::Notice(Notice::NotFound { node }));
            }
            if due {
                self.ask_for(node);
            }
        }
    }

    fn ask_for(&mut self, target: NodeId) {
        if !self.can_search() {
            return;
        }
        let now = self.now.mono;
        let Some(search) = self.searches.get_mut(&target) else { return };
        let wait = if search.asked < SOON { SOON_MS } else { LATER_MS };
        search.asked = search.asked.saturating_add(1);
        search.next = now.plus_millis(wait);
        let fields = LocateFields {
            target,
            from: self.config.node,
            prekey: prekey_public(&self.config.prekey),
            time: self.now.wall,
            nonce: self.keys.bytes(),
        };
        let body = Bytes::from(Locate::draft(&fields));
        let job = SignJob { key: SignKey::Node, domain: Domain::Locate, body: body.clone() };
        self.sign(Pending::LocateSign(body), job);
    }

    pub(super) fn on_locate_signed(&mut self, body: &Bytes, signature: &Signature) {
        if let Ok(locate) = Locate::parse(&[body.as_ref(), signature].concat()) {
            self.requests.add(locate.id(), self.now.mono);
            // A way back over the link that it came over would be none for what is passed on.
            let target = locate.fields().target;
            let own = self.waiting.iter().any(|waiting| waiting.to.contains(&target));
            let back = self.outbox.all_came_over(&target).filter(|_| !own);
            self.pass_request(back, 0, &locate);
        }
    }

    /// Passes a request on: straight to whom it looks for where that is linked, else to everybody but where it came from.
    fn pass_request(&mut self, from: Option<LinkId>, hops: u8, locate: &Locate) {
        let direct = self.link_to(&locate.fields().target).filter(|link| self.shares_group(*link));
        let all: Vec<LinkId> = match direct {
            Some(link) => vec![link],
            None => self.links.keys().copied().filter(|link| self.leads(*link)).collect(),
        };
        let from = from.map(|link| self.lead_of(link));
        for link in all {
            if Some(link) == from || !self.shares_group(link) {
                continue;
            }
            let Some(state) = self.links.get_mut(&link) else { continue };
            // A neighbour that reads slowly misses requests rather than its link.
            if state.out.queued(Lane::Control) < limits::CONTROL_BYTES / 4 {
                state.out.push(frame::locate(hops, locate));
                self.dirty.insert(link);
            }
        }
    }

    pub(super) fn on_locate(&mut self, link: LinkId, hops: u8, locate: Box<Locate>) {
        let (fields, now, wall) = (locate.fields(), self.now.mono, self.now.wall.0);
        if fields.from == self.config.node || self.requests.has(&locate.id()) {
            return;
        }
        let reject = if hops >= limits::HOPS {
            Some(Reject::TooFar)
        } else if !self.shares_group(link) {
            Some(Reject::NotAllowed)
        } else if fields.time.0 > wall.saturating_add(limits::FUTURE_MS) {
            Some(Reject::TooNew)
        } else if fields.time.0.saturating_add(limits::PUSHED_MS) < wall {
            Some(Reject::TooOld)
        } else if !self.links.get_mut(&link).is_some_and(|state| state.requests.take(now)) {
            Some(Reject::LinkRate)
        } else {
            None
        };
        if let Some(reject) = reject {
            return self.blame(link, reject);
        }
        let check = SignatureCheck {
            key: *fields.from.as_bytes(),
            domain: Domain::Locate,
            body: Bytes::copy_from_slice(locate.body()),
            signature: *locate.signature(),
        };
        self.verify(Pending::LocateCheck(link, hops, locate), VerifyJob { signatures: vec![check], payload: None });
    }

    pub(super) fn on_locate_checked(&mut self, link: LinkId, hops: u8, locate: &Locate, verdict: Verdict) {
        if verdict != Verdict::Good {
            return self.blame(link, Reject::BadSignature);
        }
        if self.requests.has(&locate.id()) {
            return;
        }
        self.requests.add(locate.id(), self.now.mono);
        let fields = locate.fields();
        self.learn_route(fields.from, link);
        let crossed = hops.saturating_add(1);
        if self.is_here(&fields.target) {
            self.answer_search(fields.target, fields.from, fields.prekey);
        } else if crossed < limits::HOPS {
            self.pass_request(Some(link), crossed, locate);
        }
    }

    /// Answers with the record of this node or of a service of it, which is signed first where it has aged.
    fn answer_search(&mut self, of: NodeId, asker: NodeId, prekey: [u8; 32]) {
        let locators = if of == self.config.node { self.own_locators() } else { Vec::new() };
        let wall = self.now.wall;
        let record = self.records.entry(of).or_default();
        let fresh = wall.0.saturating_sub(record.issued.0) < RECORD_FRESH_MS && record.locators == locators;
        if let Some(bytes) = record.bytes.clone().filter(|_| fresh) {
            return self.send_record(of, asker, prekey, bytes);
        }
        if record.askers.len() >= limits::ASKERS {
            return self.rejects.count(Reject::OverRate);
        }
        record.askers.push((asker, prekey));
        if record.askers.len() == 1 {
            record.issued = WallMillis(wall.0.max(record.issued.0.saturating_add(1)));
            record.locators.clone_from(&locators);
            let issued = record.issued;
            self.sign_record(of, issued, locators);
        }
    }

    fn own_locators(&self) -> Vec<String> {
        self.listening.iter().map(ToString::to_string).take(crosscast_wire::limits::LOCATORS_MAX).collect()
    }

    fn sign_record(&mut self, of: NodeId, issued: WallMillis, mut locators: Vec<String>) {
        let valid_until = WallMillis(issued.0.saturating_add(RECORD_LIFE_MS));
        let signing = match self.services.get(&of) {
            Some(service) => ServiceRecord::draft(&ServiceRecordFields {
                service: ServiceId::new(*of.as_bytes()),
                number: issued.0.max(1),
                issued,
                valid_until,
                nodes: vec![self.config.node],
                prekey: prekey_public(&service.prekey()),
                name: Some(service.name.clone()),
            })
            .ok()
            .map(|body| (body, Domain::ServiceRecord)),
            None => {
                // What is dialled first is kept where not all fits.
                while locators.iter().map(|text| text.len().saturating_add(3)).sum::<usize>() > RECORD_LOCATORS {
                    locators.pop();
                }
                PeerRecord::draft(&PeerRecordFields {
                    node: of,
                    number: issued.0.max(1),
                    issued,
                    valid_until,
                    locators,
                    roles: Roles::from_known_bits(self.config.roles),
                    prekey: Some(prekey_public(&self.config.prekey)),
                    attestations: Vec::new(),
                })
                .ok()
                .map(|body| (body, Domain::PeerRecord))
            }
        };
        let Some(((body, domain), key)) = signing.zip(self.letter_signer(&of)) else { return };
        let body = Bytes::from(body);
        self.sign(Pending::RecordSign(of, body.clone()), SignJob { key, domain, body });
    }

    pub(super) fn on_record_signed(&mut self, of: NodeId, body: &Bytes, signature: &Signature) {
        let Some(record) = self.records.get_mut(&of) else { return };
        let bytes = Bytes::from([body.as_ref(), signature].concat());
        record.bytes = Some(bytes.clone());
        for (asker, prekey) in std::mem::take(&mut record.askers) {
            self.send_record(of, asker, prekey, bytes.clone());
        }
    }

    fn send_record(&mut self, of: NodeId, asker: NodeId, prekey: [u8; 32], bytes: Bytes) {
        let mut entry = Entry::new(bytes);
        entry.meta.content_type = Some(RECORD_TYPE.to_owned());
        self.send_as(of, asker, Some(prekey), entry, limits::REQUEST_MEMORY_MS);
    }

    /// A record came from the node or service that it is about, which has signed the message too.
    pub(super) fn on_record(&mut self, from: NodeId, bytes: &[u8]) {
        if !self.searches.contains_key(&from) {
            return;
        }
        let wall = self.now.wall.0;
        let lives = |until: WallMillis| until.0.saturating_add(limits::FUTURE_MS) >= wall;
        let found = match (PeerRecord::parse(bytes), ServiceRecord::parse(bytes)) {
            (Ok(record), _) if record.fields().node == from && lives(record.fields().valid_until) => {
                let prekey = record.fields().prekey;
                prekey.map(|prekey| (prekey, Domain::PeerRecord, record.body().to_vec(), *record.signature()))
            }
            (_, Ok(record))
                if record.fields().service.as_bytes() == from.as_bytes() && lives(record.fields().valid_until) =>
            {
                let prekey = record.fields().prekey;
                Some((prekey, Domain::ServiceRecord, record.body().to_vec(), *record.signature()))
            }
            (_, _) => None,
        };
        let Some((prekey, domain, body, signature)) = found else { return self.rejects.count(Reject::Unreadable) };
        let check = SignatureCheck { key: *from.as_bytes(), domain, body: body.into(), signature };
        let job = VerifyJob { signatures: vec![check], payload: None };
        self.verify(Pending::RecordCheck(Found { node: from, prekey }), job);
    }

    pub(super) fn on_record_checked(&mut self, found: &Found, verdict: Verdict) {
        if verdict != Verdict::Good {
            return self.rejects.count(Reject::BadSignature);
        }
        self.searches.remove(&found.node);
        self.learn_prekey(found.node, found.prekey);
        self.send_outbox(found.node);
    }
}

/// 2 s: an answer over 8 slow links has come by then.
const SOON_MS: u64 = 2_000;
/// 3: asked so often in quick succession.
const SOON: u32 = 3;
/// 30 s: who is away is asked for as rarely as a dead locator is dialled.
const LATER_MS: u64 = 30_000;
/// 40 min: the protocol's time of republishing.
const RECORD_FRESH_MS: u64 = 40 * 60_000;
/// 2 h: the protocol's life of a record.
const RECORD_LIFE_MS: u64 = 2 * 3_600_000;
/// 768: a record of 1 KiB less its signature, keys and numbers.
const RECORD_LOCATORS: usize = 768;

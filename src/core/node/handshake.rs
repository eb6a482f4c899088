//! The hello on a fresh link, and the link table's rules of duplicates and instances (`docs/spec/hello.md`).
//!
//! Both sides send HELLO at once; each then signs scheme, role, channel binding, both NodeIds and the transcript of both
//! bodies. No other frame is read before both proofs are through. Per (peer, instance, scheme) a direct link stays rather
//! than one through a relay, and then the one dialled by the smaller key, if it still answers; a newer one from the same
//! dialler replaces the older, which may be half open.

use bytes::Bytes;
use crosscast_port::{LinkId, LinkUp, Request, Role};
use crosscast_seal::prekey_public;
use crosscast_wire::{
    CloseCode, Domain, Features, Hello, HelloFields, Lane, Locator, Roles, Signature, VersionRange, frame, hello,
};

use crate::auth::origin::Origin;
use crate::peer::link::{Link, PeerKey, Phase};
use crate::timer::Timer;
use crate::{Event, Node, Notice, Reject, SignJob, SignKey, SignatureCheck, Verdict, VerifyJob, limits};

use super::Pending;

impl Node {
    pub(super) fn on_up(&mut self, link: LinkId, up: LinkUp) {
        let origin = Origin::of(&up, self.config.sizes.lan_budget);
        let ours = if self.has_room(&origin) { self.our_hello() } else { None };
        let Some(ours) = ours.filter(|_| self.shutdown.is_none()) else {
            self.request(Request::Close { link });
            return;
        };
        self.target_up(link, up.dial);
        let credit = self.config.sizes.credit_bytes;
        let mut state = Link::new(link, up, origin, ours.body().clone(), credit, self.now);
        let told = ours.fields().overlay.iter().filter_map(|text| Locator::parse(text).ok());
        state.told = told.map(|place| place.scheme()).collect();
        state.out.push(frame::hello(&ours));
        self.links.insert(link, state);
        self.timers.set(Timer::Hello(link), self.now.mono.plus_millis(self.config.times.hello_ms));
        self.dirty.insert(link);
    }

    /// Whether another link fits: in all, in the hello, and of where it comes from.
    fn has_room(&mut self, origin: &Origin) -> bool {
        let free = limits::LINKS.saturating_sub(self.links.len());
        let (mut hellos, mut own, mut own_hellos) = (0usize, 0usize, 0u64);
        for state in self.links.values() {
            let is_hello = matches!(state.phase, Phase::Hello(_));
            let is_own = state.origin.prefix == origin.prefix;
            hellos = hellos.saturating_add(usize::from(is_hello));
            own = own.saturating_add(usize::from(is_own));
            own_hellos = own_hellos.saturating_add(u64::from(is_hello && is_own));
        }
        if free == 0 || hellos >= limits::HELLOS {
            return false;
        }
        // No prefix has more links than it leaves free, but one that is trusted further.
        let crowded = (own >= free && origin.factor == 1)
            || own_hellos >= limits::HELLOS_PER_PREFIX.saturating_mul(origin.factor);
        if origin.dialled || (!crowded && self.budgets.admits(origin, self.now.mono)) {
            return true;
        }
        self.rejects.count(Reject::PrefixWaits);
        false
    }

    fn our_hello(&mut self) -> Option<Hello> {
        let credit = self.config.sizes.credit_bytes;
        let fields = HelloFields {
            node: self.config.node,
            versions: VersionRange::new(1, 1)?,
            nonce: self.keys.bytes(),
            features: Features::from_known_bits(0),
            max_message_bytes: crosscast_wire::limits::MESSAGE_MAX as u64,
            credit: [credit; 3],
            roles: Roles::from_known_bits(self.config.roles),
            instance: self.config.instance,
            wall: self.now.wall,
            agent: self.config.agent.clone(),
            peer_record: None,
            overlay: self.own_overlay(),
            attestations: Vec::new(),
            prekey: prekey_public(&self.config.prekey),
            name: Some(self.config.name.clone()).filter(|name| !name.is_empty()),
        };
        Hello::new(fields).ok()
    }

    pub(super) fn on_hello_overdue(&mut self, link: LinkId) {
        if let Some(state) = self.links.get(&link).filter(|state| matches!(state.phase, Phase::Hello(_))) {
            self.budgets.fault(&state.origin, self.now.mono);
            self.close(link, CloseCode::Idle, "hello takes too long");
        }
    }

    pub(super) fn on_hello(&mut self, link: LinkId, theirs: Box<Hello>) {
        let (me, instance) = (self.config.node, self.config.instance);
        let Some(state) = self.links.get_mut(&link) else { return };
        let dialer = state.is_dialer();
        let channel = state.up.peer;
        let Phase::Hello(shake) = &mut state.phase else { return self.blame(link, Reject::OutOfPlace) };
        if shake.theirs.is_some() {
            return self.blame(link, Reject::OutOfPlace);
        }
        let node = theirs.fields().node;
        if channel.is_some_and(|peer| peer != node) {
            return self.blame(link, Reject::BadHello);
        }
        if theirs.fields().versions.min() > 1 {
            self.rejects.count(Reject::Version);
            return self.close(link, CloseCode::Version, "version 1 only");
        }
        if node == me && theirs.fields().instance == instance {
            self.target_is_self(link);
            return self.close(link, CloseCode::SelfLink, "");
        }
        let (ours, other) = (shake.ours.as_ref(), theirs.body().as_ref());
        shake.transcript = if dialer { hello::transcript(ours, other) } else { hello::transcript(other, ours) };
        shake.theirs = Some(theirs);
        if !self.target_expects(link, node) {
            return self.close(link, CloseCode::Denied, "another key was expected here");
        }
        if let Some(body) = self.proof_bytes(link, true) {
            self.sign(Pending::ProofSign(link), SignJob { key: SignKey::Node, domain: Domain::Hello, body });
        }
    }

    /// What one side signs: ours, or what the peer must have signed.
    fn proof_bytes(&self, link: LinkId, ours: bool) -> Option<Bytes> {
        let state = self.links.get(&link)?;
        let Phase::Hello(shake) = &state.phase else { return None };
        let (me, peer) = (self.config.node, shake.theirs.as_ref()?.fields().node);
        let (own, other) = if ours { (me, peer) } else { (peer, me) };
        let role = match (state.up.role, ours) {
            (Role::Dialer, true) | (Role::Listener, false) => Role::Dialer,
            (Role::Dialer, false) | (Role::Listener, true) => Role::Listener,
        };
        let listener = role == Role::Listener;
        Some(hello::proof_bytes(state.up.scheme, listener, &state.up.binding, &own, &other, &shake.transcript).into())
    }

    pub(super) fn on_proof_signed(&mut self, link: LinkId, signature: Signature) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let Phase::Hello(shake) = &mut state.phase else { return };
        shake.proof_sent = true;
        state.out.push(frame::proof(&signature));
        self.dirty.insert(link);
        self.open_when_proven(link);
    }

    pub(super) fn on_proof(&mut self, link: LinkId, signature: Signature) {
        let checking = self.proof_bytes(link, false).zip(self.links.get_mut(&link).and_then(|state| {
            let Phase::Hello(shake) = &mut state.phase else { return None };
            let fresh = !std::mem::replace(&mut shake.proof_seen, true);
            shake.theirs.as_ref().map(|hello| hello.fields().node).filter(|_| fresh)
        }));
        let Some((body, node)) = checking else { return self.blame(link, Reject::OutOfPlace) };
        let check = SignatureCheck { key: *node.as_bytes(), domain: Domain::Hello, body, signature };
        self.verify(Pending::ProofCheck(link), VerifyJob { signatures: vec![check], payload: None });
    }

    pub(super) fn on_proof_checked(&mut self, link: LinkId, verdict: Verdict) {
        match verdict {
            Verdict::Good => {
                if let Some(Phase::Hello(shake)) = self.links.get_mut(&link).map(|state| &mut state.phase) {
                    shake.proof_good = true;
                    self.open_when_proven(link);
                }
            }
            Verdict::BadSignature | Verdict::BadPayload => self.blame(link, Reject::BadProof),
        }
    }

    fn open_when_proven(&mut self, link: LinkId) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let Phase::Hello(shake) = &mut state.phase else { return };
        if !(shake.proof_sent && shake.proof_good) {
            return;
        }
        let Some(theirs) = shake.theirs.take() else { return };
        let early = std::mem::take(&mut shake.early);
        let key = (theirs.fields().node, theirs.fields().instance);
        state.phase = Phase::Open;
        state.peer = Some(key);
        for (lane, credit) in [Lane::Urgent, Lane::Normal, Lane::Bulk].into_iter().zip(theirs.fields().credit) {
            // A first grant cannot go back.
            let _ = state.out.credit(lane, credit);
        }
        let skew = theirs.fields().wall.0.cast_signed().saturating_sub(self.now.wall.0.cast_signed());
        let prekey = theirs.fields().prekey;
        state.hello = Some(theirs);
        self.timers.cancel(Timer::Hello(link));
        self.dirty.insert(link);
        if skew.unsigned_abs() > limits::SKEW_MS {
            self.event(Event::Notice(Notice::ClockSkew { node: key.0, skew_ms: skew }));
        }
        self.learn_prekey(key.0, prekey);
        self.target_open(link, key);
        self.take_in(link, key);
        self.on_frames(link, early);
    }

    /// Applies the rule of duplicates, then puts the link to use.
    fn take_in(&mut self, link: LinkId, key: PeerKey) {
        let scheme = self.scheme_of(link);
        let rivals: Vec<LinkId> = self.peers.get(&key).into_iter().flatten().copied().collect();
        let rivals: Vec<LinkId> = rivals.into_iter().filter(|rival| self.scheme_of(*rival) == scheme).collect();
        let first = !self.peers.contains_key(&key);
        self.peers.entry(key).or_default().push(link);
        if first && let Some(state) = self.links.get(&link) {
            let network = state.up.scheme.network();
            self.event(Event::Notice(Notice::PeerUp { node: key.0, instance: key.1, network }));
        }
        self.greet(link);
        for rival in rivals {
            match self.outlasts(link, rival, key) {
                Some(true) => self.close(rival, CloseCode::Duplicate, ""),
                Some(false) => self.challenge(rival, link),
                // The listener knows which of the two came later.
                None if self.links.get(&link).is_some_and(|state| !state.is_dialer()) => {
                    self.close(rival, CloseCode::Duplicate, "");
                }
                None => {}
            }
        }
        self.measure_all(key);
        self.seek_standby(key);
        self.send_outbox(key.0);
    }

    /// A newer link loses to one that may be half open: it stays beside it until that one has answered, and takes its
    /// place when it does not.
    fn challenge(&mut self, rival: LinkId, link: LinkId) {
        let Some(state) = self.links.get_mut(&rival) else { return };
        if let Some(other) = state.challenger.replace(link) {
            return self.close(other, CloseCode::Duplicate, "");
        }
        let patience = state.patience_us(CHALLENGE_MS);
        // One that is under way may have been sent into the void; what counts is an answer from now on.
        state.ping = state.ping.take().filter(|ping| !ping.asked_by.is_empty());
        self.ping(rival, None);
        self.timers.set(Timer::Challenge(rival), self.now.mono.plus_micros(patience));
    }

    /// The older link has not answered in time.
    pub(super) fn on_challenge_due(&mut self, rival: LinkId) {
        let Some(state) = self.links.get_mut(&rival) else { return };
        if state.challenger.take().is_some_and(|link| self.links.get(&link).is_some_and(Link::is_open)) {
            self.close(rival, CloseCode::Idle, "no answer");
        }
    }

    /// Whether a link stays beside which there is a rival: the direct one does, then the one that the smaller of the two
    /// keys dialled. Nothing when they are alike: then it is the newer one.
    fn outlasts(&self, link: LinkId, rival: LinkId, key: PeerKey) -> Option<bool> {
        let rank = |link| self.links.get(&link).map(|state| (!state.up.traits.relayed, self.is_by_smaller(state, key)));
        let (own, other) = (rank(link), rank(rival));
        if own == other { None } else { Some(own > other) }
    }

    /// Whether a link was dialled by the smaller of the two keys.
    fn is_by_smaller(&self, link: &Link, key: PeerKey) -> bool {
        let smaller = (self.config.node, self.config.instance) < key;
        link.is_dialer() == smaller
    }
}

/// 1 s: longer than any answer takes but on the worst paths, where four round trips count.
const CHALLENGE_MS: u64 = 1_000;

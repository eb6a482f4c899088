//! Links from up to down: reports in, frames out, silence noticed.

use crosscast_port::{DownReason, LinkId, Report, Request};
use crosscast_wire::{CloseCode, Scheme, frame};

use crate::peer::link::{Link, Phase, Ping};
use crate::timer::Timer;
use crate::{Blame, CommandId, Event, Node, Notice, Output, Refusal, Reject, Reply, limits};

impl Node {
    pub(super) fn on_report(&mut self, report: Report) {
        match report {
            Report::Up { link, up } => match up.rendezvous {
                Some(rendezvous) => self.on_carrier_up(link, *up, rendezvous),
                None => self.on_up(link, *up),
            },
            Report::Frames { link, frames } => self.on_frames(link, frames),
            // Datagrams carry nothing in this version; a peer that sends them wastes its own bytes.
            Report::Datagram { .. } => {}
            Report::Writable { link, lane, bytes } => {
                if let Some(state) = self.links.get_mut(&link) {
                    state.out.writable(lane, bytes);
                    self.dirty.insert(link);
                }
            }
            Report::Down { link, reason } => self.on_down(link, reason),
            Report::DialFailed { dial, error } => self.on_dial_failed(dial, error),
            Report::Unlistened { locator } => self.on_unlistened(&locator),
            Report::Network(report) => self.on_network_report(*report),
            Report::Found { locator } => self.on_found(locator),
            Report::Refused { scheme: _, from, fault } => {
                self.event(Event::Notice(Notice::PeerRefused { from, fault }));
            }
            Report::Listening { asked: _, locator } => {
                self.listening.retain(|listening| *listening != locator);
                self.listening.push(locator.clone());
                self.event(Event::Notice(Notice::Listening { locator }));
            }
            Report::ListenFailed { asked, error } => {
                self.listen_failed.push((asked.clone(), error.clone()));
                self.event(Event::Notice(Notice::ListenFailed { locator: asked, error }));
            }
        }
    }

    pub(super) fn request(&mut self, request: Request) {
        self.outputs.push_back(Output::Link(request));
    }

    /// Counts refused input and, where the link is provably to blame, ends it.
    pub(super) fn blame(&mut self, link: LinkId, reject: Reject) {
        self.rejects.count(reject);
        // A carrier carries what others put on it; its own judgements name whom to blame.
        if self.is_carrier(link) {
            return;
        }
        match (reject.blame(), reject) {
            (Blame::Nobody, _) => {}
            (Blame::Link, Reject::BadSignature | Reject::BadPayload) => {
                let Some(state) = self.links.get_mut(&link) else { return };
                state.bad_signatures = state.bad_signatures.saturating_add(1);
                self.budgets.fault(&state.origin, self.now.mono);
                if state.bad_signatures >= limits::BAD_SIGNATURES_PER_LINK {
                    self.close(link, CloseCode::Protocol, reject.word());
                }
            }
            (Blame::Link, _) => {
                if let Some(state) = self.links.get(&link) {
                    self.budgets.fault(&state.origin, self.now.mono);
                }
                self.close(link, CloseCode::Protocol, reject.word());
            }
        }
    }

    /// Says goodbye and asks the transport to flush and end the link.
    pub(super) fn close(&mut self, link: LinkId, code: CloseCode, text: &str) {
        let Some(state) = self.links.get_mut(&link) else { return };
        match &state.phase {
            Phase::Draining => return,
            // Nobody there would know what to do with a goodbye.
            Phase::Carrier(_) => return self.request(Request::Close { link }),
            Phase::Hello(_) | Phase::Open => {}
        }
        if state.inn.ack_due(true).is_some()
            && let Some(frame) = frame::ack(&state.inn.take_acks(self.now.mono))
        {
            state.out.push(frame);
        }
        state.phase = Phase::Draining;
        state.out.push(frame::close(code, 0, text));
        let frames = state.out.pump(self.now.mono);
        if !frames.is_empty() {
            self.request(Request::Send { link, frames });
        }
        self.request(Request::Close { link });
        self.unlink(link, code.word());
        self.timers.set(Timer::Drain(link), self.now.mono.plus_millis(DRAIN_MS));
    }

    /// A transport that never said `Down` to a close: the link is forgotten all the same.
    pub(super) fn on_drained(&mut self, link: LinkId) {
        self.on_down(link, DownReason::Requested);
    }

    pub(super) fn on_down(&mut self, link: LinkId, reason: DownReason) {
        self.unlink(link, down_word(reason));
        for timer in
            [Timer::Hello(link), Timer::Idle(link), Timer::Drain(link), Timer::Challenge(link), Timer::Carry(link)]
        {
            self.timers.cancel(timer);
        }
        let Some(state) = self.links.remove(&link) else { return };
        if state.checks > 0 {
            self.departed.insert(link, (state.origin, state.checks));
        }
        self.dirty.remove(&link);
        self.parked.remove(&link);
        for command in state.ping.into_iter().flat_map(|ping| ping.asked_by) {
            self.reply(command, Reply::Refused(Refusal::NotLinked));
        }
        self.target_down(link, state.peer);
        if self.links.is_empty() {
            self.on_shutdown_due();
        }
    }

    /// Takes a link out of use: no feeds, no peer.
    fn unlink(&mut self, link: LinkId, code: &'static str) {
        self.drop_checks(link);
        let Some(state) = self.links.get_mut(&link) else { return };
        let feeds = std::mem::take(&mut state.feeds);
        state.behind.clear();
        let (peer, network) = (state.peer, state.up.scheme.network());
        let unsettled = Self::unsettled(state);
        for group in feeds.keys() {
            if let Some(group) = self.groups.get_mut(group) {
                group.neighbours.remove(&link);
            }
        }
        // Closed and then down: the second time nothing is left to do.
        let Some(key) = peer.filter(|key| self.peers.get(key).is_some_and(|links| links.contains(&link))) else {
            return;
        };
        self.drop_from_peer(link, key, feeds, unsettled);
        if !self.peers.contains_key(&key) {
            self.event(Event::Notice(Notice::PeerDown { node: key.0, instance: key.1, code }));
        }
        self.wake_resting(key.0, network);
        self.letters_lost(link);
    }

    /// Sends what may go: acknowledgements, credit, queued frames, and what the log has for links that are behind.
    pub(super) fn flush(&mut self) {
        self.start_commit();
        while let Some(link) = self.dirty.pop_first() {
            self.acknowledge(link);
            self.pump(link);
            self.feed_link(link);
            self.pump(link);
            self.arm_idle(link);
        }
    }

    /// Grants lanes more that use up their credit fast, as far as all links together may have more.
    fn widen_credit(&mut self, link: LinkId) {
        let now = self.now.mono;
        let state = self.links.get_mut(&link).filter(|state| state.is_open());
        let lanes = state.map(|state| state.inn.used_up(now, state.rtt_us)).unwrap_or_default();
        for lane in lanes {
            let spent = self.links.values().fold(0, |sum: u64, state| sum.saturating_add(state.inn.widened()));
            if let Some(state) = self.links.get_mut(&link) {
                state.inn.widen(lane, limits::CREDIT_WIDE_ALL.saturating_sub(spent));
            }
        }
    }

    fn acknowledge(&mut self, link: LinkId) {
        self.widen_credit(link);
        let Some(state) = self.links.get_mut(&link).filter(|state| state.is_open()) else { return };
        for (lane, total) in state.inn.take_credits() {
            if let Some(frame) = frame::credit(lane, total) {
                state.out.push(frame);
            }
        }
        match state.inn.ack_due(state.out.queued_total() > 0) {
            Some(due) if due <= self.now.mono => {
                let acks = state.inn.take_acks(self.now.mono);
                if let Some(frame) = frame::ack(&acks) {
                    state.out.push(frame);
                }
            }
            Some(due) => self.timers.set_earlier(Timer::Ack(link), due),
            None => {}
        }
        if state.out.queued(crosscast_wire::Lane::Control) > limits::CONTROL_BYTES {
            self.close(link, CloseCode::Overload, "control lane is full");
        }
    }

    fn pump(&mut self, link: LinkId) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if matches!(state.phase, Phase::Draining) {
            return;
        }
        let frames = state.out.pump(self.now.mono);
        if !frames.is_empty() {
            self.request(Request::Send { link, frames });
        }
    }

    /// Sets when a link is next looked at: its PING overdue, its data unacknowledged, or silent for too long.
    pub(super) fn arm_idle(&mut self, link: LinkId) {
        let times = self.config.times;
        let standby = self.has_standby(link);
        let Some(state) = self.links.get(&link).filter(|state| state.is_open()) else { return };
        let at = match &state.ping {
            Some(ping) => ping.sent.plus_micros(ping_patience_us(state, &times, standby)),
            None => {
                // Which of several links is the best shows only when each is measured, busy or not.
                let since = if standby { state.pinged.min(state.last_heard) } else { state.last_heard };
                let idle = since.plus_millis(times.idle_ping_ms);
                // Asked once per patience, not once per answer: a peer may be slow to commit and quick to answer.
                let since = state.out.waiting_since().map(|since| since.max(state.last_heard));
                let patience = if standby { state.patience_us(STANDBY_ACK_MS) } else { state.patience_us(1_000) };
                let waiting = since.map(|since| since.plus_micros(patience));
                waiting.map_or(idle, |waiting| waiting.min(idle))
            }
        };
        self.timers.set(Timer::Idle(link), at);
    }

    pub(super) fn on_idle(&mut self, link: LinkId) {
        let times = self.config.times;
        let standby = self.has_standby(link);
        let Some(state) = self.links.get(&link).filter(|state| state.is_open()) else { return };
        if let Some(ping) = &state.ping {
            let due = ping.sent.plus_micros(ping_patience_us(state, &times, standby));
            let silent = state.last_heard <= ping.sent;
            if due <= self.now.mono && silent {
                self.close(link, CloseCode::Idle, "no answer");
                return;
            }
            if due <= self.now.mono {
                // It speaks but has not answered: its PONG is behind data. Give it as long again.
                if let Some(ping) = self.links.get_mut(&link).and_then(|state| state.ping.as_mut()) {
                    ping.sent = self.now.mono;
                }
            }
        } else {
            self.ping(link, None);
        }
        self.arm_idle(link);
        self.dirty.insert(link);
    }

    /// Sends a PING, or joins the one under way.
    pub(super) fn ping(&mut self, link: LinkId, asked_by: Option<CommandId>) {
        let token = self.choices.next();
        let now = self.now.mono;
        let Some(state) = self.links.get_mut(&link) else { return };
        match &mut state.ping {
            Some(ping) => ping.asked_by.extend(asked_by),
            None => {
                state.pinged = now;
                state.ping = Some(Ping { token, sent: now, asked_by: asked_by.into_iter().collect() });
                state.out.push(frame::ping(token));
                self.dirty.insert(link);
            }
        }
    }

    pub(super) fn on_pong(&mut self, link: LinkId, token: u64) {
        let now = self.now.mono;
        let Some(state) = self.links.get_mut(&link) else { return };
        let Some(ping) = state.ping.take_if(|ping| ping.token == token) else { return };
        let rtt_us = now.micros_since(ping.sent);
        state.measured(rtt_us);
        let (path, reason, peer) = (state.up.path, state.up.reason, state.peer);
        let challenger = state.challenger.take();
        for command in ping.asked_by {
            self.reply(command, Reply::Pong { rtt_us, path, reason });
        }
        self.arm_idle(link);
        if let Some(challenger) = challenger {
            self.timers.cancel(Timer::Challenge(link));
            self.close(challenger, CloseCode::Duplicate, "");
        }
        if let Some(key) = peer {
            self.prefer(key);
        }
    }

    pub(super) fn on_shutdown(&mut self, command: CommandId) {
        self.shutdown = Some(command);
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.close(link, CloseCode::GoingDown, "");
        }
        if self.links.is_empty() {
            self.on_shutdown_due();
        } else {
            self.timers.set(Timer::Shutdown, self.now.mono.plus_millis(DRAIN_MS));
        }
    }

    pub(super) fn on_shutdown_due(&mut self) {
        if let Some(command) = self.shutdown.take() {
            self.reply(command, Reply::Done);
        }
    }

    /// A short form for the scheme of a link.
    pub(super) fn scheme_of(&self, link: LinkId) -> Option<Scheme> {
        self.links.get(&link).map(|state| state.up.scheme)
    }
}

/// 1 s: what a transport may take to flush.
const DRAIN_MS: u64 = 1_500;

/// 400 ms: data that is not acknowledged for so long is asked about when another link could carry it.
const STANDBY_ACK_MS: u64 = 400;
/// 1 s: how long the answer to a PING is awaited when another link stands by; being wrong costs a redial.
const STANDBY_PONG_MS: u64 = 1_000;

fn ping_patience_us(state: &Link, times: &crate::Times, standby: bool) -> u64 {
    let alone = times.idle_dead_ms.saturating_sub(times.idle_ping_ms);
    state.patience_us(if standby { STANDBY_PONG_MS.min(alone) } else { alone })
}

const fn down_word(reason: DownReason) -> &'static str {
    match reason {
        DownReason::Requested => "closed",
        DownReason::PeerClosed => "peer-closed",
        DownReason::Broken => "broken",
        DownReason::Framing => "framing",
        DownReason::Stalled => "stalled",
        DownReason::Stopped => "stopped",
        _ => "down",
    }
}

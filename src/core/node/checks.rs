//! Verifications in their order: how many of one link are under way at once, and what waits.
//!
//! Verdicts come later than messages, so a bound on bad signatures alone would let a link waste a thousand checks before
//! its first verdict. A link therefore has no more under way than it may still get wrong, plus one for each that held
//! before. What waits is bounded by the link's credit, or in bytes where there is no credit.

use std::collections::VecDeque;

use crosscast_port::LinkId;
use crosscast_wire::CloseCode;

use crate::auth::origin::Origin;
use crate::{Node, Output, Reject, Verdict, VerifyJob, limits};

use super::Pending;

/// Verifications of one link that wait.
#[derive(Default)]
pub(super) struct Queue {
    jobs: VecDeque<(Pending, VerifyJob)>,
    /// Of those that no credit bounds.
    bytes: usize,
}

impl Pending {
    /// The link whose verification it is.
    fn checked_link(&self) -> Option<LinkId> {
        match self {
            Self::FloorCheck(link, _)
            | Self::ChainCheck(link, _)
            | Self::AskCheck(link, _, _)
            | Self::LocateCheck(link, _, _)
            | Self::SecondClaimCheck(link, _)
            | Self::CarriedCheck(link, _)
            | Self::EquivocationCheck(link, _) => Some(*link),
            Self::MessageCheck(candidate) => Some(candidate.link),
            // Before the hello is through nothing else is, and it shows nothing about what follows.
            Self::ProofSign(_)
            | Self::ProofCheck(_)
            | Self::FloorSign(_)
            | Self::CapabilitySign(_)
            | Self::FloorChangeSign(_)
            | Self::AskSign(_)
            | Self::GrantCheck(_)
            | Self::LocateSign(_)
            | Self::RecordSign(..)
            | Self::RecordCheck(_)
            | Self::TicketCheck(_)
            | Self::MessageSign(_)
            | Self::Commit
            | Self::FirstClaimRead(..)
            | Self::FeedRead(..)
            | Self::CarryRead(..)
            | Self::ReaderRead(_) => None,
        }
    }
}

impl Node {
    /// Has something verified, now or when it is its link's turn.
    pub(super) fn verify(&mut self, pending: Pending, job: VerifyJob) {
        let link = pending.checked_link().and_then(|link| self.links.get_mut(&link));
        let Some(state) = link else { return self.verify_now(pending, job) };
        let id = state.id;
        if state.may_check() && !self.unchecked.contains_key(&id) {
            state.checks = state.checks.saturating_add(1);
            return self.verify_now(pending, job);
        }
        let queue = self.unchecked.entry(id).or_default();
        if !matches!(pending, Pending::MessageCheck(_)) {
            queue.bytes = queue.bytes.saturating_add(weight(&job));
        }
        queue.jobs.push_back((pending, job));
        if queue.bytes > limits::CHECK_BYTES {
            self.rejects.count(Reject::OverRate);
            self.close(id, CloseCode::Overload, "too much to verify");
        }
    }

    fn verify_now(&mut self, pending: Pending, job: VerifyJob) {
        let op = self.open_op(pending);
        self.outputs.push_back(Output::Verify(op, job));
    }

    /// Where a link comes from, or came from if it went while something of it was being verified: whoever leaves before
    /// the verdict is not spared it.
    pub(super) fn origin_of(&self, link: LinkId) -> Option<Origin> {
        let departed = || self.departed.get(&link).map(|(origin, _)| *origin);
        self.links.get(&link).map(|state| state.origin).or_else(departed)
    }

    fn checked_after_leaving(&mut self, link: LinkId, verdict: Verdict) {
        let Some((origin, left)) = self.departed.get_mut(&link) else { return };
        if verdict != Verdict::Good {
            self.budgets.fault(origin, self.now.mono);
        }
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.departed.remove(&link);
        }
    }

    /// The link whose verification this was has room for the next.
    pub(super) fn checked(&mut self, link: LinkId, verdict: Verdict) {
        let Some(state) = self.links.get_mut(&link) else { return self.checked_after_leaving(link, verdict) };
        state.checks = state.checks.saturating_sub(1);
        state.checks_good = state.checks_good.saturating_add(u32::from(verdict == Verdict::Good));
        while let (Some(state), Some(queue)) = (self.links.get_mut(&link), self.unchecked.get_mut(&link)) {
            if !state.may_check() {
                return;
            }
            let Some((pending, job)) = queue.jobs.pop_front() else {
                self.unchecked.remove(&link);
                return;
            };
            if !matches!(pending, Pending::MessageCheck(_)) {
                queue.bytes = queue.bytes.saturating_sub(weight(&job));
            }
            state.checks = state.checks.saturating_add(1);
            self.verify_now(pending, job);
        }
    }

    /// A link is out of use: what waits of it is not verified any more, and copies by others take its turn.
    pub(super) fn drop_checks(&mut self, link: LinkId) {
        let Some(queue) = self.unchecked.remove(&link) else { return };
        for (pending, _) in queue.jobs {
            if let Pending::MessageCheck(candidate) = pending {
                self.check_next_copy(candidate.message.id());
            }
        }
    }

    pub(super) fn on_verified(&mut self, op: crosscast_port::OpId, verdict: Verdict) {
        let pending = self.ops.remove(&op);
        let link = pending.as_ref().and_then(Pending::checked_link);
        match pending {
            Some(Pending::ProofCheck(link)) => self.on_proof_checked(link, verdict),
            Some(Pending::FloorCheck(link, floor)) => self.on_floor_checked(link, *floor, verdict),
            Some(Pending::AskCheck(link, hops, request)) => self.on_ask_checked(link, hops, *request, verdict),
            Some(Pending::LocateCheck(link, hops, locate)) => self.on_locate_checked(link, hops, &locate, verdict),
            Some(Pending::RecordCheck(found)) => self.on_record_checked(&found, verdict),
            Some(Pending::GrantCheck(grant)) => self.on_grant_checked(*grant, verdict),
            Some(Pending::ChainCheck(link, chain)) => self.on_chain_checked(link, &chain, verdict),
            Some(Pending::TicketCheck(joining)) => self.on_ticket_checked(*joining, verdict),
            Some(Pending::MessageCheck(candidate)) => self.on_message_checked(*candidate, verdict),
            Some(Pending::CarriedCheck(link, arrival)) => self.on_carried_checked(link, arrival, verdict),
            Some(Pending::SecondClaimCheck(link, claim)) => self.on_second_claim_checked(link, *claim, verdict),
            Some(Pending::EquivocationCheck(link, proof)) => self.on_equivocation_checked(link, &proof, verdict),
            other => self.put_back(op, other),
        }
        if let Some(link) = link {
            self.checked(link, verdict);
        }
    }
}

fn weight(job: &VerifyJob) -> usize {
    job.signatures.iter().fold(256, |sum: usize, check| sum.saturating_add(check.body.len()).saturating_add(192))
}

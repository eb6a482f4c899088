//! Meeting others under a name in the DHT: this node says there that it can be met, and asks who else can.
//!
//! Pure: times come in, and what is to be said and asked goes out. The first rounds come soon, since members of a group
//! often start together and ask before the others have said that they are there; while a round finds nobody new, the next
//! comes later.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use crosscast_wire::Rendezvous;
use libp2p::kad::{QueryId, RecordKey};

/// Names under which this node meets others at once. 512: two days' names of 256 groups.
const MEETINGS: usize = 512;
/// Pause after the first round, when it found nobody. 2 s: members that start together have mostly said so by then; the
/// rounds after it meet the slower ones.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
/// Pause after a round that found somebody new, and the longest before what could not be said is said again.
const PAUSE_FOUND: Duration = Duration::from_secs(30);
/// Longest pause between rounds. 10 min: what a node that comes back waits at worst until somebody finds it.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// Questions to the DHT at once, so that a node of many groups does not flood it.
const ASKED_AT_ONCE: usize = 4;
/// How long what was said in the DHT is relied on. 10 min; others keep it for a day, but not those that are restarted.
const SAID_AGAIN: Duration = Duration::from_secs(600);
/// The first bytes of a multihash of 32 bytes of SHA-256: what keys of providers have to look like.
const MULTIHASH: [u8; 2] = [0x12, 0x20];

/// Every name this node meets others under; `Q` names a query of the DHT.
#[derive(Debug)]
pub(super) struct Meetings<Q = QueryId>(BTreeMap<Rendezvous, Meeting<Q>>);

#[derive(Debug)]
struct Meeting<Q> {
    ask_at: Instant,
    /// Until the round after the next, unless the next finds somebody.
    pause: Duration,
    asking: Option<Q>,
    found: bool,
    say_at: Instant,
    saying: Option<Q>,
}

impl<Q> Meeting<Q> {
    /// Until what could not be said is said again.
    fn say_soon(&self) -> Duration {
        self.pause.min(PAUSE_FOUND)
    }
}

/// What is to be done in the DHT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Say that this node can be met.
    Say(Rendezvous),
    /// Ask who else can.
    Ask(Rendezvous),
}

/// The DHT's key of a name.
pub(super) fn key(rendezvous: &Rendezvous) -> RecordKey {
    RecordKey::new(&[MULTIHASH.as_slice(), rendezvous.as_bytes()].concat())
}

impl<Q> Default for Meetings<Q> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Q: Copy + PartialEq> Meetings<Q> {
    /// Meets under a name from now on; false when there are too many.
    pub(super) fn begin(&mut self, rendezvous: Rendezvous, now: Instant) -> bool {
        let room = self.0.len() < MEETINGS || self.0.contains_key(&rendezvous);
        if room {
            let fresh =
                Meeting { ask_at: now, pause: PAUSE_FIRST, asking: None, found: false, say_at: now, saying: None };
            self.0.entry(rendezvous).or_insert(fresh);
        }
        room
    }

    /// Meets there no more; true when it did.
    pub(super) fn end(&mut self, rendezvous: &Rendezvous) -> bool {
        self.0.remove(rendezvous).is_some()
    }

    /// The next thing to do now. Its query is to be told by [`Self::begun`].
    pub(super) fn due(&self, now: Instant) -> Option<Due> {
        let under_way = self.0.values().flat_map(|meeting| [meeting.asking, meeting.saying]).flatten().count();
        if under_way >= ASKED_AT_ONCE {
            return None;
        }
        let said = |meeting: &Meeting<Q>| meeting.saying.is_some() || meeting.say_at > now;
        let asked = |meeting: &Meeting<Q>| meeting.asking.is_some() || meeting.ask_at > now;
        let say = self.0.iter().find(|(_, meeting)| !said(meeting)).map(|(name, _)| Due::Say(*name));
        say.or_else(|| self.0.iter().find(|(_, meeting)| !asked(meeting)).map(|(name, _)| Due::Ask(*name)))
    }

    /// When there may be something to do; what is under way says itself when it has ended.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let times = |meeting: &Meeting<Q>| {
            let say = if meeting.saying.is_none() { Some(meeting.say_at) } else { None };
            let ask = if meeting.asking.is_none() { Some(meeting.ask_at) } else { None };
            say.into_iter().chain(ask).min()
        };
        self.0.values().filter_map(times).min()
    }

    /// A query was begun, or could not be.
    pub(super) fn begun(&mut self, due: Due, query: Option<Q>, now: Instant) {
        match due {
            Due::Say(name) => {
                let Some(meeting) = self.0.get_mut(&name) else { return };
                meeting.saying = query;
                meeting.say_at = later(now, if query.is_some() { SAID_AGAIN } else { meeting.say_soon() });
            }
            Due::Ask(name) => {
                let Some(meeting) = self.0.get_mut(&name) else { return };
                meeting.asking = query;
                meeting.found = false;
                meeting.ask_at = later(now, meeting.pause);
            }
        }
    }

    /// Whether a query is one of these, and so whether who it found is somebody to meet.
    pub(super) fn is_asking(&self, query: Q) -> bool {
        self.0.values().any(|meeting| meeting.asking == Some(query))
    }

    /// A query has found somebody new.
    pub(super) fn found(&mut self, query: Q) {
        if let Some(meeting) = self.0.values_mut().find(|meeting| meeting.asking == Some(query)) {
            meeting.found = true;
        }
    }

    /// A query has ended, in whatever way.
    pub(super) fn ended(&mut self, query: Q, worked: bool, now: Instant) {
        for meeting in self.0.values_mut() {
            if meeting.saying == Some(query) {
                meeting.saying = None;
                if !worked {
                    meeting.say_at = later(now, meeting.say_soon());
                }
            }
            if meeting.asking == Some(query) {
                meeting.asking = None;
                if meeting.found {
                    meeting.pause = PAUSE_FOUND;
                }
                meeting.ask_at = later(now, meeting.pause);
                meeting.pause = meeting.pause.saturating_mul(2).min(PAUSE_MAX);
            }
        }
    }

    /// There is a way into the DHT that was not there, or this node is somewhere else now: everything is done anew.
    pub(super) fn restart(&mut self, now: Instant) {
        for meeting in self.0.values_mut() {
            meeting.pause = PAUSE_FIRST;
            meeting.ask_at = now;
            meeting.say_at = now;
        }
    }
}

fn later(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn name(number: u16) -> Rendezvous {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        Rendezvous::new(bytes)
    }

    #[test]
    fn rounds_come_later_while_they_find_nobody_and_soon_again_when_they_do() {
        let (mut meetings, mut now) = (Meetings::<u32>::default(), Instant::now());
        assert!(meetings.begin(name(1), now));
        assert_eq!(meetings.due(now), Some(Due::Say(name(1))));
        meetings.begun(Due::Say(name(1)), Some(100), now);
        let mut pauses = Vec::new();
        for query in 0..12 {
            assert_eq!(meetings.due(now), Some(Due::Ask(name(1))), "round {query}");
            meetings.begun(Due::Ask(name(1)), Some(query), now);
            assert!(meetings.is_asking(query) && meetings.due(now).is_none());
            if query == 10 {
                meetings.found(query);
            }
            meetings.ended(query, true, now);
            let next = meetings.next_due().unwrap();
            pauses.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 30, 60]);
        meetings.ended(100, false, now);
        assert_eq!(meetings.next_due(), Some(now), "it is asked next");
        meetings.begun(Due::Ask(name(1)), Some(200), now);
        assert_eq!(meetings.next_due(), later(now, PAUSE_FOUND).into(), "what could not be said is said again soon");
        meetings.restart(now);
        meetings.ended(200, true, now);
        meetings.restart(now);
        assert_eq!(meetings.due(now), Some(Due::Say(name(1))));
        assert!(meetings.end(&name(1)) && !meetings.end(&name(1)));
        assert_eq!((meetings.due(now), meetings.next_due()), (None, None));
    }

    #[test]
    fn names_and_questions_are_bounded() {
        let (mut meetings, now) = (Meetings::<usize>::default(), Instant::now());
        let begun = (0..2 * MEETINGS).filter(|n| meetings.begin(name(u16::try_from(*n).unwrap()), now)).count();
        assert_eq!(begun, MEETINGS);
        assert!(meetings.begin(name(0), now));
        for query in 0.. {
            let Some(due) = meetings.due(now) else { break };
            meetings.begun(due, Some(query), now);
            assert!(query < ASKED_AT_ONCE);
        }
        meetings.ended(0, false, now);
        assert!(meetings.due(now).is_some());
    }

    #[test]
    fn a_key_of_the_dht_looks_like_a_hash() {
        let bytes = key(&name(7)).to_vec();
        assert_eq!((bytes.len(), &bytes[..4]), (34, &[0x12, 0x20, 0, 7][..]));
    }
}

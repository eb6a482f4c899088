//! Broken frames of every kind: bits flipped, bytes cut, added and swapped, fields set to extremes.
//!
//! At least three in ten are messages whose header was mutated field by field and signed again with a real key, so that
//! they pass the signature gate and reach what lies behind it. The core must refuse each by name or take it as legal; it
//! must not fall over, and a sound message afterwards must still arrive.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_wire::{
    ChainHash, Class, Codec, Destination, Hop, Lane, MessageId, NodeId, Order, Policy, RawFrame, RefuseCode, Seq,
    WallMillis, frame,
};

use crate::attacker::{Attacker, data, header, payload, raw_data, signed};
use crate::rejects::provoke_all;
use crate::{Chance, Victim};

/// What came of the mutated frames.
#[derive(Debug)]
pub struct MutateReport {
    pub frames: u64,
    /// Messages whose mutated header was signed again.
    pub resigned: u64,
    /// Frames that were refused by name.
    pub refused: u64,
    /// Frames that were legal after all.
    pub legal: u64,
    /// Whether a sound message still arrived at the end.
    pub alive: bool,
    pub rejects: BTreeMap<&'static str, u64>,
    /// Reject words that were hit fewer times than asked.
    pub missed: Vec<&'static str>,
}

impl MutateReport {
    #[must_use]
    pub fn holds(&self) -> bool {
        self.alive && self.missed.is_empty() && self.resigned * 10 >= self.frames * 3
    }
}

/// Sends `count` mutated frames, and provokes every reject at least `each` times.
#[must_use]
pub fn mutate(count: u64, each: u64, seed: u64) -> MutateReport {
    let mut chance = Chance(seed);
    let mut victim = Victim::new(1, 16 << 20);
    let (group, ticket) = victim.group("mutated", Policy::Open);
    let mut attacker = Attacker::new(seed ^ 3);
    let (mut resigned, mut refused) = (0, 0);
    let mut friend = Attacker::new(seed ^ 4);
    let link = friend.link(&mut victim);
    let before_all = friend.sound(group, victim.now.wall, b"before");
    victim.frames(link, vec![data(&before_all)]);
    let mut before: u64 = 0;
    for number in 0..count {
        let link = attacker.link(&mut victim);
        let resign = number % 5 < 2;
        let frame = if resign {
            resigned += 1;
            resigned_message(&mut chance, &mut attacker, group, victim.now.wall)
        } else {
            let sound = sound_frame(&mut chance, &mut attacker, group, &ticket, victim.now.wall);
            mutated(&mut chance, sound)
        };
        victim.frames(link, vec![frame]);
        if number % 64 == 63 {
            // A number far ahead uses up a run's window; another key goes on.
            attacker.drop_link(&mut victim);
            attacker = Attacker::new(seed.wrapping_add(number << 8));
            victim.pass(1);
        }
        let total: u64 = victim.rejects().values().sum();
        refused += u64::from(total > before);
        before = total;
    }
    // The table of windows may be full of the attacker's keys by now; who has spoken before is still heard.
    let link = friend.link(&mut victim);
    let sound = friend.sound(group, victim.now.wall, b"still alive");
    victim.frames(link, vec![data(&sound)]);
    let alive = victim.delivered.iter().any(|text| text == b"still alive");
    let mut rejects = victim.rejects();
    for (word, hits) in provoke_all(each, seed) {
        *rejects.entry(word).or_default() += hits;
    }
    let words = crosscast_core::Reject::ALL.iter().map(|reject| reject.word());
    let missed = words.filter(|word| rejects.get(word).copied().unwrap_or(0) < each).collect();
    MutateReport { frames: count, resigned, refused, legal: count - refused, alive, rejects, missed }
}

/// A message with mutated fields under a right signature and, mostly, a right hash.
fn resigned_message(
    chance: &mut Chance,
    attacker: &mut Attacker,
    group: crosscast_wire::GroupId,
    now: WallMillis,
) -> RawFrame {
    let mut draft = attacker.draft(Destination::Multicast(group), now);
    let mut body = payload(b"mutated");
    for _ in 0..=chance.below(2) {
        match chance.below(14) {
            0 => draft.seq = Seq(extreme(chance).max(1)),
            1 => {
                draft.time = WallMillis(extreme(chance));
                draft.expires = WallMillis(draft.time.0.saturating_add(1_000));
            }
            2 => draft.expires = WallMillis(now.0.saturating_add(extreme(chance) % 1_000_000)),
            3 => draft.class = *pick(chance, Class::ALL),
            4 => draft.order = *pick(chance, Order::ALL),
            5 => draft.chain = Some(ChainHash::new([chance.draw() as u8; 32])),
            6 => draft.deps = vec![MessageId::new([chance.draw() as u8; 32])],
            7 => draft.recipients = vec![NodeId::new([chance.draw() as u8; 32])],
            8 => draft.codec = *pick(chance, Codec::ALL),
            9 => draft.count = (1 + chance.below(256)) as u16,
            10 => draft.to = Destination::Unicast(NodeId::new([chance.draw() as u8; 32])),
            11 if !body.is_empty() => {
                let place = chance.below(body.len());
                body[place] ^= 1 << chance.below(8);
            }
            12 => body.truncate(chance.below(body.len() + 1)),
            _ => draft.instance = crosscast_wire::Instance(extreme(chance)),
        }
    }
    let Ok(unsigned) = draft.finish(body.len(), &crosscast_wire::PayloadHash::of_payload(&body)) else {
        // Not a legal header: flip a bit of a legal one and sign that.
        draft = attacker.draft(Destination::Multicast(group), now);
        let mut bytes = header(&draft, &body);
        let place = chance.below(bytes.len());
        bytes[place] ^= 1 << chance.below(8);
        return raw_data(signed(&attacker.key, &bytes, &body));
    };
    let message = signed(&attacker.key, &unsigned.bytes, &body);
    let frame =
        Hop::new(chance.draw() as u8, chance.draw() as u8, chance.draw() as u32).frame(message, draft.class.lane());
    let whole: Bytes = [frame.head.as_ref(), frame.tail.as_ref()].concat().into();
    RawFrame::new(frame.frame_type, frame.lane, whole)
}

/// A legal frame of any kind.
fn sound_frame(
    chance: &mut Chance,
    attacker: &mut Attacker,
    group: crosscast_wire::GroupId,
    ticket: &crosscast_wire::Ticket,
    now: WallMillis,
) -> RawFrame {
    let window = crosscast_wire::ResumeWindow { from: attacker.id(), instance: attacker.instance, contiguous: Seq(3) };
    match chance.below(12) {
        0 => frame::hello(&attacker.hello(now)),
        1 => frame::proof(&[chance.draw() as u8; 64]),
        2 => frame::ping(chance.draw()),
        3 => frame::pong(chance.draw()),
        4 => frame::credit(Lane::Normal, chance.draw()).expect("a data lane"),
        5 => frame::ack(&[(Lane::Normal, chance.draw())]).expect("a data lane"),
        6 => frame::refuse(Lane::Bulk, chance.draw(), RefuseCode::Full).expect("a data lane"),
        7 => frame::floor(&ticket.fields().floor, None),
        8 => frame::subscribe(&group, chance.below(2) == 0, None),
        9 => frame::resume(&group, [window]).remove(0),
        _ => data(&attacker.sound(group, now, b"sound")),
    }
}

/// Breaks a frame in one to three places.
fn mutated(chance: &mut Chance, frame: RawFrame) -> RawFrame {
    let mut body = [frame.head.as_ref(), frame.tail.as_ref()].concat();
    let (mut frame_type, mut lane) = (frame.frame_type, frame.lane);
    for _ in 0..=chance.below(3) {
        let place = chance.below(body.len());
        match chance.below(8) {
            0..=2 if !body.is_empty() => body[place] ^= 1 << chance.below(8),
            3 if !body.is_empty() => body[place] = chance.draw() as u8,
            4 => body.truncate(place),
            5 => body.push(chance.draw() as u8),
            6 => frame_type = crosscast_wire::FrameType(chance.draw() as u8),
            _ => lane = *pick(chance, Lane::ALL),
        }
    }
    RawFrame::new(frame_type, lane, body.into())
}

fn pick<'a, T>(chance: &mut Chance, all: &'a [T]) -> &'a T {
    &all[chance.below(all.len())]
}

/// A number near an edge.
fn extreme(chance: &mut Chance) -> u64 {
    let edges = [0, 1, 2, 63, 64, 255, 4_095, 4_096, 4_097, u64::from(u32::MAX), u64::MAX / 2, u64::MAX - 1, u64::MAX];
    let edge = edges[chance.below(edges.len())];
    edge.wrapping_add(chance.draw() % 3).wrapping_sub(1)
}

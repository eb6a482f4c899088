//! Random operations, decided by a seed.
//!
//! Mostly legal, on so few logs and keys that they meet; records of very different length.

use bytes::Bytes;
use crosscast_port::{Durability, LogEntry, LogId, LogItem, LogPos, Space, StoreOp, Write};
use crosscast_wire::{Instance, MessageId, NodeId, Seq, WallMillis};

use super::Model;

/// A source of chance: splitmix64.
#[derive(Clone, Debug)]
pub struct Chance(pub u64);

impl Chance {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A record with content that its position decides.
#[must_use]
pub fn record(pos: u64, released: Option<u64>, len: usize) -> LogItem {
    let entry = LogEntry {
        pos: LogPos(pos),
        id: MessageId::new([pos as u8; 32]),
        from: NodeId::new([(pos % 3) as u8; 32]),
        instance: Instance(pos % 5),
        seq: Seq(pos),
        time: WallMillis(pos * 7),
        expires: WallMillis(pos * 11),
        arrived: WallMillis(pos * 13),
        released: released.map(LogPos),
        gap: released.is_some() && pos.is_multiple_of(4),
        len: len as u32,
        tag: pos * 17,
    };
    let bytes: Vec<u8> = (0..len).map(|at| (pos as usize * 31 + at * 7) as u8).collect();
    LogItem { entry, bytes: bytes.into() }
}

/// A random operation that mostly fits what the model holds.
pub fn chance_op(chance: &mut Chance, model: &Model) -> StoreOp {
    let log = |chance: &mut Chance| LogId([chance.below(3) as u8; 32]);
    let after = |chance: &mut Chance| LogPos(chance.below(model.next_pos + 2));
    let max_bytes = |chance: &mut Chance| [0, 300, 2_000, u32::MAX][chance.below(4) as usize];
    match chance.below(10) {
        0 => StoreOp::Read { log: log(chance), after: after(chance), max_bytes: max_bytes(chance) },
        1 => StoreOp::ReadReleased { log: log(chance), after: after(chance), max_bytes: max_bytes(chance) },
        _ => {
            let mut next = model.next_pos;
            let count = 1 + chance.below(5);
            let writes = (0..count).map(|_| chance_write(chance, model, &mut next)).collect();
            let durability = if chance.below(8) == 0 { Durability::Synced } else { Durability::Written };
            StoreOp::Commit { writes, durability }
        }
    }
}

fn chance_write(chance: &mut Chance, model: &Model, next: &mut u64) -> Write {
    let log = LogId([chance.below(3) as u8; 32]);
    let mut draw = |chance: &mut Chance| {
        let illegal = chance.below(60) == 0;
        let pos = if illegal { next.saturating_sub(1 + chance.below(3)) } else { *next + chance.below(3) };
        *next = pos + 1;
        pos
    };
    match chance.below(20) {
        0..=8 => {
            let pos = draw(chance);
            let released = match chance.below(4) {
                0 => None,
                1 => Some(draw(chance)),
                _ => Some(pos),
            };
            let len = [0, 1, 200, 700, 5_000][chance.below(5) as usize] + chance.below(100);
            Write::Append { log, item: record(pos, released, len as usize) }
        }
        9..=11 => {
            let held = model.logs.get(&log).into_iter().flatten().filter(|item| item.entry.released.is_none());
            let held: Vec<LogPos> = held.map(|item| item.entry.pos).collect();
            let pos =
                held.get(chance.below(held.len() as u64 + 1) as usize).copied().unwrap_or(LogPos(chance.below(50)));
            Write::Release { log, pos, released: LogPos(draw(chance)), gap: chance.below(2) == 0 }
        }
        12 | 13 => Write::Trim { log, through: LogPos(chance.below(model.next_pos + 4)) },
        14 => {
            let back = chance.below(40);
            let through = if back == 0 { u64::MAX } else { model.next_pos.saturating_sub(back) };
            Write::Forget { log, through: LogPos(through) }
        }
        15..=17 => {
            let value = vec![chance.below(256) as u8; chance.below(300) as usize];
            Write::Put { space: chance_space(chance), key: chance_key(chance), value: value.into() }
        }
        _ => Write::Delete { space: chance_space(chance), key: chance_key(chance) },
    }
}

fn chance_space(chance: &mut Chance) -> Space {
    Space::from_number(1 + chance.below(5) as u8).unwrap()
}

fn chance_key(chance: &mut Chance) -> Bytes {
    vec![chance.below(6) as u8; chance.below(4) as usize].into()
}

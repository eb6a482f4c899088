//! Writes as they stand in a segment: a tag and fixed fields, big endian, then the bytes that vary.
//!
//! Two tags hold a log record: appended, and moved (a copy of one that stood in an older segment, as it is known now).
//! Decoding borrows; a checksum has passed before, so whatever does not decode is damage or a newer version.

use crosscast_port::{LogEntry, LogId, LogPos, Space, Write};
use crosscast_wire::{Instance, MessageId, NodeId, Seq, WallMillis};

/// Everything of a log record but its message.
pub(crate) const RECORD_HEAD_LEN: usize = 166;

const APPEND: u8 = 1;
const RELEASE: u8 = 2;
const TRIM: u8 = 3;
const FORGET: u8 = 4;
const PUT: u8 = 5;
const DELETE: u8 = 6;
const MOVED: u8 = 7;

/// A log record as it stands in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) log: LogId,
    pub(crate) entry: LogEntry,
    pub(crate) bytes: &'a [u8],
}

/// A write as it stands in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Logged<'a> {
    Append(Record<'a>),
    Moved(Record<'a>),
    Release { log: LogId, pos: LogPos, released: LogPos, gap: bool },
    Trim { log: LogId, through: LogPos },
    Forget { log: LogId, through: LogPos },
    Put { space: Space, key: &'a [u8], value: &'a [u8] },
    Delete { space: Space, key: &'a [u8] },
}

/// Appends one write.
pub(crate) fn encode(write: &Write, out: &mut Vec<u8>) {
    match write {
        Write::Append { log, item } => encode_record(APPEND, *log, &item.entry, &item.bytes, out),
        Write::Release { log, pos, released, gap } => {
            out.push(RELEASE);
            out.extend_from_slice(&log.0);
            out.extend_from_slice(&pos.0.to_be_bytes());
            out.extend_from_slice(&released.0.to_be_bytes());
            out.push(u8::from(*gap));
        }
        Write::Trim { log, through } => encode_through(TRIM, *log, *through, out),
        Write::Forget { log, through } => encode_through(FORGET, *log, *through, out),
        Write::Put { space, key, value } => encode_put(*space, key, value, out),
        Write::Delete { space, key } => {
            out.extend_from_slice(&[DELETE, *space as u8]);
            out.extend_from_slice(&len16(key));
            out.extend_from_slice(key);
        }
    }
}

/// Appends the copy of a record.
pub(crate) fn encode_moved(log: LogId, entry: &LogEntry, bytes: &[u8], out: &mut Vec<u8>) {
    encode_record(MOVED, log, entry, bytes, out);
}

/// Appends a pair.
pub(crate) fn encode_put(space: Space, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[PUT, space as u8]);
    out.extend_from_slice(&len16(key));
    out.extend_from_slice(&len32(value));
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

fn encode_record(tag: u8, log: LogId, entry: &LogEntry, bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(RECORD_HEAD_LEN.saturating_add(bytes.len()));
    out.push(tag);
    out.extend_from_slice(&log.0);
    out.extend_from_slice(&entry.pos.0.to_be_bytes());
    out.extend_from_slice(entry.id.as_bytes());
    out.extend_from_slice(entry.from.as_bytes());
    let released = entry.released.map_or(0, |released| released.0);
    for number in [entry.instance.0, entry.seq.0, entry.time.0, entry.expires.0, entry.arrived.0, released] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.push(u8::from(entry.gap));
    out.extend_from_slice(&entry.tag.to_be_bytes());
    out.extend_from_slice(&len32(bytes));
    out.extend_from_slice(bytes);
}

fn encode_through(tag: u8, log: LogId, through: LogPos, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&log.0);
    out.extend_from_slice(&through.0.to_be_bytes());
}

/// Lengths were checked against far smaller limits before anything is encoded.
fn len16(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

fn len32(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// Takes one write off the front; `None` when it is none.
pub(crate) fn decode<'a>(rest: &mut &'a [u8]) -> Option<Logged<'a>> {
    let [tag] = *chunk::<1>(rest)?;
    Some(match tag {
        APPEND => Logged::Append(record(rest)?),
        MOVED => Logged::Moved(record(rest)?),
        RELEASE => Logged::Release { log: log(rest)?, pos: pos(rest)?, released: pos(rest)?, gap: flag(rest)? },
        TRIM => Logged::Trim { log: log(rest)?, through: pos(rest)? },
        FORGET => Logged::Forget { log: log(rest)?, through: pos(rest)? },
        PUT => {
            let space = space(rest)?;
            let key = u16::from_be_bytes(*chunk(rest)?);
            let value = u32::from_be_bytes(*chunk(rest)?);
            Logged::Put { space, key: bytes(rest, key.into())?, value: bytes(rest, value)? }
        }
        DELETE => {
            let space = space(rest)?;
            let key = u16::from_be_bytes(*chunk(rest)?);
            Logged::Delete { space, key: bytes(rest, key.into())? }
        }
        _ => return None,
    })
}

fn record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let log = log(rest)?;
    let at = pos(rest)?;
    let id = MessageId::new(*chunk(rest)?);
    let from = NodeId::new(*chunk(rest)?);
    let instance = Instance(number(rest)?);
    let seq = Seq(number(rest)?);
    let (time, expires, arrived) = (number(rest)?, number(rest)?, number(rest)?);
    let released = Some(pos(rest)?).filter(|released| released.0 != 0);
    let gap = flag(rest)?;
    let tag = number(rest)?;
    let len = u32::from_be_bytes(*chunk(rest)?);
    let (time, expires, arrived) = (WallMillis(time), WallMillis(expires), WallMillis(arrived));
    let entry = LogEntry { pos: at, id, from, instance, seq, time, expires, arrived, released, gap, len, tag };
    Some(Record { log, entry, bytes: bytes(rest, len)? })
}

fn chunk<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(head)
}

fn bytes<'a>(rest: &mut &'a [u8], len: u32) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    *rest = tail;
    Some(head)
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    chunk(rest).map(|bytes| u64::from_be_bytes(*bytes))
}

fn log(rest: &mut &[u8]) -> Option<LogId> {
    chunk(rest).map(|bytes| LogId(*bytes))
}

fn pos(rest: &mut &[u8]) -> Option<LogPos> {
    number(rest).map(LogPos)
}

fn space(rest: &mut &[u8]) -> Option<Space> {
    let [number] = *chunk::<1>(rest)?;
    Space::from_number(number)
}

fn flag(rest: &mut &[u8]) -> Option<bool> {
    match chunk::<1>(rest)? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use crate::{ENTRY_COST, PAIR_COST};
    use crosscast_port::LogItem;

    fn samples() -> Vec<Write> {
        let log = LogId([1; 32]);
        let entry = LogEntry {
            pos: LogPos(2),
            id: MessageId::new([3; 32]),
            from: NodeId::new([4; 32]),
            instance: Instance(5),
            seq: Seq(6),
            time: WallMillis(7),
            expires: WallMillis(8),
            arrived: WallMillis(9),
            released: Some(LogPos(10)),
            gap: true,
            len: 11,
            tag: 12,
        };
        let (key, value) = (b"key"[..].into(), b"value"[..].into());
        vec![
            Write::Append { log, item: LogItem { entry, bytes: vec![13; 11].into() } },
            Write::Release { log, pos: LogPos(1), released: LogPos(2), gap: true },
            Write::Trim { log, through: LogPos(u64::MAX) },
            Write::Forget { log, through: LogPos(3) },
            Write::Put { space: Space::Pin, key, value },
            Write::Delete { space: Space::Meta, key: b"key"[..].into() },
        ]
    }

    #[test]
    fn a_write_reads_back_whole_and_never_in_part() {
        for write in samples() {
            let mut out = Vec::new();
            encode(&write, &mut out);
            let mut rest = &out[..];
            let logged = decode(&mut rest).unwrap();
            assert!(rest.is_empty());
            if let (Write::Append { log, item }, Logged::Append(record)) = (&write, &logged) {
                assert_eq!((log, &item.entry, &item.bytes[..]), (&record.log, &record.entry, record.bytes));
            }
            for len in 0..out.len() {
                assert_eq!(decode(&mut &out[..len]), None, "{write:?} cut at {len}");
            }
        }
    }

    #[test]
    fn the_costs_are_the_lengths_on_disk() {
        let lens: Vec<usize> = samples()
            .iter()
            .map(|write| {
                let mut out = Vec::new();
                encode(write, &mut out);
                out.len()
            })
            .collect();
        assert_eq!(lens[0] as u64, ENTRY_COST + 11);
        assert_eq!(RECORD_HEAD_LEN as u64, ENTRY_COST);
        assert_eq!(lens[4] as u64, PAIR_COST + 8);
    }
}

//! The rules that every store keeps: which commits are legal, and what they cost.
//!
//! A commit is judged whole, against the state before it, so that it can be refused before anything is written. Costs
//! are what the durable store needs on disk for a record or pair that is still wanted; the store in memory counts the
//! same, so that one quota means one thing.

use crosscast_port::{LogEntry, Space, StoreError, Write};

/// Bytes that a log record costs besides its message: its index entry as written to disk.
pub const ENTRY_COST: u64 = 166;
/// Bytes that a pair costs besides its key and value: tag, space and two lengths.
pub const PAIR_COST: u64 = 8;
/// Longest key: the port's word.
pub const KEY_BYTES_MAX: usize = 256;
/// Longest value: the port's word.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Pairs may exceed the quota by this much, so that cursors and replay windows of a full store can still move on.
pub const PAIR_RESERVE_BYTES: u64 = 1024 * 1024;
/// Largest commit as written: 240 messages of full size; bounds what recovery must hold in memory at once.
pub const COMMIT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The longest fixed part of any write on disk: that of an append.
const WRITE_HEAD_LEN: usize = 166;

/// What a legal commit brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// One above the highest position afterwards.
    pub(crate) next_pos: u64,
    /// Bytes that its writes take on disk, at most.
    pub(crate) frame_bytes: usize,
    /// Cost of the records it adds.
    pub(crate) log_growth: u64,
    /// Cost of the pairs it adds or lengthens.
    pub(crate) pair_growth: u64,
}

impl Checked {
    /// Whether the commit fits a store that holds `live` bytes, of which it frees `freed`.
    pub(crate) fn fits(&self, live: u64, freed: u64, quota: u64) -> bool {
        let growth = self.log_growth.saturating_add(self.pair_growth);
        let limit = if self.log_growth > 0 { quota } else { quota.saturating_add(PAIR_RESERVE_BYTES) };
        growth == 0 || live.saturating_sub(freed).saturating_add(growth) <= limit
    }
}

/// The cost of a pair.
pub(crate) fn pair_cost(key: usize, value: usize) -> u64 {
    PAIR_COST.saturating_add(key as u64).saturating_add(value as u64)
}

fn illegal(what: &str) -> StoreError {
    StoreError::Io(format!("invalid input: {what}"))
}

/// Judges a commit by the state before it; `pair` tells the cost of a pair that is held, 0 when it is not.
///
/// # Errors
/// [`StoreError::Io`] naming the broken rule.
pub(crate) fn check(
    writes: &[Write],
    next_pos: u64,
    pair: impl Fn(Space, &[u8]) -> u64,
) -> Result<Checked, StoreError> {
    let mut checked = Checked { next_pos, frame_bytes: 0, log_growth: 0, pair_growth: 0 };
    for write in writes {
        match write {
            Write::Append { log: _, item } => {
                check_append(&item.entry, item.bytes.len(), &mut checked)?;
                let cost = ENTRY_COST.saturating_add(item.bytes.len() as u64);
                checked.log_growth = checked.log_growth.saturating_add(cost);
                checked.frame_bytes = checked.frame_bytes.saturating_add(item.bytes.len());
            }
            Write::Release { log: _, pos, released, gap: _ } => {
                if *pos >= *released {
                    return Err(illegal("released before it was appended"));
                }
                raise(&mut checked, released.0)?;
            }
            Write::Trim { log: _, through: _ } | Write::Forget { log: _, through: _ } => {}
            Write::Put { space, key, value } => {
                if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
                    return Err(illegal("key or value too long"));
                }
                let growth = pair_cost(key.len(), value.len()).saturating_sub(pair(*space, key));
                checked.pair_growth = checked.pair_growth.saturating_add(growth);
                checked.frame_bytes = checked.frame_bytes.saturating_add(key.len()).saturating_add(value.len());
            }
            Write::Delete { space: _, key } => {
                if key.len() > KEY_BYTES_MAX {
                    return Err(illegal("key too long"));
                }
                checked.frame_bytes = checked.frame_bytes.saturating_add(key.len());
            }
        }
        checked.frame_bytes = checked.frame_bytes.saturating_add(WRITE_HEAD_LEN);
    }
    if checked.frame_bytes > COMMIT_BYTES_MAX {
        return Err(illegal("commit too large"));
    }
    Ok(checked)
}

fn check_append(entry: &LogEntry, bytes: usize, checked: &mut Checked) -> Result<(), StoreError> {
    if usize::try_from(entry.len) != Ok(bytes) {
        return Err(illegal("length differs from the bytes"));
    }
    raise(checked, entry.pos.0)?;
    match entry.released {
        Some(released) if released < entry.pos => Err(illegal("released before it was appended")),
        Some(released) if released > entry.pos => raise(checked, released.0),
        Some(_) | None => Ok(()),
    }
}

/// Takes a position, which must be above every one before.
fn raise(checked: &mut Checked, pos: u64) -> Result<(), StoreError> {
    let next = pos.checked_add(1).ok_or_else(|| illegal("position out of range"))?;
    if pos < checked.next_pos {
        return Err(illegal("position not above the last"));
    }
    checked.next_pos = next;
    Ok(())
}

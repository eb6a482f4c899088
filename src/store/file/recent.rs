//! The bytes that were written or read last, so that a reader just behind the head never waits for the disk.
//!
//! What was written is kept in pieces, oldest dropped first; what was read from older segments is kept as a few
//! windows, because a reader that is far behind wants the neighbours next.

use std::collections::VecDeque;

/// Bytes kept of what was written last: several seconds of a busy group.
const TAIL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Small writes gather in pieces of this size, so that there are few to look through.
const PIECE_BYTES: usize = 64 * 1024;
/// Read at once, and windows kept: 512 KiB for readers in a handful of places.
pub(crate) const WINDOW_BYTES: usize = 64 * 1024;
const WINDOWS_MAX: usize = 8;

struct Piece {
    segment: u32,
    offset: u32,
    bytes: Vec<u8>,
}

impl Piece {
    fn get(&self, segment: u32, offset: u32, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        if segment != self.segment {
            return None;
        }
        self.bytes.get(from..from.checked_add(len)?)
    }
}

/// Pieces of segments in memory.
#[derive(Default)]
pub(crate) struct Recent {
    /// Ascending by segment and offset.
    tail: VecDeque<Piece>,
    tail_bytes: usize,
    /// Least recently read first.
    windows: VecDeque<Piece>,
}

impl Recent {
    /// Keeps what was just written.
    pub(crate) fn wrote(&mut self, segment: u32, offset: u32, bytes: &[u8]) {
        self.tail_bytes = self.tail_bytes.saturating_add(bytes.len());
        let adjoins = |last: &&mut Piece| {
            last.segment == segment
                && last.offset.checked_add(u32::try_from(last.bytes.len()).unwrap_or(u32::MAX)) == Some(offset)
                && last.bytes.len() < PIECE_BYTES
        };
        match self.tail.back_mut().filter(adjoins) {
            Some(last) => last.bytes.extend_from_slice(bytes),
            None => self.tail.push_back(Piece { segment, offset, bytes: bytes.to_vec() }),
        }
        while self.tail_bytes > TAIL_BYTES_MAX && self.tail.len() > 1 {
            let Some(old) = self.tail.pop_front() else { break };
            self.tail_bytes = self.tail_bytes.saturating_sub(old.bytes.len());
        }
    }

    /// Keeps what was just read.
    pub(crate) fn read(&mut self, segment: u32, offset: u32, bytes: Vec<u8>) {
        if self.windows.len() >= WINDOWS_MAX {
            self.windows.pop_front();
        }
        self.windows.push_back(Piece { segment, offset, bytes });
    }

    /// Bytes that are in memory.
    pub(crate) fn get(&self, segment: u32, offset: u32, len: usize) -> Option<&[u8]> {
        let behind = self.tail.partition_point(|piece| (piece.segment, piece.offset) <= (segment, offset));
        let tail = behind.checked_sub(1).and_then(|at| self.tail.get(at)?.get(segment, offset, len));
        tail.or_else(|| self.windows.iter().rev().find_map(|piece| piece.get(segment, offset, len)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_was_written_last_is_there_and_what_is_older_goes() {
        let mut recent = Recent::default();
        let piece = vec![7; 1000];
        for at in 0..10_000u32 {
            recent.wrote(1 + at / 5000, 40 + at % 5000 * 1000, &piece);
        }
        assert_eq!(recent.get(2, 40 + 4_999_000, 1000).unwrap(), piece);
        assert_eq!(recent.get(2, 40 + 4_999_500, 500).unwrap().len(), 500);
        assert!(recent.get(2, 40 + 4_999_500, 501).is_none());
        assert!(recent.get(1, 40, 1000).is_none());
        assert!(recent.get(2, 40, 1000).is_none());
        assert!(recent.tail_bytes <= TAIL_BYTES_MAX);
        assert_eq!(recent.tail_bytes, recent.tail.iter().map(|piece| piece.bytes.len()).sum::<usize>());
        assert!(recent.tail.len() < 80, "{}", recent.tail.len());
    }

    #[test]
    fn few_windows_are_kept() {
        let mut recent = Recent::default();
        (0..20).for_each(|segment| recent.read(segment, 40, vec![segment as u8; 10]));
        assert_eq!(recent.get(19, 45, 5).unwrap(), [19; 5]);
        assert!(recent.get(19, 39, 5).is_none());
        assert!(recent.get(0, 45, 5).is_none());
        assert_eq!(recent.windows.len(), WINDOWS_MAX);
    }
}

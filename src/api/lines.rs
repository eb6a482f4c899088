//! Newline-delimited bytes, cut into entries as they arrive.
//!
//! A line is what stands before a `\n`; it may hold any other byte, be empty, or lack its `\n` at the very end. A line
//! longer than an entry may be is not kept: only its length is counted, so that memory stays bounded.

use bytes::{Bytes, BytesMut};

/// One line of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its bytes, without the newline.
    Whole(Bytes),
    /// It had this many bytes, more than allowed.
    TooLong(u64),
}

/// Cuts chunks into lines of at most a given length.
#[derive(Debug)]
pub struct Lines {
    max: usize,
    held: BytesMut,
    /// Bytes of the current line that were thrown away because it is too long.
    skipped: u64,
    open: bool,
}

impl Lines {
    /// Cuts lines of at most `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { max, held: BytesMut::new(), skipped: 0, open: false }
    }

    /// Takes the next chunk and appends the lines it completes.
    pub fn push(&mut self, chunk: &Bytes, lines: &mut Vec<Line>) {
        let mut rest = chunk.clone();
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let piece = rest.split_to(at);
            let _newline = rest.split_to(1);
            lines.push(self.complete(piece));
        }
        if !rest.is_empty() {
            self.open = true;
            self.hold(&rest);
        }
    }

    /// Ends the input: the last line, when it has no newline.
    pub fn finish(&mut self) -> Option<Line> {
        self.open.then(|| self.complete(Bytes::new()))
    }

    fn complete(&mut self, piece: Bytes) -> Line {
        self.open = false;
        if self.held.is_empty() && self.skipped == 0 && piece.len() <= self.max {
            return Line::Whole(piece);
        }
        self.hold(&piece);
        let held = std::mem::take(&mut self.held);
        match std::mem::take(&mut self.skipped) {
            0 => Line::Whole(held.freeze()),
            skipped => Line::TooLong(skipped),
        }
    }

    fn hold(&mut self, piece: &[u8]) {
        let total = self.held.len().saturating_add(piece.len());
        if self.skipped == 0 && total <= self.max {
            self.held.extend_from_slice(piece);
        } else {
            // From here on only the length matters.
            self.skipped = self.skipped.saturating_add(u64::try_from(total).unwrap_or(u64::MAX));
            self.held = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn cut(chunks: &[&[u8]], max: usize) -> Vec<Line> {
        let (mut lines, mut out) = (Lines::new(max), Vec::new());
        for chunk in chunks {
            lines.push(&Bytes::copy_from_slice(chunk), &mut out);
        }
        out.extend(lines.finish());
        out
    }

    fn whole(text: &'static [u8]) -> Line {
        Line::Whole(Bytes::from_static(text))
    }

    #[test]
    fn empty_lines_and_a_missing_last_newline_count() {
        assert_eq!(cut(&[b""], 9), vec![]);
        assert_eq!(cut(&[b"\n"], 9), vec![whole(b"")]);
        assert_eq!(cut(&[b"a\n\nb"], 9), vec![whole(b"a"), whole(b""), whole(b"b")]);
        assert_eq!(cut(&[b"a\n"], 9), vec![whole(b"a")]);
        assert_eq!(cut(&[b"\xff\x00\r\n"], 9), vec![whole(b"\xff\x00\r")]);
    }

    #[test]
    fn chunk_borders_do_not_matter() {
        let text = b"one\ntwo\n\nfour five six\n\xfe\nlast";
        let at_once = cut(&[text], 20);
        for size in 1..text.len() {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            assert_eq!(cut(&chunks, 20), at_once, "chunks of {size}");
        }
    }

    #[test]
    fn a_line_over_the_limit_is_named_with_its_length_and_not_kept() {
        for size in 1..=30 {
            let text = b"12345\n123456\n1\n1234567890";
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            let expected = vec![whole(b"12345"), Line::TooLong(6), whole(b"1"), Line::TooLong(10)];
            assert_eq!(cut(&chunks, 5), expected, "chunks of {size}");
        }
    }
}

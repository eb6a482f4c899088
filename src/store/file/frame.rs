//! The layout of a segment: a header, then frames.
//!
//! A frame holds one commit's writes, or a batch of copies, under a checksum that binds it to its segment and offset;
//! so a commit is there whole or not at all. Every frame says up to where its segment was known to be on the disk when
//! it was written: a hole before that is damage, a hole behind it is what a loss of power leaves. The checksum's key is
//! drawn from a salt, so that nothing inside a message can pose as a frame.

/// First bytes of a segment; the last is the version.
const MAGIC: [u8; 8] = *b"ccstore\x01";
/// Magic, number, position, salt, checksum.
pub(crate) const HEADER_LEN: u32 = 40;
/// First bytes of a frame: where to look for frames behind a hole.
pub(crate) const MARK: [u8; 4] = *b"ccfr";
/// Mark, body length, synced offset, checksum.
pub(crate) const FRAME_HEAD_LEN: usize = 4 + 4 + 4 + 8;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its number; segments are numbered without a hole.
    pub(crate) number: u32,
    /// The store's next position when the segment was begun: kept though every record be forgotten.
    pub(crate) next_pos: u64,
    /// Drawn when the segment was begun.
    pub(crate) salt: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(40);
        out.extend_from_slice(&MAGIC);
        for number in [u64::from(self.number), self.next_pos, self.salt] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        let check = short(&blake3::hash(&out));
        out.extend_from_slice(&check);
        out
    }

    /// The header at the front of a segment; `None` when it is none of this version.
    pub(crate) fn decode(segment: &[u8]) -> Option<Self> {
        let (magic, rest) = segment.split_first_chunk::<8>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (next_pos, rest) = rest.split_first_chunk::<8>()?;
        let (salt, _) = rest.split_first_chunk::<8>()?;
        let number = u32::try_from(u64::from_be_bytes(*number)).ok()?;
        let header = Self { number, next_pos: u64::from_be_bytes(*next_pos), salt: u64::from_be_bytes(*salt) };
        (*magic == MAGIC && segment.starts_with(&header.encode())).then_some(header)
    }

    pub(crate) fn key(&self) -> FrameKey {
        FrameKey(blake3::derive_key("crosscast store segment v1", &self.encode()))
    }
}

/// The key of a segment's checksums.
pub(crate) struct FrameKey([u8; 32]);

impl FrameKey {
    fn check(&self, offset: u32, synced: u32, body: &[u8]) -> [u8; 8] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&offset.to_be_bytes()).update(&synced.to_be_bytes()).update(body);
        short(&hasher.finalize())
    }

    /// Completes the frame that starts at `start` of `buffer`, with room for its head, and will stand at `offset`.
    pub(crate) fn finish(&self, buffer: &mut [u8], start: usize, offset: u32, synced: u32) {
        let Some((head, body)) = buffer.get_mut(start..).and_then(|frame| frame.split_at_mut_checked(FRAME_HEAD_LEN))
        else {
            return;
        };
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let check = self.check(offset, synced, body);
        let parts = MARK.into_iter().chain(len.to_be_bytes()).chain(synced.to_be_bytes()).chain(check);
        head.iter_mut().zip(parts).for_each(|(byte, from)| *byte = from);
    }

    /// The frame at the front of `bytes`, which stand at `offset`; `None` when there is no whole frame.
    pub(crate) fn parse<'a>(&self, bytes: &'a [u8], offset: u32) -> Option<Frame<'a>> {
        let (head, rest) = FrameHead::parse(bytes)?;
        let body = rest.get(..usize::try_from(head.body_len).ok()?)?;
        (self.check(offset, head.synced, body) == head.check).then_some(Frame { synced: head.synced, body })
    }
}

/// The front of a frame, not yet checked.
pub(crate) struct FrameHead {
    pub(crate) body_len: u32,
    synced: u32,
    check: [u8; 8],
}

impl FrameHead {
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let rest = bytes.strip_prefix(&MARK)?;
        let (len, rest) = rest.split_first_chunk()?;
        let (synced, rest) = rest.split_first_chunk()?;
        let (check, rest) = rest.split_first_chunk()?;
        let (body_len, synced) = (u32::from_be_bytes(*len), u32::from_be_bytes(*synced));
        Some((Self { body_len, synced, check: *check }, rest))
    }
}

/// A frame that stands as it was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// The segment was on the disk up to here when the frame was written.
    pub(crate) synced: u32,
    pub(crate) body: &'a [u8],
}

impl Frame<'_> {
    /// Length with its head.
    pub(crate) fn len(&self) -> usize {
        FRAME_HEAD_LEN.saturating_add(self.body.len())
    }
}

fn short(hash: &blake3::Hash) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn an_altered_header_is_no_header() {
        let header = Header { number: 7, next_pos: 8, salt: 9 };
        let bytes = header.encode();
        assert_eq!(bytes.len(), HEADER_LEN as usize);
        assert_eq!(Header::decode(&bytes), Some(header));
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(Header::decode(&altered), None, "byte {at}");
            assert_eq!(Header::decode(&bytes[..at]), None, "length {at}");
        }
    }

    #[test]
    fn a_frame_stands_only_unaltered_at_its_offset_in_its_segment() {
        let key = Header { number: 7, next_pos: 8, salt: 9 }.key();
        let mut buffer = vec![0; FRAME_HEAD_LEN];
        buffer.extend_from_slice(b"body");
        key.finish(&mut buffer, 0, 40, 12);
        assert_eq!(key.parse(&buffer, 40), Some(Frame { synced: 12, body: b"body" }));
        assert_eq!(key.parse(&buffer, 41), None);
        assert_eq!(Header { number: 7, next_pos: 8, salt: 10 }.key().parse(&buffer, 40), None);
        for at in 0..buffer.len() {
            let mut altered = buffer.clone();
            altered[at] ^= 1;
            assert_eq!(key.parse(&altered, 40), None, "byte {at}");
            assert_eq!(key.parse(&buffer[..at], 40), None, "length {at}");
        }
    }
}

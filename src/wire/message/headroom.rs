//! Bytes with headroom, so that a message is laid out in the one buffer that it travels in.
//!
//! What stands before a payload (the frame of its seal, the signature, the header) can only be known when the payload is
//! there. It is put into room that was left in front, and nothing is moved.

use bytes::Bytes;

/// Bytes that others can be put before without moving them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headroom {
    buffer: Vec<u8>,
    /// Where the bytes start; what is before is room.
    start: usize,
}

impl Headroom {
    /// Nothing yet, with room for `before` bytes in front of the first and for `len` from there on.
    #[must_use]
    pub fn with_capacity(before: usize, len: usize) -> Self {
        let mut buffer = Vec::with_capacity(before.saturating_add(len));
        buffer.resize(before, 0);
        Self { buffer, start: before }
    }

    /// Starts inside bytes that are there already; from `start` on they count.
    pub(crate) fn within(buffer: Vec<u8>, start: usize) -> Self {
        Self { start: start.min(buffer.len()), buffer }
    }

    /// The buffer, room included, and where the bytes start in it.
    pub(crate) fn into_parts(self) -> (Vec<u8>, usize) {
        (self.buffer, self.start)
    }

    /// Puts bytes before the others. Where the room is too short, the others are moved.
    pub fn prepend(&mut self, bytes: &[u8]) {
        let place = self.start.checked_sub(bytes.len()).and_then(|from| self.buffer.get_mut(from..self.start));
        if let Some(place) = place {
            place.copy_from_slice(bytes);
            self.start = self.start.saturating_sub(bytes.len());
        } else {
            self.buffer.splice(..self.start, bytes.iter().copied());
            self.start = 0;
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// How many bytes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.buffer.len().saturating_sub(self.start)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<&[u8]> for Headroom {
    fn from(bytes: &[u8]) -> Self {
        Self { buffer: bytes.to_vec(), start: 0 }
    }
}

impl From<Headroom> for Bytes {
    fn from(bytes: Headroom) -> Self {
        Self::from(bytes.buffer).split_off(bytes.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_before_moves_nothing_while_there_is_room() {
        let mut bytes = Headroom::with_capacity(6, 3);
        assert!(bytes.is_empty());
        bytes.buffer.extend_from_slice(b"abc");
        let place = bytes.as_slice().as_ptr();
        bytes.prepend(b"12");
        bytes.prepend(b"345");
        assert_eq!((bytes.as_slice(), bytes.len()), (&b"34512abc"[..], 8));
        let whole = Bytes::from(bytes);
        assert_eq!(whole, &b"34512abc"[..]);
        assert_eq!(whole.slice(5..).as_ptr(), place);
    }

    #[test]
    fn what_has_too_little_room_is_moved() {
        for room in 0..4 {
            let mut bytes = Headroom::within([vec![9; room], b"abc".to_vec()].concat(), room);
            bytes.prepend(b"1234");
            assert_eq!(bytes.as_slice(), b"1234abc");
            bytes.prepend(b"");
            assert_eq!(Bytes::from(bytes), &b"1234abc"[..]);
        }
    }
}

//! The introduction: who a node says it is, before it proves it.
//!
//! It is the payload of the handshake's second and third message, canonical CBOR with integer keys (`docs/spec/overlay.md`).
//! Reading it believes nothing: whether key, address and attestation belong together is judged elsewhere, and the NodeId
//! is proven by the hello over the channel's binding, which covers both introductions.

use bytes::Bytes;
use crosscast_wire::NodeId;
use crosscast_wire::cbor::{CborError, Reader, Writer};
use crosscast_wire::limits::ATTESTATION_MAX;

use super::HostKey;

/// Most bytes of an introduction: 512, which is 331 with everything in it and room for ignorable keys.
pub const INTRODUCTION_MAX: usize = 512;

const NODE: u64 = 0;
const HOST_KEY: u64 = 1;
const ATTESTATION: u64 = 2;

/// Who a node says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Its NodeId.
    pub node: NodeId,
    /// Its host node's key; `None` when it does not know it.
    pub key: Option<HostKey>,
    /// That both belong together, as it travels; only beside a key.
    pub attestation: Option<Bytes>,
}

/// Why bytes are no introduction; whoever sent them is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntroductionError {
    /// Not canonical, or not an introduction's fields.
    #[error("introduction: {0}")]
    Cbor(#[from] CborError),
    /// Longer than [`INTRODUCTION_MAX`].
    #[error("introduction longer than {INTRODUCTION_MAX} bytes")]
    TooLong,
    /// An attestation is about a key, and there is none.
    #[error("introduction with an attestation and no key")]
    Keyless,
}

impl Introduction {
    /// Reads an introduction.
    ///
    /// # Errors
    /// The first thing that is not as the format has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, IntroductionError> {
        if bytes.len() > INTRODUCTION_MAX {
            return Err(IntroductionError::TooLong);
        }
        let mut reader = Reader::new(bytes);
        let mut map = reader.map()?;
        let (mut node, mut key, mut attestation) = (None, None, None);
        while let Some(field) = map.next_key(&mut reader)? {
            match field {
                NODE => node = Some(NodeId::new(reader.fixed()?)),
                HOST_KEY => key = Some(reader.fixed()?),
                ATTESTATION => {
                    attestation = Some(Bytes::copy_from_slice(reader.bytes_within(1, ATTESTATION_MAX)?));
                }
                unknown => reader.unknown_key(unknown)?,
            }
        }
        reader.finish()?;
        let node = node.ok_or(CborError::MissingKey(NODE))?;
        if key.is_none() && attestation.is_some() {
            return Err(IntroductionError::Keyless);
        }
        Ok(Self { node, key, attestation })
    }

    /// Writes the introduction.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(INTRODUCTION_MAX);
        let optional = [self.key.is_some(), self.attestation.is_some()].iter().filter(|there| **there).count();
        writer.map(optional.saturating_add(1)).uint(NODE).bytes(self.node.as_bytes());
        if let Some(key) = &self.key {
            writer.uint(HOST_KEY).bytes(key);
        }
        if let Some(attestation) = &self.attestation {
            writer.uint(ATTESTATION).bytes(attestation);
        }
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn all() -> [Introduction; 3] {
        let node = NodeId::new([7; 32]);
        let key = Some([8; 32]);
        [
            Introduction { node, key: None, attestation: None },
            Introduction { node, key, attestation: None },
            Introduction { node, key, attestation: Some(vec![9; ATTESTATION_MAX].into()) },
        ]
    }

    #[test]
    fn what_is_written_is_read_and_every_cut_of_it_is_refused() {
        for introduction in all() {
            let bytes = introduction.to_bytes();
            assert!(bytes.len() <= 331);
            assert_eq!(Introduction::parse(&bytes), Ok(introduction));
            for len in 0..bytes.len() {
                assert_eq!(Introduction::parse(&bytes[..len]), Err(CborError::Truncated.into()), "{len} bytes");
            }
        }
    }

    #[test]
    fn a_bad_introduction_is_refused_by_name() {
        let map = |fields: &[(u64, &[u8])]| {
            let mut writer = Writer::new();
            writer.map(fields.len());
            for (key, value) in fields {
                writer.uint(*key).bytes(value);
            }
            writer.into_bytes()
        };
        let key: &[u8] = &[1; 32];
        let cases: &[(Vec<u8>, IntroductionError)] = &[
            (map(&[(1, key)]), CborError::MissingKey(0).into()),
            (map(&[(0, &key[1..])]), CborError::TooShort.into()),
            (map(&[(0, key), (0, key)]), CborError::DuplicateKey.into()),
            (map(&[(1, key), (0, key)]), CborError::UnsortedKeys.into()),
            (map(&[(0, key), (3, key)]), CborError::UnknownCriticalKey(3).into()),
            (map(&[(0, key), (2, key)]), IntroductionError::Keyless),
            (map(&[(0, key), (1, key), (2, b"")]), CborError::TooShort.into()),
            (map(&[(0, key), (1, key), (2, &[0; ATTESTATION_MAX + 1])]), CborError::TooLong.into()),
            (map(&[(0, key), (128, &[0; INTRODUCTION_MAX])]), IntroductionError::TooLong),
            ([map(&[(0, key)]), vec![0]].concat(), CborError::Trailing.into()),
            (Vec::new(), CborError::Truncated.into()),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), CborError::WrongType.into()),
        ];
        for (bytes, error) in cases {
            assert_eq!(Introduction::parse(bytes), Err(*error), "{bytes:02x?}");
        }
        let extended = map(&[(0, key), (128, b"from a later version")]);
        assert_eq!(Introduction::parse(&extended).unwrap().node, NodeId::new([1; 32]));
    }

    #[test]
    fn no_altered_byte_of_an_introduction_is_read_as_the_same_and_none_panics() {
        for introduction in all() {
            let bytes = introduction.to_bytes();
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut altered = bytes.clone();
                    altered[at] ^= 1 << bit;
                    assert_ne!(Introduction::parse(&altered).as_ref(), Ok(&introduction), "byte {at} bit {bit}");
                }
            }
        }
    }
}

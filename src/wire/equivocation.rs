//! An equivocation: two headers of one sender that claim the same number.
//!
//! It carries no signature of its own: that both headers are signed is what convicts their sender, whoever shows it.
//! Payloads stay outside; a header names its payload by hash.

use bytes::Bytes;

use crate::cbor::{CborError, Reader, Writer};
use crate::fields::Fields;
use crate::limits::{EQUIVOCATION_MAX, HEADER_MAX};
use crate::{Crypto, Destination, Domain, Header, Instance, Message, MessageError, MessageId, NodeId, Seq, Signature};

const VERSION: u64 = 1;

/// Why an equivocation was refused; whoever shows it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EquivocationError {
    /// Not canonical, or not an equivocation's fields.
    #[error("equivocation: {0}")]
    Cbor(#[from] CborError),
    /// Longer than [`EQUIVOCATION_MAX`].
    #[error("equivocation is too long")]
    Length,
    /// A version this crate does not know.
    #[error("equivocation has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// One of the two is not a legal header.
    #[error("equivocation: {0}")]
    Header(#[from] MessageError),
    /// The headers differ in sender, instance, destination or number: both may stand.
    #[error("the headers of the equivocation do not claim the same number")]
    Apart,
    /// Both headers are the same.
    #[error("the headers of the equivocation are the same")]
    Same,
    /// The header with the lower id does not come first.
    #[error("the headers of the equivocation are out of order")]
    Order,
}

/// One header and its signature.
#[derive(Clone, PartialEq, Eq)]
struct Claim {
    header: Bytes,
    signature: Signature,
    id: MessageId,
}

/// Two headers that exclude each other; the signatures are checked by [`Equivocation::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Equivocation {
    bytes: Bytes,
    claims: [Claim; 2],
    from: NodeId,
    instance: Instance,
    to: Destination,
    seq: Seq,
}

impl Equivocation {
    /// Puts two messages side by side, in either order.
    ///
    /// # Errors
    /// [`EquivocationError::Apart`] or [`EquivocationError::Same`] when they do not exclude each other.
    pub fn new(one: &Message, other: &Message) -> Result<Self, EquivocationError> {
        let (a, b) = if one.id() < other.id() { (one, other) } else { (other, one) };
        let mut w = Writer::with_capacity(EQUIVOCATION_MAX);
        w.map(5).uint(0).uint(VERSION);
        w.uint(1).bytes(a.header_bytes()).uint(2).bytes(a.signature());
        w.uint(3).bytes(b.header_bytes()).uint(4).bytes(b.signature());
        Self::read(w.into_bytes().into())
    }

    /// Reads an equivocation; the signatures are not checked yet.
    ///
    /// # Errors
    /// The first thing that is not as the format has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, EquivocationError> {
        if bytes.len() > EQUIVOCATION_MAX {
            return Err(EquivocationError::Length);
        }
        Self::read(Bytes::copy_from_slice(bytes))
    }

    fn read(bytes: Bytes) -> Result<Self, EquivocationError> {
        let mut f = Fields::open(&bytes)?;
        let version = f.required(0)?.uint()?;
        if version != VERSION {
            return Err(EquivocationError::UnsupportedVersion(version));
        }
        let (header_a, signature_a) = (read_header(f.required(1)?)?, f.required(2)?.fixed()?);
        let (header_b, signature_b) = (read_header(f.required(3)?)?, f.required(4)?.fixed()?);
        f.finish()?;
        let claim = |header: &[u8], signature| Claim {
            header: bytes.slice_ref(header),
            signature,
            id: MessageId::of_header(header),
        };
        let claims = [claim(header_a.1, signature_a), claim(header_b.1, signature_b)];
        let [a, b] = [header_a.0, header_b.0];
        if (a.from, a.instance, a.to, a.seq) != (b.from, b.instance, b.to, b.seq) {
            return Err(EquivocationError::Apart);
        }
        let [first, second] = &claims;
        match first.id.cmp(&second.id) {
            core::cmp::Ordering::Less => {}
            core::cmp::Ordering::Equal => return Err(EquivocationError::Same),
            core::cmp::Ordering::Greater => return Err(EquivocationError::Order),
        }
        Ok(Self { claims, from: a.from, instance: a.instance, to: a.to, seq: a.seq, bytes })
    }

    /// Who is convicted.
    #[must_use]
    pub const fn from(&self) -> NodeId {
        self.from
    }

    /// In which run.
    #[must_use]
    pub const fn instance(&self) -> Instance {
        self.instance
    }

    /// Where both messages went.
    #[must_use]
    pub const fn to(&self) -> Destination {
        self.to
    }

    /// The number that was used twice.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// The ids of the two messages, ascending.
    #[must_use]
    pub fn ids(&self) -> [MessageId; 2] {
        self.claims.each_ref().map(|claim| claim.id)
    }

    /// The whole as it travels.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Both headers with their signatures, the one with the lower id first.
    #[must_use]
    pub fn claims(&self) -> [(Bytes, Signature); 2] {
        self.claims.each_ref().map(|claim| (claim.header.clone(), claim.signature))
    }

    /// Whether the sender signed both headers.
    #[must_use]
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        let signed =
            |claim: &Claim| crypto.verify(self.from.as_bytes(), Domain::Message, &claim.header, &claim.signature);
        self.claims.iter().all(signed)
    }
}

impl core::fmt::Debug for Equivocation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Equivocation")
            .field("from", &self.from)
            .field("instance", &self.instance)
            .field("to", &self.to)
            .field("seq", &self.seq)
            .field("ids", &self.ids())
            .finish_non_exhaustive()
    }
}

/// A byte string that is one header and nothing else.
fn read_header<'a>(reader: &mut Reader<'a>) -> Result<(Header, &'a [u8]), EquivocationError> {
    let bytes = reader.bytes()?;
    if bytes.len() > HEADER_MAX {
        return Err(MessageError::HeaderTooLong.into());
    }
    let (header, len) = Header::parse_prefix(bytes)?;
    if len == bytes.len() { Ok((header, bytes)) } else { Err(MessageError::Trailing.into()) }
}

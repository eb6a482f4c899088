//! A locate: a node looks for the way to another node or to a service.
//!
//! It travels from hop to hop inside LOCATE frames. Whoever verifies one learns where its sender lies; the prekey lets
//! the one that is found answer under a seal at once.

use crate::cbor::{CborError, Writer};
use crate::fields::Fields;
use crate::limits::{LOCATE_MAX, REQUEST_NONCE_LEN};
use crate::signed::{Signed, shown_by_fields, signed_parts};
use crate::{Crypto, Domain, NodeId, RequestId, SecretKey, WallMillis};

const VERSION: u64 = 1;

/// What a locate says; every value is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocateFields {
    /// The node or service that is looked for.
    pub target: NodeId,
    /// Who looks for it, and signs.
    pub from: NodeId,
    /// The sender's X25519 prekey.
    pub prekey: [u8; 32],
    /// When it was made.
    pub time: WallMillis,
    /// Drawn at random.
    pub nonce: [u8; REQUEST_NONCE_LEN],
}

/// Why a locate was refused; its sender is to blame, or, from [`Locate::issue`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocateError {
    /// Not canonical, or not a locate's fields.
    #[error("locate: {0}")]
    Cbor(#[from] CborError),
    /// Shorter than a signature or longer than [`LOCATE_MAX`].
    #[error("locate has an impossible length")]
    Length,
    /// A version this crate does not know.
    #[error("locate has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// The key to sign with is not the sender's.
    #[error("the key is not the sender's")]
    WrongKey,
}

/// A signed locate, legal in itself; its signature is checked by [`Locate::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Locate {
    fields: LocateFields,
    signed: Signed,
    id: RequestId,
}

impl Locate {
    /// Writes and signs a locate with the sender's key.
    ///
    /// # Errors
    /// [`LocateError::WrongKey`].
    pub fn issue(fields: LocateFields, crypto: &dyn Crypto, key: &SecretKey) -> Result<Self, LocateError> {
        if key.public() != *fields.from.as_bytes() {
            return Err(LocateError::WrongKey);
        }
        let signed =
            Signed::seal(write(&fields), LOCATE_MAX, Domain::Locate, crypto, key).ok_or(LocateError::Length)?;
        Ok(Self::of(fields, signed))
    }

    /// Writes the body that a locate's signature is over, for a signer elsewhere; body and signature together are what
    /// [`Self::parse`] reads.
    #[must_use]
    pub fn draft(fields: &LocateFields) -> Vec<u8> {
        write(fields)
    }

    /// Reads a locate; its signature is not checked yet.
    ///
    /// # Errors
    /// The first thing that is not as the format has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, LocateError> {
        let signed = Signed::split(bytes, LOCATE_MAX).ok_or(LocateError::Length)?;
        let fields = read(signed.body())?;
        Ok(Self::of(fields, signed))
    }

    fn of(fields: LocateFields, signed: Signed) -> Self {
        let id = RequestId::of_body(signed.body());
        Self { fields, signed, id }
    }

    /// Its name: a hash of its body.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// Whether its sender signed it.
    #[must_use]
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        self.signed.verify(crypto, Domain::Locate, self.fields.from.as_bytes())
    }
}

signed_parts!(Locate, LocateFields);
shown_by_fields!(Locate);

fn write(fields: &LocateFields) -> Vec<u8> {
    let mut w = Writer::with_capacity(LOCATE_MAX);
    w.map(6).uint(0).uint(VERSION);
    w.uint(1).bytes(fields.target.as_bytes()).uint(2).bytes(fields.from.as_bytes()).uint(3).bytes(&fields.prekey);
    w.uint(4).uint(fields.time.0).uint(5).bytes(&fields.nonce);
    w.into_bytes()
}

fn read(body: &[u8]) -> Result<LocateFields, LocateError> {
    let mut f = Fields::open(body)?;
    let version = f.required(0)?.uint()?;
    if version != VERSION {
        return Err(LocateError::UnsupportedVersion(version));
    }
    let target = NodeId::new(f.required(1)?.fixed()?);
    let from = NodeId::new(f.required(2)?.fixed()?);
    let prekey = f.required(3)?.fixed()?;
    let time = WallMillis(f.required(4)?.uint()?);
    let nonce = f.required(5)?.fixed()?;
    f.finish()?;
    Ok(LocateFields { target, from, prekey, time, nonce })
}

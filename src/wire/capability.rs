//! A capability: one signed right of a subject in a group, for a time.
//!
//! Issued by the group key or by the subject of another capability; `chain.rs` holds such links together. Its name is
//! its serial, a hash of its body. Whether it holds now (floor, revocation, epoch) is the core's to judge.

use crate::cbor::{CborError, Reader, Writer};
use crate::fields::Fields;
use crate::hash::context;
use crate::limits::{CAPABILITY_MAX, DELEGATION_DEPTH_MAX, RATE_CLASS_MAX};
use crate::signed::{Signed, signed_object};
use crate::{CapabilitySerial, Crypto, Domain, GroupId, NodeId, RevocationId, Rights, WallMillis};

const VERSION: u64 = 1;

/// What a capability says; [`Capability::issue`] holds it to the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilityFields {
    /// The group it is for.
    pub group: GroupId,
    /// Who may.
    pub subject: NodeId,
    /// What it may; not empty.
    pub rights: Rights,
    /// First millisecond of its life.
    pub not_before: WallMillis,
    /// Last millisecond of its life; after `not_before`.
    pub not_after: WallMillis,
    /// Which epoch of the group it belongs to: a floor's lowest epoch cuts off older ones.
    pub epoch: u64,
    /// How much the subject may send, 0 to 7; a higher class is more.
    pub rate_class: u8,
    /// How many more links may follow below it, 0 to 2.
    pub depth_left: u8,
    /// Who signs: the group key, or the subject of the link above.
    pub issuer: NodeId,
    /// The public half of the invite that let the subject in, so that all it let in can be revoked at once.
    pub invite: Option<[u8; 32]>,
}

/// Why a capability was refused; whoever made it is to blame, or, from [`Capability::issue`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapabilityError {
    /// Not canonical, or not a capability's fields.
    #[error("capability: {0}")]
    Cbor(#[from] CborError),
    /// Shorter than a signature or longer than [`CAPABILITY_MAX`].
    #[error("capability has an impossible length")]
    Length,
    /// A version this crate does not know.
    #[error("capability has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// A right this version does not know.
    #[error("capability has unknown rights (bits {0})")]
    UnknownRights(u64),
    /// No rights at all.
    #[error("capability has no rights")]
    NoRights,
    /// `not_after` is not after `not_before`.
    #[error("capability ends before it begins")]
    Times,
    /// The rate class is above [`RATE_CLASS_MAX`].
    #[error("capability has no legal rate class")]
    RateClass,
    /// The depth is above [`DELEGATION_DEPTH_MAX`].
    #[error("capability has no legal depth")]
    DepthLeft,
    /// The key to sign with is not the issuer's.
    #[error("the key is not the issuer's")]
    WrongKey,
}

/// A signed capability, legal in itself; its signature is checked by [`Capability::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Capability {
    fields: CapabilityFields,
    signed: Signed,
    serial: CapabilitySerial,
}

impl Capability {
    /// Its name: a hash of its body.
    #[must_use]
    pub const fn serial(&self) -> CapabilitySerial {
        self.serial
    }

    /// What takes it back when a floor record names it: its serial, its subject's id, and that of the invite it came by.
    pub fn revocation_ids(&self) -> impl Iterator<Item = RevocationId> + use<> {
        let invite = self.fields.invite.as_ref().map(RevocationId::of_invite);
        [RevocationId::of_serial(self.serial), RevocationId::of_subject(&self.fields.subject)].into_iter().chain(invite)
    }

    /// Whether `time` lies in its life.
    #[must_use]
    pub fn covers(&self, time: WallMillis) -> bool {
        (self.fields.not_before..=self.fields.not_after).contains(&time)
    }

    /// Whether the issuer signed it.
    #[must_use]
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        self.signed.verify(crypto, Domain::Capability, self.fields.issuer.as_bytes())
    }
}

signed_object!(
    Capability(CapabilityFields, serial: serial_of) or CapabilityError,
    "capability" signed with "the issuer's key", Domain::Capability, CAPABILITY_MAX
);

fn serial_of(body: &[u8]) -> CapabilitySerial {
    CapabilitySerial::new(blake3::derive_key(context::CAPABILITY_SERIAL, body))
}

fn signer_of(fields: &CapabilityFields) -> &[u8; 32] {
    fields.issuer.as_bytes()
}

impl core::fmt::Debug for Capability {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Capability").field("serial", &self.serial).field("fields", &self.fields).finish()
    }
}

fn check(fields: &CapabilityFields) -> Result<(), CapabilityError> {
    if fields.rights.is_empty() {
        return Err(CapabilityError::NoRights);
    }
    if fields.not_after <= fields.not_before {
        return Err(CapabilityError::Times);
    }
    if u64::from(fields.rate_class) > RATE_CLASS_MAX {
        return Err(CapabilityError::RateClass);
    }
    if u64::from(fields.depth_left) > DELEGATION_DEPTH_MAX {
        return Err(CapabilityError::DepthLeft);
    }
    Ok(())
}

fn write(fields: &CapabilityFields) -> Vec<u8> {
    let mut w = Writer::with_capacity(CAPABILITY_MAX);
    w.map(if fields.invite.is_some() { 11 } else { 10 }).uint(0).uint(VERSION);
    w.uint(1).bytes(fields.group.as_bytes()).uint(2).bytes(fields.subject.as_bytes());
    w.uint(3).uint(fields.rights.bits());
    w.uint(4).uint(fields.not_before.0).uint(5).uint(fields.not_after.0);
    w.uint(6).uint(fields.epoch);
    w.uint(7).uint(fields.rate_class.into()).uint(8).uint(fields.depth_left.into());
    w.uint(9).bytes(fields.issuer.as_bytes());
    if let Some(invite) = &fields.invite {
        w.uint(10).bytes(invite);
    }
    w.into_bytes()
}

fn read(body: &[u8]) -> Result<CapabilityFields, CapabilityError> {
    let mut f = Fields::open(body)?;
    let version = f.required(0)?.uint()?;
    if version != VERSION {
        return Err(CapabilityError::UnsupportedVersion(version));
    }
    let group = GroupId::new(f.required(1)?.fixed()?);
    let subject = NodeId::new(f.required(2)?.fixed()?);
    let bits = f.required(3)?.uint()?;
    let rights = Rights::from_bits(bits).ok_or(CapabilityError::UnknownRights(bits))?;
    let not_before = WallMillis(f.required(4)?.uint()?);
    let not_after = WallMillis(f.required(5)?.uint()?);
    let epoch = f.required(6)?.uint()?;
    let rate_class = f.required(7)?.uint()?;
    let depth_left = f.required(8)?.uint()?;
    let issuer = NodeId::new(f.required(9)?.fixed()?);
    let invite = f.optional(10)?.map(Reader::fixed).transpose()?;
    f.finish()?;
    let rate_class = u8::try_from(rate_class).map_err(|_| CapabilityError::RateClass)?;
    let depth_left = u8::try_from(depth_left).map_err(|_| CapabilityError::DepthLeft)?;
    Ok(CapabilityFields {
        group,
        subject,
        rights,
        not_before,
        not_after,
        epoch,
        rate_class,
        depth_left,
        issuer,
        invite,
    })
}

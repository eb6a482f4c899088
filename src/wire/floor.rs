//! A floor record: the little that a router keeps of a group to judge its messages by.
//!
//! Policy, lowest epoch, what is revoked, the content key's id; signed by the group key or by a holder of `revoke`. The
//! highest number wins. What holds when a floor has expired, and that only the group key loosens a policy, is the core's.

use crate::cbor::{CborError, Reader, Writer};
use crate::chain::Chain;
use crate::fields::Fields;
use crate::limits::{FLOOR_MAX, REVOKED_MAX};
use crate::signed::{Signed, shown_by_fields, signed_object};
use crate::{Capability, ContentKeyId, Crypto, Domain, GroupId, NodeId, Policy, RevocationId, Rights, WallMillis};

const VERSION: u64 = 1;

/// What a floor record says; [`FloorRecord::issue`] holds it to the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloorFields {
    /// The group.
    pub group: GroupId,
    /// Rises with every record of the group, from 1.
    pub number: u64,
    /// When it was made.
    pub issued: WallMillis,
    /// Last millisecond of its life; after `issued`.
    pub valid_until: WallMillis,
    /// Who may publish.
    pub policy: Policy,
    /// Capabilities of an earlier epoch no longer hold.
    pub lowest_epoch: u64,
    /// Capabilities, subjects and invites that no longer hold: at most 32, strictly ascending.
    pub revoked: Vec<RevocationId>,
    /// The key the group's payloads are sealed under; `None` for a group that does not seal.
    pub content_key: Option<ContentKeyId>,
    /// The holder of `revoke` who signs; `None` when the group key does.
    pub signer: Option<NodeId>,
}

/// Why a floor record was refused; whoever made it is to blame, or, from [`FloorRecord::issue`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FloorError {
    /// Not canonical, or not a floor record's fields.
    #[error("floor: {0}")]
    Cbor(#[from] CborError),
    /// Shorter than a signature or longer than [`FLOOR_MAX`].
    #[error("floor has an impossible length")]
    Length,
    /// A version this crate does not know.
    #[error("floor has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// The number is 0.
    #[error("floor has number 0")]
    Number,
    /// `valid_until` is not after `issued`.
    #[error("floor ends before it begins")]
    Times,
    /// A policy this version does not know.
    #[error("floor has unknown policy {0}")]
    UnknownPolicy(u64),
    /// What is revoked is not strictly ascending, or more than 32.
    #[error("what the floor revokes is not strictly ascending")]
    Revoked,
    /// The signer is the group key, which is named by leaving the signer out.
    #[error("floor names the group key as its signer")]
    SignerIsGroup,
    /// The key to sign with is not the signer's.
    #[error("the key is not the signer's")]
    WrongKey,
}

/// A signed floor record, legal in itself; its signature is checked by [`FloorRecord::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct FloorRecord {
    fields: FloorFields,
    signed: Signed,
}

impl FloorRecord {
    /// The key that signs: the signer's, else the group's.
    #[must_use]
    pub fn signer_key(&self) -> &[u8; 32] {
        signer_of(&self.fields)
    }

    /// Whether `id` is revoked.
    #[must_use]
    pub fn revokes(&self, id: &RevocationId) -> bool {
        self.fields.revoked.binary_search(id).is_ok()
    }

    /// Whether a link is revoked: by its serial, its subject, or the invite that let its subject in.
    #[must_use]
    pub fn revokes_link(&self, link: &Capability) -> bool {
        // Most floors revoke nothing, and an id costs a hash.
        !self.fields.revoked.is_empty() && link.revocation_ids().any(|id| self.revokes(&id))
    }

    /// Whether the signer is entitled to it: the group key is; another only with a chain of this group that is for it,
    /// holds `revoke` and covers the time of issue. Signatures are not looked at here.
    #[must_use]
    pub fn is_backed_by(&self, chain: Option<&Chain>) -> bool {
        match (&self.fields.signer, chain) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(signer), Some(chain)) => {
                chain.group() == self.fields.group
                    && chain.subject() == *signer
                    && chain.rights().contains(Rights::REVOKE)
                    && chain.covers(self.fields.issued)
            }
        }
    }

    /// Whether its signer signed it.
    #[must_use]
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        self.signed.verify(crypto, Domain::Floor, self.signer_key())
    }
}

signed_object!(
    FloorRecord(FloorFields) or FloorError,
    "floor record" signed with "its signer's key", Domain::Floor, FLOOR_MAX
);
shown_by_fields!(FloorRecord);

fn signer_of(fields: &FloorFields) -> &[u8; 32] {
    fields.signer.as_ref().map_or(fields.group.as_bytes(), NodeId::as_bytes)
}

fn check(fields: &FloorFields) -> Result<(), FloorError> {
    if fields.number == 0 {
        return Err(FloorError::Number);
    }
    if fields.valid_until <= fields.issued {
        return Err(FloorError::Times);
    }
    if fields.revoked.len() > REVOKED_MAX || !fields.revoked.is_sorted_by(|a, b| a < b) {
        return Err(FloorError::Revoked);
    }
    match fields.signer {
        Some(signer) if signer.as_bytes() == fields.group.as_bytes() => Err(FloorError::SignerIsGroup),
        Some(_) | None => Ok(()),
    }
}

fn write(fields: &FloorFields) -> Vec<u8> {
    let optional = [!fields.revoked.is_empty(), fields.content_key.is_some(), fields.signer.is_some()];
    let mut w = Writer::with_capacity(256);
    w.map(optional.iter().filter(|present| **present).count().saturating_add(7));
    w.uint(0).uint(VERSION).uint(1).bytes(fields.group.as_bytes()).uint(2).uint(fields.number);
    w.uint(3).uint(fields.issued.0).uint(4).uint(fields.valid_until.0);
    w.uint(5).uint(fields.policy.number().into()).uint(6).uint(fields.lowest_epoch);
    if !fields.revoked.is_empty() {
        w.uint(7).array(fields.revoked.len());
        for id in &fields.revoked {
            w.bytes(id.as_bytes());
        }
    }
    if let Some(key) = &fields.content_key {
        w.uint(8).bytes(key.as_bytes());
    }
    if let Some(signer) = &fields.signer {
        w.uint(9).bytes(signer.as_bytes());
    }
    w.into_bytes()
}

fn read(body: &[u8]) -> Result<FloorFields, FloorError> {
    let mut f = Fields::open(body)?;
    let version = f.required(0)?.uint()?;
    if version != VERSION {
        return Err(FloorError::UnsupportedVersion(version));
    }
    let group = GroupId::new(f.required(1)?.fixed()?);
    let number = f.required(2)?.uint()?;
    let issued = WallMillis(f.required(3)?.uint()?);
    let valid_until = WallMillis(f.required(4)?.uint()?);
    let policy = f.required(5)?.uint()?;
    let policy = Policy::from_number(policy).ok_or(FloorError::UnknownPolicy(policy))?;
    let lowest_epoch = f.required(6)?.uint()?;
    let revoked = f.optional(7)?.map(read_revoked).transpose()?.unwrap_or_default();
    let content_key = f.optional(8)?.map(Reader::fixed).transpose()?.map(ContentKeyId::new);
    let signer = f.optional(9)?.map(Reader::fixed).transpose()?.map(NodeId::new);
    f.finish()?;
    Ok(FloorFields { group, number, issued, valid_until, policy, lowest_epoch, revoked, content_key, signer })
}

fn read_revoked(reader: &mut Reader<'_>) -> Result<Vec<RevocationId>, CborError> {
    let count = reader.array_within(1, REVOKED_MAX)?;
    (0..count).map(|_| reader.fixed().map(RevocationId::new)).collect()
}

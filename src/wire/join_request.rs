//! A join request: a node asks to be let into a group, to be renewed, or for the content key.
//!
//! Signed by the node that asks; it travels inside ASK frames until somebody can answer with a grant. With an invite goes
//! a proof by the invite's key over who asks when, so that a request cannot be claimed by whoever passes it on. Whether
//! the invite, the chain and the successor entitle to anything is judged by whoever grants.

use crate::cbor::{CborError, Reader, Writer};
use crate::chain::{Chain, ChainError};
use crate::fields::{Fields, is_plain};
use crate::limits::{JOIN_REQUEST_MAX, NAME_MAX, REQUEST_NONCE_LEN};
use crate::signed::{Signed, shown_by_fields, signed_object};
use crate::successor::{Successor, SuccessorError};
use crate::{Crypto, Domain, GroupId, NodeId, Purpose, RequestId, Signature, WallMillis};

const VERSION: u64 = 1;

/// An invite's public key, and its signature over [`JoinRequest::invite_body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteProof {
    /// The invite's public key.
    pub key: [u8; 32],
    /// Its signature.
    pub proof: Signature,
}

/// What a join request says; [`JoinRequest::issue`] holds it to the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequestFields {
    /// The group.
    pub group: GroupId,
    /// Who asks, and signs.
    pub node: NodeId,
    /// The asker's X25519 prekey, under which the grant is sealed.
    pub prekey: [u8; 32],
    /// When it was made.
    pub time: WallMillis,
    /// Drawn at random.
    pub nonce: [u8; REQUEST_NONCE_LEN],
    /// What is asked for.
    pub purpose: Purpose,
    /// What the asker calls itself: 1 to 64 bytes without control characters.
    pub name: Option<String>,
    /// The invite that lets it in.
    pub invite: Option<InviteProof>,
    /// A chain of the group; has to be there to be renewed and to get the key.
    pub chain: Option<Chain>,
    /// Shows that the asker takes the place of another key.
    pub successor: Option<Successor>,
}

/// Why a join request was refused; the asker is to blame, or, from [`JoinRequest::issue`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinRequestError {
    /// Not canonical, or not a join request's fields.
    #[error("join request: {0}")]
    Cbor(#[from] CborError),
    /// Shorter than a signature or longer than [`JOIN_REQUEST_MAX`].
    #[error("join request has an impossible length")]
    Length,
    /// A version this crate does not know.
    #[error("join request has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// A purpose this version does not know.
    #[error("join request has unknown purpose {0}")]
    UnknownPurpose(u64),
    /// The name is too long, empty or has control characters in it.
    #[error("join request has an illegal name")]
    Name,
    /// An invite without its proof, or a proof without its invite.
    #[error("join request has only one of invite and proof")]
    InviteProof,
    /// Not a legal chain.
    #[error("join request: {0}")]
    Chain(#[from] ChainError),
    /// The chain is of another group.
    #[error("the join request's chain is of another group")]
    ChainGroup,
    /// To be renewed or to get the key takes a chain.
    #[error("the join request's purpose takes a chain")]
    ChainMissing,
    /// Not a legal successor.
    #[error("join request: {0}")]
    Successor(#[from] SuccessorError),
    /// The successor is not the asker.
    #[error("the join request's successor is not its asker")]
    SuccessorNode,
    /// The key to sign with is not the asker's.
    #[error("the key is not the asker's")]
    WrongKey,
}

/// A signed join request, legal in itself; its signatures are checked by [`JoinRequest::verify`],
/// [`JoinRequest::verify_invite`], and by those of its chain and successor.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinRequest {
    fields: JoinRequestFields,
    signed: Signed,
    id: RequestId,
}

impl JoinRequest {
    /// What an invite's proof is over, without the domain's prefix:
    /// group ‖ node ‖ prekey ‖ time (8, big endian) ‖ nonce.
    #[must_use]
    pub fn invite_body(
        group: &GroupId,
        node: &NodeId,
        prekey: &[u8; 32],
        time: WallMillis,
        nonce: &[u8; REQUEST_NONCE_LEN],
    ) -> Vec<u8> {
        [group.as_bytes().as_slice(), node.as_bytes(), prekey, &time.0.to_be_bytes(), nonce].concat()
    }

    /// Its name: a hash of its body.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// Whether the asker signed it.
    #[must_use]
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        self.signed.verify(crypto, Domain::JoinRequest, self.fields.node.as_bytes())
    }

    /// Whether the invite's key signed for this asker, if an invite is there at all.
    #[must_use]
    pub fn verify_invite(&self, crypto: &dyn Crypto) -> bool {
        let JoinRequestFields { group, node, prekey, time, nonce, .. } = &self.fields;
        self.fields.invite.as_ref().is_none_or(|invite| {
            let body = Self::invite_body(group, node, prekey, *time, nonce);
            crypto.verify(&invite.key, Domain::Invite, &body, &invite.proof)
        })
    }
}

signed_object!(
    JoinRequest(JoinRequestFields, id: RequestId::of_body) or JoinRequestError,
    "join request" signed with "the asker's key", Domain::JoinRequest, JOIN_REQUEST_MAX
);
shown_by_fields!(JoinRequest);

fn signer_of(fields: &JoinRequestFields) -> &[u8; 32] {
    fields.node.as_bytes()
}

fn check(fields: &JoinRequestFields) -> Result<(), JoinRequestError> {
    if fields.name.as_ref().is_some_and(|name| !(1..=NAME_MAX).contains(&name.len()) || !is_plain(name)) {
        return Err(JoinRequestError::Name);
    }
    match (&fields.chain, fields.purpose) {
        (Some(chain), _) if chain.group() != fields.group => return Err(JoinRequestError::ChainGroup),
        (None, Purpose::Renew | Purpose::Key) => return Err(JoinRequestError::ChainMissing),
        (Some(_), Purpose::Join | Purpose::Renew | Purpose::Key) | (None, Purpose::Join) => {}
    }
    match &fields.successor {
        Some(successor) if successor.fields().new != fields.node => Err(JoinRequestError::SuccessorNode),
        Some(_) | None => Ok(()),
    }
}

fn write(fields: &JoinRequestFields) -> Vec<u8> {
    let optional = [
        fields.name.is_some(),
        fields.invite.is_some(),
        fields.invite.is_some(),
        fields.chain.is_some(),
        fields.successor.is_some(),
    ];
    let mut w = Writer::with_capacity(JOIN_REQUEST_MAX);
    w.map(optional.iter().filter(|present| **present).count().saturating_add(7)).uint(0).uint(VERSION);
    w.uint(1).bytes(fields.group.as_bytes()).uint(2).bytes(fields.node.as_bytes()).uint(3).bytes(&fields.prekey);
    w.uint(4).uint(fields.time.0).uint(5).bytes(&fields.nonce).uint(6).uint(fields.purpose.number().into());
    if let Some(name) = &fields.name {
        w.uint(7).text(name);
    }
    if let Some(invite) = &fields.invite {
        w.uint(8).bytes(&invite.key).uint(9).bytes(&invite.proof);
    }
    if let Some(chain) = &fields.chain {
        w.uint(10);
        chain.write(&mut w);
    }
    if let Some(successor) = &fields.successor {
        w.uint(11).bytes(successor.bytes());
    }
    w.into_bytes()
}

fn read(body: &[u8]) -> Result<JoinRequestFields, JoinRequestError> {
    let mut f = Fields::open(body)?;
    let version = f.required(0)?.uint()?;
    if version != VERSION {
        return Err(JoinRequestError::UnsupportedVersion(version));
    }
    let group = GroupId::new(f.required(1)?.fixed()?);
    let node = NodeId::new(f.required(2)?.fixed()?);
    let prekey = f.required(3)?.fixed()?;
    let time = WallMillis(f.required(4)?.uint()?);
    let nonce = f.required(5)?.fixed()?;
    let purpose = f.required(6)?.uint()?;
    let purpose = Purpose::from_number(purpose).ok_or(JoinRequestError::UnknownPurpose(purpose))?;
    let name = f.optional(7)?.map(|r| r.text_within(1, NAME_MAX)).transpose()?.map(str::to_owned);
    let key = f.optional(8)?.map(Reader::fixed).transpose()?;
    let proof = f.optional(9)?.map(Reader::fixed).transpose()?;
    let invite = match (key, proof) {
        (Some(key), Some(proof)) => Some(InviteProof { key, proof }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(JoinRequestError::InviteProof),
    };
    let chain = f.optional(10)?.map(Chain::read).transpose()?;
    let successor = match f.optional(11)? {
        Some(reader) => Some(Successor::parse(reader.bytes()?)?),
        None => None,
    };
    f.finish()?;
    Ok(JoinRequestFields { group, node, prekey, time, nonce, purpose, name, invite, chain, successor })
}

//! A grant: what answers a join request, the payload of a sealed unicast message.
//!
//! It carries no signature of its own, since the message around it has one. A grant brings the floor record in any case,
//! and the capability chain, the content keys, or the reason of a refusal. Content keys are secrets: `Debug` does not
//! show them, and what is written is erased when dropped.

use zeroize::Zeroizing;

use crate::cbor::{CborError, Reader, Writer};
use crate::chain::{Chain, ChainError};
use crate::fields::{Fields, is_plain};
use crate::floor::{FloorError, FloorRecord};
use crate::limits::{GRANT_KEYS_MAX, GRANT_MAX, NAME_MAX};
use crate::{GrantRefusal, GroupId, RequestId, SecretKey};

/// The content type of the entry that a grant is.
pub const GRANT_CONTENT_TYPE: &str = "application/vnd.crosscast.grant";

const VERSION: u64 = 1;

/// What a grant says; [`Grant::new`] holds it to the format.
#[derive(Clone)]
pub struct GrantFields {
    /// The group.
    pub group: GroupId,
    /// The request it answers; `None` when nobody asked.
    pub request: Option<RequestId>,
    /// The chain of the group that is granted.
    pub chain: Option<Chain>,
    /// The keys that the group's payloads are or were sealed under, newest first; at most 4.
    pub content_keys: Vec<SecretKey>,
    /// The group's floor record.
    pub floor: FloorRecord,
    /// What entitles a signer of the floor record that is not the group key.
    pub floor_chain: Option<Chain>,
    /// Why nothing is granted.
    pub refusal: Option<GrantRefusal>,
    /// What the group is called where the grant was made: 1 to 64 bytes without control characters.
    pub name: Option<String>,
}

/// Why a grant was refused; whoever made it is to blame, or, from [`Grant::new`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// Not canonical, or not a grant's fields.
    #[error("grant: {0}")]
    Cbor(#[from] CborError),
    /// Longer than [`GRANT_MAX`].
    #[error("grant is longer than {GRANT_MAX} bytes")]
    Length,
    /// A version this crate does not know.
    #[error("grant has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// Not a legal chain.
    #[error("grant: {0}")]
    Chain(#[from] ChainError),
    /// Not a legal floor record.
    #[error("grant: {0}")]
    Floor(#[from] FloorError),
    /// The floor record or a chain is of another group.
    #[error("grant mixes groups")]
    Group,
    /// More than 4 content keys.
    #[error("grant has more than {GRANT_KEYS_MAX} content keys")]
    ContentKeys,
    /// A reason this version does not know.
    #[error("grant has unknown refusal {0}")]
    UnknownRefusal(u64),
    /// The name is too long, empty or has control characters in it.
    #[error("grant has an illegal name")]
    Name,
}

/// A legal grant; the signatures of its floor record and chains are not checked yet.
#[derive(Clone)]
pub struct Grant {
    fields: GrantFields,
}

impl Grant {
    /// Checks what a grant is to say.
    ///
    /// # Errors
    /// The first field outside its bounds.
    pub fn new(fields: GrantFields) -> Result<Self, GrantError> {
        check(&fields)?;
        let grant = Self { fields };
        if grant.encode().len() > GRANT_MAX { Err(GrantError::Length) } else { Ok(grant) }
    }

    /// Reads a grant.
    ///
    /// # Errors
    /// The first thing that is not as the format has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, GrantError> {
        if bytes.len() > GRANT_MAX {
            return Err(GrantError::Length);
        }
        let fields = read(bytes)?;
        check(&fields)?;
        Ok(Self { fields })
    }

    /// The grant as an entry's payload.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(write(&self.fields))
    }

    /// What it says.
    #[must_use]
    pub const fn fields(&self) -> &GrantFields {
        &self.fields
    }

    /// What it says, taken out.
    #[must_use]
    pub fn into_fields(self) -> GrantFields {
        self.fields
    }
}

impl core::fmt::Debug for Grant {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Grant").field(&self.fields).finish()
    }
}

impl core::fmt::Debug for GrantFields {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GrantFields")
            .field("group", &self.group)
            .field("request", &self.request)
            .field("chain", &self.chain)
            .field("content_keys", &self.content_keys.len())
            .field("floor", &self.floor)
            .field("refusal", &self.refusal)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn check(fields: &GrantFields) -> Result<(), GrantError> {
    let chains = [&fields.chain, &fields.floor_chain];
    let foreign = chains.into_iter().flatten().any(|chain| chain.group() != fields.group);
    if foreign || fields.floor.fields().group != fields.group {
        return Err(GrantError::Group);
    }
    if fields.content_keys.len() > GRANT_KEYS_MAX {
        return Err(GrantError::ContentKeys);
    }
    match &fields.name {
        Some(name) if !(1..=NAME_MAX).contains(&name.len()) || !is_plain(name) => Err(GrantError::Name),
        Some(_) | None => Ok(()),
    }
}

fn write(fields: &GrantFields) -> Vec<u8> {
    let optional = [
        fields.request.is_some(),
        fields.chain.is_some(),
        !fields.content_keys.is_empty(),
        fields.floor_chain.is_some(),
        fields.refusal.is_some(),
        fields.name.is_some(),
    ];
    // Room for everything, so that no half-written secret is left behind by a growing vector.
    let mut w = Writer::with_capacity(GRANT_MAX);
    w.map(optional.iter().filter(|present| **present).count().saturating_add(3));
    w.uint(0).uint(VERSION).uint(1).bytes(fields.group.as_bytes());
    if let Some(request) = &fields.request {
        w.uint(2).bytes(request.as_bytes());
    }
    if let Some(chain) = &fields.chain {
        w.uint(3);
        chain.write(&mut w);
    }
    if !fields.content_keys.is_empty() {
        w.uint(4).array(fields.content_keys.len());
        for key in &fields.content_keys {
            w.bytes(key.expose());
        }
    }
    w.uint(5).bytes(fields.floor.bytes());
    if let Some(chain) = &fields.floor_chain {
        w.uint(6);
        chain.write(&mut w);
    }
    if let Some(refusal) = fields.refusal {
        w.uint(7).uint(refusal.number().into());
    }
    if let Some(name) = &fields.name {
        w.uint(8).text(name);
    }
    w.into_bytes()
}

fn read(bytes: &[u8]) -> Result<GrantFields, GrantError> {
    let mut f = Fields::open(bytes)?;
    let version = f.required(0)?.uint()?;
    if version != VERSION {
        return Err(GrantError::UnsupportedVersion(version));
    }
    let group = GroupId::new(f.required(1)?.fixed()?);
    let request = f.optional(2)?.map(Reader::fixed).transpose()?.map(RequestId::new);
    let chain = f.optional(3)?.map(Chain::read).transpose()?;
    let content_keys = f.optional(4)?.map(read_keys).transpose()?.unwrap_or_default();
    let floor = FloorRecord::parse(f.required(5)?.bytes()?)?;
    let floor_chain = f.optional(6)?.map(Chain::read).transpose()?;
    let refusal = match f.optional(7)? {
        Some(reader) => {
            let number = reader.uint()?;
            Some(GrantRefusal::from_number(number).ok_or(GrantError::UnknownRefusal(number))?)
        }
        None => None,
    };
    let name = f.optional(8)?.map(|r| r.text_within(1, NAME_MAX)).transpose()?.map(str::to_owned);
    f.finish()?;
    Ok(GrantFields { group, request, chain, content_keys, floor, floor_chain, refusal, name })
}

fn read_keys(reader: &mut Reader<'_>) -> Result<Vec<SecretKey>, CborError> {
    let count = reader.array_within(1, GRANT_KEYS_MAX)?;
    (0..count).map(|_| reader.fixed().map(SecretKey::new)).collect()
}

//! A ticket: one string that lets its holder find and join a group.
//!
//! `cct1.` and base64url (RFC 4648 section 5, unpadded) of a body and four checksum bytes. It names the group, brings the
//! floor record the maker had, and may carry an invite key, which can only ask for a capability or, with a chain of its
//! own, make its holder one without asking; and the content key of a group that anybody with the ticket may read. Both
//! keys are secrets, so a ticket is never shown by `Debug`.

use zeroize::Zeroize as _;

use crate::base64url;
use crate::cbor::{CborError, Reader, Writer};
use crate::fields::{Fields, is_plain};
use crate::floor::{FloorError, FloorRecord};
use crate::hash::{context, prefix};
use crate::limits::{NAME_MAX, TICKET_LOCATORS_MAX, TICKET_MAX};
use crate::peer_record::{is_locator_text, read_locators, write_locators};
use crate::{Chain, ChainError, ContentKeyId, GroupId, Locator, Rights, SecretKey, WallMillis};

/// What every ticket starts with.
pub const TICKET_PREFIX: &str = "cct1.";

const CHECKSUM_LEN: usize = 4;

/// What a ticket says; [`Ticket::new`] holds it to the format.
#[derive(Clone)]
pub struct TicketFields {
    /// The group.
    pub group: GroupId,
    /// What the group is called where the ticket was made: 1 to 64 bytes without control characters.
    pub name: String,
    /// The group's floor record.
    pub floor: FloorRecord,
    /// The key that may ask for a capability.
    pub invite: Option<SecretKey>,
    /// The key that payloads are sealed under; the one that the floor record names.
    pub content_key: Option<SecretKey>,
    /// What the invite allows.
    pub allows: Rights,
    /// Where to ask, as text: at most 8, each 1 to 256 bytes without white space.
    pub locators: Vec<String>,
    /// The chain of this group whose subject is the public half of `invite`: the invite works while no issuer is online.
    pub invite_chain: Option<Chain>,
    /// When the invite runs out.
    pub invite_until: Option<WallMillis>,
}

/// Why a text is not a ticket; whoever made or copied it is to blame, or, from [`Ticket::new`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketError {
    /// It does not start with `cct1.`.
    #[error("a ticket starts with {TICKET_PREFIX}")]
    Prefix,
    /// It is longer than a ticket can be, or too short to have a checksum.
    #[error("ticket has an impossible length")]
    Length,
    /// A character is not base64url, or the last one has bits that mean nothing.
    #[error("ticket is not base64url without padding")]
    Base64,
    /// The checksum does not hold: a typing or copying error.
    #[error("the ticket's checksum does not hold: is it complete?")]
    Checksum,
    /// Not canonical, or not a ticket's fields.
    #[error("ticket: {0}")]
    Cbor(#[from] CborError),
    /// Not a legal floor record.
    #[error("ticket: {0}")]
    Floor(#[from] FloorError),
    /// Not a legal chain.
    #[error("ticket: {0}")]
    Chain(#[from] ChainError),
    /// The chain is of another group, or for another key than the invite's.
    #[error("the ticket's chain is not its invite's")]
    InviteChain,
    /// The floor record is of another group.
    #[error("the ticket's floor record is of another group")]
    FloorGroup,
    /// The name is too long, empty or has control characters in it.
    #[error("ticket has an illegal name")]
    Name,
    /// A right this version does not know.
    #[error("ticket has unknown rights (bits {0})")]
    UnknownRights(u64),
    /// The content key is not the one that the floor record names.
    #[error("the ticket's content key is not its floor record's")]
    ContentKey,
    /// A locator is too long, empty or has white space or control characters in it, or there are too many.
    #[error("ticket has an illegal locator")]
    Locator,
}

/// A legal ticket; the floor record's signature is checked by [`FloorRecord::verify`].
#[derive(Clone)]
pub struct Ticket {
    fields: TicketFields,
}

impl Ticket {
    /// Checks what a ticket is to say.
    ///
    /// # Errors
    /// The first field outside its bounds.
    pub fn new(fields: TicketFields) -> Result<Self, TicketError> {
        check(&fields)?;
        let mut body = write(&fields);
        let len = body.len().saturating_add(CHECKSUM_LEN);
        body.zeroize();
        if len > TICKET_MAX { Err(TicketError::Length) } else { Ok(Self { fields }) }
    }

    /// Reads a ticket's text.
    ///
    /// # Errors
    /// [`TicketError`] names what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TicketError> {
        let digits = text.strip_prefix(TICKET_PREFIX).ok_or(TicketError::Prefix)?;
        if digits.len() > base64url::encoded_len(TICKET_MAX) {
            return Err(TicketError::Length);
        }
        let mut bytes = base64url::decode(digits).ok_or(TicketError::Base64)?;
        let fields = read_checked(&bytes);
        bytes.zeroize();
        let fields = fields?;
        check(&fields)?;
        Ok(Self { fields })
    }

    /// The ticket as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut bytes = write(&self.fields);
        bytes.extend_from_slice(&checksum(&bytes));
        let mut text = TICKET_PREFIX.to_owned();
        base64url::encode(&bytes, &mut text);
        bytes.zeroize();
        text
    }

    /// What it says.
    #[must_use]
    pub const fn fields(&self) -> &TicketFields {
        &self.fields
    }

    /// The locators that this version can read.
    pub fn locators(&self) -> impl Iterator<Item = Locator> {
        self.fields.locators.iter().filter_map(|text| text.parse().ok())
    }
}

impl core::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ticket")
            .field("group", &self.fields.group)
            .field("name", &self.fields.name)
            .finish_non_exhaustive()
    }
}

impl core::fmt::Debug for TicketFields {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TicketFields").field("group", &self.group).field("name", &self.name).finish_non_exhaustive()
    }
}

fn check(fields: &TicketFields) -> Result<(), TicketError> {
    if !(1..=NAME_MAX).contains(&fields.name.len()) || !is_plain(&fields.name) {
        return Err(TicketError::Name);
    }
    if fields.floor.fields().group != fields.group {
        return Err(TicketError::FloorGroup);
    }
    if let Some(key) = &fields.content_key
        && fields.floor.fields().content_key != Some(ContentKeyId::of_key(key.expose()))
    {
        return Err(TicketError::ContentKey);
    }
    if let Some(chain) = &fields.invite_chain {
        let invite = fields.invite.as_ref().map(SecretKey::public);
        if chain.group() != fields.group || Some(*chain.subject().as_bytes()) != invite {
            return Err(TicketError::InviteChain);
        }
    }
    if fields.locators.len() > TICKET_LOCATORS_MAX || !fields.locators.iter().all(|text| is_locator_text(text)) {
        return Err(TicketError::Locator);
    }
    Ok(())
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_LEN] {
    prefix(&blake3::derive_key(context::TICKET, body))
}

fn write(fields: &TicketFields) -> Vec<u8> {
    let optional = [
        fields.invite.is_some(),
        fields.content_key.is_some(),
        !fields.locators.is_empty(),
        fields.invite_chain.is_some(),
        fields.invite_until.is_some(),
    ];
    // Room for everything, so that no half-written secret is left behind by a growing vector.
    let mut w = Writer::with_capacity(TICKET_MAX);
    w.map(optional.iter().filter(|present| **present).count().saturating_add(4));
    w.uint(0).bytes(fields.group.as_bytes()).uint(1).text(&fields.name).uint(2).bytes(fields.floor.bytes());
    if let Some(invite) = &fields.invite {
        w.uint(3).bytes(invite.expose());
    }
    if let Some(key) = &fields.content_key {
        w.uint(4).bytes(key.expose());
    }
    w.uint(5).uint(fields.allows.bits());
    write_locators(&mut w, 6, &fields.locators);
    if let Some(chain) = &fields.invite_chain {
        w.uint(7).bytes(&chain.encode());
    }
    if let Some(until) = fields.invite_until {
        w.uint(8).uint(until.0);
    }
    w.into_bytes()
}

fn read_checked(bytes: &[u8]) -> Result<TicketFields, TicketError> {
    if bytes.len() > TICKET_MAX {
        return Err(TicketError::Length);
    }
    let (body, sum) = bytes.split_last_chunk::<CHECKSUM_LEN>().ok_or(TicketError::Length)?;
    if *sum == checksum(body) { read(body) } else { Err(TicketError::Checksum) }
}

fn read(body: &[u8]) -> Result<TicketFields, TicketError> {
    let mut f = Fields::open(body)?;
    let group = GroupId::new(f.required(0)?.fixed()?);
    let name = f.required(1)?.text_within(1, NAME_MAX)?.to_owned();
    let floor = FloorRecord::parse(f.required(2)?.bytes()?)?;
    let invite = f.optional(3)?.map(Reader::fixed).transpose()?.map(SecretKey::new);
    let content_key = f.optional(4)?.map(Reader::fixed).transpose()?.map(SecretKey::new);
    let bits = f.required(5)?.uint()?;
    let allows = Rights::from_bits(bits).ok_or(TicketError::UnknownRights(bits))?;
    let locators = f.optional(6)?.map(|r| read_locators(r, TICKET_LOCATORS_MAX)).transpose()?.unwrap_or_default();
    let invite_chain = match f.optional(7)? {
        Some(reader) => Some(Chain::parse(reader.bytes()?)?),
        None => None,
    };
    let invite_until = f.optional(8)?.map(Reader::uint).transpose()?.map(WallMillis);
    f.finish()?;
    Ok(TicketFields { group, name, floor, invite, content_key, allows, locators, invite_chain, invite_until })
}

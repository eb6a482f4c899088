//! What the store keeps of a group, in the same canonical CBOR as everything else; read back at the next start.

use crosscast_seal::ContentKey;
use crosscast_wire::cbor::{CborError, Reader, Writer};
use crosscast_wire::{Chain, FloorRecord, SecretKey, WallMillis};
use zeroize::Zeroize as _;

use super::Group;
use crate::limits;

/// A group's lasting state.
#[derive(Default)]
pub(crate) struct GroupState {
    pub(crate) name: String,
    pub(crate) floor: Option<FloorRecord>,
    /// What entitles the floor's signer, when that is not the group key.
    pub(crate) floor_chain: Option<Chain>,
    /// The group's own key, for its maker.
    pub(crate) secret: Option<SecretKey>,
    /// Content keys, newest first.
    pub(crate) contents: Vec<ContentKey>,
    pub(crate) locators: Vec<String>,
    /// When this node became part of it.
    pub(crate) joined: WallMillis,
    /// What this node may do here.
    pub(crate) chain: Option<Chain>,
    /// The invite that this node still has to be let in by.
    pub(crate) invite: Option<SecretKey>,
}

/// Writes `[name, floor, secret, [content keys], [locators], joined, floor chain, chain, invite]`; what is absent is an
/// empty string.
pub(crate) fn encode(group: &Group) -> Vec<u8> {
    let mut writer = Writer::with_capacity(ROOM);
    writer.array(9).text(&group.name);
    writer.bytes(group.floor.as_ref().map_or(&[][..], |floor| floor.bytes()));
    writer.bytes(group.secret.as_ref().map_or(&[][..], |secret| secret.expose()));
    writer.array(group.keys.iter().count());
    for key in group.keys.iter() {
        writer.bytes(key.expose());
    }
    writer.array(group.locators.len());
    for locator in &group.locators {
        writer.text(locator);
    }
    writer.uint(group.joined.0);
    for chain in [group.floor_chain.as_ref(), group.chain.as_ref()] {
        writer.bytes(&chain.map(Chain::encode).unwrap_or_default());
    }
    writer.bytes(group.invite.as_ref().map_or(&[][..], |invite| invite.expose()));
    writer.into_bytes()
}

/// Room for everything, so that no half-written secret is left behind by a growing vector.
const ROOM: usize = 16 << 10;

/// Reads what [`encode`] wrote; `None` when it is anything else.
pub(crate) fn decode(bytes: &[u8]) -> Option<GroupState> {
    read(bytes).ok().flatten()
}

fn read(bytes: &[u8]) -> Result<Option<GroupState>, CborError> {
    let mut reader = Reader::new(bytes);
    let fields = reader.array_within(6, 9)?;
    let name = reader.text()?.to_owned();
    let floor = reader.bytes()?;
    let secret = secret(reader.bytes()?).map(SecretKey::new);
    // Version 0.1 kept one content key, and none of what follows the time of joining.
    let contents = if fields == 6 { vec![reader.bytes()?] } else { list(&mut reader)? };
    let contents = contents.into_iter().filter_map(secret_key).collect();
    let count = reader.array_within(0, 64)?;
    let mut locators = Vec::with_capacity(count);
    for _ in 0..count {
        locators.push(reader.text()?.to_owned());
    }
    let joined = WallMillis(reader.uint()?);
    let mut state = GroupState { name, secret, contents, locators, joined, ..GroupState::default() };
    if fields == 9 {
        state.floor_chain = Chain::parse(reader.bytes()?).ok();
        state.chain = Chain::parse(reader.bytes()?).ok();
        state.invite = self::secret(reader.bytes()?).map(SecretKey::new);
    }
    reader.finish()?;
    if !floor.is_empty() {
        let Ok(floor) = FloorRecord::parse(floor) else { return Ok(None) };
        state.floor = Some(floor);
    }
    Ok(Some(state))
}

fn list<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, CborError> {
    let count = reader.array_within(0, limits::CONTENT_KEYS)?;
    (0..count).map(|_| reader.bytes()).collect()
}

fn secret(bytes: &[u8]) -> Option<[u8; 32]> {
    <[u8; 32]>::try_from(bytes).ok()
}

fn secret_key(bytes: &[u8]) -> Option<ContentKey> {
    let mut secret = secret(bytes)?;
    let key = ContentKey::new(secret);
    secret.zeroize();
    Some(key)
}

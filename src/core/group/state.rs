//! What the store keeps of a group, in the same canonical CBOR as everything else; read back at the next start.

use crosscast_seal::ContentKey;
use crosscast_wire::cbor::{CborError, Reader, Writer};
use crosscast_wire::{FloorRecord, SecretKey, WallMillis};

/// A group's lasting state.
pub(crate) struct GroupState {
    pub(crate) name: String,
    pub(crate) floor: Option<FloorRecord>,
    pub(crate) secret: Option<SecretKey>,
    pub(crate) content: Option<ContentKey>,
    pub(crate) locators: Vec<String>,
    /// When this node became part of it.
    pub(crate) joined: WallMillis,
}

/// Writes `[name, floor, secret, content key, [locators], joined]`; what is absent is an empty string.
pub(crate) fn encode(
    name: &str,
    floor: Option<&FloorRecord>,
    secret: Option<&SecretKey>,
    content: Option<&ContentKey>,
    locators: &[String],
    joined: WallMillis,
) -> Vec<u8> {
    let mut writer = Writer::with_capacity(512);
    writer.array(6).text(name);
    writer.bytes(floor.map_or(&[][..], |floor| floor.bytes()));
    writer.bytes(secret.map_or(&[][..], |secret| secret.expose()));
    writer.bytes(content.map_or(&[][..], |content| content.expose()));
    writer.array(locators.len());
    for locator in locators {
        writer.text(locator);
    }
    writer.uint(joined.0);
    writer.into_bytes()
}

/// Reads what [`encode`] wrote; `None` when it is anything else.
pub(crate) fn decode(bytes: &[u8]) -> Option<GroupState> {
    read(bytes).ok().flatten()
}

fn read(bytes: &[u8]) -> Result<Option<GroupState>, CborError> {
    let mut reader = Reader::new(bytes);
    reader.array_within(6, 6)?;
    let name = reader.text()?.to_owned();
    let floor = reader.bytes()?;
    let secret = reader.bytes()?;
    let content = reader.bytes()?;
    let count = reader.array_within(0, 64)?;
    let mut locators = Vec::with_capacity(count);
    for _ in 0..count {
        locators.push(reader.text()?.to_owned());
    }
    let joined = WallMillis(reader.uint()?);
    reader.finish()?;
    let floor = match floor {
        [] => None,
        bytes => match FloorRecord::parse(bytes) {
            Ok(floor) => Some(floor),
            Err(_) => return Ok(None),
        },
    };
    let secret = <[u8; 32]>::try_from(secret).ok().map(SecretKey::new);
    let content = <[u8; 32]>::try_from(content).ok().map(ContentKey::new);
    Ok(Some(GroupState { name, floor, secret, content, locators, joined }))
}

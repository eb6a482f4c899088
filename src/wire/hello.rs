//! The hello: what each side of a new link is and can do, and the proof that ties it to the channel.
//!
//! Both sides send HELLO, then PROOF: a signature by the node key over the scheme, the signer's role, the channel
//! binding, both NodeIds and the transcript of both bodies. A hello that another version made is read as long as its
//! critical keys are known; which version is spoken is [`VersionRange::common`].

use bytes::Bytes;

use crate::cbor::{CborError, Reader, Writer};
use crate::fields::{Fields, is_address, is_plain, is_printable_ascii};
use crate::hash::context;
use crate::limits::{
    AGENT_MAX, ATTESTATION_MAX, ATTESTATIONS_MAX, HELLO_MAX, NAME_MAX, OVERLAY_ADDRESS_MAX, OVERLAY_ADDRESSES_MAX,
    PEER_MESSAGE_MIN,
};
use crate::{Crypto, Domain, Features, Instance, NodeId, Roles, Scheme, SecretKey, Signature, WallMillis};

/// The version this crate speaks: Ed25519, BLAKE3, this CBOR profile.
pub const PROTOCOL_VERSION: u64 = 1;

/// The versions a node speaks, both ends included; never empty and never below 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    min: u64,
    max: u64,
}

impl VersionRange {
    /// What this crate speaks.
    pub const OURS: Self = Self { min: PROTOCOL_VERSION, max: PROTOCOL_VERSION };

    /// A range; `None` when it is empty or starts below 1.
    #[must_use]
    pub const fn new(min: u64, max: u64) -> Option<Self> {
        if min == 0 || max < min { None } else { Some(Self { min, max }) }
    }

    /// Lowest version.
    #[must_use]
    pub const fn min(self) -> u64 {
        self.min
    }

    /// Highest version.
    #[must_use]
    pub const fn max(self) -> u64 {
        self.max
    }

    /// The highest version both speak.
    #[must_use]
    pub fn common(self, other: Self) -> Option<u64> {
        let highest = self.max.min(other.max);
        (highest >= self.min.max(other.min)).then_some(highest)
    }
}

/// The highest version that both ranges have.
#[must_use]
pub fn common_version(a: VersionRange, b: VersionRange) -> Option<u64> {
    a.common(b)
}

/// What a hello says; [`Hello::new`] holds it to the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloFields {
    /// The sender.
    pub node: NodeId,
    /// The versions it speaks.
    pub versions: VersionRange,
    /// Drawn anew for every link.
    pub nonce: [u8; 32],
    /// What it can do beyond what every node can.
    pub features: Features,
    /// Largest message it takes, in bytes; at least [`PEER_MESSAGE_MIN`].
    pub max_message_bytes: u64,
    /// Byte credit it grants from the start on the lanes urgent, normal and bulk.
    pub credit: [u64; 3],
    /// What it does for others.
    pub roles: Roles,
    /// Its run.
    pub instance: Instance,
    /// Its wall clock when it wrote this.
    pub wall: WallMillis,
    /// Its program and version, 1 to 64 bytes of printable ASCII.
    pub agent: String,
    /// The number of its newest peer record, at least 1.
    pub peer_record: Option<u64>,
    /// Its addresses on key-addressed networks: at most 8, each 1 to 64 bytes without white space.
    pub overlay: Vec<String>,
    /// Bindings of other networks' keys to its NodeId: at most 4, each 1 to 256 bytes.
    pub attestations: Vec<Bytes>,
    /// Its X25519 prekey.
    pub prekey: [u8; 32],
    /// What its operator calls it: 1 to 64 bytes without control characters.
    pub name: Option<String>,
}

/// Why a hello was refused; its sender is to blame, or, from [`Hello::new`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// Not canonical, or not a hello's fields.
    #[error("hello: {0}")]
    Cbor(#[from] CborError),
    /// The body is longer than [`HELLO_MAX`].
    #[error("hello is longer than {HELLO_MAX} bytes")]
    TooLong,
    /// The range of versions is empty or starts at 0.
    #[error("hello has no legal range of versions")]
    Versions,
    /// The agent is not 1 to 64 bytes of printable ASCII.
    #[error("hello has no legal agent word")]
    Agent,
    /// The peer record's number is 0.
    #[error("hello names peer record 0")]
    PeerRecordNumber,
    /// An overlay address is too long, empty or has white space or control characters in it, or there are too many.
    #[error("hello has an illegal overlay address")]
    Overlay,
    /// An attestation is too long or empty, or there are too many.
    #[error("hello has an illegal attestation")]
    Attestation,
    /// The name is too long, empty or has control characters in it.
    #[error("hello has an illegal name")]
    Name,
}

/// A hello, with its body as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    fields: HelloFields,
    body: Bytes,
}

impl Hello {
    /// Writes a hello.
    ///
    /// # Errors
    /// The first field that is outside its bounds, or [`HelloError::TooLong`].
    pub fn new(mut fields: HelloFields) -> Result<Self, HelloError> {
        check(&fields)?;
        fields.max_message_bytes = fields.max_message_bytes.max(PEER_MESSAGE_MIN);
        let body = write(&fields);
        if body.len() > HELLO_MAX {
            return Err(HelloError::TooLong);
        }
        Ok(Self { fields, body: body.into() })
    }

    /// Reads a hello and keeps its bytes for the transcript.
    ///
    /// # Errors
    /// The first thing that is not as the format has it.
    pub fn parse(body: Bytes) -> Result<Self, HelloError> {
        if body.len() > HELLO_MAX {
            return Err(HelloError::TooLong);
        }
        let fields = read(&body)?;
        check(&fields)?;
        Ok(Self { fields, body })
    }

    /// What it says.
    #[must_use]
    pub const fn fields(&self) -> &HelloFields {
        &self.fields
    }

    /// The body as it travels.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }
}

/// The hash of both hello bodies, the dialler's first.
#[must_use]
pub fn transcript(dialler_body: &[u8], listener_body: &[u8]) -> [u8; 32] {
    blake3::Hasher::new_derive_key(context::HELLO)
        .update(blake3::hash(dialler_body).as_bytes())
        .update(blake3::hash(listener_body).as_bytes())
        .finalize()
        .into()
}

/// What a proof is over, apart from the domain's prefix.
///
/// `own` is the signer and `peer` the other side, also when the other side verifies. A binding has at most 128 bytes;
/// everything behind it has a fixed length, so no two inputs give the same bytes.
#[must_use]
pub fn proof_bytes(
    scheme: Scheme,
    role_is_listener: bool,
    binding: &[u8],
    own: &NodeId,
    peer: &NodeId,
    transcript: &[u8; 32],
) -> Vec<u8> {
    let word = scheme.word().as_bytes();
    let mut bytes = Vec::with_capacity(word.len().saturating_add(binding.len()).saturating_add(99));
    bytes.push(u8::try_from(word.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(word);
    bytes.push(u8::from(role_is_listener));
    bytes.push(u8::try_from(binding.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(binding);
    bytes.extend_from_slice(own.as_bytes());
    bytes.extend_from_slice(peer.as_bytes());
    bytes.extend_from_slice(transcript);
    bytes
}

/// Signs [`proof_bytes`].
#[must_use]
pub fn sign_proof(crypto: &dyn Crypto, key: &SecretKey, proof_bytes: &[u8]) -> Signature {
    crypto.sign(key, Domain::Hello, proof_bytes)
}

/// Whether `proof` is `signer`'s signature of [`proof_bytes`].
#[must_use]
pub fn verify_proof(crypto: &dyn Crypto, signer: &NodeId, proof_bytes: &[u8], proof: &Signature) -> bool {
    crypto.verify(signer.as_bytes(), Domain::Hello, proof_bytes, proof)
}

fn check(fields: &HelloFields) -> Result<(), HelloError> {
    let within = |len: usize, max: usize| (1..=max).contains(&len);
    if !within(fields.agent.len(), AGENT_MAX) || !is_printable_ascii(&fields.agent) {
        return Err(HelloError::Agent);
    }
    if fields.peer_record == Some(0) {
        return Err(HelloError::PeerRecordNumber);
    }
    let legal_address = |address: &String| within(address.len(), OVERLAY_ADDRESS_MAX) && is_address(address);
    if fields.overlay.len() > OVERLAY_ADDRESSES_MAX || !fields.overlay.iter().all(legal_address) {
        return Err(HelloError::Overlay);
    }
    let legal_attestation = |bytes: &Bytes| within(bytes.len(), ATTESTATION_MAX);
    if fields.attestations.len() > ATTESTATIONS_MAX || !fields.attestations.iter().all(legal_attestation) {
        return Err(HelloError::Attestation);
    }
    match &fields.name {
        Some(name) if !within(name.len(), NAME_MAX) || !is_plain(name) => Err(HelloError::Name),
        Some(_) | None => Ok(()),
    }
}

fn write(fields: &HelloFields) -> Vec<u8> {
    let optional = [
        fields.peer_record.is_some(),
        !fields.overlay.is_empty(),
        !fields.attestations.is_empty(),
        fields.name.is_some(),
    ];
    let mut w = Writer::with_capacity(512);
    w.map(optional.iter().filter(|present| **present).count().saturating_add(12));
    w.uint(0).bytes(fields.node.as_bytes());
    w.uint(1).uint(fields.versions.min()).uint(2).uint(fields.versions.max());
    w.uint(3).bytes(&fields.nonce);
    w.uint(4).uint(fields.features.bits());
    w.uint(5).uint(fields.max_message_bytes);
    w.uint(6).array(fields.credit.len());
    for bytes in fields.credit {
        w.uint(bytes);
    }
    w.uint(7).uint(fields.roles.bits());
    w.uint(8).uint(fields.instance.0);
    w.uint(9).uint(fields.wall.0);
    w.uint(10).text(&fields.agent);
    if let Some(number) = fields.peer_record {
        w.uint(11).uint(number);
    }
    if !fields.overlay.is_empty() {
        w.uint(12).array(fields.overlay.len());
        for address in &fields.overlay {
            w.text(address);
        }
    }
    write_attestations(&mut w, 13, &fields.attestations);
    w.uint(14).bytes(&fields.prekey);
    if let Some(name) = &fields.name {
        w.uint(15).text(name);
    }
    w.into_bytes()
}

fn read(body: &[u8]) -> Result<HelloFields, HelloError> {
    let mut f = Fields::open(body)?;
    let node = NodeId::new(f.required(0)?.fixed()?);
    let (min, max) = (f.required(1)?.uint()?, f.required(2)?.uint()?);
    let versions = VersionRange::new(min, max).ok_or(HelloError::Versions)?;
    let nonce = f.required(3)?.fixed()?;
    let features = Features::from_known_bits(f.required(4)?.uint()?);
    let max_message_bytes = f.required(5)?.uint()?.max(PEER_MESSAGE_MIN);
    let mut credit = [0; 3];
    let reader = f.required(6)?;
    reader.array_within(credit.len(), credit.len())?;
    for slot in &mut credit {
        *slot = reader.uint()?;
    }
    let roles = Roles::from_known_bits(f.required(7)?.uint()?);
    let instance = Instance(f.required(8)?.uint()?);
    let wall = WallMillis(f.required(9)?.uint()?);
    let agent = f.required(10)?.text_within(1, AGENT_MAX)?.to_owned();
    let peer_record = f.optional(11)?.map(Reader::uint).transpose()?;
    let overlay = f.optional(12)?.map(read_overlay).transpose()?.unwrap_or_default();
    let attestations = f.optional(13)?.map(read_attestations).transpose()?.unwrap_or_default();
    let prekey = f.required(14)?.fixed()?;
    let name = f.optional(15)?.map(|r| r.text_within(1, NAME_MAX)).transpose()?.map(str::to_owned);
    f.finish()?;
    Ok(HelloFields {
        node,
        versions,
        nonce,
        features,
        max_message_bytes,
        credit,
        roles,
        instance,
        wall,
        agent,
        peer_record,
        overlay,
        attestations,
        prekey,
        name,
    })
}

fn read_overlay(reader: &mut Reader<'_>) -> Result<Vec<String>, CborError> {
    let count = reader.array_within(1, OVERLAY_ADDRESSES_MAX)?;
    (0..count).map(|_| reader.text_within(1, OVERLAY_ADDRESS_MAX).map(str::to_owned)).collect()
}

/// Reads 1 to 4 attestations; a peer record has them too.
pub(crate) fn read_attestations(reader: &mut Reader<'_>) -> Result<Vec<Bytes>, CborError> {
    let count = reader.array_within(1, ATTESTATIONS_MAX)?;
    (0..count).map(|_| reader.bytes_within(1, ATTESTATION_MAX).map(Bytes::copy_from_slice)).collect()
}

/// Writes attestations under `key`, or nothing when there are none.
pub(crate) fn write_attestations(w: &mut Writer, key: u64, attestations: &[Bytes]) {
    if !attestations.is_empty() {
        w.uint(key).array(attestations.len());
        for attestation in attestations {
            w.bytes(attestation);
        }
    }
}

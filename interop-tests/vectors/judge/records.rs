//! What the decoder makes of what is signed, shown or granted: records, requests, equivocations, grants, tickets.

use crosscast_wire::{
    Attestation, Capability, Chain, Equivocation, FloorRecord, Grant, GrantRefusal, JoinRequest, Locate, NodeId,
    PeerRecord, SecretKey, ServiceRecord, Successor, Ticket, WallMillis,
};
use serde_json::Value;

use super::{CRYPTO, given_key, given_number, holds, name};
use crate::values::{Object, hex};

pub(super) fn capability(bytes: &[u8]) -> Result<Value, String> {
    let capability = Capability::parse(bytes).map_err(name)?;
    holds(capability.verify(&CRYPTO))?;
    let fields = capability.fields();
    Ok(Object::default()
        .set("version", 1)
        .bytes("group", fields.group)
        .bytes("subject", fields.subject)
        .set("rights", fields.rights.bits())
        .set("not_before", fields.not_before.0)
        .set("not_after", fields.not_after.0)
        .set("epoch", fields.epoch)
        .set("rate_class", fields.rate_class)
        .set("depth_left", fields.depth_left)
        .bytes("issuer", fields.issuer)
        .maybe("invite", fields.invite.map(hex))
        .bytes("serial", capability.serial())
        .all_bytes("revocation_ids", &capability.revocation_ids().collect::<Vec<_>>())
        .done())
}

pub(super) fn chain(chain: &Chain) -> Result<Value, String> {
    holds(chain.verify(&CRYPTO))?;
    let serials: Vec<_> = chain.links().map(Capability::serial).collect();
    let fields = Object::default().bytes("group", chain.group()).bytes("subject", chain.subject());
    Ok(fields.all_bytes("serials", &serials).bytes("hash", chain.hash()).done())
}

pub(super) fn floor(floor: &FloorRecord) -> Result<Value, String> {
    holds(floor.verify(&CRYPTO))?;
    let fields = floor.fields();
    Ok(Object::default()
        .set("version", 1)
        .bytes("group", fields.group)
        .set("number", fields.number)
        .set("issued", fields.issued.0)
        .set("valid_until", fields.valid_until.0)
        .set("policy", fields.policy.number())
        .set("lowest_epoch", fields.lowest_epoch)
        .all_bytes("revoked", &fields.revoked)
        .maybe("content_key", fields.content_key.map(hex))
        .maybe("signer", fields.signer.map(hex))
        .done())
}

pub(super) fn peer_record(bytes: &[u8]) -> Result<Value, String> {
    let record = PeerRecord::parse(bytes).map_err(name)?;
    holds(record.verify(&CRYPTO))?;
    let fields = record.fields();
    Ok(Object::default()
        .set("version", 1)
        .bytes("node", fields.node)
        .set("number", fields.number)
        .set("issued", fields.issued.0)
        .set("valid_until", fields.valid_until.0)
        .all_text("locators", &fields.locators)
        .set("roles", fields.roles.bits())
        .maybe("prekey", fields.prekey.map(hex))
        .all_bytes("attestations", &fields.attestations)
        .done())
}

pub(super) fn service_record(bytes: &[u8]) -> Result<Value, String> {
    let record = ServiceRecord::parse(bytes).map_err(name)?;
    holds(record.verify(&CRYPTO))?;
    let fields = record.fields();
    Ok(Object::default()
        .set("version", 1)
        .bytes("service", fields.service)
        .set("number", fields.number)
        .set("issued", fields.issued.0)
        .set("valid_until", fields.valid_until.0)
        .all_bytes("nodes", &fields.nodes)
        .bytes("prekey", fields.prekey)
        .maybe("name", fields.name.clone())
        .done())
}

pub(super) fn successor(successor: &Successor) -> Result<Value, String> {
    holds(successor.verify(&CRYPTO))?;
    let fields = successor.fields();
    Ok(Object::default()
        .set("version", 1)
        .bytes("old", fields.old)
        .bytes("new", fields.new)
        .set("issued", fields.issued.0)
        .bytes("consent", fields.consent)
        .done())
}

pub(super) fn attestation(context: &Value, bytes: &[u8]) -> Result<Value, String> {
    let attestation = Attestation::parse(bytes).map_err(name)?;
    let (node, now) = (NodeId::new(given_key(context, "node")?), WallMillis(given_number(context, "now")?));
    attestation.verify(&CRYPTO, &node, now).map_err(name)?;
    let fields = attestation.fields();
    Ok(Object::default()
        .set("version", 1)
        .set("network", fields.network.number())
        .bytes("key", fields.key)
        .bytes("node", fields.node)
        .set("not_before", fields.not_before.0)
        .set("not_after", fields.not_after.0)
        .bytes("host_key", attestation.host_key())
        .done())
}

pub(super) fn join_request(request: &JoinRequest) -> Result<Value, String> {
    holds(request.verify(&CRYPTO) && request.verify_invite(&CRYPTO))?;
    let fields = request.fields();
    Ok(Object::default()
        .set("version", 1)
        .bytes("group", fields.group)
        .bytes("node", fields.node)
        .bytes("prekey", fields.prekey)
        .set("time", fields.time.0)
        .bytes("nonce", fields.nonce)
        .set("purpose", fields.purpose.number())
        .maybe("name", fields.name.clone())
        .maybe("invite", fields.invite.map(|invite| hex(invite.key)))
        .maybe("proof", fields.invite.map(|invite| hex(invite.proof)))
        .maybe("chain", fields.chain.as_ref().map(chain).transpose()?)
        .maybe("successor", fields.successor.as_ref().map(successor).transpose()?)
        .bytes("id", request.id())
        .done())
}

pub(super) fn locate(locate: &Locate) -> Result<Value, String> {
    holds(locate.verify(&CRYPTO))?;
    let fields = locate.fields();
    Ok(Object::default()
        .set("version", 1)
        .bytes("target", fields.target)
        .bytes("from", fields.from)
        .bytes("prekey", fields.prekey)
        .set("time", fields.time.0)
        .bytes("nonce", fields.nonce)
        .bytes("id", locate.id())
        .done())
}

pub(super) fn equivocation(shown: &Equivocation) -> Result<Value, String> {
    holds(shown.verify(&CRYPTO))?;
    Ok(Object::default()
        .set("version", 1)
        .set("kind", shown.to().kind().number())
        .bytes("to", shown.to().as_bytes())
        .bytes("from", shown.from())
        .set("instance", shown.instance().0)
        .set("seq", shown.seq().0)
        .all_bytes("ids", &shown.ids())
        .done())
}

pub(super) fn grant(bytes: &[u8]) -> Result<Value, String> {
    let grant = Grant::parse(bytes).map_err(name)?;
    let fields = grant.fields();
    let keys: Vec<_> = fields.content_keys.iter().map(SecretKey::expose).collect();
    Ok(Object::default()
        .set("version", 1)
        .bytes("group", fields.group)
        .maybe("request", fields.request.map(hex))
        .maybe("chain", fields.chain.as_ref().map(chain).transpose()?)
        .all_bytes("content_keys", &keys)
        .set("floor", floor(&fields.floor)?)
        .maybe("floor_chain", fields.floor_chain.as_ref().map(chain).transpose()?)
        .maybe("refusal", fields.refusal.map(GrantRefusal::number))
        .maybe("name", fields.name.clone())
        .done())
}

pub(super) fn ticket(bytes: &[u8]) -> Result<Value, String> {
    let text = core::str::from_utf8(bytes).map_err(|_| "base64".to_owned())?;
    let ticket = Ticket::parse(text).map_err(name)?;
    let fields = ticket.fields();
    Ok(Object::default()
        .bytes("group", fields.group)
        .set("name", fields.name.clone())
        .set("floor", floor(&fields.floor)?)
        .maybe("invite", fields.invite.as_ref().map(|key| hex(key.expose())))
        .maybe("content_key", fields.content_key.as_ref().map(|key| hex(key.expose())))
        .set("allows", fields.allows.bits())
        .all_text("locators", &fields.locators)
        .maybe("invite_chain", fields.invite_chain.as_ref().map(chain).transpose()?)
        .maybe("invite_until", fields.invite_until.map(|until| until.0))
        .done())
}

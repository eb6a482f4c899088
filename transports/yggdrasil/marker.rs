//! The NodeInfo marker: a Yggdrasil node's word that a node of ours runs beside it.
//!
//! NodeInfo is a free JSON object in the daemon's configuration that anybody may ask a node for by its key; the answer
//! comes through the encrypted session of that key. The marker lies there under `crosscast`. Our node signs the
//! Yggdrasil key with the rest, so that a marker that another node copied names itself as foreign. The format is in
//! docs/spec/nodeinfo.md.

use crosscast_stream::overlay::HostKey;
use crosscast_wire::cbor::Writer;
use crosscast_wire::limits::ATTESTATION_SLACK_MS;
use crosscast_wire::{Crypto, Domain, Network, NodeId, PeerFault, RustCrypto, SecretKey, Signature, WallMillis};
use serde::{Deserialize, Serialize};

use crate::hex;

/// The version this crate writes and reads.
const VERSION: u64 = 1;

/// First item of what is signed. An attestation is a map and this an array, so neither can be taken for the other.
const KIND: &str = "nodeinfo";

/// What a marker says, once it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// Our node there.
    pub(crate) node: NodeId,
    /// The port it listens on.
    pub(crate) port: u16,
    /// Last millisecond of its life.
    pub(crate) until: WallMillis,
}

impl Marker {
    /// Whether its life lasts, with [`ATTESTATION_SLACK_MS`] for clocks that differ.
    pub(crate) const fn lasts(&self, now: WallMillis) -> bool {
        now.0 <= self.until.0.saturating_add(ATTESTATION_SLACK_MS)
    }
}

/// Writes the NodeInfo that an operator puts into the daemon's configuration, as one JSON object.
#[must_use]
pub fn node_info(key: &SecretKey, host: &HostKey, port: u16, until: WallMillis) -> String {
    let signature = RustCrypto.sign(key, Domain::Attestation, &body(host, port, until));
    let info = Info {
        crosscast: Some(Json {
            v: VERSION,
            key: NodeId::new(key.public()).to_string(),
            host: hex::write(host),
            port,
            until: until.0,
            sig: hex::write(&signature),
        }),
    };
    serde_json::to_string(&info).unwrap_or_default()
}

/// Reads the marker in the NodeInfo of a node; `None` where there is none that this version can read.
///
/// # Errors
/// [`PeerFault::AttestationForeign`] for the marker of another Yggdrasil node, [`PeerFault::AttestationForged`] when its
/// signature does not hold, [`PeerFault::AttestationExpired`] after its life.
pub(crate) fn read(info: &str, asked: &HostKey, now: WallMillis) -> Result<Option<Marker>, PeerFault> {
    let Some((json, node, host, signature)) = parse(info) else { return Ok(None) };
    let until = WallMillis(json.until);
    if !RustCrypto.verify(node.as_bytes(), Domain::Attestation, &body(&host, json.port, until), &signature) {
        return Err(PeerFault::AttestationForged);
    }
    if host != *asked {
        return Err(PeerFault::AttestationForeign);
    }
    let marker = Marker { node, port: json.port, until };
    if marker.lasts(now) { Ok(Some(marker)) } else { Err(PeerFault::AttestationExpired) }
}

/// NodeInfo, as far as it is ours.
#[derive(Serialize, Deserialize)]
struct Info {
    crosscast: Option<Json>,
}

/// The marker's JSON.
#[derive(Serialize, Deserialize)]
struct Json {
    v: u64,
    key: String,
    host: String,
    port: u16,
    until: u64,
    sig: String,
}

fn parse(info: &str) -> Option<(Json, NodeId, HostKey, Signature)> {
    let json = serde_json::from_str::<Info>(info).ok()?.crosscast?;
    let known = json.v == VERSION && json.port != 0;
    let node = NodeId::parse(&json.key).ok().filter(|_| known)?;
    let (host, signature) = (hex::read(&json.host)?, hex::read(&json.sig)?);
    Some((json, node, host, signature))
}

/// What the node's key signs.
fn body(host: &HostKey, port: u16, until: WallMillis) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(5).text(KIND).uint(Network::Yggdrasil.number().into()).bytes(host).uint(port.into()).uint(until.0);
    w.into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use crosscast_wire::Attestation;

    use super::*;

    const NOW: WallMillis = WallMillis(1_700_000_000_000);
    const LATER: WallMillis = WallMillis(1_700_000_600_000);
    const HOST: HostKey = [3; 32];

    fn info() -> String {
        node_info(&SecretKey::new([7; 32]), &HOST, 7700, LATER)
    }

    fn changed(name: &str, value: serde_json::Value) -> String {
        let mut info: serde_json::Value = serde_json::from_str(&info()).unwrap();
        info["crosscast"][name] = value;
        info.to_string()
    }

    #[test]
    fn a_marker_is_read_from_the_node_it_was_made_for() {
        let node = NodeId::new(SecretKey::new([7; 32]).public());
        let made = Marker { node, port: 7700, until: LATER };
        assert_eq!(read(&info(), &HOST, NOW), Ok(Some(made)));
        let beside = changed("more", serde_json::json!([1])).replacen('{', r#"{"name":"lab","v":[],"#, 1);
        assert_eq!(read(&beside, &HOST, NOW), Ok(Some(made)));
    }

    #[test]
    fn a_copied_a_forged_and_an_expired_marker_are_refused_by_name() {
        assert_eq!(read(&info(), &[4; 32], NOW), Err(PeerFault::AttestationForeign));
        let adapted = changed("host", hex::write(&[4; 32]).into());
        assert_eq!(read(&adapted, &[4; 32], NOW), Err(PeerFault::AttestationForged));
        let other = NodeId::new(SecretKey::new([8; 32]).public()).to_string();
        for (name, value) in [
            ("port", 7701.into()),
            ("until", (LATER.0 + 1).into()),
            ("key", other.into()),
            ("sig", "00".repeat(64).into()),
        ] {
            assert_eq!(read(&changed(name, value), &HOST, NOW), Err(PeerFault::AttestationForged), "{name}");
        }
        let end = LATER.0 + ATTESTATION_SLACK_MS;
        assert!(read(&info(), &HOST, WallMillis(end)).unwrap().is_some());
        assert_eq!(read(&info(), &HOST, WallMillis(end + 1)), Err(PeerFault::AttestationExpired));
    }

    #[test]
    fn other_node_info_is_no_marker() {
        let plain = r#"{"name":"lab-n2","overlay-test":{"note":"free-form JSON","v":1}}"#;
        for info in ["", "7", "null", "[]", "{}", plain, r#"{"crosscast":7}"#, r#"{"crosscast":{"v":1}}"#] {
            assert_eq!(read(info, &HOST, NOW), Ok(None), "{info}");
        }
        for (name, value) in [
            ("v", serde_json::json!(2)),
            ("v", "1".into()),
            ("port", 0.into()),
            ("port", 65536.into()),
            ("until", (-1).into()),
            ("key", "cn".into()),
            ("host", "03".into()),
            ("sig", 7.into()),
        ] {
            assert_eq!(read(&changed(name, value.clone()), &HOST, NOW), Ok(None), "{name} {value}");
        }
    }

    #[test]
    fn the_example_of_the_specification_is_a_marker() {
        let text = include_str!("../../docs/spec/nodeinfo.md");
        assert!(text.contains(&info()), "{}", info());
        let body = hex::write(&body(&HOST, 7700, LATER));
        assert!(text.contains(&body), "{body}");
    }

    #[test]
    fn what_a_marker_signs_is_no_attestation() {
        let mut bytes = body(&HOST, 7700, LATER);
        bytes.extend_from_slice(&[0; 128]);
        assert!(Attestation::parse(&bytes).is_err());
    }
}

//! The daemon's private key, read from its configuration for one attestation and erased.
//!
//! Only whoever may read the daemon's configuration can do this; the transport never does. `PrivateKey` is 128
//! hexadecimal digits, seed and public key (RFC 8032). 0.5 may name a file in `PrivateKeyPath` instead, a PKCS #8 key in
//! PEM (RFC 8410, RFC 7468). The configuration is JSON or HJSON; of HJSON only as much is read as finds these names.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crosscast_stream::overlay::HostKey;
use crosscast_wire::{
    Attestation, AttestationDraft, AttestationError, AttestationFields, Crypto, Network, NodeId, SecretKey, Signature,
    WallMillis,
};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use crate::hex;

/// 1 MiB: a configuration with hundreds of peers and long comments has a tenth of that.
const CONFIG_MAX: u64 = 1024 * 1024;

/// What stands before the seed in the DER of an Ed25519 private key (RFC 8410, section 7).
const DER_HEAD: &[u8] =
    &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A Yggdrasil node's key pair; erased when dropped, never shown.
#[derive(Clone)]
pub struct NodeKey(SigningKey);

/// Why no key could be read; the words never hold any of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeKeyError {
    /// The file cannot be read.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The file is longer than a configuration is, or not text.
    #[error("not the text of a Yggdrasil configuration")]
    NotText,
    /// The configuration has neither `PrivateKey` nor `PrivateKeyPath`.
    #[error("the configuration has no PrivateKey")]
    NoKey,
    /// The configuration has several different `PrivateKey`s.
    #[error("the configuration has several PrivateKeys")]
    SeveralKeys,
    /// The key lies in another file.
    #[error("the configuration keeps its key in {}", .0.display())]
    Elsewhere(PathBuf),
    /// `PrivateKey` is not 128 hexadecimal digits, or the file it lies in is no Ed25519 key in PEM.
    #[error("the private key is neither 128 hexadecimal digits nor an Ed25519 key in PEM")]
    Form,
    /// The public half in `PrivateKey` is not that of its seed.
    #[error("the two halves of PrivateKey do not belong together")]
    Halves,
}

impl NodeKey {
    /// Reads the key of a configuration file, or of the file that it names.
    ///
    /// # Errors
    /// [`NodeKeyError`] says what is missing.
    pub fn from_config_file(path: &Path) -> Result<Self, NodeKeyError> {
        match Self::from_config_text(&read(path)?) {
            Err(NodeKeyError::Elsewhere(other)) => Self::from_pem(&read(&other)?),
            done => done,
        }
    }

    /// Reads the key in the text of a configuration, JSON or HJSON.
    ///
    /// # Errors
    /// [`NodeKeyError::Elsewhere`] when the text names a file instead; [`NodeKeyError`] says what else is missing.
    pub fn from_config_text(text: &str) -> Result<Self, NodeKeyError> {
        let Named { key, path } = named(text)?;
        match (key, path) {
            (Some(key), _) => Self::from_hex(key),
            (None, Some(path)) => Err(NodeKeyError::Elsewhere(path)),
            (None, None) => Err(NodeKeyError::NoKey),
        }
    }

    /// Reads a PKCS #8 key in PEM.
    ///
    /// # Errors
    /// [`NodeKeyError::Form`] when it is not an Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, NodeKeyError> {
        let inside = text.split_once("-----BEGIN PRIVATE KEY-----").map(|(_, rest)| rest);
        let inside = inside.and_then(|rest| rest.split_once("-----END PRIVATE KEY-----")).map(|(inside, _)| inside);
        let der = base64(inside.ok_or(NodeKeyError::Form)?).ok_or(NodeKeyError::Form)?;
        let seed = der.strip_prefix(DER_HEAD).and_then(|seed| seed.try_into().ok()).ok_or(NodeKeyError::Form)?;
        Ok(Self(SigningKey::from_bytes(seed)))
    }

    fn from_hex(digits: &str) -> Result<Self, NodeKeyError> {
        let both = Zeroizing::new(hex::read::<64>(digits).ok_or(NodeKeyError::Form)?);
        let (seed, public) = both.split_first_chunk::<32>().ok_or(NodeKeyError::Form)?;
        let key = SigningKey::from_bytes(seed);
        if key.verifying_key().as_bytes() == public { Ok(Self(key)) } else { Err(NodeKeyError::Halves) }
    }

    /// The public half, which the address is made of.
    #[must_use]
    pub fn public(&self) -> HostKey {
        self.0.verifying_key().to_bytes()
    }

    /// Signs bytes as they are. Yggdrasil signs with this key too, so the bytes must say what they are.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Signature {
        self.0.sign(bytes).to_bytes()
    }

    /// Makes the attestation that this Yggdrasil node and a node of ours belong together.
    ///
    /// # Errors
    /// [`AttestationError::Times`] when the life is none or too long.
    pub fn attest(
        &self,
        node: &SecretKey,
        not_before: WallMillis,
        not_after: WallMillis,
        crypto: &dyn Crypto,
    ) -> Result<Attestation, AttestationError> {
        let draft = AttestationDraft::new(AttestationFields {
            network: Network::Yggdrasil,
            key: self.public(),
            node: NodeId::new(node.public()),
            not_before,
            not_after,
        })?;
        let signature = self.sign(&draft.host_bytes());
        draft.finish(&signature, node, crypto)
    }
}

impl core::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NodeKey(..)")
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, NodeKeyError> {
    let failed = |error| NodeKeyError::File { path: path.to_owned(), error };
    let file = File::open(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    if len > CONFIG_MAX {
        return Err(NodeKeyError::NotText);
    }
    // Room for all of it at once: a buffer that grows leaves copies behind.
    let room = usize::try_from(len).unwrap_or_default().saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(len).read_to_end(&mut bytes).map_err(failed)?;
    let text = String::from_utf8(core::mem::take(&mut *bytes));
    text.map(Zeroizing::new).map_err(|error| {
        error.into_bytes().zeroize();
        NodeKeyError::NotText
    })
}

/// What a configuration says of its key.
struct Named<'a> {
    key: Option<&'a str>,
    path: Option<PathBuf>,
}

fn named(text: &str) -> Result<Named<'_>, NodeKeyError> {
    #[derive(Deserialize)]
    struct Json<'a> {
        #[serde(borrow, rename = "PrivateKey")]
        key: Option<&'a str>,
        #[serde(rename = "PrivateKeyPath")]
        path: Option<PathBuf>,
    }
    // What serde says of a failure holds the text, so it is not passed on.
    if let Ok(Json { key, path }) = serde_json::from_str(text) {
        return Ok(Named {
            key: key.filter(|key| !key.is_empty()),
            path: path.filter(|path| !path.as_os_str().is_empty()),
        });
    }
    let mut found = Named { key: None, path: None };
    for (name, value) in hjson_pairs(text) {
        match name {
            "PrivateKey" if found.key.is_some_and(|key| key != value) => return Err(NodeKeyError::SeveralKeys),
            "PrivateKey" => found.key = Some(value),
            "PrivateKeyPath" => found.path = Some(value.into()),
            _ => {}
        }
    }
    Ok(found)
}

/// The lines `name: value` of HJSON that are no comments, without quotes, commas and braces around.
fn hjson_pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut in_comment = false;
    text.lines().filter_map(move |line| {
        if in_comment || line.trim_start().starts_with("/*") {
            in_comment = !line.contains("*/");
            return None;
        }
        // A comment's line names nothing that is asked for: its first word is a `#` or `//`.
        line.split_once(':').map(|(name, value)| (bare(name), bare(value))).filter(|(_, value)| !value.is_empty())
    })
}

fn bare(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || "{},".contains(letter)).trim_matches(['"', '\''])
}

/// Reads base64 with its padding (RFC 4648, section 4), white space skipped.
fn base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.bytes().filter(|letter| !letter.is_ascii_whitespace() && *letter != b'=') {
        bits = bits << 6 | sextet(letter)?;
        held = held.saturating_add(6);
        if let Some(left) = held.checked_sub(8) {
            bytes.push(u8::try_from(bits >> left & 0xff).ok()?);
            held = left;
        }
    }
    Some(bytes)
}

fn sextet(letter: u8) -> Option<u32> {
    let (first, value) = match letter {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' => (b'+', 62),
        b'/' => (b'/', 63),
        _ => return None,
    };
    u32::from(letter).checked_sub(u32::from(first))?.checked_add(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use crosscast_wire::RustCrypto;

    use super::*;

    /// Of a node that was made for a recording and belongs to no one.
    const PUBLIC: &str = "7c51f6a9f79a6921ca91bddeb88ad34f5e215df598d6eff96e335c8067efbbd2";
    const SEED: &str = "eff6298d0372ea3be18f4cff986285bf0f1f5baf1a1627e3afe3499d7badf7ad";
    const PEM: &str = "MC4CAQAwBQYDK2VwBCIEIO/2KY0Dcuo74Y9M/5hihb8PH1uvGhYn46/jSZ17rfet";

    fn key(text: &str) -> String {
        hex::write(&NodeKey::from_config_text(text).unwrap().public())
    }

    #[test]
    fn the_key_is_found_in_every_form_of_a_configuration() {
        let digits = format!("{SEED}{PUBLIC}");
        for text in [
            format!(r#"{{"PrivateKey":"{digits}","Peers":["tcp://[::1]:1"],"NodeInfo":{{"a":[]}}}}"#),
            format!("{{\n  \"PrivateKey\": \"{digits}\",\n  \"PublicKey\": \"{PUBLIC}\"\n}}\n"),
            format!("{{\n  # PrivateKey: of this node\n  PrivateKey: {digits}\n\n  IfName: auto\n}}"),
            format!("{{\n  // PrivateKey: of this node\n  'PrivateKey': '{digits}',\n}}"),
            format!("{{ PrivateKey: {digits} }}"),
            format!("/* PrivateKey: {PUBLIC}\n PrivateKey: {PUBLIC} */\nPrivateKey: {digits}\n"),
            format!("PrivateKey: {digits}\r\nPrivateKey: {digits}\r\nPrivateKeyPath: \"\"\r\n"),
            format!("PrivateKeyPath: /etc/key.pem\nPrivateKey: {}", digits.to_uppercase()),
        ] {
            assert_eq!(key(&text), PUBLIC, "{text}");
        }
    }

    #[test]
    fn a_key_in_a_file_of_its_own_is_named_and_read() {
        for text in ["PrivateKeyPath: /etc/key.pem\n", r#"{"PrivateKeyPath":"/etc/key.pem","PrivateKey":""}"#] {
            let elsewhere = NodeKey::from_config_text(text).unwrap_err();
            assert!(matches!(&elsewhere, NodeKeyError::Elsewhere(path) if path == Path::new("/etc/key.pem")), "{text}");
        }
        let folder = std::env::temp_dir().join(format!("crosscast-node-key-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (config, pem) = (folder.join("conf"), folder.join("key.pem"));
        std::fs::write(&config, format!("PrivateKeyPath: {}\n", pem.display())).unwrap();
        std::fs::write(&pem, format!("-----BEGIN PRIVATE KEY-----\n{PEM}\n-----END PRIVATE KEY-----\n")).unwrap();
        let read = NodeKey::from_config_file(&config).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(hex::write(&read.public()), PUBLIC);
        assert!(matches!(NodeKey::from_config_file(&config), Err(NodeKeyError::File { .. })));
    }

    #[test]
    fn what_is_no_key_is_refused_by_name_and_never_shown() {
        type Is = fn(&NodeKeyError) -> bool;
        let swapped = format!("PrivateKey: {PUBLIC}{SEED}");
        let several = format!("PrivateKey: {SEED}{PUBLIC}\nPrivateKey: {SEED}{SEED}");
        let short = format!("PrivateKey: {SEED}");
        let cases: [(&str, Is); 7] = [
            ("", |error| matches!(error, NodeKeyError::NoKey)),
            ("{}", |error| matches!(error, NodeKeyError::NoKey)),
            ("PublicKey: 00", |error| matches!(error, NodeKeyError::NoKey)),
            ("[1]", |error| matches!(error, NodeKeyError::NoKey)),
            (&short, |error| matches!(error, NodeKeyError::Form)),
            (&swapped, |error| matches!(error, NodeKeyError::Halves)),
            (&several, |error| matches!(error, NodeKeyError::SeveralKeys)),
        ];
        for (text, is) in cases {
            let error = NodeKey::from_config_text(text).unwrap_err();
            assert!(is(&error), "{text}: {error}");
            assert!(!format!("{error} {error:?}").contains(&SEED[..8]), "{error:?}");
        }
        for pem in ["", PEM, "-----BEGIN PRIVATE KEY-----AAAA-----END PRIVATE KEY-----"] {
            assert!(matches!(NodeKey::from_pem(pem), Err(NodeKeyError::Form)), "{pem}");
        }
        let key = NodeKey::from_config_text(&format!("PrivateKey: {SEED}{PUBLIC}")).unwrap();
        assert_eq!(format!("{key:?}"), "NodeKey(..)");
    }

    #[test]
    fn an_attestation_made_with_the_key_holds_for_its_node() {
        let host = NodeKey::from_config_text(&format!("PrivateKey: {SEED}{PUBLIC}")).unwrap();
        let node = SecretKey::new([7; 32]);
        let (from, to) = (WallMillis(1_700_000_000_000), WallMillis(1_700_000_600_000));
        let made = host.attest(&node, from, to, &RustCrypto).unwrap();
        let read = Attestation::parse(made.bytes()).unwrap();
        assert_eq!((read.host_key(), read.fields().network), (host.public(), Network::Yggdrasil));
        assert_eq!(read.verify(&RustCrypto, &NodeId::new(node.public()), from), Ok(()));
        assert_eq!(host.attest(&node, to, from, &RustCrypto).unwrap_err(), AttestationError::Times);
    }
}

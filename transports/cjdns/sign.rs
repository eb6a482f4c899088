//! Signatures by a cjdns node: had from it, and checked without it.
//!
//! A node's key is X25519, and it signs with the Ed25519 key that is the same point in its Edwards form. So whoever has
//! a signature checks it as Ed25519 and turns its key into the node's, and that into the node's address. cjdns signs at
//! most 64 bytes, of which only ASCII reaches it; what is to be signed comes hashed and in hexadecimal digits.

use std::fmt;

use crosscast_stream::overlay::HostKey;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::address::{decode, encode};
use crate::admin::Admin;
use crate::{CjdnsConfig, CjdnsError};

/// Most bytes that a node signs.
pub const SIGNED_MAX: usize = 64;

/// A signature by a node: the Ed25519 key that it signs with, and the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeSignature {
    /// The Ed25519 key.
    pub key: [u8; 32],
    /// The signature.
    pub signature: [u8; 64],
}

impl NodeSignature {
    /// Reads a signature as cjdns writes it: key and signature in base32, `_` between them.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let at = text.iter().position(|byte| *byte == b'_')?;
        let (key, rest) = text.split_at_checked(at)?;
        Some(Self { key: decode(key)?, signature: decode(rest.strip_prefix(b"_")?)? })
    }

    /// The X25519 key of the node that made it over a message; `None` when it does not hold.
    #[must_use]
    pub fn signer_of(&self, message: &[u8]) -> Option<HostKey> {
        let key = VerifyingKey::from_bytes(&self.key).ok()?;
        key.verify_strict(message, &Signature::from_bytes(&self.signature)).ok()?;
        Some(key.to_montgomery().to_bytes())
    }
}

impl fmt::Display for NodeSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", encode(&self.key), encode(&self.signature))
    }
}

/// Has the host node sign 1 to [`SIGNED_MAX`] bytes of printable ASCII: its Ed25519 key and the signature, which holds
/// and is by the key that the node's address is made of.
///
/// # Errors
/// [`CjdnsError::Argument`] for any other message, [`CjdnsError::NoPassword`] where one is needed, [`CjdnsError::Forged`] when
/// what comes back is not the node's signature, and what else came instead of it.
pub async fn sign(config: &CjdnsConfig, message: &str) -> Result<([u8; 32], [u8; 64]), CjdnsError> {
    if message.len() > SIGNED_MAX {
        return Err(CjdnsError::Argument);
    }
    let mut admin = Admin::of(config).await?;
    let node = admin.node_info().await?;
    let signature = admin.sign(message).await?;
    if signature.signer_of(message.as_bytes()) != Some(node.key) {
        return Err(CjdnsError::Forged);
    }
    Ok((signature.key, signature.signature))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::address::{address_of, parse_key};

    /// Recorded of a cjdns 22.1 node, with its key and what it signed.
    const TEXT: &str = "dt23qcy5u9pps11w4x9bjr1lkjq9614twwwv01ph87znqs4wv3y0_mfvrm9z66ls93n6wm6qk55c4kbhb15lsv5zrtw6v2\
                        wt1hz1m60k1hvpq5zvkrhp95yyyh4hv0db1ulvgv5huun7lpf2z2v30kdb5p50";
    const KEY: &str = "gbd4bvfr35jxss35jzl2xl8l61l1xs1b1mfd5q1ksv5ylckx08y0.k";
    const MESSAGE: &[u8] = b"a1fafd4eb6a80bafebea149ef2f935eaf5f3b27b8924b3aeb34262ddf9176215";

    #[test]
    fn a_recorded_signature_leads_to_its_node_and_address() {
        let signature = NodeSignature::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(signature.to_string(), TEXT);
        let signer = signature.signer_of(MESSAGE).unwrap();
        assert_eq!(Some(signer), parse_key(KEY.as_bytes()));
        assert_eq!(address_of(&signer), Some("fc01:e84:9af2:8f9:7139:84bb:192e:95be".parse().unwrap()));
    }

    #[test]
    fn nothing_else_holds() {
        let good = NodeSignature::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(good.signer_of(&MESSAGE[1..]), None);
        for bit in [0, 255, 256, 511] {
            let mut other = good;
            other.signature[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(other.signer_of(MESSAGE), None, "bit {bit}");
        }
        let mut other = good;
        other.key[7] ^= 1;
        assert_eq!(other.signer_of(MESSAGE), None);
        // The neutral point, under which a signature of zeros holds for lenient readers.
        let mut weak = NodeSignature { key: [0; 32], signature: [0; 64] };
        (weak.key[0], weak.signature[0]) = (1, 1);
        assert_eq!(weak.signer_of(MESSAGE), None);
    }

    #[test]
    fn a_signature_has_one_text() {
        for bad in [
            TEXT.replace('_', ""),
            TEXT.replace('_', "__"),
            TEXT.replace("y0_", "yz_"),
            TEXT.replacen("dt", "d", 1),
            format!("{TEXT}0"),
            TEXT.trim_end_matches('0').to_owned(),
            "_".to_owned(),
            "nonsense".to_owned(),
        ] {
            assert_eq!(NodeSignature::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}

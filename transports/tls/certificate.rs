//! The certificate: a fixed X.509 frame (RFC 5280) around one Ed25519 key (RFC 8410).
//!
//! Nothing in it but the key is ever looked at, so it is a template and the same key always gives the same certificate.
//! Reading a peer's certificate means reading its key; whatever is not Ed25519 is refused.

use crosscast_wire::{NodeId, SecretKey, is_usable_key};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};

/// `SubjectPublicKeyInfo` up to the key: a sequence of the algorithm id-Ed25519 and a bit string.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// `OneAsymmetricKey` version 1 up to the seed.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// `AlgorithmIdentifier` of Ed25519.
const ED25519: [u8; 7] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

/// The name of issuer and subject: a common name "crosscast".
const NAME: [u8; 22] = *b"\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09crosscast";

/// Valid from 1970 to the end of 9999, which RFC 5280 gives for "no well-defined expiration date".
const VALIDITY: [u8; 34] = *b"\x30\x20\x17\x0d700101000000Z\x18\x0f99991231235959Z";

/// Version 3 and serial number 1.
const VERSION_AND_SERIAL: [u8; 8] = [0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 0x01, 0x01];

/// The node's private key in the form that the provider loads.
pub(crate) fn private_key(identity: &SecretKey) -> PrivateKeyDer<'static> {
    let der = [&PKCS8_PREFIX[..], &identity.expose()[..]].concat();
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der))
}

/// What the certificate of a key is signed over: the `TBSCertificate`.
pub(crate) fn to_be_signed(key: &[u8; 32]) -> Vec<u8> {
    // 137 bytes: the sum of the parts.
    let head: &[u8] = &[0x30, 0x81, 137];
    [head, &VERSION_AND_SERIAL, &ED25519, &NAME, &VALIDITY, &NAME, &SPKI_PREFIX, key].concat()
}

/// The certificate, from its parts.
pub(crate) fn assemble(to_be_signed: &[u8], signature: &[u8]) -> CertificateDer<'static> {
    // 214 bytes: 140 to be signed, the algorithm, and the signature with its bit string's head.
    let head: &[u8] = &[0x30, 0x81, 214];
    CertificateDer::from([head, to_be_signed, &ED25519, &[0x03, 0x41, 0x00], signature].concat())
}

/// The NodeId in a peer's certificate.
///
/// # Errors
/// When it is no certificate, its key is not Ed25519, or the key is one under which anybody could sign.
pub(crate) fn node_id(certificate: &CertificateDer<'_>) -> Result<NodeId, Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    let spki = parsed.subject_public_key_info();
    let key = spki.as_ref().strip_prefix(&SPKI_PREFIX).and_then(|key| <[u8; 32]>::try_from(key).ok());
    key.filter(is_usable_key).map(NodeId::new).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_template_is_a_certificate_of_the_right_lengths_and_gives_its_key_back() {
        let key = SecretKey::new([7; 32]).public();
        let tbs = to_be_signed(&key);
        assert_eq!(tbs.len(), 137 + 3);
        let certificate = assemble(&tbs, &[9; 64]);
        assert_eq!(certificate.len(), 214 + 3);
        assert_eq!(node_id(&certificate), Ok(NodeId::new(key)));
    }

    #[test]
    fn a_key_under_which_anybody_can_sign_is_refused() {
        // The neutral point: every signature of a certain form holds under it.
        let mut key = [0; 32];
        key[0] = 1;
        assert!(node_id(&assemble(&to_be_signed(&key), &[0; 64])).is_err());
    }

    #[test]
    fn what_is_not_a_certificate_of_an_ed25519_key_is_refused() {
        assert!(node_id(&CertificateDer::from(vec![])).is_err());
        let good = assemble(&to_be_signed(&SecretKey::new([7; 32]).public()), &[9; 64]);
        let x25519: Vec<u8> = good.windows(3).position(|w| w == [0x2b, 0x65, 0x70]).map(|_| good.to_vec()).unwrap();
        let spki_at = x25519.windows(12).position(|w| w == SPKI_PREFIX).unwrap();
        let mut other = x25519;
        other[spki_at + 8] = 0x6e;
        assert!(node_id(&CertificateDer::from(other)).is_err());
    }
}

//! The node's own signatures, made by aws-lc-rs: the same bytes as the reference's (RFC 8032 leaves no choice), in half
//! the time.

use aws_lc_rs::signature::Ed25519KeyPair;
use crosscast_core::{SignJob, SignKey};
use crosscast_wire::{SecretKey, Signature};

use super::NodeCrypto;

/// Signs with the node's key; what is signed with another key is left to the reference.
#[derive(Debug)]
pub(super) struct Signer {
    key: SecretKey,
    /// Erased by aws-lc when freed. `None` when it refuses the seed, which no seed gives it reason to.
    pair: Option<Ed25519KeyPair>,
}

impl Signer {
    pub(super) fn new(key: SecretKey) -> Self {
        let pair = Ed25519KeyPair::from_seed_and_public_key(key.expose(), &key.public()).ok();
        Self { key, pair }
    }

    pub(super) fn sign(&self, job: &SignJob) -> Signature {
        let own = self.pair.as_ref().filter(|_| matches!(job.key, SignKey::Node));
        let made = own.map(|pair| pair.sign(&job.domain.signed_bytes(&job.body)));
        made.and_then(|made| Signature::try_from(made.as_ref()).ok()).unwrap_or_else(|| job.run(&NodeCrypto, &self.key))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use crosscast_wire::{Crypto as _, Domain};

    use super::*;

    #[test]
    fn signatures_are_the_references_to_the_byte() {
        for seed in 0..64u8 {
            let signer = Signer::new(SecretKey::new([seed; 32]));
            assert!(signer.pair.is_some());
            for len in [0, 1, 31, 32, 111, 112, 250, 4_096] {
                let job = SignJob { key: SignKey::Node, domain: Domain::Message, body: vec![seed; len].into() };
                assert_eq!(signer.sign(&job), job.run(&NodeCrypto, &signer.key));
            }
        }
    }

    #[test]
    fn a_groups_key_signs_for_its_group() {
        let (node, group) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        let job =
            SignJob { key: SignKey::Group(Box::new(group.clone())), domain: Domain::Floor, body: vec![3; 9].into() };
        assert_eq!(
            Signer::new(node).sign(&job),
            NodeCrypto.sign(&group, Domain::Floor, b"\x03\x03\x03\x03\x03\x03\x03\x03\x03")
        );
    }
}

//! Content keys and what is derived from them.
//!
//! A content key belongs to an epoch of a group, or to one message for explicit recipients. What encrypts is never the
//! content key but one derived for a destination, sender and instance, so that senders need not agree on nonces.

use crosscast_wire::{ContentKeyId, Instance, NodeId, context};
use zeroize::Zeroize;

/// A 32-byte secret that a group's members, or a message's recipients, share; erased when dropped, never shown.
#[derive(Clone)]
pub struct ContentKey {
    key: [u8; 32],
    id: ContentKeyId,
}

impl ContentKey {
    /// Wraps secret bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { key: bytes, id: ContentKeyId::of_key(&bytes) }
    }

    /// The secret, for a ticket or a key file.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// The public name of the key.
    #[must_use]
    pub const fn id(&self) -> ContentKeyId {
        self.id
    }

    /// The key of one sender instance's messages to one destination (a GroupId's or NodeId's bytes); worth keeping.
    #[must_use]
    pub fn for_sender(&self, to: &[u8; 32], from: &NodeId, instance: Instance) -> MessageKey {
        let mut hasher = blake3::Hasher::new_derive_key(context::MESSAGE_KEY);
        hasher.update(&self.key).update(to).update(from.as_bytes()).update(&instance.0.to_be_bytes());
        MessageKey { key: *hasher.finalize().as_bytes(), id: self.id }
    }
}

impl Drop for ContentKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl core::fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ContentKey(..)")
    }
}

/// What seals and opens the messages of one sender instance to one destination; erased when dropped, never shown.
#[derive(Clone)]
pub struct MessageKey {
    key: [u8; 32],
    id: ContentKeyId,
}

impl MessageKey {
    /// The name of the content key it comes from, as it stands in a sealed payload.
    #[must_use]
    pub const fn id(&self) -> ContentKeyId {
        self.id
    }

    pub(crate) const fn secret(&self) -> &[u8; 32] {
        &self.key
    }
}

impl Drop for MessageKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl core::fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "MessageKey({:?}, ..)", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_instance_and_a_destination_each_have_a_key_of_their_own() {
        let content = ContentKey::new([7; 32]);
        let (node, other) = (NodeId::new([1; 32]), NodeId::new([2; 32]));
        let keys = [
            content.for_sender(&[3; 32], &node, Instance(1)),
            content.for_sender(&[4; 32], &node, Instance(1)),
            content.for_sender(&[3; 32], &other, Instance(1)),
            content.for_sender(&[3; 32], &node, Instance(2)),
            ContentKey::new([8; 32]).for_sender(&[3; 32], &node, Instance(1)),
        ];
        let secrets: std::collections::BTreeSet<_> = keys.iter().map(MessageKey::secret).collect();
        assert_eq!(secrets.len(), keys.len());
        assert!(keys.iter().take(4).all(|key| key.id() == content.id()));
        assert_ne!(keys.last().map(MessageKey::id), Some(content.id()));
    }

    #[test]
    fn a_key_never_shows_in_debug() {
        let content = ContentKey::new([0xAB; 32]);
        let message = content.for_sender(&[3; 32], &NodeId::new([1; 32]), Instance(1));
        for secret in [content.expose(), message.secret()] {
            let shown = format!("{content:?} {message:?} {content:#?} {message:#?}").to_lowercase();
            let hex: String = secret.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
            let decimal: Vec<String> = secret.iter().take(3).map(u8::to_string).collect();
            assert!(!shown.contains(&hex), "{shown}");
            assert!(!shown.contains(&decimal.join(", ")), "{shown}");
        }
    }
}

//! Ids: what names a node, a group, a message, and the few numbers that travel with them.
//!
//! Every id is a newtype; the bytes of a key-shaped id are an Ed25519 public key (RFC 8032). An id made from bytes is
//! only a name: whether the key is usable is decided where a signature is verified. The text form is in `text.rs`.

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Wraps raw bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "("))?;
                for byte in self.0.iter().take(6) {
                    write!(f, "{byte:02x}")?;
                }
                f.write_str("..)")
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}

bytes_id!(
    /// The Ed25519 public key of a node, device or service.
    NodeId, 32
);
bytes_id!(
    /// The Ed25519 public key of a group.
    GroupId, 32
);
bytes_id!(
    /// The Ed25519 public key of a service, which names the nodes that serve it.
    ServiceId, 32
);
bytes_id!(
    /// The name of a message: BLAKE3 derive-key over its header bytes, never over the signature.
    MessageId, 32
);
bytes_id!(
    /// The name of a capability: BLAKE3 derive-key over its body.
    CapabilitySerial, 32
);
bytes_id!(
    /// What a floor record takes back: a capability by its serial, a subject, or everyone an invite let in.
    RevocationId, 32
);
bytes_id!(
    /// The name under which members of a group meet on a foreign network on one day; who knows the group can compute it.
    Rendezvous, 32
);
bytes_id!(
    /// The name of a join request or a locate: BLAKE3 derive-key over its body.
    RequestId, 32
);
bytes_id!(
    /// The name of a capability chain: BLAKE3 derive-key over the serials of its links.
    ChainHash, 32
);
bytes_id!(
    /// BLAKE3 of a message's payload as it travels.
    PayloadHash, 32
);
bytes_id!(
    /// An 8-byte keyed hash of a [`MessageId`]; the key is drawn per link.
    ShortId, 8
);
bytes_id!(
    /// The first 8 bytes of the derive-key hash of a content key.
    ContentKeyId, 8
);

/// One run of one process under one key: start time in seconds (high 32 bits) and a random number (low 32 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(pub u64);

impl Instance {
    /// Builds an instance from the process's start time in Unix seconds and a random number.
    #[must_use]
    pub const fn new(start_seconds: u32, random: u32) -> Self {
        Self(((start_seconds as u64) << 32) | random as u64)
    }
}

/// The number of a message of one sender instance to one destination: 1, 2, 3 and so on without a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Wall-clock time in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallMillis(pub u64);

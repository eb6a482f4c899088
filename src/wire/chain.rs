//! A chain: one to three capabilities from the group key down to a subject.
//!
//! A chain that parses is whole: each link is issued by the subject above it and grants nothing its issuer does not have.
//! Signatures are checked by [`Chain::verify`], or link by link by whoever has a pool; life, epoch and revocation are
//! judged by the core.

use crate::capability::{Capability, CapabilityError, CapabilityFields};
use crate::cbor::{CborError, Reader, Writer};
use crate::hash::context;
use crate::limits::{CAPABILITY_MAX, CHAIN_LINKS_MAX};
use crate::{ChainHash, Crypto, GroupId, NodeId, Rights, WallMillis};

/// Longest encoded chain in bytes: three capabilities, each in a byte string, in one array.
pub(crate) const CHAIN_MAX: usize = CHAIN_LINKS_MAX * (CAPABILITY_MAX + 3) + 1;

/// Why a chain was refused; whoever put it together is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Not a canonical array of 1 to 3 byte strings.
    #[error("chain: {0}")]
    Cbor(#[from] CborError),
    /// A link is not a capability.
    #[error("chain: {0}")]
    Capability(#[from] CapabilityError),
    /// No link, or more than three.
    #[error("chain does not have 1 to 3 links")]
    Links,
    /// The first link is not issued by the group key.
    #[error("chain does not start at the group key")]
    Root,
    /// A link is for another group than the first.
    #[error("chain mixes groups")]
    Group,
    /// A link is not issued by the subject above it.
    #[error("a link is not issued by the subject above it")]
    Issuer,
    /// A link is issued by a subject that may neither admit nor renew, and it is more than a delegation to a device.
    #[error("a link that is more than a device's is issued by a subject that may neither admit nor renew")]
    MayNotIssue,
    /// A link grants rights its issuer does not have.
    #[error("a link widens the rights above it")]
    Rights,
    /// A link's life is not within the life above it.
    #[error("a link outlives the one above it")]
    Times,
    /// A link's depth is not below the depth above it.
    #[error("a link lies deeper than the one above it allows")]
    Depth,
    /// A link's epoch is before the epoch above it.
    #[error("a link's epoch is before the one above it")]
    Epoch,
    /// A link's rate class is above the class above it.
    #[error("a link raises the rate class above it")]
    RateClass,
}

/// A chain whose links fit together, root first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    leaf: Capability,
    above: Vec<Capability>,
    hash: ChainHash,
}

impl Chain {
    /// Joins links, root first.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn new(mut links: Vec<Capability>) -> Result<Self, ChainError> {
        if links.len() > CHAIN_LINKS_MAX {
            return Err(ChainError::Links);
        }
        check_links(&links)?;
        let hash = hash_of(&links);
        let leaf = links.pop().ok_or(ChainError::Links)?;
        Ok(Self { leaf, above: links, hash })
    }

    /// This chain with one more link below it.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn extend(&self, link: Capability) -> Result<Self, ChainError> {
        Self::new(self.links().cloned().chain([link]).collect())
    }

    /// Reads a chain; signatures are not checked yet.
    ///
    /// # Errors
    /// The first thing that is not as the format has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ChainError> {
        let mut reader = Reader::new(bytes);
        let chain = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(chain)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ChainError> {
        let count = reader.array_within(1, CHAIN_LINKS_MAX)?;
        let mut links = Vec::with_capacity(count);
        for _ in 0..count {
            links.push(Capability::parse(reader.bytes()?)?);
        }
        Self::new(links)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(self.above.len().saturating_add(1));
        for link in self.links() {
            w.bytes(link.bytes());
        }
    }

    /// The chain as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(CHAIN_MAX);
        self.write(&mut w);
        w.into_bytes()
    }

    /// Its name: a hash of its serials.
    #[must_use]
    pub const fn hash(&self) -> ChainHash {
        self.hash
    }

    /// The group.
    #[must_use]
    pub const fn group(&self) -> GroupId {
        self.leaf.fields().group
    }

    /// Whom the last link is for.
    #[must_use]
    pub const fn subject(&self) -> NodeId {
        self.leaf.fields().subject
    }

    /// What the subject may: the last link's rights, which all links above it have too.
    #[must_use]
    pub const fn rights(&self) -> Rights {
        self.leaf.fields().rights
    }

    /// The last link.
    #[must_use]
    pub const fn leaf(&self) -> &Capability {
        &self.leaf
    }

    /// The links, root first.
    pub fn links(&self) -> impl DoubleEndedIterator<Item = &Capability> {
        self.above.iter().chain([&self.leaf])
    }

    /// How many links it has, 1 to 3.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.above.len().saturating_add(1)
    }

    /// The lowest epoch of its links: the root's.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.above.first().unwrap_or(&self.leaf).fields().epoch
    }

    /// Whether `time` lies in the life of every link.
    #[must_use]
    pub fn covers(&self, time: WallMillis) -> bool {
        self.leaf.covers(time)
    }

    /// Whether every link is signed by its issuer.
    #[must_use]
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        self.links().all(|link| link.verify(crypto))
    }
}

fn hash_of(links: &[Capability]) -> ChainHash {
    let mut hasher = blake3::Hasher::new_derive_key(context::CHAIN);
    for link in links {
        hasher.update(link.serial().as_bytes());
    }
    ChainHash::new(hasher.finalize().into())
}

fn check_links(links: &[Capability]) -> Result<(), ChainError> {
    let root = links.first().ok_or(ChainError::Links)?.fields();
    if root.issuer.as_bytes() != root.group.as_bytes() {
        return Err(ChainError::Root);
    }
    links.iter().zip(links.iter().skip(1)).try_for_each(|(above, below)| check_step(above, below))
}

/// Whether a link only lets a device do its owner's own work: it can pass nothing on and decide nothing for the group.
fn is_delegation(link: &CapabilityFields) -> bool {
    const DEVICE: Rights = Rights::PUBLISH.with(Rights::SUBSCRIBE).with(Rights::RELAY).with(Rights::BRIDGE);
    link.depth_left == 0 && DEVICE.contains(link.rights)
}

fn check_step(above: &Capability, below: &Capability) -> Result<(), ChainError> {
    let (above, below) = (above.fields(), below.fields());
    if below.group != above.group {
        Err(ChainError::Group)
    } else if below.issuer != above.subject {
        Err(ChainError::Issuer)
    } else if above.rights.common(Rights::ADMIT | Rights::RENEW).is_empty() && !is_delegation(below) {
        Err(ChainError::MayNotIssue)
    } else if !above.rights.contains(below.rights) {
        Err(ChainError::Rights)
    } else if below.not_before < above.not_before || below.not_after > above.not_after {
        Err(ChainError::Times)
    } else if below.depth_left >= above.depth_left {
        Err(ChainError::Depth)
    } else if below.epoch < above.epoch {
        Err(ChainError::Epoch)
    } else if below.rate_class > above.rate_class {
        Err(ChainError::RateClass)
    } else {
        Ok(())
    }
}

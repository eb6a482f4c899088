//! Bit sets: rights of a capability, roles of a node, features of a link.
//!
//! Rights decide, so an unknown right is refused; roles and features only inform, so unknown bits are dropped when read
//! (what was signed keeps them, since objects are verified over the bytes as received).

macro_rules! bit_set {
    ($(#[$doc:meta])* $name:ident($int:ty) { $($(#[$bdoc:meta])* $bit:ident = $value:literal $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name($int);

        impl $name {
            /// The empty set.
            pub const NONE: Self = Self(0);
            $($(#[$bdoc])* pub const $bit: Self = Self($value);)+
            /// Every bit this version knows.
            pub const ALL: Self = Self($($value)|+);

            /// The set with exactly these bits; `None` when one of them is unknown.
            #[must_use]
            pub const fn from_bits(bits: u64) -> Option<Self> {
                if bits & !(Self::ALL.0 as u64) == 0 { Some(Self(bits as $int)) } else { None }
            }

            /// The set with those of these bits that are known.
            #[must_use]
            pub const fn from_known_bits(bits: u64) -> Self {
                Self((bits & Self::ALL.0 as u64) as $int)
            }

            /// The bits as they travel.
            #[must_use]
            pub const fn bits(self) -> u64 {
                self.0 as u64
            }

            /// Whether all of `other` is in this set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// This set and `other` together.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// This set without `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// What both sets have.
            #[must_use]
            pub const fn common(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// Whether nothing is in it.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// The single bit with this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$bit),)+ _ => None }
            }

            /// The words of the bits in it, in order of bit.
            pub fn words(self) -> impl Iterator<Item = &'static str> {
                [$((Self::$bit, $word)),+].into_iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, word)| word)
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_set().entries(self.words()).finish()
            }
        }
    };
}

bit_set!(
    /// What a capability allows its subject to do in its group.
    Rights(u8) {
        /// Publish messages.
        PUBLISH = 1 "publish",
        /// Have messages forwarded to it.
        SUBSCRIBE = 2 "subscribe",
        /// Carry the group's messages without being a member.
        RELAY = 4 "relay",
        /// Issue capabilities to new subjects.
        ADMIT = 8 "admit",
        /// Re-issue capabilities that run out.
        RENEW = 16 "renew",
        /// Sign floor records.
        REVOKE = 32 "revoke",
        /// Speak for people of other networks.
        BRIDGE = 64 "bridge",
    }
);
bit_set!(
    /// What a node does for others.
    Roles(u8) {
        /// Always on: keeps messages for edges.
        CORE = 1 "core",
        /// Comes and goes.
        EDGE = 2 "edge",
        /// Carries circuits for others.
        RELAY = 4 "relay",
    }
);
bit_set!(
    /// What the sender of a hello can do beyond the frames every node knows.
    Features(u64) {
        /// Takes messages by datagram where the link has datagrams.
        DATAGRAMS = 1 "datagrams",
    }
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn unknown_rights_are_refused_and_unknown_roles_dropped() {
        assert_eq!(Rights::from_bits(127), Some(Rights::ALL));
        assert_eq!(Rights::from_bits(128), None);
        assert_eq!(Rights::from_bits(1 << 40), None);
        assert_eq!(Roles::from_known_bits((1 << 40) | 5), Roles::CORE | Roles::RELAY);
    }

    #[test]
    fn a_set_is_made_of_its_words() {
        let rights = Rights::PUBLISH | Rights::REVOKE;
        assert_eq!(rights.words().collect::<Vec<_>>(), ["publish", "revoke"]);
        assert_eq!(Rights::from_word("revoke"), Some(Rights::REVOKE));
        assert!(Rights::ALL.contains(rights) && !rights.contains(Rights::ALL));
        assert_eq!(rights.without(Rights::PUBLISH), Rights::REVOKE);
        assert_eq!(format!("{rights:?}"), r#"{"publish", "revoke"}"#);
    }
}

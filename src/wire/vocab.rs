//! The closed words that several formats and every room share.
//!
//! Each enum has the number it has on the wire and the word it has in text; an unknown number or word is refused.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $number),+ }

        impl $name {
            /// Every value, in wire order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The value with this wire number.
            #[must_use]
            pub const fn from_number(number: u64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// The word in text and JSON.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value with this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words!(
    /// What a message's `to` is: the design's numbers.
    Kind {
        /// To a node or service.
        Unicast = 0 "unicast",
        /// To a group.
        Multicast = 1 "multicast",
    }
);
words!(
    /// How urgent a message is, and which lane carries it.
    Class {
        /// The overlay's own business.
        Control = 0 "control",
        /// People are waiting.
        Urgent = 1 "urgent",
        /// The default.
        Normal = 2 "normal",
        /// Files and synchronisation.
        Bulk = 3 "bulk",
        /// Worthless when late: by datagram where the link has them.
        Realtime = 4 "realtime",
    }
);
words!(
    /// The lanes of a link; frames of one lane keep their order, lanes are interleaved by priority.
    Lane {
        /// Frames about the link itself.
        Control = 0 "control",
        /// Messages of class urgent and, without datagrams, realtime.
        Urgent = 1 "urgent",
        /// Messages of class normal.
        Normal = 2 "normal",
        /// Messages of class bulk.
        Bulk = 3 "bulk",
    }
);
words!(
    /// The order in which a receiver sees a sender's messages.
    Order {
        /// As they come.
        None = 0 "none",
        /// As the sender sent them.
        Fifo = 1 "fifo",
        /// After everything the sender had seen.
        Causal = 2 "causal",
    }
);
words!(
    /// How a payload is laid out.
    Codec {
        /// 1 to 256 entries in the clear.
        Entries = 1 "entries",
        /// One nested message.
        Nested = 2 "nested",
        /// The manifest of a large blob.
        Manifest = 3 "manifest",
        /// Another codec's payload under an AEAD.
        Sealed = 4 "sealed",
    }
);
words!(
    /// Who may publish to a group.
    Policy {
        /// Only the group key signs.
        Keyholder = 0 "keyholder",
        /// Everyone.
        Open = 1 "open",
        /// Holders of a capability chain.
        Capability = 2 "capability",
    }
);
words!(
    /// Why a side closes a link. 8 is kept free.
    CloseCode {
        /// The node stops or restarts.
        GoingDown = 1 "going-down",
        /// Another link to the same instance stays.
        Duplicate = 2 "duplicate",
        /// The peer broke the protocol.
        Protocol = 3 "protocol",
        /// The node has more to do than it can.
        Overload = 4 "overload",
        /// The peer is not allowed here.
        Denied = 5 "denied",
        /// No version in common.
        Version = 6 "version",
        /// The peer is this node.
        SelfLink = 7 "self",
        /// Nothing was heard for too long.
        Idle = 9 "idle",
    }
);
words!(
    /// The network a link crosses.
    Network {
        /// TLS/IP.
        Tls = 0 "tls",
        /// libp2p.
        Libp2p = 1 "libp2p",
        /// Yggdrasil.
        Yggdrasil = 2 "yggdrasil",
        /// cjdns.
        Cjdns = 3 "cjdns",
        /// A circuit through a common peer.
        Relay = 4 "relay",
        /// Within one process.
        Memory = 5 "memory",
    }
);
words!(
    /// How a network that this node is attached to stands.
    NetworkState {
        /// The host node is being looked for.
        Starting = 0 "starting",
        /// Attached; links can be made and taken.
        Up = 1 "up",
        /// Links can be made, with less than the host node could give.
        Degraded = 2 "degraded",
        /// No link can be made.
        Down = 3 "down",
    }
);
words!(
    /// Why a network is not simply up. Each word is also a code with a next step.
    NetworkReason {
        /// No admin socket of the host node was found.
        NoAdmin = 0 "no-admin",
        /// The system or the host node refused access to the admin socket.
        AdminDenied = 1 "admin-denied",
        /// The admin password is wrong.
        WrongPassword = 2 "wrong-password",
        /// What answers at the admin socket does not speak as the host node does.
        AdminGarbled = 3 "admin-garbled",
        /// The host node at the admin socket has no address on this machine.
        NotThisMachine = 4 "not-this-machine",
        /// The host node runs without an interface, so no program can use its network.
        NoInterface = 5 "no-interface",
        /// The host node, or its address, is gone and awaited.
        AddressGone = 6 "address-gone",
        /// The host node has no peers.
        NoPeers = 7 "no-peers",
        /// The host node's peers speak another version of its network.
        VersionMismatch = 8 "version-mismatch",
        /// The host node does not answer.
        HostUnreachable = 9 "host-unreachable",
        /// Another program has the port on the host node's address.
        PortTaken = 10 "port-taken",
        /// The system does not let this node have the port on the host node's address.
        PortDenied = 11 "port-denied",
    }
);
words!(
    /// Why the other end of a fresh connection was refused before its hello. Each word is also a code with a next step.
    PeerFault {
        /// Its address does not belong to the host node's key that it claims.
        AddressNotOwned = 0 "address-not-owned",
        /// It shows an attestation or NodeInfo that was made for another node.
        AttestationForeign = 1 "attestation-foreign",
        /// A signature of its attestation or NodeInfo does not hold.
        AttestationForged = 2 "attestation-forged",
        /// Its attestation or NodeInfo is not valid now.
        AttestationExpired = 3 "attestation-expired",
        /// Its address is one of a host node's subnet, and it shows no attestation of that host node.
        AttestationMissing = 4 "attestation-missing",
        /// It does not finish the handshake as it should.
        HandshakeBroken = 5 "handshake-broken",
    }
);
words!(
    /// The first part of a locator: which transport dials it.
    Scheme {
        /// `tls://host:port`
        Tls = 0 "tls",
        /// `quic://host:port`
        Quic = 1 "quic",
        /// `ygg://[addr]:port`
        Ygg = 2 "ygg",
        /// `cjdns://[addr]:port`
        Cjdns = 3 "cjdns",
        /// `libp2p:/multiaddr`
        Libp2p = 4 "libp2p",
        /// `relay:NODEID/NODEID`
        Relay = 5 "relay",
        /// `memory:name`, tests only
        Memory = 6 "memory",
    }
);
words!(
    /// What became of something published or sent.
    State {
        /// In this daemon's memory.
        Accepted = 0 "accepted",
        /// Acknowledged by next hops; not durable.
        Sent = 1 "sent",
        /// On the disks of cores.
        Stored = 2 "stored",
        /// Acknowledged by the receiving application.
        Delivered = 3 "delivered",
        /// Its time ran out.
        Expired = 4 "expired",
        /// A node said no.
        Refused = 5 "refused",
        /// Given up, with a code.
        Dropped = 6 "dropped",
    }
);
words!(
    /// How a link reaches its peer.
    PathKind {
        /// Straight to an address of the peer.
        Direct = 0 "direct",
        /// Through a port mapping.
        Mapped = 1 "mapped",
        /// Through a punched hole.
        Punched = 2 "punched",
        /// Through a relay.
        Relayed = 3 "relayed",
    }
);
words!(
    /// Why a link has the path it has.
    PathReason {
        /// Same local network or same machine.
        Lan = 0 "lan",
        /// A key-addressed network carries it.
        Overlay = 1 "overlay",
        /// A public IPv6 address answered.
        PublicV6 = 2 "public-v6",
        /// A public IPv4 address answered.
        PublicV4 = 3 "public-v4",
        /// The peer was asked to dial back.
        Reverse = 4 "reverse",
        /// A port mapping answered.
        Mapped = 5 "mapped",
        /// Hole punching worked.
        Punched = 6 "punched",
        /// Only a relay is allowed.
        RelayOnly = 7 "relay-only",
        /// Hole punching failed.
        PunchFailed = 8 "punch-failed",
        /// Policy forbids a direct path.
        Policy = 9 "policy",
    }
);

words!(
    /// Why a next hop did not take a message. A number that a later version added reads as `Other`.
    RefuseCode {
        /// A reason this version has no word for.
        Other = 0 "other",
        /// The hop does not serve the destination.
        UnknownTo = 1 "unknown-to",
        /// Its time is outside what the hop takes, or its life is over.
        Time = 2 "time",
        /// The group's policy does not let the sender publish.
        NotAllowed = 3 "not-allowed",
        /// A queue, quota or table of the hop is full.
        Full = 4 "full",
        /// The number was used before, or lies too far back.
        Replayed = 5 "replayed",
        /// A signature or hash does not hold.
        Invalid = 6 "invalid",
        /// The hop's store failed.
        Store = 7 "store",
        /// The capability chain that the message names is not known to the hop.
        NoChain = 8 "no-chain",
        /// The sender sends more than its rate class allows.
        Rate = 9 "rate",
    }
);
words!(
    /// What a join request asks for.
    Purpose {
        /// To be let in.
        Join = 0 "join",
        /// A new life for a capability that runs out.
        Renew = 1 "renew",
        /// The group's current content key.
        Key = 2 "key",
    }
);
words!(
    /// Why a join request was not granted.
    GrantRefusal {
        /// The invite is not known where it was shown.
        UnknownInvite = 1 "unknown-invite",
        /// The invite has let in as many as it may.
        UsedUp = 2 "used-up",
        /// The invite or the chain has run out.
        Expired = 3 "expired",
        /// The invite, the asker or the chain was revoked.
        Revoked = 4 "revoked",
        /// The asker has no right to what it asks for.
        NotAllowed = 5 "not-allowed",
    }
);

impl Class {
    /// The lane that carries this class on a link without datagrams.
    #[must_use]
    pub const fn lane(self) -> Lane {
        match self {
            Self::Control => Lane::Control,
            Self::Urgent | Self::Realtime => Lane::Urgent,
            Self::Normal => Lane::Normal,
            Self::Bulk => Lane::Bulk,
        }
    }
}

impl Scheme {
    /// The network this scheme's links cross.
    #[must_use]
    pub const fn network(self) -> Network {
        match self {
            Self::Tls | Self::Quic => Network::Tls,
            Self::Ygg => Network::Yggdrasil,
            Self::Cjdns => Network::Cjdns,
            Self::Libp2p => Network::Libp2p,
            Self::Relay => Network::Relay,
            Self::Memory => Network::Memory,
        }
    }
}

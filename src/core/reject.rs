//! Bad input never fails the machine: it becomes a counted [`Reject`] that names who misbehaved and how.

use std::collections::BTreeMap;

macro_rules! rejects {
    ($($(#[$doc:meta])* $variant:ident = $word:literal $blame:ident),+ $(,)?) => {
        /// Why input from a link was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reject { $($(#[$doc])* $variant),+ }

        impl Reject {
            /// Every reject.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in status, logs and metrics.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Who is to blame.
            #[must_use]
            pub const fn blame(self) -> Blame {
                match self { $(Self::$variant => Blame::$blame),+ }
            }
        }
    };
}

/// Who is to blame for refused input. Only what is provable is blamed; views of time and rights may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// The link it came over: it sent what no correct node forwards.
    Link,
    /// Nobody provably.
    Nobody,
}

rejects! {
    /// The frame's body is not what its type says, or not canonical.
    Malformed = "malformed" Link,
    /// An unknown critical frame type.
    UnknownFrame = "unknown-frame" Link,
    /// The format's version is not one this node speaks.
    Version = "version" Nobody,
    /// A frame that has no place at this point of the link's life.
    OutOfPlace = "out-of-place" Link,
    /// The hello does not match the channel or this node.
    BadHello = "bad-hello" Link,
    /// The hello's proof does not hold.
    BadProof = "bad-proof" Link,
    /// More data than was granted.
    OverCredit = "over-credit" Link,
    /// An acknowledgement or credit that goes back or beyond what was sent.
    BadAck = "bad-ack" Link,
    /// A message on another lane than its class has.
    WrongLane = "wrong-lane" Link,
    /// To a destination this node does not serve.
    UnknownTo = "unknown-to" Nobody,
    /// Sent too long ago.
    TooOld = "too-old" Nobody,
    /// From the future.
    TooNew = "too-new" Nobody,
    /// Its life is over.
    Expired = "expired" Nobody,
    /// Already here; the ordinary duplicate of a mesh.
    Duplicate = "duplicate" Nobody,
    /// Another message has that number, or it is below the window.
    Replayed = "replayed" Nobody,
    /// Too many senders or instances at once.
    WindowsFull = "windows-full" Nobody,
    /// The policy does not let this sender publish.
    NotAllowed = "not-allowed" Nobody,
    /// It names a capability chain that has not come.
    NoChain = "no-chain" Nobody,
    /// Too much is under verification for this link.
    OverRate = "over-rate" Nobody,
    /// The budget of its sender, or of where it comes from, is used up for now.
    Rate = "rate" Nobody,
    /// A link from where too much came that was provably wrong.
    PrefixWaits = "prefix-waits" Nobody,
    /// A signature does not hold.
    BadSignature = "bad-signature" Link,
    /// The payload is not what the header says.
    BadPayload = "bad-payload" Link,
    /// The payload cannot be opened or read.
    Unreadable = "unreadable" Nobody,
    /// A floor record older than the one held.
    OldFloor = "old-floor" Nobody,
    /// A floor record that does not hold.
    BadFloor = "bad-floor" Link,
    /// More subscriptions than a link may have.
    SubscriptionsFull = "subscriptions-full" Nobody,
    /// The inbox is full.
    InboxFull = "inbox-full" Nobody,
    /// The store refused it.
    StoreFailed = "store-failed" Nobody,
    /// It has crossed as many links as it may.
    TooFar = "too-far" Nobody,
    /// A stranger has left as much as it may for the day.
    StrangerRate = "stranger-rate" Nobody,
    /// The box for strangers is full, or the share of the neighbour it came through.
    RequestsFull = "requests-full" Nobody,
    /// A neighbour asks this node to pass on or to look for more than its share.
    LinkRate = "link-rate" Nobody,
    /// Too much waits to be put on a carrier.
    CarrierFull = "carrier-full" Nobody,
    /// Too much waits to be passed on.
    TransitFull = "transit-full" Nobody,
}

/// How often each reject happened, over all links.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rejects {
    counts: BTreeMap<Reject, u64>,
}

impl Rejects {
    pub(crate) fn count(&mut self, reject: Reject) {
        let count = self.counts.entry(reject).or_default();
        *count = count.saturating_add(1);
    }

    pub(crate) fn words(&self) -> Vec<(&'static str, u64)> {
        self.counts.iter().map(|(reject, count)| (reject.word(), *count)).collect()
    }
}

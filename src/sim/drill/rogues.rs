//! What somebody without the right to it says all the same: chains and messages as a thief or a forger would make them.

use bytes::Bytes;
use crosscast_core::Command;
use crosscast_wire::{
    Capability, CapabilityFields, Chain, ChainHash, Class, Codec, Destination, Entry, GroupId, HeaderDraft, Hop, Lane,
    NodeId, Order, RawFrame, RevocationId, Rights, RustCrypto, SecretKey, Seq, WallMillis, encode_entries, frame,
};

use super::book::Forbidden;
use super::stage::Stage;
use crate::rogue::instruction;
use crate::world::HostId;

/// How long what a rogue says may be kept.
const LIFE_MS: u64 = 600_000;
/// How long a capability has been valid when it is shown first.
const BEFORE_MS: u64 = 3_600_000;
/// 30 days.
const AFTER_MS: u64 = 30 * 24 * 3_600_000;

/// Why nobody may listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pretext {
    /// It names no chain.
    Nothing,
    /// It names a chain that nobody has.
    Unknown,
    /// Its chain ran out a second ago.
    Expired,
    /// Its chain lets it read.
    OnlyReads,
    /// Its chain is of another group.
    Foreign,
    /// The chain is somebody else's.
    Anothers,
    /// The chain holds until it is revoked.
    Own,
}

impl Pretext {
    /// Those that never hold.
    pub(super) const FALSE: [Self; 6] =
        [Self::Nothing, Self::Unknown, Self::Expired, Self::OnlyReads, Self::Foreign, Self::Anothers];
}

impl Stage {
    /// A capability of one link, signed with a group's key.
    pub(super) fn chain(&self, group: GroupId, subject: NodeId, rights: Rights, not_after: u64) -> Option<Chain> {
        let secret: &SecretKey = self.book.secrets.get(&group)?;
        let fields = CapabilityFields {
            group,
            subject,
            rights,
            not_before: WallMillis(not_after.saturating_sub(AFTER_MS.saturating_add(BEFORE_MS))),
            not_after: WallMillis(not_after),
            epoch: 0,
            rate_class: 7,
            depth_left: 0,
            issuer: NodeId::new(*group.as_bytes()),
            invite: None,
        };
        Chain::new(vec![Capability::issue(fields, &RustCrypto, secret).ok()?]).ok()
    }

    /// Lets a rogue say something to the group on a pretext.
    pub(super) fn pretend(&mut self, rogue: HostId, pretext: Pretext, foreign: GroupId, seq: u64) {
        let Some(group) = self.book.group else { return };
        let wall = self.world.wall_ms(rogue);
        let (me, other) = (self.node(rogue), self.node(HostId(0)));
        let both = Rights::PUBLISH | Rights::SUBSCRIBE;
        let later = wall.saturating_add(AFTER_MS);
        let chain = match pretext {
            Pretext::Nothing | Pretext::Unknown => None,
            Pretext::Expired => self.chain(group, me, both, wall.saturating_sub(1_000)),
            Pretext::OnlyReads => self.chain(group, me, Rights::SUBSCRIBE, later),
            Pretext::Foreign => self.chain(foreign, me, both, later),
            Pretext::Anothers => self.chain(group, other, both, later),
            // The same one every time.
            Pretext::Own => self.chain(group, me, both, crate::WALL_BEGIN_MS.saturating_add(AFTER_MS)),
        };
        let named = match (pretext, &chain) {
            (Pretext::Unknown, _) => Some(ChainHash::new([0x77; 32])),
            (_, chain) => chain.as_ref().map(Chain::hash),
        };
        if let Some(chain) = &chain {
            self.speak(rogue, &frame::chain(chain));
        }
        let draft = HeaderDraft {
            to: Destination::Multicast(group),
            from: me,
            instance: self.world.instance(rogue).unwrap_or(crosscast_wire::Instance(1)),
            seq: Seq(seq),
            time: WallMillis(wall),
            expires: WallMillis(wall.saturating_add(LIFE_MS)),
            class: Class::Normal,
            order: Order::None,
            deps: Vec::new(),
            chain: named,
            recipients: Vec::new(),
            codec: Codec::Entries,
            count: 1,
        };
        let entry = Entry::new(Bytes::from_static(b"let me in"));
        let Ok(payload) = encode_entries(&[entry]) else { return };
        let Ok(message) = draft.sign(&RustCrypto, &self.secret(rogue), &payload) else { return };
        let forbidden = match pretext {
            Pretext::Own => Forbidden::OnceRevoked(RevocationId::of_subject(&me)),
            Pretext::Nothing
            | Pretext::Unknown
            | Pretext::Expired
            | Pretext::OnlyReads
            | Pretext::Foreign
            | Pretext::Anothers => Forbidden::Always,
        };
        self.book.forbidden.insert(message.id(), forbidden);
        self.speak(rogue, &Hop::new(0, 0, 0).frame(message.bytes().clone(), Lane::Normal));
    }

    fn speak(&mut self, rogue: HostId, frame: &RawFrame) {
        let command = Command::Send { to: self.node(rogue), payload: instruction(frame), life_ms: None };
        self.post(rogue, command);
    }
}

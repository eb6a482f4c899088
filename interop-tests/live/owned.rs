//! A group of capabilities whose key the suite holds, and every pretext under which one without the right may publish.
//!
//! Since any chain and any floor can be signed for it, what daemons are shown is exactly what an expelled member, a thief
//! or a liar could show them: nothing is wrong with it but the right.

use anyhow::Result;
use bytes::Bytes;
use crosscast_wire::cbor::Writer;
use crosscast_wire::{
    Capability, CapabilityFields, Chain, ChainHash, Crypto as _, Domain, FloorFields, FloorRecord, FrameType, GroupId,
    Lane, NodeId, Policy, RawFrame, RevocationId, Rights, RustCrypto, SecretKey, Ticket, TicketFields, WallMillis,
    context, frame,
};

use crate::craft::{id, now, secret};

/// What is tried, in equal shares.
pub(crate) const KINDS: [Kind; 18] = [
    Kind::chain("no chain", "not-allowed"),
    Kind::chain("a chain that was never shown", "no-chain"),
    Kind::chain("expired", "not-allowed"),
    Kind::chain("not yet", "not-allowed"),
    Kind::chain("revoked subject", "not-allowed"),
    Kind::chain("revoked serial", "not-allowed"),
    Kind::chain("revoked invite", "not-allowed"),
    Kind::chain("an earlier epoch", "not-allowed"),
    Kind::chain("a foreign group's", "no-chain"),
    Kind::chain("another's, as seen on the way", "not-allowed"),
    Kind::chain("no right to publish", "not-allowed"),
    Kind { ends: Some("malformed"), ..Kind::chain("more than its issuer may give", "no-chain") },
    Kind { ends: Some("malformed"), ..Kind::chain("deeper than its issuer may give", "no-chain") },
    Kind { ends: Some("bad-floor"), ..Kind::chain("a floor that a stranger signed", "not-allowed") },
    Kind { ends: Some("bad-floor"), ..Kind::chain("a floor that its signer may not loosen", "not-allowed") },
    Kind::chain("a floor from the future", "not-allowed"),
    Kind::chain("an older floor that was open", "not-allowed"),
    Kind::chain("an older floor, from before the revocation", "not-allowed"),
];

/// How many of each kind of revocation there are: three times this is within what a floor record holds.
const REVOKED: u64 = 8;

/// One way to try.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The code with which the message is refused.
    pub(crate) code: &'static str,
    /// The word with which the link ends over which the pretext itself comes, when it does.
    pub(crate) ends: Option<&'static str>,
}

impl Kind {
    const fn chain(name: &'static str, code: &'static str) -> Self {
        Self { name, code, ends: None }
    }
}

/// Frames that are shown first, the chain that the message then names, and who signs it.
pub(crate) struct Pretext {
    pub(crate) frames: Vec<RawFrame>,
    pub(crate) chain: Option<ChainHash>,
    pub(crate) sender: SecretKey,
}

pub(crate) struct Owned {
    key: SecretKey,
    pub(crate) group: GroupId,
    start: WallMillis,
}

impl Owned {
    pub(crate) fn new(number: u64) -> Self {
        let key = secret(20, number);
        Self { group: GroupId::new(key.public()), key, start: now() }
    }

    fn floor_fields(&self, policy: Policy) -> FloorFields {
        FloorFields {
            group: self.group,
            number: self.start.0.saturating_sub(5_000),
            issued: WallMillis(self.start.0.saturating_sub(1_000)),
            valid_until: WallMillis(self.start.0.saturating_add(DAY_MS)),
            policy,
            lowest_epoch: 0,
            revoked: Vec::new(),
            content_key: None,
            signer: None,
        }
    }

    fn floor(&self, fields: FloorFields) -> Result<FloorRecord> {
        Ok(FloorRecord::issue(fields, &RustCrypto, &self.key)?)
    }

    /// The floor record that all join with.
    fn first_floor(&self) -> Result<FloorRecord> {
        self.floor(self.floor_fields(Policy::Capability))
    }

    /// The one that comes next: it revokes, and begins an epoch.
    pub(crate) fn next_floor(&self) -> Result<FloorRecord> {
        let mut fields = self.floor_fields(Policy::Capability);
        fields.number = fields.number.saturating_add(1);
        fields.lowest_epoch = EPOCH;
        for turn in 0..REVOKED {
            let serial = self.chain(self.rights(&secret(32, turn), MEMBER))?.leaf().serial();
            fields.revoked.push(RevocationId::of_subject(&id(&secret(31, turn))));
            fields.revoked.push(RevocationId::of_serial(serial));
            fields.revoked.push(RevocationId::of_invite(&secret(34, turn).public()));
        }
        fields.revoked.sort();
        self.floor(fields)
    }

    fn rights(&self, subject: &SecretKey, rights: Rights) -> CapabilityFields {
        CapabilityFields {
            group: self.group,
            subject: id(subject),
            rights,
            not_before: WallMillis(self.start.0.saturating_sub(120_000)),
            not_after: WallMillis(self.start.0.saturating_add(DAY_MS)),
            epoch: EPOCH,
            rate_class: 7,
            depth_left: 0,
            issuer: NodeId::new(*self.group.as_bytes()),
            invite: None,
        }
    }

    fn issue(&self, fields: CapabilityFields) -> Result<Capability> {
        Ok(Capability::issue(fields, &RustCrypto, &self.key)?)
    }

    fn chain(&self, fields: CapabilityFields) -> Result<Chain> {
        Ok(Chain::new(vec![self.issue(fields)?])?)
    }

    /// A chain with nothing wrong in it.
    pub(crate) fn entitled(&self, subject: &SecretKey, rights: Rights) -> Result<Chain> {
        self.chain(self.rights(subject, rights))
    }

    /// A ticket that lets one node in without anybody being asked.
    pub(crate) fn ticket(&self, number: u64, rights: Rights) -> Result<String> {
        let invite = secret(29, number);
        let chain = self.chain(CapabilityFields { depth_left: 1, ..self.rights(&invite, rights) })?;
        let fields = TicketFields {
            group: self.group,
            name: "owned".to_owned(),
            floor: self.first_floor()?,
            invite: Some(invite),
            content_key: None,
            allows: rights,
            locators: Vec::new(),
            invite_chain: Some(chain),
            invite_until: None,
        };
        Ok(Ticket::new(fields)?.to_text())
    }

    /// What is shown for one attempt; `seen` is a member's own chain, as anybody on the way can copy it.
    pub(crate) fn pretext(&self, kind: &Kind, turn: u64, seen: &Chain) -> Result<Pretext> {
        let sender = secret(30, turn % 16);
        let member = self.rights(&sender, MEMBER);
        let shown = |chain: Chain| Ok((vec![frame::chain(&chain)], Some(chain.hash())));
        let of = |key: &SecretKey| self.entitled(key, MEMBER);
        let (frames, chain) = match kind.name {
            "no chain" => (Vec::new(), None),
            "a chain that was never shown" => (Vec::new(), Some(of(&secret(35, turn))?.hash())),
            "expired" => {
                let not_after = WallMillis(self.start.0.saturating_sub(1));
                shown(self.chain(CapabilityFields { not_after, ..member })?)?
            }
            "not yet" => {
                let not_before = WallMillis(self.start.0.saturating_add(DAY_MS / 2));
                shown(self.chain(CapabilityFields { not_before, ..member })?)?
            }
            "revoked subject" => return revoked(31, turn, |key| shown(of(key)?)),
            "revoked serial" => return revoked(32, turn, |key| shown(of(key)?)),
            "revoked invite" => {
                let invite = Some(secret(34, turn % REVOKED).public());
                shown(self.chain(CapabilityFields { invite, ..member })?)?
            }
            "an earlier epoch" => shown(self.chain(CapabilityFields { epoch: EPOCH - 1, ..member })?)?,
            "a foreign group's" => shown(Self::new(1).entitled(&sender, MEMBER)?)?,
            "another's, as seen on the way" => shown(seen.clone())?,
            "no right to publish" => shown(self.entitled(&sender, Rights::SUBSCRIBE | Rights::RELAY)?)?,
            "more than its issuer may give" => {
                let rights = Rights::SUBSCRIBE | Rights::ADMIT;
                raw(&self.below(CapabilityFields { rights, depth_left: 1, ..member.clone() }, member)?)
            }
            "deeper than its issuer may give" => raw(&self.below(member.clone(), member)?),
            "an older floor, from before the revocation" => {
                let floor = frame::floor(&self.first_floor()?, None);
                return revoked(31, turn, |key| {
                    let (mut frames, chain) = shown(of(key)?)?;
                    frames.insert(0, floor);
                    Ok((frames, chain))
                });
            }
            floor => (vec![self.open_floor(floor)?], None),
        };
        Ok(Pretext { frames, chain, sender })
    }

    /// Two links: one of the group key for an issuer, and one of that issuer.
    fn below(&self, above: CapabilityFields, below: CapabilityFields) -> Result<[Capability; 2]> {
        let issuer = secret(36, 0);
        let above = self.issue(CapabilityFields { subject: id(&issuer), ..above })?;
        let below = CapabilityFields { issuer: id(&issuer), ..below };
        Ok([above, Capability::issue(below, &RustCrypto, &issuer)?])
    }

    /// A floor record under which anybody might publish.
    fn open_floor(&self, kind: &str) -> Result<RawFrame> {
        let mut open = self.floor_fields(Policy::Open);
        open.number = open.number.saturating_add(2);
        match kind {
            "a floor that a stranger signed" => {
                let body = FloorRecord::draft(&open)?;
                let wrong = RustCrypto.sign(&secret(37, 0), Domain::Floor, &body);
                let record = FloorRecord::parse(&[body, wrong.to_vec()].concat())?;
                Ok(frame::floor(&record, None))
            }
            "a floor that its signer may not loosen" => {
                // It has every right but the group key's own.
                let signer = secret(38, 0);
                let chain = self.entitled(&signer, Rights::ALL)?;
                let fields = FloorFields { signer: Some(id(&signer)), lowest_epoch: EPOCH, ..open };
                Ok(frame::floor(&FloorRecord::issue(fields, &RustCrypto, &signer)?, Some(&chain)))
            }
            "a floor from the future" => {
                let ahead = self.start.0.saturating_add(DAY_MS / 2);
                Ok(frame::floor(&self.floor(FloorFields { number: ahead, issued: WallMillis(ahead), ..open })?, None))
            }
            "an older floor that was open" => {
                let number = open.number.saturating_sub(3);
                Ok(frame::floor(&self.floor(FloorFields { number, ..open })?, None))
            }
            other => Err(anyhow::anyhow!("no such kind: {other}")),
        }
    }
}

/// What members may do.
const MEMBER: Rights = Rights::from_known_bits(Rights::PUBLISH.bits() | Rights::SUBSCRIBE.bits());
/// The epoch that the second floor record begins.
const EPOCH: u64 = 5;
const DAY_MS: u64 = 86_400_000;

type Shown = (Vec<RawFrame>, Option<ChainHash>);

/// Of one of those who were revoked.
fn revoked(kind: u8, turn: u64, show: impl FnOnce(&SecretKey) -> Result<Shown>) -> Result<Pretext> {
    let sender = secret(kind, turn % REVOKED);
    let (frames, chain) = show(&sender)?;
    Ok(Pretext { frames, chain, sender })
}

/// Links that no honest node would put together, and the name that such a chain would have.
fn raw(links: &[Capability]) -> Shown {
    let mut hasher = blake3::Hasher::new_derive_key(context::CHAIN);
    let mut w = Writer::with_capacity(2_048);
    w.array(links.len());
    for link in links {
        hasher.update(link.serial().as_bytes());
        w.bytes(link.bytes());
    }
    let frame = RawFrame::new(FrameType::CHAIN, Lane::Control, Bytes::from(w.into_bytes()));
    (vec![frame], Some(ChainHash::new(hasher.finalize().into())))
}

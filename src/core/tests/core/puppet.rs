//! A hand-moved peer: real hellos under its own key, from any address, and whatever frames a test wants.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code)]

use bytes::Bytes;
use crosscast_core::{Input, Reply};
use crosscast_port::{LinkId, LinkTraits, LinkUp, Report, Role};
use crosscast_wire::{
    Capability, CapabilityFields, Chain, Class, Codec, Destination, Entry, Features, FloorFields, FloorRecord, Frame,
    GroupId, HeaderDraft, Hello, HelloFields, Hop, Instance, Lane, Locator, Message, NodeId, Order, PathKind,
    PathReason, Policy, RawFrame, RefuseCode, Rights, Roles, RustCrypto, Scheme, SecretKey, Seq, Ticket, TicketFields,
    VersionRange, WallMillis, encode_entries, frame, hello,
};

use crate::common::Net;

/// A peer of one host.
pub(crate) struct Puppet {
    pub(crate) key: SecretKey,
    pub(crate) instance: Instance,
    pub(crate) host: usize,
    pub(crate) link: LinkId,
}

pub(crate) fn key(number: u64) -> SecretKey {
    let mut secret = [9; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    SecretKey::new(secret)
}

pub(crate) fn id(key: &SecretKey) -> NodeId {
    NodeId::new(key.public())
}

impl Puppet {
    /// Links to a host from an address, as one who dials.
    pub(crate) fn link(net: &mut Net, host: usize, number: u64, address: &str) -> Option<Self> {
        Self::link_as(net, host, key(number), address, Role::Listener)
    }

    /// `role` is the host's.
    pub(crate) fn link_as(net: &mut Net, host: usize, key: SecretKey, address: &str, role: Role) -> Option<Self> {
        Self::link_up(net, host, key, up(address, role, Bytes::from_static(b"binding")))
    }

    /// Over a link that its transport reports so.
    pub(crate) fn link_up(net: &mut Net, host: usize, key: SecretKey, up: LinkUp) -> Option<Self> {
        let (scheme, role, binding) = (up.scheme, up.role, up.binding.clone());
        let link = net.loose_link(host, up);
        let sent = net.loose.remove(&(host, link.0))?;
        let Ok(Frame::Hello(theirs)) = Frame::parse(&sent[0]) else { panic!("no hello") };
        let puppet = Self { key, instance: Instance::new(1_700_000_000, 9), host, link };
        let ours = puppet.hello(net.now.wall);
        let listener = role == Role::Dialer;
        let (mine, other) = (ours.body().as_ref(), theirs.body().as_ref());
        let transcript = if listener { hello::transcript(other, mine) } else { hello::transcript(mine, other) };
        let (own, peer) = (id(&puppet.key), theirs.fields().node);
        let bytes = hello::proof_bytes(scheme, listener, &binding, &own, &peer, &transcript);
        let proof = frame::proof(&hello::sign_proof(&RustCrypto, &puppet.key, &bytes));
        puppet.send(net, vec![frame::hello(&ours), proof]);
        (!puppet.is_closed(net)).then_some(puppet)
    }

    fn hello(&self, wall: WallMillis) -> Hello {
        Hello::new(HelloFields {
            node: id(&self.key),
            versions: VersionRange::new(1, 1).unwrap(),
            nonce: [3; 32],
            features: Features::from_known_bits(0),
            max_message_bytes: 1 << 20,
            credit: [1 << 20; 3],
            roles: Roles::from_known_bits(1),
            instance: self.instance,
            wall,
            agent: "puppet".into(),
            peer_record: None,
            overlay: Vec::new(),
            attestations: Vec::new(),
            prekey: [5; 32],
            name: None,
        })
        .unwrap()
    }

    pub(crate) fn send(&self, net: &mut Net, frames: Vec<RawFrame>) {
        net.input(self.host, Input::Link(Report::Frames { link: self.link, frames }));
    }

    /// Brings messages, all at once.
    pub(crate) fn bring(&self, net: &mut Net, messages: &[Message]) {
        self.send(net, messages.iter().map(data).collect());
    }

    pub(crate) fn is_closed(&self, net: &Net) -> bool {
        net.closed.contains(&(self.host, self.link.0))
    }

    /// What came to it since the last time.
    pub(crate) fn taken(&self, net: &mut Net) -> Vec<Frame> {
        let frames = net.loose.remove(&(self.host, self.link.0)).unwrap_or_default();
        frames.iter().map(|frame| Frame::parse(frame).unwrap()).collect()
    }

    /// Answers the PINGs that came since the last time; what else came is dropped.
    pub(crate) fn answer(&self, net: &mut Net) {
        let token = |frame| if let Frame::Ping { token } = frame { Some(token) } else { None };
        let pongs: Vec<_> = self.taken(net).into_iter().filter_map(token).map(frame::pong).collect();
        if !pongs.is_empty() && !self.is_closed(net) {
            self.send(net, pongs);
        }
    }

    /// The codes of the refusals that came to it since the last time.
    pub(crate) fn refusals(&self, net: &mut Net) -> Vec<RefuseCode> {
        let code = |frame| if let Frame::Refuse { code, .. } = frame { Some(code) } else { None };
        self.taken(net).into_iter().filter_map(code).collect()
    }

    /// Takes part in a group: what the host has of it comes.
    pub(crate) fn join(&self, net: &mut Net, group: GroupId) {
        let mut frames = vec![frame::subscribe(&group, true, None)];
        frames.extend(frame::resume(&group, []));
        self.send(net, frames);
    }
}

pub(crate) fn up(address: &str, role: Role, binding: Bytes) -> LinkUp {
    LinkUp {
        scheme: Scheme::Tls,
        role,
        dial: None,
        locator: Locator::parse(&format!("tls://{address}:7700")).unwrap(),
        peer: None,
        binding,
        traits: LinkTraits::STREAM,
        path: PathKind::Direct,
        reason: PathReason::PublicV4,
        rendezvous: None,
    }
}

/// A message of a key to a group.
pub(crate) fn draft(key: &SecretKey, group: GroupId, seq: u64, now: WallMillis) -> HeaderDraft {
    HeaderDraft {
        to: Destination::Multicast(group),
        from: id(key),
        instance: Instance::new(1_700_000_000, 9),
        seq: Seq(seq),
        time: now,
        expires: WallMillis(now.0 + 600_000),
        class: Class::Normal,
        order: Order::None,
        deps: Vec::new(),
        chain: None,
        recipients: Vec::new(),
        codec: Codec::Entries,
        count: 1,
    }
}

pub(crate) fn payload(text: &str) -> Vec<u8> {
    encode_entries(&[Entry::new(Bytes::copy_from_slice(text.as_bytes()))]).unwrap()
}

pub(crate) fn message(key: &SecretKey, group: GroupId, seq: u64, now: WallMillis, text: &str) -> Message {
    draft(key, group, seq, now).sign(&RustCrypto, key, &payload(text)).unwrap()
}

/// The same header under another's signature.
pub(crate) fn forged(key: &SecretKey, group: GroupId, seq: u64, now: WallMillis) -> Message {
    draft(key, group, seq, now).sign(&RustCrypto, &SecretKey::new([0xee; 32]), &payload("forged")).unwrap()
}

pub(crate) fn data(message: &Message) -> RawFrame {
    let frame = Hop::new(0, 0, 0).frame(message.bytes().clone(), Lane::Normal);
    crate::common::received(&frame)
}

/// A group whose key the test holds: any chain and floor can be made for it.
pub(crate) struct Owned {
    pub(crate) key: SecretKey,
    pub(crate) group: GroupId,
}

impl Owned {
    pub(crate) fn new(number: u64) -> Self {
        let key = key(number);
        Self { group: GroupId::new(key.public()), key }
    }

    pub(crate) fn floor_fields(&self, policy: Policy, now: WallMillis) -> FloorFields {
        FloorFields {
            group: self.group,
            number: now.0 - 5_000,
            issued: WallMillis(now.0 - 1_000),
            valid_until: WallMillis(now.0 + 30 * 86_400_000),
            policy,
            lowest_epoch: 0,
            revoked: Vec::new(),
            content_key: None,
            signer: None,
        }
    }

    pub(crate) fn floor(&self, fields: FloorFields) -> FloorRecord {
        FloorRecord::issue(fields, &RustCrypto, &self.key).unwrap()
    }

    /// A host joins by a self-sufficient ticket with this floor.
    pub(crate) fn join(&self, net: &mut Net, host: usize, floor: FloorRecord) {
        self.join_as(net, host, floor, true);
    }

    /// As [`Owned::join`]; whether the ticket lets in as well as say.
    pub(crate) fn join_as(&self, net: &mut Net, host: usize, floor: FloorRecord, invited: bool) {
        let (invite, rights) = (key(77_000), Rights::PUBLISH | Rights::SUBSCRIBE);
        let chain = self.chain(CapabilityFields { depth_left: 1, ..self.rights(&invite, rights, net.now.wall) });
        let ticket = Ticket::new(TicketFields {
            group: self.group,
            name: "owned".into(),
            floor,
            invite: Some(invite).filter(|_| invited),
            content_key: None,
            allows: rights,
            locators: Vec::new(),
            invite_chain: Some(chain).filter(|_| invited),
            invite_until: None,
        })
        .unwrap();
        let name = Some(self.group.to_string().chars().take(32).collect());
        let command = crosscast_core::Command::JoinGroup { ticket: Box::new(ticket), name };
        let reply = net.command(host, command);
        assert!(matches!(reply, Some(Reply::Group { .. })), "{reply:?}");
    }

    pub(crate) fn rights(&self, subject: &SecretKey, rights: Rights, now: WallMillis) -> CapabilityFields {
        CapabilityFields {
            group: self.group,
            subject: id(subject),
            rights,
            not_before: WallMillis(now.0 - 120_000),
            not_after: WallMillis(now.0 + 30 * 86_400_000),
            epoch: 5,
            rate_class: 7,
            depth_left: 0,
            issuer: NodeId::new(*self.group.as_bytes()),
            invite: None,
        }
    }

    pub(crate) fn chain(&self, fields: CapabilityFields) -> Chain {
        Chain::new(vec![Capability::issue(fields, &RustCrypto, &self.key).unwrap()]).unwrap()
    }
}

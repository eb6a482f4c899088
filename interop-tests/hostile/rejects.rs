//! Each reject provoked on purpose: what a peer must do to be refused by that name.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_core::{Command, Reject};
use crosscast_wire::{
    ChainHash, Destination, Domain, FloorFields, FloorRecord, FrameType, GroupId, Hop, Instance, Lane, Locate,
    LocateFields, NodeId, Policy, RawFrame, RustCrypto, SecretKey, Ticket, TicketFields, WallMillis, frame,
};

use crate::attacker::{Attacker, data, header, payload, raw_data, signed};
use crate::victim::START;
use crate::{Chance, Victim};

/// A world in which everything can be provoked.
struct Scene {
    victim: Victim,
    attacker: Attacker,
    chance: Chance,
    group: GroupId,
    closed: GroupId,
    rights: GroupId,
    fresh: u64,
    ticket: Ticket,
}

/// Provokes every reject `each` times and counts what the cores refused.
pub(crate) fn provoke_all(each: u64, seed: u64) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for reject in Reject::ALL {
        let mut scene = scene(seed ^ reject.word().len() as u64);
        // Some refusals begin only when a table or a quota is full.
        for _ in 0..each + 16 {
            scene.provoke(*reject);
        }
        let hits = scene.victim.rejects().get(reject.word()).copied().unwrap_or(0);
        counts.insert(reject.word(), hits);
    }
    counts
}

fn scene(seed: u64) -> Scene {
    let mut victim = Victim::new(1, 64 << 10);
    let (group, ticket) = victim.group("open", Policy::Open);
    let (closed, _) = victim.group("closed", Policy::Keyholder);
    let rights = victim.group_without_ticket("rights", Policy::Capability);
    Scene { victim, attacker: Attacker::new(seed ^ 5), chance: Chance(seed), group, closed, rights, fresh: 0, ticket }
}

impl Scene {
    fn provoke(&mut self, reject: Reject) {
        match reject {
            Reject::Malformed => self.control(FrameType::SUBSCRIBE, b"\xff"),
            Reject::UnknownFrame => self.control(FrameType(0x7f), b""),
            Reject::Version => self.future_version(),
            Reject::OutOfPlace => self.early_ping(),
            Reject::BadHello => self.hello_of_another(),
            Reject::BadProof => self.wrong_proof(),
            Reject::OverCredit => self.over_credit(),
            Reject::BadAck => self.send(frame::ack(&[(Lane::Normal, u64::MAX)]).expect("a data lane")),
            Reject::WrongLane => self.wrong_lane(),
            Reject::UnknownTo => self.to(Destination::Multicast(GroupId::new([9; 32]))),
            Reject::TooOld => self.at(START - 3_600_000, START + 600_000),
            Reject::TooNew => self.at(START + 10_000_000, START + 10_600_000),
            Reject::Expired => self.at(self.victim.now.wall.0 - 60_000, self.victim.now.wall.0 - 1),
            Reject::Duplicate => self.twice(),
            Reject::Replayed => self.same_number(),
            Reject::WindowsFull => self.many_instances(),
            Reject::NotAllowed => self.to(Destination::Multicast(self.closed)),
            Reject::OverRate => self.many_copies(),
            Reject::NoChain => self.unknown_chain(),
            Reject::Rate => self.fresh_key(),
            Reject::PrefixWaits => self.link_of_a_bad_prefix(),
            Reject::BadSignature => self.bad_signature(),
            Reject::BadPayload => self.bad_payload(),
            Reject::Unreadable => self.unreadable(),
            Reject::OldFloor => self.old_floor(),
            Reject::BadFloor => self.forged_floor(),
            Reject::SubscriptionsFull => self.many_subscriptions(),
            Reject::InboxFull => self.full_inbox(),
            Reject::StoreFailed => self.failing_store(),
            Reject::TooFar => self.nine_links(),
            Reject::StrangerRate => self.to(Destination::Unicast(self.victim.id())),
            Reject::RequestsFull => self.many_strangers(),
            Reject::LinkRate => self.many_searches(),
            Reject::CarrierFull => self.much_to_carry(),
            Reject::TransitFull => self.much_to_pass_on(),
        }
    }

    fn send(&mut self, frame: RawFrame) {
        let link = self.attacker.link(&mut self.victim);
        self.victim.frames(link, vec![frame]);
    }

    fn control(&mut self, frame_type: FrameType, body: &'static [u8]) {
        self.send(RawFrame::new(frame_type, Lane::Control, Bytes::from_static(body)));
    }

    fn to(&mut self, to: Destination) {
        let now = self.victim.now.wall;
        let draft = self.attacker.draft(to, now);
        let message = self.attacker.message(&draft, &payload(b"x"));
        self.send(data(&message));
    }

    fn at(&mut self, time: u64, expires: u64) {
        let mut draft = self.attacker.draft(Destination::Multicast(self.group), WallMillis(time));
        draft.expires = WallMillis(expires);
        let message = self.attacker.message(&draft, &payload(b"x"));
        self.send(data(&message));
    }

    fn future_version(&mut self) {
        let now = self.victim.now.wall;
        let draft = self.attacker.draft(Destination::Multicast(self.group), now);
        let mut bytes = header(&draft, &payload(b"x"));
        // The value of key 0, right behind the map's head and the key.
        bytes[2] = 2;
        self.send(raw_data(signed(&self.attacker.key, &bytes, &payload(b"x"))));
    }

    fn early_ping(&mut self) {
        let (link, _, _) = self.attacker.start(&mut self.victim);
        self.victim.frames(link, vec![frame::ping(1)]);
    }

    fn hello_of_another(&mut self) {
        let other = NodeId::new([8; 32]);
        let link = self.victim.up(crosscast_port::Role::Listener, Some(other), Bytes::from_static(b"b"));
        let hello = self.attacker.hello(self.victim.now.wall);
        self.victim.frames(link, vec![frame::hello(&hello)]);
    }

    fn wrong_proof(&mut self) {
        let (link, theirs, _) = self.attacker.start(&mut self.victim);
        let ours = self.attacker.hello(self.victim.now.wall);
        let proof = self.attacker.proof(&ours, &theirs, b"another channel");
        self.victim.frames(link, vec![frame::hello(&ours), proof]);
    }

    fn over_credit(&mut self) {
        let now = self.victim.now.wall;
        let big = payload(&vec![7; 60_000]);
        let draft = self.attacker.draft(Destination::Multicast(self.group), now);
        let frame = data(&self.attacker.message(&draft, &big));
        // Nothing is dealt with while verification is held back, so credit runs out.
        self.victim.hold_verify = true;
        let link = self.attacker.link(&mut self.victim);
        self.victim.release();
        self.victim.hold_verify = true;
        self.victim.frames(link, vec![frame; 20]);
        self.victim.release();
    }

    fn wrong_lane(&mut self) {
        let message = self.attacker.sound(self.group, self.victim.now.wall, b"x");
        let mut frame = data(&message);
        frame.lane = Lane::Bulk;
        self.send(frame);
    }

    fn twice(&mut self) {
        let frame = data(&self.attacker.sound(self.group, self.victim.now.wall, b"x"));
        self.send(frame.clone());
        self.send(frame);
    }

    fn same_number(&mut self) {
        let first = self.attacker.sound(self.group, self.victim.now.wall, b"x");
        self.send(data(&first));
        self.attacker.seq -= 1;
        let second = self.attacker.sound(self.group, self.victim.now.wall, b"y");
        self.send(data(&second));
    }

    fn many_instances(&mut self) {
        self.attacker.instance = Instance(self.attacker.instance.0 + 1);
        self.attacker.drop_link(&mut self.victim);
        self.to(Destination::Multicast(self.group));
    }

    fn many_copies(&mut self) {
        let frame = data(&self.attacker.sound(self.group, self.victim.now.wall, b"x"));
        let link = self.attacker.link(&mut self.victim);
        self.victim.hold_verify = true;
        self.victim.frames(link, vec![frame; 20]);
        self.victim.release();
    }

    fn unknown_chain(&mut self) {
        let now = self.victim.now.wall;
        let mut draft = self.attacker.draft(Destination::Multicast(self.rights), now);
        draft.chain = Some(ChainHash::new([3; 32]));
        let message = self.attacker.message(&draft, &payload(b"x"));
        self.send(data(&message));
        // Past the time that it waits for its chain.
        self.victim.pass(2_100);
    }

    fn fresh_key(&mut self) {
        self.attacker.address = "tls://192.0.2.1:1";
        let known = self.victim.rejects().contains_key(Reject::Rate.word());
        for _ in 0..if known { 1 } else { 70 } {
            self.fresh += 1;
            let sender = Attacker::new(self.fresh).sound(self.group, self.victim.now.wall, b"x");
            self.send(data(&sender));
        }
    }

    fn link_of_a_bad_prefix(&mut self) {
        let known = self.victim.rejects().contains_key(Reject::PrefixWaits.word());
        for _ in 0..if known { 1 } else { 70 } {
            let binding = Bytes::from_static(b"b");
            let link = self.victim.up_from("tls://192.0.2.1:1", crosscast_port::Role::Listener, None, binding);
            self.victim.frames(link, vec![frame::ping(1)]);
        }
    }

    fn bad_signature(&mut self) {
        let now = self.victim.now.wall;
        let draft = self.attacker.draft(Destination::Multicast(self.group), now);
        let bytes = header(&draft, &payload(b"x"));
        self.send(raw_data(signed(&SecretKey::new([6; 32]), &bytes, &payload(b"x"))));
    }

    fn bad_payload(&mut self) {
        let now = self.victim.now.wall;
        let draft = self.attacker.draft(Destination::Multicast(self.group), now);
        let bytes = header(&draft, &payload(b"x"));
        self.send(raw_data(signed(&self.attacker.key, &bytes, &payload(b"y"))));
    }

    fn unreadable(&mut self) {
        let now = self.victim.now.wall;
        let draft = self.attacker.draft(Destination::Multicast(self.group), now);
        let message = self.attacker.message(&draft, b"not entries");
        self.send(data(&message));
    }

    fn old_floor(&mut self) {
        // A group of the attacker's own, which the victim joined with a later record.
        let key = SecretKey::new([77; 32]);
        let id = GroupId::new(key.public());
        let issue = |number| {
            let fields = FloorFields { group: id, number, ..self.ticket.fields().floor.fields().clone() };
            FloorRecord::issue(fields, &RustCrypto, &key).expect("a legal floor")
        };
        let (old, new) = (issue(1), issue(2));
        let fields = TicketFields { group: id, name: "theirs".into(), floor: new, ..self.ticket.fields().clone() };
        let ticket = Box::new(Ticket::new(fields).expect("a legal ticket"));
        self.victim.command(Command::JoinGroup { ticket, name: None });
        self.send(frame::floor(&old, None));
    }

    fn forged_floor(&mut self) {
        let fields = FloorFields { number: 1_000, ..self.ticket.fields().floor.fields().clone() };
        let body = FloorRecord::draft(&fields).expect("a legal floor");
        let wrong = crosscast_wire::Crypto::sign(&RustCrypto, &self.attacker.key, Domain::Floor, &body);
        let floor = FloorRecord::parse(&[body, wrong.to_vec()].concat()).expect("a legal floor");
        self.send(frame::floor(&floor, None));
    }

    fn many_subscriptions(&mut self) {
        let link = self.attacker.link(&mut self.victim);
        let known = self.victim.rejects().contains_key(Reject::SubscriptionsFull.word());
        let count = if known { 1 } else { 10_001 };
        let frames = (0..count).map(|_| {
            let mut id = [0; 32];
            id.fill_with(|| self.chance.draw() as u8);
            frame::subscribe(&GroupId::new(id), true, None)
        });
        let frames = frames.collect();
        self.victim.frames(link, frames);
    }

    fn nine_links(&mut self) {
        let now = self.victim.now.wall;
        let draft = self.attacker.draft(Destination::Unicast(self.victim.id()), now);
        let message = self.attacker.message(&draft, &payload(b"x"));
        let frame = Hop::new(0, 8, 0).frame(message.bytes().clone(), Lane::Normal);
        let body: Bytes = [frame.head.as_ref(), frame.tail.as_ref()].concat().into();
        self.send(RawFrame::new(frame.frame_type, frame.lane, body));
    }

    fn many_strangers(&mut self) {
        let known = self.victim.rejects().contains_key(Reject::RequestsFull.word());
        for _ in 0..if known { 1 } else { 65 } {
            self.fresh += 1;
            let mut stranger = Attacker::new(self.fresh);
            let draft = stranger.draft(Destination::Unicast(self.victim.id()), self.victim.now.wall);
            let message = stranger.message(&draft, &payload(b"x"));
            self.send(data(&message));
        }
    }

    fn many_searches(&mut self) {
        let known = self.victim.rejects().contains_key(Reject::LinkRate.word());
        self.send(frame::subscribe(&self.group, true, None));
        for _ in 0..if known { 1 } else { 65 } {
            self.fresh += 1;
            let mut nonce = [0; 16];
            nonce[..8].copy_from_slice(&self.fresh.to_be_bytes());
            let (from, time) = (self.attacker.id(), self.victim.now.wall);
            let fields = LocateFields { target: NodeId::new([9; 32]), from, prekey: [5; 32], time, nonce };
            let locate = Locate::issue(fields, &RustCrypto, &self.attacker.key).expect("the attacker's own key");
            self.send(frame::locate(0, &locate));
        }
    }

    fn much_to_carry(&mut self) {
        let known = self.victim.rejects().contains_key(Reject::CarrierFull.word());
        if !known {
            self.victim.carrier(&self.group);
        }
        for _ in 0..if known { 1 } else { 40 } {
            let now = self.victim.now.wall;
            let draft = self.attacker.draft(Destination::Multicast(self.group), now);
            let message = self.attacker.message(&draft, &payload(&[7; 60_000]));
            self.send(data(&message));
        }
        // What came over a link is carried on after a while.
        self.victim.pass(5_000);
    }

    fn much_to_pass_on(&mut self) {
        let known = self.victim.rejects().contains_key(Reject::TransitFull.word());
        let mut other = Attacker::new(4_242);
        if !known {
            // It takes part, and acknowledges nothing.
            let link = other.link(&mut self.victim);
            self.victim.frames(link, vec![frame::subscribe(&self.group, true, None)]);
            self.send(frame::subscribe(&self.group, true, None));
        }
        for _ in 0..if known { 1 } else { 40 } {
            let draft = self.attacker.draft(Destination::Unicast(other.id()), self.victim.now.wall);
            let message = self.attacker.message(&draft, &payload(&[7; 60_000]));
            self.send(data(&message));
        }
    }

    fn full_inbox(&mut self) {
        // Whom one knows is held to the inbox's room only.
        self.victim.command(Command::Accept { node: self.attacker.id() });
        let now = self.victim.now.wall;
        let draft = self.attacker.draft(Destination::Unicast(self.victim.id()), now);
        let message = self.attacker.message(&draft, &payload(&[7; 40_000]));
        self.send(data(&message));
        self.attacker.seq += 1;
        let draft = self.attacker.draft(Destination::Unicast(self.victim.id()), now);
        let message = self.attacker.message(&draft, &payload(&[7; 40_000]));
        self.send(data(&message));
    }

    fn failing_store(&mut self) {
        self.victim.store_fails = true;
        self.to(Destination::Multicast(self.group));
        self.to(Destination::Multicast(self.group));
        self.victim.store_fails = false;
        self.victim.pass(1_500);
    }
}

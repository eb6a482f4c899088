//! A peer that knows the protocol well and means ill: real hellos under its own key, any bytes after that.

use bytes::Bytes;
use crosscast_port::{LinkId, Role};
use crosscast_wire::{
    Class, Codec, Crypto as _, Destination, Domain, Entry, Features, Frame, GroupId, HeaderDraft, Hello, HelloFields,
    Hop, Instance, Lane, Message, NodeId, Order, PayloadHash, RawFrame, Roles, RustCrypto, Scheme, SecretKey, Seq,
    VersionRange, WallMillis, assemble, encode_entries, frame, hello,
};

use crate::{Chance, Victim};

/// A hostile peer with one key.
pub struct Attacker {
    pub key: SecretKey,
    pub instance: Instance,
    pub seq: u64,
    /// Where its links come from.
    pub address: &'static str,
    link: Option<LinkId>,
    dials: u64,
}

impl Attacker {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let mut secret = [0; 32];
        secret.fill_with(|| chance.draw() as u8);
        Self {
            key: SecretKey::new(secret),
            instance: Instance::new(1_700_000_000, 9),
            seq: 0,
            address: "memory:attacker",
            link: None,
            dials: 0,
        }
    }

    pub fn id(&self) -> NodeId {
        NodeId::new(self.key.public())
    }

    /// The link in use; a new one with a finished hello when the victim has ended the last.
    pub fn link(&mut self, victim: &mut Victim) -> LinkId {
        match self.link.filter(|link| !victim.ended.contains(link)) {
            Some(link) => link,
            None => {
                let before = self.link.take();
                victim.ended.retain(|ended| Some(*ended) != before);
                let link = self.connect(victim);
                self.link = Some(link);
                link
            }
        }
    }

    /// Forgets the link without telling anybody.
    pub fn drop_link(&mut self, victim: &mut Victim) {
        if let Some(link) = self.link.take() {
            victim.down(link);
        }
    }

    pub fn hello(&self, victim_wall: WallMillis) -> Hello {
        Hello::new(HelloFields {
            node: self.id(),
            versions: VersionRange::new(1, 1).expect("a range"),
            nonce: [self.dials as u8; 32],
            features: Features::from_known_bits(0),
            max_message_bytes: 1 << 20,
            credit: [1 << 20; 3],
            roles: Roles::from_known_bits(1),
            instance: self.instance,
            wall: victim_wall,
            agent: "attacker".into(),
            peer_record: None,
            overlay: Vec::new(),
            attestations: Vec::new(),
            prekey: [5; 32],
            name: None,
        })
        .expect("a legal hello")
    }

    /// Starts a link and returns it with the victim's hello.
    pub fn start(&mut self, victim: &mut Victim) -> (LinkId, Hello, Bytes) {
        self.dials += 1;
        let binding = Bytes::from(format!("binding {}", self.dials));
        let link = victim.up_from(self.address, Role::Listener, None, binding.clone());
        let sent = victim.sent.remove(&link).expect("a hello comes at once");
        match Frame::parse(&sent[0]).expect("a frame") {
            Frame::Hello(theirs) => (link, *theirs, binding),
            other => panic!("{other:?}"),
        }
    }

    /// The proof of this attacker for a link on which it sent `ours`.
    pub fn proof(&self, ours: &Hello, theirs: &Hello, binding: &[u8]) -> RawFrame {
        let transcript = hello::transcript(ours.body(), theirs.body());
        let bytes = hello::proof_bytes(Scheme::Memory, false, binding, &self.id(), &theirs.fields().node, &transcript);
        frame::proof(&hello::sign_proof(&RustCrypto, &self.key, &bytes))
    }

    fn connect(&mut self, victim: &mut Victim) -> LinkId {
        let (link, theirs, binding) = self.start(victim);
        let ours = self.hello(victim.now.wall);
        let proof = self.proof(&ours, &theirs, &binding);
        victim.frames(link, vec![frame::hello(&ours), proof]);
        assert!(!victim.ended.contains(&link), "the hello of an honest key is taken");
        link
    }

    /// A well-formed draft of the next message to a group, in this attacker's name.
    pub fn draft(&mut self, to: Destination, now: WallMillis) -> HeaderDraft {
        self.seq += 1;
        HeaderDraft {
            to,
            from: self.id(),
            instance: self.instance,
            seq: Seq(self.seq),
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

    /// Signs a draft with this attacker's key, whatever `from` says.
    pub fn message(&self, draft: &HeaderDraft, payload: &[u8]) -> Message {
        draft.sign(&RustCrypto, &self.key, payload).expect("a legal draft")
    }

    /// A sound message to a group.
    pub fn sound(&mut self, group: GroupId, now: WallMillis, text: &[u8]) -> Message {
        let draft = self.draft(Destination::Multicast(group), now);
        self.message(&draft, &payload(text))
    }
}

/// One entry in the clear.
pub(crate) fn payload(text: &[u8]) -> Vec<u8> {
    encode_entries(&[Entry::new(Bytes::copy_from_slice(text))]).expect("one entry")
}

/// A message frame on the normal lane.
pub(crate) fn data(message: &Message) -> RawFrame {
    raw_data(message.bytes().clone())
}

/// A message frame around any bytes.
pub(crate) fn raw_data(message: Bytes) -> RawFrame {
    let frame = Hop::new(0, 0, 0).frame(message, Lane::Normal);
    let body: Bytes = [frame.head.as_ref(), frame.tail.as_ref()].concat().into();
    RawFrame::new(frame.frame_type, frame.lane, body)
}

/// Signs header bytes that need not be legal, and puts a payload behind them.
pub(crate) fn signed(key: &SecretKey, header: &[u8], payload: &[u8]) -> Bytes {
    assemble(header, &RustCrypto.sign(key, Domain::Message, header), &[payload])
}

/// A draft's header bytes for a payload.
pub(crate) fn header(draft: &HeaderDraft, payload: &[u8]) -> Vec<u8> {
    draft.finish(payload.len(), &PayloadHash::of_payload(payload)).expect("a legal draft").bytes
}

//! Publishers without the right to, against the first honest router, behind which a member reads.
//!
//! `CROSSCAST_UNAUTHORISED` says how many attempts are made in all; 1,000 without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use crosscast_core::{Command, Reply, Since};
use crosscast_wire::cbor::Writer;
use crosscast_wire::{
    Capability, CapabilityFields, Chain, ChainHash, FloorFields, FloorRecord, FrameType, Lane, Message, Policy,
    RawFrame, RevocationId, Rights, RustCrypto, SecretKey, WallMillis, frame,
};

use crate::common::Net;
use crate::puppet::{Owned, Puppet, draft, id, key, payload};

const KINDS: [&str; 12] = [
    "no chain",
    "a chain that was never shown",
    "expired",
    "not yet",
    "revoked subject",
    "revoked serial",
    "an earlier epoch",
    "a foreign group's",
    "another subject's",
    "no right to publish",
    "more than its issuer may give",
    "deeper than its issuer may give",
];

/// Frames that an attacker sends first, and the chain that its message names.
struct Pretext {
    frames: Vec<RawFrame>,
    chain: Option<ChainHash>,
}

fn shown(chain: &Chain) -> Pretext {
    Pretext { frames: vec![chain_frame(chain.encode())], chain: Some(chain.hash()) }
}

fn chain_frame(bytes: Vec<u8>) -> RawFrame {
    RawFrame::new(FrameType::CHAIN, Lane::Control, bytes.into())
}

/// Links that no honest node would put together.
fn raw_chain(links: &[Capability]) -> Pretext {
    let mut w = Writer::with_capacity(2_048);
    w.array(links.len());
    for link in links {
        w.bytes(link.bytes());
    }
    Pretext { frames: vec![chain_frame(w.into_bytes())], chain: Some(ChainHash::new([0x77; 32])) }
}

fn below(above: &SecretKey, fields: CapabilityFields) -> Capability {
    Capability::issue(CapabilityFields { issuer: id(above), ..fields }, &RustCrypto, above).unwrap()
}

/// What is tried, and how it is refused: a code, or the end of the link.
fn pretext(kind: &str, owned: &Owned, attacker: &SecretKey, start: WallMillis) -> Pretext {
    let publish = owned.rights(attacker, Rights::PUBLISH | Rights::SUBSCRIBE, start);
    let issuer = key(60_000);
    let issue = |fields| Capability::issue(fields, &RustCrypto, &owned.key).unwrap();
    match kind {
        "no chain" => Pretext { frames: Vec::new(), chain: None },
        "a chain that was never shown" => Pretext { frames: Vec::new(), chain: Some(ChainHash::new([0x55; 32])) },
        "expired" => shown(&owned.chain(CapabilityFields { not_after: WallMillis(start.0 - 1), ..publish })),
        "not yet" => {
            shown(&owned.chain(CapabilityFields { not_before: WallMillis(start.0 + 10 * 86_400_000), ..publish }))
        }
        "revoked subject" | "revoked serial" => shown(&owned.chain(publish)),
        "an earlier epoch" => shown(&owned.chain(CapabilityFields { epoch: 4, ..publish })),
        "a foreign group's" => {
            let other = Owned::new(61_000);
            shown(&other.chain(other.rights(attacker, Rights::PUBLISH, start)))
        }
        "another subject's" => shown(&owned.chain(CapabilityFields { subject: id(&issuer), ..publish })),
        "no right to publish" => {
            shown(&owned.chain(CapabilityFields { rights: Rights::SUBSCRIBE | Rights::RELAY, ..publish }))
        }
        "more than its issuer may give" => {
            let above = CapabilityFields { subject: id(&issuer), depth_left: 1, ..publish.clone() };
            let above = issue(CapabilityFields { rights: Rights::SUBSCRIBE | Rights::ADMIT, ..above });
            raw_chain(&[above, below(&issuer, publish)])
        }
        "deeper than its issuer may give" => {
            let above = issue(CapabilityFields { subject: id(&issuer), depth_left: 0, ..publish.clone() });
            raw_chain(&[above, below(&issuer, publish)])
        }
        other => panic!("{other}"),
    }
}

fn said(owned: &Owned, attacker: &SecretKey, seq: u64, now: WallMillis, chain: Option<ChainHash>) -> Message {
    let mut draft = draft(attacker, owned.group, seq, now);
    draft.chain = chain;
    draft.sign(&RustCrypto, attacker, &payload("unauthorised")).unwrap()
}

/// Two hosts in a group of capabilities; the second reads behind the first. The fields are those of the next floor.
fn scene() -> (Net, Owned, FloorFields) {
    let mut net = Net::new(2);
    let (owned, now) = (Owned::new(500), net.now.wall);
    let mut floor = owned.floor_fields(Policy::Capability, now);
    for host in 0..2 {
        owned.join(&mut net, host, owned.floor(floor.clone()));
    }
    net.connect(0, 1);
    net.subscribe(1, owned.group, Since::Now);
    net.subscribe(0, owned.group, Since::Now);
    floor.number += 1;
    (net, owned, floor)
}

#[expect(clippy::disallowed_methods, reason = "how much a test does is not the machine's business")]
fn attempts() -> u64 {
    std::env::var("CROSSCAST_UNAUTHORISED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

fn messages_on_the_wire(net: &Net) -> usize {
    net.tap.iter().filter(|(host, raw)| *host == 0 && raw.frame_type == FrameType::MESSAGE).count()
}

/// How each kind is refused.
fn expected(kind: &str) -> &'static str {
    match kind {
        "a chain that was never shown" | "a foreign group's" => "no-chain",
        "more than its issuer may give" | "deeper than its issuer may give" => "the link ends",
        _ => "not-allowed",
    }
}

#[test]
fn nothing_unauthorised_is_delivered_or_forwarded_and_what_is_authorised_still_is() {
    let (mut net, owned, mut fields) = scene();
    let attackers: Vec<SecretKey> = (0..40).map(|number| key(1_000 + number)).collect();
    let start = net.now.wall;
    let serial = |attacker: &SecretKey| {
        let fields = owned.rights(attacker, Rights::PUBLISH | Rights::SUBSCRIBE, start);
        owned.chain(fields).leaf().serial()
    };
    fields.revoked = attackers[..16].iter().map(|attacker| RevocationId::of_subject(&id(attacker))).collect();
    fields.revoked.extend(attackers[16..32].iter().map(|attacker| RevocationId::of_serial(serial(attacker))));
    fields.revoked.sort();
    fields.lowest_epoch = 5;
    let honest = Puppet::link(&mut net, 0, 5, "198.51.100.1").unwrap();
    honest.send(&mut net, vec![frame::floor(&owned.floor(fields), None)]);
    let before = messages_on_the_wire(&net);
    let mut refused: BTreeMap<(&str, String), u64> = BTreeMap::new();
    for round in 0..attempts() {
        let kind = KINDS[round as usize % KINDS.len()];
        let place = (round / KINDS.len() as u64) % 16;
        let attacker = match kind {
            "revoked subject" => &attackers[place as usize],
            "revoked serial" => &attackers[16 + place as usize],
            _ => &attackers[32 + place as usize % 8],
        };
        let address = format!("10.{}.{}.1", round / 200 % 200, round % 200);
        let link = Puppet::link(&mut net, 0, 9_000 + round % 50, &address).unwrap();
        let pretext = pretext(kind, &owned, attacker, start);
        link.send(&mut net, pretext.frames);
        let message = said(&owned, attacker, round + 1, net.now.wall, pretext.chain);
        link.bring(&mut net, &[message]);
        if expected(kind) == "no-chain" {
            // Past the wait for a chain that never comes.
            net.pass(2_100);
        }
        let word = link.refusals(&mut net).first().map(ToString::to_string);
        let word = if link.is_closed(&net) { "the link ends".to_owned() } else { word.unwrap_or_default() };
        *refused.entry((kind, word)).or_default() += 1;
        net.cut_loose(0, link.link);
    }
    for (kind, word) in refused.keys() {
        assert_eq!(word, expected(kind), "{kind}");
    }
    assert_eq!((refused.len(), refused.values().sum::<u64>()), (KINDS.len(), attempts()));
    assert_eq!(messages_on_the_wire(&net), before, "0 forwarded");
    assert!(net.texts(0).is_empty() && net.texts(1).is_empty(), "0 delivered");
    // The same way with the right is open: else all this would show nothing.
    let publisher = key(70_000);
    let chain = owned.chain(owned.rights(&publisher, Rights::PUBLISH, start));
    let link = Puppet::link(&mut net, 0, 6, "198.51.100.1").unwrap();
    link.send(&mut net, shown(&chain).frames);
    let message = said(&owned, &publisher, 1, net.now.wall, Some(chain.hash()));
    link.bring(&mut net, &[message]);
    assert_eq!((net.texts(0).len(), net.texts(1).len()), (1, 1), "who may is heard, behind the router too");
}

#[test]
fn no_floor_of_a_stranger_and_no_older_one_opens_the_group() {
    let (mut net, owned, fields) = scene();
    let now = net.now.wall;
    let open = FloorFields { policy: Policy::Open, ..fields.clone() };
    let stranger = key(8);
    let forged = {
        let body = FloorRecord::draft(&open).unwrap();
        let wrong = crosscast_wire::Crypto::sign(&RustCrypto, &stranger, crosscast_wire::Domain::Floor, &body);
        FloorRecord::parse(&[body, wrong.to_vec()].concat()).unwrap()
    };
    let older = owned.floor(FloorFields { number: fields.number - 100, ..open.clone() });
    // Its signer has every right but the group key's own: it may not loosen.
    let revoker = key(9);
    let chain = owned.chain(owned.rights(&revoker, Rights::REVOKE | Rights::ADMIT, now));
    let loosened = FloorFields { signer: Some(id(&revoker)), ..open.clone() };
    let loosened = FloorRecord::issue(loosened, &RustCrypto, &revoker).unwrap();
    let ahead =
        owned.floor(FloorFields { number: now.0 + 600_000, issued: WallMillis(now.0 + 600_000), ..open.clone() });
    let floors = [(forged, None), (older, None), (loosened, Some(&chain)), (ahead, None)];
    for (number, (floor, chain)) in floors.iter().enumerate() {
        let number = number as u64;
        let link = Puppet::link(&mut net, 0, 20 + number, &format!("10.0.{number}.1")).unwrap();
        link.send(&mut net, vec![frame::floor(floor, *chain)]);
        let attacker = key(100 + number);
        let link = Puppet::link(&mut net, 0, 30 + number, &format!("10.1.{number}.1")).unwrap();
        link.bring(&mut net, &[said(&owned, &attacker, 1, now, None)]);
    }
    assert!(net.texts(0).is_empty() && net.texts(1).is_empty());
    let Some(Reply::Groups(groups)) = net.command(0, Command::Groups) else { panic!() };
    assert_eq!(groups[0].policy, Policy::Capability);
    // The group key's own newer record does open it.
    let link = Puppet::link(&mut net, 0, 50, "10.2.0.1").unwrap();
    link.send(&mut net, vec![frame::floor(&owned.floor(open), None)]);
    link.bring(&mut net, &[said(&owned, &key(110), 1, now, None)]);
    assert_eq!(net.texts(1), ["unauthorised"], "now anybody may");
}

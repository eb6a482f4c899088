//! The ledger's checks, each shown to fail on what it is there for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_core::ReaderId;
use crosscast_port::LogPos;
use crosscast_wire::{Entries, Entry, Seq, WallMillis, encode_entries};

use super::*;

const SENDER: HostId = HostId(0);
const READER: HostId = HostId(1);
const GAP: Micros = 30_000_000;

fn node(host: HostId) -> NodeId {
    NodeId::new([host.0 as u8 + 1; 32])
}

fn group() -> GroupId {
    GroupId::new([9; 32])
}

/// One group, one sender, one reader that has been reading since the beginning.
fn ledger() -> Ledger {
    let mut ledger = Ledger::new(GAP);
    ledger.add_group(group(), 0);
    for host in [SENDER, READER] {
        ledger.add_node(node(host), host);
    }
    subscribe(&mut ledger, READER, Stream::Group(0), 1, false);
    ledger
}

fn subscribe(ledger: &mut Ledger, host: HostId, stream: Stream, reader: u64, anew: bool) {
    ledger.subscribe(host, stream, 0, 1_000, anew);
    ledger.chain_mut(host, stream).unwrap().reader = Some(ReaderId(reader));
}

fn id(number: u64) -> MessageId {
    MessageId::new([number as u8; 32])
}

/// Publishes message `number` with one entry; returns its payload.
fn publish(ledger: &mut Ledger, number: u64, at: Micros) -> Bytes {
    let sent = Sent {
        to: To::Group(0),
        host: SENDER,
        run: 1,
        at,
        wall_ms: 1_000,
        life_ms: 600_000,
        len: 100,
        refused: false,
        place: None,
    };
    let token = ledger.publish(sent);
    ledger.published(id(number), 0, &[token]).unwrap();
    payload(token, 100)
}

fn delivery(number: u64, payload: &Bytes) -> Delivery {
    let encoded = encode_entries(&[Entry::new(payload.clone())]).unwrap();
    Delivery {
        source: Source::Group(group()),
        id: id(number),
        from: node(SENDER),
        instance: Instance(1),
        seq: Seq(number),
        time: WallMillis(1),
        cursor: LogPos(number),
        entries: Entries::decode(encoded.into(), 1).unwrap(),
        hops: 1,
        network: None,
        path: None,
        trail: crosscast_wire::Trail::default(),
        order: Order::Fifo,
        gap: false,
        request: false,
        service: None,
        recipients: Vec::new(),
        weight: 100,
        repeats: Vec::new(),
    }
}

fn rule<T>(result: Result<T, Broken>) -> Option<Rule> {
    result.err().map(|(rule, _)| rule)
}

fn excuses() -> Excuses {
    Excuses { until: 100, end: 1_000, ..Excuses::default() }
}

fn end(ledger: &Ledger, excuses: &Excuses) -> Result<Finding, Rule> {
    ledger.check_end(excuses).map_err(|(rule, _)| rule)
}

fn finding(arrived: u64, causes: &[&'static str]) -> Finding {
    Finding { arrived, excused: causes.iter().map(|cause| (*cause, 1)).collect() }
}

#[test]
fn what_was_published_is_delivered_once_and_in_order() {
    let mut ledger = ledger();
    for number in 1..=5 {
        let payload = publish(&mut ledger, number, 0);
        assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 10, &delivery(number, &payload))), None);
    }
    assert_eq!(end(&ledger, &excuses()), Ok(finding(5, &[])));
}

#[test]
fn a_forged_delivery_is_seen() {
    let mut ledger = ledger();
    let payload = publish(&mut ledger, 1, 0);
    let good = delivery(1, &payload);
    let mut bytes = payload.to_vec();
    bytes[50] ^= 1;
    assert_eq!(
        rule(ledger.deliver(READER, ReaderId(1), 1, &delivery(1, &bytes.into()))),
        Some(Rule::Forged),
        "another byte"
    );
    let unknown = facts::payload(77, 100);
    assert_eq!(
        rule(ledger.deliver(READER, ReaderId(1), 1, &delivery(1, &unknown))),
        Some(Rule::Forged),
        "nobody's token"
    );
    let from = Delivery { from: node(READER), ..good.clone() };
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &from)), Some(Rule::Forged), "another sender");
    let source = Delivery { source: Source::Inbox, ..good.clone() };
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &source)), Some(Rule::Forged), "another destination");
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &good)), None);
    subscribe(&mut ledger, SENDER, Stream::Group(0), 2, false);
    let seq = Delivery { seq: Seq(2), ..good };
    assert_eq!(rule(ledger.deliver(SENDER, ReaderId(2), 1, &seq)), Some(Rule::Forged), "another number elsewhere");
}

#[test]
fn what_was_refused_to_its_publisher_must_not_be_delivered() {
    let mut ledger = ledger();
    let payload = publish(&mut ledger, 1, 0);
    ledger.refused(&[0]);
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &delivery(1, &payload))), Some(Rule::Forged));
}

#[test]
fn a_second_delivery_is_seen_unless_the_reader_began_anew() {
    let mut ledger = ledger();
    let payload = publish(&mut ledger, 1, 0);
    let first = delivery(1, &payload);
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &first)), None);
    subscribe(&mut ledger, READER, Stream::Group(0), 1, false);
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 3, &first)), Some(Rule::Duplicate), "resumed by cursor");
    subscribe(&mut ledger, READER, Stream::Group(0), 1, true);
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 5, &first)), None, "from the oldest");
}

#[test]
fn one_entry_in_two_messages_is_seen() {
    let mut ledger = ledger();
    let payload = publish(&mut ledger, 1, 0);
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &delivery(1, &payload))), None);
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &delivery(2, &payload))), Some(Rule::Duplicate));
}

#[test]
fn disorder_and_unmarked_gaps_are_seen() {
    let numbers = |from: u64| {
        let mut ledger = ledger();
        let payloads: Vec<Bytes> = (1..=9).map(|number| publish(&mut ledger, number, 0)).collect();
        ledger.deliver(READER, ReaderId(1), 1, &delivery(from, &payloads[from as usize - 1])).unwrap();
        (ledger, payloads)
    };
    let (mut ledger, payloads) = numbers(3);
    let late = Delivery { cursor: LogPos(20), ..delivery(2, &payloads[1]) };
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &late)), Some(Rule::Order));
    let (mut ledger, payloads) = numbers(3);
    let back = Delivery { cursor: LogPos(1), ..delivery(4, &payloads[3]) };
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &back)), Some(Rule::Order), "the cursor goes back");
    let (mut ledger, payloads) = numbers(3);
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), 1, &delivery(5, &payloads[4]))), Some(Rule::Gap), "unmarked");
    let (mut ledger, payloads) = numbers(3);
    let marked = Delivery { gap: true, ..delivery(5, &payloads[4]) };
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), GAP / 2, &marked)), Some(Rule::Gap), "too early");
    let (mut ledger, payloads) = numbers(3);
    let marked = Delivery { gap: true, ..delivery(4, &payloads[3]) };
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), GAP, &marked)), Some(Rule::Gap), "nothing is missing");
    let (mut ledger, payloads) = numbers(3);
    let marked = Delivery { gap: true, ..delivery(5, &payloads[4]) };
    assert_eq!(rule(ledger.deliver(READER, ReaderId(1), GAP, &marked)), None);
    assert_eq!(ledger.skipped(), 1);
}

#[test]
fn more_than_a_window_is_seen() {
    let mut ledger = ledger();
    let mut result = Ok(Stream::Inbox);
    let mut given = 0;
    for number in 1..=20 {
        let payload = publish(&mut ledger, number, 0);
        result = ledger.deliver(READER, ReaderId(1), 1, &delivery(number, &payload));
        if result.is_err() {
            break;
        }
        given = number;
    }
    // Ten messages of 100 bytes fill a window of 1,000.
    assert_eq!((given, rule(result)), (10, Some(Rule::Window)));
}

#[test]
fn a_message_that_does_not_arrive_is_lost_unless_excused() {
    let mut ledger = ledger();
    publish(&mut ledger, 1, 50);
    assert_eq!(end(&ledger, &excuses()), Err(Rule::Lost));
    let excused = |cause| Ok(finding(0, &[cause]));
    assert_eq!(end(&ledger, &Excuses { until: 49, ..excuses() }), excused("late"), "too late to have arrived");
    assert_eq!(end(&ledger, &Excuses { kept_since: 51, ..excuses() }), excused("window"), "older than the window");
    assert_eq!(end(&ledger, &Excuses { end: 600_000_000, ..excuses() }), excused("life"), "its life is over");
}

#[test]
fn a_crash_excuses_only_what_no_next_hop_had() {
    let ends = || [(SENDER, 1)].into();
    let killed = Excuses { ends: ends(), ..excuses() };
    let dark = Excuses { ends: ends(), losses: vec![(SENDER, 60, None)], ..excuses() };
    let darker = Excuses { losses: vec![(SENDER, 60, None), (HostId(7), 70, Some(0))], ..excuses() };
    let elsewhere = Excuses { losses: vec![(SENDER, 60, None), (HostId(7), 70, Some(1))], ..excuses() };
    let earlier = Excuses { losses: vec![(SENDER, 40, None)], ..excuses() };
    let another_run = Excuses { ends: [(SENDER, 2)].into(), ..excuses() };
    let mut ledger = ledger();
    publish(&mut ledger, 1, 50);
    let excused = Ok(finding(0, &["crash"]));
    assert_eq!((end(&ledger, &killed), end(&ledger, &dark)), (excused.clone(), excused.clone()));
    assert_eq!((end(&ledger, &another_run), end(&ledger, &earlier)), (Err(Rule::Lost), Err(Rule::Lost)));
    ledger
        .outcome(SENDER, 1, 1_000, Outcome { id: id(1), state: State::Sent, links: 1, to: None, code: None })
        .unwrap();
    assert_eq!((end(&ledger, &killed), end(&ledger, &dark)), (Err(Rule::Lost), Err(Rule::Lost)), "a next hop has it");
    assert_eq!(end(&ledger, &elsewhere), Err(Rule::Lost), "another group's log");
    assert_eq!(end(&ledger, &darker), excused, "the next hop may have lost it");
}

#[test]
fn a_number_given_up_behind_a_mark_is_no_loss_to_its_reader() {
    let mut ledger = ledger();
    let payloads: Vec<Bytes> = (1..=3).map(|number| publish(&mut ledger, number, 0)).collect();
    subscribe(&mut ledger, SENDER, Stream::Group(0), 2, false);
    for number in 1..=3 {
        ledger.deliver(SENDER, ReaderId(2), 1, &delivery(number, &payloads[number as usize - 1])).unwrap();
    }
    ledger.deliver(READER, ReaderId(1), 1, &delivery(1, &payloads[0])).unwrap();
    ledger.deliver(READER, ReaderId(1), GAP, &Delivery { gap: true, ..delivery(3, &payloads[2]) }).unwrap();
    assert_eq!(end(&ledger, &excuses()), Ok(finding(5, &["gap"])));
}

#[test]
fn an_untrue_outcome_is_seen() {
    let told = |host, run, wall_ms, number, state, links| {
        let mut ledger = ledger();
        publish(&mut ledger, 1, 0);
        rule(ledger.outcome(host, run, wall_ms, Outcome { id: id(number), state, links, to: None, code: None }))
    };
    assert_eq!(told(SENDER, 1, 1_000, 1, State::Sent, 1), None);
    assert_eq!(told(SENDER, 1, 1_000, 1, State::Sent, 0), Some(Rule::Outcome), "sent to nobody");
    assert_eq!(told(SENDER, 1, 1_000, 2, State::Sent, 1), Some(Rule::Outcome), "nobody's message");
    assert_eq!(told(READER, 1, 1_000, 1, State::Sent, 1), Some(Rule::Outcome), "another's message");
    assert_eq!(told(SENDER, 2, 1_000, 1, State::Sent, 1), Some(Rule::Outcome), "another run's");
    assert_eq!(told(SENDER, 1, 1_000, 1, State::Stored, 1), Some(Rule::Outcome), "stored by nobody");
    assert_eq!(told(SENDER, 1, 300_000, 1, State::Expired, 0), Some(Rule::Outcome), "before its time");
    assert_eq!(told(SENDER, 1, 700_000, 1, State::Expired, 0), None);
}

#[test]
fn an_acknowledged_letter_must_not_come_again_and_an_open_one_may() {
    let mut ledger = ledger();
    subscribe(&mut ledger, READER, Stream::Inbox, 3, false);
    let mut letters = Vec::new();
    for number in 1..=2 {
        let sent = Sent {
            to: To::Host(READER),
            host: SENDER,
            run: 1,
            at: 0,
            wall_ms: 1_000,
            life_ms: 600_000,
            len: 100,
            refused: false,
            place: None,
        };
        let token = ledger.publish(sent);
        ledger.published(id(number), 0, &[token]).unwrap();
        let letter = delivery(number, &payload(token, 100));
        letters.push(Delivery { source: Source::Inbox, order: Order::None, ..letter });
        ledger.deliver(READER, ReaderId(3), 1, letters.last().unwrap()).unwrap();
    }
    let chain = ledger.chain_mut(READER, Stream::Inbox).unwrap();
    chain.acknowledged(LogPos(1));
    chain.reopen();
    assert_eq!(rule(ledger.deliver(READER, ReaderId(3), 2, &letters[1])), None);
    assert_eq!(rule(ledger.deliver(READER, ReaderId(3), 2, &letters[0])), Some(Rule::Duplicate));
}

//! Frames: each type there and back, each refusal by name, message bytes shared.

use bytes::Bytes;
use crosscast_wire::cbor::Writer;
use crosscast_wire::frame::{self, body_max};
use crosscast_wire::{
    CapabilityError, CborError, Chain, ChainError, ChainHash, Class, CloseCode, Codec, Destination, Domain,
    Equivocation, EquivocationError, FloorError, FloorFields, FloorRecord, Frame, FrameCause, FrameType, HeaderDraft,
    Hello, HelloError, Hop, Instance, JoinRequest, JoinRequestError, JoinRequestFields, Lane, Locate, LocateError,
    LocateFields, Message, MessageError, NodeId, Order, Purpose, RawFrame, RefuseCode, ResumeWindow, Seq, WallMillis,
    limits,
};
use proptest::prelude::*;

use crate::support::*;

fn message(class: Class) -> Message {
    let draft = HeaderDraft {
        to: Destination::Multicast(group(1)),
        from: node(2),
        instance: Instance::new(5, 6),
        seq: Seq(1),
        time: WallMillis(1_500),
        expires: WallMillis(1_600),
        class,
        order: Order::Fifo,
        deps: vec![],
        chain: None,
        recipients: vec![],
        codec: Codec::Entries,
        count: 1,
    };
    // [[2], h'6869']
    draft.sign(&CRYPTO, &key(2), &[0x82, 0x81, 2, 0x42, b'h', b'i']).unwrap()
}

fn locate() -> Locate {
    let time = WallMillis(1_500);
    let fields = LocateFields { target: node(3), from: node(2), prekey: [6; 32], time, nonce: [4; 16] };
    Locate::issue(fields, &CRYPTO, &key(2)).unwrap()
}

fn equivocation() -> Equivocation {
    Equivocation::new(&message(Class::Normal), &message(Class::Bulk)).unwrap()
}

/// The frame as a transport hands it up: the body in one piece, in `tail`.
fn received(frame: &RawFrame) -> RawFrame {
    let body = [frame.head.as_ref(), frame.tail.as_ref()].concat();
    RawFrame::new(frame.frame_type, frame.lane, body.into())
}

fn parse(frame: &RawFrame) -> Result<Frame, FrameCause> {
    let there = Frame::parse(&received(frame));
    assert_eq!(there, Frame::parse(frame), "a body in two pieces reads the same");
    if let Ok(frame) = &there {
        assert!(received_len_is_allowed(frame));
    }
    there.map_err(|error| {
        assert_eq!(error.frame_type, frame.frame_type);
        error.cause
    })
}

fn received_len_is_allowed(frame: &Frame) -> bool {
    body_max(frame.frame_type()) <= limits::FRAME_MAX
}

fn cause(frame_type: FrameType, body: Vec<u8>) -> FrameCause {
    parse(&RawFrame::new(frame_type, Lane::Control, body.into())).unwrap_err()
}

fn window(from: u8, instance: u64, contiguous: u64) -> ResumeWindow {
    ResumeWindow { from: NodeId::new([from; 32]), instance: Instance(instance), contiguous: Seq(contiguous) }
}

#[test]
fn every_frame_survives_its_bytes() {
    let hello = Hello::new(hello_fields(1)).unwrap();
    assert_eq!(parse(&frame::hello(&hello)), Ok(Frame::Hello(Box::new(hello))));
    assert_eq!(parse(&frame::proof(&[9; 64])), Ok(Frame::Proof([9; 64])));
    for code in CloseCode::ALL {
        let closed = |retry_after_ms, text: &str| Frame::Close { code: *code, retry_after_ms, text: text.into() };
        assert_eq!(parse(&frame::close(*code, 0, "")), Ok(closed(0, "")));
        assert_eq!(parse(&frame::close(*code, 1_000, "later")), Ok(closed(1_000, "later")));
        assert_eq!(parse(&frame::close(*code, u64::MAX, "a\nb")), Ok(closed(3_600_000, "a b")));
    }
    assert_eq!(parse(&frame::ping(u64::MAX)), Ok(Frame::Ping { token: u64::MAX }));
    assert_eq!(parse(&frame::pong(0)), Ok(Frame::Pong { token: 0 }));
    for lane in [Lane::Urgent, Lane::Normal, Lane::Bulk] {
        assert_eq!(parse(&frame::credit(lane, 99).unwrap()), Ok(Frame::Credit { lane, total: 99 }));
        assert_eq!(parse(&frame::ack(&[(lane, 3)]).unwrap()), Ok(Frame::Ack(vec![(lane, 3)])));
        for code in RefuseCode::ALL {
            let refused = Frame::Refuse { lane, number: 1, code: *code };
            assert_eq!(parse(&frame::refuse(lane, 1, *code).unwrap()), Ok(refused));
        }
    }
    let all = vec![(Lane::Urgent, 0), (Lane::Normal, 1), (Lane::Bulk, u64::MAX)];
    assert_eq!(parse(&frame::ack(&all).unwrap()), Ok(Frame::Ack(all)));
    for links in 1..=3 {
        assert_eq!(parse(&frame::chain(&chain(links))), Ok(Frame::Chain(Box::new(chain(links)))));
    }
    let chained = |chain: Option<Chain>| Frame::Floor { floor: Box::new(floor()), chain: chain.map(Box::new) };
    assert_eq!(parse(&frame::floor(&floor(), None)), Ok(chained(None)));
    assert_eq!(parse(&frame::floor(&floor(), Some(&chain(3)))), Ok(chained(Some(chain(3)))));
    for hops in [0, 8, u8::MAX] {
        let request = Box::new(join_request());
        assert_eq!(parse(&frame::ask(hops, &request)), Ok(Frame::Ask { hops, request }));
        let locate = Box::new(locate());
        assert_eq!(parse(&frame::locate(hops, &locate)), Ok(Frame::Locate { hops, locate }));
    }
    let shown = Box::new(equivocation());
    assert_eq!(parse(&frame::equivocation(&shown)), Ok(Frame::Equivocation(shown)));
    for (on, chain) in [(true, None), (true, Some(ChainHash::new([4; 32]))), (false, None)] {
        let frame = frame::subscribe(&group(1), on, chain.as_ref());
        assert_eq!(parse(&frame), Ok(Frame::Subscribe { group: group(1), on, chain }));
    }
    assert_eq!(
        parse(&RawFrame::new(FrameType(0x80), Lane::Bulk, vec![0xff].into())),
        Ok(Frame::Skipped(FrameType(0x80)))
    );
    assert_eq!(
        parse(&RawFrame::new(FrameType(0xff), Lane::Control, Bytes::new())),
        Ok(Frame::Skipped(FrameType(0xff)))
    );
}

#[test]
fn what_cannot_travel_is_not_written() {
    assert_eq!(frame::credit(Lane::Control, 1), None);
    assert_eq!(frame::refuse(Lane::Control, 1, RefuseCode::Full), None);
    assert_eq!(frame::ack(&[]), None);
    assert_eq!(frame::ack(&[(Lane::Control, 1)]), None);
    assert_eq!(frame::ack(&[(Lane::Bulk, 1), (Lane::Normal, 1)]), None);
    assert_eq!(frame::ack(&[(Lane::Bulk, 1), (Lane::Bulk, 1)]), None);
    assert_eq!(Hop::new(0, 0, 0).with_via(vec![node(1); 5]), None);
}

#[test]
fn a_close_text_is_cut_between_characters() {
    let Ok(Frame::Close { text, .. }) = parse(&frame::close(CloseCode::Denied, 0, &"é".repeat(100))) else { panic!() };
    assert_eq!(text, "é".repeat(64));
    let Ok(Frame::Close { text, .. }) = parse(&frame::close(CloseCode::Denied, 0, &"界".repeat(100))) else {
        panic!()
    };
    assert_eq!(text, "界".repeat(42));
}

#[test]
fn a_message_is_shared_and_travels_on_the_lane_of_its_class() {
    let hop = Hop::new(1, 2, 3).with_via(vec![node(3), node(4)]).unwrap().with_remaining(u32::MAX);
    for class in Class::ALL {
        let message = message(*class);
        let sent = hop.frame(message.bytes().clone(), class.lane());
        assert_eq!(sent.tail.as_ptr(), message.bytes().as_ptr(), "the sender copies nothing");
        let there = received(&sent);
        let Ok(Frame::Message { hop: read_hop, message: read }) = Frame::parse(&there) else { panic!() };
        assert_eq!((&read_hop, &read), (&hop, &message));
        assert_eq!(read.bytes().as_ptr(), there.tail[sent.head.len()..].as_ptr(), "the receiver copies nothing");
        for lane in Lane::ALL.iter().filter(|lane| **lane != class.lane()) {
            assert_eq!(parse(&hop.frame(message.bytes().clone(), *lane)), Err(FrameCause::WrongLane(*lane)));
        }
    }
}

#[test]
fn all_but_messages_travel_on_lane_control() {
    for frame_type in (1..=0x0f).map(FrameType) {
        for lane in [Lane::Urgent, Lane::Normal, Lane::Bulk] {
            let frame = RawFrame::new(frame_type, lane, frame::ping(1).tail);
            assert_eq!(parse(&frame), Err(FrameCause::WrongLane(lane)));
        }
    }
}

#[test]
fn an_unknown_type_is_refused_below_the_skippable_ones() {
    for number in (0..0x80).filter(|n| !matches!(n, 0x01..=0x10)) {
        for lane in Lane::ALL {
            let frame = RawFrame::new(FrameType(number), *lane, vec![0xa0].into());
            assert_eq!(parse(&frame), Err(FrameCause::UnknownType), "{number:#x}");
        }
    }
}

#[test]
fn illegal_bodies_about_the_link_are_refused_by_name() {
    let cbor = FrameCause::Cbor;
    assert_eq!(cause(FrameType::HELLO, vec![0xa0]), FrameCause::Hello(HelloError::Cbor(CborError::MissingKey(0))));
    assert_eq!(cause(FrameType::HELLO, vec![0; 4097]), FrameCause::TooLong);
    assert_eq!(cause(FrameType::PROOF, list(&[])), cbor(CborError::TooShort));
    assert_eq!(cause(FrameType::PROOF, list(&[bytes(&[0; 63])])), cbor(CborError::TooShort));
    assert_eq!(cause(FrameType::PROOF, list(&[bytes(&[0; 64]), uint(0)])), cbor(CborError::TooLong));
    assert_eq!(cause(FrameType::CLOSE, map(&[(0, uint(8))])), FrameCause::UnknownCloseCode(8));
    assert_eq!(cause(FrameType::CLOSE, map(&[(0, uint(u64::MAX))])), FrameCause::UnknownCloseCode(u64::MAX));
    assert_eq!(cause(FrameType::CLOSE, map(&[(0, uint(1)), (1, uint(0))])), FrameCause::Redundant(1));
    assert_eq!(cause(FrameType::CLOSE, map(&[(0, uint(1)), (2, text(""))])), cbor(CborError::TooShort));
    assert_eq!(cause(FrameType::CLOSE, map(&[(0, uint(1)), (2, text("\u{1b}"))])), FrameCause::Text);
    assert_eq!(cause(FrameType::CLOSE, map(&[(0, uint(1)), (2, text(&"a".repeat(129)))])), cbor(CborError::TooLong));
    assert_eq!(cause(FrameType::CLOSE, map(&[(0, uint(1)), (3, uint(0))])), cbor(CborError::UnknownCriticalKey(3)));
    assert_eq!(cause(FrameType::PING, map(&[])), cbor(CborError::MissingKey(0)));
    assert_eq!(cause(FrameType::PING, map(&[(0, text("a"))])), cbor(CborError::WrongType));
    assert_eq!(cause(FrameType::PONG, [map(&[(0, uint(1))]), vec![0]].concat()), cbor(CborError::Trailing));
    assert_eq!(cause(FrameType::PING, vec![0; 1025]), FrameCause::TooLong);
    assert_eq!(cause(FrameType::CREDIT, map(&[(0, uint(0)), (1, uint(1))])), FrameCause::NoDataLane(0));
    assert_eq!(cause(FrameType::CREDIT, map(&[(0, uint(4)), (1, uint(1))])), FrameCause::NoDataLane(4));
    assert_eq!(cause(FrameType::CREDIT, map(&[(0, uint(1))])), cbor(CborError::MissingKey(1)));
    let pair = |lane, count| list(&[uint(lane), uint(count)]);
    assert_eq!(cause(FrameType::ACK, list(&[])), cbor(CborError::TooShort));
    assert_eq!(cause(FrameType::ACK, list(&[pair(0, 1)])), FrameCause::NoDataLane(0));
    assert_eq!(cause(FrameType::ACK, list(&[pair(2, 1), pair(1, 1)])), FrameCause::Order);
    assert_eq!(cause(FrameType::ACK, list(&[pair(1, 1), pair(1, 1)])), FrameCause::Order);
    assert_eq!(cause(FrameType::ACK, list(&vec![pair(1, 1); 4])), cbor(CborError::TooLong));
    let refuse = |lane, number| map(&[(0, uint(lane)), (1, uint(number)), (2, uint(1))]);
    assert_eq!(cause(FrameType::REFUSE, refuse(0, 1)), FrameCause::NoDataLane(0));
    assert_eq!(cause(FrameType::REFUSE, refuse(1, 0)), cbor(CborError::OutOfRange));
    let later = map(&[(0, uint(1)), (1, uint(7)), (2, uint(9_999))]);
    let read = parse(&RawFrame::new(FrameType::REFUSE, Lane::Control, later.into()));
    assert_eq!(read, Ok(Frame::Refuse { lane: Lane::Urgent, number: 7, code: RefuseCode::Other }));
    assert!(parse(&RawFrame::new(FrameType::PING, Lane::Control, map(&[(0, uint(1)), (128, uint(2))]).into())).is_ok());
}

#[test]
fn illegal_bodies_about_a_group_are_refused_by_name() {
    let cbor = FrameCause::Cbor;
    assert_eq!(cause(FrameType::CHAIN, list(&[])), FrameCause::Chain(ChainError::Cbor(CborError::TooShort)));
    let short = FrameCause::Chain(ChainError::Capability(CapabilityError::Length));
    assert_eq!(cause(FrameType::CHAIN, list(&[bytes(&[])])), short);
    assert_eq!(cause(FrameType::FLOOR, map(&[(0, bytes(&[]))])), FrameCause::Floor(FloorError::Length));
    let signed = (0, bytes(floor().bytes()));
    assert_eq!(cause(FrameType::FLOOR, map(&[signed.clone(), (1, list(&[bytes(&[])]))])), short);
    assert_eq!(cause(FrameType::FLOOR, map(&[signed, (2, uint(0))])), cbor(CborError::UnknownCriticalKey(2)));
    let named = (0, bytes(&[1; 32]));
    assert_eq!(cause(FrameType::SUBSCRIBE, map(core::slice::from_ref(&named))), cbor(CborError::MissingKey(1)));
    assert_eq!(cause(FrameType::SUBSCRIBE, map(&[named.clone(), (1, uint(1))])), cbor(CborError::WrongType));
    let item = |from: u8, instance, seq| list(&[bytes(&[from; 32]), uint(instance), uint(seq)]);
    let windows = |items: &[Vec<u8>]| cause(FrameType::RESUME, map(&[named.clone(), (1, list(items))]));
    assert_eq!(windows(&[item(2, 1, 1), item(1, 1, 1)]), FrameCause::Order);
    assert_eq!(windows(&[item(1, 2, 1), item(1, 1, 9)]), FrameCause::Order);
    assert_eq!(windows(&[item(1, 1, 1), item(1, 1, 2)]), FrameCause::Order);
    assert_eq!(windows(&[list(&[bytes(&[1; 32]), uint(1)])]), cbor(CborError::TooShort));
    assert_eq!(windows(&vec![list(&[]); 513]), cbor(CborError::TooLong));
    let not_more = map(&[named, (1, list(&[])), (2, vec![0xf4])]);
    assert_eq!(cause(FrameType::RESUME, not_more), FrameCause::Redundant(2));
}

#[test]
fn illegal_bodies_that_travel_by_hops_are_refused_by_name() {
    let cbor = FrameCause::Cbor;
    let request = (1, bytes(join_request().bytes()));
    let asked = |pairs: &[(u64, Vec<u8>)]| cause(FrameType::ASK, map(pairs));
    assert_eq!(asked(core::slice::from_ref(&request)), cbor(CborError::MissingKey(0)));
    assert_eq!(asked(&[(0, uint(256)), request.clone()]), cbor(CborError::OutOfRange));
    assert_eq!(asked(&[(0, uint(0))]), cbor(CborError::MissingKey(1)));
    assert_eq!(asked(&[(0, uint(0)), (1, bytes(&[]))]), FrameCause::JoinRequest(JoinRequestError::Length));
    assert_eq!(asked(&[(0, uint(0)), request.clone(), (2, uint(0))]), cbor(CborError::UnknownCriticalKey(2)));
    let other = FrameCause::JoinRequest(JoinRequestError::Cbor(CborError::MissingKey(6)));
    assert_eq!(asked(&[(0, uint(0)), (1, bytes(locate().bytes()))]), other, "a locate is no join request");
    let sought = |pairs: &[(u64, Vec<u8>)]| cause(FrameType::LOCATE, map(pairs));
    assert_eq!(sought(&[(0, uint(0)), (1, bytes(&[0; 513]))]), FrameCause::Locate(LocateError::Length));
    assert_eq!(sought(&[(0, uint(0)), request]), FrameCause::Locate(LocateError::Length));
    assert_eq!(sought(&[(0, uint(1 << 32)), (1, bytes(locate().bytes()))]), cbor(CborError::OutOfRange));
    let shown = |pairs: &[(u64, Vec<u8>)]| cause(FrameType::EQUIVOCATION, map(pairs));
    assert_eq!(shown(&[]), cbor(CborError::MissingKey(0)));
    let same = equivocation().bytes().to_vec();
    assert_eq!(shown(&[(0, bytes(&same)), (1, uint(0))]), cbor(CborError::UnknownCriticalKey(1)));
    let empty = FrameCause::Equivocation(EquivocationError::Cbor(CborError::MissingKey(0)));
    assert_eq!(shown(&[(0, bytes(&[0xa0]))]), empty);
    for frame_type in [FrameType::ASK, FrameType::LOCATE, FrameType::EQUIVOCATION] {
        assert_eq!(cause(frame_type, vec![0; body_max(frame_type) + 1]), FrameCause::TooLong);
        let error = Frame::parse(&RawFrame::new(frame_type, Lane::Control, Bytes::new())).unwrap_err().to_string();
        assert!(!error.contains("unknown"), "{error}");
    }
}

#[test]
fn an_object_of_a_later_version_blames_nobody() {
    let later = |domain| sign(2, domain, map(&[(0, uint(2))]));
    let asked = |bytes_of: &[u8]| cause(FrameType::ASK, map(&[(0, uint(0)), (1, bytes(bytes_of))]));
    assert!(asked(&later(Domain::JoinRequest)).is_version());
    let inside = |key: u64, value: Vec<u8>| {
        let fields =
            JoinRequestFields { chain: None, successor: None, purpose: Purpose::Join, ..join_request_fields() };
        let body = JoinRequest::draft(&fields).unwrap();
        let body = [&[body[0] + 1], &body[1..], &uint(key), &value].concat();
        asked(&sign(2, Domain::JoinRequest, body))
    };
    assert!(inside(10, list(&[bytes(&later(Domain::Capability))])).is_version());
    assert!(inside(11, bytes(&later(Domain::Successor))).is_version());
    assert!(!inside(11, bytes(&[])).is_version());
    let sought = cause(FrameType::LOCATE, map(&[(0, uint(0)), (1, bytes(&later(Domain::Locate)))]));
    assert!(sought.is_version());
    let shown = |pairs: &[(u64, Vec<u8>)]| cause(FrameType::EQUIVOCATION, map(&[(0, bytes(&map(pairs)))]));
    assert!(shown(&[(0, uint(2))]).is_version());
    assert!(shown(&[(0, uint(1)), (1, bytes(&map(&[(0, uint(2))])))]).is_version());
    assert!(!shown(&[(0, uint(1))]).is_version());
}

#[test]
fn illegal_messages_are_refused_by_name() {
    let cbor = FrameCause::Cbor;
    let message = message(Class::Control);
    let with_hop = |hop: &[(u64, Vec<u8>)]| cause(FrameType::MESSAGE, [map(hop), message.bytes().to_vec()].concat());
    let full = [(0, uint(0)), (1, uint(0)), (2, uint(0))];
    assert_eq!(with_hop(&full[..2]), cbor(CborError::MissingKey(2)));
    assert_eq!(with_hop(&with(&full, 0, Some(uint(256)))), cbor(CborError::OutOfRange));
    assert_eq!(with_hop(&with(&full, 1, Some(uint(256)))), cbor(CborError::OutOfRange));
    assert_eq!(with_hop(&with(&full, 2, Some(uint(1 << 32)))), cbor(CborError::OutOfRange));
    assert_eq!(with_hop(&with(&full, 3, Some(list(&[])))), cbor(CborError::TooShort));
    assert_eq!(with_hop(&with(&full, 3, Some(list(&vec![bytes(&[0; 32]); 5])))), cbor(CborError::TooLong));
    assert_eq!(with_hop(&with(&full, 4, Some(uint(1 << 32)))), cbor(CborError::OutOfRange));
    assert_eq!(with_hop(&with(&full, 5, Some(uint(0)))), cbor(CborError::OutOfRange));
    assert_eq!(with_hop(&with(&full, 5, Some(uint(1 << 32)))), cbor(CborError::OutOfRange));
    assert_eq!(with_hop(&with(&full, 6, Some(uint(0)))), cbor(CborError::UnknownCriticalKey(6)));
    assert_eq!(cause(FrameType::MESSAGE, map(&full)), FrameCause::Message(MessageError::Cbor(CborError::Truncated)));
    let ignorable = [map(&with(&full, 128, Some(text("later")))), message.bytes().to_vec()].concat();
    assert!(parse(&RawFrame::new(FrameType::MESSAGE, Lane::Control, ignorable.into())).is_ok());
    let mut later = Writer::new();
    later.map(1).uint(0).uint(2);
    let cause = cause(FrameType::MESSAGE, [map(&full), later.into_bytes()].concat());
    assert_eq!(cause, FrameCause::Message(MessageError::UnsupportedVersion(2)));
    assert!(cause.is_version() && !FrameCause::UnknownType.is_version());
}

#[test]
fn the_longest_legal_bodies_fit_their_bounds() {
    let windows = (0..513).map(|i| ResumeWindow { contiguous: Seq(u64::MAX), ..window(1, u64::MAX - i, 0) });
    for frame in frame::resume(&group(1), windows) {
        assert!(frame.body_len() <= body_max(FrameType::RESUME));
    }
    let fields = FloorFields {
        revoked: (0..32).map(|i| crosscast_wire::RevocationId::new([i; 32])).collect(),
        ..floor_fields()
    };
    let floor = FloorRecord::issue(fields, &CRYPTO, &key(1)).unwrap();
    assert!(frame::floor(&floor, Some(&chain(3))).body_len() <= body_max(FrameType::FLOOR));
    let hop = Hop::new(255, 255, u32::MAX).with_via(vec![node(1); 4]).unwrap().with_remaining(u32::MAX);
    assert!(hop.encode().len() + limits::MESSAGE_MAX <= body_max(FrameType::MESSAGE));
}

#[test]
fn resume_windows_are_put_in_order_and_spread_over_frames() {
    let read = |frames: Vec<RawFrame>| -> Vec<(Vec<ResumeWindow>, bool)> {
        let pages = frames.iter().map(|frame| match parse(frame) {
            Ok(Frame::Resume { group: of, windows, more }) => {
                assert_eq!(of, group(1));
                (windows, more)
            }
            other => panic!("{other:?}"),
        });
        pages.collect()
    };
    assert_eq!(read(frame::resume(&group(1), [])), [(vec![], false)]);
    let given = [window(2, 1, 5), window(1, 9, 7), window(2, 1, 4), window(1, 3, 0)];
    let kept = vec![window(1, 3, 0), window(1, 9, 7), window(2, 1, 4)];
    assert_eq!(read(frame::resume(&group(1), given)), [(kept, false)]);
    let many = (0..1_024).map(|i| window(1, i, 1));
    let pages = read(frame::resume(&group(1), many));
    assert_eq!(pages.iter().map(|(w, more)| (w.len(), *more)).collect::<Vec<_>>(), [(512, true), (512, false)]);
}

proptest! {
    #[test]
    fn every_hop_survives_its_bytes(
        numbers in any::<(u8, u8, u32)>(), via in proptest::collection::vec(any::<[u8; 32]>(), 0..=4),
        remaining in proptest::option::of(any::<u32>()), message in proptest::collection::vec(any::<u8>(), 0..50),
    ) {
        let hop = Hop::new(numbers.0, numbers.1, numbers.2).with_via(via.into_iter().map(NodeId::new).collect()).unwrap();
        let hop = match remaining { Some(bits) => hop.with_remaining(bits), None => hop };
        let body = Bytes::from([hop.encode(), message.clone()].concat());
        let (read, behind) = Hop::split(&body).unwrap();
        prop_assert_eq!(read, hop);
        prop_assert_eq!(behind, message);
    }

    #[test]
    fn every_short_frame_survives_its_bytes(numbers in any::<[u64; 4]>(), lane in 1_u64..4, retry in 0_u64..=3_600_000, line in plain_text(0, 128)) {
        let lane = Lane::from_number(lane).unwrap();
        prop_assert_eq!(parse(&frame::ping(numbers[0])), Ok(Frame::Ping { token: numbers[0] }));
        prop_assert_eq!(parse(&frame::credit(lane, numbers[1]).unwrap()), Ok(Frame::Credit { lane, total: numbers[1] }));
        let number = numbers[2].max(1);
        let refused = Frame::Refuse { lane, number, code: RefuseCode::Time };
        prop_assert_eq!(parse(&frame::refuse(lane, number, RefuseCode::Time).unwrap()), Ok(refused));
        prop_assert_eq!(parse(&frame::ack(&[(lane, numbers[3])]).unwrap()), Ok(Frame::Ack(vec![(lane, numbers[3])])));
        let closed = Frame::Close { code: CloseCode::Overload, retry_after_ms: retry, text: line.clone() };
        prop_assert_eq!(parse(&frame::close(CloseCode::Overload, retry, &line)), Ok(closed));
    }

    #[test]
    fn arbitrary_frames_never_do_harm(
        frame_type in 0_u8..0x14, lane in 0_u64..4, head in proptest::collection::vec(any::<u8>(), 0..3),
        tail in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let frame = RawFrame { frame_type: FrameType(frame_type), lane: Lane::from_number(lane).unwrap(), head: head.into(), tail: tail.into() };
        if let Err(error) = Frame::parse(&frame) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_message_frame_with_a_changed_byte_is_refused_or_its_signature_fails(at in 0_usize..10_000, bit in 0_u8..8) {
        let message = message(Class::Normal);
        let mut body = received(&Hop::new(0, 1, 2).frame(message.bytes().clone(), Lane::Normal)).tail.to_vec();
        let hop_len = body.len() - message.bytes().len();
        let at = hop_len + at % message.bytes().len();
        body[at] ^= 1 << bit;
        let frame = RawFrame::new(FrameType::MESSAGE, Lane::Normal, body.into());
        if let Ok(Frame::Message { message, .. }) = Frame::parse(&frame) {
            prop_assert!(!message.verify_signature(&CRYPTO) || !message.check_payload_hash());
        }
    }
}

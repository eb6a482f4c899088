//! Cutting and joining are inverse; every breach of the format is refused by its name; no lane starves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_wire::limits::FRAME_MAX;
use crosscast_wire::{FrameType, Lane, RawFrame};

use super::*;
use crate::PerLane;

fn frame(lane: Lane, len: usize, fill: u8) -> RawFrame {
    RawFrame::new(FrameType::MESSAGE, lane, Bytes::from(vec![fill; len]))
}

fn drain(writer: &mut FragmentWriter, budget: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    while !writer.is_empty() {
        let mut pieces = Vec::new();
        writer.take(budget, &mut pieces);
        stream.extend(pieces.iter().flatten());
    }
    stream
}

fn body(frame: &RawFrame) -> Vec<u8> {
    [&frame.head[..], &frame.tail[..]].concat()
}

/// A small repeatable source of numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides.max(1)
    }
}

#[test]
fn frames_of_any_size_survive_any_cut_of_the_stream() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut writer = FragmentWriter::new();
        let mut sent = Vec::new();
        for n in 0..40_u8 {
            let len = match dice.roll(4) {
                0 => dice.roll(40),
                1 => dice.roll(2000),
                2 => dice.roll(40_000),
                _ => dice.roll(FRAME_MAX + 1),
            };
            let lane = Lane::ALL[dice.roll(4)];
            let mut frame = frame(lane, len, n);
            let split = dice.roll(len + 1);
            frame.head = frame.tail.split_to(split);
            frame.frame_type = FrameType(n);
            sent.push(frame.clone());
            writer.push(frame);
        }
        let stream = Bytes::from(drain(&mut writer, 1 + dice.roll(300_000)));
        let mut reader = FragmentReader::new();
        let mut got = Vec::new();
        let mut rest = stream.clone();
        while !rest.is_empty() {
            let part = rest.split_to((1 + dice.roll(70_000)).min(rest.len()));
            if dice.roll(2) == 0 {
                reader.push(&part, &mut got).unwrap();
            } else {
                reader.push_owned(&part, &mut got).unwrap();
            }
            assert!(reader.held_bytes() <= READER_MAX);
        }
        assert_eq!(reader.held_bytes(), 0);
        for &lane in Lane::ALL {
            let of_lane = |frames: &[RawFrame]| -> Vec<(FrameType, Vec<u8>)> {
                frames.iter().filter(|f| f.lane == lane).map(|f| (f.frame_type, body(f))).collect()
            };
            assert_eq!(of_lane(&got), of_lane(&sent), "seed {seed} lane {lane}");
        }
    }
}

#[test]
fn bytes_one_at_a_time_are_enough() {
    let mut writer = FragmentWriter::new();
    writer.push(frame(Lane::Urgent, 20_000, 7));
    writer.push(frame(Lane::Control, 3, 8));
    let stream = drain(&mut writer, 1_000_000);
    let (mut reader, mut got) = (FragmentReader::new(), Vec::new());
    assert!(reader.is_between_frames());
    let control = FRAGMENT_HEADER + 3;
    let last = stream.len();
    for (byte, at) in stream.into_iter().zip(1..) {
        reader.push(&[byte], &mut got).unwrap();
        // Frame urgent has two fragments: the stream is in order only after each whole frame.
        assert_eq!(reader.is_between_frames(), at == control || at == last, "byte {at}");
    }
    assert_eq!(got, [frame(Lane::Control, 3, 8), frame(Lane::Urgent, 20_000, 7)]);
}

#[test]
fn a_long_frame_in_one_owned_buffer_is_a_slice_of_it() {
    let mut writer = FragmentWriter::new();
    writer.push(frame(Lane::Normal, 10_000, 1));
    let stream = Bytes::from(drain(&mut writer, 1_000_000));
    let mut got = Vec::new();
    FragmentReader::new().push_owned(&stream, &mut got).unwrap();
    assert_eq!(got[0].tail.as_ptr(), stream[FRAGMENT_HEADER..].as_ptr());
}

#[test]
fn message_bytes_are_handed_out_as_slices_of_the_message() {
    let message = Bytes::from(vec![5; 40_000]);
    let mut writer = FragmentWriter::new();
    writer.push(RawFrame {
        head: Bytes::from_static(b"hop"),
        ..RawFrame::new(FrameType::MESSAGE, Lane::Bulk, message.clone())
    });
    let mut pieces = Vec::new();
    let taken = writer.take(1_000_000, &mut pieces);
    assert_eq!(taken.bulk, 40_003);
    let range = message.as_ptr_range();
    let shared: usize = pieces.iter().filter(|p| range.contains(&p.as_ptr())).map(Bytes::len).sum();
    assert_eq!(shared, 40_000);
}

#[test]
fn every_breach_of_the_format_is_refused_by_name() {
    let header = |len: usize, frame_type: u8, lane: u8| {
        let [_, a, b, c] = u32::try_from(len).unwrap().to_be_bytes();
        [a, b, c, frame_type, lane]
    };
    let fragment = |len: usize, frame_type: u8, lane: u8| [&header(len, frame_type, lane)[..], &vec![0; len]].concat();
    let read = |stream: &[u8]| FragmentReader::new().push(stream, &mut Vec::new());
    assert_eq!(read(&fragment(FRAGMENT_MAX, 1, 0)), Ok(()));
    assert_eq!(read(&header(FRAGMENT_MAX + 1, 1, 0)), Err(FramingError::FragmentTooLong { len: FRAGMENT_MAX + 1 }));
    assert_eq!(read(&header(1, 1, 0x04)), Err(FramingError::LaneBits { byte: 0x04 }));
    assert_eq!(read(&header(1, 1, 0x43)), Err(FramingError::LaneBits { byte: 0x43 }));
    assert_eq!(read(&header(0, 1, 0x80)), Err(FramingError::EmptyFragment));
    assert_eq!(read(&header(0, 1, 0x00)), Ok(()));
    let changed = [fragment(9, 0x10, 0x82), header(9, 0x11, 0x02).to_vec()].concat();
    let expected = FramingError::TypeChanged { expected: FrameType(0x10), found: FrameType(0x11) };
    assert_eq!(read(&changed), Err(expected));
    let empty_end = [fragment(9, 0x10, 0x82), header(0, 0x10, 0x02).to_vec()].concat();
    assert_eq!(read(&empty_end), Err(FramingError::EmptyFragment));
    let mut long: Vec<u8> = (0..17).flat_map(|_| fragment(FRAGMENT_MAX, 0x10, 0x83)).collect();
    assert_eq!(read(&long), Ok(()));
    long.extend(header(1, 0x10, 0x03));
    assert_eq!(read(&long), Err(FramingError::FrameTooLong));
}

#[test]
fn a_broken_stream_stays_broken_and_gives_its_memory_back() {
    let (mut reader, mut got) = (FragmentReader::new(), Vec::new());
    let mut stream = vec![0, 0x40, 0, 0x10, 0x83];
    stream.extend(vec![0; FRAGMENT_MAX]);
    reader.push(&stream, &mut got).unwrap();
    assert_eq!(reader.held_bytes(), FRAGMENT_MAX);
    let fault = reader.push(&[0, 0, 1, 1, 0x7f], &mut got);
    assert_eq!(fault, Err(FramingError::LaneBits { byte: 0x7f }));
    assert_eq!((reader.held_bytes(), got.len()), (0, 0));
    assert_eq!(reader.push(&[0, 0, 0, 1, 0], &mut got), fault);
}

#[test]
fn control_overtakes_a_long_bulk_frame_at_the_next_fragment() {
    let mut writer = FragmentWriter::new();
    writer.push(frame(Lane::Bulk, FRAME_MAX, 0));
    let mut pieces = Vec::new();
    writer.take(1, &mut pieces);
    writer.push(frame(Lane::Control, 10, 1));
    let taken = writer.take(2048, &mut pieces);
    assert_eq!((taken.control, taken.bulk), (10, 2048));
    let stream: Vec<u8> = pieces.iter().flatten().copied().collect();
    let mut got = Vec::new();
    FragmentReader::new().push(&stream, &mut got).unwrap();
    assert_eq!(got, [frame(Lane::Control, 10, 1)]);
}

#[test]
fn bulk_keeps_a_fifth_beside_saturated_normal_and_normal_a_seventeenth_beside_urgent() {
    let share = |high: Lane, low: Lane| {
        let mut writer = FragmentWriter::new();
        for n in 0..400 {
            writer.push(frame(high, FRAGMENT_MAX, u8::try_from(n % 251).unwrap()));
            writer.push(frame(low, FRAGMENT_MAX, 0));
        }
        let mut sums: PerLane<usize> = PerLane::default();
        for _ in 0..300 {
            let taken = writer.take(FRAGMENT_MAX, &mut Vec::new());
            for &lane in Lane::ALL {
                *sums.get_mut(lane) += taken.get(lane);
            }
        }
        300 * FRAGMENT_MAX / sums.get(low)
    };
    assert_eq!(share(Lane::Normal, Lane::Bulk), 5);
    assert_eq!(share(Lane::Urgent, Lane::Bulk), 5);
    assert_eq!(share(Lane::Urgent, Lane::Normal), 17);
}

#[test]
fn a_flood_of_urgent_starves_neither_normal_nor_bulk() {
    let mut writer = FragmentWriter::new();
    for _ in 0..200 {
        writer.push(frame(Lane::Urgent, FRAGMENT_MAX, 0));
        writer.push(frame(Lane::Normal, FRAGMENT_MAX, 0));
        writer.push(frame(Lane::Bulk, FRAGMENT_MAX, 0));
    }
    let taken = writer.take(150 * FRAGMENT_MAX, &mut Vec::new());
    assert!(taken.urgent > taken.bulk && taken.bulk > taken.normal && taken.normal > 0, "{taken:?}");
}

#[test]
fn a_stream_of_one_lane_carries_that_lane_and_marks_and_nothing_else() {
    let stream_of = |frames: &[RawFrame]| {
        let mut writer = FragmentWriter::new();
        frames.iter().for_each(|frame| writer.push(frame.clone()));
        drain(&mut writer, 100_000)
    };
    let marks = [mark(0), mark(7), mark(u64::MAX)];
    let read = |lane, frames: &[RawFrame]| {
        let mut got = Vec::new();
        FragmentReader::of_lane(lane).push(&stream_of(frames), &mut got).map(|()| got)
    };
    let bulk = frame(Lane::Bulk, 40_000, 1);
    for mark in &marks {
        assert_eq!(read(Lane::Bulk, &[mark.clone(), bulk.clone()]), Ok(vec![mark.clone(), bulk.clone()]));
    }
    assert_eq!(stream_of(&marks[1..2]), [0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    assert_eq!(marks.each_ref().map(marked), [Some(0), Some(7), Some(u64::MAX)]);
    for (stream, found) in [(Lane::Bulk, Lane::Urgent), (Lane::Control, Lane::Bulk), (Lane::Normal, Lane::Control)] {
        let foreign = frame(found, 8, 1);
        assert_eq!(marked(&foreign), None);
        assert_eq!(read(stream, &[foreign]), Err(FramingError::ForeignLane { stream, found }));
    }
    for len in [0, 7, 9] {
        let odd = RawFrame { frame_type: FrameType(0), ..frame(Lane::Control, len, 1) };
        let (stream, found) = (Lane::Bulk, Lane::Control);
        assert_eq!(marked(&odd), None);
        assert_eq!(read(stream, &[odd]), Err(FramingError::ForeignLane { stream, found }));
    }
}

#[test]
fn a_mark_may_lie_inside_a_frame() {
    let mut writer = FragmentWriter::new();
    writer.push(frame(Lane::Bulk, 40_000, 1));
    let mut pieces = Vec::new();
    writer.take(1, &mut pieces);
    writer.push(mark(3));
    let mut stream: Vec<u8> = pieces.iter().flatten().copied().collect();
    stream.extend(drain(&mut writer, 100_000));
    let mut got = Vec::new();
    FragmentReader::of_lane(Lane::Bulk).push(&stream, &mut got).unwrap();
    assert_eq!(got, [mark(3), frame(Lane::Bulk, 40_000, 1)]);
}

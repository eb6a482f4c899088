//! Inputs and outputs as the trace knows them: the bytes that tell one from another, and a line for a reader.
//!
//! What comes often is put down by hand and short; what is rare is put down as the compiler prints it.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use crosscast_core::{Command, Delivery, Event, Input, Output, Reply};
use crosscast_port::{LogItem, Report, Request, StoreOp, StoreOutcome, Write};
use crosscast_wire::{FrameType, Hop, Message, MessageId, NodeId, RawFrame};

/// Bytes of a frame that tell it from others: a header with its hashes.
const FRAME_HEAD: usize = 384;

fn debug(bytes: &mut Vec<u8>, value: &dyn Debug) {
    // Writing to a Vec cannot fail.
    let _ = write!(bytes, "{value:?}");
}

fn number(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn frame_digest(frame: &RawFrame, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&[frame.frame_type.0, frame.lane.number()]);
    number(bytes, frame.body_len() as u64);
    let head = frame.head.iter().chain(&frame.tail).take(FRAME_HEAD);
    bytes.extend(head);
}

/// The bytes that tell an input from others.
pub(crate) fn input_digest(input: &Input, bytes: &mut Vec<u8>) {
    match input {
        Input::Link(Report::Frames { link, frames }) => {
            bytes.push(b'F');
            number(bytes, link.0);
            frames.iter().for_each(|frame| frame_digest(frame, bytes));
        }
        Input::Link(Report::Writable { link, lane, bytes: granted }) => {
            bytes.extend_from_slice(&[b'W', lane.number()]);
            number(bytes, link.0);
            number(bytes, u64::from(*granted));
        }
        Input::Link(report) => debug(bytes, report),
        Input::Timeout => bytes.push(b'T'),
        Input::Command(id, command) => {
            bytes.push(b'C');
            number(bytes, id.0);
            command_digest(command, bytes);
        }
        Input::Stored(id, outcome) => {
            bytes.push(b'D');
            number(bytes, id.0);
            match outcome {
                StoreOutcome::Items { items, end } => {
                    items.iter().for_each(|item| number(bytes, item.entry.pos.0));
                    bytes.push(u8::from(*end));
                }
                StoreOutcome::Committed => bytes.push(b'c'),
                StoreOutcome::Failed(error) => debug(bytes, error),
            }
        }
        Input::Signed(id, signature) => {
            bytes.push(b's');
            number(bytes, id.0);
            bytes.extend_from_slice(signature);
        }
        Input::Verified(id, verdict) => {
            bytes.push(b'v');
            number(bytes, id.0);
            debug(bytes, verdict);
        }
    }
}

fn command_digest(command: &Command, bytes: &mut Vec<u8>) {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is rare is put down as the compiler prints it")]
    match command {
        Command::Publish { group, entries, class, life_ms } => {
            bytes.extend_from_slice(group.as_bytes());
            for entry in entries {
                number(bytes, entry.payload.len() as u64);
                bytes.extend(entry.payload.iter().take(32));
            }
            bytes.push(class.number());
            number(bytes, life_ms.unwrap_or(u64::MAX));
        }
        Command::Consumed { reader, bytes: consumed } => {
            number(bytes, reader.0);
            number(bytes, u64::from(*consumed));
        }
        Command::JoinGroup { ticket, name } => {
            bytes.extend_from_slice(ticket.fields().group.as_bytes());
            debug(bytes, name);
        }
        other => debug(bytes, other),
    }
}

/// The bytes that tell an output from others.
pub(crate) fn output_digest(output: &Output, bytes: &mut Vec<u8>) {
    match output {
        Output::Link(Request::Send { link, frames }) => {
            bytes.push(b'f');
            number(bytes, link.0);
            frames.iter().for_each(|frame| frame_digest(frame, bytes));
        }
        Output::Link(request) => debug(bytes, request),
        Output::Store(id, op) => {
            bytes.push(b'd');
            number(bytes, id.0);
            match op {
                StoreOp::Commit { writes, durability } => {
                    debug(bytes, durability);
                    writes.iter().for_each(|write| write_digest(write, bytes));
                }
                StoreOp::Read { .. } | StoreOp::ReadReleased { .. } => debug(bytes, op),
            }
        }
        Output::Sign(id, job) => {
            bytes.push(b'S');
            number(bytes, id.0);
            bytes.extend_from_slice(job.domain.name().as_bytes());
            bytes.extend_from_slice(&job.body);
        }
        Output::Verify(id, job) => {
            bytes.push(b'V');
            number(bytes, id.0);
            for check in &job.signatures {
                bytes.extend_from_slice(&check.key);
                bytes.extend_from_slice(&check.signature);
            }
        }
        Output::Event(Event::Deliver(reader, delivery)) => {
            bytes.push(b'E');
            number(bytes, reader.0);
            bytes.extend_from_slice(delivery.id.as_bytes());
            number(bytes, delivery.cursor.0);
            bytes.push(u8::from(delivery.gap));
        }
        Output::Event(Event::Reply(id, Reply::Published { id: message, first_index })) => {
            bytes.push(b'P');
            number(bytes, id.0);
            bytes.extend_from_slice(message.as_bytes());
            bytes.extend_from_slice(&first_index.to_le_bytes());
        }
        Output::Event(Event::Reply(id, Reply::Ticket(ticket))) => {
            number(bytes, id.0);
            bytes.extend_from_slice(ticket.fields().group.as_bytes());
        }
        Output::Event(event) => debug(bytes, event),
    }
}

fn write_digest(write: &Write, bytes: &mut Vec<u8>) {
    match write {
        Write::Append { log, item: LogItem { entry, bytes: message } } => {
            bytes.extend_from_slice(&log.0);
            debug(bytes, entry);
            number(bytes, message.len() as u64);
        }
        Write::Release { .. }
        | Write::Trim { .. }
        | Write::Forget { .. }
        | Write::Put { .. }
        | Write::Delete { .. } => debug(bytes, write),
    }
}

/// The first digits of a key or id, as a reader needs them.
pub(crate) fn short(bytes: &[u8]) -> String {
    bytes.iter().take(4).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn message_text(id: &MessageId, from: &NodeId, seq: u64) -> String {
    format!("{} from {} seq {seq}", short(id.as_bytes()), short(from.as_bytes()))
}

fn frame_text(frame: &RawFrame) -> String {
    let lane = frame.lane;
    if frame.frame_type != FrameType::MESSAGE {
        let body: Vec<u8> = frame.head.iter().chain(&frame.tail).copied().take(40).collect();
        return format!("[{:02x} {lane} {}B {}]", frame.frame_type.0, frame.body_len(), name(&body, frame.frame_type));
    }
    let mut body = frame.head.to_vec();
    body.extend_from_slice(&frame.tail);
    let parts = Hop::split(&body.into()).ok().and_then(|(hop, bytes)| Some((hop, Message::parse(bytes).ok()?)));
    let text = parts.map_or("unreadable".into(), |(hop, message)| {
        let header = message.header();
        let text = message_text(&message.id(), &header.from, header.seq.0);
        let places = (0_u32..).zip(&header.recipients);
        let left =
            places.filter(|(place, _)| hop.remaining.is_none_or(|bits| bits.checked_shr(*place).unwrap_or(0) & 1 == 1));
        let left: Vec<String> = left.map(|(_, node)| short(node.as_bytes())).collect();
        format!("{text} to {} {left:?} hops {}", short(header.to.as_bytes()), hop.hops)
    });
    format!("[MESSAGE {lane} {}B {text}]", frame.body_len())
}

fn name(body: &[u8], frame_type: FrameType) -> String {
    let word = match frame_type {
        FrameType::HELLO => "HELLO",
        FrameType::PROOF => "PROOF",
        FrameType::CLOSE => "CLOSE",
        FrameType::PING => "PING",
        FrameType::PONG => "PONG",
        FrameType::CREDIT => "CREDIT",
        FrameType::ACK => "ACK",
        FrameType::CHAIN => "CHAIN",
        FrameType::FLOOR => "FLOOR",
        FrameType::SUBSCRIBE => "SUBSCRIBE",
        FrameType::RESUME => "RESUME",
        FrameType::REFUSE => "REFUSE",
        FrameType::LOCATE => "LOCATE",
        _ => "other",
    };
    let digits = body.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    format!("{word} {digits}")
}

fn frames_text(frames: &[RawFrame]) -> String {
    frames.iter().map(frame_text).collect::<Vec<_>>().join(" ")
}

fn delivery_text(delivery: &Delivery) -> String {
    let gap = if delivery.gap { " gap" } else { "" };
    let message = message_text(&delivery.id, &delivery.from, delivery.seq.0);
    format!("{message} instance {:x} cursor {}{gap}", delivery.instance.0, delivery.cursor.0)
}

/// An input for a reader.
pub(crate) fn input_text(input: &Input) -> String {
    match input {
        Input::Link(Report::Frames { link, frames }) => format!("< link {} {}", link.0, frames_text(frames)),
        Input::Link(report) => format!("< {report:?}"),
        Input::Timeout => "< timeout".into(),
        Input::Command(id, Command::Publish { group, entries, class, life_ms }) => {
            let bytes: usize = entries.iter().map(|entry| entry.payload.len()).sum();
            let group = short(group.as_bytes());
            format!("< command {} publish to {group}: {} entries {bytes}B {class} {life_ms:?}", id.0, entries.len())
        }
        Input::Command(id, Command::JoinGroup { ticket, name }) => {
            format!("< command {} join {} {name:?}", id.0, short(ticket.fields().group.as_bytes()))
        }
        Input::Command(id, command) => format!("< command {} {command:?}", id.0),
        Input::Stored(id, StoreOutcome::Items { items, end }) => {
            let positions: Vec<u64> = items.iter().map(|item| item.entry.pos.0).collect();
            format!("< stored {} items {positions:?} end {end}", id.0)
        }
        Input::Stored(id, outcome) => format!("< stored {} {outcome:?}", id.0),
        Input::Signed(id, _) => format!("< signed {}", id.0),
        Input::Verified(id, verdict) => format!("< verified {} {verdict:?}", id.0),
    }
}

/// An output for a reader.
pub(crate) fn output_text(output: &Output) -> String {
    match output {
        Output::Link(Request::Send { link, frames }) => format!("> link {} {}", link.0, frames_text(frames)),
        Output::Link(request) => format!("> {request:?}"),
        Output::Store(id, StoreOp::Commit { writes, durability }) => {
            let writes: Vec<String> = writes.iter().map(write_text).collect();
            format!("> commit {} {durability:?} {}", id.0, writes.join(" "))
        }
        Output::Store(id, op) => format!("> store {} {op:?}", id.0),
        Output::Sign(id, job) => format!("> sign {} {} {}B", id.0, job.domain.name(), job.body.len()),
        Output::Verify(id, job) => {
            let keys: Vec<String> = job.signatures.iter().map(|check| short(&check.key)).collect();
            format!("> verify {} by {}", id.0, keys.join(" "))
        }
        Output::Event(Event::Deliver(reader, delivery)) => {
            format!("> deliver to reader {} {}", reader.0, delivery_text(delivery))
        }
        Output::Event(event) => format!("> {event:?}"),
    }
}

fn write_text(write: &Write) -> String {
    match write {
        Write::Append { log, item } => {
            let entry = &item.entry;
            let message = message_text(&entry.id, &entry.from, entry.seq.0);
            let released = entry.released.map(|released| released.0);
            format!("(append {} at {} {message} released {released:?})", short(&log.0), entry.pos.0)
        }
        Write::Release { log, pos, released, gap } => {
            format!("(release {} {} at {} gap {gap})", short(&log.0), pos.0, released.0)
        }
        Write::Put { space, key, value } => format!("(put {space:?} {} {}B)", short(key), value.len()),
        Write::Trim { .. } | Write::Forget { .. } | Write::Delete { .. } => format!("({write:?})"),
    }
}

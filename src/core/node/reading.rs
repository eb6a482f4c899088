//! Local readers: messages opened and handed out within their windows, live or from the log.

use std::sync::Arc;

use crosscast_port::{LogId, LogItem, LogPos, StoreOp, StoreOutcome};
use crosscast_seal::open_payload;
use crosscast_wire::{Destination, Entries, Message, Payload};

use crate::group::Group;
use crate::group::log::{Log, Tag};
use crate::group::reader::Reader;
use crate::{CommandId, Delivery, Event, Node, ReaderId, Refusal, Reject, Reply, Since, Source, limits};

use super::Pending;
use super::commit::Committed;

impl Node {
    fn log_of(&self, source: Source) -> Option<(&Log, LogId)> {
        match source {
            Source::Group(id) => self.groups.get(&id).map(|group| (&group.log, group.log_id())),
            Source::Inbox => Some((&self.inbox.log, LogId(*self.config.node.as_bytes()))),
        }
    }

    pub(super) fn on_reader(&mut self, command: CommandId, source: Source, since: Since, window: u32) {
        let after = match self.log_of(source) {
            None => Err(Refusal::UnknownGroup),
            Some(_) if self.readers.len() >= limits::READERS => Err(Refusal::Limit),
            Some((log, _)) => start(log, since),
        };
        let after = match (after, source) {
            (Ok(after), Source::Inbox) => Ok(after.max(self.inbox.acknowledged)),
            (after, _) => after,
        };
        match after {
            Ok(after) => {
                self.last_reader = self.last_reader.saturating_add(1);
                let id = ReaderId(self.last_reader);
                self.readers.insert(id, Reader::new(id, source, window, after));
                self.reply(command, Reply::Reading(id));
                self.pump_reader(id);
            }
            Err(refusal) => self.reply(command, Reply::Refused(refusal)),
        }
    }

    pub(super) fn on_consumed(&mut self, reader: ReaderId, bytes: u32) {
        if let Some(state) = self.readers.get_mut(&reader) {
            state.consumed(bytes);
            self.pump_reader(reader);
        }
    }

    pub(super) fn on_unsubscribe(&mut self, command: CommandId, reader: ReaderId) {
        let known = self.readers.remove(&reader).is_some();
        self.reply(command, if known { Reply::Done } else { Reply::Refused(Refusal::UnknownReader) });
    }

    /// Hands a message that was just committed to the readers that are live; the rest find it in the log.
    pub(super) fn show(&mut self, source: Source, committed: &Committed) {
        let Some(released) = committed.released else { return };
        let mut delivery = None;
        let readers: Vec<ReaderId> =
            self.readers.values().filter(|reader| reader.source == source).map(|reader| reader.id).collect();
        for id in readers {
            let Some(reader) = self.readers.get_mut(&id) else { continue };
            if !(reader.live && reader.has_room()) {
                reader.live = false;
                self.pump_reader(id);
                continue;
            }
            if delivery.is_none() && self.is_locked(source, &committed.message) {
                self.lock_reader(id);
                continue;
            }
            if delivery.is_none() {
                let gap =
                    self.log_of(source).and_then(|(log, _)| log.find(committed.pos)).is_some_and(|entry| entry.gap);
                delivery = Some(self.open(source, &committed.message, committed.tag, released, gap));
            }
            self.hand(id, released, delivery.clone().flatten());
        }
    }

    fn hand(&mut self, id: ReaderId, released: LogPos, delivery: Option<Arc<Delivery>>) {
        let Some(reader) = self.readers.get_mut(&id) else { return };
        match delivery {
            Some(delivery) => {
                reader.handed(released, u64::from(delivery.weight));
                self.event(Event::Deliver(id, delivery));
            }
            // It cannot be opened here: it was counted, and nothing is owed to the reader.
            None => reader.after = reader.after.max(released),
        }
    }

    pub(super) fn pump_readers(&mut self, source: Source) {
        let readers: Vec<ReaderId> =
            self.readers.values().filter(|reader| reader.source == source).map(|reader| reader.id).collect();
        for id in readers {
            if let Some(reader) = self.readers.get_mut(&id) {
                reader.live = false;
            }
            self.pump_reader(id);
        }
    }

    /// Whether a message is sealed under a key that this node is about to get: it is not for skipping.
    fn is_locked(&self, source: Source, message: &Message) -> bool {
        let Source::Group(id) = source else { return false };
        let awaits = |group: &&Group| group.awaits_key(self.now.wall);
        let Some(group) = self.groups.get(&id).filter(awaits) else { return false };
        match Payload::of_message(message) {
            Ok(Payload::Sealed(sealed)) => group.keys.find(&sealed.key_id).is_none(),
            Ok(Payload::Entries(_) | Payload::Nested(_) | Payload::Manifest(_)) | Err(_) => false,
        }
    }

    /// A reader stops before a message that cannot be opened yet; it goes on when the key comes, and looks again at
    /// every tick, so that what is trimmed meanwhile is told as a gap.
    fn lock_reader(&mut self, id: ReaderId) {
        if let Some(reader) = self.readers.get_mut(&id) {
            reader.live = false;
            reader.locked = true;
        }
    }

    /// Lets the readers of a group look again at what they could not open.
    pub(super) fn unlock_readers(&mut self, id: crosscast_wire::GroupId) {
        let locked = |reader: &&mut Reader| reader.locked && reader.source == Source::Group(id);
        let mut ids = Vec::new();
        for reader in self.readers.values_mut().filter(locked) {
            reader.locked = false;
            ids.push(reader.id);
        }
        for reader in ids {
            self.pump_reader(reader);
        }
    }

    /// Reads on for a reader that is behind and has room.
    fn pump_reader(&mut self, id: ReaderId) {
        let Some(reader) = self.readers.get(&id) else { return };
        if reader.reading || reader.live || reader.locked || !reader.has_room() {
            return;
        }
        let (source, mut after) = (reader.source, reader.after);
        let Some((log, log_id)) = self.log_of(source) else { return };
        // What was freed before its release was committed is missed when the release can be seen, not before.
        let (lost, shown) = (log.lost_released.min(log.shown), log.shown);
        let missed = lost > after;
        after = after.max(lost);
        let Some(reader) = self.readers.get_mut(&id) else { return };
        reader.after = after;
        if shown <= after {
            reader.live = true;
        } else {
            reader.reading = true;
            let read = StoreOp::ReadReleased { log: log_id, after, max_bytes: limits::READ_BYTES };
            self.store(Pending::ReaderRead(id), read);
        }
        if missed {
            self.event(Event::ReaderGap(id));
        }
    }

    pub(super) fn on_reader_read(&mut self, id: ReaderId, outcome: StoreOutcome) {
        let Some(reader) = self.readers.get_mut(&id) else { return };
        reader.reading = false;
        let source = reader.source;
        let items = match outcome {
            StoreOutcome::Items { items, .. } => items,
            StoreOutcome::Committed | StoreOutcome::Failed(_) => Vec::new(),
        };
        let shown = self.log_of(source).map(|(log, _)| log.shown).unwrap_or_default();
        if items.is_empty() {
            // Nothing is kept up to what is shown: go past it rather than ask again.
            if let Some(reader) = self.readers.get_mut(&id) {
                reader.after = reader.after.max(shown);
            }
        }
        for LogItem { entry, bytes } in items {
            let Some(reader) = self.readers.get(&id) else { return };
            let Some(released) = entry.released.filter(|released| *released <= shown) else { break };
            if !reader.has_room() {
                break;
            }
            if released <= reader.after {
                continue;
            }
            let parsed = Message::parse(bytes);
            if parsed.as_ref().is_ok_and(|message| self.is_locked(source, message)) {
                return self.lock_reader(id);
            }
            let delivery = match parsed {
                Ok(message) => self.open(source, &message, tag_of(source, entry.tag), released, entry.gap),
                Err(_) => None,
            };
            self.hand(id, released, delivery);
        }
        self.pump_reader(id);
    }

    /// Opens a message for readers; one that cannot be opened is counted.
    fn open(
        &mut self,
        source: Source,
        message: &Message,
        tag: Tag,
        cursor: LogPos,
        gap: bool,
    ) -> Option<Arc<Delivery>> {
        let Some(entries) = self.entries(message) else {
            self.rejects.count(Reject::Unreadable);
            return None;
        };
        let header = message.header();
        let bytes = entries.payload_len();
        let (request, service) = self.letter_facts(header, &message.id());
        let repeats = self.repeated(source, header.from, message.id(), &entries);
        Some(Arc::new(Delivery {
            source,
            id: message.id(),
            from: header.from,
            instance: header.instance,
            seq: header.seq,
            time: header.time,
            cursor,
            entries,
            hops: tag.hops,
            network: tag.last.map(|(network, _)| network),
            path: tag.last.map(|(_, path)| path),
            trail: tag.trail,
            order: header.order,
            gap,
            request,
            service,
            recipients: header.recipients.clone(),
            weight: u32::try_from(bytes.max(1)).unwrap_or(u32::MAX),
            repeats,
        }))
    }

    pub(super) fn entries(&self, message: &Message) -> Option<Entries> {
        let header = message.header();
        let sealed = match Payload::of_message(message) {
            Ok(Payload::Entries(entries)) => return Some(entries),
            Ok(Payload::Sealed(sealed)) => sealed,
            Ok(Payload::Nested(_) | Payload::Manifest(_)) | Err(_) => return None,
        };
        let key = match header.to {
            Destination::Multicast(id) => {
                let content = self.groups.get(&id)?.keys.find(&sealed.key_id)?;
                content.for_sender(id.as_bytes(), &header.from, header.instance)
            }
            Destination::Unicast(_) => self.letter_key(header, &sealed)?,
        };
        let plain = open_payload(self.config.crypto.as_ref(), &key, &message.aad(), &sealed).ok()?;
        match Payload::of_plaintext(message, plain) {
            Ok(Payload::Entries(entries)) => Some(entries),
            Ok(Payload::Nested(_) | Payload::Manifest(_) | Payload::Sealed(_)) | Err(_) => None,
        }
    }
}

/// Where a reader starts.
fn start(log: &Log, since: Since) -> Result<LogPos, Refusal> {
    match since {
        Since::Now => Ok(log.shown),
        Since::Oldest => Ok(log.lost_released),
        Since::After(pos) if pos < log.lost_released => Err(Refusal::NoHistory),
        Since::After(pos) => Ok(pos),
        Since::AfterMessage(id) => {
            let entry = log.position_of(&id).and_then(|pos| log.find(pos)).ok_or(Refusal::NoHistory)?;
            entry.released.filter(|released| *released >= log.lost_released).ok_or(Refusal::NoHistory)
        }
        Since::Time(time) => Ok(log.released_before(time).max(log.lost_released)),
    }
}

/// How a message came that was read from a log.
fn tag_of(source: Source, tag: u64) -> Tag {
    match source {
        Source::Group(_) => Tag::unpack_of_group(tag),
        Source::Inbox => Tag::unpack(tag),
    }
}

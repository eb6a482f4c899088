//! Server-sent events, as the WHATWG HTML standard section 9.2 reads them, from chunks of any size.
//!
//! Only what the daemon sends is needed: `event`, `id`, `data`, comments. A line or an event beyond the bound ends the
//! stream, since no daemon of ours sends one.

use bytes::Bytes;

/// Largest event in bytes. 1 MiB: an entry of 64 KiB in JSON escapes is at most 400 KiB.
const EVENT_MAX: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; `message` is the default.
    pub(crate) name: String,
    /// Its data; lines joined by a newline.
    pub(crate) data: String,
    /// The last id that the stream has named, with this event at the latest.
    pub(crate) last_id: Option<String>,
}

/// The bound was exceeded, or the text is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    event: Option<Event>,
    last_id: Option<String>,
}

impl Parser {
    /// Takes a chunk and appends the events it completes; an event without data only moves the last id.
    pub(crate) fn push(&mut self, chunk: &Bytes, events: &mut Vec<Event>) -> Result<(), Malformed> {
        let mut rest: &[u8] = chunk;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let (piece, tail) = rest.split_at_checked(at).ok_or(Malformed)?;
            rest = tail.get(1..).unwrap_or_default();
            self.line.extend_from_slice(piece);
            let mut line = std::mem::take(&mut self.line);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            self.take(std::str::from_utf8(&line).map_err(|_| Malformed)?, events)?;
            line.clear();
            // The buffer is used again.
            self.line = line;
        }
        self.line.extend_from_slice(rest);
        if self.line.len() > EVENT_MAX { Err(Malformed) } else { Ok(()) }
    }

    /// The last id that was named, also by an event without data.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    fn take(&mut self, line: &str, events: &mut Vec<Event>) -> Result<(), Malformed> {
        if line.is_empty() {
            if let Some(mut event) = self.event.take() {
                self.last_id = event.last_id.take().or_else(|| self.last_id.take());
                if !event.data.is_empty() || !event.name.is_empty() {
                    event.last_id = self.last_id.clone();
                    events.push(event);
                }
            }
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.get_or_insert_default().name = value.to_owned(),
            "id" => self.event.get_or_insert_default().last_id = Some(value.to_owned()),
            "data" => {
                let data = &mut self.event.get_or_insert_default().data;
                if !data.is_empty() {
                    data.push('\n');
                }
                data.push_str(value);
                return if data.len() > EVENT_MAX { Err(Malformed) } else { Ok(()) };
            }
            // Comments (an empty field name), `retry` and anything newer.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn read(text: &[u8], size: usize) -> (Vec<Event>, Option<String>) {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for chunk in text.chunks(size) {
            parser.push(&Bytes::copy_from_slice(chunk), &mut events).unwrap();
        }
        let last = parser.last_id().map(str::to_owned);
        (events, last)
    }

    #[test]
    fn events_are_read_whatever_the_chunks() {
        let text =
            b"id: 1.0\n\n: alive\n\nid: 2.0\ndata: {\"a\":1}\n\nevent: gap\ndata: x\ndata: y\r\n\r\ndata: cut off";
        let event =
            |name: &str, data: &str| Event { name: name.into(), data: data.into(), last_id: Some("2.0".into()) };
        for size in 1..=text.len() {
            let (events, last) = read(text, size);
            assert_eq!(events, vec![event("", "{\"a\":1}"), event("gap", "x\ny")], "chunks of {size}");
            assert_eq!(last.as_deref(), Some("2.0"));
        }
    }

    #[test]
    fn an_id_alone_moves_the_cursor() {
        assert_eq!(read(b"id: 7.3\n\n", 100), (vec![], Some("7.3".into())));
        assert_eq!(read(b"id: 7.3\n", 100), (vec![], None), "not before the event is complete");
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        let chunk = Bytes::from(vec![b'x'; EVENT_MAX]);
        assert_eq!(parser.push(&chunk, &mut Vec::new()), Ok(()));
        assert_eq!(parser.push(&Bytes::from_static(b"x"), &mut Vec::new()), Err(Malformed));
    }
}

//! Reading server-sent events as the bytes come, within bounds.

use std::mem;

/// The longest line, and the most that one event may have, in bytes.
const BYTES_MAX: usize = 8 << 20;

/// One event as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RawEvent {
    pub(super) id: String,
    pub(super) content: String,
}

/// Collects bytes until they are events. What is neither an id nor content is passed over.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    /// The end of the last piece was a carriage return, whose line feed may still come.
    after_return: bool,
    event: RawEvent,
    has_content: bool,
}

/// One event, or one line of it, has more bytes than may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event has more than {BYTES_MAX} bytes")]
pub(super) struct TooLong;

impl Reader {
    /// Takes the next bytes, and answers the events that they complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<RawEvent>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            let after_return = mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                byte => self.line.push(*byte),
            }
            if self.line.len() + self.event.content.len() > BYTES_MAX {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<RawEvent> {
        let line = mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        if line.is_empty() {
            let has_content = mem::take(&mut self.has_content);
            let content = mem::take(&mut self.event.content);
            // The id stays that of the events to come, until another one is told.
            return has_content.then(|| RawEvent { id: self.event.id.clone(), content });
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if mem::replace(&mut self.has_content, true) {
                    self.event.content.push('\n');
                }
                self.event.content.push_str(value);
            }
            "id" => value.clone_into(&mut self.event.id),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = ": alive\n\nid: 1\nevent: a\ndata: {\"x\":\ndata: 1}\n\ndata:none\r\n\r\nid: 3\rdata: z\r\rid: 4\ndata: cut";

    #[test]
    fn events_are_the_same_however_their_bytes_come() {
        let event = |id: &str, content: &str| RawEvent { id: id.to_owned(), content: content.to_owned() };
        let expected = [event("1", "{\"x\":\n1}"), event("1", "none"), event("3", "z")];
        for size in 1..TEXT.len() {
            let mut reader = Reader::default();
            let mut found = Vec::new();
            for piece in TEXT.as_bytes().chunks(size) {
                found.extend(reader.take(piece).expect("it is short"));
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_not_collected_for_ever() {
        let mut reader = Reader::default();
        let line = format!("data: {}\n", "x".repeat(1 << 20));
        let taken = (0..9).find_map(|_| reader.take(line.as_bytes()).err());
        assert_eq!(taken, Some(TooLong));
        let mut reader = Reader::default();
        assert_eq!(reader.take(&vec![b'x'; BYTES_MAX + 1]), Err(TooLong));
    }
}

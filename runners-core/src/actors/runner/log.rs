//! What an attempt has logged and the control plane has not yet: bounded, in chunks that do not
//! change once they were sent.

use crate::values::{opaque::Opaque, sync::SyncRequest};
use bytes::{Bytes, BytesMut};

/// The most that is logged of one attempt: room is left for the last line, which says what is
/// missing.
pub(super) const LOG_BYTES_MAX: u64 = SyncRequest::LOG_BYTES_MAX - MARKER_BYTES_MAX;
/// The longest line that says what is missing.
const MARKER_BYTES_MAX: u64 = 128;
/// The most of one attempt's log that waits to be sent: 1 MiB.
pub(super) const LOG_UNSENT_BYTES_MAX: usize = 1 << 20;
/// The largest chunk as it stands in JSON, where a byte may take six: 128 KiB.
const CHUNK_JSON_BYTES_MAX: usize = 128 << 10;

/// The tail of an attempt's log.
#[derive(Debug, Default)]
pub(super) struct LogBuffer {
    /// The offset of the first byte that is not known to be kept.
    base: u64,
    /// The chunk at `base`, once it was sent.
    frozen: Option<Bytes>,
    unsent: BytesMut,
    written: u64,
    missing: u64,
}

impl LogBuffer {
    /// Takes text. What is over a limit is counted, and marked where it would have stood.
    pub(super) fn append(&mut self, text: &[u8]) {
        let marker = self.marker();
        let length = marker.len() + text.len();
        let fits = self.unsent.len() + length <= LOG_UNSENT_BYTES_MAX
            && self.written + length as u64 <= LOG_BYTES_MAX;
        if fits {
            self.push(marker.as_bytes());
            self.push(text);
            self.missing = 0;
        } else {
            self.missing += text.len() as u64;
        }
    }

    /// Nothing more comes: what is missing at the end is marked.
    pub(super) fn close(&mut self) {
        let marker = self.marker();
        self.push(marker.as_bytes());
        self.missing = 0;
    }

    /// How many bytes it has, with what marks those that are missing.
    pub(super) const fn end(&self) -> u64 {
        self.written
    }

    /// The chunk to send: the one that was sent already, until it is known to be kept.
    pub(super) fn chunk(&mut self) -> Option<(u64, Bytes)> {
        if self.frozen.is_none() && !self.unsent.is_empty() {
            let length = chunk_length(&self.unsent);
            self.frozen = Some(self.unsent.split_to(length).freeze());
        }
        self.frozen.clone().map(|bytes| (self.base, bytes))
    }

    /// Takes note of up to where the log is kept. Answers whether that is news.
    pub(super) fn logged(&mut self, offset: u64) -> bool {
        let Some(end) = self.frozen.as_ref().map(|bytes| self.base + bytes.len() as u64) else {
            return false;
        };
        if offset < end {
            return false;
        }
        self.base = end;
        self.frozen = None;
        true
    }

    /// Whether everything is kept.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.frozen.is_none() && self.unsent.is_empty()
    }

    /// Whether there is more than the next chunk carries.
    pub(super) fn is_more_than_a_chunk(&self) -> bool {
        match &self.frozen {
            Some(_) => !self.unsent.is_empty(),
            None => !self.unsent.is_empty() && chunk_length(&self.unsent) < self.unsent.len(),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
    }

    fn marker(&self) -> String {
        match self.missing {
            0 => String::new(),
            missing => format!("\n[{missing} bytes of the log are missing here]\n"),
        }
    }
}

/// How much of `bytes` makes a chunk: cut at a character, and small enough in JSON.
fn chunk_length(bytes: &[u8]) -> usize {
    let mut length = bytes.len().min(SyncRequest::LOG_CHUNK_BYTES_MAX);
    loop {
        while length < bytes.len() && bytes[length] & 0xc0 == 0x80 {
            length -= 1;
        }
        if length <= CHUNK_JSON_BYTES_MAX / 6 || json_length(&bytes[..length]) <= CHUNK_JSON_BYTES_MAX {
            return length;
        }
        length /= 2;
    }
}

/// How many bytes a value takes in JSON.
pub(super) fn json_length(bytes: &[u8]) -> usize {
    let opaque = Opaque::new(Bytes::copy_from_slice(bytes));
    serde_json::to_vec(&opaque).expect("bytes always serialise").len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_once_sent_stays_as_it_was_until_it_is_logged() {
        let mut log = LogBuffer::default();
        log.append(b"one ");
        assert_eq!(log.chunk(), Some((0, Bytes::from_static(b"one "))));
        log.append(b"two");
        assert_eq!(log.chunk(), Some((0, Bytes::from_static(b"one "))));
        assert!(!log.logged(3), "half a chunk is not a chunk");
        assert!(log.logged(4));
        assert_eq!(log.chunk(), Some((4, Bytes::from_static(b"two"))));
        assert!(log.logged(7));
        assert!(log.is_empty());
    }

    #[test]
    fn what_is_over_the_limit_is_marked_where_it_would_have_stood() {
        let mut log = LogBuffer::default();
        log.append(&vec![b'a'; LOG_UNSENT_BYTES_MAX]);
        log.append(b"lost");
        while let Some((offset, bytes)) = log.chunk() {
            log.logged(offset + bytes.len() as u64);
        }
        log.append(b"kept");
        let (offset, bytes) = log.chunk().unwrap();
        assert_eq!(offset, LOG_UNSENT_BYTES_MAX as u64);
        assert_eq!(bytes, &b"\n[4 bytes of the log are missing here]\nkept"[..]);
    }

    #[test]
    fn a_log_over_its_limit_ends_with_what_is_missing() {
        let mut log = LogBuffer { written: LOG_BYTES_MAX - 1, ..LogBuffer::default() };
        log.append(b"over");
        log.append(b"more");
        log.close();
        assert_eq!(log.chunk().unwrap().1, &b"\n[8 bytes of the log are missing here]\n"[..]);
    }

    #[test]
    fn a_chunk_is_cut_at_a_character_and_by_its_size_in_json() {
        let mut log = LogBuffer::default();
        log.append(format!("x{}", "é".repeat(SyncRequest::LOG_CHUNK_BYTES_MAX)).as_bytes());
        assert!(log.is_more_than_a_chunk());
        let (_, bytes) = log.chunk().unwrap();
        assert!(std::str::from_utf8(&bytes).is_ok());
        assert_eq!(bytes.len(), SyncRequest::LOG_CHUNK_BYTES_MAX - 1);
        let mut log = LogBuffer::default();
        log.append(&[1; SyncRequest::LOG_CHUNK_BYTES_MAX]);
        assert!(json_length(&log.chunk().unwrap().1) <= CHUNK_JSON_BYTES_MAX);
    }
}

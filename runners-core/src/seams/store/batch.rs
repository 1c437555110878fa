//! What makes a batch malformed, whatever the store holds. Every backend asks here before it
//! looks at its data, so that all refuse the same batches in the same words.

use crate::{
    seams::store::{StoreError, Write},
    values::key::{Index, Key},
};
use std::collections::HashSet;

/// Why a batch cannot be applied to any store. It is a bug of the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Split it: it has more than [`Write::BATCH_MAX`] writes.
    #[error("batch has {writes} writes, at most {} are allowed: split it", Write::BATCH_MAX)]
    TooManyWrites {
        /// How many it has.
        writes: usize,
    },
    /// Split it: it has more than [`Write::BATCH_BYTES_MAX`] bytes.
    #[error("batch has {bytes} bytes, at most {} are allowed: split it", Write::BATCH_BYTES_MAX)]
    TooManyBytes {
        /// How many it has.
        bytes: usize,
    },
    /// Hash it: an id has more than [`Key::ID_MAX`] bytes.
    #[error("id of {key:?} has {} bytes, at most {} are allowed: put its hash instead", key.id.len(), Key::ID_MAX)]
    LongId {
        /// Whose id it is.
        key: Key,
    },
    /// Merge the writes: a record is put, deleted or expected twice.
    #[error("record {key:?} is put, deleted or expected twice: merge the writes")]
    KeyTwice {
        /// The record.
        key: Key,
    },
    /// Keep one: a record has two entries in one index.
    #[error("record {key:?} has two entries in index {index:?}: keep one")]
    IndexTwice {
        /// The record.
        key: Key,
        /// The index.
        index: Index,
    },
    /// Drop the entries: a record whose kind is a body stands in no index.
    #[error("record {key:?} is a body and stands in no index: drop the entries")]
    BodyIndexed {
        /// The record.
        key: Key,
    },
    /// Expect 0 instead: a delete needs the version that was read.
    #[error("delete of {key:?} expects version 0: give the version it was read at")]
    DeleteOfNothing {
        /// The record.
        key: Key,
    },
    /// Correct the offset: it is beyond [`Write::OFFSET_MAX`].
    #[error("offset {at} of stream {stream:?} is beyond {}", Write::OFFSET_MAX)]
    FarOffset {
        /// The stream.
        stream: Key,
        /// The offset.
        at: u64,
    },
    /// Keep one: a watermark is named twice.
    #[error("watermark {watermark:?} is named twice: keep one")]
    WatermarkTwice {
        /// The watermark.
        watermark: Key,
    },
    /// Correct the number: it is beyond [`Write::OFFSET_MAX`].
    #[error("number {number} at watermark {watermark:?} is beyond {}", Write::OFFSET_MAX)]
    FarNumber {
        /// The watermark.
        watermark: Key,
        /// The number.
        number: u64,
    },
}

impl From<BatchError> for StoreError {
    fn from(error: BatchError) -> Self {
        Self::Broken(Box::new(error))
    }
}

impl Write {
    /// Checks what can be checked of a batch without a store.
    ///
    /// # Errors
    /// The first thing that makes it malformed.
    pub fn check_batch(batch: &[Self]) -> Result<(), BatchError> {
        if batch.len() > Self::BATCH_MAX {
            return Err(BatchError::TooManyWrites { writes: batch.len() });
        }
        let bytes = batch.iter().map(Self::size).sum();
        if bytes > Self::BATCH_BYTES_MAX {
            return Err(BatchError::TooManyBytes { bytes });
        }
        let mut seen = HashSet::with_capacity(batch.len());
        for write in batch {
            write.check()?;
            if let Some(key) = write.record()
                && !seen.insert(key)
            {
                return Err(BatchError::KeyTwice { key: key.clone() });
            }
        }
        check_watermarks(batch)
    }

    /// The bytes in its body, index keys or chunk, as [`Write::BATCH_BYTES_MAX`] counts them.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Put { body, indexes, .. } => {
                body.len() + indexes.iter().map(|(_, entry)| entry.len()).sum::<usize>()
            }
            Self::Append { bytes, .. } | Self::AppendLines { bytes, .. } => bytes.len(),
            Self::Delete { .. }
            | Self::Expect { .. }
            | Self::Add { .. }
            | Self::Drop { .. }
            | Self::Above { .. }
            | Self::Raise { .. } => 0,
        }
    }

    /// The record that it writes or expects, and the version it was read at.
    #[must_use]
    pub fn expectation(&self) -> Option<(&Key, u64)> {
        match self {
            Self::Put { key, expected, .. }
            | Self::Delete { key, expected }
            | Self::Expect { key, expected } => Some((key, *expected)),
            Self::Add { .. }
            | Self::Append { .. }
            | Self::AppendLines { .. }
            | Self::Drop { .. }
            | Self::Above { .. }
            | Self::Raise { .. } => None,
        }
    }

    /// The watermark that it names, and the number at it.
    #[must_use]
    pub const fn at_watermark(&self) -> Option<(&Key, u64)> {
        match self {
            Self::Above { watermark, number } | Self::Raise { watermark, to: number } => {
                Some((watermark, *number))
            }
            _ => None,
        }
    }

    fn record(&self) -> Option<&Key> {
        self.expectation().map(|(key, _)| key)
    }

    fn check(&self) -> Result<(), BatchError> {
        let key = match self {
            Self::Put { key, .. } | Self::Delete { key, .. } | Self::Expect { key, .. } => key,
            Self::Add { counter, .. } => counter,
            Self::Append { stream, .. } | Self::AppendLines { stream, .. } | Self::Drop { stream, .. } => {
                stream
            }
            Self::Above { watermark, .. } | Self::Raise { watermark, .. } => watermark,
        };
        if key.id.len() > Key::ID_MAX {
            return Err(BatchError::LongId { key: key.clone() });
        }
        match self {
            Self::Put { key, indexes, .. } => check_indexes(key, indexes),
            Self::Delete { key, expected: 0 } => Err(BatchError::DeleteOfNothing { key: key.clone() }),
            Self::Append { stream, at, .. } | Self::AppendLines { stream, first: at, .. }
                if *at > Self::OFFSET_MAX =>
            {
                Err(BatchError::FarOffset { stream: stream.clone(), at: *at })
            }
            _ => Ok(()),
        }
    }
}

fn check_watermarks(batch: &[Write]) -> Result<(), BatchError> {
    let mut seen: Vec<&Key> = Vec::new();
    for (watermark, number) in batch.iter().filter_map(Write::at_watermark) {
        if number > Write::OFFSET_MAX {
            return Err(BatchError::FarNumber { watermark: watermark.clone(), number });
        }
        if seen.contains(&watermark) {
            return Err(BatchError::WatermarkTwice { watermark: watermark.clone() });
        }
        seen.push(watermark);
    }
    Ok(())
}

fn check_indexes(key: &Key, indexes: &[(Index, bytes::Bytes)]) -> Result<(), BatchError> {
    if key.kind.is_body() && !indexes.is_empty() {
        return Err(BatchError::BodyIndexed { key: key.clone() });
    }
    for (position, (index, _)) in indexes.iter().enumerate() {
        if indexes[..position].iter().any(|(earlier, _)| earlier == index) {
            return Err(BatchError::IndexTwice { key: key.clone(), index: *index });
        }
    }
    Ok(())
}

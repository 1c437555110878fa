//! What attempts leave on their way: logs, progress and artifacts, until they are told.

use super::Session;
use crate::{
    actors::runner::log::LogBuffer,
    values::{lease::FencingToken, sync::Attachment, time::BootTime},
};
use std::collections::BTreeMap;

/// What an attempt leaves on its way.
#[derive(Debug, Default)]
pub(super) struct Trail {
    pub(super) log: LogBuffer,
    /// Artifacts by name, each with the number of requests that were sent before.
    pub(super) attachments: BTreeMap<String, (Attachment, u64)>,
    pub(super) progress: Option<(u64, String)>,
    progress_number: u64,
}

/// Whatever comes after its lease is gone is dropped.
impl Session {
    /// Nothing more is logged of an attempt. How many bytes its log has, if it has one.
    pub(in super::super) fn end_log(&mut self, token: FencingToken) -> Option<u64> {
        let trail = self.trails.get_mut(&token)?;
        trail.log.close();
        Some(trail.log.end())
    }

    pub(in super::super) fn log(&mut self, token: FencingToken, text: &[u8], now: BootTime) {
        if let Some(trail) = self.trail(token) {
            trail.log.append(text);
            self.murmur.get_or_insert(now);
        }
    }

    pub(in super::super) fn progress(&mut self, token: FencingToken, text: String, now: BootTime) {
        if let Some(trail) = self.trail(token) {
            trail.progress_number += 1;
            trail.progress = Some((trail.progress_number, text));
            self.murmur.get_or_insert(now);
        }
    }

    pub(in super::super) fn attach(&mut self, attachment: Attachment, now: BootTime) {
        let seq = self.seq;
        if let Some(trail) = self.trail(attachment.token) {
            trail.attachments.insert(attachment.name.clone(), (attachment, seq));
            self.murmur.get_or_insert(now);
        }
    }

    fn trail(&mut self, token: FencingToken) -> Option<&mut Trail> {
        self.held.contains_key(&token).then(|| self.trails.entry(token).or_default())
    }
}

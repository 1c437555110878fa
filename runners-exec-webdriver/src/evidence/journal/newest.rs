//! What of the journal stands in a film while it goes on: the newest lines of the console and the newest requests,
//! short, because all of it is written anew whenever there is more.

use super::{Journal, SharedJournal};
use crate::evidence::{console::Entry, har, network::Exchange, told};
use runners_core::BootTime;
use serde_json::{Value, json};
use std::time::Duration;

/// The most lines and requests together, and the most bytes of them.
const NEWEST_MAX: usize = 500;
pub(super) const NEWEST_BYTES_MAX: usize = 96 * 1024;
/// The longest text or address of one in bytes.
const TEXT_BYTES_MAX: usize = 300;
/// The least time between two tellings, which doubles with so many of them.
const TELL_EVERY: Duration = Duration::from_secs(2);
const TELLINGS_AT_A_PACE: u32 = 30;
/// The most doublings: after that it is told once in days.
const PACE_MAX: u32 = 16;

/// What was heard, as it is told again and again.
#[derive(Debug)]
pub(in crate::evidence) struct Telling {
    journal: SharedJournal,
    /// What the journal had seen when it was told last, and when that was.
    changes: u64,
    told_at: Option<BootTime>,
    times: u32,
}

impl Telling {
    pub(in crate::evidence) const fn of(journal: SharedJournal) -> Self {
        Self { journal, changes: 0, told_at: None, times: 0 }
    }

    /// Whether there is something new, and it is time to tell it.
    pub(in crate::evidence) fn is_due(&self, now: BootTime) -> bool {
        let pause = TELL_EVERY * (1 << (self.times / TELLINGS_AT_A_PACE).min(PACE_MAX));
        self.told_at.is_none_or(|told| now.since(told) >= pause)
            && self.journal.open().changes != self.changes
    }

    /// Tells it.
    pub(in crate::evidence) fn tell(&mut self, now: BootTime) -> Value {
        let journal = self.journal.open();
        (self.changes, self.told_at, self.times) = (journal.changes, Some(now), self.times.saturating_add(1));
        journal.newest()
    }
}

/// A line, or a request.
#[derive(Clone, Copy, Debug)]
enum Note<'j> {
    Said(&'j Entry),
    Asked(&'j Exchange),
}

impl Note<'_> {
    const fn at(&self) -> f64 {
        match self {
            Self::Said(entry) => entry.at,
            Self::Asked(exchange) => exchange.at,
        }
    }
}

impl Journal {
    /// The newest that fit, the earliest of them first, and how many are left out.
    fn newest(&self) -> Value {
        let said = self.entries.all.iter().map(Note::Said);
        let mut notes: Vec<Note<'_>> = said.chain(self.exchanges.all.iter().map(Note::Asked)).collect();
        notes.sort_by(|one, other| one.at().total_cmp(&other.at()));
        let all = notes.len() + self.entries.left_out + self.exchanges.left_out;
        let (mut console, mut requests, mut bytes) = (Vec::new(), Vec::new(), 0);
        for note in notes.into_iter().rev().take(NEWEST_MAX) {
            let told = self.told(note);
            bytes += told.to_string().len();
            if bytes > NEWEST_BYTES_MAX {
                break;
            }
            match note {
                Note::Said(_) => console.push(told),
                Note::Asked(_) => requests.push(told),
            }
        }
        console.reverse();
        requests.reverse();
        let left_out = all - console.len() - requests.len();
        json!({ "console": console, "requests": requests, "left_out": left_out })
    }

    fn told(&self, note: Note<'_>) -> Value {
        let (step, since) = (self.step_at(note.at()), self.since_began(note.at()));
        let short = |text: &str| told(&self.redactor, text, TEXT_BYTES_MAX);
        match note {
            Note::Said(entry) => {
                let (text, url) = (short(&entry.text), short(&entry.url));
                json!(Entry { at_ms: since, step, text, url, ..entry.clone() })
            }
            Note::Asked(exchange) => har::brief(exchange, step, since, short),
        }
    }
}

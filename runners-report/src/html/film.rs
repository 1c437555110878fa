//! What the screen showed, read from `frames.json`, as a player that needs no script: each picture is
//! behind a place on a strip that can be pointed at, chosen and walked along with the arrow keys; played,
//! each appears at its time, which is what the style of the page says.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{fmt::Write as _, time::Duration};

/// The most pictures of a player; of more, some are left out.
const FRAMES_MAX: usize = 240;

/// A player.
pub(super) struct FilmView {
    /// Tells it apart within the page.
    pub(super) number: usize,
    pub(super) span: String,
    pub(super) frames: Vec<FrameView>,
}

/// One picture.
pub(super) struct FrameView {
    /// An address that holds it.
    pub(super) source: String,
    pub(super) at_ms: u64,
    pub(super) at: String,
    /// It is the last, which stands there until another is chosen.
    pub(super) last: bool,
}

#[derive(Deserialize)]
struct Archive {
    #[serde(default)]
    duration_ms: u64,
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    at_ms: u64,
    jpeg: String,
}

impl FilmView {
    /// Reads `frames.json` into at most `bytes_max` bytes of page; nothing if it is something else.
    pub(super) fn read(bytes: &[u8], number: usize, bytes_max: usize) -> Option<Self> {
        let archive: Archive = serde_json::from_slice(bytes).ok()?;
        // What is no base64 does not get into the page.
        let mut frames: Vec<Frame> =
            archive.frames.into_iter().filter(|frame| STANDARD.decode(&frame.jpeg).is_ok()).collect();
        while frames.len() > FRAMES_MAX || (frames.len() > 1 && length(&frames) > bytes_max) {
            let mut left = frames.len();
            // The last one stays.
            frames.retain(|_| {
                left -= 1;
                left.is_multiple_of(2)
            });
        }
        if frames.is_empty() || length(&frames) > bytes_max {
            return None;
        }
        let last = frames.len() - 1;
        let view = |(at, frame): (usize, Frame)| FrameView {
            source: format!("data:image/jpeg;base64,{}", frame.jpeg),
            at_ms: frame.at_ms,
            at: crate::words::span(Duration::from_millis(frame.at_ms)),
            last: at == last,
        };
        let span = crate::words::span(Duration::from_millis(archive.duration_ms));
        Some(Self { number, span, frames: frames.into_iter().enumerate().map(view).collect() })
    }

    /// About how much of the page it takes.
    pub(super) fn bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.source.len()).sum()
    }

    /// When each picture appears, as the style says it.
    pub(super) fn style(&self) -> String {
        let mut style = String::new();
        for (at, frame) in self.frames.iter().enumerate() {
            let _ = writeln!(
                style,
                ".film-{} label:nth-child({}) {{ animation-duration: {}ms; }}",
                self.number,
                at + 1,
                frame.at_ms
            );
        }
        style
    }
}

fn length(frames: &[Frame]) -> usize {
    frames.iter().map(|frame| frame.jpeg.len()).sum()
}

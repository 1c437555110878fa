//! What the screen showed, read from `film/index.json` and its parts or from one `frames.json`, as a player that needs no script: each picture is
//! behind a place on a strip that can be pointed at, chosen and walked along with the arrow keys; played,
//! each appears at its time, which is what the style of the page says.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{fmt::Write as _, mem, time::Duration};

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

/// A film, or a part of one, or an index of parts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Archive {
    duration_ms: u64,
    frames: Vec<Frame>,
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    name: String,
}

#[derive(Deserialize)]
struct Frame {
    at_ms: u64,
    /// A picture, in one of two forms.
    #[serde(default)]
    jpeg: String,
    #[serde(default)]
    png: String,
}

impl Frame {
    fn bytes(&self) -> usize {
        self.jpeg.len() + self.png.len()
    }

    /// Whether it is one picture, in base64: what is not does not get into the page.
    fn is_picture(&self) -> bool {
        self.jpeg.is_empty() != self.png.is_empty()
            && STANDARD.decode(&self.jpeg).is_ok()
            && STANDARD.decode(&self.png).is_ok()
    }

    fn source(&self) -> String {
        let (kind, data) = if self.png.is_empty() { ("jpeg", &self.jpeg) } else { ("png", &self.png) };
        format!("data:image/{kind};base64,{data}")
    }
}

impl FilmView {
    /// Reads a film into at most `bytes_max` bytes of page, its parts by `read`; nothing if it is something else.
    pub(super) fn read(
        bytes: &[u8],
        number: usize,
        bytes_max: usize,
        read: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Option<Self> {
        let mut archive: Archive = serde_json::from_slice(bytes).ok()?;
        // Of each part as many as there is room for at the end, so that no more than that is in memory.
        let share = FRAMES_MAX.div_ceil(archive.parts.len().max(1));
        for part in mem::take(&mut archive.parts) {
            let part = read(&part.name).and_then(|bytes| serde_json::from_slice::<Archive>(&bytes).ok());
            let mut frames = part.unwrap_or_default().frames;
            thin(&mut frames, |frames| frames.len() > share);
            archive.frames.append(&mut frames);
        }
        let mut frames: Vec<Frame> = archive.frames.into_iter().filter(Frame::is_picture).collect();
        thin(&mut frames, |frames| {
            frames.len() > FRAMES_MAX || (frames.len() > 1 && length(frames) > bytes_max)
        });
        if frames.is_empty() || length(&frames) > bytes_max {
            return None;
        }
        let last = frames.len() - 1;
        let view = |(at, frame): (usize, Frame)| FrameView {
            source: frame.source(),
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
    frames.iter().map(Frame::bytes).sum()
}

/// Leaves every second one out as long as there are too many. The last one stays.
fn thin(frames: &mut Vec<Frame>, are_too_many: impl Fn(&[Frame]) -> bool) {
    while are_too_many(frames) {
        let mut left = frames.len();
        frames.retain(|_| {
            left -= 1;
            left.is_multiple_of(2)
        });
    }
}

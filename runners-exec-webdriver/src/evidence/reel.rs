//! What the screen showed, in parts: each is a file of pictures with their times, complete once it is cut, and an
//! index says which there are, when each step began and what was heard. The longer it takes, the fewer pictures there are.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use runners_core::{
    Timestamp,
    live::{Frame, FrameFormat},
};
use serde_json::{Value, json};

/// The name of the index.
pub(crate) const INDEX: &str = "film/index.json";
/// What the names of all files of a film begin with.
const DIRECTORY: &str = "film/";
/// The most pictures of a part, and the most bytes of them in base64 before it is cut.
const PART_FRAMES_MAX: usize = 60;
const PART_BYTES_MAX: usize = 1024 * 1024;
/// How long a part is at first, in milliseconds, and the least time between two pictures, a little less than that at
/// which they are taken. Both double with so many parts.
const PART_MILLIS: u64 = 5_000;
const SPACING_MILLIS: u64 = 90;
const PARTS_AT_A_PACE: usize = 12;
/// The most parts. What comes later is left out.
const PARTS_MAX: usize = 120;
/// The most steps whose beginning is told.
const STEPS_MAX: usize = 1_000;

/// A film that is being made.
#[derive(Debug)]
pub(super) struct Reel {
    began: Timestamp,
    /// The parts that were cut, as the index tells them.
    parts: Vec<Value>,
    steps: Vec<Value>,
    /// The pictures of the next part.
    frames: Vec<Picture>,
    bytes: usize,
    /// The newest picture, which came too soon after the last one that is kept.
    held: Option<Picture>,
    /// When the last picture was kept, in milliseconds.
    last: Option<u64>,
    left_out: bool,
}

/// One picture, in base64.
#[derive(Debug)]
struct Picture {
    at: u64,
    format: FrameFormat,
    data: String,
}

/// A file of a film.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) name: String,
    pub(super) bytes: Bytes,
}

/// Whether a file of this name is nothing but pictures, in which no text is looked for.
pub(crate) fn is_pictures(name: &str) -> bool {
    name.starts_with(DIRECTORY) && name != INDEX
}

impl Reel {
    pub(super) const fn new(began: Timestamp) -> Self {
        Self {
            began,
            parts: Vec::new(),
            steps: Vec::new(),
            frames: Vec::new(),
            bytes: 0,
            held: None,
            last: None,
            left_out: false,
        }
    }

    /// Counts all times from here.
    pub(super) const fn begin(&mut self, now: Timestamp) {
        self.began = now;
    }

    /// A step begins.
    pub(super) fn step(&mut self, index: usize, description: &str, now: Timestamp) {
        if self.steps.len() < STEPS_MAX {
            self.steps.push(json!({ "index": index, "at_ms": self.at(now), "description": description }));
        }
    }

    /// Takes a picture.
    pub(super) fn take(&mut self, frame: &Frame) {
        if self.parts.len() >= PARTS_MAX {
            self.left_out = true;
            return;
        }
        // What the screen showed before is what it begins with.
        let picture =
            Picture { at: self.at(frame.at), format: frame.format, data: STANDARD.encode(&frame.bytes) };
        if self.last.is_some_and(|last| picture.at < last + SPACING_MILLIS * self.pace()) {
            self.held = Some(picture);
        } else {
            self.keep(picture);
        }
    }

    /// Cuts a part if there is enough for one, or whatever there is.
    pub(super) fn cut(&mut self, now: Timestamp, is_all: bool) -> Option<Cut> {
        if is_all && let Some(held) = self.held.take() {
            self.keep(held);
        }
        let first = self.frames.first()?.at;
        if self.parts.len() >= PARTS_MAX {
            (self.left_out, self.bytes) = (true, 0);
            self.frames.clear();
            return None;
        }
        let is_long = self.at(now).saturating_sub(first) >= PART_MILLIS * self.pace();
        let is_large = self.frames.len() >= PART_FRAMES_MAX || self.bytes >= PART_BYTES_MAX;
        if !(is_all || is_long || is_large) {
            return None;
        }
        let name = format!("{DIRECTORY}{:04}.json", self.parts.len());
        let frames: Vec<_> = self.frames.drain(..).map(Picture::told).collect();
        self.parts.push(json!({ "name": name, "from_ms": first, "frames": frames.len() }));
        self.bytes = 0;
        let bytes = json!({ "version": 1, "frames": frames }).to_string().into();
        Some(Cut { name, bytes })
    }

    /// What there is so far, with what was heard if somebody listens.
    pub(super) fn index(&self, now: Timestamp, is_ended: bool, heard: Option<Value>) -> Cut {
        let mut index = json!({
            "version": 1, "began_ms": self.began.as_millis(), "duration_ms": self.at(now), "ended": is_ended,
            "parts": self.parts, "steps": self.steps, "left_out": self.left_out,
        });
        if let Some(heard) = heard {
            index["heard"] = heard;
        }
        Cut { name: INDEX.to_owned(), bytes: index.to_string().into() }
    }

    /// Whether any part was cut.
    pub(super) const fn has_parts(&self) -> bool {
        !self.parts.is_empty()
    }

    fn keep(&mut self, picture: Picture) {
        self.held = None;
        self.last = Some(picture.at);
        self.bytes += picture.data.len();
        self.frames.push(picture);
    }

    /// How many times slower it is than at first.
    fn pace(&self) -> u64 {
        1 << (self.parts.len() / PARTS_AT_A_PACE)
    }

    fn at(&self, time: Timestamp) -> u64 {
        u64::try_from(time.since(self.began).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Picture {
    fn told(self) -> Value {
        let format = if self.format == FrameFormat::Png { "png" } else { "jpeg" };
        json!({ "at_ms": self.at, format: self.data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(at: u64, bytes: usize) -> Frame {
        let bytes = vec![7; bytes].into();
        Frame::new(Timestamp::from_millis(1_000 + at), FrameFormat::Jpeg, (10, 10), bytes)
    }

    fn told(cut: &Cut) -> Value {
        serde_json::from_slice(&cut.bytes).unwrap()
    }

    fn times(cut: &Cut) -> Vec<u64> {
        told(cut)["frames"].as_array().unwrap().iter().map(|frame| frame["at_ms"].as_u64().unwrap()).collect()
    }

    #[test]
    fn a_part_is_cut_by_its_time_its_number_or_its_bytes_and_its_times_go_on() {
        let mut reel = Reel::new(Timestamp::from_millis(1_000));
        let now = |at: u64| Timestamp::from_millis(1_000 + at);
        for at in [0, 40, 89, 150, 160] {
            reel.take(&frame(at, 3));
        }
        assert!(reel.cut(now(4_999), false).is_none());
        let first = reel.cut(now(5_000), false).unwrap();
        assert_eq!((&*first.name, times(&first)), ("film/0000.json", vec![0, 150]));
        assert!(reel.cut(now(60_000), false).is_none(), "nothing was seen since");
        for picture in 0..60 {
            reel.take(&frame(6_000 + picture * 100, 3));
        }
        assert_eq!(times(&reel.cut(now(12_000), false).unwrap()).len(), 60);
        reel.take(&frame(13_000, PART_BYTES_MAX));
        assert_eq!(times(&reel.cut(now(13_001), false).unwrap()), [13_000]);
        reel.take(&frame(13_050, 3));
        assert!(reel.cut(now(90_000), false).is_none(), "it came too soon");
        assert_eq!(times(&reel.cut(now(90_000), true).unwrap()), [13_050], "but it is the last");
        reel.step(0, "go", now(500));
        let index = told(&reel.index(now(90_000), true, None));
        assert_eq!((&index["duration_ms"], &index["ended"]), (&json!(90_000), &json!(true)));
        assert_eq!(index["parts"][3], json!({ "name": "film/0003.json", "from_ms": 13_050, "frames": 1 }));
        assert_eq!(index["steps"], json!([{ "index": 0, "at_ms": 500, "description": "go" }]));
    }

    #[test]
    fn a_long_film_has_fewer_pictures_and_no_more_parts_than_the_limit() {
        let mut reel = Reel::new(Timestamp::from_millis(1_000));
        let (mut at, mut parts) = (0, Vec::new());
        while parts.len() < PARTS_MAX {
            reel.take(&frame(at, 3));
            parts.extend(reel.cut(Timestamp::from_millis(1_000 + at), false));
            at += 100;
        }
        assert!(at > 6 * 3_600_000, "{at}");
        reel.take(&frame(at, 3));
        assert!(reel.cut(Timestamp::from_millis(u64::MAX), true).is_none());
        assert_eq!(told(&reel.index(Timestamp::from_millis(at), true, None))["left_out"], true);
        let spacing = |cut: &Cut| times(cut)[1] - times(cut)[0];
        assert_eq!((spacing(&parts[0]), spacing(&parts[12]), spacing(&parts[24])), (100, 200, 400));
        assert!(is_pictures("film/0001.json") && !is_pictures(INDEX) && !is_pictures("steps/1.png"));
    }
}

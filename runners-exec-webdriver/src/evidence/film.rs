//! What the screen showed, picture by picture: no more than ten a second, and the longer a flow takes
//! the fewer, so that the whole of it fits.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use runners_core::Timestamp;
use serde_json::{Value, json};

/// The most pictures. One more, and every second one goes.
const FRAMES_MAX: usize = 600;
/// The most bytes of all pictures together, in base64.
const FILM_BYTES_MAX: usize = 12 * 1024 * 1024;
/// The least time between two pictures in milliseconds, as long as there are few.
const SPACING_MILLIS: u64 = 100;

/// What the screen showed.
#[derive(Debug)]
pub(crate) struct Film {
    began: u64,
    spacing: u64,
    frames: Vec<Frame>,
    bytes: usize,
    /// The newest picture, which came too soon after the last one that is kept.
    held: Option<Frame>,
}

/// One picture.
#[derive(Debug)]
struct Frame {
    /// Milliseconds since the flow began.
    at: u64,
    /// A JPEG in base64.
    data: String,
}

impl Film {
    /// The name of the artifact.
    pub(crate) const NAME: &'static str = "frames.json";

    pub(super) const fn new(now: Timestamp) -> Self {
        let began = now.as_millis();
        Self { began, spacing: SPACING_MILLIS, frames: Vec::new(), bytes: 0, held: None }
    }

    /// Takes a picture that the browser sends.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time after 1970")]
    pub(super) fn take(&mut self, params: &Value) {
        let Some(data) = params["data"].as_str() else { return };
        let taken = params["metadata"]["timestamp"].as_f64().unwrap_or(0.0) * 1_000.0;
        // What the screen showed before the flow is what it begins with.
        let at = (taken as u64).saturating_sub(self.began);
        self.add(Frame { at, data: data.to_owned() });
    }

    /// Its pictures as one file, ending at a time; none if nothing was seen.
    pub(crate) fn archive(&mut self, now: Timestamp) -> Option<Bytes> {
        if let Some(last) = self.held.take() {
            self.keep(last);
        }
        if self.frames.is_empty() {
            return None;
        }
        let frame = |frame: &Frame| json!({ "at_ms": frame.at, "jpeg": frame.data });
        let frames: Vec<_> = self.frames.iter().map(frame).collect();
        let duration = now.as_millis().saturating_sub(self.began);
        Some(json!({ "version": 1, "duration_ms": duration, "frames": frames }).to_string().into())
    }

    /// Each picture as the bytes of a JPEG, and how long it was to be seen, in milliseconds.
    pub(super) fn pictures(&self, now: Timestamp) -> Vec<(Vec<u8>, u64)> {
        let end = now.as_millis().saturating_sub(self.began);
        let next = self.frames.iter().skip(1).map(|frame| frame.at).chain([end]);
        let one = |(frame, next): (&Frame, u64)| {
            Some((STANDARD.decode(&frame.data).ok()?, next.saturating_sub(frame.at).max(1)))
        };
        self.frames.iter().zip(next).filter_map(one).collect()
    }

    fn add(&mut self, frame: Frame) {
        match self.frames.last() {
            Some(last) if frame.at < last.at + self.spacing => self.held = Some(frame),
            _ => {
                self.held = None;
                self.keep(frame);
            }
        }
    }

    fn keep(&mut self, frame: Frame) {
        self.bytes += frame.data.len();
        self.frames.push(frame);
        while self.frames.len() > FRAMES_MAX || (self.bytes > FILM_BYTES_MAX && self.frames.len() > 1) {
            let mut nth = 0;
            self.frames.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.bytes = self.frames.iter().map(|frame| frame.data.len()).sum();
            self.spacing *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(film: &mut Film, at: u64, data: &str) {
        film.add(Frame { at, data: data.to_owned() });
    }

    fn times(film: &mut Film) -> Vec<u64> {
        let archive = film.archive(Timestamp::from_millis(999_999)).unwrap();
        let archive: Value = serde_json::from_slice(&archive).unwrap();
        archive["frames"].as_array().unwrap().iter().map(|frame| frame["at_ms"].as_u64().unwrap()).collect()
    }

    #[test]
    fn pictures_that_come_too_soon_are_left_out_but_never_the_last() {
        let mut film = Film::new(Timestamp::from_millis(0));
        for at in [0, 40, 99, 100, 150, 170] {
            seen(&mut film, at, "aaaa");
        }
        assert_eq!(times(&mut film), [0, 100, 170]);
    }

    #[test]
    fn a_long_flow_has_fewer_pictures_of_its_whole_length() {
        let mut film = Film::new(Timestamp::from_millis(0));
        for at in 0..20_000 {
            seen(&mut film, at * 100, "aaaa");
        }
        let times = times(&mut film);
        assert!(times.len() <= FRAMES_MAX && times.len() > FRAMES_MAX / 3, "{}", times.len());
        assert_eq!((times[0], *times.last().unwrap()), (0, 1_999_900));
        let large = "a".repeat(FILM_BYTES_MAX / 3);
        let mut film = Film::new(Timestamp::from_millis(0));
        (0..9).for_each(|at| seen(&mut film, at * 100, &large));
        assert!(film.frames.len() <= 3 && film.bytes <= FILM_BYTES_MAX, "{}", film.frames.len());
    }

    #[test]
    fn a_picture_is_seen_until_the_next_one() {
        let mut film = Film::new(Timestamp::from_millis(1_000));
        seen(&mut film, 0, "AQID");
        seen(&mut film, 250, "BAUG");
        let pictures = film.pictures(Timestamp::from_millis(2_000));
        assert_eq!(pictures, [(vec![1, 2, 3], 250), (vec![4, 5, 6], 750)]);
    }
}

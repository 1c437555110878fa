//! What the screen showed, picture by picture, for a video: no more than ten a second, and the longer a flow takes
//! the fewer, so that the whole of it fits.

use bytes::Bytes;
use runners_core::{Timestamp, live};

/// The most pictures. One more, and every second one goes.
const FRAMES_MAX: usize = 600;
/// The most bytes of all pictures together.
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
    bytes: Bytes,
}

impl Film {
    pub(super) const fn new(now: Timestamp) -> Self {
        let began = now.as_millis();
        Self { began, spacing: SPACING_MILLIS, frames: Vec::new(), bytes: 0, held: None }
    }

    /// Takes a picture.
    pub(super) fn take(&mut self, frame: &live::Frame) {
        // What the screen showed before the flow is what it begins with.
        let at = frame.at.as_millis().saturating_sub(self.began);
        self.add(Frame { at, bytes: frame.bytes.clone() });
    }

    /// Each picture, and how long it was to be seen, in milliseconds.
    pub(super) fn pictures(&mut self, now: Timestamp) -> Vec<(Bytes, u64)> {
        if let Some(last) = self.held.take() {
            self.keep(last);
        }
        let end = now.as_millis().saturating_sub(self.began);
        let next = self.frames.iter().skip(1).map(|frame| frame.at).chain([end]);
        let one = |(frame, next): (&Frame, u64)| (frame.bytes.clone(), next.saturating_sub(frame.at).max(1));
        self.frames.iter().zip(next).map(one).collect()
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
        self.bytes += frame.bytes.len();
        self.frames.push(frame);
        while self.frames.len() > FRAMES_MAX || (self.bytes > FILM_BYTES_MAX && self.frames.len() > 1) {
            let mut nth = 0;
            self.frames.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.bytes = self.frames.iter().map(|frame| frame.bytes.len()).sum();
            self.spacing *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(film: &mut Film, at: u64, bytes: &[u8]) {
        film.add(Frame { at, bytes: Bytes::copy_from_slice(bytes) });
    }

    fn times(film: &mut Film) -> Vec<u64> {
        film.pictures(Timestamp::from_millis(9_999_999));
        film.frames.iter().map(|frame| frame.at).collect()
    }

    #[test]
    fn pictures_that_come_too_soon_are_left_out_but_never_the_last() {
        let mut film = Film::new(Timestamp::from_millis(0));
        for at in [0, 40, 99, 100, 150, 170] {
            seen(&mut film, at, b"aaaa");
        }
        assert_eq!(times(&mut film), [0, 100, 170]);
    }

    #[test]
    fn a_long_flow_has_fewer_pictures_of_its_whole_length() {
        let mut film = Film::new(Timestamp::from_millis(0));
        for at in 0..20_000 {
            seen(&mut film, at * 100, b"aaaa");
        }
        let times = times(&mut film);
        assert!(times.len() <= FRAMES_MAX && times.len() > FRAMES_MAX / 3, "{}", times.len());
        assert_eq!((times[0], *times.last().unwrap()), (0, 1_999_900));
        let large = vec![b'a'; FILM_BYTES_MAX / 3];
        let mut film = Film::new(Timestamp::from_millis(0));
        (0..9).for_each(|at| seen(&mut film, at * 100, &large));
        assert!(film.frames.len() <= 3 && film.bytes <= FILM_BYTES_MAX, "{}", film.frames.len());
    }

    #[test]
    fn a_picture_is_seen_until_the_next_one() {
        let mut film = Film::new(Timestamp::from_millis(1_000));
        seen(&mut film, 0, &[1, 2, 3]);
        seen(&mut film, 250, &[4, 5, 6]);
        let pictures = film.pictures(Timestamp::from_millis(2_000));
        assert_eq!(pictures, [(vec![1, 2, 3].into(), 250), (vec![4, 5, 6].into(), 750)]);
    }
}

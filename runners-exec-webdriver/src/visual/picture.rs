//! Pictures as pixels, and in what two of them differ.

use bytes::Bytes;
use png::{BitDepth, ColorType, Decoder, Encoder, Limits, Transformations};
use serde::{Deserialize, Serialize};
use std::{error::Error, io::Cursor};

/// The most pixels of a picture.
const PIXELS_MAX: usize = 32 * 1024 * 1024;
/// What a pixel that differs is shown as.
const DIFFERENT: [u8; 4] = [230, 0, 90, 255];
/// What a pixel that is not looked at is shown as.
const MASKED: [u8; 4] = [120, 150, 200, 255];

/// Four bytes for each pixel: red, green, blue, and how opaque it is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// A part of a page, in CSS pixels from its top left.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Rectangle {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// In what a picture differs from another.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) different: u64,
    /// How many pixels were looked at.
    pub(crate) looked_at: u64,
    /// The picture in grey, with what differs in red.
    pub(crate) difference: Picture,
}

/// Why bytes are no picture that can be compared.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be read")]
pub(crate) struct PictureError(#[source] Box<dyn Error + Send + Sync>);

impl Picture {
    /// Reads a PNG.
    pub(crate) fn read(png: &[u8]) -> Result<Self, PictureError> {
        Self::decoded(png).map_err(PictureError)
    }

    fn decoded(png: &[u8]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut decoder = Decoder::new_with_limits(Cursor::new(png), Limits { bytes: 4 * PIXELS_MAX });
        decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
        let mut reader = decoder.read_info()?;
        let (width, height) = (reader.info().width, reader.info().height);
        let length = reader.output_buffer_size().filter(|length| *length <= 4 * PIXELS_MAX);
        let mut read = vec![0; length.ok_or("it has too many pixels")?];
        let frame = reader.next_frame(&mut read)?;
        read.truncate(frame.buffer_size());
        let pixels = match frame.color_type {
            ColorType::Rgba => read,
            ColorType::GrayscaleAlpha => {
                read.chunks_exact(2).flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]).collect()
            }
            other => return Err(format!("its colours are {other:?}").into()),
        };
        Ok(Self { width, height, pixels })
    }

    /// Writes a PNG.
    pub(crate) fn written(&self) -> Result<Bytes, PictureError> {
        let mut png = Vec::new();
        let mut encoder = Encoder::new(&mut png, self.width, self.height);
        encoder.set_color(ColorType::Rgba);
        encoder.set_depth(BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.pixels));
        written.map_err(|error| PictureError(error.into()))?;
        Ok(png.into())
    }

    pub(crate) const fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Compares it with how it was before. A pixel differs if one of its colours is more than `threshold`
    /// away; what is masked is not looked at. Where one picture has no pixel, the other differs.
    pub(crate) fn compare(&self, before: &Self, masks: &[Rectangle], scale: f64, threshold: u8) -> Compared {
        let masked = self.masked(masks, scale);
        let mut difference = self.clone();
        let (mut different, mut looked_at) = (0, 0);
        let columns = self.width as usize;
        for (at, (shown, is_masked)) in difference.pixels.chunks_exact_mut(4).zip(&masked).enumerate() {
            if *is_masked {
                shown.copy_from_slice(&MASKED);
                continue;
            }
            looked_at += 1;
            let differs = match before.pixel(at % columns, at / columns) {
                Some(was) => shown.iter().zip(was).any(|(one, other)| one.abs_diff(*other) > threshold),
                None => true,
            };
            if differs {
                different += 1;
                shown.copy_from_slice(&DIFFERENT);
            } else {
                fade(shown);
            }
        }
        let missing = before.beyond(self);
        Compared { different: different + missing, looked_at: looked_at + missing, difference }
    }

    fn pixel(&self, column: usize, row: usize) -> Option<&[u8]> {
        let (width, height) = (self.width as usize, self.height as usize);
        let from = 4 * (row * width + column);
        (column < width && row < height).then(|| &self.pixels[from..from + 4])
    }

    /// How many pixels it has where the other has none.
    fn beyond(&self, other: &Self) -> u64 {
        let all = u64::from(self.width) * u64::from(self.height);
        all - u64::from(self.width.min(other.width)) * u64::from(self.height.min(other.height))
    }

    fn masked(&self, masks: &[Rectangle], scale: f64) -> Vec<bool> {
        let (width, height) = (self.width as usize, self.height as usize);
        let mut masked = vec![false; width * height];
        for mask in masks {
            let columns = within(mask.x * scale, (mask.x + mask.width) * scale, width);
            for row in within(mask.y * scale, (mask.y + mask.height) * scale, height) {
                masked[row * width..][columns.clone()].fill(true);
            }
        }
        masked
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

/// The whole pixels that a span touches, of so many that there are.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both ends are in a picture")]
fn within(from: f64, to: f64, pixels: usize) -> std::ops::Range<usize> {
    let end = (to.ceil().max(0.0) as usize).min(pixels);
    (from.floor().max(0.0) as usize).min(end)..end
}

/// Shows a pixel as a light grey.
fn fade(pixel: &mut [u8]) {
    let grey = pixel[..3].iter().map(|colour| u16::from(*colour)).sum::<u16>() / 3;
    let light = u8::try_from(200 + grey * 50 / 255).expect("invariant: at most 250");
    pixel.copy_from_slice(&[light, light, light, 255]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: u32, height: u32, grey: u8) -> Picture {
        let pixels = [grey, grey, grey, 255].repeat((width * height) as usize);
        Picture { width, height, pixels }
    }

    fn counts(compared: &Compared) -> (u64, u64) {
        (compared.different, compared.looked_at)
    }

    #[test]
    fn a_picture_is_the_same_after_it_was_written_and_read() {
        let mut picture = plain(3, 2, 7);
        picture.pixels[4] = 200;
        let png = picture.written().unwrap();
        assert!(Picture::read(&png).unwrap() == picture);
        assert!(Picture::read(&png[..20]).is_err());
        assert!(Picture::read(b"no picture").is_err());
    }

    #[test]
    fn a_pixel_differs_if_a_colour_is_further_away_than_the_threshold() {
        let before = plain(4, 4, 100);
        let mut now = before.clone();
        (now.pixels[0], now.pixels[21]) = (117, 84);
        assert_eq!(counts(&now.compare(&before, &[], 1.0, 16)), (1, 16));
        assert_eq!(counts(&now.compare(&before, &[], 1.0, 15)), (2, 16));
        assert_eq!(counts(&now.compare(&before, &[], 1.0, 17)), (0, 16));
        let shown = now.compare(&before, &[], 1.0, 16).difference;
        assert_eq!((&shown.pixels[..4], &shown.pixels[4..8]), (&DIFFERENT[..], &[219, 219, 219, 255][..]));
    }

    #[test]
    fn what_is_masked_is_not_looked_at() {
        let (before, now) = (plain(10, 10, 0), plain(10, 10, 255));
        let mask = |x, y, width, height| Rectangle { x, y, width, height };
        assert_eq!(counts(&now.compare(&before, &[mask(1.0, 1.0, 2.0, 2.0)], 1.0, 0)), (96, 96));
        assert_eq!(counts(&now.compare(&before, &[mask(0.0, 0.0, 2.5, 1.0)], 2.0, 0)), (90, 90), "scaled");
        assert_eq!(counts(&now.compare(&before, &[mask(-5.0, -5.0, 100.0, 100.0)], 1.0, 0)), (0, 0));
        assert_eq!(counts(&now.compare(&before, &[mask(50.0, 50.0, 1.0, 1.0)], 1.0, 0)), (100, 100));
    }

    #[test]
    fn a_picture_of_another_size_differs_where_one_has_no_pixel() {
        assert_eq!(counts(&plain(4, 4, 9).compare(&plain(4, 3, 9), &[], 1.0, 0)), (4, 16));
        assert_eq!(counts(&plain(4, 3, 9).compare(&plain(4, 4, 9), &[], 1.0, 0)), (4, 16));
    }
}

//! Live view: pictures of what an attempt shows, and what a person does to it.

use crate::values::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A picture of what an attempt shows.
///
/// Pictures are droppable: each is whole, so that whoever is slow skips to the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// When it was taken.
    pub at: Timestamp,
    /// How its bytes are coded.
    pub format: FrameFormat,
    /// Size of the page's viewport in CSS pixels, width and height: what [`Input`] points into. The picture may
    /// have another size, with the same proportions.
    pub viewport: (u32, u32),
    /// The picture.
    pub bytes: Bytes,
}

/// How the bytes of a [`Frame`] are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FrameFormat {
    /// `image/jpeg`.
    Jpeg,
    /// `image/png`.
    Png,
}

/// What whoever looks would like to get of a source. A source may give less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FrameWish {
    /// The most pictures per second.
    pub per_second_max: u32,
    /// The widest picture, in pixels.
    pub width_max: u32,
    /// The quality of JPEG, from 1 to 100.
    pub quality: u32,
}

/// What a person does to the page in a live view. Points are in CSS pixels of the viewport of the newest
/// [`Frame`], from its left upper corner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Input {
    /// The pointer moves.
    PointerMove {
        /// To the right, in CSS pixels.
        x: f64,
        /// Down, in CSS pixels.
        y: f64,
    },
    /// A button is pressed.
    PointerDown {
        /// To the right, in CSS pixels.
        x: f64,
        /// Down, in CSS pixels.
        y: f64,
        /// Which one, as `MouseEvent.button` counts: 0 is the primary one.
        button: u8,
        /// Which press in a row this is, from 1: 2 for the second press of a double click.
        #[serde(default = "one")]
        clicks: u8,
    },
    /// A button is let go.
    PointerUp {
        /// To the right, in CSS pixels.
        x: f64,
        /// Down, in CSS pixels.
        y: f64,
        /// Which one, as `MouseEvent.button` counts: 0 is the primary one.
        button: u8,
        /// Which press in a row this is, from 1.
        #[serde(default = "one")]
        clicks: u8,
    },
    /// The wheel turns.
    Wheel {
        /// To the right, in CSS pixels.
        x: f64,
        /// Down, in CSS pixels.
        y: f64,
        /// How far to scroll to the right, in CSS pixels.
        delta_x: f64,
        /// How far to scroll down, in CSS pixels.
        delta_y: f64,
    },
    /// A key is pressed, and held until it is let go.
    KeyDown {
        /// As `KeyboardEvent.key`: `a`, `Enter`, `Shift`.
        key: String,
    },
    /// A key is let go.
    KeyUp {
        /// As `KeyboardEvent.key`.
        key: String,
    },
    /// Text is put in where the focus is, as an input method or the clipboard does.
    Text {
        /// The text, of at most [`Input::TEXT_BYTES_MAX`] bytes.
        text: String,
    },
    /// The page goes back in its history.
    Back,
    /// The page goes forward in its history.
    Forward,
    /// The page is loaded again.
    Reload,
    /// The page goes to an address.
    Navigate {
        /// Where to. The runner's operator decides whether it is allowed.
        url: String,
    },
}

impl Input {
    /// The longest text, key or address in bytes.
    pub const TEXT_BYTES_MAX: usize = 16 * 1024;
}

impl Frame {
    /// The most bytes of a picture. A larger one is not sent.
    pub const BYTES_MAX: usize = 4 * 1024 * 1024;

    /// A picture that was taken at a time of a viewport of a width and a height.
    #[must_use]
    pub const fn new(at: Timestamp, format: FrameFormat, viewport: (u32, u32), bytes: Bytes) -> Self {
        Self { at, format, viewport, bytes }
    }
}

impl FrameFormat {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

impl FrameWish {
    /// No more pictures per second than a number. Builds on [`default`](Self::default).
    #[must_use]
    pub const fn per_second(mut self, max: u32) -> Self {
        self.per_second_max = max;
        self
    }

    /// No picture wider than a number of pixels. Builds on [`default`](Self::default).
    #[must_use]
    pub const fn width(mut self, max: u32) -> Self {
        self.width_max = max;
        self
    }

    /// Pictures of a quality from 1 to 100. Builds on [`default`](Self::default).
    #[must_use]
    pub const fn at_quality(mut self, quality: u32) -> Self {
        self.quality = quality;
        self
    }

    /// What does for both: the greater of each.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        Self {
            per_second_max: self.per_second_max.max(other.per_second_max),
            width_max: self.width_max.max(other.width_max),
            quality: self.quality.max(other.quality),
        }
    }

    /// The same within a limit, and no less than one of each.
    #[must_use]
    pub fn at_most(self, limit: Self) -> Self {
        Self {
            per_second_max: self.per_second_max.clamp(1, limit.per_second_max.max(1)),
            width_max: self.width_max.clamp(1, limit.width_max.max(1)),
            quality: self.quality.clamp(1, limit.quality.clamp(1, 100)),
        }
    }
}

/// 15 pictures per second, at most 1280 pixels wide, at quality 70.
impl Default for FrameWish {
    fn default() -> Self {
        Self { per_second_max: 15, width_max: 1280, quality: 70 }
    }
}

const fn one() -> u8 {
    1
}

//! Which evidence of a flow is kept beside the pictures of its steps.

/// What is listened to while a flow is replayed. All of it is an artifact, has a limit, and holds no
/// secret of the flow. It takes a browser of the Chromium family on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Capture {
    /// The console and what nobody caught as `console.json`, the requests as `network.har`
    /// (HAR 1.2). Yes by default.
    pub journal: bool,
    /// The bodies of requests and responses too, up to 64 KiB each, in `network.har`.
    pub bodies: bool,
    /// What the screen showed, as `frames.json`: at most ten pictures a second, fewer the longer it
    /// takes, each with its time. It plays in the HTML report.
    pub frames: bool,
    /// The same as `video.webm`, if there is an `ffmpeg` on the `PATH`.
    pub video: bool,
}

impl Capture {
    /// Listens to nothing.
    pub const NOTHING: Self = Self { journal: false, bodies: false, frames: false, video: false };

    /// What a document may ask for under `runners.capture`.
    pub(crate) const WORDS: &'static [&'static str] = &["bodies", "frames", "video"];

    /// The same with what one of [`WORDS`](Self::WORDS) asks for.
    pub(crate) fn with(mut self, word: &str) -> Self {
        match word {
            "bodies" => (self.journal, self.bodies) = (true, true),
            "frames" => self.frames = true,
            "video" => self.video = true,
            _ => {}
        }
        self
    }

    /// What either of both asks for.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            journal: self.journal || other.journal,
            bodies: self.bodies || other.bodies,
            frames: self.frames || other.frames,
            video: self.video || other.video,
        }
    }

    pub(crate) const fn is_screen_watched(self) -> bool {
        self.frames || self.video
    }

    pub(crate) fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self { journal: true, ..Self::NOTHING }
    }
}

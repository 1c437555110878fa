//! What travels between a runner, the relay and those who look: small messages as JSON, and pictures with a
//! head before their bytes. Who may say what, and when, is left to the rules of live views.

use crate::values::{
    lease::FencingToken,
    live::{Frame, FrameFormat, FrameWish, Input},
    time::Timestamp,
    view::LiveState,
};
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// The most bytes of a message that is no picture.
pub(crate) const MESSAGE_BYTES_MAX: usize = 2 * Input::TEXT_BYTES_MAX + 4 * 1024;
/// The most bytes of a picture with its head.
pub(crate) const PICTURE_BYTES_MAX: usize = Frame::BYTES_MAX + HEAD_BYTES_MAX + HEAD_LENGTH_BYTES;

/// The most bytes of the head of a picture.
const HEAD_BYTES_MAX: usize = 1024;
/// The head's length stands before it in so many bytes, the greatest first.
const HEAD_LENGTH_BYTES: usize = 4;

/// What a runner tells the relay, beside pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FromSource {
    /// First of all: whose pictures these are.
    Hello { token: FencingToken, takes_input: bool },
    /// An input was carried out, or why it was not.
    Done {
        input: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// Pictures fail to come, and are tried for again.
    Trouble { message: String },
    /// The attempt shows nothing any more.
    Over,
}

/// What the relay tells a runner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ToSource {
    /// Somebody looks.
    Play { wish: FrameWish },
    /// Nobody looks.
    Pause,
    /// A picture, and every one before it, has arrived and left.
    Shown { number: u64 },
    /// A person does something.
    Input { number: u64, input: Input },
    /// Nobody needs this connection any more.
    End { reason: String },
}

/// What somebody who looks tells the relay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FromViewer {
    /// First of all, where nothing else tells who it is.
    Grant { grant: String },
    /// A picture is shown.
    Shown { number: u64 },
    /// The page that shows it is hidden.
    Pause,
    /// It is to be seen again.
    Resume,
    /// How many pictures are wished for, and which.
    Wish(FrameWish),
    /// From now on, inputs come from here.
    TakeControl,
    /// They come from here no longer.
    ReleaseControl,
    /// Something is done to what is shown.
    Input { number: u64, input: Input },
    /// The connection is in use.
    Alive,
}

/// What the relay tells somebody who looks, beside pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ToViewer {
    /// How the live view is.
    State(LiveState),
    /// What became of an input.
    Done {
        input: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// The connection is in use.
    Alive,
    /// There is nothing to see, and why.
    Refused { code: String, detail: String },
}

/// What stands before a picture.
#[derive(Serialize, Deserialize)]
struct Head {
    number: u64,
    at: Timestamp,
    format: FrameFormat,
    viewport: (u32, u32),
}

/// Writes a message.
pub(crate) fn text(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("messages are plain data with string keys")
}

/// Writes a picture with its number.
pub(crate) fn encode(number: u64, frame: &Frame) -> Bytes {
    let Frame { at, format, viewport, ref bytes } = *frame;
    let head = serde_json::to_vec(&Head { number, at, format, viewport }).expect("a head is plain data");
    let mut whole = BytesMut::with_capacity(HEAD_LENGTH_BYTES + head.len() + bytes.len());
    whole.put_u32(u32::try_from(head.len()).expect("a head is short"));
    whole.put_slice(&head);
    whole.put_slice(bytes);
    whole.freeze()
}

/// Reads a picture and its number; `None` if it is none, or larger than it may be.
pub(crate) fn decode(whole: &Bytes) -> Option<(u64, Frame)> {
    let (length, rest) = whole.split_first_chunk::<HEAD_LENGTH_BYTES>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    if length > HEAD_BYTES_MAX || whole.len() > PICTURE_BYTES_MAX {
        return None;
    }
    let Head { number, at, format, viewport } = serde_json::from_slice(rest.get(..length)?).ok()?;
    let bytes = whole.slice(HEAD_LENGTH_BYTES + length..);
    Some((number, Frame::new(at, format, viewport, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_survives_the_way_and_what_is_none_is_told() {
        let bytes = Bytes::from_static(b"\xff\xd8picture");
        let frame = Frame::new(Timestamp::from_millis(7), FrameFormat::Jpeg, (1280, 720), bytes);
        let whole = encode(3, &frame);
        assert_eq!(decode(&whole), Some((3, frame)));
        for cut in [0, 3, 4, 20] {
            assert_eq!(decode(&whole.slice(..cut)), None, "{cut}");
        }
        assert_eq!(decode(&Bytes::from_static(&[0xff; 64])), None);
    }

    #[test]
    fn messages_are_told_apart_by_their_type() {
        let message: FromViewer =
            serde_json::from_str(r#"{"type":"input","number":1,"input":{"type":"back"}}"#).unwrap();
        assert_eq!(message, FromViewer::Input { number: 1, input: Input::Back });
        assert_eq!(text(&ToSource::Pause), r#"{"type":"pause"}"#);
        let message: FromViewer = serde_json::from_str(r#"{"type":"wish","per_second_max":5}"#).unwrap();
        assert_eq!(
            message,
            FromViewer::Wish(FrameWish::default().per_second(5)),
            "the rest is what is usual"
        );
    }
}

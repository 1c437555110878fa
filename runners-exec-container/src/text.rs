//! Text from bytes that come in pieces: a character that was cut is put together again.

use bytes::BytesMut;

/// The longest character in bytes.
const CHARACTER_BYTES_MAX: usize = 4;

/// Makes text of bytes. What is no UTF-8 becomes the sign for that.
#[derive(Debug, Default)]
pub(crate) struct TextStream {
    rest: BytesMut,
}

impl TextStream {
    /// The text so far, but for a character at its end that is not whole yet.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let cut = whole(&self.rest);
        String::from_utf8_lossy(&self.rest.split_to(cut)).into_owned()
    }

    /// What is left once nothing more comes.
    pub(crate) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&self.rest.split()).into_owned()
    }
}

/// How many bytes there are before a character at the end that may still become whole.
fn whole(bytes: &[u8]) -> usize {
    let is_begun = |at: &usize| {
        let begun = str::from_utf8(&bytes[*at..]);
        begun.is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    let first = bytes.len().saturating_sub(CHARACTER_BYTES_MAX - 1);
    (first..bytes.len()).find(is_begun).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_was_cut_is_whole_again() {
        let text = "aé€𝄞z";
        for at in 0..text.len() {
            let mut stream = TextStream::default();
            let mut read = stream.take(&text.as_bytes()[..at]);
            read.push_str(&stream.take(&text.as_bytes()[at..]));
            read.push_str(&stream.finish());
            assert_eq!(read, text, "{at}");
        }
    }

    #[test]
    fn what_is_no_text_holds_nothing_up() {
        let mut stream = TextStream::default();
        assert_eq!(stream.take(b"a\xffb\xe2\x82"), "a\u{fffd}b");
        assert_eq!(stream.finish(), "\u{fffd}");
    }
}

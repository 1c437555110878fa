//! How large a picture is, read from its first bytes.

/// Width and height in pixels of a PNG or a JPEG; none if it is neither.
pub(super) fn of(picture: &[u8]) -> Option<(u32, u32)> {
    let size = if picture.starts_with(b"\x89PNG") { png(picture) } else { jpeg(picture) };
    size.filter(|(width, height)| *width > 0 && *height > 0)
}

fn png(picture: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(picture.get(at..at + 4)?.try_into().ok()?));
    Some((number(16)?, number(20)?))
}

fn jpeg(picture: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u16::from_be_bytes(picture.get(at..at + 2)?.try_into().ok()?));
    let mut at = picture.starts_with(b"\xFF\xD8").then_some(2)?;
    loop {
        let marker = *picture.get(at + 1)?;
        match marker {
            // Padding before a marker.
            0xFF => at += 1,
            // A frame begins, of one of the ways to code it.
            0xC0..=0xCF if ![0xC4, 0xC8, 0xCC].contains(&marker) => {
                return Some((number(at + 7)?.into(), number(at + 5)?.into()));
            }
            _ => at += 2 + usize::from(number(at + 2)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_read_past_what_stands_before_it_and_never_beyond_the_end() {
        let head = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\x05\0\0\0\x02\xD0";
        assert_eq!(of(head), Some((1280, 720)));
        let whole = b"\xFF\xD8\xFF\xE0\0\x04ab\xFF\xC4\0\x03c\xFF\xC0\0\x11\x08\x02\xD0\x05\0";
        assert_eq!(of(whole), Some((1280, 720)));
        for end in 0..whole.len() {
            assert_eq!(of(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(of(b"GIF89a"), None);
    }
}

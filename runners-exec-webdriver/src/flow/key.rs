//! Key names as a recorder writes them, and what WebDriver calls the same key.

/// What a key name of a flow means to WebDriver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A code point that a key action takes.
    Point(char),
    /// A known key for which WebDriver has no code point.
    Unmapped,
    /// A name that no keyboard has.
    Unknown,
}

impl Key {
    /// Looks a name up: a character, a `key` such as `Enter`, or a `code` such as `KeyA`.
    pub(crate) fn of(name: &str) -> Self {
        let mut characters = name.chars();
        if let (Some(only), None) = (characters.next(), characters.next()) {
            return Self::Point(typed(only));
        }
        if let Ok(at) = POINTS.binary_search_by_key(&name, |(name, _)| name) {
            return Self::Point(POINTS[at].1);
        }
        match lettered(name) {
            Some(point) => Self::Point(point),
            None if UNMAPPED.contains(&name) || is_function_key(name) => Self::Unmapped,
            None => Self::Unknown,
        }
    }
}

/// The code point that types a character.
pub(crate) const fn typed(character: char) -> char {
    match character {
        '\n' | '\r' => '\u{E006}',
        other => other,
    }
}

/// `KeyA`, `Digit1`, `Numpad1` and `F1` to `F12`.
fn lettered(name: &str) -> Option<char> {
    if let Some(letter) = name.strip_prefix("Key").and_then(single) {
        return letter.is_ascii_uppercase().then(|| letter.to_ascii_lowercase());
    }
    if let Some(digit) = name.strip_prefix("Digit").and_then(single) {
        return digit.is_ascii_digit().then_some(digit);
    }
    if let Some(digit) = name.strip_prefix("Numpad").and_then(single) {
        return char::from_u32(0xE01A + digit.to_digit(10)?);
    }
    let number: u32 = name.strip_prefix('F')?.parse().ok()?;
    (1..=12).contains(&number).then(|| char::from_u32(0xE030 + number)).flatten()
}

fn single(text: &str) -> Option<char> {
    let mut characters = text.chars();
    characters.next().filter(|_| characters.next().is_none())
}

fn is_function_key(name: &str) -> bool {
    name.strip_prefix('F')
        .and_then(|number| number.parse::<u32>().ok())
        .is_some_and(|n| (13..=24).contains(&n))
}

/// Sorted by name. The two names of a modifier without a side mean the left one.
const POINTS: &[(&str, char)] = &[
    ("Alt", '\u{E00A}'),
    ("AltLeft", '\u{E00A}'),
    ("AltRight", '\u{E052}'),
    ("ArrowDown", '\u{E015}'),
    ("ArrowLeft", '\u{E012}'),
    ("ArrowRight", '\u{E014}'),
    ("ArrowUp", '\u{E013}'),
    ("Backquote", '`'),
    ("Backslash", '\\'),
    ("Backspace", '\u{E003}'),
    ("BracketLeft", '['),
    ("BracketRight", ']'),
    ("Cancel", '\u{E001}'),
    ("Clear", '\u{E005}'),
    ("Comma", ','),
    ("Control", '\u{E009}'),
    ("ControlLeft", '\u{E009}'),
    ("ControlRight", '\u{E051}'),
    ("Delete", '\u{E017}'),
    ("End", '\u{E010}'),
    ("Enter", '\u{E006}'),
    ("Equal", '='),
    ("Escape", '\u{E00C}'),
    ("Help", '\u{E002}'),
    ("Home", '\u{E011}'),
    ("Insert", '\u{E016}'),
    ("Meta", '\u{E03D}'),
    ("MetaLeft", '\u{E03D}'),
    ("MetaRight", '\u{E053}'),
    ("Minus", '-'),
    ("NumpadAdd", '\u{E025}'),
    ("NumpadDecimal", '\u{E028}'),
    ("NumpadDivide", '\u{E029}'),
    ("NumpadEnter", '\u{E007}'),
    ("NumpadEqual", '\u{E019}'),
    ("NumpadMultiply", '\u{E024}'),
    ("NumpadSubtract", '\u{E027}'),
    ("PageDown", '\u{E00F}'),
    ("PageUp", '\u{E00E}'),
    ("Pause", '\u{E00B}'),
    ("Period", '.'),
    ("Quote", '\''),
    ("Semicolon", ';'),
    ("Shift", '\u{E008}'),
    ("ShiftLeft", '\u{E008}'),
    ("ShiftRight", '\u{E050}'),
    ("Slash", '/'),
    ("Space", ' '),
    ("Tab", '\u{E004}'),
];

const UNMAPPED: &[&str] = &[
    "Abort",
    "Accept",
    "AltGraph",
    "Attn",
    "AudioVolumeDown",
    "AudioVolumeMute",
    "AudioVolumeUp",
    "Call",
    "Camera",
    "CapsLock",
    "ContextMenu",
    "Convert",
    "CrSel",
    "Eject",
    "EndCall",
    "EraseEof",
    "ExSel",
    "Execute",
    "MediaPlayPause",
    "MediaStop",
    "MediaTrackNext",
    "MediaTrackPrevious",
    "ModeChange",
    "NonConvert",
    "NumLock",
    "Open",
    "Play",
    "Power",
    "Print",
    "PrintScreen",
    "Props",
    "ScrollLock",
    "Select",
    "SoftLeft",
    "SoftRight",
    "VolumeDown",
    "VolumeUp",
    "ZoomOut",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_the_search_finds_all_of_it() {
        assert!(POINTS.is_sorted());
        for (name, point) in POINTS {
            assert_eq!(Key::of(name), Key::Point(*point), "{name}");
        }
    }

    #[test]
    fn keys_go_by_character_by_key_and_by_code() {
        assert_eq!(Key::of("a"), Key::Point('a'));
        assert_eq!(Key::of("KeyA"), Key::Point('a'));
        assert_eq!(Key::of("Digit7"), Key::Point('7'));
        assert_eq!(Key::of("Numpad0"), Key::Point('\u{E01A}'));
        assert_eq!(Key::of("Numpad9"), Key::Point('\u{E023}'));
        assert_eq!(Key::of("F1"), Key::Point('\u{E031}'));
        assert_eq!(Key::of("F12"), Key::Point('\u{E03C}'));
        assert_eq!(Key::of("\r"), Key::of("Enter"));
        assert_ne!(Key::of("NumpadEnter"), Key::of("Enter"));
    }

    #[test]
    fn a_key_without_a_code_point_is_told_from_a_wrong_name() {
        assert_eq!(Key::of("F13"), Key::Unmapped);
        assert_eq!(Key::of("CapsLock"), Key::Unmapped);
        assert_eq!(Key::of("F25"), Key::Unknown);
        assert_eq!(Key::of("Entr"), Key::Unknown);
    }
}

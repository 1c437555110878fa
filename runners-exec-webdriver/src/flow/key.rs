//! Key names as a recorder writes them, and what WebDriver calls the same key.

/// What a key name of a flow means to WebDriver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A code point that a key action takes.
    Point(char),
    /// A known key for which WebDriver has no code point.
    Unmapped(Bare),
    /// A name that no keyboard has.
    Unknown,
}

/// A key as a page reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bare {
    pub(crate) key: &'static str,
    pub(crate) code: &'static str,
    pub(crate) key_code: u16,
}

const fn bare(key: &'static str, code: &'static str, key_code: u16) -> Bare {
    Bare { key, code, key_code }
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
            None => unmapped(name).map_or(Self::Unknown, Self::Unmapped),
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

fn unmapped(name: &str) -> Option<Bare> {
    if let Ok(at) = UNMAPPED.binary_search_by_key(&name, |(name, _)| name) {
        return Some(UNMAPPED[at].1);
    }
    let at = HIGH_FUNCTION_KEYS.iter().position(|key| *key == name)?;
    Some(bare(HIGH_FUNCTION_KEYS[at], HIGH_FUNCTION_KEYS[at], 124 + u16::try_from(at).ok()?))
}

/// They follow each other by their `keyCode` as well.
const HIGH_FUNCTION_KEYS: [&str; 12] =
    ["F13", "F14", "F15", "F16", "F17", "F18", "F19", "F20", "F21", "F22", "F23", "F24"];

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

/// Sorted by name: what a page reads of a key as `key`, `code` and `keyCode`. F13 to F24 are beside it.
const UNMAPPED: &[(&str, Bare)] = &[
    ("Abort", bare("Cancel", "Abort", 3)),
    ("Accept", bare("Accept", "Accept", 30)),
    ("AltGraph", bare("AltGraph", "AltGraph", 225)),
    ("Attn", bare("Attn", "Attn", 246)),
    ("AudioVolumeDown", bare("AudioVolumeDown", "AudioVolumeDown", 174)),
    ("AudioVolumeMute", bare("AudioVolumeMute", "AudioVolumeMute", 173)),
    ("AudioVolumeUp", bare("AudioVolumeUp", "AudioVolumeUp", 175)),
    ("Call", bare("Call", "Call", 0)),
    ("Camera", bare("Camera", "Camera", 0)),
    ("CapsLock", bare("CapsLock", "CapsLock", 20)),
    ("ContextMenu", bare("ContextMenu", "ContextMenu", 93)),
    ("Convert", bare("Convert", "Convert", 28)),
    ("CrSel", bare("CrSel", "Props", 247)),
    ("Eject", bare("Eject", "Eject", 0)),
    ("EndCall", bare("EndCall", "EndCall", 95)),
    ("EraseEof", bare("EraseEof", "EraseEof", 249)),
    ("ExSel", bare("ExSel", "ExSel", 248)),
    ("Execute", bare("Execute", "Open", 43)),
    ("MediaPlayPause", bare("MediaPlayPause", "MediaPlayPause", 179)),
    ("MediaStop", bare("MediaStop", "MediaStop", 178)),
    ("MediaTrackNext", bare("MediaTrackNext", "MediaTrackNext", 176)),
    ("MediaTrackPrevious", bare("MediaTrackPrevious", "MediaTrackPrevious", 177)),
    ("ModeChange", bare("ModeChange", "ModeChange", 31)),
    ("NonConvert", bare("NonConvert", "NonConvert", 29)),
    ("NumLock", bare("NumLock", "NumLock", 144)),
    ("Open", bare("Execute", "Open", 43)),
    ("Play", bare("Play", "Play", 250)),
    ("Power", bare("Power", "Power", 0)),
    ("Print", bare("Print", "Print", 42)),
    ("PrintScreen", bare("PrintScreen", "PrintScreen", 44)),
    ("Props", bare("CrSel", "Props", 247)),
    ("ScrollLock", bare("ScrollLock", "ScrollLock", 145)),
    ("Select", bare("Select", "Select", 41)),
    ("SoftLeft", bare("SoftLeft", "SoftLeft", 0)),
    ("SoftRight", bare("SoftRight", "SoftRight", 0)),
    ("VolumeDown", bare("VolumeDown", "VolumeDown", 182)),
    ("VolumeUp", bare("VolumeUp", "VolumeUp", 183)),
    ("ZoomOut", bare("ZoomOut", "ZoomOut", 251)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_the_search_finds_all_of_it() {
        assert!(POINTS.is_sorted());
        assert!(UNMAPPED.is_sorted_by_key(|(name, _)| name));
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
        assert_eq!(Key::of("F13"), Key::Unmapped(bare("F13", "F13", 124)));
        assert_eq!(Key::of("F24"), Key::Unmapped(bare("F24", "F24", 135)));
        assert_eq!(Key::of("CapsLock"), Key::Unmapped(bare("CapsLock", "CapsLock", 20)));
        assert_eq!(Key::of("Execute"), Key::Unmapped(bare("Execute", "Open", 43)));
        assert_eq!(Key::of("F25"), Key::Unknown);
        assert_eq!(Key::of("Entr"), Key::Unknown);
    }
}

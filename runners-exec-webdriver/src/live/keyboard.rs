//! Keys as a page reads them, in the words of the DevTools protocol: by the `key` of a `KeyboardEvent`, on a
//! keyboard as it is usual in the United States.

use crate::flow::{Bare, Key};
use serde_json::{Value, json};

/// A key that is pressed or let go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stroke {
    key: String,
    code: String,
    key_code: u16,
    /// 1 for the left one of two, as `KeyboardEvent.location` counts.
    location: u8,
    /// What it types.
    text: Option<String>,
}

/// The keys that are held and change what others mean, as the protocol counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Modifiers(u8);

const ALT: u8 = 1;
const CONTROL: u8 = 2;
const META: u8 = 4;
const SHIFT: u8 = 8;

impl Modifiers {
    /// Notes that a key is held, or no longer.
    pub(super) fn note(&mut self, key: &str, is_down: bool) {
        let bit = match key {
            "Alt" => ALT,
            "Control" => CONTROL,
            "Meta" => META,
            "Shift" => SHIFT,
            _ => return,
        };
        if is_down { self.0 |= bit } else { self.0 &= !bit }
    }

    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// Whether keys type nothing, but are commands.
    const fn are_commands(self) -> bool {
        self.0 & (ALT | CONTROL | META) != 0
    }
}

impl Stroke {
    /// The key of this name; `None` if no keyboard has it.
    pub(super) fn of(key: &str) -> Option<Self> {
        let mut characters = key.chars();
        if let (Some(only), None) = (characters.next(), characters.next()) {
            return Some(Self::typed(only));
        }
        if let Some((name, code, key_code)) = NAMED.iter().find(|(name, ..)| *name == key) {
            let is_pair = matches!(*name, "Alt" | "Control" | "Meta" | "Shift");
            let text = (*name == "Enter").then(|| "\r".to_owned());
            let (key, code) = ((*name).to_owned(), (*code).to_owned());
            return Some(Self { key, code, key_code: *key_code, location: u8::from(is_pair), text });
        }
        let number = key.strip_prefix('F').and_then(|number| number.parse::<u16>().ok());
        if let Some(number) = number.filter(|number| (1..=12).contains(number)) {
            return Some(Self::bare(key, key, 111 + number));
        }
        match Key::of(key) {
            Key::Unmapped(Bare { key, code, key_code }) => Some(Self::bare(key, code, key_code)),
            Key::Point(_) | Key::Unknown => None,
        }
    }

    /// The event for the page, with what is held beside it.
    pub(super) fn event(&self, is_down: bool, held: Modifiers) -> Value {
        let text = self.text.as_deref().filter(|_| is_down && !held.are_commands());
        let mut event = json!({
            "type": if !is_down { "keyUp" } else if text.is_some() { "keyDown" } else { "rawKeyDown" },
            "key": self.key, "code": self.code, "windowsVirtualKeyCode": self.key_code,
            "location": self.location, "modifiers": held.bits(),
        });
        if let Some(text) = text {
            event["text"] = json!(text);
        }
        event
    }

    fn bare(key: &str, code: &str, key_code: u16) -> Self {
        Self { key: key.to_owned(), code: code.to_owned(), key_code, location: 0, text: None }
    }

    /// The key that types a character.
    fn typed(character: char) -> Self {
        let (code, key_code) = match character {
            'a'..='z' | 'A'..='Z' => {
                let letter = character.to_ascii_uppercase();
                (format!("Key{letter}"), ascii(letter))
            }
            '0'..='9' => (format!("Digit{character}"), ascii(character)),
            _ => {
                let place = PLACES.iter().find(|(on_it, ..)| on_it.contains(character));
                place.map_or((String::new(), 0), |(_, code, key_code)| ((*code).to_owned(), *key_code))
            }
        };
        let text = character.to_string();
        Self { key: text.clone(), code, key_code, location: 0, text: Some(text) }
    }
}

fn ascii(character: char) -> u16 {
    u8::try_from(character).map_or(0, u16::from)
}

/// What is on a key beside letters and digits, its `code` and its `keyCode`.
const PLACES: &[(&str, &str, u16)] = &[
    (" ", "Space", 32),
    (")", "Digit0", 48),
    ("!", "Digit1", 49),
    ("@", "Digit2", 50),
    ("#", "Digit3", 51),
    ("$", "Digit4", 52),
    ("%", "Digit5", 53),
    ("^", "Digit6", 54),
    ("&", "Digit7", 55),
    ("*", "Digit8", 56),
    ("(", "Digit9", 57),
    (";:", "Semicolon", 186),
    ("=+", "Equal", 187),
    (",<", "Comma", 188),
    ("-_", "Minus", 189),
    (".>", "Period", 190),
    ("/?", "Slash", 191),
    ("`~", "Backquote", 192),
    ("[{", "BracketLeft", 219),
    ("\\|", "Backslash", 220),
    ("]}", "BracketRight", 221),
    ("'\"", "Quote", 222),
];

/// Keys with a name: `key`, `code`, `keyCode`.
const NAMED: &[(&str, &str, u16)] = &[
    ("Alt", "AltLeft", 18),
    ("ArrowDown", "ArrowDown", 40),
    ("ArrowLeft", "ArrowLeft", 37),
    ("ArrowRight", "ArrowRight", 39),
    ("ArrowUp", "ArrowUp", 38),
    ("Backspace", "Backspace", 8),
    ("Clear", "NumLock", 12),
    ("Control", "ControlLeft", 17),
    ("Delete", "Delete", 46),
    ("End", "End", 35),
    ("Enter", "Enter", 13),
    ("Escape", "Escape", 27),
    ("Help", "Help", 47),
    ("Home", "Home", 36),
    ("Insert", "Insert", 45),
    ("Meta", "MetaLeft", 91),
    ("PageDown", "PageDown", 34),
    ("PageUp", "PageUp", 33),
    ("Pause", "Pause", 19),
    ("Shift", "ShiftLeft", 16),
    ("Tab", "Tab", 9),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn event(key: &str, held: Modifiers) -> Value {
        Stroke::of(key).unwrap().event(true, held)
    }

    #[test]
    fn a_key_types_unless_it_is_a_command() {
        let none = Modifiers::default();
        let typed = event("a", none);
        assert_eq!(
            (&typed["type"], &typed["text"], &typed["code"]),
            (&json!("keyDown"), &json!("a"), &json!("KeyA"))
        );
        assert_eq!((&event("ü", none)["text"], &event("?", none)["code"]), (&json!("ü"), &json!("Slash")));
        assert_eq!(event("Enter", none)["text"], "\r");
        let mut held = none;
        held.note("Shift", true);
        assert_eq!((&event("A", held)["text"], &event("A", held)["modifiers"]), (&json!("A"), &json!(8)));
        held.note("Control", true);
        held.note("Shift", false);
        let command = event("a", held);
        assert_eq!(
            (&command["type"], command.get("text"), &command["modifiers"]),
            (&json!("rawKeyDown"), None, &json!(2))
        );
    }

    #[test]
    fn keys_have_the_codes_that_pages_read() {
        let code = |key| {
            (event(key, Modifiers::default())["windowsVirtualKeyCode"].clone(), Stroke::of(key).unwrap().code)
        };
        for (key, number, name) in [
            ("Shift", 16, "ShiftLeft"),
            ("F12", 123, "F12"),
            ("F13", 124, "F13"),
            ("CapsLock", 20, "CapsLock"),
            ("7", 55, "Digit7"),
            ("&", 55, "Digit7"),
            (" ", 32, "Space"),
            ("ArrowUp", 38, "ArrowUp"),
        ] {
            assert_eq!(code(key), (json!(number), name.to_owned()), "{key}");
        }
        assert_eq!(Stroke::of("Unidentified"), None);
        assert_eq!(Stroke::of(""), None);
        assert_eq!(Stroke::of("F0"), None);
    }
}

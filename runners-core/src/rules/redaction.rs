//! Taking secrets out of text that comes piece by piece, before it leaves the runner. Which texts
//! those are, and which secrets, is left to the actors.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use std::{fmt, sync::Arc};

/// What stands in the place of a secret, and of secrets that overlap or touch.
const MARKER: &[u8] = b"***";

/// Takes secrets out of a text that comes piece by piece.
///
/// Found are their values as they are, as they stand in a JSON string, both of them in HTML too (as text and
/// as an attribute), percent-encoded (whichever characters are, in upper or lower case, a space as `+` too),
/// and in base64, standard and URL-safe,
/// wherever they begin in what was encoded. What comes out does not depend on how the text was cut:
/// the end of a piece that could be the beginning of a secret is held back until that is known.
///
/// ```
/// let mut redactor = runners_core::Redactor::new(["hunter2"]);
/// let mut told = redactor.push(b"signs in with hun");
/// assert_eq!(told, b"signs in with ");
/// told.extend(redactor.push(b"ter2, and goes to the h"));
/// told.extend(redactor.finish());
/// assert_eq!(told, b"signs in with ***, and goes to the h");
/// ```
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Option<Arc<Needles>>,
    /// What was held back.
    pending: Vec<u8>,
    /// How much of its beginning belongs to a secret that began before.
    covered: usize,
    /// The marker was the last that came out, or stands for what is covered.
    marked: bool,
}

impl Redactor {
    /// Takes `secrets` out. An empty one is none.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let secrets: Vec<_> = secrets.into_iter().filter(|secret| !secret.is_empty()).collect();
        let needles = (!secrets.is_empty()).then(|| Arc::new(Needles::new(&secrets)));
        Self { needles, ..Self::default() }
    }

    /// Takes the next piece of the text, and answers what is known to be free of secrets: the end of the piece
    /// before, and this one but for an end that is held back. It may be empty, and may end within a character.
    #[must_use = "it is not given again"]
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let Some(needles) = self.needles.clone() else { return piece.to_vec() };
        self.pending.extend_from_slice(piece);
        let end = needles.undecided(&self.pending);
        self.release(&needles, end, false)
    }

    /// Ends the text, and answers what was held back of it. What is pushed afterwards is another text.
    #[must_use = "it is not given again"]
    pub fn finish(&mut self) -> Vec<u8> {
        let Some(needles) = self.needles.clone() else { return Vec::new() };
        let rest = self.release(&needles, self.pending.len(), true);
        self.marked = false;
        rest
    }

    /// A whole text without the secrets.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let Some(needles) = self.needles.clone() else { return text.to_owned() };
        let mut whole = Self { needles: Some(needles), ..Self::default() };
        whole.pending.extend_from_slice(text.as_bytes());
        String::from_utf8_lossy(&whole.finish()).into_owned()
    }

    /// The beginning of a text without the secrets, and without an end that could be one's beginning.
    #[must_use]
    pub fn redact_cut(&self, text: &str) -> String {
        let mut whole = Self { needles: self.needles.clone(), ..Self::default() };
        String::from_utf8_lossy(&whole.push(text.as_bytes())).into_owned()
    }

    fn release(&mut self, needles: &Needles, end: usize, last: bool) -> Vec<u8> {
        let mut covered = needles.cover(&self.pending, last);
        covered[..self.covered].fill(true);
        let mut free = Vec::with_capacity(end);
        for (byte, covered) in self.pending.iter().zip(&covered).take(end) {
            if !covered {
                free.push(*byte);
            } else if !self.marked {
                free.extend_from_slice(MARKER);
            }
            self.marked = *covered;
        }
        // What began later is found again.
        self.covered = covered[end..].iter().take_while(|covered| **covered).count();
        self.pending.drain(..end);
        free
    }
}

/// What is held back may be the beginning of a secret.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}

/// What is looked for.
struct Needles {
    /// In the text as it is.
    plain: Finder,
    /// In the text once its percent-encoding is undone.
    decoded: Finder,
}

impl Needles {
    fn new(secrets: &[&str]) -> Self {
        let plain = secrets.iter().flat_map(|secret| forms(secret)).collect();
        Self {
            plain: Finder::new(plain),
            decoded: Finder::new(secrets.iter().map(|s| s.as_bytes().to_vec()).collect()),
        }
    }

    /// Which bytes belong to a secret.
    fn cover(&self, text: &[u8], last: bool) -> Vec<bool> {
        let mut covered = vec![false; text.len()];
        self.plain.find(text, |from, to| covered[from..to].fill(true));
        for decoded in Decoded::readings(text, last) {
            self.decoded.find(&decoded.bytes, |from, to| {
                covered[decoded.starts[from]..decoded.starts[to]].fill(true);
            });
        }
        covered
    }

    /// From where on the text may be the beginning of a secret.
    fn undecided(&self, text: &[u8]) -> usize {
        let mut from = self.plain.undecided(text);
        for decoded in Decoded::readings(text, false) {
            from = from.min(decoded.starts[self.decoded.undecided(&decoded.bytes)]);
            // An escape is not cut: its rest would be read as something else.
            from = decoded.starts[decoded.starts.partition_point(|start| *start <= from) - 1];
        }
        from
    }
}

impl fmt::Debug for Needles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Needles")
    }
}

/// A text whose percent-encoding is undone.
struct Decoded {
    bytes: Vec<u8>,
    /// Where each byte began, and where the last one ended.
    starts: Vec<usize>,
}

impl Decoded {
    /// The two ways to read a text: a plus sign is one, or a space. None if it has nothing to decode.
    fn readings(text: &[u8], last: bool) -> Vec<Self> {
        let with = |plus| Self::new(text, plus, last);
        match (text.contains(&b'%'), text.contains(&b'+')) {
            (_, true) => vec![with(b'+'), with(b' ')],
            (true, false) => vec![with(b'+')],
            (false, false) => Vec::new(),
        }
    }

    /// Leaves out an escape that is cut off by the end, unless it is the `last` of the text.
    fn new(text: &[u8], plus: u8, last: bool) -> Self {
        let (mut bytes, mut starts) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            starts.push(at);
            let escape = text.get(at + 1..).unwrap_or_default();
            match (byte, escape) {
                (b'%', [high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    bytes.push(16 * nibble(*high) + nibble(*low));
                    at += 3;
                    continue;
                }
                (b'%', []) if !last => return Self { bytes, starts },
                (b'%', [high]) if !last && high.is_ascii_hexdigit() => return Self { bytes, starts },
                (b'+', _) => bytes.push(plus),
                _ => bytes.push(*byte),
            }
            at += 1;
        }
        starts.push(at);
        Self { bytes, starts }
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// Finds patterns, also those that overlap.
struct Finder {
    patterns: Vec<Vec<u8>>,
    /// Which bytes a pattern begins with.
    begins: [bool; 256],
    length_max: usize,
    automaton: AhoCorasick,
}

impl Finder {
    fn new(patterns: Vec<Vec<u8>>) -> Self {
        let mut begins = [false; 256];
        patterns.iter().for_each(|pattern| begins[usize::from(pattern[0])] = true);
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&patterns);
        Self {
            begins,
            length_max: patterns.iter().map(Vec::len).max().unwrap_or(0),
            automaton: automaton.expect("the number and size of secrets is limited"),
            patterns,
        }
    }

    fn find(&self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        self.automaton.find_overlapping_iter(text).for_each(|hit| found(hit.start(), hit.end()));
    }

    /// Where the longest end of `text` begins that a pattern goes on from; its length if there is none.
    fn undecided(&self, text: &[u8]) -> usize {
        let first = (text.len() + 1).saturating_sub(self.length_max);
        let goes_on = |end: &[u8]| self.patterns.iter().any(|p| p.len() > end.len() && p.starts_with(end));
        let mut starts = first..text.len();
        starts.find(|at| self.begins[usize::from(text[*at])] && goes_on(&text[*at..])).unwrap_or(text.len())
    }
}

/// The forms in which a secret is looked for in the text as it is.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    let json = serde_json::to_string(secret).expect("a text always serialises");
    forms.push(json[1..json.len() - 1].into());
    forms.extend(in_html(secret).chain(in_html(&json[1..json.len() - 1])).map(String::into_bytes));
    for before in 0..3 {
        let mut padded = vec![0; before];
        padded.extend_from_slice(secret.as_bytes());
        // A digit holds six bits: only those that are the secret's alone are always the same.
        let (first, end) = ((8 * before).div_ceil(6), 8 * padded.len() / 6);
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            forms.push(encoded.as_bytes()[first..end].to_vec());
        }
    }
    forms.retain(|form| !form.is_empty());
    forms.sort();
    forms.dedup();
    forms
}

/// A text as HTML has it: browsers leave quotes alone in what elements say, and programs that write pages each
/// have a way of their own to write them.
fn in_html(text: &str) -> impl Iterator<Item = String> {
    const WAYS: [(&str, &[&str]); 5] = [
        ("<", &["&lt;", "<"]),
        (">", &["&gt;", ">"]),
        ("\"", &["\"", "&quot;", "&#34;", "&#x22;"]),
        ("'", &["'", "&#39;", "&#039;", "&#x27;", "&apos;"]),
        ("\u{a0}", &["&nbsp;", "\u{a0}", "&#160;", "&#xa0;"]),
    ];
    let mut written = vec![text.replace('&', "&amp;")];
    for (plain, ways) in WAYS.into_iter().filter(|(plain, _)| text.contains(plain)) {
        written =
            written.iter().flat_map(|text| ways.iter().map(move |way| text.replace(plain, way))).collect();
    }
    written.into_iter()
}

#[cfg(test)]
mod tests;

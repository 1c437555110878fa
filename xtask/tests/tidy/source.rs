//! A source file as the checks see it: its code without comments and texts, its comments apart,
//! and which of its lines are only for tests.

/// A source file of the workspace.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// The code, with a space for every character of a comment, a text or a character literal.
    pub(crate) code: String,
    /// The comments, each line of them with its number.
    pub(crate) comments: Vec<Comment>,
    /// Lines of items that are only for tests, first and last.
    test_lines: Vec<(usize, usize)>,
}

/// One line of a comment.
#[derive(Debug)]
pub(crate) struct Comment {
    pub(crate) line: usize,
    pub(crate) text: String,
    /// Whether rustdoc shows it.
    pub(crate) is_documentation: bool,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, comments) = Scanner::new(text).scan();
        let test_lines = test_lines(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, comments, test_lines }
    }

    /// The folder of the crate that it belongs to.
    pub(crate) fn package(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Whether the line with this number is only for tests.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        let of_tests = self.path.split('/').any(|part| part == "tests" || part == "tests.rs");
        of_tests || self.test_lines.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// The number of the line that a byte of the code is in.
    pub(crate) fn line_at(&self, byte: usize) -> usize {
        1 + self.code.as_bytes()[..byte].iter().filter(|byte| **byte == b'\n').count()
    }

    /// Every name in the code, with the byte it starts at.
    pub(crate) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        names(&self.code)
    }
}

/// Every name in a piece of code, with the byte it starts at.
pub(crate) fn names(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + code[rest..].find(|letter: char| letter.is_alphanumeric() || letter == '_')?;
        let length = code[start..].find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        rest = length.map_or(code.len(), |length| start + length);
        Some((start, &code[start..rest]))
    })
}

/// The byte behind the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// The first and last lines of what stands behind `#[cfg(test)]`, up to the end of its block or
/// its semicolon.
fn test_lines(code: &str) -> Vec<(usize, usize)> {
    let line_at = |byte: usize| 1 + code[..byte].matches('\n').count();
    let attributes =
        code.match_indices("#[cfg(test)]").map(|(start, attribute)| (start, start + attribute.len()));
    attributes
        .filter_map(|(start, behind)| {
            let end = behind + code[behind..].find(['{', ';'])?;
            let end = if code.as_bytes()[end] == b'{' { closing(code, end)? } else { end };
            Some((line_at(start), line_at(end)))
        })
        .collect()
}

/// Parts code from comments and texts.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    code: String,
    comments: Vec<Comment>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, code: String::with_capacity(text.len()), comments: Vec::new() }
    }

    fn scan(mut self) -> (String, Vec<Comment>) {
        while let Some(letter) = self.rest().chars().next() {
            if self.rest().starts_with("//") {
                self.line_comment();
            } else if self.rest().starts_with("/*") {
                self.block_comment();
            } else if let Some(hashes) = self.raw_text() {
                self.blank_to_end_of_raw_text(hashes);
            } else if letter == '"' {
                self.blank_to('"');
            } else if letter == '\'' && self.is_character() {
                self.blank_to('\'');
            } else {
                self.keep(letter);
            }
        }
        (self.code, self.comments)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn keep(&mut self, letter: char) {
        self.code.push(letter);
        self.at += letter.len_utf8();
        self.line += usize::from(letter == '\n');
    }

    /// Leaves a space for each byte, so that bytes of the code are bytes of the text.
    fn blank(&mut self, letter: char) {
        if letter == '\n' {
            return self.keep(letter);
        }
        self.code.extend(std::iter::repeat_n(' ', letter.len_utf8()));
        self.at += letter.len_utf8();
    }

    fn blank_bytes(&mut self, count: usize) {
        let end = self.at + count;
        while self.at < end {
            let letter = self.rest().chars().next().expect("there are that many bytes");
            self.blank(letter);
        }
    }

    fn line_comment(&mut self) {
        let length = self.rest().find('\n').unwrap_or(self.rest().len());
        let text = &self.rest()[..length];
        let is_documentation =
            text.starts_with("//!") || (text.starts_with("///") && !text.starts_with("////"));
        self.comments.push(Comment { line: self.line, text: text.to_owned(), is_documentation });
        self.blank_bytes(length);
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let is_documentation = self.rest().starts_with("/**") || self.rest().starts_with("/*!");
        let first = self.line;
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.blank_bytes(2);
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.blank_bytes(2);
            } else if let Some(letter) = rest.chars().next() {
                self.blank(letter);
            }
            if depth == 0 || self.rest().is_empty() {
                break;
            }
        }
        let lines = (first..).zip(self.text[start..self.at].lines());
        self.comments.extend(lines.map(|(line, text)| Comment {
            line,
            text: text.to_owned(),
            is_documentation,
        }));
    }

    /// How many hashes the raw text has that starts here, if one does.
    fn raw_text(&self) -> Option<usize> {
        let before = self.text[..self.at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            return None;
        }
        let rest = self.rest();
        let rest =
            rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        rest[hashes..].starts_with('"').then_some(hashes)
    }

    fn blank_to_end_of_raw_text(&mut self, hashes: usize) {
        let open = self.rest().find('"').expect("a raw text has an opening quote") + 1;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = self.rest()[open..].find(&end).map_or(self.rest().len(), |at| open + at + end.len());
        self.blank_bytes(length);
    }

    /// Whether the quote here opens a character and is not that of a lifetime.
    fn is_character(&self) -> bool {
        let mut letters = self.rest().chars().skip(1);
        let first = letters.next();
        first == Some('\\') || letters.next() == Some('\'')
    }

    fn blank_to(&mut self, quote: char) {
        self.blank(quote);
        while let Some(letter) = self.rest().chars().next() {
            self.blank(letter);
            match (letter, self.rest().chars().next()) {
                ('\\', Some(escaped)) => self.blank(escaped),
                (letter, _) if letter == quote => return,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r##"//! Opens.
fn a<'x>(b: &'x str) -> char { /* fn /* c */ { */ '{' } // a brace: {
/// Says.
const D: (&str, &str, char, char) = ("fn \" {", r#"fn " {"#, '\'', '"');
#[cfg(test)]
mod tests {
    fn e() {}
}
fn f() {}
"##;

    #[test]
    fn comments_texts_and_characters_are_not_code() {
        let source = Source::new("a/src/lib.rs", TEXT);
        assert_eq!(source.code.len(), TEXT.len());
        assert_eq!(source.code.matches("fn ").count(), 3);
        assert_eq!(source.code.matches('{').count(), source.code.matches('}').count());
        assert!(source.code.contains("fn a<'x>(b: &'x str)"), "a lifetime is no character");
    }

    #[test]
    fn comments_are_kept_with_their_lines() {
        let source = Source::new("a/src/lib.rs", TEXT);
        let found: Vec<_> = source.comments.iter().map(|line| (line.line, line.is_documentation)).collect();
        assert_eq!(found, [(1, true), (2, false), (2, false), (3, true)]);
    }

    #[test]
    fn what_is_for_tests_is_known() {
        let source = Source::new("a/src/lib.rs", TEXT);
        assert!(source.is_test(7));
        assert!(!source.is_test(2));
        assert!(!source.is_test(9));
        assert!(Source::new("a/src/b/tests.rs", TEXT).is_test(2));
    }
}

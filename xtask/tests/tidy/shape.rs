//! The shape of a file: its length, that of its functions, its first line, and what it may not
//! hold.

use crate::{
    Violation,
    source::{Source, closing},
};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
/// A crate may open with its README instead, whose examples are then tested.
const README_AS_DOCS: &str = "#![doc = include_str!(\"../README.md\")]";

/// A file is short, and opens by saying what it is for.
pub(crate) fn file(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        found.push(
            source.violation(FILE_LINES_MAX + 1, format!("{lines} lines, and the limit is {FILE_LINES_MAX}")),
        );
    }
    let is_opened_by_readme = source.path.ends_with("/src/lib.rs") && source.text.starts_with(README_AS_DOCS);
    if !source.text.starts_with("//! ") && !is_opened_by_readme {
        found.push(source.violation(1, "the first line does not say with `//! ` what the file is for"));
    }
    found
}

/// A function is short.
pub(crate) fn functions(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut names = source.names();
    while let Some((start, name)) = names.next() {
        if name != "fn" {
            continue;
        }
        // The type `fn(u8)` has no name.
        if source.code[start + 2..].trim_start().starts_with('(') {
            continue;
        }
        let Some((_, name)) = names.next() else { break };
        let Some(end) = body_end(&source.code, start) else { continue };
        let (first, last) = (source.line_at(start), source.line_at(end - 1));
        let lines = last - first + 1;
        if lines > FUNCTION_LINES_MAX {
            let message = format!("`{name}` has {lines} lines, and the limit is {FUNCTION_LINES_MAX}");
            found.push(source.violation(first, message));
        }
    }
    found
}

/// What no file may hold, and library code may not.
pub(crate) fn forbidden(source: &Source, is_library: bool) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut forbid = |text: &str, why: &str, in_tests: bool| {
        for (at, _) in source.code.match_indices(text) {
            let line = source.line_at(at);
            if in_tests || !source.is_test(line) {
                found.push(source.violation(line, format!("`{text}`: {why}")));
            }
        }
    };
    forbid("#[allow(", "say `#[expect(lint, reason = \"…\")]`", true);
    forbid("#![allow(", "say `#![expect(lint, reason = \"…\")]`", true);
    if is_library {
        forbid(".unwrap()", "state the invariant with `expect`, or answer an error", false);
    }
    for comment in &source.comments {
        for mark in ["TODO", "FIXME", "XXX"] {
            if comment.text.contains(mark) {
                found.push(source.violation(comment.line, format!("{mark}: do it, or name what is absent")));
            }
        }
    }
    found
}

/// The byte behind the body of the function whose `fn` is at `start`; none if it has no body.
fn body_end(code: &str, start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += code[at..].find(['(', '[', '{', ';'])?;
        match code.as_bytes()[at] {
            b'{' => return closing(code, at),
            b';' => return None,
            _ => at = closing(code, at)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("runners-core/src/values/a.rs", text)
    }

    fn function(lines: usize) -> String {
        let body = "    let a = [0; 2];\n".repeat(lines - 3);
        format!("//! A.\nfn long(\n) -> [u8; 2] {{\n{body}}}\n")
    }

    #[test]
    fn a_file_of_401_lines_is_too_long() {
        assert!(file(&source(&format!("//! A.\n{}", "\n".repeat(399)))).is_empty());
        let found = file(&source(&format!("//! A.\n{}", "\n".repeat(400))));
        assert_eq!(found[0].to_string(), "runners-core/src/values/a.rs:401: 401 lines, and the limit is 400");
    }

    #[test]
    fn a_file_says_first_what_it_is_for() {
        assert_eq!(file(&source("use std::fmt;\n//! Late.\n")).len(), 1);
        let readme = format!("{README_AS_DOCS}\n");
        assert!(file(&Source::new("runners-core/src/lib.rs", &readme)).is_empty());
        assert_eq!(file(&source(&readme)).len(), 1, "a crate, not a file of it");
    }

    #[test]
    fn a_function_of_71_lines_is_too_long() {
        assert!(functions(&source(&function(70))).is_empty());
        let found = functions(&source(&function(71)));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].to_string().ends_with(":2: `long` has 71 lines, and the limit is 70"),
            "{}",
            found[0]
        );
    }

    #[test]
    fn a_function_without_a_body_and_a_function_type_have_no_length() {
        let text =
            format!("//! A.\ntrait A {{\n fn a(b: [u8; 2]);\n fn c(d: fn(u8));\n{}}}\n", "\n".repeat(90));
        assert!(functions(&source(&text)).is_empty());
    }

    #[test]
    fn braces_in_texts_and_comments_are_not_counted() {
        let text = format!("//! A.\nfn a() {{ let b = \"{{\"; /* {{ */ }}\n{}", "\n".repeat(90));
        assert!(functions(&source(&text)).is_empty());
    }

    #[test]
    fn unwrap_is_for_tests() {
        let text = "//! A.\nfn a() { b().unwrap(); }\n#[cfg(test)]\nmod tests { fn a() { b().unwrap(); } }\n";
        assert_eq!(forbidden(&source(text), true).len(), 1);
        assert!(forbidden(&source(text), false).is_empty());
        assert!(
            forbidden(&source("//! A.\n/// `a().unwrap()`\nconst B: &str = \".unwrap()\";"), true).is_empty()
        );
    }

    #[test]
    fn lints_are_expected_and_not_allowed() {
        assert_eq!(forbidden(&source("//! A.\n#[allow(dead_code)]\nfn a() {}\n"), true).len(), 1);
        assert_eq!(forbidden(&source("//! A.\n#![allow(dead_code)]\n"), false).len(), 1);
    }

    #[test]
    fn what_is_left_to_do_is_not_left_in_a_comment() {
        let mark = ["TO", "DO"].concat();
        assert_eq!(forbidden(&source(&format!("//! A.\n// {mark}: later\n")), false).len(), 1);
    }
}

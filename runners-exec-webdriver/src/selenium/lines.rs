//! On which line of a project's file something stands, by its id. The file is read once for all of them.

use std::collections::HashMap;

/// The lines of what has an id.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    /// By the id as it is written, with its quotes; of several, the first.
    by_id: HashMap<&'t str, usize>,
}

impl<'t> Lines<'t> {
    /// Reads a text that is JSON.
    pub(super) fn of(text: &'t str) -> Self {
        let (mut by_id, mut line, mut rest, mut is_id) = (HashMap::new(), 1, text, false);
        while let Some(at) = rest.find('"') {
            line += newlines(&rest[..at]);
            let from = &rest[at..];
            let written = &from[..end(from)];
            if is_id {
                by_id.entry(written).or_insert(line);
            }
            is_id = written == "\"id\"";
            rest = &from[written.len()..];
        }
        Self { by_id }
    }

    /// Where it stands, from 1; 0 if that cannot be told.
    pub(super) fn line(&self, id: &str) -> usize {
        let written = serde_json::to_string(id).expect("invariant: a text is JSON");
        let line = self.by_id.get(&*written).filter(|_| !id.is_empty());
        line.copied().unwrap_or_default()
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// How long the string is that begins here.
fn end(text: &str) -> usize {
    let mut is_escaped = false;
    let closes = |byte: u8| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    };
    text.bytes().skip(1).position(closes).map_or(text.len(), |at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_where_it_is_written_first() {
        let text = "{\n \"id\": \"a\", \"b\": \"c\",\n\"id\" :\n\"d\\\"\\\\\", \"target\": \"id\\\\\", \"id\": \"a\" }";
        let lines = Lines::of(text);
        for (id, line) in [("a", 2), ("d\"\\", 4), ("c", 0), ("", 0), ("none", 0)] {
            assert_eq!(lines.line(id), line, "{id}");
        }
        assert_eq!(Lines::of("\"id\" \"").line("x"), 0, "what is cut off");
    }
}

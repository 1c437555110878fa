//! The invariants: every test that the table of ARCHITECTURE.md names is there. Whether it holds what
//! the table says is for `cargo xtask mutants`, and for readers.

use crate::{
    Violation,
    source::{Source, closing, names},
};

/// The line that begins the table.
const HEAD: &str = "| # | invariant | held by |";
/// Names of commands, which are no tests.
const COMMAND: &str = "cargo xtask ";

/// What sources have that can be named: functions, and the modules that they are in.
#[derive(Debug, Default)]
pub(crate) struct Places {
    paths: Vec<String>,
    /// Each function under the folders, files and modules that lead to it: `::core::tests::time::name`.
    functions: Vec<String>,
}

impl Places {
    pub(crate) fn add(&mut self, source: &Source) {
        let path = source.path.trim_end_matches(".rs").trim_end_matches("/main").trim_end_matches("/lib");
        let file: String = path.split('/').map(|part| format!("::{part}")).collect();
        let modules = modules(&source.code);
        for (at, name) in behind(&source.code, "fn") {
            let around = modules.iter().filter(|(_, first, last)| (*first..*last).contains(&at));
            let around: String = around.map(|(module, ..)| format!("::{module}")).collect();
            self.functions.push(format!("{file}{around}::{name}"));
        }
        self.paths.push(format!("/{}", source.path));
    }

    /// Whether there is something of that name: a file, a function with the modules that are written before
    /// it, a module with functions, or with `*` at the end any function that begins so.
    fn have(&self, name: &str) -> bool {
        if name.ends_with(".rs") {
            return self.paths.iter().any(|path| path.ends_with(&format!("/{name}")));
        }
        let (modules, start) = name.rsplit_once("::").unwrap_or(("", name));
        let modules = if modules.is_empty() { String::new() } else { format!("::{modules}") };
        let fits = |function: &String| match start.strip_suffix('*') {
            Some("") => function.contains(&format!("{modules}::")),
            Some(start) => function
                .rsplit_once("::")
                .is_some_and(|(place, function)| place.ends_with(&modules) && function.starts_with(start)),
            None => {
                let whole = format!("{modules}::{start}");
                function.ends_with(&whole) || function.contains(&format!("{whole}::"))
            }
        };
        self.functions.iter().any(fits)
    }
}

/// Every name of a test in the table is that of one that is there, and every row names what holds it.
pub(crate) fn check(path: &str, page: &str, places: &Places) -> Vec<Violation> {
    let rows = page.lines().enumerate().skip_while(|(_, line)| *line != HEAD).skip(2);
    let rows: Vec<_> = rows.take_while(|(_, line)| line.starts_with('|')).collect();
    let violation = |line: usize, message| Violation { path: path.to_owned(), line: line + 1, message };
    if rows.is_empty() {
        return vec![violation(0, format!("has no table that begins with `{HEAD}`"))];
    }
    let mut found = Vec::new();
    for (line, row) in rows {
        let row = row.strip_suffix('|').unwrap_or(row);
        let held_by = row.rsplit_once('|').map_or("", |(_, held_by)| held_by);
        if held_by.trim().is_empty() {
            found.push(violation(line, "names nothing that holds this invariant".to_owned()));
        }
        let quoted = held_by.split('`').skip(1).step_by(2).filter(|name| !name.starts_with(COMMAND));
        for name in quoted.filter(|name| !places.have(name)) {
            found.push(violation(line, format!("names the test `{name}`, which is not there")));
        }
    }
    found
}

/// The modules that are written out, from the outside in, each with the bytes of its block.
fn modules(code: &str) -> Vec<(&str, usize, usize)> {
    let blocks = behind(code, "mod").filter_map(|(at, name)| {
        let open = at + name.len() + code[at + name.len()..].find(|letter: char| !letter.is_whitespace())?;
        let is_block = code.as_bytes()[open] == b'{';
        is_block.then(|| closing(code, open)).flatten().map(|last| (name, open, last))
    });
    blocks.collect()
}

/// The names that come right behind a keyword, with the bytes that they start at.
fn behind<'a>(code: &'a str, keyword: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    names(code)
        .zip(names(code).skip(1))
        .filter(move |((_, first), _)| *first == keyword)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let mut places = Places::default();
        let protocol =
            "async fn a_drain_is_told() {}\nmod inner {\n  mod deeper { fn it_is_known() {} }\n}\n";
        places.add(&Source::new("core/tests/protocol/time.rs", protocol));
        places.add(&Source::new(
            "core/src/rules.rs",
            "fn rule() {}\n#[cfg(test)]\nmod tests { fn a_rule() {} }",
        ));
        places.add(&Source::new("store/tests/kill.rs", "// fn only_told() {}\nmod elsewhere;\n"));
        places
    }

    #[test]
    fn what_is_there_is_found_by_each_way_to_name_it() {
        let names = [
            "a_drain_is_told",
            "time::a_drain_is_told",
            "protocol::time::a_drain_is_told",
            "time::*",
            "time::a_drain_*",
            "a_drain_*",
            "time",
            "inner::deeper::it_is_known",
            "time::inner::deeper::*",
            "rules::tests::a_rule",
            "store/tests/kill.rs",
            "tests/kill.rs",
        ];
        for name in names {
            assert!(places().have(name), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let names = [
            "a_drain_is",
            "drain_is_told",
            "rules::a_drain_is_told",
            "ime::a_drain_is_told",
            "time::a_run_*",
            "protocol::a_drain_*",
            "deeper::inner::*",
            "elsewhere::*",
            "only_told",
            "kills.rs",
            "ill.rs",
        ];
        for name in names {
            assert!(!places().have(name), "{name}");
        }
    }

    #[test]
    fn a_row_that_names_a_test_that_is_not_there_is_found() {
        let row = |held_by: &str| {
            let rows = format!("| 1 | One `row` of it. | {held_by} |\n| 2 | Another. | `time::*` |\n");
            check("A.md", &format!("# A\n\n{HEAD}\n|---|---|---|\n{rows}\n`not_of_the_table`\n"), &places())
        };
        assert!(row("protocol `time::*`, `a_rule`; the simulation; `cargo xtask contract`").is_empty());
        let found = row("protocol `time::a_drain_is_told`, `time::a_drain_was_told`");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            found[0].to_string(),
            "A.md:5: names the test `time::a_drain_was_told`, which is not there"
        );
        assert_eq!(row("")[0].to_string(), "A.md:5: names nothing that holds this invariant");
        assert_eq!(check("A.md", "# A\n", &places()).len(), 1);
    }
}

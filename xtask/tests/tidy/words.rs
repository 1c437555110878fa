//! The words: what is called a job, an attempt, a runner, a sync and a state here is not called
//! by the names that other systems give it.

use crate::{Violation, source::Source};

/// Words that are not ours, in the singular.
const NOT_OURS: &[(&str, &str)] = &[
    ("task", "it is a job, an attempt, or a duty"),
    ("worker", "it is a runner"),
    ("agent", "it is a runner"),
    ("heartbeat", "it is a sync"),
    ("status", "it is a state, an outcome or a conclusion"),
];

/// Names that belong to others: Tokio's, and those of HTTP, of processes and of JUnit.
const FOREIGN_NAMES: &[&str] = &[
    "TaskTracker",
    "TaskTrackerToken",
    "StatusCode",
    "status_code",
    "ExitStatus",
    "TestCaseStatus",
    "user_agent",
    "USER_AGENT",
    "UserAgent",
];
/// Phrases of others in comments.
const FOREIGN_PHRASES: &[&str] =
    &["tokio task", "user agent", "user-agent", "http status", "exit status", "status code", "status line"];
/// Crates that speak HTTP or WebDriver, whose word the last one is, and the program, which has a
/// command of that name.
const SPEAKERS_OF_HTTP: &[&str] = &[
    "runners-transport-http",
    "runners-api",
    "runners-dashboard",
    "runners-exec-webdriver",
    "runners-exec-container",
    "runners-cli",
];

/// What those who speak HTTP share of it: a problem has a member of that name.
const PROBLEMS: &str = "runners-core/src/problem.rs";

/// Names and documentation keep to the glossary.
pub(crate) fn check(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    for (at, name) in source.names() {
        if let Some(message) = problem_of_name(source, at, name) {
            found.push(source.violation(source.line_at(at), message));
        }
    }
    for comment in source.comments.iter().filter(|comment| comment.is_documentation) {
        let text =
            FOREIGN_PHRASES.iter().fold(comment.text.to_lowercase(), |text, phrase| text.replace(phrase, ""));
        for word in text.split(|letter: char| !letter.is_alphanumeric()) {
            if let Some((word, instead)) = not_ours(word).filter(|(word, _)| !is_spoken(source, word)) {
                found.push(source.violation(comment.line, format!("`{word}` in documentation: {instead}")));
            }
        }
    }
    found
}

fn problem_of_name(source: &Source, at: usize, name: &str) -> Option<String> {
    if FOREIGN_NAMES.contains(&name) {
        return None;
    }
    let (word, instead) = segments(name).iter().find_map(|segment| not_ours(segment))?;
    if is_spoken(source, word) {
        return None;
    }
    let (before, behind) = (&source.code[..at], &source.code[at + name.len()..]);
    let is_module_of_others = name == "task" && behind.starts_with("::");
    // `.status` is what a finished process or an HTTP reply has; nothing of ours does.
    let is_member = name == "status" && before.ends_with('.');
    (!is_module_of_others && !is_member).then(|| format!("`{name}`: {instead}"))
}

fn is_spoken(source: &Source, word: &str) -> bool {
    let speaks_http = SPEAKERS_OF_HTTP.contains(&source.package()) || source.path == PROBLEMS;
    word == "status" && speaks_http
}

/// The word that is not ours, if this is one, in the singular or plural.
fn not_ours(word: &str) -> Option<&'static (&'static str, &'static str)> {
    NOT_OURS.iter().find(|(not_ours, _)| {
        word.strip_prefix(not_ours).is_some_and(|ending| matches!(ending, "" | "s" | "es"))
    })
}

/// The words of a name, in lower case: `JobSpec`, `job_spec` and `JOB_SPEC` are job and spec.
fn segments(name: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut before = '_';
    for letter in name.chars() {
        let starts = letter == '_' || (letter.is_uppercase() && !before.is_uppercase());
        if starts {
            segments.push(String::new());
        }
        if letter != '_' {
            segments.last_mut().expect("it starts with one").extend(letter.to_lowercase());
        }
        before = letter;
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        check(&Source::new("runners-core/src/values/a.rs", text)).len()
    }

    #[test]
    fn each_word_that_is_not_ours_is_found_in_names() {
        for name in ["task", "WorkerPool", "spawn_agent", "HEARTBEATS_MAX", "JobStatus", "tasks"] {
            assert_eq!(found(&format!("struct A {{ {name}: u8 }}")), 1, "{name}");
        }
    }

    #[test]
    fn a_word_that_only_contains_another_is_fine() {
        assert_eq!(found("fn multitasking(agenda: u8, statuary: u8, networker: u8) {}"), 0);
    }

    #[test]
    fn words_in_documentation_are_found_and_those_of_others_are_not() {
        assert_eq!(found("/// Starts the worker.\n//! Every agent's status.\n"), 3);
        assert_eq!(found("/// Each attempt is a Tokio task, the User-Agent is sent.\n// a worker\n"), 0);
    }

    #[test]
    fn names_of_others_are_left_alone() {
        assert_eq!(found("use tokio_util::task::TaskTracker;\nuse std::{task::Poll};"), 0);
        assert_eq!(found("fn a(b: ExitStatus) { c.status().success(); d.status.code() }"), 0);
        assert_eq!(found("fn a(status: u8) { status() }"), 2, "but only theirs");
    }

    #[test]
    fn a_text_is_a_wire_name_and_none_of_ours() {
        assert_eq!(found("const A: &str = \"status\";"), 0);
    }

    #[test]
    fn those_who_speak_http_may_use_its_word() {
        for path in ["runners-transport-http/src/a.rs", PROBLEMS] {
            let source = Source::new(path, "fn a(status: u8, worker: u8) {}");
            assert_eq!(check(&source).len(), 1, "{path}");
        }
    }
}

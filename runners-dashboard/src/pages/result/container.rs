//! What a container came to: how its program ended, of which image it was, and the tests that it tells of.

use crate::{
    parts::{facts, pill, table},
    words::{self, Tone},
};
use maud::{Markup, html};
use serde::Deserialize;
use std::time::Duration;

/// The largest number of tests that are shown.
const TESTS_MAX: usize = 500;

/// What the page wants of a result of a container. Everything else in it is left alone.
#[derive(Debug, Deserialize)]
struct Container {
    exit_code: i64,
    image: String,
    #[serde(default)]
    image_id: String,
    #[serde(default)]
    image_digest: Option<String>,
    #[serde(default)]
    duration_ms: u64,
    #[serde(default)]
    tests: Option<Tests>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Tests {
    total: usize,
    #[serde(default)]
    failed: usize,
    #[serde(default)]
    errored: usize,
    #[serde(default)]
    skipped: usize,
    #[serde(default)]
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Case {
    #[serde(default)]
    class: String,
    name: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    duration_ms: Option<u64>,
    #[serde(default)]
    message: String,
}

/// A result, if it is one of a container.
pub(super) fn show(bytes: &[u8]) -> Option<Markup> {
    let result: Container = serde_json::from_slice(bytes).ok()?;
    let tone: Tone = if result.exit_code == 0 { "passed" } else { "failed" };
    let known_as = result.image_digest.as_ref().unwrap_or(&result.image_id);
    let pairs = [
        ("Exit code", pill((tone, &result.exit_code.to_string()))),
        ("Ran for", html! { (words::span(Duration::from_millis(result.duration_ms))) }),
        ("Image", html! { span.break { (result.image) } }),
        ("As it ran", html! { span.break { (known_as) } }),
    ];
    Some(html! {
        section aria-labelledby="result-title" {
            h2 #result-title { "Container" }
            (facts(&pairs))
            @if !result.notes.is_empty() {
                ul.reasons { @for note in &result.notes { li { (note) } } }
            }
        }
        @if let Some(found) = &result.tests { (tests(found)) }
    })
}

fn tests(found: &Tests) -> Markup {
    let apart = found.failed + found.errored + found.skipped;
    let counts = [
        (found.total.saturating_sub(apart), "passed", "passed"),
        (found.failed, "failed", "failed"),
        (found.errored, "errored", "errored"),
        (found.skipped, "faint", "skipped"),
    ];
    let shown = found.cases.len().min(TESTS_MAX);
    html! {
        section aria-labelledby="tests-title" {
            h2 #tests-title { "Tests" }
            p.counts {
                @for (count, tone, word) in counts.into_iter().filter(|(count, ..)| *count > 0) {
                    (pill((tone, &format!("{} {word}", words::number(count as u64))))) " "
                }
                span.faint { "of " (words::count(found.total as u64, "test")) }
            }
            @if shown > 0 {
                (table("Tests, as the JUnit file of the container tells", &["Test", "Result", "Took"], &html! {
                    @for case in found.cases.iter().take(shown) { (row(case)) }
                }))
            }
            @if shown < found.total {
                p.faint { (words::count((found.total - shown) as u64, "test")) " more: the JUnit file is among the artifacts." }
            }
        }
    }
}

fn row(case: &Case) -> Markup {
    let state: (Tone, &str) = match &*case.state {
        "failed" => ("failed", "failed"),
        "errored" => ("errored", "errored"),
        "skipped" => ("faint", "skipped"),
        _ => ("passed", "passed"),
    };
    html! {
        tr {
            td data-label="Test" {
                span.break { @if !case.class.is_empty() { (case.class) " › " } (case.name) }
                @if !case.message.is_empty() { p.faint { (case.message) } }
            }
            td data-label="Result" { (pill(state)) }
            td.time.told data-label="Took" {
                @match case.duration_ms {
                    Some(span) => { (words::span(Duration::from_millis(span))) }
                    None => { "–" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_shown_with_its_tests_and_nothing_else_is_taken_for_one() {
        let result = r#"{"exit_code":3,"image":"shop/tests:4","image_id":"sha256:11","duration_ms":1500,
            "tests":{"total":9,"failed":1,"cases":[
                {"class":"shop","name":"<b>pays</b>","state":"failed","duration_ms":20,"message":"1 < 2"},
                {"name":"buys","state":"passed"}]},
            "artifacts":1,"notes":["a.bin is no artifact"]}"#;
        let page = show(result.as_bytes()).unwrap().into_string();
        for text in [
            "shop/tests:4",
            "sha256:11",
            "1.5 s",
            "8 passed",
            "1 failed",
            "of 9 tests",
            "shop › &lt;b&gt;pays&lt;/b&gt;",
            "1 &lt; 2",
            "20 ms",
            "7 tests more",
            "a.bin is no artifact",
        ] {
            assert!(page.contains(text), "{text} in {page}");
        }
        for other in ["3", "\"passed\"", r#"{"exit_code":0}"#, r#"{"image":"a"}"#] {
            assert!(show(other.as_bytes()).is_none(), "{other}");
        }
    }
}

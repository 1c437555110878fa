//! The corpus: flows that are replayed by us and by the reference replayer, on pages that write down
//! everything they see. Both must show them the same; where we differ on purpose, the table says why.

use crate::{corpus::Corpus, stage::Stage};
use runners_core::Verdict;
use runners_exec_webdriver::Mode;
use std::{
    env,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Where `npm install @puppeteer/replay puppeteer` was run.
const PACKAGE: &str = "REPLAY_PACKAGE_DIRECTORY";
const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/reference.cjs");

/// The flows of which pages see something else, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    ("different-capitals", "a keyboard that types a capital holds shift, and WebDriver says so"),
    ("different-false", "the text \"false\" would check a box, which nobody means"),
    ("different-frame", "a frame that comes late is waited for, as elements are"),
    ("different-numpad", "WebDriver has the location 1 for that key, and the reference 3"),
    ("different-option", "a choice that is not there is an error, and not no choice"),
    ("different-smooth", "a step that scrolls has scrolled when it ends"),
    ("different-prefix", "css/ is the prefix of css, as the format says"),
];

/// The flows that are to fail, here and there.
const FAILING: &[&str] = &["files"];

/// The flows that `strict` mode is to replay in another way, and why.
const OTHERWISE: &[(&str, &str)] = &[
    ("others", "a step that nothing understands is refused"),
    ("unseen", "an element that is waited for is to be seen"),
    ("clears", "a page is told of a text that is taken away"),
];

#[tokio::test]
async fn pages_see_what_the_reference_replayer_shows_them() {
    let Some(package) = env::var_os(PACKAGE).map(PathBuf::from) else {
        println!("skipped: {PACKAGE} does not say where @puppeteer/replay is installed");
        return;
    };
    let Some(stage) = Stage::open().await else { return };
    let (ours, theirs) = (Corpus::open(), Corpus::open());
    let mut told = Vec::new();
    for name in ours.names() {
        let (result, _) = stage.replay_flow(ours.flow(name)).await.unwrap();
        told.push((name.clone(), ours.taken(name), result.failure().and_then(|step| step.reason.clone())));
    }
    stage.close().await;
    let mut reference = reference(&theirs, &package);
    let mut wrong = Vec::new();
    for (name, seen, failure) in told {
        let expected = theirs.taken(&name);
        let trouble = reference.remove(&name).expect("the reference tells of every flow");
        let same = seen == expected && failure.is_some() == trouble.is_some();
        match DIFFERENCES.iter().find(|(different, _)| *different == name) {
            Some((_, why)) if same => wrong.push(format!("{name}: no difference any more: {why}")),
            None if !same => wrong.push(format!(
                "{name}: we say {failure:?}, the reference {trouble:?}\n{}",
                difference(&seen, &expected)
            )),
            None if failure.is_some() != FAILING.contains(&&*name) => {
                wrong.push(format!("{name}: both say {failure:?}"));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test]
async fn controls_end_up_the_same_in_strict_mode() {
    let Some(stage) = Stage::open().await else { return };
    let corpus = Corpus::open();
    let is_otherwise = |name: &str| {
        name.starts_with("different-")
            || FAILING.contains(&name)
            || OTHERWISE.iter().any(|(other, _)| *other == name)
    };
    for name in corpus.names().iter().filter(|name| !is_otherwise(name)) {
        let mut seen = Vec::new();
        for mode in [Mode::Compat, Mode::Strict] {
            let (result, _) = stage.replay_flow(corpus.flow(name).with_mode(mode)).await.unwrap();
            assert_eq!(result.verdict, Verdict::Passed, "{name} in {mode:?}: {:?}", result.failure());
            // Only one of them clicks by what the step names.
            let lines = corpus.taken(name).expect("what passes has published").replace("=touch ", "=mouse ");
            let is_kept = |line: &&str| ["change ", "click ", "at "].iter().any(|kind| line.contains(kind));
            seen.push(lines.lines().filter(is_kept).collect::<Vec<_>>().join("\n"));
        }
        assert_eq!(seen[0], seen[1], "{name}");
    }
    stage.close().await;
}

/// What the reference replayer says of each flow.
fn reference(corpus: &Corpus, package: &PathBuf) -> std::collections::HashMap<String, Option<String>> {
    let mut node = Command::new("node")
        .arg(REFERENCE)
        .env(PACKAGE, package)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let flows: Vec<_> = corpus
        .names()
        .iter()
        .map(|name| serde_json::json!({ "name": name, "document": corpus.document(name) }))
        .collect();
    let request = serde_json::json!({ "browser": browser(), "flows": flows });
    node.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let ended = node.wait_with_output().unwrap();
    assert!(ended.status.success(), "the reference replayer failed: {}", ended.status);
    let lines = String::from_utf8(ended.stdout).unwrap();
    let read = |line: &str| {
        let told: serde_json::Value = serde_json::from_str(line).unwrap();
        (told["name"].as_str().unwrap().to_owned(), told["trouble"].as_str().map(str::to_owned))
    };
    lines.lines().map(read).collect()
}

/// The browser that we start as well.
fn browser() -> PathBuf {
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
    let path = env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = env::split_paths(&path).collect();
    let mut candidates = names.iter().flat_map(|name| places.iter().map(move |place| place.join(name)));
    candidates.find(|file| file.is_file()).expect("a driver was found, and so was its browser")
}

/// The lines around the first that differs.
fn difference(ours: &Option<String>, theirs: &Option<String>) -> String {
    let (ours, theirs) = (ours.as_deref().unwrap_or_default(), theirs.as_deref().unwrap_or_default());
    let at = ours.lines().zip(theirs.lines()).take_while(|(one, other)| one == other).count();
    let from = at.saturating_sub(2);
    let some = |text: &str| text.lines().skip(from).take(8).collect::<Vec<_>>().join("\n    ");
    format!("  from line {from} on, we show\n    {}\n  the reference\n    {}", some(ours), some(theirs))
}

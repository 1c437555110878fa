//! Flow documents: read, validated, and named for the output directory.

use crate::terminal;
use runners_exec_webdriver::{BrowserFlow, Engine, Flow, Mode, Problem};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{Read, stdin},
    path::{Path, PathBuf},
};

/// The most flows in one command.
pub(crate) const FLOWS_MAX: usize = 10_000;

/// What is chosen for all flows of a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    /// Another mode than theirs.
    pub(crate) mode: Option<Mode>,
    /// Other values than the defaults of their parameters.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The browsers that they are for, if that is known.
    pub(crate) engine: Option<Engine>,
}

/// A flow document that can be replayed.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// Names it in the output: unique, and fit to be a directory.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) flow: BrowserFlow,
}

/// What was found in one document.
#[derive(Debug, Serialize)]
pub(crate) struct Findings {
    pub(crate) file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steps: Option<usize>,
    /// Each is in the way of a replay.
    pub(crate) problems: Vec<Problem>,
    /// Each is probably not what the author meant.
    pub(crate) warnings: Vec<Problem>,
    #[serde(skip)]
    flow: Option<BrowserFlow>,
}

impl Findings {
    /// Reads one document and looks for everything that is in the way of such a replay.
    pub(crate) fn of(path: &Path, choices: &Choices) -> Self {
        match read(path) {
            Ok(text) => Self::of_text(path.to_owned(), &text, choices),
            Err(message) => Self { problems: vec![problem(&message)], ..Self::nothing(path.to_owned()) },
        }
    }

    fn nothing(file: PathBuf) -> Self {
        Self { file, title: None, steps: None, problems: Vec::new(), warnings: Vec::new(), flow: None }
    }

    /// Looks for everything in the text of a document that is in the way of such a replay.
    pub(crate) fn of_text(file: PathBuf, text: &str, choices: &Choices) -> Self {
        let mut findings = Self::nothing(file);
        let parsed = BrowserFlow::parse(text);
        match parsed.and_then(|flow| flow.with_parameters(&choices.parameters)) {
            Ok(flow) => {
                let flow = choices.mode.into_iter().fold(flow, BrowserFlow::with_mode);
                findings.title = Some(flow.flow().title.clone());
                findings.steps = Some(flow.flow().steps.len());
                findings.problems = match choices.engine {
                    Some(engine) => flow.flow().unsupported_on(engine),
                    None => flow.flow().unsupported(),
                };
                findings.warnings = flow.flow().warnings();
                findings.flow = Some(flow);
            }
            Err(problems) => findings.problems = problems.into_vec(),
        }
        findings
    }

    pub(crate) fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// Says what was found, on standard error.
    pub(crate) fn tell(&self) {
        let file = self.file.display();
        let warning = console::Style::new().for_stderr().magenta().bold();
        let told = |problem: &Problem| match &*problem.pointer {
            "" => format!("{file}: {}", problem.message),
            _ => format!("{file}: {problem}"),
        };
        for problem in &self.problems {
            terminal::note(format!("{} {}", terminal::error_style().apply_to("error:"), told(problem)));
        }
        for problem in &self.warnings {
            terminal::note(format!("{} {}", warning.apply_to("warning:"), told(problem)));
        }
    }
}

/// Reads and validates all documents, and says what is wrong. `None` when any cannot be replayed.
pub(crate) fn read_all(paths: &[PathBuf], choices: &Choices) -> Option<Vec<Document>> {
    if paths.len() > FLOWS_MAX {
        let (given, style) = (paths.len(), terminal::error_style());
        let error = style.apply_to("error:");
        terminal::note(format!(
            "{error} {given} flows are more than the limit of {FLOWS_MAX}: submit some first"
        ));
        return None;
    }
    named(paths.iter().map(|path| Findings::of(path, choices)).collect())
}

/// Says what is wrong with documents, and gives those that can be replayed names. `None` when any
/// cannot be.
pub(crate) fn named(findings: Vec<Findings>) -> Option<Vec<Document>> {
    findings.iter().for_each(Findings::tell);
    if !findings.iter().all(Findings::is_good) {
        return None;
    }
    let mut taken = BTreeSet::new();
    let documents = findings.into_iter().filter_map(|findings| {
        let name = unique(&slug(&findings.file), &mut taken);
        Some(Document { name, path: findings.file, flow: findings.flow? })
    });
    Some(documents.collect())
}

fn read(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| format!("could not be read: {error}");
    if path.is_dir() {
        return Err("is a directory: name the files in it, such as flows/*.json".to_owned());
    }
    let mut bytes = Vec::new();
    let limit = Flow::BYTES_MAX as u64;
    let source: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(stdin().lock()),
        false => Box::new(File::open(path).map_err(told)?),
    };
    source.take(limit + 1).read_to_end(&mut bytes).map_err(told)?;
    String::from_utf8(bytes).map_err(|_| "is not text in UTF-8: export the recording as JSON".to_owned())
}

fn problem(message: &str) -> Problem {
    serde_json::from_value(serde_json::json!({ "pointer": "", "message": message, "hint": "" }))
        .expect("invariant: a problem is these three texts")
}

/// Names that are fit to be files, none of them twice.
pub(crate) fn unique_names<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    names.map(|name| unique(&plain(name), &mut taken)).collect()
}

/// A name of letters, digits, hyphens and underscores.
fn slug(path: &Path) -> String {
    plain(&path.file_stem().unwrap_or_default().to_string_lossy())
}

fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
    let slug: String = name.chars().map(plain).take(80).collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "flow".to_owned() } else { slug.to_owned() }
}

fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let candidates = std::iter::once(name.to_owned()).chain((2..).map(|number| format!("{name}-{number}")));
    let free = candidates.skip_while(|candidate| taken.contains(candidate)).take(1);
    let free: String = free.collect();
    taken.insert(free.clone());
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_fit_to_be_a_directory() {
        for (path, name) in [
            ("flows/check out.json", "check-out"),
            ("../..", "flow"),
            ("report.json.json", "report-json"),
            ("-.json", "flow"),
            ("Größe_2.json", "Größe_2"),
        ] {
            assert_eq!(slug(Path::new(path)), name, "{path}");
        }
    }

    #[test]
    fn two_files_of_one_name_are_told_apart() {
        let mut taken = BTreeSet::new();
        let names: Vec<_> = ["a", "a", "a-2", "a"].map(|name| unique(name, &mut taken)).into();
        assert_eq!(names, ["a", "a-2", "a-2-2", "a-3"]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_a_finding() {
        let directory = tempfile::tempdir().unwrap();
        assert!(
            Findings::of(directory.path(), &Choices::default()).problems[0]
                .message
                .contains("is a directory")
        );
        assert!(
            Findings::of(&directory.path().join("no"), &Choices::default()).problems[0]
                .message
                .contains("could not be read")
        );
        let file = directory.path().join("bad.json");
        std::fs::write(&file, r#"{"steps": [{"type": "navigate"}, {"type": "fly"}]}"#).unwrap();
        let findings = Findings::of(&file, &Choices::default());
        let pointers: Vec<_> = findings.problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/title", "/steps/0/url", "/steps/1/type"]);
    }
}

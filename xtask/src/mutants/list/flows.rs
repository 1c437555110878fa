//! Mutants of replaying flows: what a document may say, what a step waits for, and what fails.

use super::Mutant;

/// The rules of the format.
const FORMAT: &[&str] = &["--package", "runners-exec-webdriver", "--lib", "--", "flow::"];
/// A real browser.
const FAILURES: &[&str] = &["--package", "runners-exec-webdriver", "--test", "browser", "--", "failures::"];
const STRICT: &[&str] = &["--package", "runners-exec-webdriver", "--test", "browser", "--", "strict::"];
const SCRIPTS: &[&str] = &["--package", "runners-exec-webdriver", "--test", "browser", "--", "scripts::"];
const HUNG: &[&str] = &["--package", "runners-exec-webdriver", "--test", "browser", "--", "hung::"];
const TOLD: &[&str] = &["--package", "runners-exec-webdriver", "--test", "browser", "--", "told::"];
const EXTENSIONS: &[&str] =
    &["--package", "runners-exec-webdriver", "--test", "browser", "--", "extensions::"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "secret typed by its name",
        file: "runners-exec-webdriver/src/flow/secret.rs",
        search: "Some(name) if self.redactor.is_none()",
        replacement: "Some(name) if self.redactor.is_some()",
        test: FORMAT,
    },
    Mutant {
        name: "member of a step left out of the schema",
        file: "runners-exec-webdriver/src/flow/schema/addition.rs",
        search: "\"optional\": {",
        replacement: "\"optionally\": {",
        test: FORMAT,
    },
    Mutant {
        name: "step passed that took too long",
        file: "runners-exec-webdriver/src/replay/step.rs",
        search: "Err(Trouble::Failed(self.late(limit)))",
        replacement: "Ok(())",
        test: FAILURES,
    },
    Mutant {
        name: "flow went on after a failed step",
        file: "runners-exec-webdriver/src/replay/run.rs",
        search: "verdict = Verdict::Failed;\n                break;",
        replacement: "verdict = Verdict::Failed;",
        test: FAILURES,
    },
    Mutant {
        name: "lost browser taken for a verdict",
        file: "runners-exec-webdriver/src/replay/trouble.rs",
        search: "Self::Failed(reason) => Ok(reason),",
        replacement: "Self::Failed(reason) => Ok(reason),\n            Self::Lost(source) if !place.is_empty() => Ok(source.to_string()),",
        test: FAILURES,
    },
    Mutant {
        name: "moving element clicked",
        file: "runners-exec-webdriver/src/scripts/act.js",
        search: "if (!still) return",
        replacement: "if (false) return",
        test: FAILURES,
    },
    Mutant {
        name: "disabled control clicked",
        file: "runners-exec-webdriver/src/scripts/act.js",
        search: "if (isDisabled(element)) return `${name} is disabled`;",
        replacement: "",
        test: FAILURES,
    },
    Mutant {
        name: "covered element clicked",
        file: "runners-exec-webdriver/src/scripts/act.js",
        search: "if (over) return { again: over.why };",
        replacement: "",
        test: STRICT,
    },
    Mutant {
        name: "storage given to another origin",
        file: "runners-exec-webdriver/src/replay/storage.rs",
        search: "if (location.origin === to.origin) for",
        replacement: "for",
        test: EXTENSIONS,
    },
    Mutant {
        name: "script sent whole at each call",
        file: "runners-exec-webdriver/src/browser/page.rs",
        search: "kept.note(script);",
        replacement: "",
        test: SCRIPTS,
    },
    Mutant {
        name: "what the browser tells beside the driver is not heard",
        file: "runners-exec-webdriver/src/replay/popups.rs",
        search: "self.told.notify_one();",
        replacement: "",
        test: TOLD,
    },
    Mutant {
        name: "what the browser tells over WebDriver BiDi is not heard",
        file: "runners-exec-webdriver/src/browser/bidi/heard.rs",
        search: "self.has_changed = true;",
        replacement: "",
        test: TOLD,
    },
    Mutant {
        name: "hanging browser taken for a page that says nothing",
        file: "runners-exec-webdriver/src/replay/evidence.rs",
        search: "presence::ask(self.page, self.clock).await.map(|()| left)",
        replacement: "Ok(left)",
        test: HUNG,
    },
];

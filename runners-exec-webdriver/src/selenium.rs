//! Reads projects of Selenium IDE (`.side`) as flows, test by test, and says of every command that it
//! leaves out which it was and why. What a single command becomes is in `command`, and what is said of
//! the whole project in `setting`.

mod command;
mod dialog;
mod lines;
mod locator;
mod setting;
mod text;

use crate::flow::Flow;
use command::Translator;
use lines::Lines;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};
use url::Url;

/// How deep tests may run each other.
const NESTED_MAX: usize = 10;
/// How many commands the tests of a project may take from each other.
const TAKEN_MAX: usize = 100_000;
/// The most commands of a test that are told as left out.
const LEFT_OUT_MAX: usize = 1_000;

/// The tests of a project, as flows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SeleniumImport {
    /// What the project is called.
    pub project: String,
    /// A flow for each test, in the order of the project.
    pub flows: Vec<ImportedFlow>,
    /// What the project says of all its tests that was not carried over, or not quite.
    pub left_out: Vec<LeftOut>,
}

/// One test of a project, as a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImportedFlow {
    /// What the test is called.
    pub name: String,
    /// The flow, a JSON document that replays, and that the Recorder panel opens.
    pub document: String,
    /// How many commands were carried over.
    pub carried: usize,
    /// What was not carried over, or not quite.
    pub left_out: Vec<LeftOut>,
}

/// A command that was not carried over, or not quite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// The line of the file where the command stands, from 1; 0 if it cannot be told.
    pub line: usize,
    /// Its place in its test, from 1; 0 for what is said of the whole project.
    pub number: usize,
    /// The command, its target and its value, as the editor shows them; or the setting and its value.
    pub command: String,
    /// Why.
    pub reason: String,
    /// Whether a step stands for it all the same.
    pub carried: bool,
}

/// A file that is no project of Selenium IDE.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Import another file, or mend this one.
    #[error("it is no project of Selenium IDE")]
    Unreadable(#[source] serde_json::Error),
    /// Open it in a newer Selenium IDE and save it.
    #[error("projects of version {found:?} are not known; 1.0, 1.1, 2.0 and 3.0 are")]
    Version {
        /// The version of the project.
        found: String,
    },
    /// Split the project.
    #[error("{bytes} bytes are more than the limit of {}", Flow::BYTES_MAX)]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
}

#[derive(Debug, Deserialize)]
struct Project {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    timeout: Value,
    #[serde(default)]
    delay: Value,
    #[serde(default)]
    plugins: Value,
    #[serde(default)]
    suites: Value,
    tests: Vec<Test>,
}

#[derive(Debug, Deserialize)]
struct Test {
    #[serde(default)]
    name: String,
    commands: Vec<Command>,
}

#[derive(Debug, Deserialize)]
struct Command {
    #[serde(default)]
    id: String,
    command: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    skip: bool,
    #[serde(default, rename = "opensWindow")]
    opens_window: bool,
}

impl SeleniumImport {
    /// Reads a project.
    ///
    /// # Errors
    /// [`ImportError`] if it is none. A command that cannot be carried over is no error.
    pub fn parse(text: &str) -> Result<Self, ImportError> {
        if text.len() > Flow::BYTES_MAX {
            return Err(ImportError::TooLarge { bytes: text.len() });
        }
        let project: Project = serde_json::from_str(text).map_err(ImportError::Unreadable)?;
        let version = project.version.as_deref().unwrap_or("1.0");
        if !["1.0", "1.1", "2.0", "3.0"].contains(&version) {
            return Err(ImportError::Version { found: version.to_owned() });
        }
        let base = Url::parse(&project.url).ok();
        let mut tests = HashMap::new();
        for test in &project.tests {
            tests.entry(&*test.name).or_insert(test);
        }
        let reading = Reading { project: &project, tests, lines: Lines::of(text), base };
        let mut left = TAKEN_MAX;
        let flows = project.tests.iter().map(|test| import(test, Steps::new(&reading, &mut left)));
        let flows = flows.collect();
        let left_out = project.left_out(&reading.lines);
        Ok(Self { flows, project: project.name.clone(), left_out })
    }
}

fn import(test: &Test, mut steps: Steps<'_>) -> ImportedFlow {
    steps.take(test, 0);
    let parameters = steps.steps.iter().flat_map(text::parameters);
    let parameters: Map<String, Value> = parameters.map(|name| (name, json!({}))).collect();
    let mut document = json!({
        "title": test.name,
        "timeout": steps.reading.project.step_millis(),
        "steps": steps.steps,
    });
    if !parameters.is_empty() {
        // Steps that were never meant strictly are not.
        document["runners"] = json!({ "mode": "compat", "params": parameters });
    }
    ImportedFlow {
        name: test.name.clone(),
        document: format!("{document:#}\n"),
        carried: steps.carried,
        left_out: steps.left_out,
    }
}

/// A project that is being read.
struct Reading<'p> {
    project: &'p Project,
    /// By their names; of several, the first.
    tests: HashMap<&'p str, &'p Test>,
    lines: Lines<'p>,
    base: Option<Url>,
}

impl<'p> Reading<'p> {
    /// The test that a command runs.
    fn test(&self, command: &Command) -> Option<&'p Test> {
        self.tests.get(command.target.trim()).copied()
    }
}

/// The steps of a flow that is being made.
struct Steps<'p> {
    reading: &'p Reading<'p>,
    translator: Translator,
    steps: Vec<Value>,
    carried: usize,
    left_out: Vec<LeftOut>,
    /// How many more commands the tests may take from each other.
    left: &'p mut usize,
    /// Whether nothing more is looked at.
    is_full: bool,
}

impl<'p> Steps<'p> {
    fn new(reading: &'p Reading<'p>, left: &'p mut usize) -> Self {
        Self {
            reading,
            translator: Translator::new(reading.base.as_ref()),
            steps: Vec::new(),
            carried: 0,
            left_out: Vec::new(),
            left,
            is_full: false,
        }
    }

    fn take(&mut self, test: &Test, depth: usize) {
        let mut block: Vec<String> = Vec::new();
        for (index, command) in test.commands.iter().enumerate() {
            if self.is_full {
                return;
            }
            let name = command.command.trim();
            if !command.is_run() {
                continue;
            }
            // What is inside of a block happens if, or as often as, an expression says.
            if let Some(opened) = opens(name) {
                self.leave_out(command, index, &format!("flows have no `{opened}`"), false);
                self.skip(command, index);
                block.push(opened.to_owned());
            } else if name == "end" {
                block.pop();
            } else if matches!(name, "else" | "elseIf" | "repeatIf") {
                self.leave_out(command, index, &format!("flows have no `{name}`"), false);
                if name == "repeatIf" {
                    block.pop();
                }
            } else if let Some(around) = block.last() {
                self.leave_out(command, index, &format!("it is inside of `{around}`"), false);
                self.skip(command, index);
            } else if name == "run" {
                self.run(command, index, depth);
            } else {
                self.translate(command, index);
            }
        }
    }

    /// Puts the commands of another test in place of this one.
    fn run(&mut self, command: &Command, index: usize, depth: usize) {
        match self.reading.test(command) {
            Some(test) if depth < NESTED_MAX => {
                if self.may_take(test, command, index) {
                    self.take(test, depth + 1);
                }
            }
            Some(_) => {
                let reason = format!("tests run each other more than {NESTED_MAX} deep");
                self.leave_out(command, index, &reason, false);
            }
            None => self.leave_out(command, index, "there is no such test", false),
        }
    }

    /// Whether the commands of another test may be looked at in place of this one.
    fn may_take(&mut self, test: &Test, command: &Command, index: usize) -> bool {
        let left = self.left.checked_sub(test.commands.len().max(1));
        *self.left = left.unwrap_or_default();
        if left.is_none() {
            let reason =
                format!("tests take more than {TAKEN_MAX} commands from each other: nothing more is read");
            self.leave_out(command, index, &reason, false);
            self.is_full = true;
        }
        left.is_some()
    }

    /// Passes over a command of which nobody knows whether it is carried out, with all that it runs: what it would
    /// change is not known from here on.
    fn skip(&mut self, command: &Command, index: usize) {
        let (mut seen, mut passed) = (BTreeSet::new(), vec![command]);
        while let Some(one) = passed.pop() {
            self.translator.skip(one);
            let test = self.reading.test(one).filter(|_| one.command.trim() == "run");
            if let Some(test) = test.filter(|test| seen.insert(&*test.name)) {
                if !self.may_take(test, command, index) {
                    return;
                }
                passed.extend(test.commands.iter().filter(|inner| inner.is_run()));
            }
        }
    }

    fn translate(&mut self, command: &Command, index: usize) {
        match self.translator.translate(command) {
            Ok(translated) => {
                if let (Some(more), Some(last)) = (translated.more.as_object(), self.steps.last_mut()) {
                    let parameters = last["parameters"].as_object_mut();
                    parameters.into_iter().for_each(|last| last.extend(more.clone()));
                }
                if self.steps.len() + translated.steps.len() > Flow::STEPS_MAX {
                    let reason =
                        format!("a flow has at most {} steps: nothing more is carried over", Flow::STEPS_MAX);
                    self.is_full = true;
                    return self.leave_out(command, index, &reason, false);
                }
                self.carried += 1;
                self.steps.extend(translated.steps);
                if let Some(note) = translated.note {
                    self.leave_out(command, index, &note, true);
                }
            }
            Err(reason) => self.leave_out(command, index, &reason, false),
        }
    }

    fn leave_out(&mut self, command: &Command, index: usize, reason: &str, carried: bool) {
        let last = format!("{LEFT_OUT_MAX} commands are told as left out: nothing more is carried over");
        let is_last = self.left_out.len() + 1 >= LEFT_OUT_MAX;
        self.is_full |= is_last;
        let reason = if is_last { &*last } else { reason };
        let parts = [&command.command, &command.target, &command.value];
        let said: Vec<_> =
            parts.into_iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
        self.left_out.push(LeftOut {
            line: self.reading.lines.line(&command.id),
            number: index + 1,
            command: crate::flow::one_line(&said.join(" | "), 200),
            reason: reason.to_owned(),
            carried,
        });
    }
}

impl Command {
    /// Whether it is one that is carried out, and no remark.
    fn is_run(&self) -> bool {
        let name = self.command.trim();
        !name.is_empty() && !name.starts_with("//") && !self.skip
    }
}

/// The block that a command opens.
fn opens(name: &str) -> Option<&str> {
    matches!(name, "if" | "while" | "times" | "do" | "forEach").then_some(name)
}

#[cfg(test)]
mod tests;

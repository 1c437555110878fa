//! The steps of a recording as they come, and as a person changes them. It knows the rules: what continues
//! what, and what made a page go elsewhere. It neither waits nor asks.

mod edit;
mod place;

pub(super) use edit::wrong;

use super::{
    command::{RecordedStep, RecordedSteps},
    shape,
    told::{Deed, Dialog, Told, What},
};
use crate::flow::{BrowserFlow, Flow, Problems};
use place::Pages;
use runners_core::Fault;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// How often what was changed can be taken back.
const UNDOS_MAX: usize = 100;
/// What of the bytes of a flow is left to what is around its steps.
const AROUND_BYTES: usize = 64 * 1024;
/// The most notes of a recording.
const NOTES_MAX: usize = 100;
/// How short before a page is closed somebody did something that has closed it.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// The steps of a recording.
#[derive(Debug)]
pub(super) struct Draft {
    title: String,
    entries: Vec<Arc<Entry>>,
    /// The entries as they were before each of the last changes.
    before: VecDeque<Vec<Arc<Entry>>>,
    pages: Pages,
    notes: Vec<String>,
    /// The names of the secrets that were typed, also of steps that are gone: another may name them.
    declared: BTreeSet<String>,
    made: u64,
    /// Grows with every change.
    revision: u64,
    is_full: bool,
}

/// One step, and what is known of it beside.
#[derive(Clone, Debug)]
struct Entry {
    id: u64,
    step: Value,
    page: String,
    /// The element that it is done to, as its document counts them.
    element: Option<String>,
    /// The name of the secret in it.
    secret: Option<String>,
    /// Whether its page may go elsewhere because of it.
    causes: bool,
    at: Duration,
    /// The document that its page went to because of it, and when.
    led_to: Option<(String, Duration)>,
}

impl Draft {
    /// Begins with a page. The times of everything that follows count from here.
    pub(super) fn new(title: &str, main: &str, url: &str, size: Option<super::told::Size>) -> Self {
        let mut draft = Self {
            title: title.to_owned(),
            entries: Vec::new(),
            before: VecDeque::new(),
            pages: Pages::new(main),
            notes: Vec::new(),
            declared: BTreeSet::new(),
            made: 0,
            revision: 0,
            is_full: false,
        };
        if let Some(size) = size {
            draft.pages.size = Some(size);
            draft.push(main, shape::viewport(size), Duration::ZERO, |_| {});
        }
        draft.push(main, json!({ "type": "navigate", "url": url }), Duration::ZERO, |entry| {
            entry.causes = true;
        });
        draft
    }

    /// Takes what a page tells; answers how many steps have come at the end.
    pub(super) fn take(&mut self, page: &str, told: &Told, now: Duration) -> usize {
        let mut before = self.made;
        match &told.what {
            What::Did(deed) => self.did(page, told, deed.clone(), now),
            What::Amended { element, step } => self.amend(element, step),
            What::Noted { text } => self.note(text.clone()),
            What::Arrived { size, how } => {
                self.fit(page, *size);
                before = self.made;
                self.arrived(page, told, how, now);
            }
            What::Titled { title, size } => {
                self.fit(page, *size);
                before = self.made;
                self.titled(told, title);
            }
            What::Moved => self.moved(page, told, now),
            What::Sized(size) => self.sized(page, *size, now),
        }
        usize::try_from(self.made - before).unwrap_or(usize::MAX).min(self.entries.len())
    }

    /// A page was closed, by a person if nothing was done just before. Answers how many steps have come.
    pub(super) fn closed(&mut self, page: &str, now: Duration) -> usize {
        let before = self.made;
        let target = self.pages.target(page);
        let is_by_hand = self.entries.last().is_none_or(|last| now.saturating_sub(last.at) > CLOSES_WITHIN);
        if let Some(target) = target.filter(|_| is_by_hand) {
            let step = shape::placed(json!({ "type": "close" }), Some(&target), &[]);
            self.keep();
            self.push(page, step, now, |_| {});
        }
        self.pages.forget(page);
        usize::from(self.made > before)
    }

    /// A dialog of a page was answered.
    pub(super) fn answered(&mut self, page: &str, dialog: &Dialog, now: Duration) {
        self.add(page, shape::dialog(dialog), &[], now);
    }

    /// Adds a step of a page at the end, as somebody wishes.
    pub(super) fn add(&mut self, page: &str, step: Value, frame: &[usize], now: Duration) {
        let step = shape::placed(step, self.pages.target(page).as_deref(), frame);
        self.keep();
        self.push(page, step, now, |_| {});
    }

    /// Refuses a step that is none.
    pub(super) fn check(&self, step: &Value) -> Result<(), Fault> {
        shape::description(&shape::literal(step.clone()), &self.declared)
            .map(drop)
            .map_err(|problem| wrong(&problem))
    }

    /// Something could not be recorded as it was.
    pub(super) fn note(&mut self, text: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(text);
        }
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether the flow has as many steps, or bytes, as a flow may have.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Grows with every change.
    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    /// The address of a page.
    pub(super) fn address(&self, page: &str) -> Option<&str> {
        self.pages.address(page)
    }

    pub(super) fn main(&self) -> &str {
        &self.pages.main
    }

    /// The last steps, as they are told.
    pub(super) fn newest(&self, count: usize) -> Vec<RecordedStep> {
        let from = self.entries.len().saturating_sub(count);
        (from..self.entries.len()).map(|index| self.step(index)).collect()
    }

    /// The steps, as they are answered.
    pub(super) fn list(&self) -> RecordedSteps {
        let mut steps = self.newest(RecordedSteps::STEPS_MAX);
        let mut left = RecordedSteps::DOCUMENTS_BYTES_MAX;
        for told in steps.iter_mut().rev() {
            let step = &self.entries[told.index].step;
            let bytes = step.to_string().len();
            if bytes > left {
                break;
            }
            left -= bytes;
            told.step = Some(step.clone());
        }
        RecordedSteps { steps, total: self.entries.len() }
    }

    /// The flow.
    pub(super) fn flow(&self) -> Result<BrowserFlow, Problems> {
        let steps = self.entries.iter().map(|entry| &entry.step);
        BrowserFlow::parse(&shape::document(&self.title, &self.declared, steps).to_string())
    }

    /// The document as it is so far, each step with its id in this recording, and what it does.
    pub(super) fn document(&self) -> String {
        let named = |entry: &Arc<Entry>| {
            let mut step = entry.step.clone();
            step["id"] = json!(entry.id.to_string());
            step["description"] = json!(self.described(entry));
            step
        };
        let steps: Vec<_> = self.entries.iter().map(named).collect();
        format!("{:#}\n", shape::document(&self.title, &self.declared, steps.iter()))
    }

    fn did(&mut self, page: &str, told: &Told, deed: Deed, now: Duration) {
        self.pages.see(page, told);
        if deed.merges && self.merge(&deed, now) {
            return;
        }
        self.keep();
        for _ in 0..deed.instead {
            let is_click = |last: &Arc<Entry>| {
                last.step["type"] == "click" && last.element.as_ref() == Some(&deed.element)
            };
            if !self.entries.last().is_some_and(is_click) {
                break;
            }
            self.entries.pop();
        }
        let target = self.pages.target(page);
        for (at, step) in deed.steps.into_iter().enumerate() {
            let step = shape::placed(step, target.as_deref(), &told.frame);
            self.push(page, step, now, |entry| {
                if let Some(name) = &deed.secret {
                    entry.step["value"] = json!(shape::place_of_secret(name));
                }
                entry.element = Some(deed.element.clone());
                entry.secret.clone_from(&deed.secret);
                entry.causes = deed.causes && at == deed.cause;
            });
        }
    }

    /// Continues the last step, if that is what it is.
    fn merge(&mut self, deed: &Deed, now: Duration) -> bool {
        let (Some(last), [step]) = (self.entries.last_mut(), &*deed.steps) else { return false };
        let continues = last.element.as_ref() == Some(&deed.element)
            && last.step["type"] == step["type"]
            && last.secret == deed.secret;
        if !continues {
            return false;
        }
        let (last, step) = (Arc::make_mut(last), shape::literal(step.clone()));
        for member in ["value", "x", "y", "parameters"] {
            if let Some(value) = step.get(member) {
                last.step[member] = value.clone();
            }
        }
        last.at = now;
        self.revision += 1;
        true
    }

    fn amend(&mut self, element: &str, step: &Value) {
        let step = shape::literal(step.clone());
        let is_it = |entry: &&mut Arc<Entry>| {
            entry.element.as_deref() == Some(element) && entry.step["type"] == step["type"]
        };
        if shape::description(&step, &self.declared).is_err() {
            return;
        }
        if let Some(entry) = self.entries.iter_mut().rev().find(is_it) {
            Arc::make_mut(entry).step["parameters"] = step["parameters"].clone();
            self.revision += 1;
        }
    }

    /// Adds a step whose texts are what they say.
    fn push(&mut self, page: &str, step: Value, now: Duration, with: impl FnOnce(&mut Entry)) {
        let mut entry = Entry {
            id: self.made + 1,
            step: shape::literal(step),
            page: page.to_owned(),
            element: None,
            secret: None,
            causes: false,
            at: now,
            led_to: None,
        };
        with(&mut entry);
        self.declared.extend(entry.secret.clone());
        if let Err(problem) = shape::description(&entry.step, &self.declared) {
            self.note(format!("a step is left out: {problem}"));
            return;
        }
        let bytes: usize = self.entries.iter().map(|entry| entry.step.to_string().len()).sum();
        let is_room = bytes + entry.step.to_string().len() <= Flow::BYTES_MAX - AROUND_BYTES;
        if self.entries.len() >= Flow::STEPS_MAX || !is_room {
            self.is_full = true;
            return;
        }
        self.made += 1;
        self.revision += 1;
        self.entries.push(Arc::new(entry));
    }

    /// Remembers how the steps are, before they are changed.
    fn keep(&mut self) {
        self.before.push_back(self.entries.clone());
        if self.before.len() > UNDOS_MAX {
            self.before.pop_front();
        }
    }

    fn step(&self, index: usize) -> RecordedStep {
        let entry = &self.entries[index];
        RecordedStep { id: entry.id.to_string(), index, description: self.described(entry), step: None }
    }

    fn described(&self, entry: &Entry) -> String {
        shape::description(&entry.step, &self.declared).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;

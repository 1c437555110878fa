//! What this replayer cannot do with a flow, found before a browser starts.

use super::{
    Flow,
    key::Key,
    problem::Problem,
    step::{Action, Step},
};
use crate::flow::selector::{Selector, Selectors};
use url::Url;

/// Whether the browser also speaks the DevTools protocol through its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Devtools {
    Spoken,
    Absent,
}

impl Flow {
    /// What the flow asks for that is valid, but not replayed by this version; empty if the flow
    /// can be replayed in a browser of the Chromium family.
    #[must_use]
    pub fn unsupported(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.strict {
            let message = "mode \"strict\" is not supported";
            problems.push(Problem::new("/runners/mode", message, "leave it out for \"compat\""));
        }
        for (index, step) in self.steps.iter().enumerate() {
            unsupported_step(step, &format!("/steps/{index}"), &mut problems);
        }
        problems
    }

    /// The steps that need the DevTools protocol, which is absent.
    pub(crate) fn unsupported_without(&self, devtools: Devtools) -> Vec<Problem> {
        if devtools == Devtools::Spoken {
            return Vec::new();
        }
        let needing = self.steps.iter().enumerate().filter_map(|(index, step)| {
            let (member, what) = needs_devtools(step)?;
            let message = format!("{what} needs a driver with `goog/cdp/execute`");
            Some(Problem::new(format!("/steps/{index}{member}"), message, "use Chromium, Chrome or Edge"))
        });
        needing.collect()
    }

    /// What is valid and replayed, but probably not what its author meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        self.steps.iter().enumerate().filter_map(|(index, step)| warning(step, index)).collect()
    }
}

fn unsupported_step(step: &Step, pointer: &str, problems: &mut Vec<Problem>) {
    if matches!(&step.target, Some(target) if target != "main") {
        let message = "a target other than \"main\" is not supported";
        problems.push(Problem::new(format!("{pointer}/target"), message, ""));
    }
    if !step.frame.is_empty() {
        problems.push(Problem::new(format!("{pointer}/frame"), "a child frame is not supported", ""));
    }
    match &step.action {
        Action::EmulateNetworkConditions { .. } => {
            let message = "the step `emulateNetworkConditions` is not supported";
            problems.push(Problem::new(format!("{pointer}/type"), message, ""));
        }
        Action::CustomStep { name, .. } if name.starts_with("runners.") => {
            let message = format!("the custom step {name:?} is not supported");
            problems.push(Problem::new(format!("{pointer}/name"), message, ""));
        }
        _ => {}
    }
}

fn needs_devtools(step: &Step) -> Option<(&'static str, &'static str)> {
    if matches!(step.action, Action::SetViewport(_)) {
        return Some(("/type", "the step `setViewport`"));
    }
    if let Action::KeyDown { key } | Action::KeyUp { key } = &step.action {
        return (Key::of(key) == Key::Unmapped).then_some(("/key", "this key"));
    }
    let only_aria = |selectors: &Selectors| {
        let aria = |selector: &Selector| matches!(selector, Selector::Aria { .. });
        selectors.alternatives().iter().all(|chain| chain.selectors().iter().any(aria))
    };
    step.action
        .selectors()
        .filter(|selectors| only_aria(selectors))
        .map(|_| ("/selectors", "an aria selector"))
}

fn warning(step: &Step, index: usize) -> Option<Problem> {
    match &step.action {
        Action::KeyDown { key } | Action::KeyUp { key } if Key::of(key) == Key::Unknown => {
            let hint = "such as \"a\", \"Enter\", \"KeyA\" or \"ArrowDown\"";
            Some(Problem::new(
                format!("/steps/{index}/key"),
                format!("no keyboard has the key {key:?}"),
                hint,
            ))
        }
        Action::Navigate { url } if Url::parse(url).is_err() => {
            let message = format!("{url:?} is not an absolute address");
            Some(Problem::new(format!("/steps/{index}/url"), message, "such as https://example.com/"))
        }
        Action::CustomStep { name, .. } if !name.starts_with("runners.") => {
            let message = format!("the custom step {name:?} will be skipped");
            Some(Problem::new(format!("/steps/{index}/name"), message, ""))
        }
        _ => None,
    }
}

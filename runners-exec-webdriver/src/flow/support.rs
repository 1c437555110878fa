//! What this replayer cannot do with a flow, found before a browser starts.

use super::{
    Flow, Mode,
    key::Key,
    problem::Problem,
    step::{Action, Step},
};
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
        for step in &self.steps {
            unsupported_step(step, self.mode, &mut problems);
        }
        problems
    }

    /// The steps that need the DevTools protocol, which is absent.
    pub(crate) fn unsupported_without(&self, devtools: Devtools) -> Vec<Problem> {
        if devtools == Devtools::Spoken {
            return Vec::new();
        }
        let needing = self.steps.iter().filter_map(|step| {
            let (member, what) = needs_devtools(step)?;
            let message = format!("{what} needs a driver with `goog/cdp/execute`");
            Some(Problem::new(format!("{}{member}", step.pointer), message, "use Chromium, Chrome or Edge"))
        });
        needing.collect()
    }

    /// What is valid and replayed, but probably not what its author meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        self.steps.iter().filter_map(warning).collect()
    }
}

fn unsupported_step(step: &Step, mode: Mode, problems: &mut Vec<Problem>) {
    let Action::CustomStep { name, .. } = &step.action else { return };
    let (message, hint) = if name.starts_with("runners.") {
        (format!("the custom step {name:?} is not supported"), "")
    } else if mode == Mode::Strict {
        let message = format!("nothing here understands the custom step {name:?}");
        (message, "leave it out, or use mode \"compat\" to skip it")
    } else {
        return;
    };
    problems.push(Problem::new(format!("{}/name", step.pointer), message, hint));
}

fn needs_devtools(step: &Step) -> Option<(&'static str, &'static str)> {
    match step.action {
        Action::SetViewport(_) => return Some(("/type", "the step `setViewport`")),
        Action::EmulateNetworkConditions { .. } => {
            return Some(("/type", "the step `emulateNetworkConditions`"));
        }
        _ => {}
    }
    let (Action::KeyDown { key } | Action::KeyUp { key }) = &step.action else { return None };
    matches!(Key::of(key), Key::Unmapped(_)).then_some(("/key", "this key"))
}

fn warning(step: &Step) -> Option<Problem> {
    match &step.action {
        Action::KeyDown { key } | Action::KeyUp { key } if Key::of(key) == Key::Unknown => {
            let hint = "such as \"a\", \"Enter\", \"KeyA\" or \"ArrowDown\"";
            Some(Problem::new(
                format!("{}/key", step.pointer),
                format!("no keyboard has the key {key:?}"),
                hint,
            ))
        }
        Action::Navigate { url } if Url::parse(url).is_err() => {
            let message = format!("{url:?} is not an absolute address");
            Some(Problem::new(format!("{}/url", step.pointer), message, "such as https://example.com/"))
        }
        Action::CustomStep { name, .. } if !name.starts_with("runners.") => {
            let message = format!("the custom step {name:?} will be skipped");
            Some(Problem::new(format!("{}/name", step.pointer), message, ""))
        }
        _ => None,
    }
}

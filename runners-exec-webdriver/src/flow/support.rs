//! What this replayer cannot do with a flow, found before a browser starts.

use super::{
    Flow, Mode,
    key::Key,
    problem::Problem,
    step::{Action, Step},
};
use crate::engine::{Abilities, Ability, Engine};
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
        let mut problems: Vec<_> =
            self.emptiness().filter(|_| self.mode == Mode::Strict).into_iter().collect();
        for step in &self.steps {
            unsupported_step(step, self.mode, &mut problems);
        }
        problems
    }

    /// What the flow asks for that browsers of an engine, started by
    /// [`Driver`](crate::Driver), cannot do; empty if it can be replayed there. Optional steps are
    /// left out: they are excused.
    #[must_use]
    pub fn unsupported_on(&self, engine: Engine) -> Vec<Problem> {
        let mut problems = self.unsupported();
        problems.extend(self.beyond(engine.abilities(), Some(engine)));
        problems
    }

    /// The steps that need more than a session can do.
    pub(crate) fn unsupported_by(&self, abilities: Abilities) -> Vec<Problem> {
        self.beyond(abilities, None)
    }

    fn beyond(&self, abilities: Abilities, engine: Option<Engine>) -> Vec<Problem> {
        let steps = self.steps.iter().filter(|step| !step.optional);
        let needing = steps.filter_map(|step| {
            let (member, message) = step.beyond(abilities, engine)?;
            let hint = "use Chromium, Chrome or Edge, or give the step \"optional\": true";
            Some(Problem::new(format!("{}{member}", step.pointer), message, hint))
        });
        needing.collect()
    }

    /// What is valid and replayed, but probably not what its author meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        let of_step =
            |step: &Step| [step.doubts.clone(), warning(step, self.mode).into_iter().collect()].concat();
        let empty = self.emptiness().filter(|_| self.mode != Mode::Strict);
        self.doubts.iter().cloned().chain(empty).chain(self.steps.iter().flat_map(of_step)).collect()
    }

    /// What is wrong with a flow that does nothing.
    fn emptiness(&self) -> Option<Problem> {
        let hint = "record it again, or correct the member";
        let problem =
            || Problem::new("/steps", "there are none, so nothing is looked at and it always passes", hint);
        self.steps.is_empty().then(problem)
    }
}

impl Step {
    /// What of the step a browser cannot do: the member that says so, and why.
    pub(crate) fn beyond(
        &self,
        abilities: Abilities,
        engine: Option<Engine>,
    ) -> Option<(&'static str, String)> {
        let Need { ability, member, what } =
            needs(self).into_iter().find(|need| !abilities.has(need.ability))?;
        let whose = engine.map_or("this browser", Engine::name);
        let message = match ability {
            Ability::Devtools if engine.is_none() => format!("{what} needs a driver with `goog/cdp/execute`"),
            Ability::Devtools => format!("{what} needs the DevTools protocol, which {whose} does not have"),
            Ability::Viewport => format!("{what} needs a page that can be resized, and {whose} has none"),
            Ability::PixelRatio => format!("{what} cannot be had of {whose}"),
            Ability::DoubleClick => format!("{what} is no more than two clicks in {whose}"),
        };
        Some((member, message))
    }
}

fn unsupported_step(step: &Step, mode: Mode, problems: &mut Vec<Problem>) {
    let Action::CustomStep { name, .. } = &step.action else { return };
    let (message, hint) = if name.starts_with("runners.") {
        let message = format!("the custom step {name:?} is not supported");
        (message, "correct its name, or replay it with a version that has it")
    } else if mode == Mode::Strict {
        let message = format!("nothing here understands the custom step {name:?}");
        (message, "leave it out, or use mode \"compat\" to skip it")
    } else {
        return;
    };
    problems.push(Problem::new(format!("{}/name", step.pointer), message, hint));
}

/// What a member of a step needs.
struct Need {
    ability: Ability,
    member: &'static str,
    what: &'static str,
}

fn needs(step: &Step) -> Vec<Need> {
    let need = |ability, member, what| Need { ability, member, what };
    match &step.action {
        Action::SetViewport(viewport) => {
            let mut needs = vec![need(Ability::Viewport, "/type", "the step `setViewport`")];
            let phone = [
                (viewport.is_mobile, "/isMobile", "the layout of a phone"),
                (viewport.has_touch, "/hasTouch", "a screen that can be touched"),
            ];
            for (_, member, what) in phone.into_iter().filter(|(wanted, ..)| *wanted) {
                needs.push(need(Ability::Devtools, member, what));
            }
            if viewport.device_scale_factor.to_bits() != 1_f64.to_bits() {
                needs.push(need(Ability::PixelRatio, "/deviceScaleFactor", "a factor other than 1"));
            }
            needs
        }
        Action::DoubleClick(_) => vec![need(Ability::DoubleClick, "/type", "the step `doubleClick`")],
        Action::EmulateNetworkConditions { .. } => {
            vec![need(Ability::Devtools, "/type", "the step `emulateNetworkConditions`")]
        }
        Action::KeyDown { key } | Action::KeyUp { key } if matches!(Key::of(key), Key::Unmapped(_)) => {
            vec![need(Ability::Devtools, "/key", "this key")]
        }
        _ => Vec::new(),
    }
}

fn warning(step: &Step, mode: Mode) -> Option<Problem> {
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
        // In the other mode it is refused.
        Action::CustomStep { name, .. } if mode == Mode::Compat && !name.starts_with("runners.") => {
            let message = format!("the custom step {name:?} will be skipped");
            let hint = "leave it out, unless another replayer is to carry it out";
            Some(Problem::new(format!("{}/name", step.pointer), message, hint))
        }
        _ => None,
    }
}

//! The steps of a flow as typed values: what the format calls them and what they carry.

use super::{extension::Extension, problem::Problem, selector::Selectors};
use serde_json::{Map, Value};
use std::time::Duration;

/// One step of a flow.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// What the step does.
    pub action: Action,
    /// Where it is in the document, as a JSON pointer such as `/steps/3`.
    pub pointer: String,
    /// What its author calls it, so that results of several versions of a flow can be compared.
    pub id: Option<String>,
    /// Whether the flow goes on if the step fails.
    pub optional: bool,
    /// How often it is tried again before it fails, with its whole time limit each time.
    pub retries: u32,
    /// Whether a picture is kept once it has passed.
    pub screenshot: bool,
    /// Its own time limit, if it has one; 1 ms to 30 s.
    pub timeout: Option<Duration>,
    /// The navigations that the step must cause, for which it waits.
    pub asserted_navigations: Vec<AssertedNavigation>,
    /// The page the step is for; absent and `main` are the page the flow started with.
    pub target: Option<String>,
    /// The path of child frames from the main frame; empty for the main frame.
    pub frame: Vec<i64>,
    /// What of it is probably not meant as it stands.
    pub(crate) doubts: Vec<Problem>,
}

/// A navigation that a step must cause. What it says of the page is compared in `strict` mode only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssertedNavigation {
    /// The exact address of the page that it ends at.
    pub url: Option<String>,
    /// The exact title of that page.
    pub title: Option<String>,
}

/// What a step does: the fourteen types of the format.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// Loads a page.
    Navigate {
        /// Its address.
        url: String,
    },
    /// Emulates a screen.
    SetViewport(Viewport),
    /// Presses and releases a mouse button over an element.
    Click(Click),
    /// Does so twice.
    DoubleClick(Click),
    /// Moves the pointer over an element.
    Hover {
        /// The element.
        selectors: Selectors,
    },
    /// Gives a form control a value.
    Change {
        /// The control.
        selectors: Selectors,
        /// The value it shall have.
        value: String,
    },
    /// Presses a key and holds it.
    KeyDown {
        /// The name of the key.
        key: String,
    },
    /// Releases a key.
    KeyUp {
        /// The name of the key.
        key: String,
    },
    /// Scrolls an element, or the page.
    Scroll {
        /// The element; the page if absent.
        selectors: Option<Selectors>,
        /// Where to, in CSS pixels from the left.
        x: f64,
        /// Where to, in CSS pixels from the top.
        y: f64,
    },
    /// Closes the page.
    Close,
    /// Emulates a network.
    EmulateNetworkConditions {
        /// Bytes a second.
        download: f64,
        /// Bytes a second.
        upload: f64,
        /// Milliseconds.
        latency: f64,
    },
    /// Waits until elements are as described.
    WaitForElement(WaitForElement),
    /// Waits until an expression of JavaScript is true.
    WaitForExpression {
        /// The expression; a promise is awaited.
        expression: String,
    },
    /// One of the steps that this replayer adds to the format.
    Extension(Extension),
    /// Something only an extension of the replayer understands.
    CustomStep {
        /// The name of the step.
        name: String,
        /// What it carries.
        parameters: Value,
    },
}

/// The screen that a page sees.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Viewport {
    /// CSS pixels.
    pub width: f64,
    /// CSS pixels.
    pub height: f64,
    /// Device pixels for a CSS pixel.
    pub device_scale_factor: f64,
    /// Whether the page is laid out as on a phone.
    pub is_mobile: bool,
    /// Whether there are touch events.
    pub has_touch: bool,
    /// Whether the screen is wider than high.
    pub is_landscape: bool,
}

/// Where and how to click.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Click {
    /// The element.
    pub selectors: Selectors,
    /// CSS pixels from the left edge of the element.
    pub offset_x: f64,
    /// CSS pixels from the top edge of the element.
    pub offset_y: f64,
    /// The button, as the DOM numbers them: primary, auxiliary, secondary, back, forward.
    pub button: u8,
    /// How long the button is held.
    pub duration: Duration,
    /// What the pointer is. In `compat` mode it is always a mouse.
    pub device: Device,
}

/// What a pointer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the format has these three")]
pub enum Device {
    /// A mouse, the default.
    #[default]
    Mouse,
    /// A pen.
    Pen,
    /// A finger.
    Touch,
}

/// What to wait for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WaitForElement {
    /// The elements; of the alternatives the first that finds any counts.
    pub selectors: Selectors,
    /// How the number found is compared with `count`.
    pub operator: Operator,
    /// How many; 1 by default.
    pub count: f64,
    /// False turns the whole condition round. Visibility is measured in `strict` mode only.
    pub visible: bool,
    /// What every element found must have, in `strict` mode every one that counts; nested objects
    /// match in part.
    pub properties: Option<Map<String, Value>>,
    /// The exact attributes of every element found, in `strict` mode of every one that counts.
    pub attributes: Option<Map<String, Value>>,
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the format has these three")]
pub enum Operator {
    /// `>=`, the default.
    AtLeast,
    /// `==`.
    Exactly,
    /// `<=`.
    AtMost,
}

impl Viewport {
    /// The widest and the highest that one may be, as DevTools has it.
    pub const PIXELS_MAX: f64 = 10_000_000.0;
}

impl Operator {
    /// The sign that the format writes.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::Exactly => "==",
            Self::AtMost => "<=",
        }
    }
}

impl Action {
    /// The type of the step as the format writes it, such as `waitForElement`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Navigate { .. } => "navigate",
            Self::SetViewport(_) => "setViewport",
            Self::Click(_) => "click",
            Self::DoubleClick(_) => "doubleClick",
            Self::Hover { .. } => "hover",
            Self::Change { .. } => "change",
            Self::KeyDown { .. } => "keyDown",
            Self::KeyUp { .. } => "keyUp",
            Self::Scroll { .. } => "scroll",
            Self::Close => "close",
            Self::EmulateNetworkConditions { .. } => "emulateNetworkConditions",
            Self::WaitForElement(_) => "waitForElement",
            Self::WaitForExpression { .. } => "waitForExpression",
            Self::Extension(_) | Self::CustomStep { .. } => "customStep",
        }
    }

    /// The selectors of the step, if it has any.
    #[must_use]
    pub const fn selectors(&self) -> Option<&Selectors> {
        match self {
            Self::Click(click) | Self::DoubleClick(click) => Some(&click.selectors),
            Self::Hover { selectors } | Self::Change { selectors, .. } => Some(selectors),
            Self::Scroll { selectors, .. } => selectors.as_ref(),
            Self::WaitForElement(wait) => Some(&wait.selectors),
            Self::Extension(extension) => extension.selectors(),
            _ => None,
        }
    }

    /// The values in which secrets may stand: those that are typed or stored.
    pub(super) fn values_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Change { value, .. } => vec![value],
            Self::Extension(extension) => extension.values_mut(),
            _ => Vec::new(),
        }
    }
}

impl Step {
    /// Whether the step must cause a navigation.
    #[must_use]
    pub const fn asserts_navigation(&self) -> bool {
        !self.asserted_navigations.is_empty()
    }

    /// Whether this is there for a dialog of the page that the other step is for.
    pub(crate) fn answers_dialog_of(&self, other: &Self) -> bool {
        let page = |step: &Self| step.target.clone().filter(|target| target != "main");
        matches!(self.action, Action::Extension(Extension::Dialog { .. })) && page(self) == page(other)
    }

    /// The most retries of a step.
    pub const RETRIES_MAX: u32 = 10;
    /// The longest id in bytes.
    pub const ID_BYTES_MAX: usize = 100;
    /// The longest description in characters.
    pub const DESCRIPTION_CHARACTERS_MAX: usize = 160;

    /// Says in one line what the step does. What a `change` step types is left out, because it
    /// may be a password.
    #[must_use]
    pub fn description(&self) -> String {
        let label = || self.action.selectors().map(Selectors::label).unwrap_or_default();
        let line = match &self.action {
            Action::Navigate { url } => format!("go to {url}"),
            Action::SetViewport(to) => format!("set the viewport to {} x {}", to.width, to.height),
            Action::Click(_) => format!("click {}", label()),
            Action::DoubleClick(_) => format!("double-click {}", label()),
            Action::Hover { .. } => format!("hover over {}", label()),
            Action::Change { .. } => format!("fill in {}", label()),
            Action::KeyDown { key } => format!("press {key}"),
            Action::KeyUp { key } => format!("release {key}"),
            Action::Scroll { selectors: Some(_), x, y } => format!("scroll {} to {x}, {y}", label()),
            Action::Scroll { x, y, .. } => format!("scroll the page to {x}, {y}"),
            Action::Close => "close the page".to_owned(),
            Action::EmulateNetworkConditions { .. } => "emulate a network".to_owned(),
            Action::WaitForElement(wait) => describe_wait(wait),
            Action::WaitForExpression { expression } => format!("wait until {expression}"),
            Action::Extension(extension) => extension.description(),
            Action::CustomStep { name, .. } => format!("custom step {name}"),
        };
        one_line(&line, Self::DESCRIPTION_CHARACTERS_MAX)
    }
}

fn describe_wait(wait: &WaitForElement) -> String {
    let not = if wait.visible { "" } else { "not " };
    if wait.operator == Operator::AtLeast && wait.count == 1.0 {
        return format!("wait for {}{}", if wait.visible { "" } else { "no " }, wait.selectors.label());
    }
    format!("wait for {not}{} {} of {}", wait.operator.sign(), wait.count, wait.selectors.label())
}

/// Folds white space and cuts after a number of characters.
pub(crate) fn one_line(text: &str, characters_max: usize) -> String {
    let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match folded.char_indices().nth(characters_max) {
        None => folded,
        Some(_) => folded.chars().take(characters_max - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_folded_and_cut() {
        assert_eq!(one_line("a\n  b", 10), "a b");
        assert_eq!(one_line("äöüäöü", 4), "äöü…");
        assert_eq!(one_line("äöüä", 4), "äöüä");
    }
}

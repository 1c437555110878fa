//! What a single command of Selenium IDE becomes: some steps, or the reason why none. Those that assert
//! something or wait for it are in `assertion`.

mod assertion;
mod passed;

use super::{
    Command,
    dialog::{Becomes, Dialogs, Said},
    locator::{Locator, quoted},
    text::{Environment, Press, Variables, parameters},
};
use passed::stored;
use serde_json::{Value, json};
use std::{collections::BTreeSet, mem};
use url::Url;

/// The longest pause that a step can be.
const PAUSE_MILLIS_MAX: u64 = 29_000;
/// Where an element is clicked, from its top left: inside of all but the smallest ones. The format
/// has no middle.
const OFFSET: f64 = 8.0;

/// Steps that stand for a command.
#[derive(Debug, Default)]
pub(super) struct Translated {
    pub(super) steps: Vec<Value>,
    /// More parameters of the step before.
    pub(super) more: Value,
    /// What is not quite the same.
    pub(super) note: Option<String>,
}

/// Reads the commands of a test one after the other.
#[derive(Debug)]
pub(super) struct Translator {
    base: Option<Url>,
    variables: Variables,
    /// The path of the frame that was selected.
    frame: Vec<u64>,
    /// Whether a frame was selected that cannot be told.
    lost_frame: bool,
    /// Whether a window was selected that cannot be told.
    lost_window: bool,
    /// The variables that have the handle of the page that the flow begins with.
    handles: BTreeSet<String>,
    dialogs: Dialogs,
}

type Answer = Result<Translated, String>;

impl Translator {
    pub(super) fn new(base: Option<&Url>) -> Self {
        Self {
            base: base.cloned(),
            variables: Variables::default(),
            frame: Vec::new(),
            lost_frame: false,
            lost_window: false,
            handles: BTreeSet::new(),
            dialogs: Dialogs::default(),
        }
    }

    pub(super) fn translate(&mut self, command: &Command) -> Answer {
        let mut translated = match Said::by(command.command.trim()) {
            Some(said) => self.dialog(&said, command)?,
            None => self.translate_other(command)?,
        };
        let named = translated.steps.iter().chain([&translated.more]).flat_map(parameters).next();
        if let Some(name) = named {
            translated.add(&format!("the flow takes a value for its parameter {name:?}"));
        }
        Ok(translated)
    }

    /// Translates a command that is not for a dialog.
    fn translate_other(&mut self, command: &Command) -> Answer {
        self.dialogs.pass();
        let translated = self.translate_alone(command);
        let mut translated = translated.inspect_err(|_| self.dialogs.forget())?;
        if command.opens_window {
            translated.add("it opens a window, which flows know by its address only");
        }
        if !translated.steps.is_empty() {
            translated.steps.extend(self.dialogs.opened().map(|parameters| dialog(&parameters)));
        }
        Ok(translated)
    }

    fn translate_alone(&mut self, command: &Command) -> Answer {
        let name = command.command.trim();
        match name {
            "selectWindow" => return self.select_window(&command.target),
            "selectFrame" if !self.lost_window => return self.select_frame(&command.target),
            "storeWindowHandle" if !self.lost_window => {
                let variable = stored(command).unwrap_or_default().trim();
                self.variables.forget(variable);
                self.handles.insert(variable.to_owned());
                return Ok(Translated::default());
            }
            "store" => {
                let value = self.variables.fill(&command.target, Environment::Refused);
                match value {
                    Ok(value) => self.variables.set(&command.value, value),
                    Err(reason) => {
                        self.variables.forget(&command.value);
                        return Err(reason);
                    }
                }
                return Ok(Translated::default());
            }
            "echo" => return Ok(noted(Vec::new(), "a flow says nothing")),
            _ => {}
        }
        if let Some(variable) = stored(command) {
            self.variables.forget(variable);
            self.handles.remove(variable.trim());
            let reason =
                if self.lost_window { OF_LOST_WINDOW } else { "flows have no variables that the page sets" };
            return Err(reason.to_owned());
        }
        self.reachable(name)?;
        let mut translated = self.step(name, command)?;
        if !self.frame.is_empty() {
            for step in &mut translated.steps {
                step["frame"] = json!(self.frame);
            }
        }
        Ok(translated)
    }

    /// Refuses what happens where the flow does not get.
    fn reachable(&self, name: &str) -> Result<(), String> {
        if self.lost_window && !matches!(name, "open" | "pause") {
            return Err(OF_LOST_WINDOW.to_owned());
        }
        if self.lost_frame && !matches!(name, "open" | "close" | "setWindowSize" | "pause") {
            return Err("it is in a frame that was not carried over".to_owned());
        }
        Ok(())
    }

    fn dialog(&mut self, said: &Said, command: &Command) -> Answer {
        let name = command.command.trim();
        self.reachable(name)?;
        let environment = if said.is_typed() { Environment::Secret } else { Environment::Parameter };
        let text = self.variables.fill(&command.target, environment)?;
        let mut translated = match self.dialogs.take(said, &text) {
            Becomes::Nothing => Translated::default(),
            Becomes::More(more) => Translated { more, ..Translated::default() },
            Becomes::Step(parameters) => plain(dialog(&parameters))?,
        };
        match said {
            Said::Next(_) => translated.add("the dialog has to come of the next command"),
            Said::Message => translated.add("the step that looks at a dialog answers it, too"),
            Said::Now(_) => {}
        }
        if name.starts_with("verify") {
            translated.add("if it is not so, the flow ends there");
        }
        Ok(translated)
    }

    fn drag(&self, command: &Command) -> Answer {
        let (from, to) =
            (self.locator(&command.target)?.selector(), self.locator(&command.value)?.selector());
        let parameters = json!({ "selectors": [[from]], "to": { "selectors": [[to]] } });
        plain(json!({ "type": "customStep", "name": "runners.drag", "parameters": parameters }))
    }

    fn step(&mut self, name: &str, command: &Command) -> Answer {
        match name {
            "open" => self.open(command),
            "setWindowSize" => self.set_window_size(command),
            "close" => plain(json!({ "type": "close" })),
            "click" => self.on(command, |selectors| click("click", &selectors)),
            "doubleClick" => self.on(command, |selectors| click("doubleClick", &selectors)),
            "clickAt" | "doubleClickAt" => {
                let kind = name.trim_end_matches("At");
                let mut translated = self.on(command, |selectors| click(kind, &selectors))?;
                translated.note = Some("the place within the element is another".to_owned());
                Ok(translated)
            }
            "mouseOver" => self.on(command, |selectors| json!({ "type": "hover", "selectors": selectors })),
            "mouseOut" => Ok(noted(Vec::new(), "the pointer leaves when it is moved elsewhere")),
            "check" => self.change(command, "true"),
            "uncheck" => self.change(command, ""),
            "type" => {
                let value = self.variables.fill(&command.value, Environment::Secret)?;
                self.change(command, &value)
            }
            "editContent" => self.run_on(
                command,
                "e.innerHTML = value; e.dispatchEvent(new Event('input', { bubbles: true })); return true",
            ),
            "sendKeys" => self.send_keys(command),
            "select" | "addSelection" => self.select(command, true),
            "removeSelection" => self.select(command, false),
            "dragAndDropToObject" => self.drag(command),
            "pause" => self.pause(command),
            "runScript" | "executeScript" | "executeAsyncScript" => self.script(command),
            _ => self.assertion(name, command),
        }
    }

    fn open(&mut self, command: &Command) -> Answer {
        let target = self.variables.fill(&command.target, Environment::Parameter)?;
        let url = address(self.base.as_ref(), &target)?;
        (self.frame, self.lost_frame) = (Vec::new(), false);
        let mut translated = plain(json!({ "type": "navigate", "url": url }))?;
        if mem::take(&mut self.lost_window) {
            // From here on the first page stands for the other one.
            self.handles.clear();
            translated.note = Some("it is opened in the first page, not in the window".to_owned());
        }
        Ok(translated)
    }

    /// The first page is the only one that is known by its handle.
    fn select_window(&mut self, target: &str) -> Answer {
        let handle = target.trim().strip_prefix("handle=${").and_then(|handle| handle.strip_suffix('}'));
        self.lost_window = !handle.is_some_and(|handle| self.handles.contains(handle.trim()));
        (self.frame, self.lost_frame) = (Vec::new(), false);
        if self.lost_window {
            return Err("flows know a window by its address only".to_owned());
        }
        Ok(Translated::default())
    }

    fn set_window_size(&self, command: &Command) -> Answer {
        let size = self.variables.fill(&command.target, Environment::Refused)?;
        let numbers = size.split_once(['x', 'X']).and_then(|(width, height)| {
            Some((width.trim().parse::<u32>().ok()?, height.trim().parse::<u32>().ok()?))
        });
        let Some((width, height)) = numbers else { return Err(format!("{size:?} is no size")) };
        plain(json!({
            "type": "setViewport", "width": width, "height": height, "deviceScaleFactor": 1,
            "isMobile": false, "hasTouch": false, "isLandscape": false,
        }))
    }

    fn select_frame(&mut self, target: &str) -> Answer {
        match target.trim() {
            "relative=top" => (self.frame, self.lost_frame) = (Vec::new(), false),
            "relative=parent" => {
                self.frame.pop();
            }
            target => match target.strip_prefix("index=").and_then(|index| index.parse().ok()) {
                Some(index) => self.frame.push(index),
                None => {
                    self.lost_frame = true;
                    return Err("flows know a frame by its index only".to_owned());
                }
            },
        }
        Ok(Translated::default())
    }

    fn on(&self, command: &Command, step: impl FnOnce(Value) -> Value) -> Answer {
        let locator = self.locator(&command.target)?;
        plain(step(json!([[locator.selector()]])))
    }

    fn change(&self, command: &Command, value: &str) -> Answer {
        self.on(command, |selectors| json!({ "type": "change", "selectors": selectors, "value": value }))
    }

    fn send_keys(&self, command: &Command) -> Answer {
        let presses = self.variables.presses(&command.value)?;
        let mut translated = self.on(command, |selectors| click("click", &selectors))?;
        for Press(key) in presses {
            translated.steps.push(json!({ "type": "keyDown", "key": key }));
            translated.steps.push(json!({ "type": "keyUp", "key": key }));
        }
        translated.note = Some("a click gives the element the focus first".to_owned());
        Ok(translated)
    }

    /// Options are known by their label mostly, which a `change` step does not know.
    fn select(&self, command: &Command, is_chosen: bool) -> Answer {
        let option = self.variables.fill(&command.value, Environment::Refused)?;
        let (kind, text) = option.split_once('=').unwrap_or(("label", &option));
        let text = text.trim_start_matches("mostly-equals:");
        let fits = match kind {
            "value" if command.command.trim() == "select" => return self.change(command, text),
            "value" => "(o, i) => o.value === value",
            "label" => "(o, i) => o.label.trim().replace(/\\s+/g, ' ') === value",
            "id" => "(o, i) => o.id === value",
            // It counts from 1 there.
            "index" => "(o, i) => i + 1 === Number(value)",
            other => return Err(format!("flows know no option by {other:?}")),
        };
        let script = format!(
            "const o = [...e.options].find({fits}); if (!o) return false; \
             if (o.selected !== {is_chosen}) {{ o.selected = {is_chosen}; for (const type of ['input', 'change']) \
             e.dispatchEvent(new Event(type, {{ bubbles: true }})); }} return true"
        );
        self.run_with(command, &script, text)
    }

    fn run_on(&self, command: &Command, script: &str) -> Answer {
        let value = self.variables.fill(&command.value, Environment::Refused)?;
        self.run_with(command, script, &value)
    }

    /// Runs a script on the element, once there is one.
    fn run_with(&self, command: &Command, script: &str, value: &str) -> Answer {
        let element = self.locator(&command.target)?.expression();
        let value = quoted(value);
        expression(&format!("((e, value) => {{ if (!e) return false; {script} }})({element}, {value})"))
    }

    fn pause(&self, command: &Command) -> Answer {
        // It is in the value of old projects.
        let written = if command.target.trim().is_empty() { &command.value } else { &command.target };
        let millis = self.variables.fill(written, Environment::Refused)?;
        let millis: u64 = millis.parse().map_err(|_| format!("{millis:?} is no number of milliseconds"))?;
        if millis > PAUSE_MILLIS_MAX {
            return Err(format!("a step takes 30 s at most: {PAUSE_MILLIS_MAX} ms can be paused"));
        }
        let mut translated =
            expression(&format!("new Promise(done => setTimeout(() => done(true), {millis}))"))?;
        translated.steps[0]["timeout"] = json!(30_000);
        translated.note = Some("wait for something that can be seen instead".to_owned());
        Ok(translated)
    }

    fn script(&self, command: &Command) -> Answer {
        let body = self.variables.fill(&command.target, Environment::Refused)?;
        expression(&format!("(async () => {{ {body}\n; return true }})().then(() => true)"))
    }

    fn locator(&self, target: &str) -> Result<Locator, String> {
        Locator::parse(&self.variables.fill(target, Environment::Refused)?)
    }
}

const OF_LOST_WINDOW: &str = "it is in a window that was not carried over";

fn click(kind: &str, selectors: &Value) -> Value {
    json!({ "type": kind, "selectors": selectors, "offsetX": OFFSET, "offsetY": OFFSET })
}

fn expression(text: &str) -> Answer {
    plain(json!({ "type": "waitForExpression", "expression": text }))
}

fn dialog(parameters: &Value) -> Value {
    json!({ "type": "customStep", "name": "runners.dialog", "parameters": parameters })
}

fn plain(step: Value) -> Answer {
    Ok(Translated { steps: vec![step], ..Translated::default() })
}

fn noted(steps: Vec<Value>, note: &str) -> Translated {
    Translated { steps, note: Some(note.to_owned()), ..Translated::default() }
}

/// An address as a step has it. Parameters are filled in later, so they stay as they are.
fn address(base: Option<&Url>, target: &str) -> Result<String, String> {
    if target.starts_with("${params.") {
        return Ok(target.to_owned());
    }
    let joined = base.map_or_else(|| Url::parse(target), |base| base.join(target));
    let url = joined.map_err(|error| format!("{target:?} is no address: {error}"))?;
    let mut url = String::from(url);
    for name in parameters(&json!(target)) {
        url = url.replace(&format!("$%7Bparams.{name}%7D"), &format!("${{params.{name}}}"));
    }
    Ok(url)
}

impl Translated {
    /// Notes what is not quite the same, beside what is noted already.
    fn add(&mut self, note: &str) {
        let before = self.note.take().map(|before| format!("{before}; ")).unwrap_or_default();
        self.note = Some(format!("{before}{note}"));
    }
}

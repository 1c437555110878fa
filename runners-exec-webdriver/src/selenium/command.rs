//! What a single command of Selenium IDE becomes: some steps, or the reason why none.

use super::{
    Command,
    locator::{Locator, quoted},
    text::{Press, Variables},
};
use serde_json::{Value, json};
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
}

type Answer = Result<Translated, String>;

impl Translator {
    pub(super) fn new(base: Option<&Url>) -> Self {
        Self { base: base.cloned(), variables: Variables::default(), frame: Vec::new(), lost_frame: false }
    }

    pub(super) fn translate(&mut self, command: &Command) -> Answer {
        let name = command.command.trim();
        if command.opens_window {
            return Err("it opens a window: flows know one by its address only".to_owned());
        }
        match name {
            "selectFrame" => return self.select_frame(&command.target),
            "store" => {
                let value = self.variables.fill(&command.target, false);
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
            return Err("flows have no variables that the page sets".to_owned());
        }
        if self.lost_frame && !matches!(name, "open" | "close" | "setWindowSize" | "pause") {
            return Err("it is in a frame that was not carried over".to_owned());
        }
        let mut translated = self.step(name, command)?;
        if !self.frame.is_empty() {
            for step in &mut translated.steps {
                step["frame"] = json!(self.frame);
            }
        }
        Ok(translated)
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
                let value = self.variables.fill(&command.value, true)?;
                self.change(command, &value)
            }
            "editContent" => self.run_on(
                command,
                "e.innerHTML = value; e.dispatchEvent(new Event('input', { bubbles: true })); return true",
            ),
            "sendKeys" => self.send_keys(command),
            "select" => self.select(command),
            "pause" => self.pause(command),
            "runScript" | "executeScript" | "executeAsyncScript" => self.script(command),
            _ => self.assertion(name, command),
        }
    }

    fn open(&mut self, command: &Command) -> Answer {
        let target = self.variables.fill(&command.target, false)?;
        let joined = match &self.base {
            Some(base) => base.join(&target),
            None => Url::parse(&target),
        };
        let url = joined.map_err(|error| format!("{target:?} is no address: {error}"))?;
        (self.frame, self.lost_frame) = (Vec::new(), false);
        plain(json!({ "type": "navigate", "url": url.as_str() }))
    }

    fn set_window_size(&self, command: &Command) -> Answer {
        let size = self.variables.fill(&command.target, false)?;
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
    fn select(&self, command: &Command) -> Answer {
        let option = self.variables.fill(&command.value, false)?;
        let (kind, text) = option.split_once('=').unwrap_or(("label", &option));
        let text = text.trim_start_matches("mostly-equals:");
        let fits = match kind {
            "value" => return self.change(command, text),
            "label" => "(o, i) => o.label.trim().replace(/\\s+/g, ' ') === value",
            "id" => "(o, i) => o.id === value",
            // It counts from 1 there.
            "index" => "(o, i) => i + 1 === Number(value)",
            other => return Err(format!("flows know no option by {other:?}")),
        };
        let script = format!(
            "const o = [...e.options].find({fits}); if (!o) return false; \
             if (!o.selected) {{ o.selected = true; for (const type of ['input', 'change']) \
             e.dispatchEvent(new Event(type, {{ bubbles: true }})); }} return true"
        );
        self.run_with(command, &script, text)
    }

    fn run_on(&self, command: &Command, script: &str) -> Answer {
        let value = self.variables.fill(&command.value, false)?;
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
        let millis = self.variables.fill(written, false)?;
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
        let body = self.variables.fill(&command.target, false)?;
        expression(&format!("(async () => {{ {body}\n; return true }})().then(() => true)"))
    }

    /// An assertion, a verification or a wait: something that has to be so at last.
    fn assertion(&self, name: &str, command: &Command) -> Answer {
        let what = ["assert", "verify", "waitFor"].iter().find_map(|kind| name.strip_prefix(kind));
        let Some(what) = what else { return Err("flows have nothing like it".to_owned()) };
        let value = || self.variables.fill(&command.value, false);
        let mut translated = match what {
            "Title" => {
                let title = self.variables.fill(&command.target, false)?;
                expression(&format!("document.title === {}", quoted(&title)))
            }
            "Text" => self.wait(command, json!({ "properties": { "innerText": value()? } })),
            "NotText" => self.judge(command, &format!("e.innerText.trim() !== {}", quoted(&value()?))),
            "Value" => self.wait(command, json!({ "properties": { "value": value()? } })),
            "NotValue" => self.judge(command, &format!("e.value !== {}", quoted(&value()?))),
            "SelectedValue" => self.wait(command, json!({ "properties": { "value": value()? } })),
            "NotSelectedValue" => self.judge(command, &format!("e.value !== {}", quoted(&value()?))),
            "SelectedLabel" => {
                self.judge(command, &format!("e.selectedOptions[0]?.label.trim() === {}", quoted(&value()?)))
            }
            "Checked" => self.wait(command, json!({ "properties": { "checked": true } })),
            "NotChecked" => self.wait(command, json!({ "properties": { "checked": false } })),
            "Editable" | "ElementEditable" => self.judge(command, EDITABLE),
            "NotEditable" | "ElementNotEditable" => self.judge(command, &format!("!({EDITABLE})")),
            "ElementPresent" => self.wait(command, json!({})),
            "ElementNotPresent" => self.wait(command, json!({ "operator": "==", "count": 0 })),
            "ElementVisible" => self.judge(command, VISIBLE),
            "ElementNotVisible" => {
                let element = self.locator(&command.target)?.expression();
                expression(&format!("(e => !e || !({VISIBLE}))({element})"))
            }
            "Alert" | "Confirmation" | "Prompt" => Err("flows look at no dialogs".to_owned()),
            "" => Err("flows have no variables that the page sets".to_owned()),
            _ => Err("flows have nothing like it".to_owned()),
        }?;
        if name.starts_with("verify") {
            translated.note = Some("if it is not so, the flow ends there".to_owned());
        }
        Ok(translated)
    }

    fn wait(&self, command: &Command, more: Value) -> Answer {
        self.on(command, |selectors| {
            let mut step = json!({ "type": "waitForElement", "selectors": selectors });
            let (Value::Object(step_members), Value::Object(more)) = (&mut step, more) else { return step };
            step_members.extend(more);
            step
        })
    }

    /// Waits until an expression of the element `e` is true.
    fn judge(&self, command: &Command, judgement: &str) -> Answer {
        let element = self.locator(&command.target)?.expression();
        expression(&format!("(e => Boolean(e) && ({judgement}))({element})"))
    }

    fn locator(&self, target: &str) -> Result<Locator, String> {
        Locator::parse(&self.variables.fill(target, false)?)
    }
}

const EDITABLE: &str = "!e.disabled && !e.readOnly";
const VISIBLE: &str = "e.getClientRects().length > 0 && getComputedStyle(e).visibility === 'visible'";

/// The variable that a command sets, if it sets one by what the page is.
fn stored(command: &Command) -> Option<&str> {
    let name = command.command.trim();
    let stores = name.starts_with("store");
    let executes = matches!(name, "executeScript" | "executeAsyncScript");
    let variable = if matches!(name, "storeTitle" | "storeWindowHandle") && command.value.trim().is_empty() {
        &command.target
    } else {
        &command.value
    };
    (stores || (executes && !variable.trim().is_empty())).then_some(variable)
}

fn click(kind: &str, selectors: &Value) -> Value {
    json!({ "type": kind, "selectors": selectors, "offsetX": OFFSET, "offsetY": OFFSET })
}

fn expression(text: &str) -> Answer {
    plain(json!({ "type": "waitForExpression", "expression": text }))
}

fn plain(step: Value) -> Answer {
    Ok(Translated { steps: vec![step], note: None })
}

fn noted(steps: Vec<Value>, note: &str) -> Translated {
    Translated { steps, note: Some(note.to_owned()) }
}

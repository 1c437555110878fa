//! What has to be so at last: assertions, verifications and waits.

use super::{
    super::{locator::quoted, setting::TIMEOUT_MILLIS_MAX, text::Environment},
    Answer, Command, Translated, Translator, expression,
};
use serde_json::{Value, json};

const EDITABLE: &str = "!e.disabled && !e.readOnly";
const VISIBLE: &str = "e.getClientRects().length > 0 && getComputedStyle(e).visibility === 'visible'";

impl Translator {
    /// An assertion, a verification or a wait: something that has to be so at last.
    pub(super) fn assertion(&self, name: &str, command: &Command) -> Answer {
        let what = ["assert", "verify", "waitFor"].iter().find_map(|kind| name.strip_prefix(kind));
        let Some(what) = what else { return Err("flows have nothing like it".to_owned()) };
        let value = || self.variables.fill(&command.value, Environment::Refused);
        let property = || self.variables.fill(&command.value, Environment::Parameter);
        let mut translated = match what {
            "Title" => {
                let title = self.variables.fill(&command.target, Environment::Refused)?;
                expression(&format!("document.title === {}", quoted(&title)))
            }
            "Text" => self.wait(command, json!({ "properties": { "innerText": property()? } })),
            "NotText" => self.judge(command, &format!("e.innerText.trim() !== {}", quoted(&value()?))),
            "Value" | "SelectedValue" => {
                self.wait(command, json!({ "properties": { "value": property()? } }))
            }
            "NotValue" | "NotSelectedValue" => {
                self.judge(command, &format!("e.value !== {}", quoted(&value()?)))
            }
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
            "" => Err("flows have no variables that the page sets".to_owned()),
            _ => Err("flows have nothing like it".to_owned()),
        }?;
        if name.starts_with("verify") {
            translated.note = Some("if it is not so, the flow ends there".to_owned());
        }
        if name.starts_with("waitForElement") {
            self.limit(command, &mut translated)?;
        }
        Ok(translated)
    }

    /// Has the steps take as long as the value of their command says.
    fn limit(&self, command: &Command, translated: &mut Translated) -> Result<(), String> {
        let written = self.variables.fill(&command.value, Environment::Refused)?;
        if written.is_empty() {
            return Ok(());
        }
        let Ok(millis) = written.parse::<u64>() else {
            let note = format!("{written:?} is no number of milliseconds: it waits as long as every step");
            translated.note = Some(note);
            return Ok(());
        };
        for step in &mut translated.steps {
            step["timeout"] = json!(millis.clamp(1, TIMEOUT_MILLIS_MAX));
        }
        if millis > TIMEOUT_MILLIS_MAX {
            let note = format!("it waits {millis} ms, and a step takes {TIMEOUT_MILLIS_MAX} ms at most");
            translated.note = Some(note);
        }
        Ok(())
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
}

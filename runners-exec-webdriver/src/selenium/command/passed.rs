//! Commands that are passed over, and what they leave: a variable that they set is not known any more, nor a place that
//! they may have led to.

use super::{Command, Translator};

impl Translator {
    /// Passes over a command of which nobody knows whether it is carried out. What it may change is not known from here
    /// on: what it stores, where the test is, and which dialog is open.
    pub(in crate::selenium) fn skip(&mut self, command: &Command) {
        self.dialogs.pass();
        self.dialogs.forget();
        match command.command.trim() {
            "selectWindow" => self.lost_window = true,
            "selectFrame" => self.lost_frame = true,
            // It leads out of a frame.
            "open" => self.lost_frame |= !self.frame.is_empty(),
            _ => {}
        }
        if let Some(variable) = stored(command) {
            self.variables.forget(variable);
            self.handles.remove(variable.trim());
        }
    }
}

/// The variable that a command sets, if it sets one by what the page is.
pub(super) fn stored(command: &Command) -> Option<&str> {
    let name = command.command.trim();
    // Of a list, one after the other.
    let stores = name.starts_with("store") || name == "forEach";
    let executes = matches!(name, "executeScript" | "executeAsyncScript");
    let variable = if matches!(name, "storeTitle" | "storeWindowHandle") && command.value.trim().is_empty() {
        &command.target
    } else {
        &command.value
    };
    (stores || (executes && !variable.trim().is_empty())).then_some(variable)
}

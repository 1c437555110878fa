//! What a browser told by itself: the dialogs that are open, whether its pages have changed, and what is kept up
//! to a limit, in order, for somebody who wants it later.

use crate::browser::connection::Event;
use serde_json::{Value, json};
use std::mem;

/// The most events that are kept for whoever asks.
const EVENTS_MAX: usize = 10_000;
/// The module of events that tell of pages; those of the console and the network are kept.
pub(super) const OF_PAGES: &str = "browsingContext";

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    dialogs: Vec<Dialog>,
    /// Something was told of pages that nobody has waited for.
    has_changed: bool,
    /// Events of the console and the network.
    kept: Vec<Value>,
}

#[derive(Debug)]
struct Dialog {
    page: String,
    text: String,
}

impl Heard {
    /// Takes an event.
    pub(super) fn take(&mut self, Event { method, params }: Event) {
        let Some((OF_PAGES, what)) = method.split_once('.') else {
            if self.kept.len() < EVENTS_MAX {
                self.kept.push(json!({ "method": method, "params": params }));
            }
            return;
        };
        self.has_changed = true;
        let page = params["context"].as_str().unwrap_or_default();
        match what {
            "userPromptOpened" => {
                let text = params["message"].as_str().unwrap_or_default().to_owned();
                self.dialogs.push(Dialog { page: page.to_owned(), text });
            }
            "userPromptClosed" => self.answered(page),
            _ => {}
        }
    }

    /// What the dialog says that is open on a page, if one is.
    pub(super) fn dialog(&self, page: &str) -> Option<String> {
        self.dialogs.iter().find(|dialog| dialog.page == page).map(|dialog| dialog.text.clone())
    }

    /// The dialog of a page is closed.
    pub(super) fn answered(&mut self, page: &str) {
        if let Some(at) = self.dialogs.iter().position(|dialog| dialog.page == page) {
            self.dialogs.remove(at);
        }
    }

    /// A page is closed.
    pub(super) fn closed(&mut self, page: &str) {
        self.dialogs.retain(|dialog| dialog.page != page);
    }

    /// Whether pages have changed since this was asked last.
    pub(super) const fn take_change(&mut self) -> bool {
        mem::replace(&mut self.has_changed, false)
    }

    /// Gives away what was kept.
    pub(super) fn give(&mut self) -> Value {
        Value::Array(mem::take(&mut self.kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(method: &str, params: Value) -> Event {
        Event { method: method.to_owned(), params }
    }

    #[test]
    fn a_dialog_is_open_until_it_is_closed_and_nothing_else_closes_it() {
        let mut heard = Heard::default();
        let prompt = json!({ "context": "a", "message": "Sure?" });
        heard.take(event("browsingContext.userPromptOpened", prompt));
        heard.take(event("browsingContext.load", json!({ "context": "a" })));
        assert_eq!((heard.dialog("a").as_deref(), heard.dialog("b")), (Some("Sure?"), None));
        heard.take(event("browsingContext.userPromptClosed", json!({ "context": "a" })));
        assert_eq!(heard.dialog("a"), None);
    }

    #[test]
    fn what_is_told_of_pages_is_a_change_once_and_not_kept() {
        let mut heard = Heard::default();
        heard.take(event("log.entryAdded", json!({ "text": "hello" })));
        assert!(!heard.take_change(), "that is none of pages");
        heard.take(event("browsingContext.contextCreated", json!({ "context": "a" })));
        assert!(heard.take_change() && !heard.take_change());
        assert_eq!(heard.give(), json!([{ "method": "log.entryAdded", "params": { "text": "hello" } }]));
        assert_eq!(heard.give(), json!([]));
    }
}

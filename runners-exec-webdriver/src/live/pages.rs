//! The pages of one session in a Chromium, out of all those of the browser, by what it says of them: the one that
//! is shown is the one that was opened last.

use serde_json::Value;

/// The pages of a session, the one that is shown last.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// The profile that the session is in; pages of another are somebody else's.
    context: Option<String>,
    /// Every page that there is, with its profile, in the order in which they came.
    all: Vec<(String, Option<String>)>,
}

impl Pages {
    /// The pages of a profile, or of all of them as long as it is not known.
    pub(super) const fn of(context: Option<String>) -> Self {
        Self { context, all: Vec::new() }
    }

    /// Takes what the browser says of a page.
    pub(super) fn hear(&mut self, method: &str, params: &Value) {
        let told = &params["targetInfo"];
        match method {
            "Target.targetCreated" if told["type"] == "page" => {
                let Some(id) = told["targetId"].as_str() else { return };
                self.all.retain(|(other, _)| other != id);
                self.all.push((id.to_owned(), told["browserContextId"].as_str().map(str::to_owned)));
            }
            "Target.targetDestroyed" | "Target.targetCrashed" => {
                self.all.retain(|(id, _)| params["targetId"] != **id);
            }
            _ => {}
        }
    }

    /// The session is at the page with this handle: that is what is shown, and its profile is the session's.
    pub(super) fn turn_to(&mut self, handle: &str) {
        // Some drivers put something before the name of the page.
        let Some(at) = self.all.iter().position(|(id, _)| handle.contains(&**id)) else { return };
        let page = self.all.remove(at);
        self.context.clone_from(&page.1);
        self.all.push(page);
    }

    pub(super) fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// The page that is shown.
    pub(super) fn shown(&self) -> Option<&str> {
        let is_own = |page: &&(String, Option<String>)| self.context.is_none() || page.1 == self.context;
        self.all.iter().rev().find(is_own).map(|(id, _)| &**id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn opened(pages: &mut Pages, id: &str, context: &str) {
        let told = json!({ "targetId": id, "type": "page", "browserContextId": context });
        pages.hear("Target.targetCreated", &json!({ "targetInfo": told }));
    }

    #[test]
    fn a_new_page_is_shown_until_it_is_closed_and_pages_of_others_never() {
        let mut pages = Pages::of(None);
        for (id, context) in [("A", "own"), ("B", "others"), ("C", "own")] {
            opened(&mut pages, id, context);
        }
        pages.turn_to("CDwindow-A");
        assert_eq!((pages.shown(), pages.context()), (Some("A"), Some("own")));
        opened(&mut pages, "D", "others");
        assert_eq!(pages.shown(), Some("A"));
        opened(&mut pages, "E", "own");
        assert_eq!(pages.shown(), Some("E"));
        pages.hear("Target.targetDestroyed", &json!({ "targetId": "E" }));
        assert_eq!(pages.shown(), Some("A"), "the one that was shown before");
        pages.hear("Target.targetDestroyed", &json!({ "targetId": "A" }));
        pages.hear("Target.targetDestroyed", &json!({ "targetId": "C" }));
        assert_eq!(pages.shown(), None);
    }
}

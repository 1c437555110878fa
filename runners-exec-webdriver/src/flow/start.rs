//! Where a flow begins, so that one recording serves the same pages at several addresses.

use super::{
    BrowserFlow,
    problem::{Problem, Problems},
};
use serde_json::{Value, value::RawValue};

impl BrowserFlow {
    /// The flow with another page to begin with: its first step `navigate` leads there, and is not
    /// asserted to end elsewhere. It stands in the document, so that it travels with it.
    ///
    /// # Errors
    /// A problem if the flow has no such step of its own, or cannot have this address.
    pub fn starting_at(self, url: &str) -> Result<Self, Problems> {
        let mut document: Value =
            serde_json::from_str(self.document()).expect("invariant: it was read before");
        let mut steps = document["steps"].as_array_mut().into_iter().flatten();
        let Some(first) = steps.find(|step| step["type"] == "navigate") else {
            let hint = "add one, or declare a parameter `url` and use it";
            return Err(Problems::new(vec![Problem::new("/steps", "there is no step `navigate`", hint)]));
        };
        let before = std::mem::replace(&mut first["url"], url.into());
        if before == url {
            return Ok(self);
        }
        for event in first.get_mut("assertedEvents").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(event) = event.as_object_mut() {
                event.remove("url");
            }
        }
        let raw = RawValue::from_string(document.to_string()).expect("invariant: it was just written");
        Ok(Self::validate(raw)?.with_mode(self.flow.mode))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Action, BrowserFlow, Mode};
    use serde_json::json;

    fn starting_at(steps: &serde_json::Value, url: &str) -> Result<BrowserFlow, crate::Problems> {
        let document = json!({ "title": "shop", "steps": steps }).to_string();
        BrowserFlow::parse(&document).unwrap().with_mode(Mode::Strict).starting_at(url)
    }

    #[test]
    fn the_first_navigation_leads_elsewhere_and_is_not_asserted_to_end_where_it_did() {
        let asserted = json!([{ "type": "navigation", "url": "https://a/", "title": "A" }]);
        let steps = json!([
            { "type": "navigate", "url": "https://a/", "assertedEvents": asserted },
            { "type": "navigate", "url": "https://a/cart" },
        ]);
        let flow = starting_at(&steps, "https://b/").unwrap();
        let urls = flow.flow().steps.iter().map(|step| match &step.action {
            Action::Navigate { url } => url.as_str(),
            _ => "",
        });
        assert_eq!(urls.collect::<Vec<_>>(), ["https://b/", "https://a/cart"]);
        let asserted = &flow.flow().steps[0].asserted_navigations[0];
        assert_eq!((asserted.url.as_deref(), asserted.title.as_deref()), (None, Some("A")));
        assert_eq!(flow.flow().mode, Mode::Strict);
        assert!(flow.document().contains("https://b/"));
    }

    #[test]
    fn a_flow_that_begins_nowhere_says_what_it_needs() {
        let problems = starting_at(&json!([{ "type": "close" }]), "https://b/").unwrap_err();
        assert!(problems.to_string().contains("declare a parameter `url`"), "{problems}");
    }
}

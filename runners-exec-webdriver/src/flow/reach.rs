//! Where a flow says that it goes, held against where browsers may go, before one starts. Where its
//! pages lead is seen when it is replayed.

use super::{
    Flow,
    extension::Extension,
    problem::Problem,
    step::{Action, Step},
};
use crate::driver::check_page;
use runners_core::{Egress, EgressError};

impl Flow {
    /// The pages that steps name and that may not be browsed; what is no address at all fails its step
    /// instead.
    #[must_use]
    pub fn not_allowed(&self, egress: &Egress) -> Vec<Problem> {
        let places = self.steps.iter().flat_map(places);
        let refused = places.filter_map(|(pointer, url)| match check_page(egress, url) {
            Ok(()) | Err(EgressError::Malformed(_)) => None,
            Err(error) => Some(Problem::new(pointer, error.to_string(), "")),
        });
        refused.collect()
    }
}

/// What a step names of places that it goes to, each by its pointer.
fn places(step: &Step) -> Vec<(String, &str)> {
    match &step.action {
        Action::Navigate { url } => vec![(format!("{}/url", step.pointer), url)],
        Action::Extension(Extension::StorageState { origins, .. }) => {
            let of =
                |(index, origin)| (format!("{}/parameters/origins/{index}/origin", step.pointer), origin);
            origins.iter().map(|one| &*one.origin).enumerate().map(of).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::BrowserFlow;
    use runners_core::Egress;
    use serde_json::json;

    #[test]
    fn a_page_that_may_not_be_browsed_is_named_by_its_place() {
        let flow = BrowserFlow::parse(
            &json!({ "title": "t", "steps": [
                { "type": "navigate", "url": "http://10.0.0.7/" },
                { "type": "navigate", "url": "file:///etc/passwd" },
                { "type": "navigate", "url": "about:blank" },
                { "type": "navigate", "url": "data:text/html,x" },
                { "type": "navigate", "url": "no address" },
                { "type": "navigate", "url": "http://2852039166/latest/meta-data/" },
                { "type": "customStep", "name": "runners.storageState",
                  "parameters": { "origins": [{ "origin": "http://169.254.1.1", "localStorage": [] }] } },
            ] })
            .to_string(),
        )
        .unwrap();
        let told = |egress: &Egress| -> Vec<String> {
            flow.flow().not_allowed(egress).iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            told(&Egress::browsing()),
            [
                "/steps/1/url: the scheme \"file\" is not allowed: use http or https",
                "/steps/5/url: 169.254.169.254 is a cloud metadata address, and the operator has not allowed it",
                "/steps/6/parameters/origins/0/origin: 169.254.1.1 is a link-local address, and the operator \
                 has not allowed it",
            ]
        );
        assert!(told(&Egress::pushing())[0].starts_with("/steps/0/url: 10.0.0.7 is a private address"));
    }
}

//! Secrets in flows: `${secret:NAME}` in a value that is typed or stored stands for one that the runner
//! knows, so that no password is in a recording. `${secret:=}` stands for how such a place begins, where a text has that.

use super::BrowserFlow;
use runners_core::{Fault, Redactor, Secret};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How the place of a secret begins and ends.
const OPEN: &str = "${secret:";
const CLOSE: char = '}';
/// What stands there in place of a name if the beginning itself is meant.
const ITSELF: &str = "=";

impl BrowserFlow {
    /// The names of the secrets that it asks for, to be named in
    /// [`JobOptions::secrets`](runners_core::JobOptions::secrets).
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for step in &self.flow.steps {
            let mut action = step.action.clone();
            let values = action.values_mut();
            names.extend(values.iter().flat_map(|value| places(value)).map(str::to_owned));
        }
        names
    }

    /// The flow with its secrets filled in. The document stays as it was written.
    ///
    /// # Errors
    /// A permanent fault `secret` that names the first one that `secret` does not give.
    pub fn with_secrets(mut self, secret: impl Fn(&str) -> Option<Secret>) -> Result<Self, Fault> {
        let mut secrets = BTreeMap::new();
        for name in self.secrets() {
            let value = secret(&name).ok_or_else(|| unknown(&name))?;
            secrets.insert(name, value);
        }
        let mut flow = (*self.flow).clone();
        for step in &mut flow.steps {
            for value in step.action.values_mut() {
                *value = filled(value, &|name| secrets.get(name).cloned())?;
            }
        }
        self.redactor = Some(Redactor::new(secrets.values().map(Secret::expose)));
        self.flow = Arc::new(flow);
        Ok(self)
    }

    /// The flow with its texts as they are typed, if it asks for no secret.
    pub(crate) fn with_texts(self) -> Self {
        if self.redactor.is_some() || !self.secrets().is_empty() {
            return self;
        }
        self.with_secrets(|_| None).expect("invariant: it asks for none")
    }

    /// Refuses a flow whose secrets are not filled in: their names would be typed.
    pub(crate) fn check_secrets(&self) -> Result<(), Fault> {
        match self.secrets().first() {
            Some(name) if self.redactor.is_none() => Err(unknown(name)),
            _ => Ok(()),
        }
    }
}

fn filled(value: &str, secret: &impl Fn(&str) -> Option<Secret>) -> Result<String, Fault> {
    let mut text = String::with_capacity(value.len());
    for (before, name) in pieces(value) {
        text.push_str(before);
        if let Some(name) = name {
            text.push_str(secret(name).ok_or_else(|| unknown(name))?.expose());
        }
    }
    Ok(text)
}

fn unknown(name: &str) -> Fault {
    Fault::permanent("secret", format!("the flow asks for the secret {name:?}, which its job does not name"))
}

/// A text that is typed as it stands, whatever it looks like.
pub(crate) fn literal(text: &str) -> String {
    text.replace(OPEN, &format!("{OPEN}{ITSELF}{CLOSE}"))
}

/// Whether a secret may stand in this place in the parameters of an added step: its values are there.
pub(super) fn is_place(step: &str, path: &[&str]) -> bool {
    match step {
        "runners.dialog" => matches!(path, ["value"]),
        "runners.cookies" => matches!(path, ["set", _, "value"]),
        "runners.storageState" => {
            matches!(path, ["cookies", _, "value"] | ["origins", _, "localStorage", _, "value"])
        }
        _ => false,
    }
}

/// The names of the secrets of which a value has places, in their order.
pub(super) fn places(value: &str) -> impl Iterator<Item = &str> {
    pieces(value).into_iter().filter_map(|(_, name)| name)
}

/// A value in pieces: text, and the name of the secret that follows it. What only looks like the
/// place of a secret is text.
fn pieces(value: &str) -> Vec<(&str, Option<&str>)> {
    let (mut pieces, mut rest, mut from) = (Vec::new(), value, 0);
    while let Some(at) = rest[from..].find(OPEN).map(|at| from + at) {
        let inside = &rest[at + OPEN.len()..];
        match inside.split_once(CLOSE) {
            Some((ITSELF, after)) => {
                pieces.push((&rest[..at + OPEN.len()], None));
                (rest, from) = (after, 0);
            }
            Some((name, after)) if Secret::is_name(name) => {
                pieces.push((&rest[..at], Some(name)));
                (rest, from) = (after, 0);
            }
            _ => from = at + OPEN.len(),
        }
    }
    pieces.push((rest, None));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Action;
    use serde_json::json;

    fn flow(value: &str) -> BrowserFlow {
        let steps = json!([{ "type": "change", "selectors": [["#password"]], "value": value }]);
        BrowserFlow::parse(&json!({ "title": "signs in", "steps": steps }).to_string()).unwrap()
    }

    fn value(flow: &BrowserFlow) -> &str {
        match &flow.flow().steps[0].action {
            Action::Change { value, .. } => value,
            other => panic!("{other:?} is no change"),
        }
    }

    fn known(name: &str) -> Option<Secret> {
        (name != "other").then(|| Secret::from_text(format!("<{name}>")))
    }

    #[test]
    fn the_place_of_a_secret_is_filled_and_everything_else_is_text() {
        for (given, names, filled) in [
            ("${secret:a}", &["a"][..], "<a>"),
            ("x${secret:b.1}y${secret:a}", &["a", "b.1"], "x<b.1>y<a>"),
            ("plain", &[], "plain"),
            ("${secret:}${secret:a b}${secret:${secret:a}", &["a"], "${secret:}${secret:a b}${secret:<a>"),
            ("${secret:a", &[], "${secret:a"),
            ("x${secret:=}a}${secret:a}${secret:=}=}", &["a"], "x${secret:a}<a>${secret:=}"),
        ] {
            let flow = flow(given);
            assert_eq!(flow.secrets().iter().map(String::as_str).collect::<Vec<_>>(), names, "{given}");
            assert_eq!(flow.clone().with_texts().secrets(), flow.secrets(), "{given}");
            let filled_in = flow.clone().with_secrets(known).unwrap();
            assert_eq!(value(&filled_in), filled);
            assert_eq!(filled_in.document(), flow.document());
        }
    }

    #[test]
    fn a_secret_that_is_not_given_is_named_and_never_typed() {
        let asks = flow("${secret:other}");
        assert!(asks.check_secrets().unwrap_err().message.contains("\"other\""));
        assert_eq!(asks.with_secrets(known).unwrap_err().code, "secret");
        flow("${secret:a}").with_secrets(known).unwrap().check_secrets().unwrap();
        flow("plain").check_secrets().unwrap();
    }
}

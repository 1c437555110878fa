//! Scripts that a document keeps: the first call takes the whole text there, each later one only names it.
//! ChromeDriver makes a new function of every call, with its text and its arguments in it; of those that are
//! longer than 16,383 characters V8 hashes nothing but the length, so that each is compared with all before it.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A script that answers the request before its last argument through that one.
#[derive(Debug)]
pub(crate) struct Script {
    /// A name for it, as JavaScript has them.
    name: &'static str,
    text: &'static str,
}

/// Which scripts the present document is thought to keep. It is not asked: one that does not says so.
#[derive(Debug, Default)]
pub(crate) struct KeptScripts(Mutex<BTreeSet<&'static str>>);

impl Script {
    /// The script `text`, which is a function's body, under a name that no other has.
    pub(crate) const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text }
    }

    /// What has a document keep the script, and runs it, with `this` in its place.
    pub(super) fn whole(&self, this: &str) -> String {
        let Self { name, text } = self;
        format!(
            "const key = Symbol.for('runners.scripts');
            if (!window[key]) Object.defineProperty(window, key, {{ value: {{}} }});
            window[key].{name} = function () {{\n{text}\n}};
            window[key].{name}.apply({this}, arguments);"
        )
    }

    /// What runs the script where it is kept, and says so where it is not.
    pub(super) fn call(&self, this: &str) -> String {
        format!(
            "const run = window[Symbol.for('runners.scripts')]?.{};
            if (run) run.apply({this}, arguments); else arguments[arguments.length - 1]('{NOT_KEPT}');",
            self.name
        )
    }
}

/// What a document answers that does not keep a script. No script answers with a text.
pub(super) const NOT_KEPT: &str = "runners: the script is not kept here";

impl KeptScripts {
    pub(super) fn has(&self, script: &Script) -> bool {
        self.names().contains(script.name)
    }

    pub(super) fn note(&self, script: &Script) {
        self.names().insert(script.name);
    }

    /// It is another document.
    pub(super) fn forget(&self) {
        self.names().clear();
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

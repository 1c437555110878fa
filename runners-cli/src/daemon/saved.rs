//! The settings of a runner in the background, kept by `runners start` so that a later one needs no
//! flags: every flag of `runners run` that was given, but for the token.

use super::{Home, home};
use crate::{args::RunArgs, tokens};
use anyhow::{Context as _, Result};
use clap::{Arg, ArgAction, ArgMatches, Args as _, FromArgMatches as _, parser::ValueSource};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ffi::OsString, path::Path};

/// Settings that no command line can hold are longer.
const BYTES_MAX: u64 = 1 << 20;

/// What is not kept: secrets, and what is about one start.
const NOT_KEPT: [&str; 4] = ["token", "home", "json", "background"];

/// Flags of `runners run`, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Saved(BTreeMap<String, Value>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Switch(bool),
    One(String),
    Many(Vec<String>),
}

impl Saved {
    /// The flags that were given here, in the environment or on the command line.
    pub(crate) fn given(matches: &ArgMatches) -> Self {
        let given = |arg: &Arg| {
            let source = matches.value_source(arg.get_id().as_str())?;
            let given = matches!(source, ValueSource::CommandLine | ValueSource::EnvVariable);
            given.then(|| value(arg, matches)).flatten()
        };
        Self(flags(|long, arg| given(arg).map(|value| (long.to_owned(), value))))
    }

    /// What was kept in a home; nothing at the first start.
    pub(crate) fn read(home: &Home) -> Result<Self> {
        let path = home.settings();
        let Some(text) = home::read(&path, BYTES_MAX)? else { return Ok(Self::default()) };
        serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged: remove it and give the flags again", path.display()))
    }

    pub(crate) fn write(&self, home: &Home) -> Result<()> {
        let text = serde_json::to_string_pretty(self).expect("invariant: it is plain data");
        let path = home.settings();
        tokens::write_private(&path, &text).with_context(|| format!("could not write {}", path.display()))
    }

    /// These flags, and for those that are not given the ones of `before`.
    pub(crate) fn over(self, before: Self) -> Self {
        let mut all = before.0;
        all.extend(self.0);
        Self(all)
    }

    /// What was kept, beside a token that is given now: that goes before the file of an earlier start.
    pub(crate) fn beside_token(mut self, token: Option<&str>) -> Self {
        if token.is_some() {
            self.0.remove("token-file");
        }
        self
    }

    /// The text of a flag that takes one.
    pub(crate) fn text(&self, long: &str) -> Option<&str> {
        match self.0.get(long) {
            Some(Value::One(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether a switch is on.
    pub(crate) fn has(&self, long: &str) -> bool {
        matches!(self.0.get(long), Some(Value::Switch(true)))
    }

    /// The arguments of `runners run` that they come to.
    ///
    /// # Errors
    /// What another version has kept, and this one cannot read.
    pub(crate) fn run_arguments(&self) -> Result<RunArgs> {
        let known = flags(|long, _| Some((long.to_owned(), ())));
        let each = self.0.iter().filter(|(long, _)| known.contains_key(*long));
        let line = each.flat_map(|(long, value)| match value {
            Value::Switch(true) => vec![format!("--{long}")],
            Value::Switch(false) => Vec::new(),
            Value::One(text) => vec![format!("--{long}={text}")],
            Value::Many(texts) => texts.iter().map(|text| format!("--{long}={text}")).collect(),
        });
        let run = RunArgs::augment_args(clap::Command::new("run").no_binary_name(true));
        let matches = run.try_get_matches_from(line).context("the settings that were kept are not usable")?;
        RunArgs::from_arg_matches(&matches).context("the settings that were kept are not usable")
    }

    /// The same on a command line, and in the environment what should not stand in one: a URL may
    /// have a password in it.
    pub(crate) fn arguments(&self) -> (Vec<OsString>, Vec<(OsString, String)>) {
        let (mut arguments, mut variables) = (Vec::new(), Vec::new());
        let known: BTreeMap<String, Option<OsString>> =
            flags(|long, arg| Some((long.to_owned(), arg.get_env().map(ToOwned::to_owned))));
        // What another version has kept, and this one does not know, is left out.
        for (long, value) in &self.0 {
            match (value, known.get(long)) {
                (Value::One(text), Some(Some(variable))) => variables.push((variable.clone(), text.clone())),
                (Value::One(text), Some(None)) => arguments.push(format!("--{long}={text}").into()),
                (Value::Many(texts), Some(_)) => {
                    arguments.extend(texts.iter().map(|text| format!("--{long}={text}").into()));
                }
                (Value::Switch(true), Some(_)) => arguments.push(format!("--{long}").into()),
                _ => {}
            }
        }
        (arguments, variables)
    }
}

/// Asks about each flag of `runners run` that is kept.
fn flags<T>(mut about: impl FnMut(&str, &Arg) -> Option<(String, T)>) -> BTreeMap<String, T> {
    let run = RunArgs::augment_args(clap::Command::new("run"));
    let kept = run.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg)));
    kept.filter(|(long, _)| !NOT_KEPT.contains(long)).filter_map(|(long, arg)| about(long, arg)).collect()
}

fn value(arg: &Arg, matches: &ArgMatches) -> Option<Value> {
    let texts = matches.get_raw(arg.get_id().as_str())?;
    let is_path = arg.get_value_names().is_some_and(|names| names.iter().any(|name| is_path(name)));
    let mut texts = texts.map(|text| {
        let text = text.to_string_lossy().into_owned();
        if is_path { absolute(&text) } else { text }
    });
    Some(match arg.get_action() {
        ArgAction::SetTrue => Value::Switch(true),
        ArgAction::Append => Value::Many(texts.collect()),
        _ => Value::One(texts.next_back()?),
    })
}

fn is_path(value_name: &str) -> bool {
    value_name.ends_with("FILE") || value_name == "DIR"
}

/// The runner works in its home, wherever it was started from.
fn absolute(text: &str) -> String {
    let (prefix, path) = match text.split_once('=') {
        Some((tenant, path)) if tenant.starts_with("tenant_") => (format!("{tenant}="), path),
        _ => (String::new(), text),
    };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| Path::new(path).to_owned());
    format!("{prefix}{}", absolute.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(line: &[&str]) -> Saved {
        let run = RunArgs::augment_args(clap::Command::new("run"));
        Saved::given(&run.get_matches_from([&["run"], line].concat()))
    }

    fn line(saved: &Saved) -> Vec<String> {
        let (arguments, variables) = saved.arguments();
        let variables = variables.into_iter().map(|(name, text)| format!("{}={text}", name.display()));
        variables.chain(arguments.iter().map(|text| text.display().to_string())).collect()
    }

    #[test]
    fn what_is_given_later_goes_before_what_was_kept() {
        let first = given(&["-s", "https://r.example", "--slots", "2", "--label", "eu", "--label", "big"]);
        assert_eq!(
            line(&first),
            ["RUNNERS_SERVER=https://r.example", "MAX_CONCURRENCY=2", "--label=eu", "--label=big"]
        );
        let second = given(&["--slots=4", "--headed"]).over(first);
        assert_eq!(
            line(&second),
            [
                "RUNNERS_SERVER=https://r.example",
                "MAX_CONCURRENCY=4",
                "--headed",
                "--label=eu",
                "--label=big"
            ]
        );
        let text = serde_json::to_string(&second).unwrap();
        assert_eq!(serde_json::from_str::<Saved>(&text).unwrap(), second);
    }

    #[test]
    fn a_token_is_not_kept_and_paths_are_found_from_anywhere() {
        let saved = given(&["-t", "rreg_1", "--token-file", "a.token", "--json"]);
        let here = std::path::absolute("a.token").unwrap();
        assert_eq!(line(&saved), [format!("--token-file={}", here.display())]);
    }

    #[test]
    fn a_token_that_is_given_goes_before_the_file_of_an_earlier_start() {
        let kept = || given(&["--token-file", "/a.token", "--headed"]);
        assert_eq!(line(&kept().beside_token(Some("rreg_1"))), ["--headed"]);
        assert_eq!(kept().beside_token(None), kept());
    }

    #[test]
    fn what_was_kept_is_read_as_it_was_given() {
        let saved = given(&["-s", "https://r.example", "--label", "eu", "--label", "big", "--insecure-http"]);
        let run = saved.run_arguments().unwrap();
        assert_eq!(run.server, "https://r.example");
        assert_eq!(run.labels, ["eu", "big"]);
        assert!(run.trust.insecure_http && saved.has("insecure-http") && !saved.has("headed"));
    }

    #[test]
    fn nothing_is_kept_that_is_only_usual() {
        assert_eq!(given(&[]), Saved::default());
    }
}

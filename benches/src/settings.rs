//! What whoever starts a bench asks for: sections by name, and numbers in variables.

use anyhow::{Context as _, bail};
use std::{any::type_name, env, str::FromStr};

/// The sections that are asked for, or all there are.
///
/// # Errors
/// If one of them is none, before anything is measured.
pub fn sections(asked: Vec<String>, all: &[&str]) -> anyhow::Result<Vec<String>> {
    if let Some(unknown) = asked.iter().find(|section| !all.contains(&section.as_str())) {
        bail!("{unknown:?} is no section: choose from {}", all.join(", "));
    }
    Ok(if asked.is_empty() { all.iter().map(|section| (*section).to_owned()).collect() } else { asked })
}

/// A number in a variable.
///
/// # Errors
/// If something else is in it.
pub fn number<N>(variable: &str, unless_said: N) -> anyhow::Result<N>
where
    N: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    match env::var(variable) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{variable}: {text:?} is not a number ({})", type_name::<N>())),
        Err(_) => Ok(unless_said),
    }
}

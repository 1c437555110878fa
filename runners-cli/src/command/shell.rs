//! `runners completion` and `runners man`: what shells and `man` know of this program, made of its
//! arguments.

use crate::{
    args::{Arguments, CompletionArgs, ManArgs},
    exit::Exit,
    terminal,
};
use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use std::{fs, io::Write as _};

pub(super) fn completion(arguments: &CompletionArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "runners", &mut script);
    // A reader that has gone away is no error.
    let _ = std::io::stdout().lock().write_all(&script);
    Exit::Passed
}

pub(super) fn man(arguments: &ManArgs) -> Result<Exit> {
    let directory = &arguments.directory;
    fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), directory))
        .with_context(|| format!("could not write to {}", directory.display()))?;
    terminal::print(format!("try: man -l {}", directory.join("runners.1").display()));
    Ok(Exit::Passed)
}

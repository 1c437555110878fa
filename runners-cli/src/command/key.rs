//! `runners key`: the keys of who submits.

use crate::{args::KeyGenerateArgs, exit::Exit, keys, terminal};
use anyhow::Result;

pub(super) fn generate(arguments: &KeyGenerateArgs) -> Result<Exit> {
    let public = keys::generate(&arguments.file)?;
    terminal::print(format!("private key, for who submits: {}", arguments.file.display()));
    terminal::print(format!("public key, for runners:      {}", public.display()));
    Ok(Exit::Passed)
}

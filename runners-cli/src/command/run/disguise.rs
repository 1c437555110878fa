//! Forgets a registration token that was given on the command line or in the environment, where
//! others, and the browsers that are started, could read it for as long as this process lives.

use std::ffi::{OsStr, OsString};

/// Where a token may be.
pub(in crate::command) const VARIABLES: [&str; 2] = ["RUNNERS_TOKEN", "REGISTRATION_TOKEN"];

/// Replaces this process by itself, without the token: the credential is kept by now, so it is not
/// needed again. Returns where that cannot be done, and is then heard of in the log only.
#[cfg(unix)]
pub(super) fn drop_token() {
    use std::os::unix::process::CommandExt as _;
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return tracing::warn!(%error, "the token stays visible to users of this machine"),
    };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    for name in VARIABLES {
        command.env_remove(name);
    }
    let error = command.args(without_token(arguments)).exec();
    tracing::warn!(%error, "the token stays visible to users of this machine");
}

#[cfg(not(unix))]
pub(super) fn drop_token() {}

/// The arguments without `-t TOKEN` in any of its forms.
fn without_token(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if argument == OsStr::new("-t") || argument == OsStr::new("--token") {
            arguments.next();
        } else if !(text.starts_with("--token=") || text.starts_with("-t")) {
            kept.push(argument);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_token_is_left_out_and_nothing_else() {
        let forms: [&[&str]; 5] =
            [&["-t", "rreg_1"], &["-trreg_1"], &["-t=rreg_1"], &["--token", "rreg_1"], &["--token=rreg_1"]];
        for form in forms {
            let given = [&["run", "-s", "http://t"], form, &["--token-file", "x", "--slots", "2"]].concat();
            let kept = without_token(given.into_iter().map(OsString::from));
            assert_eq!(kept, ["run", "-s", "http://t", "--token-file", "x", "--slots", "2"], "{form:?}");
        }
    }
}

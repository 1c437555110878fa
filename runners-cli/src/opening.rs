//! Opening a page in the browser of whoever sits here. Trouble is no trouble: the address stands on the
//! terminal.

use std::{
    env,
    io::{IsTerminal as _, stdout},
    process::{Command, Stdio},
};

/// Whether somebody sits at this machine who can be shown a page.
pub(crate) fn is_possible() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_screen =
        cfg!(any(target_os = "macos", windows)) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    // Over ssh the screen is another machine's, as a rule; in CI it is nobody's.
    stdout().is_terminal() && has_screen && !is_set("SSH_CONNECTION") && !is_set("CI")
}

/// Opens a page, and does not wait for it.
pub(crate) fn open(url: &str) {
    let (program, before) = opener();
    let mut command = Command::new(program);
    command.args(before).arg(url);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // What it starts outlives this process, and is the user's own.
    if let Err(error) = command.spawn() {
        tracing::debug!(error = &error as &dyn std::error::Error, "the page was not opened");
    }
}

/// The program that opens pages, and what it is told before the address.
const fn opener() -> (&'static str, Option<&'static str>) {
    if cfg!(target_os = "macos") {
        ("open", None)
    } else if cfg!(windows) {
        ("rundll32", Some("url.dll,FileProtocolHandler"))
    } else {
        ("xdg-open", None)
    }
}

//! Mounts: where each leads in truth, and whether its operator allows that.

use crate::{command::Mount, policy::AllowedMount};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where engines listen. Whoever reaches one of these has the machine.
const SOCKETS: &[&str] = &[
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
];

/// Where a mount leads in truth, if that is allowed. `sockets` are where engines listen, beside the usual
/// places.
pub(crate) fn admit(mount: &Mount, allowed: &[AllowedMount], sockets: &[PathBuf]) -> Result<String, String> {
    let real = fs::canonicalize(&mount.source)
        .map_err(|error| format!("{} cannot be found on this runner: {error}", mount.source))?;
    let usual = SOCKETS.iter().map(Path::new);
    for socket in sockets.iter().map(PathBuf::as_path).chain(usual) {
        let socket = fs::canonicalize(socket).unwrap_or_else(|_| socket.to_owned());
        if socket.starts_with(&real) {
            return Err(format!("{} leads to the socket of an engine, which no job is given", mount.source));
        }
    }
    let mut allowed = allowed.iter().filter(|allowed| allowed.writable || !mount.writable);
    let has_it = |allowed: &AllowedMount| {
        fs::canonicalize(&allowed.path).is_ok_and(|allowed| real.starts_with(allowed))
    };
    if !allowed.any(has_it) {
        let what = if mount.writable { "to be written to" } else { "to be mounted" };
        return Err(format!("{} is not allowed {what}: its operator can allow it", real.display()));
    }
    real.into_os_string().into_string().map_err(|_| "leads to a path that is no text".to_owned())
}

#[cfg(test)]
#[cfg(unix)]
mod tests;

//! Mounts: where each leads in truth, and whether its operator allows that.

use crate::{command::Mount, policy::AllowedMount};
use std::{
    fs, io,
    path::{self, Component, Path, PathBuf},
};

/// How many symbolic links one path may lead over, as many as Linux follows.
const LINKS_MAX: usize = 40;

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
    // The engine looks the path up again once the image is there: until then, a job that may write to a folder
    // can put a link to anywhere in the place of what is in it.
    let writable = allowed.iter().filter(|allowed| allowed.writable);
    let writable: Vec<_> = writable.filter_map(|allowed| fs::canonicalize(&allowed.path).ok()).collect();
    let around = |path: &Path| writable.iter().find(|folder| path != **folder && path.starts_with(folder));
    if let Some(folder) = around(&real) {
        let (real, folder) = (real.display(), folder.display());
        return Err(format!(
            "{real} lies below {folder}, which jobs may write to, so one of them could put a link to anywhere in \
             its place: mount {folder} itself, or have its operator allow a folder that is not in it"
        ));
    }
    let mut allowed = allowed.iter().filter(|allowed| allowed.writable || !mount.writable);
    let has_it = |allowed: &AllowedMount| {
        fs::canonicalize(&allowed.path).is_ok_and(|allowed| real.starts_with(allowed))
            && way(&allowed.path).is_ok_and(|way| way.iter().all(|place| around(place).is_none()))
    };
    if !allowed.any(has_it) {
        let what = if mount.writable { "to be written to" } else { "to be mounted" };
        return Err(format!("{} is not allowed {what}: its operator can allow it", real.display()));
    }
    real.into_os_string().into_string().map_err(|_| "leads to a path that is no text".to_owned())
}

/// Every place that looking up a path comes by, with its folder as it is in truth: whoever may change one of
/// them decides where the path leads.
fn way(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut way, mut links) = (Vec::new(), 0);
    let (mut at, mut ahead) = (PathBuf::new(), path::absolute(path)?);
    loop {
        let mut components = ahead.components();
        let Some(next) = components.next() else { return Ok(way) };
        let mut rest = components.as_path().to_owned();
        match next {
            Component::Prefix(_) | Component::RootDir => at.push(next),
            Component::CurDir => {}
            Component::ParentDir => {
                at.pop();
            }
            Component::Normal(name) => {
                at = fs::canonicalize(&at)?;
                let place = at.join(name);
                way.push(place.clone());
                match fs::read_link(&place) {
                    Ok(_) if links == LINKS_MAX => return Err(io::Error::other("too many symbolic links")),
                    Ok(target) => {
                        links += 1;
                        rest = target.join(rest);
                    }
                    Err(_) => at = place,
                }
            }
        }
        ahead = rest;
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;

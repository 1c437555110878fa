//! Whether this machine can run containers, for those who ask for them.

use super::Finding;
use crate::{args::ContainerArgs, command::run::containers, terminal};

pub(super) async fn look(arguments: &ContainerArgs) -> Option<Finding> {
    if !arguments.containers {
        return None;
    }
    let fix = "is it started, and may this user speak to it? On Debian and Ubuntu: apt-get install docker.io, \
               and adduser USER docker; another address with --container-engine";
    Some(match containers::connect(arguments, "doctor", None).await {
        Ok(executor) => {
            let engine = executor.engine();
            Finding::good("containers", format!("{} {}", engine.name, engine.version))
        }
        Err(error) => Finding::bad("containers", terminal::chain(&error), fix),
    })
}

//! `runners register`: exchanges a registration token for a credential, keeps it with the settings,
//! and starts nothing.

use super::run;
use crate::{
    args::RegisterArgs,
    daemon::{Home, Saved},
    exit::Exit,
    identity::{self, Identity},
    interrupts::Interrupts,
    terminal,
};
use anyhow::{Context as _, Result, bail};
use runners_core::{SystemClock, metrics::NoMetrics, sleep};
use serde_json::json;

pub(super) async fn execute(arguments: RegisterArgs) -> Result<Exit> {
    let mut interrupts = Interrupts::listen()?;
    let home = Home::at(arguments.home.home.as_deref())?;
    if let Some(process) = home.running()? {
        bail!("a runner runs here, as process {process}: it is registered; `runners stop` it first");
    }
    home.make()?;
    let kept = Saved::read(&home)?.beside_token(arguments.run.token.as_deref());
    let settings = arguments.given.clone().over(kept);
    let mut run = settings.run_arguments()?;
    run.token.clone_from(&arguments.run.token);
    run.home = Some(home.directory().to_owned());
    let name = run.name.clone().unwrap_or_else(identity::machine_name);
    let spool = identity::open_spool(&identity::state_of(&run, &name)?)?;
    let is_enrolled = Identity::kept(&spool, &run.server)?.is_some();
    if !is_enrolled {
        identity::tell_of_others(&run, &name)?;
    }
    let token = run::token_of(&run, is_enrolled).await?;
    let (clock, metrics) = (SystemClock::default(), NoMetrics::default());
    let identity = tokio::select! {
        identity = run::identify(&run, token, &spool, &name, &metrics) => identity?,
        () = sleep(&clock, arguments.within) => {
            bail!("{} has not answered within {}", run.server, terminal::span(arguments.within))
        }
        () = interrupts.next() => bail!("interrupted before the server answered: register again"),
    };
    settings.write(&home).context("the runner is registered, but its settings could not be saved")?;
    let (runner, pool) = (identity.enrolled.runner, &identity.enrolled.pool_name);
    if arguments.run.json {
        terminal::print_json(&json!({
            "registered": true, "runner": runner, "name": name, "pool": pool, "server": run.server,
            "home": home.directory(),
        }));
    } else {
        terminal::print(format!("{name} is {runner} in the pool {pool}"));
        terminal::print(format!("registered at {}", run.server));
        terminal::print("`runners start` starts it; `runners service install` has the system do so");
    }
    Ok(Exit::Passed)
}

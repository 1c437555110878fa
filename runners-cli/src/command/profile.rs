//! `runners profile`: servers under names, with the credentials to call them with.

use crate::{
    args::{AddProfileArgs, ApiArgs, FleetArgs, ProfileCommand, UseProfileArgs},
    connection::{self, TokenSource},
    exit::Exit,
    management::Management,
    profiles::{Profile, Profiles},
    prompt, table, terminal,
};
use anyhow::{Context as _, Result, bail};
use runners_core::{Token, TokenKind};
use serde_json::json;
use std::env;

pub(super) async fn execute(command: ProfileCommand) -> Result<Exit> {
    match command {
        ProfileCommand::Add(arguments) => add(arguments).await,
        ProfileCommand::List(arguments) => {
            list(&Profiles::at(arguments.home.home.as_deref())?, arguments.json)
        }
        ProfileCommand::Use(arguments) => make_used(&arguments),
        ProfileCommand::Remove(arguments) => {
            Profiles::at(arguments.home.home.as_deref())?.remove(&arguments.name)?;
            terminal::print(format!("{} is removed, with its credential", arguments.name));
            Ok(Exit::Passed)
        }
    }
}

async fn add(arguments: AddProfileArgs) -> Result<Exit> {
    let profiles = Profiles::at(arguments.home.home.as_deref())?;
    let name = &arguments.name;
    if profiles.has(name)? && !arguments.force {
        bail!("there is a profile {name} already: replace it with --force, or choose another name");
    }
    let server = arguments.server.trim_end_matches('/').to_owned();
    let token = token(&arguments, &server).await?;
    // It refuses what must not be sent, such as a token over plain http.
    connection::transport(&server, token.clone(), &arguments.trust)?;
    let ca_file = arguments.trust.ca_file.as_deref().map(std::path::absolute).transpose()?;
    let profile = Profile {
        server: server.clone(),
        token: Some(token.expose().to_owned()),
        ca_file,
        insecure_http: arguments.trust.insecure_http,
        tenant: arguments.tenant.clone(),
    };
    if !arguments.unchecked {
        check(&arguments, server.clone(), &token).await?;
    }
    profiles.write(name, &profile)?;
    terminal::print(format!("{name} is {server}; `runners profile use {name}` makes it the usual one"));
    Ok(Exit::Passed)
}

/// The credential, from wherever it is not on the command line.
async fn token(arguments: &AddProfileArgs, server: &str) -> Result<Token> {
    let variable = env::var("RUNNERS_API_TOKEN").ok();
    let source = TokenSource {
        kinds: &[TokenKind::Api],
        text: variable.as_deref(),
        file: arguments.token_file.as_deref(),
        server,
    };
    let found = match source.find()? {
        Some(found) => Some(found),
        None => prompt::token(&source).await?,
    };
    found.ok_or_else(|| source.missing("RUNNERS_API_TOKEN"))
}

/// Asks the server whether it knows the credential.
async fn check(arguments: &AddProfileArgs, server: String, token: &Token) -> Result<()> {
    let (token, trust) = (Some(token.expose().to_owned()), arguments.trust.clone());
    let api = ApiArgs { server, token, token_file: None, as_tenant: arguments.tenant.clone(), trust };
    let fleet = FleetArgs { api, json: true };
    match Management::new(&fleet)?.is_known().await {
        Ok(true) => Ok(()),
        Ok(false) => bail!("{} does not know this credential: is it another server's?", fleet.api.server),
        Err(error) => {
            Err(error).context("the server could not be asked: keep it all the same with --unchecked")
        }
    }
}

fn list(profiles: &Profiles, as_json: bool) -> Result<Exit> {
    let used = profiles.used()?;
    let all = profiles.names()?.into_iter().map(|name| Ok((profiles.read(&name)?, name)));
    let all = all.collect::<Result<Vec<_>>>()?;
    if as_json {
        let each = all.iter().map(|(profile, name)| {
            json!({
                "name": name, "server": profile.server, "tenant": profile.tenant,
                "isUsed": used.as_ref() == Some(name),
            })
        });
        terminal::print_json(&each.collect::<Vec<_>>());
        return Ok(Exit::Passed);
    }
    let rows = all.into_iter().map(|(profile, name)| {
        let mark = if used.as_ref() == Some(&name) { "used" } else { "" };
        [name, mark.to_owned(), profile.server, profile.tenant.unwrap_or_default()]
    });
    table::list(["profile", "", "server", "tenant"], rows);
    Ok(Exit::Passed)
}

fn make_used(arguments: &UseProfileArgs) -> Result<Exit> {
    let profiles = Profiles::at(arguments.home.home.as_deref())?;
    profiles.make_used(arguments.name.as_deref())?;
    match &arguments.name {
        Some(name) => {
            let server = profiles.read(name)?.server;
            terminal::print(format!("{name} is used where no server is given: {server}"));
        }
        None => terminal::print("no profile is used"),
    }
    Ok(Exit::Passed)
}

//! How the command line is read: by clap, with what stands in the environment under the names of
//! others, in the profile that is used, and in the file of settings.

use super::{
    Arguments, Command, ConfigCommand, FlowCommand, FlowRecordArgs, RegionsCommand, overview::in_groups,
};
use crate::{
    daemon::Saved,
    profiles::{Profile, Profiles},
    settings::{Settings, Sources},
};
use anyhow::{Result, bail};
use clap::{Arg, ArgMatches, CommandFactory as _, FromArgMatches as _, parser::ValueSource};
use std::env;

/// The variable of an API credential. Who takes one calls a server as its user.
const API_TOKEN: &str = "RUNNERS_API_TOKEN";

/// What starts a runner, or prepares to.
const RUNNER_VERBS: [&str; 5] = ["run", "start", "restart", "register", "doctor"];

/// Arguments of these verbs with our variable, and the one that others have for the same.
const OTHER_NAMES: [(&str, &str, &str); 2] =
    [("server", "RUNNERS_SERVER", "CONTROL_PLANE_URL"), ("token", "RUNNERS_TOKEN", "REGISTRATION_TOKEN")];

impl Arguments {
    /// Reads the command line; what is wrong with it is told, and ends the process. The settings of
    /// a server are completed by the file and by `environment`.
    ///
    /// # Errors
    /// What is wrong with a file or a variable.
    pub(crate) fn read(environment: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let command = in_groups(named_otherwise(Self::command()));
        let mut matches = command.clone().get_matches();
        check_credential(&mut command.clone(), &matches);
        if let Some(chosen) = chosen(&command, &matches)? {
            matches = filled(command, &chosen).get_matches();
        }
        let mut arguments = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        let given = matches.subcommand().map(|(_, given)| given);
        let saved = || given.map(Saved::given).unwrap_or_default();
        let host = match &mut arguments.command {
            Command::Flow(FlowCommand::Record(record)) => {
                let of_flow = given.and_then(ArgMatches::subcommand);
                let is_told = |name| {
                    of_flow
                        .is_some_and(|(_, given)| given.value_source(name) == Some(ValueSource::CommandLine))
                };
                // Whoever names a server means a runner of it.
                if record.pool.is_none() && (is_told("server") || is_told("profile")) {
                    record.pool = Some(FlowRecordArgs::POOL.to_owned());
                }
                return Ok(arguments);
            }
            Command::Run(run) => {
                run.home.clone_from(&arguments.home.home);
                return Ok(arguments);
            }
            Command::Start(start) | Command::Restart(start) => {
                start.given = saved();
                return Ok(arguments);
            }
            Command::Register(register) => {
                register.given = saved();
                return Ok(arguments);
            }
            Command::Server(server) => &mut server.host,
            Command::Dev(dev) => &mut dev.host,
            Command::Regions(RegionsCommand::Config(ConfigCommand::Show(show))) => &mut show.host,
            _ => return Ok(arguments),
        };
        // Those of a verb of two words belong to the second.
        let given = given.map(|given| given.subcommand().map_or(given, |(_, below)| below));
        let sources = given.map(Sources::of).unwrap_or_default();
        host.settings = Settings::resolve(&host.given, &sources, environment)?;
        Ok(arguments)
    }
}

/// Ends the process if two credentials are given, of which one would be used without a word.
fn check_credential(command: &mut clap::Command, matches: &ArgMatches) {
    let (_, given) = leaf(command, matches);
    let is_given = |name| {
        let is_known = given.ids().any(|id| id == name);
        is_known && given.value_source(name) == Some(ValueSource::CommandLine)
    };
    if is_given("token") && is_given("token_file") {
        let message = "--token and --token-file each give a credential: give one of them";
        command.error(clap::error::ErrorKind::ArgumentConflict, message).exit();
    }
}

/// A profile that is used for this command line.
struct Chosen {
    profile: Profile,
    /// It was asked for on the command line, and goes before the environment.
    is_asked_for: bool,
}

/// Has runners hear the names that others have for the same variables, where ours are not set.
fn named_otherwise(command: clap::Command) -> clap::Command {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    RUNNER_VERBS.into_iter().fold(command, |command, verb| {
        command.mut_subcommand(verb, |verb| {
            OTHER_NAMES.into_iter().fold(verb, |verb, (id, ours, theirs)| {
                let known = verb.get_arguments().any(|arg| arg.get_id() == id);
                let other = known && is_set(theirs) && !is_set(ours);
                if other { verb.mut_arg(id, |arg| arg.env(theirs)) } else { verb }
            })
        })
    })
}

/// The profile that says which server is called, if this calls one and nobody says otherwise.
fn chosen(command: &clap::Command, matches: &ArgMatches) -> Result<Option<Chosen>> {
    let (leaf, given) = leaf(command, matches);
    if !calls_a_server(leaf) {
        return Ok(None);
    }
    let profiles = Profiles::at(given.get_one::<std::path::PathBuf>("home").map(AsRef::as_ref))?;
    let is_asked_for = given.value_source("profile") == Some(ValueSource::CommandLine);
    let name = match given.get_one::<String>("profile") {
        Some(name) => name.clone(),
        None => match profiles.used()? {
            Some(name) => name,
            None => return Ok(None),
        },
    };
    let profile = profiles.read(&name)?;
    let server = given.get_one::<String>("server");
    let is_its = server.is_some_and(|server| server.trim_end_matches('/') == profile.server);
    match given.value_source("server") {
        _ if is_its => {}
        Some(ValueSource::CommandLine) if is_asked_for => {
            bail!(
                "the profile {name} is for {}, and -s names another server: give one of them",
                profile.server
            )
        }
        // Its credential is not for that server to see.
        Some(ValueSource::CommandLine) => return Ok(None),
        Some(ValueSource::EnvVariable) if !is_asked_for => return Ok(None),
        _ => {}
    }
    Ok(Some(Chosen { profile, is_asked_for }))
}

/// The verb that was given, below all groups, and what it was given.
fn leaf<'a>(command: &'a clap::Command, matches: &'a ArgMatches) -> (&'a clap::Command, &'a ArgMatches) {
    match matches.subcommand() {
        Some((name, below)) => match command.find_subcommand(name) {
            Some(verb) => leaf(verb, below),
            None => (command, matches),
        },
        None => (command, matches),
    }
}

fn calls_a_server(verb: &clap::Command) -> bool {
    verb.get_arguments().any(|arg| arg.get_env().is_some_and(|name| name == API_TOKEN))
}

/// Has every verb that calls a server take what is not given from a profile.
fn filled(command: clap::Command, chosen: &Chosen) -> clap::Command {
    let command = match calls_a_server(&command) {
        true => command.mut_args(|arg| usual(arg, chosen)),
        false => command,
    };
    command.mut_subcommands(|below| filled(below, chosen))
}

fn usual(arg: Arg, Chosen { profile, is_asked_for }: &Chosen) -> Arg {
    let value = match arg.get_long() {
        Some("server") => Some(profile.server.clone()),
        Some("token") => profile.token.clone(),
        Some("ca-file") => profile.ca_file.as_ref().map(|file| file.display().to_string()),
        Some("insecure-http") => profile.insecure_http.then(|| "true".to_owned()),
        Some("as-tenant") => profile.tenant.clone(),
        _ => None,
    };
    let Some(value) = value else { return arg };
    let arg = if *is_asked_for { arg.env(None::<&'static str>) } else { arg };
    arg.default_value(value).hide_default_value(true)
}

//! What each command does, one file each.

mod artifacts;
mod audit;
mod background;
mod baselines;
mod changes;
#[cfg(unix)]
mod chaos;
mod config;
mod container;
mod credentials;
mod dev;
mod doctor;
mod explain;
mod fleet;
mod flow_import;
mod flow_record;
mod flow_run;
mod flow_validate;
mod flows;
mod follow;
mod jobs;
mod key;
mod log;
mod logout;
mod logs;
mod orchestrate;
mod pools;
mod profile;
mod queue;
mod register;
mod retention;
mod rollout;
mod run;
mod runners;
mod runs;
mod scheduled;
mod server;
mod service;
mod shell;
mod submit;
mod waiting;
mod webhooks;

use crate::{
    args::{Command, ContainerCommand, FleetCommand, FlowCommand, KeyCommand, OutputArgs, RegionsCommand},
    exit::Exit,
    output::OutputDirectory,
    report::Report,
    table, terminal,
};
use anyhow::Result;
use runners_otel::Telemetry;

/// Does what was asked.
pub(crate) async fn execute(command: Command, telemetry: &Telemetry) -> Result<Exit> {
    match command {
        Command::Dev(arguments) => dev::execute(arguments, telemetry).await,
        Command::Server(arguments) => server::execute(arguments, telemetry).await,
        Command::Run(arguments) => run::execute(arguments, telemetry).await,
        Command::Start(arguments) => background::start(*arguments).await,
        Command::Stop(arguments) => background::stop(arguments).await,
        Command::Restart(arguments) => background::restart(*arguments).await,
        Command::Register(arguments) => register::execute(*arguments).await,
        Command::Logout(arguments) => logout::execute(arguments).await,
        Command::Service(command) => service::execute(command),
        Command::Profile(command) => profile::execute(command).await,
        Command::Logs(arguments) => logs::execute(arguments).await,
        Command::Artifacts(command) => artifacts::execute(command).await,
        Command::Status(arguments) => background::status(arguments).await,
        Command::Log(arguments) => log::execute(arguments).await,
        Command::Doctor(arguments) => doctor::execute(arguments).await,
        Command::Completion(arguments) => Ok(shell::completion(&arguments)),
        Command::Man(arguments) => shell::man(&arguments),
        Command::Submit(arguments) => submit::execute(arguments).await,
        Command::Flow(FlowCommand::Run(arguments)) => flow_run::execute(arguments).await,
        Command::Flow(FlowCommand::Record(arguments)) => flow_record::execute(arguments).await,
        Command::Flow(FlowCommand::Validate(arguments)) => Ok(flow_validate::execute(&arguments)),
        Command::Flow(FlowCommand::Import(arguments)) => flow_import::import(&arguments),
        Command::Flow(FlowCommand::Export(arguments)) => flow_import::export(&arguments),
        Command::Flow(FlowCommand::Schema) => {
            terminal::print_json(&runners_exec_webdriver::Flow::schema());
            Ok(Exit::Passed)
        }
        Command::Container(ContainerCommand::Submit(arguments)) => container::submit(*arguments).await,
        Command::Key(KeyCommand::Generate(arguments)) => key::generate(&arguments),
        Command::Regions(RegionsCommand::Orchestrate(arguments)) => orchestrate::execute(*arguments).await,
        Command::Regions(RegionsCommand::RunChecks(arguments)) => orchestrate::run_checks(*arguments).await,
        Command::Regions(RegionsCommand::Config(command)) => Ok(config::config(command)),
        Command::Fleet(command) => manage(command).await,
        Command::Ping(arguments) => jobs::ping(arguments).await,
        Command::Job(arguments) => jobs::show(arguments).await,
        Command::Cancel(arguments) => jobs::cancel(arguments).await,
        #[cfg(unix)]
        Command::Chaos(arguments) => chaos::execute(arguments).await,
    }
}

/// Does what was asked of a fleet.
async fn manage(command: FleetCommand) -> Result<Exit> {
    match command {
        FleetCommand::List(asked) => fleet::list(asked).await,
        FleetCommand::Drain(asked) => runners::drain(asked).await,
        FleetCommand::Resume(asked) => runners::resume(asked).await,
        FleetCommand::Runners(command) => runners::runners(command).await,
        FleetCommand::Runs(command) => runs::runs(command).await,
        FleetCommand::Flows(command) => flows::flows(command).await,
        FleetCommand::Audit(asked) => audit::execute(asked).await,
        FleetCommand::Remove(asked) => fleet::remove(asked).await,
        FleetCommand::Slots(asked) => fleet::slots(asked).await,
        FleetCommand::Rename(asked) => fleet::rename(asked).await,
        FleetCommand::Pools(command) => pools::pools(command).await,
        FleetCommand::Tokens(command) => pools::tokens(command).await,
        FleetCommand::Environments(command) => pools::environments(command).await,
        FleetCommand::Tenants(command) => fleet::tenants(command).await,
        FleetCommand::Rollout(command) => rollout::rollout(command).await,
        FleetCommand::Credentials(command) => credentials::credentials(command).await,
        FleetCommand::Webhooks(command) => webhooks::webhooks(command).await,
        FleetCommand::Retention(command) => retention::retention(command).await,
        FleetCommand::Jobs(command) => queue::jobs(command).await,
        FleetCommand::Explain(asked) => explain::explain(asked).await,
        FleetCommand::Signal(asked) => queue::signal(asked).await,
    }
}

/// Writes the report of flows that were seen through, and shows it.
fn conclude(report: &Report, output: &OutputDirectory, arguments: &OutputArgs) -> Result<Exit> {
    output.finish(report)?;
    if arguments.json {
        terminal::print_json(report);
        return Ok(report.exit());
    }
    table::print(report, arguments.steps);
    for flow in &report.flows {
        for missing in &flow.missing {
            terminal::note(format!("{}: {missing}", flow.name));
        }
    }
    let counts = &report.counts;
    let mut parts = vec![format!("{} passed", counts.passed)];
    if counts.failed > 0 {
        parts.push(format!("{} failed", counts.failed));
    }
    if counts.could_not_run > 0 {
        parts.push(format!("{} could not run", counts.could_not_run));
    }
    let span = terminal::span(std::time::Duration::from_millis(report.duration_ms));
    terminal::print(format!("{} of {} in {span}", parts.join(", "), terminal::count(counts.flows, "flow")));
    let left: usize = report.flows.iter().map(|flow| flow.artifacts.len()).sum();
    let beside =
        if left == 0 { String::new() } else { format!(", {} beside it", terminal::count(left, "artifact")) };
    terminal::print(format!("report: {}{beside}", output.page().display()));
    Ok(report.exit())
}

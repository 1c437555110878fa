//! `runners artifacts`: what a job has left, listed and fetched.

use crate::{
    args::{ArtifactsCommand, GetArtifactsArgs, ListArtifactsArgs},
    connection::Connection,
    exit::Exit,
    output::OutputDirectory,
    table, terminal,
};
use anyhow::{Context as _, Result, bail};
use runners_core::{
    ArtifactKey, ArtifactStore as _, JobId, TenantId,
    protocol::{ArtifactView, JobView},
};
use serde_json::json;

pub(super) async fn execute(command: ArtifactsCommand) -> Result<Exit> {
    match command {
        ArtifactsCommand::List(arguments) => list(arguments).await,
        ArtifactsCommand::Get(arguments) => get(arguments).await,
    }
}

async fn list(arguments: ListArtifactsArgs) -> Result<Exit> {
    let view = inspect(&Connection::new(&arguments.api)?, arguments.job).await?;
    if arguments.json {
        terminal::print_json(&view.artifacts);
        return Ok(Exit::Passed);
    }
    let rows = view.artifacts.iter().map(|artifact| {
        let attempt = view.attempts.iter().find(|attempt| attempt.grant == artifact.grant);
        let attempt = attempt.map_or("running".to_owned(), |attempt| attempt.number.to_string());
        [artifact.name.clone(), attempt, artifact.length.to_string(), artifact.media_type.clone()]
    });
    table::list(["artifact", "attempt", "bytes", "kind"], rows);
    Ok(Exit::Passed)
}

async fn get(arguments: GetArtifactsArgs) -> Result<Exit> {
    let connection = Connection::new(&arguments.api)?;
    let view = inspect(&connection, arguments.job).await?;
    for name in &arguments.names {
        if !view.artifacts.iter().any(|artifact| artifact.name == *name) {
            bail!(
                "{} has left no artifact {name}: `runners artifacts list` shows what it has",
                arguments.job
            );
        }
    }
    let wanted =
        |artifact: &&ArtifactView| arguments.names.is_empty() || arguments.names.contains(&artifact.name);
    let last = view.attempts.last().map(|attempt| attempt.grant);
    let output = OutputDirectory::at(&arguments.output);
    let mut fetched = Vec::new();
    for artifact in view.artifacts.iter().filter(wanted) {
        let earlier = view.attempts.iter().find(|one| one.grant == artifact.grant && Some(one.grant) != last);
        let part = earlier.map(|attempt| format!("attempt-{}", attempt.number));
        // The token says whose artifacts they are; the tenant in the key is not looked at.
        let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: artifact.digest };
        let told = || format!("{} could not be fetched", artifact.name);
        let bytes = connection.artifacts.get(key, None).await.with_context(told)?;
        let written = output.write("", part.as_deref(), &artifact.name, &artifact.media_type, bytes).await;
        let written = written.with_context(told)?;
        if written.sha256 != artifact.digest.to_string() {
            bail!("{} has arrived with other bytes than the runner has sent", artifact.name);
        }
        if !arguments.json {
            terminal::print(format!(
                "{} ({} bytes)",
                arguments.output.join(&written.path).display(),
                written.bytes
            ));
        }
        fetched.push(written);
    }
    if arguments.json {
        terminal::print_json(&json!({ "directory": arguments.output, "artifacts": fetched }));
    } else if fetched.is_empty() {
        terminal::print(format!("{} has left nothing", arguments.job));
    }
    Ok(Exit::Passed)
}

async fn inspect(connection: &Connection, job: JobId) -> Result<JobView> {
    connection.client.inspect(job).await.map_err(|error| connection.explain(error))
}

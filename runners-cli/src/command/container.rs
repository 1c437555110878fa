//! `runners container`: a program becomes a container job, and with `--wait` is seen through.

use super::{scheduled::scheduled, waiting::Waiting};
use crate::{
    args::SubmitContainerArgs, connection::Connection, exit::Exit, interrupts::Interrupts, terminal,
};
use anyhow::{Context as _, Result, bail};
use futures::TryStreamExt as _;
use runners_core::{Clock as _, Conclusion, Followed, JobHandle, JobOptions, SystemClock};
use runners_exec_container::{
    ContainerJob, ContainerResult, Limits, Mount, SecretAs, TestCase, WantedBrowser,
};
use serde_json::json;
use std::{collections::BTreeMap, fs, io::Write as _, path::Path, time::Duration};

/// What the value of a secret begins with that is to be a file.
const AS_FILE: &str = "file:";

pub(super) async fn submit(arguments: SubmitContainerArgs) -> Result<Exit> {
    let job = job(&arguments)?;
    let problems = job.check();
    if !problems.is_empty() {
        for problem in problems.iter() {
            let error = terminal::error_style().apply_to("error:");
            terminal::note(format!("{error} {problem}"));
        }
        return Ok(Exit::CouldNotRun);
    }
    let retry = arguments.retry.policy()?;
    let connection = Connection::signing(&arguments.api, &arguments.sign)?;
    let now = SystemClock::default().wall();
    let mut interrupts = Interrupts::listen()?;
    let words = job.command.iter().chain(&job.args).map(String::as_str).collect::<Vec<_>>().join(" ");
    let image = job.image.as_deref().unwrap_or("container");
    let options = JobOptions {
        pool: arguments.pool.clone(),
        environment: arguments.environment_name.clone(),
        wanted: arguments.labels.iter().cloned().chain(browser_label(&job)).collect(),
        timeout: arguments.timeout,
        retry,
        secrets: job.secret_names(),
        audience: arguments.sign.audience.iter().cloned().collect(),
        not_after: arguments.sign.good_for.map(|span| now + span.0),
        title: JobOptions::title_of(&format!("{image} {words}")),
        ..JobOptions::default()
    };
    let whom = (&connection, &arguments.api);
    let (options, run) = scheduled(&arguments.schedule, whom, options, 1, now).await?;
    let submitted = (job, JobOptions { run, ..options });
    let handle = tokio::select! {
        handle = connection.client.submit(&submitted) => handle.map_err(|error| connection.explain(error))?,
        () = interrupts.next() => return Ok(Exit::CouldNotRun),
    };
    if arguments.wait {
        return see_through(&arguments, &connection, interrupts, &handle).await;
    }
    if arguments.json {
        terminal::print_json(&json!({ "version": 1, "job": handle.id() }));
    } else {
        terminal::print(handle.id().to_string());
    }
    Ok(Exit::Passed)
}

/// What was asked for on the command line.
fn job(arguments: &SubmitContainerArgs) -> Result<ContainerJob> {
    let secrets = arguments.secrets.iter().map(|text| secret(text)).collect();
    Ok(ContainerJob {
        image: arguments.image.clone(),
        command: arguments.entrypoint.iter().cloned().collect(),
        args: arguments.args.clone(),
        environment: arguments.environment.iter().cloned().collect(),
        secrets,
        input: input(&arguments.files)?,
        parameters: arguments.parameters.iter().cloned().collect(),
        mounts: arguments.mounts.iter().map(|text| mount(text)).collect::<Result<_>>()?,
        writable: arguments.writable.iter().cloned().collect(),
        limits: Limits {
            memory_bytes: arguments.memory,
            cpu_millis: arguments.cpus,
            processes: arguments.processes,
            writable_bytes: arguments.writable_size,
            shared_memory_bytes: arguments.shm,
            ..Limits::default()
        },
        network: arguments.network.clone(),
        browser: arguments.browser.clone().map(|name| name.map_or(WantedBrowser::Any, WantedBrowser::Named)),
        user: arguments.user.clone(),
        working_directory: arguments.workdir.clone(),
        output: arguments.output_folder.clone(),
        junit: arguments.junit.clone(),
    })
}

/// The label of runners that have the browser of a job.
fn browser_label(job: &ContainerJob) -> Option<String> {
    Some(match job.browser.as_ref()? {
        WantedBrowser::Any => "container-browser".to_owned(),
        WantedBrowser::Named(name) => format!("container-browser={name}"),
    })
}

/// Reads `NAME`, `NAME=VARIABLE` or `NAME=file:FILE`.
fn secret(text: &str) -> (String, SecretAs) {
    let (name, given) = text.split_once('=').unwrap_or((text, text));
    let given = match given.strip_prefix(AS_FILE) {
        Some(file) => SecretAs::File(file.to_owned()),
        None => SecretAs::Environment(given.to_owned()),
    };
    (name.to_owned(), given)
}

fn mount(text: &str) -> Result<Mount> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, writable) = match parts[..] {
        [source, target] => (source, target, false),
        [source, target, "rw"] => (source, target, true),
        [source, target, "ro"] => (source, target, false),
        _ => bail!("{text:?} is no mount: write SOURCE:TARGET, or SOURCE:TARGET:rw"),
    };
    Ok(Mount { source: source.to_owned(), target: target.to_owned(), writable })
}

/// The texts of files by their names.
fn input(files: &[impl AsRef<Path>]) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for file in files.iter().map(AsRef::as_ref) {
        let told = || format!("could not read {}", file.display());
        let name = file.file_name().and_then(|name| name.to_str()).with_context(told)?;
        let text = fs::read_to_string(file).with_context(told)?;
        if all.insert(name.to_owned(), text).is_some() {
            bail!("there are two files called {name}: give one of them another name");
        }
    }
    Ok(all)
}

async fn see_through(
    arguments: &SubmitContainerArgs,
    connection: &Connection,
    mut interrupts: Interrupts,
    handle: &JobHandle<ContainerResult>,
) -> Result<Exit> {
    let handle: JobHandle<ContainerResult> = connection.patient.job(handle.id());
    if !arguments.json {
        terminal::note(handle.id().to_string());
    }
    let mut following = std::pin::pin!(follow(connection, &handle, arguments.json));
    tokio::select! {
        followed = &mut following => followed?,
        () = interrupts.next() => {
            terminal::note("cancelling; once more leaves it running and ends");
            let cancelled = async {
                handle.cancel().await.map_err(|error| connection.explain(error))?;
                (&mut following).await
            };
            tokio::select! {
                done = cancelled => done?,
                () = interrupts.next() => return Ok(Exit::CouldNotRun),
            }
        }
    }
    conclude(arguments, connection, &handle).await
}

/// Prints what it says, until it has ended; once it waits for a while, also why.
async fn follow(connection: &Connection, handle: &JobHandle<ContainerResult>, is_quiet: bool) -> Result<()> {
    let mut events = std::pin::pin!(handle.follow());
    let mut waiting = Waiting::new(connection, handle.id());
    loop {
        let event = tokio::select! {
            event = events.try_next() => event.map_err(|error| connection.explain(error))?,
            advice = waiting.advised(), if !is_quiet => {
                terminal::note(format!("waiting for a runner: {advice}"));
                continue;
            }
        };
        match event {
            None => return Ok(()),
            Some(Followed::State(state)) => waiting.take(&state),
            Some(Followed::Log { bytes, .. }) if !is_quiet => {
                let mut stdout = std::io::stdout().lock();
                // Nobody may read it any more; how it ends still counts.
                let _ = stdout.write_all(bytes.as_bytes()).and_then(|()| stdout.flush());
            }
            Some(Followed::LogMissing { bytes, .. }) => {
                terminal::note(format!("[{bytes} bytes are missing]"));
            }
            Some(_) => {}
        }
    }
}

async fn conclude(
    arguments: &SubmitContainerArgs,
    connection: &Connection,
    handle: &JobHandle<ContainerResult>,
) -> Result<Exit> {
    let view = handle.wait().await.map_err(|error| connection.explain(error))?;
    let conclusion = view.conclusion().unwrap_or(Conclusion::Errored);
    let result = match conclusion {
        Conclusion::Passed | Conclusion::Flaky | Conclusion::Failed => {
            Some(handle.result().await.map_err(|error| connection.explain(error))?)
        }
        _ => None,
    };
    let fault = view.fault();
    if arguments.json {
        let artifacts: Vec<_> = view.artifacts.iter().map(|artifact| &artifact.name).collect();
        terminal::print_json(&json!({
            "version": 1, "job": handle.id(), "conclusion": conclusion, "result": result, "fault": fault,
            "artifacts": artifacts,
        }));
        return Ok(Exit::of([conclusion]));
    }
    let word = terminal::conclusion_style(conclusion).apply_to(conclusion.words());
    match (&result, fault) {
        (Some(result), _) => {
            let span = terminal::span(Duration::from_millis(result.duration_ms));
            terminal::note(format!("{word}, exit code {} after {span}", result.exit_code));
            tell(result);
        }
        (None, Some(fault)) => terminal::note(format!("{word}: {} ({})", fault.message, fault.code)),
        (None, None) => terminal::note(word.to_string()),
    }
    if !view.artifacts.is_empty() {
        let left = terminal::count(view.artifacts.len(), "artifact");
        terminal::note(format!("{left}: runners artifacts get {}", handle.id()));
    }
    Ok(Exit::of([conclusion]))
}

/// What a result says beside its exit code.
fn tell(result: &ContainerResult) {
    let known_as = result.image_digest.as_ref().unwrap_or(&result.image_id);
    terminal::note(format!("image {}, {known_as}", result.image));
    let Some(tests) = &result.tests else { return };
    let apart = [(tests.failed, "failed"), (tests.errored, "errored"), (tests.skipped, "skipped")];
    let passed = tests.total.saturating_sub(apart.iter().map(|(count, _)| count).sum());
    let mut line = format!("{}: {passed} passed", terminal::count(tests.total, "test"));
    for (count, word) in apart.iter().filter(|(count, _)| *count > 0) {
        line = format!("{line}, {count} {word}");
    }
    terminal::note(line);
    for test in tests.failures() {
        terminal::note(format!("  {}", failure(test)));
    }
}

/// A test that failed, in one line.
fn failure(test: &TestCase) -> String {
    let place = if test.class.is_empty() { String::new() } else { format!("{} › ", test.class) };
    let why = test.message.lines().next().unwrap_or_default();
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    format!("{place}{}{why}", test.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_mounts_are_read_as_they_are_written() {
        assert_eq!(secret("SHOP"), ("SHOP".into(), SecretAs::Environment("SHOP".into())));
        assert_eq!(secret("shop=PASSWORD"), ("shop".into(), SecretAs::Environment("PASSWORD".into())));
        assert_eq!(secret("shop=file:password"), ("shop".into(), SecretAs::File("password".into())));
        let told = |source: &str, target: &str, writable| Mount {
            source: source.to_owned(),
            target: target.to_owned(),
            writable,
        };
        assert_eq!(mount("/a:/b").unwrap(), told("/a", "/b", false));
        assert_eq!(mount("/a:/b:rw").unwrap(), told("/a", "/b", true));
        assert!(mount("/a").is_err() && mount("/a:/b:x").is_err());
    }
}

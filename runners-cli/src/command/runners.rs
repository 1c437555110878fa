//! `runners runners`: one runner in all its parts, those that are made in advance, and what only this
//! group has. The rest is `fleet`.

use super::{
    background, fleet,
    pools::{check_is_new, done, issued, shown},
};
use crate::{
    args::{Asked, CreateRunnerArgs, DrainArgs, ResumeArgs, RunnerArgs, RunnersCommand},
    exit::Exit,
    management::Management,
    terminal,
};
use anyhow::Result;
use serde_json::{Value, json};

pub(super) async fn runners(command: RunnersCommand) -> Result<Exit> {
    match command {
        RunnersCommand::List(asked) => fleet::list(asked).await,
        RunnersCommand::Show(asked) => show(asked).await,
        RunnersCommand::Create(asked) => create(asked).await,
        RunnersCommand::Drain(asked) => drain(asked).await,
        RunnersCommand::Resume(asked) => resume(asked).await,
        RunnersCommand::ShutDown(asked) => tell(asked, "shut-down", "drains, and ends its process").await,
        RunnersCommand::Remove(asked) => fleet::remove(asked).await,
        RunnersCommand::Slots(asked) => fleet::slots(asked).await,
        RunnersCommand::Rename(asked) => fleet::rename(asked).await,
        RunnersCommand::Revoke(asked) => {
            tell(asked, "revoke-credentials", "is known by no credential any more").await
        }
    }
}

/// Drains the runner that is named, or the one of this machine.
pub(super) async fn drain(asked: Asked<DrainArgs>) -> Result<Exit> {
    match &asked.runner {
        Some(_) => fleet::drain(asked).await,
        None => background::drain(&asked.what, asked.fleet.json).await,
    }
}

/// Has the runner that is named serve again, or the one of this machine.
pub(super) async fn resume(asked: Asked<ResumeArgs>) -> Result<Exit> {
    match &asked.runner {
        Some(_) => fleet::resume(asked).await,
        None => background::resume(&asked.what.home, asked.fleet.json).await,
    }
}

async fn tell(asked: Asked<RunnerArgs>, verb: &str, told: &str) -> Result<Exit> {
    let management = Management::new(&asked.fleet)?;
    let runner = management.runner(&asked.runner).await?;
    management.post(&format!("/self-hosted/runners/{runner}/{verb}"), None).await?;
    done(&asked.fleet, &json!({ "runner": runner, "done": verb }), &format!("{} {told}", asked.runner))
}

async fn create(
    Asked { what: CreateRunnerArgs { name, pool, file }, fleet }: Asked<CreateRunnerArgs>,
) -> Result<Exit> {
    check_is_new(file.as_deref())?;
    let management = Management::new(&fleet)?;
    let pool = management.pool(&pool).await?;
    let made =
        management.post(&format!("/self-hosted/pools/{pool}/runners"), Some(json!({ "name": name }))).await?;
    issued(&fleet, made, "token", file.as_deref(), |file| {
        format!("{0} is written: runners run --name {name} --token-file {0}", file.display())
    })
}

async fn show(asked: Asked<RunnerArgs>) -> Result<Exit> {
    let management = Management::new(&asked.fleet)?;
    let runner = management.runner(&asked.runner).await?;
    let mut answer = management.get(&format!("/self-hosted/runners/{runner}")).await?;
    answer["system"] = management.get(&format!("/self-hosted/runners/{runner}/system")).await?;
    shown(&asked.fleet, answer, |answer| {
        for (name, text) in lines(&answer) {
            let faint = console::Style::new().dim().apply_to(format!("{name:<10}"));
            terminal::print(format!("{faint} {text}"));
        }
        Ok(())
    })
}

/// What is known of it, each with its name. What is not known has no line.
fn lines(runner: &Value) -> Vec<(&'static str, String)> {
    let system = &runner["system"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().map(|number| number.to_string()).unwrap_or_default();
    let ago = |value: &Value| value.as_str().map(terminal::ago).unwrap_or_default();
    let list = |value: &Value| {
        let all = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        all.collect::<Vec<_>>().join(", ")
    };
    let browsers = system["browsers"].as_object().into_iter().flatten();
    let browsers: Vec<_> = browsers.map(|(name, version)| format!("{name} {}", text(version))).collect();
    let memory = system["memoryBytes"].as_u64().map(|bytes| format!(", {} MiB", bytes >> 20));
    let machine = [text(&system["os"]), text(&system["kernel"]), text(&system["arch"])].join(" ");
    let cpus = number(&system["cpus"]);
    let cpus = if cpus.is_empty() { cpus } else { format!(", {cpus} CPUs") };
    let all = [
        ("runner", text(&runner["name"])),
        ("id", text(&runner["id"])),
        ("pool", text(&runner["poolId"])),
        ("state", text(&runner["status"]).to_lowercase()),
        ("note", text(&runner["note"])),
        (
            "slots",
            format!("{} of {} free", number(&runner["availableSlots"]), number(&runner["maxConcurrency"])),
        ),
        ("spoke", ago(&runner["lastHeartbeatUtc"])),
        ("made", ago(&runner["createdAtUtc"])),
        ("program", text(&system["program"])),
        ("protocol", number(&system["protocol"])),
        ("machine", format!("{}{cpus}{}", machine.trim(), memory.unwrap_or_default())),
        ("browsers", browsers.join(", ")),
        ("kinds", list(&system["kinds"])),
        ("labels", list(&system["labels"])),
    ];
    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_a_runner_has_no_line() {
        let runner = json!({
            "name": "rack-7", "id": "runner_1", "status": "Offline", "availableSlots": 0, "maxConcurrency": 2,
            "system": { "browsers": { "chromium": "131" }, "labels": ["eu", "gpu"] },
        });
        let lines = lines(&runner);
        let text = |name| lines.iter().find(|(found, _)| *found == name).map(|(_, text)| text.as_str());
        assert_eq!(text("slots"), Some("0 of 2 free"));
        assert_eq!((text("browsers"), text("labels")), (Some("chromium 131"), Some("eu, gpu")));
        assert_eq!((text("note"), text("machine"), text("spoke")), (None, None, None));
    }
}

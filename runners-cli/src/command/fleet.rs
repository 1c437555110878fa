//! `runners list`, `drain`, `resume`, `remove`, `slots`, `rename`, and `tenants`: the runners there
//! are, what is wanted of them, and whose they are.

use super::{
    changes,
    pools::{check_is_new, done, keep, listed, shown},
};
use crate::{
    args::{
        Asked, CreateTenantArgs, DrainArgs, ListRunnersArgs, RemoveArgs, RenameArgs, ResumeArgs, SlotsArgs,
        SlotsLimit, TenantsCommand,
    },
    exit::Exit,
    management::{Management, read},
    size, table, terminal,
};
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;

/// The credential in a new tenant that may do everything.
const FIRST: &str = "first";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Runner {
    id: String,
    name: String,
    status: String,
    max_concurrency: u32,
    available_slots: u32,
    #[serde(rename = "lastHeartbeatUtc")]
    synced_at: Option<String>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    is_drained: bool,
    #[serde(default)]
    is_retiring: bool,
    #[serde(default)]
    held_back_until_utc: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tenant {
    id: String,
    name: String,
    is_suspended: bool,
    artifact_bytes: u64,
    artifact_quota_bytes: Option<u64>,
    created_at_utc: String,
}

pub(super) async fn list(arguments: Asked<ListRunnersArgs>) -> Result<Exit> {
    let management = Management::new(&arguments.fleet)?;
    let mut filters = Vec::new();
    if let Some(pool) = &arguments.pool {
        filters.push(format!("poolId={}", management.pool(pool).await?));
    }
    filters.extend(arguments.state.map(|state| format!("status={}", state.name())));
    let answer = management.get(&format!("/self-hosted/runners?{}", filters.join("&"))).await?;
    let table = |answer| {
        let runners: Vec<Runner> = read(answer)?;
        let rows = runners.into_iter().map(|runner| {
            let free = format!("{} of {}", runner.available_slots, runner.max_concurrency);
            let spoke = runner.synced_at.as_deref().map(terminal::ago).unwrap_or_default();
            let remark = remark(&runner);
            [runner.name, runner.status.to_lowercase(), free, spoke, remark, runner.id]
        });
        table::list(["runner", "state", "free", "spoke", "", "id"], rows);
        Ok(())
    };
    listed(&management, &arguments.fleet, answer, table).await
}

pub(super) async fn drain(arguments: Asked<DrainArgs>) -> Result<Exit> {
    let management = Management::new(&arguments.fleet)?;
    let name = arguments.runner.as_deref().unwrap_or_default();
    let runner = management.runner(name).await?;
    let mut asked = json!({});
    if let Some(note) = &arguments.note {
        asked["note"] = note.as_str().into();
    }
    if let Some(span) = arguments.within {
        asked["withinSeconds"] = span.0.as_secs().into();
    }
    management.post(&format!("/self-hosted/runners/{runner}/drain"), Some(asked)).await?;
    let text = format!("{name} takes nothing new, and finishes what it holds");
    done(&arguments.fleet, &json!({ "draining": runner }), &text)
}

pub(super) async fn resume(arguments: Asked<ResumeArgs>) -> Result<Exit> {
    let management = Management::new(&arguments.fleet)?;
    let name = arguments.runner.as_deref().unwrap_or_default();
    let runner = management.runner(name).await?;
    management.post(&format!("/self-hosted/runners/{runner}/resume"), None).await?;
    done(&arguments.fleet, &json!({ "resumed": runner }), &format!("{name} serves again"))
}

pub(super) async fn remove(arguments: Asked<RemoveArgs>) -> Result<Exit> {
    let management = Management::new(&arguments.fleet)?;
    let runner = management.runner(&arguments.runner).await?;
    let within = arguments.within.map(|span| format!("&withinSeconds={}", span.0.as_secs()));
    let query = format!("force={}{}", arguments.force, within.unwrap_or_default());
    management.delete(&format!("/self-hosted/runners/{runner}?{query}")).await?;
    let how = if arguments.force { "is removed" } else { "drains, and is removed then" };
    let answer = json!({ "removed": runner, "force": arguments.force });
    done(&arguments.fleet, &answer, &format!("{} {how}", arguments.runner))
}

pub(super) async fn slots(arguments: Asked<SlotsArgs>) -> Result<Exit> {
    let management = Management::new(&arguments.fleet)?;
    let runner = management.runner(&arguments.runner).await?;
    let SlotsLimit(limit) = arguments.slots;
    let changed =
        management.patch(&format!("/self-hosted/runners/{runner}"), json!({ "slots": limit })).await?;
    let limit = limit.map_or("as many jobs at once as it was started with".to_owned(), |limit| {
        format!("{} at once at most", terminal::count(limit as usize, "job"))
    });
    done(&arguments.fleet, &changed, &format!("{} executes {limit}", arguments.runner))
}

pub(super) async fn rename(arguments: Asked<RenameArgs>) -> Result<Exit> {
    let management = Management::new(&arguments.fleet)?;
    let runner = management.runner(&arguments.runner).await?;
    let asked = json!({ "name": arguments.name });
    let changed = management.patch(&format!("/self-hosted/runners/{runner}"), asked).await?;
    done(&arguments.fleet, &changed, &format!("{runner} is called {} now", arguments.name))
}

pub(super) async fn tenants(command: TenantsCommand) -> Result<Exit> {
    match command {
        TenantsCommand::List(arguments) => {
            let all = Management::of_operator(&arguments)?.all("/tenants").await?;
            shown(&arguments, all.into(), |answer| {
                let tenants: Vec<Tenant> = read(answer)?;
                let rows = tenants.into_iter().map(|tenant| {
                    let state = if tenant.is_suspended { "suspended" } else { "" };
                    let used = size::rough(tenant.artifact_bytes);
                    let kept = match tenant.artifact_quota_bytes {
                        Some(quota) => format!("{used} of {}", size::rough(quota)),
                        None => used,
                    };
                    let made = terminal::ago(&tenant.created_at_utc);
                    [tenant.name, state.to_owned(), kept, made, tenant.id]
                });
                table::list(["tenant", "", "artifacts", "made", "id"], rows);
                Ok(())
            })
        }
        TenantsCommand::Create(arguments) => create_tenant(arguments).await,
        TenantsCommand::Rename(arguments) => changes::rename_tenant(arguments).await,
        TenantsCommand::Quota(arguments) => changes::set_quota(arguments).await,
        TenantsCommand::Suspend(arguments) => changes::suspend(arguments, true).await,
        TenantsCommand::Reinstate(arguments) => changes::suspend(arguments, false).await,
    }
}

async fn create_tenant(arguments: Asked<CreateTenantArgs>) -> Result<Exit> {
    check_is_new(arguments.credential_file.as_deref())?;
    let management = Management::of_operator(&arguments.fleet)?;
    let mut made = management.post("/tenants", Some(json!({ "name": arguments.name }))).await?;
    let id = made["id"].as_str().context("the server has answered without an id")?.to_owned();
    let Some(file) = &arguments.credential_file else {
        return done(&arguments.fleet, &made, &format!("{} is {id}", arguments.name));
    };
    let scopes = json!({ "name": FIRST, "scopes": ["submit", "read", "admin"] });
    let mut credential = management.within(id.clone()).post("/credentials", Some(scopes)).await?;
    keep(file, &mut credential, "token")?;
    made["credential"] = credential;
    let text = format!("{} is {id}; {} may do everything in it", arguments.name, file.display());
    done(&arguments.fleet, &made, &text)
}

/// What else is to be said of a runner.
fn remark(runner: &Runner) -> String {
    let mut remarks = Vec::new();
    if let Some(until) = &runner.held_back_until_utc {
        remarks.push(format!("started again and again: held back until {until}"));
    }
    if runner.is_drained {
        remarks.push("drained".to_owned());
    }
    if runner.is_retiring {
        remarks.push("removed once drained".to_owned());
    }
    remarks.extend(runner.note.clone());
    remarks.join(", ")
}

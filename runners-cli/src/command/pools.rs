//! `runners pools`, `tokens` and `environments`: where jobs go, and who is admitted there.

use super::changes;
use crate::{
    args::{
        Asked, CreatePoolArgs, CreateTokenArgs, EnvironmentsCommand, FleetArgs, PoolsCommand,
        SetEnvironmentArgs, TokensCommand,
    },
    exit::Exit,
    management::{Management, read},
    table, terminal, tokens,
};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    id: String,
    name: String,
    is_active: bool,
    cloud_region: Option<String>,
    min_runners: u32,
    max_runners: Option<u32>,
    slots_per_runner: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    id: String,
    name: String,
    uses: u32,
    max_uses: Option<u32>,
    is_revoked: bool,
    expires_at_utc: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Environment {
    name: String,
    execution_target: String,
    runner_pool_id: Option<String>,
}

impl Registration {
    /// Whether a runner can still register with it, and if not, why.
    fn state(&self) -> &'static str {
        if self.is_revoked {
            "revoked"
        } else if self.expires_at_utc.as_deref().is_some_and(terminal::is_past) {
            "expired"
        } else if self.max_uses.is_some_and(|most| self.uses >= most) {
            "used up"
        } else {
            "good"
        }
    }
}

pub(super) async fn pools(command: PoolsCommand) -> Result<Exit> {
    match command {
        PoolsCommand::List(arguments) => {
            let management = Management::new(&arguments)?;
            let answer = management.get("/self-hosted/pools").await?;
            let table = |answer| {
                let pools: Vec<Pool> = read(answer)?;
                let text = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
                let rows = pools.into_iter().map(|pool| {
                    let state = if pool.is_active { "active" } else { "inactive" };
                    let limits = match pool.max_runners {
                        Some(most) => format!("{} to {most}", pool.min_runners),
                        None => format!("{} or more", pool.min_runners),
                    };
                    let region = pool.cloud_region.unwrap_or_default();
                    [pool.name, state.to_owned(), limits, text(pool.slots_per_runner), region, pool.id]
                });
                table::list(["pool", "state", "limits", "slots each", "region", "id"], rows);
                Ok(())
            };
            listed(&management, &arguments, answer, table).await
        }
        PoolsCommand::Create(arguments) => create_pool(arguments).await,
        PoolsCommand::Show(arguments) => changes::show_pool(arguments).await,
        PoolsCommand::Set(arguments) => changes::set_pool(arguments).await,
        PoolsCommand::Delete(arguments) => {
            let management = Management::new(&arguments.fleet)?;
            let pool = management.pool(&arguments.name).await?;
            management.delete(&format!("/self-hosted/pools/{pool}")).await?;
            let leading = leading_to(&management, &pool).await.unwrap_or_default();
            if !leading.is_empty() {
                terminal::note(format!(
                    "these environments led to it, and what is submitted to them is refused until they lead \
                     elsewhere: {}",
                    leading.join(", ")
                ));
            }
            done(&arguments.fleet, &json!({ "deleted": pool }), &format!("{} is deleted", arguments.name))
        }
    }
}

/// The environments that lead to a pool.
async fn leading_to(management: &Management, pool: &str) -> Result<Vec<String>> {
    let all: Vec<Environment> = read(management.all("/environments").await?.into())?;
    let leading = all.into_iter().filter(|one| one.runner_pool_id.as_deref() == Some(pool));
    Ok(leading.map(|one| one.name).collect())
}

async fn create_pool(Asked { what: arguments, fleet }: Asked<CreatePoolArgs>) -> Result<Exit> {
    let mut asked = json!({ "name": arguments.name });
    let mut given = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            asked[key] = value;
        }
    };
    given("description", arguments.description.map(Value::from));
    given("cloudRegion", arguments.region.map(Value::from));
    given("minRunners", arguments.min_runners.map(Value::from));
    given("maxRunners", arguments.max_runners.map(Value::from));
    given("slotsPerRunner", arguments.slots_per_runner.map(Value::from));
    given("image", arguments.image.map(Value::from));
    given("placement", arguments.pack.then(|| "pack".into()));
    given("isShared", arguments.shared.then(|| true.into()));
    let made = Management::new(&fleet)?.post("/self-hosted/pools", Some(asked)).await?;
    let next = "`runners tokens create` makes a token that admits runners to it";
    let text = format!("{} is there: {next}", arguments.name);
    done(&fleet, &made, &text)
}

pub(super) async fn tokens(command: TokensCommand) -> Result<Exit> {
    match command {
        TokensCommand::List(arguments) => {
            let management = Management::new(&arguments.fleet)?;
            let pool = management.pool(&arguments.pool).await?;
            let all = management.all(&format!("/self-hosted/pools/{pool}/registration-tokens")).await?;
            shown(&arguments.fleet, all.into(), |answer| {
                let registrations: Vec<Registration> = read(answer)?;
                let rows = registrations.into_iter().map(|token| {
                    let most = token.max_uses.map_or("any number".to_owned(), |most| most.to_string());
                    let state = token.state();
                    let expires = token.expires_at_utc.as_deref().map(terminal::ahead).unwrap_or_default();
                    [token.name, state.to_owned(), format!("{} of {most}", token.uses), expires, token.id]
                });
                table::list(["name", "state", "used", "expires", "id"], rows);
                Ok(())
            })
        }
        TokensCommand::Create(arguments) => create_token(arguments).await,
        TokensCommand::Revoke(arguments) => {
            let management = Management::new(&arguments.fleet)?;
            let pool = management.pool(&arguments.pool).await?;
            let token = arguments.revoked;
            management.delete(&format!("/self-hosted/pools/{pool}/registration-tokens/{token}")).await?;
            done(&arguments.fleet, &json!({ "revoked": token }), &format!("{token} admits nobody any more"))
        }
    }
}

async fn create_token(arguments: Asked<CreateTokenArgs>) -> Result<Exit> {
    if !arguments.force {
        check_is_new(arguments.file.as_deref())?;
    }
    let management = Management::new(&arguments.fleet)?;
    let pool = management.pool(&arguments.pool).await?;
    let mut asked = json!({ "maxUses": arguments.uses.unwrap_or(1) });
    if let Some(name) = &arguments.name {
        asked["name"] = name.as_str().into();
    }
    if let Some(span) = arguments.expires_in {
        asked["expiresInSeconds"] = span.0.as_secs().into();
    }
    let made =
        management.post(&format!("/self-hosted/pools/{pool}/registration-tokens"), Some(asked)).await?;
    if !arguments.fleet.json {
        terminal::note(good_for(&read(made.clone())?));
    }
    issued(&arguments.fleet, made, "token", arguments.file.as_deref(), |file| {
        format!("{} is written: runners run --token-file {0}", file.display())
    })
}

/// For how many runners a token is, and until when.
fn good_for(token: &Registration) -> String {
    let most = token
        .max_uses
        .map_or("any number of runners".to_owned(), |most| terminal::count(most as usize, "runner"));
    match &token.expires_at_utc {
        Some(until) => format!("good for {most}, until {until}"),
        None => format!("good for {most}"),
    }
}

pub(super) async fn environments(command: EnvironmentsCommand) -> Result<Exit> {
    match command {
        EnvironmentsCommand::List(arguments) => {
            let all = Management::new(&arguments)?.all("/environments").await?;
            shown(&arguments, all.into(), |answer| {
                let environments: Vec<Environment> = read(answer)?;
                let rows = environments
                    .into_iter()
                    .map(|one| [one.name, one.execution_target, one.runner_pool_id.unwrap_or_default()]);
                table::list(["environment", "leads to", "pool"], rows);
                Ok(())
            })
        }
        EnvironmentsCommand::Set(arguments) => set_environment(arguments).await,
        EnvironmentsCommand::Delete(arguments) => {
            let name = &arguments.name;
            Management::new(&arguments.fleet)?.delete(&format!("/environments/{}", segment(name))).await?;
            done(&arguments.fleet, &json!({ "deleted": name }), &format!("{name} is deleted"))
        }
    }
}

async fn set_environment(arguments: Asked<SetEnvironmentArgs>) -> Result<Exit> {
    let management = Management::new(&arguments.fleet)?;
    let (asked, leads) = match &arguments.pool {
        Some(pool) => {
            let id = management.pool(pool).await?;
            (json!({ "executionTarget": "self_hosted", "runnerPoolId": id }), pool.as_str())
        }
        None => (json!({ "executionTarget": "cloud_managed" }), "the operator's runners"),
    };
    let name = &arguments.name;
    let set = management.put(&format!("/environments/{}", segment(name)), asked).await?;
    done(&arguments.fleet, &set, &format!("{name} leads to {leads} from now on"))
}

/// Shows an answer: as it is for machines, or as a table.
pub(super) fn shown(
    arguments: &FleetArgs,
    answer: Value,
    table: impl FnOnce(Value) -> Result<()>,
) -> Result<Exit> {
    if arguments.json {
        terminal::print_json(&answer);
    } else {
        table(answer)?;
    }
    Ok(Exit::Passed)
}

/// Shows a list, or what it is the list of in a page. The operator is told of an empty one how to see that of a
/// tenant.
pub(super) async fn listed(
    management: &Management,
    arguments: &FleetArgs,
    answer: Value,
    table: impl FnOnce(Value) -> Result<()>,
) -> Result<Exit> {
    let items = answer.as_array().or_else(|| answer["items"].as_array());
    if !arguments.json && items.is_some_and(Vec::is_empty) && management.is_beside_tenants().await {
        terminal::print("none of the operator's own; --as-tenant NAME looks into a tenant");
        return Ok(Exit::Passed);
    }
    shown(arguments, answer, table)
}

/// Says what was done.
pub(super) fn done(arguments: &FleetArgs, answer: &Value, text: &str) -> Result<Exit> {
    if arguments.json {
        terminal::print_json(answer);
    } else {
        terminal::print(text);
    }
    Ok(Exit::Passed)
}

/// Shows what was made together with a secret, once: in `file` if there is one, or else itself.
pub(super) fn issued(
    arguments: &FleetArgs,
    mut made: Value,
    member: &str,
    file: Option<&Path>,
    written: impl FnOnce(&Path) -> String,
) -> Result<Exit> {
    match file {
        Some(file) => {
            keep(file, &mut made, member)?;
            done(arguments, &made, &written(file))
        }
        None => {
            let secret = made[member].as_str().unwrap_or_default().to_owned();
            done(arguments, &made, &secret)
        }
    }
}

/// Refuses a file for a new secret that is there: what it holds may be good still, and be known nowhere else.
pub(super) fn check_is_new(file: Option<&Path>) -> Result<()> {
    match file {
        Some(file) if file.symlink_metadata().is_ok() => {
            bail!(
                "{} is there already, and what it holds may be good still: remove it, or name another file",
                file.display()
            )
        }
        _ => Ok(()),
    }
}

/// Moves the secret of an answer into a file that only its owner can read.
pub(super) fn keep(file: &Path, made: &mut Value, member: &str) -> Result<()> {
    let secret = made[member].take();
    let secret = secret.as_str().with_context(|| format!("the server has answered without a {member}"))?;
    made[format!("{member}File")] = file.display().to_string().into();
    tokens::write_private(file, secret)
        .with_context(|| format!("could not write {}: the {member} is lost, revoke it", file.display()))
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        assert_eq!(segment("pre-prod"), "pre-prod");
        assert_eq!(segment("a/../b?c é"), "a%2F..%2Fb%3Fc%20%C3%A9");
    }
}

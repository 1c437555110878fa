//! `runners pools show` and `set`, `tenants rename`, `suspend` and `reinstate`: one thing, looked at or
//! changed.

use super::pools::{done, shown};
use crate::{
    args::{Asked, FleetArgs, NamedArgs, Placement, QuotaArgs, RenameTenantArgs, SetPoolArgs, YesNo},
    exit::Exit,
    management::Management,
    terminal,
};
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

/// What the API calls a member, and what people do.
const POOL: [(&str, &str); 10] = [
    ("name", "pool"),
    ("id", "id"),
    ("description", "for"),
    ("isActive", "active"),
    ("isShared", "shared"),
    ("cloudRegion", "region"),
    ("minRunners", "at least"),
    ("maxRunners", "at most"),
    ("slotsPerRunner", "slots each"),
    ("placement", "placement"),
];

pub(super) async fn show_pool(Asked { what: NamedArgs { name }, fleet }: Asked<NamedArgs>) -> Result<Exit> {
    let management = Management::new(&fleet)?;
    let pool = management.pool(&name).await?;
    let answer = management.get(&format!("/self-hosted/pools/{pool}")).await?;
    shown(&fleet, answer, |answer| {
        for (member, title) in POOL {
            let text = match &answer[member] {
                Value::Null => continue,
                Value::String(text) if text.is_empty() => continue,
                Value::String(text) => text.clone(),
                Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
                value => value.to_string(),
            };
            let faint = console::Style::new().dim().apply_to(format!("{title:<11}"));
            terminal::print(format!("{faint} {text}"));
        }
        Ok(())
    })
}

pub(super) async fn set_pool(Asked { what: arguments, fleet }: Asked<SetPoolArgs>) -> Result<Exit> {
    let asked = changes(&arguments);
    if asked.is_empty() {
        bail!("nothing is to change: give --name, --max-runners or another of `runners pools set --help`");
    }
    let management = Management::new(&fleet)?;
    let pool = management.pool(&arguments.pool).await?;
    let changed = management.patch(&format!("/self-hosted/pools/{pool}"), asked.into()).await?;
    done(&fleet, &changed, &format!("{} is changed", arguments.pool))
}

fn changes(arguments: &SetPoolArgs) -> Map<String, Value> {
    let mut asked = Map::new();
    let mut given = |member: &str, value: Option<Value>| {
        asked.extend(value.map(|value| (member.to_owned(), value)));
    };
    given("name", arguments.name.clone().map(Value::from));
    given("description", arguments.description.clone().map(Value::from));
    given("cloudRegion", arguments.region.clone().map(Value::from));
    given("isActive", arguments.active.map(|active| Value::from(active == YesNo::Yes)));
    given("minRunners", arguments.min_runners.map(Value::from));
    given("maxRunners", arguments.max_runners.map(|most| Value::from(most.0)));
    given("slotsPerRunner", arguments.slots_per_runner.map(|most| Value::from(most.0)));
    given("image", arguments.image.clone().map(Value::from));
    let placement = arguments.placement.map(|placement| match placement {
        Placement::Spread => Value::from("spread"),
        Placement::Pack => Value::from("pack"),
    });
    given("placement", placement);
    asked
}

pub(super) async fn rename_tenant(Asked { what, fleet }: Asked<RenameTenantArgs>) -> Result<Exit> {
    let text = format!("{} is called {} now", what.tenant, what.name);
    change_tenant(&what.tenant, &json!({ "name": what.name }), &text, &fleet).await
}

/// Says how many bytes the artifacts of a tenant may have.
pub(super) async fn set_quota(Asked { what, fleet }: Asked<QuotaArgs>) -> Result<Exit> {
    let text = match what.quota.0 {
        Some(size) => format!("{} may keep artifacts of {size} now", what.tenant),
        None => format!("{} may keep as many artifacts as any other tenant", what.tenant),
    };
    let bytes = what.quota.0.map(|size| size.0);
    change_tenant(&what.tenant, &json!({ "artifactQuotaBytes": bytes }), &text, &fleet).await
}

/// Has a tenant be granted nothing more, or again.
pub(super) async fn suspend(
    Asked { what: NamedArgs { name }, fleet }: Asked<NamedArgs>,
    is_suspended: bool,
) -> Result<Exit> {
    let text = if is_suspended { "is suspended" } else { "is not suspended any more" };
    change_tenant(&name, &json!({ "isSuspended": is_suspended }), &format!("{name} {text}"), &fleet).await
}

async fn change_tenant(name: &str, asked: &Value, text: &str, fleet: &FleetArgs) -> Result<Exit> {
    let management = Management::of_operator(fleet)?;
    let tenant = management.tenant(name).await?;
    let changed = management.patch(&format!("/tenants/{tenant}"), asked.clone()).await?;
    done(fleet, &changed, text)
}

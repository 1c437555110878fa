//! `runners rollout`: what is rolled out to which tenants, as the operator says.

use super::pools::shown;
use crate::{
    args::{Asked, FleetArgs, ResetRolloutArgs, RolloutCommand, RolloutFeature, SetRolloutArgs, Switch},
    exit::Exit,
    management::{Management, read},
    table,
};
use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rules {
    self_hosted_runners: RolledOut,
    self_hosted_relay: RolledOut,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RolledOut {
    is_enabled: bool,
    tenants: Vec<String>,
    is_set: bool,
}

pub(super) async fn rollout(command: RolloutCommand) -> Result<Exit> {
    match command {
        RolloutCommand::Show(arguments) => {
            let rules = Management::of_operator(&arguments)?.get("/rollout/rules").await?;
            show(&arguments, rules)
        }
        RolloutCommand::Set(Asked { what, fleet }) => set(what, &fleet).await,
        RolloutCommand::Reset(Asked { what: ResetRolloutArgs { feature }, fleet }) => {
            let management = Management::of_operator(&fleet)?;
            change(&management, &fleet, feature, Value::Null).await
        }
    }
}

async fn set(asked: SetRolloutArgs, fleet: &FleetArgs) -> Result<Exit> {
    if asked.switch == Switch::Off && !asked.tenants.is_empty() {
        bail!(
            "--to goes with on: off switches it off for everybody; to take it from some, name those that keep it, \
             with on and --to"
        );
    }
    let management = Management::of_operator(fleet)?;
    let mut tenants = Vec::new();
    for tenant in &asked.tenants {
        tenants.push(management.tenant(tenant).await?);
    }
    let rolled_out = json!({ "isEnabled": asked.switch == Switch::On, "tenants": tenants });
    change(&management, fleet, asked.feature, rolled_out).await
}

/// Says one thing, and leaves the other as it is.
async fn change(
    management: &Management,
    fleet: &FleetArgs,
    feature: RolloutFeature,
    rolled_out: Value,
) -> Result<Exit> {
    let rules = management.get("/rollout/rules").await?;
    let said = |member: &str| match rules[member]["isSet"].as_bool() {
        Some(true) if rules[member]["isEnabled"] == false => json!({ "isEnabled": false }),
        Some(true) => {
            json!({ "isEnabled": rules[member]["isEnabled"], "tenants": rules[member]["tenants"] })
        }
        _ => Value::Null,
    };
    let member = match feature {
        RolloutFeature::SelfHosted => "selfHostedRunners",
        RolloutFeature::Relay => "selfHostedRelay",
    };
    let mut asked = json!({
        "selfHostedRunners": said("selfHostedRunners"), "selfHostedRelay": said("selfHostedRelay"),
    });
    asked[member] = rolled_out;
    let rules = management.put("/rollout/rules", asked).await?;
    show(fleet, rules)
}

fn show(arguments: &FleetArgs, rules: Value) -> Result<Exit> {
    shown(arguments, rules, |rules| {
        let Rules { self_hosted_runners, self_hosted_relay } = read(rules)?;
        let rows = [("self-hosted", self_hosted_runners), ("relay", self_hosted_relay)];
        let rows = rows.map(|(name, rule)| {
            let to = match (rule.is_enabled, rule.tenants.is_empty()) {
                (false, _) => "nobody".to_owned(),
                (true, true) => "everybody".to_owned(),
                (true, false) => rule.tenants.join(", "),
            };
            let by = if rule.is_set { "the operator" } else { "the server's settings" };
            [name.to_owned(), to, by.to_owned()]
        });
        table::list(["what", "is rolled out to", "as said by"], rows);
        Ok(())
    })
}

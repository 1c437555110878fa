//! `runners webhooks`: where events are posted to, and what could not be.

use super::pools::{check_is_new, done, issued, shown};
use crate::{
    args::{Asked, CreateWebhookArgs, DeliveriesArgs, RotateSecretArgs, SecretArgs, WebhooksCommand},
    exit::Exit,
    management::{Management, read},
    table, terminal,
};
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{fs, path::Path};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    id: String,
    url: String,
    events: Vec<String>,
    created_at_utc: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    id: String,
    event: Value,
    tries: u32,
    next_at_utc: Option<String>,
    problem: Option<String>,
}

pub(super) async fn webhooks(command: WebhooksCommand) -> Result<Exit> {
    match command {
        WebhooksCommand::List(arguments) => {
            let all = Management::new(&arguments)?.all("/webhooks").await?;
            shown(&arguments, all.into(), |answer| {
                let webhooks: Vec<Webhook> = read(answer)?;
                let rows = webhooks.into_iter().map(|one| {
                    let events = if one.events.is_empty() { "all".to_owned() } else { one.events.join(", ") };
                    [one.url, events, terminal::ago(&one.created_at_utc), one.id]
                });
                table::list(["webhook", "is told of", "made", "id"], rows);
                Ok(())
            })
        }
        WebhooksCommand::Create(asked) => create(asked).await,
        WebhooksCommand::RotateSecret(asked) => rotate_secret(asked).await,
        WebhooksCommand::Delete(asked) => {
            let webhook = asked.webhook;
            Management::new(&asked.fleet)?.delete(&format!("/webhooks/{webhook}")).await?;
            done(&asked.fleet, &json!({ "deleted": webhook }), &format!("{webhook} is deleted"))
        }
        WebhooksCommand::Deliveries(asked) => deliveries(asked).await,
        WebhooksCommand::Redeliver(asked) => {
            let delivery = asked.delivery;
            let path = format!("/webhook-deliveries/{delivery}/redeliver");
            Management::new(&asked.fleet)?.post(&path, None).await?;
            done(&asked.fleet, &json!({ "redelivered": delivery }), &format!("{delivery} is tried anew"))
        }
    }
}

async fn create(asked: Asked<CreateWebhookArgs>) -> Result<Exit> {
    check_is_new(asked.secret.file.as_deref())?;
    let mut body = json!({ "url": asked.url, "events": asked.events });
    given(&asked.secret, &mut body)?;
    let made = Management::new(&asked.fleet)?.post("/webhooks", Some(body)).await?;
    issued(&asked.fleet, made, "secret", asked.secret.file.as_deref(), written)
}

async fn rotate_secret(asked: Asked<RotateSecretArgs>) -> Result<Exit> {
    let mut body = json!({});
    given(&asked.secret, &mut body)?;
    let path = format!("/webhooks/{}/rotate-secret", asked.webhook.webhook);
    let made = Management::new(&asked.fleet)?.post(&path, Some(body)).await?;
    issued(&asked.fleet, made, "secret", asked.secret.file.as_deref(), written)
}

async fn deliveries(asked: Asked<DeliveriesArgs>) -> Result<Exit> {
    let state = if asked.given_up { "given_up" } else { "waiting" };
    let management = Management::new(&asked.fleet)?;
    let in_state = async |state| management.all(&format!("/webhook-deliveries?state={state}")).await;
    let all = in_state(state).await?;
    // Who looks for what has failed is not to find nothing.
    let given_up = if all.is_empty() && !asked.given_up { in_state("given_up").await?.len() } else { 0 };
    shown(&asked.fleet, all.into(), |answer| {
        let deliveries: Vec<Delivery> = read(answer)?;
        if given_up > 0 {
            let were = if given_up == 1 {
                "one was given up".to_owned()
            } else {
                format!("{given_up} were given up")
            };
            terminal::print(format!("none waits; {were}: --given-up lists them, with why"));
            return Ok(());
        }
        let rows = deliveries.into_iter().map(|one| {
            let event = one.event["event"].as_str().unwrap_or_default().to_owned();
            let next = one.next_at_utc.as_deref().map_or("given up".to_owned(), terminal::ahead);
            let problem = one.problem.unwrap_or_default();
            [one.id, event, one.tries.to_string(), next, problem]
        });
        // An id that is broken into lines cannot be copied: whose event it is tells --json.
        table::list(["delivery", "event", "tries", "next", "problem"], rows);
        Ok(())
    })
}

/// Puts the secret that is given into what is asked.
fn given(secret: &SecretArgs, body: &mut Value) -> Result<()> {
    if let Some(file) = &secret.secret_file {
        let text = fs::read_to_string(file)
            .with_context(|| format!("could not read --secret-file {}", file.display()))?;
        body["secret"] = text.trim_end().into();
    }
    Ok(())
}

fn written(file: &Path) -> String {
    format!("{} is written: whoever is called checks Runners-Signature with it", file.display())
}

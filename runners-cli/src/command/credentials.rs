//! `runners credentials`: what the API is called with.

use super::pools::{check_is_new, done, issued, shown};
use crate::{
    args::{Asked, CreateCredentialArgs, CredentialsCommand},
    exit::Exit,
    management::{Management, read},
    table, terminal,
};
use anyhow::Result;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    id: String,
    name: String,
    scopes: Vec<String>,
    is_revoked: bool,
    created_at_utc: String,
    expires_at_utc: Option<String>,
}

pub(super) async fn credentials(command: CredentialsCommand) -> Result<Exit> {
    match command {
        CredentialsCommand::List(arguments) => {
            let all = Management::new(&arguments)?.all("/credentials").await?;
            shown(&arguments, all.into(), |answer| {
                let credentials: Vec<Credential> = read(answer)?;
                let rows = credentials.into_iter().map(|one| {
                    let state = if one.is_revoked { "revoked" } else { "" };
                    let expires = one.expires_at_utc.as_deref().map_or("never".to_owned(), terminal::ahead);
                    [
                        one.name,
                        one.scopes.join(", "),
                        terminal::ago(&one.created_at_utc),
                        expires,
                        state.to_owned(),
                        one.id,
                    ]
                });
                table::list(["credential", "may", "made", "expires", "", "id"], rows);
                Ok(())
            })
        }
        CredentialsCommand::Create(asked) => create(asked).await,
        CredentialsCommand::Revoke(asked) => {
            let credential = asked.revoked;
            Management::new(&asked.fleet)?.delete(&format!("/credentials/{credential}")).await?;
            done(
                &asked.fleet,
                &json!({ "revoked": credential }),
                &format!("{credential} is good for nothing"),
            )
        }
    }
}

async fn create(asked: Asked<CreateCredentialArgs>) -> Result<Exit> {
    check_is_new(asked.file.as_deref())?;
    let names = asked.scopes.iter().filter_map(clap::ValueEnum::to_possible_value);
    let scopes: Vec<String> = names.map(|name| name.get_name().to_owned()).collect();
    let mut body = json!({ "name": asked.name, "scopes": scopes });
    if let Some(span) = asked.expires_in {
        body["expiresInSeconds"] = span.0.as_secs().into();
    }
    let made = Management::new(&asked.fleet)?.post("/credentials", Some(body)).await?;
    issued(&asked.fleet, made, "token", asked.file.as_deref(), |file| {
        format!("{} is written: give it with --token-file, or as RUNNERS_API_TOKEN", file.display())
    })
}

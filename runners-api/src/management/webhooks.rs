//! Webhooks: where a tenant is told of events, and the deliveries that did not succeed.

use super::{
    caller::Caller,
    page::{Page, PageQuery, Paged, paging},
    write::Write,
};
use crate::wire::{
    json::{Asked, Json},
    path::{Path, Query},
    problem::Problem,
    text, time,
};
use http::StatusCode;
use runners_core::{
    DeliveryId, DeliveryView, NewWebhook as MadeWebhook, Secret, Timestamp, WebhookId, WebhookSpec,
    WebhookView,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeSet, fmt};

/// A webhook. Its secret is not shown.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Webhook {
    #[schema(value_type = text::Webhook)]
    id: WebhookId,
    /// The address that events are posted to.
    url: String,
    /// The names of the events that it is told of; all of them if there are none.
    events: BTreeSet<String>,
    #[serde(rename = "createdAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    made_at: Timestamp,
}

/// What a webhook is to be.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhook {
    /// The address, by HTTPS or HTTP, without a user or password.
    #[schema(min_length = 8, max_length = 2048)]
    url: String,
    /// The names of the events to be told of, such as `concluded`; all of them if there are none.
    #[serde(default)]
    events: BTreeSet<String>,
    /// What every call is signed with. One is made unless it is given.
    #[schema(min_length = 16, max_length = 256)]
    secret: Option<String>,
}

impl Asked for NewWebhook {}

impl fmt::Debug for NewWebhook {
    /// Nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewWebhook").field("events", &self.events).finish_non_exhaustive()
    }
}

/// The secret that takes the place of another.
#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSecret {
    /// What every call is signed with from now on. One is made unless it is given.
    #[schema(min_length = 16, max_length = 256)]
    secret: Option<String>,
}

impl Asked for NewSecret {
    const OPTIONAL: bool = true;
}

impl fmt::Debug for NewSecret {
    /// Nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSecret").finish_non_exhaustive()
    }
}

/// A webhook that was just made, or given another secret.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IssuedWebhook {
    /// What every call is signed with. Nobody can show it again: it is `null` where a repeat is
    /// answered.
    #[schema(examples("whsec_…"))]
    secret: Option<String>,
    #[serde(flatten)]
    webhook: Webhook,
}

impl fmt::Debug for IssuedWebhook {
    /// Nothing of the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedWebhook").field("webhook", &self.webhook).finish_non_exhaustive()
    }
}

/// A call to a webhook that did not succeed, or not yet. One that did is forgotten.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    /// Names it, in every try.
    #[schema(value_type = text::Delivery)]
    id: DeliveryId,
    #[schema(value_type = text::Webhook)]
    webhook_id: WebhookId,
    /// What it tells.
    #[schema(value_type = Object)]
    event: Value,
    /// How often it was tried.
    tries: u32,
    /// When it is tried next; never, if it was given up.
    #[serde(rename = "nextAtUtc", with = "time::optional")]
    #[schema(value_type = Option<text::Time>)]
    next_at: Option<Timestamp>,
    /// What went wrong the last time.
    problem: Option<String>,
}

/// Which deliveries are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    /// Those that are tried again by themselves.
    #[default]
    Waiting,
    /// Those that were given up, for a week.
    GivenUp,
}

/// Which deliveries are listed.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesQuery {
    /// Those that wait unless said otherwise.
    #[serde(default)]
    #[param(inline)]
    state: DeliveryState,
    /// Where the page begins: what the page before named as its `next`.
    #[param(max_length = 400)]
    after: Option<String>,
    /// How many there are at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Makes a webhook.
///
/// From now on every event that it asks for is posted to its address as JSON, each by itself, until
/// it is answered with a code from 200 to 299, for a day at most. The header `Runners-Signature`
/// proves who calls. The secret is in the answer, and is never shown again.
#[utoipa::path(post, path = "/webhooks", tag = "Webhooks", request_body = NewWebhook,
    responses((status = 201, description = "The webhook.", body = IssuedWebhook)))]
pub(super) async fn create_webhook(
    Write { caller, asked, .. }: Write<NewWebhook>,
) -> Result<(StatusCode, Json<IssuedWebhook>), Problem> {
    let NewWebhook { url, events, secret } = asked;
    let made = caller.management.create_webhook(WebhookSpec { url, events }, secret.map(Secret::from_text));
    Ok((StatusCode::CREATED, Json(made.await?.into())))
}

/// Lists the webhooks, oldest first.
#[utoipa::path(get, path = "/webhooks", tag = "Webhooks", params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<Webhook>)))]
pub(super) async fn list_webhooks(
    caller: Caller,
    Paged(paging): Paged,
) -> Result<Json<Page<Webhook>>, Problem> {
    Ok(caller.management.webhooks(&paging).await?.into())
}

/// Shows a webhook.
#[utoipa::path(get, path = "/webhooks/{id}", tag = "Webhooks",
    params(("id" = inline(text::Webhook), Path, description = "The webhook.")),
    responses((status = 200, description = "The webhook.", body = Webhook)))]
pub(super) async fn get_webhook(
    caller: Caller,
    Path(webhook): Path<WebhookId>,
) -> Result<Json<Webhook>, Problem> {
    Ok(Json(caller.management.webhook(webhook).await?.into()))
}

/// Deletes a webhook, and what it has not been told.
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "Webhooks",
    params(("id" = inline(text::Webhook), Path, description = "The webhook.")),
    responses((status = 204, description = "It is deleted.")))]
pub(super) async fn delete_webhook(
    caller: Caller,
    Path(webhook): Path<WebhookId>,
) -> Result<StatusCode, Problem> {
    caller.management.delete_webhook(webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the secret of a webhook.
///
/// Every call from now on is signed with the new one, also those that are tried again. Give one
/// that the receiver takes already, and it refuses nothing meanwhile.
#[utoipa::path(post, path = "/webhooks/{id}/rotate-secret", tag = "Webhooks", request_body = Option<NewSecret>,
    params(("id" = inline(text::Webhook), Path, description = "The webhook.")),
    responses((status = 200, description = "The webhook, and its new secret.", body = IssuedWebhook)))]
pub(super) async fn rotate_webhook_secret(
    Path(webhook): Path<WebhookId>,
    Write { caller, asked, .. }: Write<NewSecret>,
) -> Result<Json<IssuedWebhook>, Problem> {
    let secret = asked.secret.map(Secret::from_text);
    Ok(Json(caller.management.rotate_webhook_secret(webhook, secret).await?.into()))
}

/// Lists the deliveries that did not succeed, oldest first.
#[utoipa::path(get, path = "/webhook-deliveries", tag = "Webhooks", params(DeliveriesQuery),
    responses((status = 200, description = "A page of them.", body = Page<Delivery>)))]
pub(super) async fn list_deliveries(
    caller: Caller,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<Page<Delivery>>, Problem> {
    let paging = paging(query.after.as_deref(), query.limit)?;
    let listing = caller.management.deliveries(query.state == DeliveryState::GivenUp, &paging).await?;
    Ok(listing.into())
}

/// Tries a delivery anew, from its first try on.
#[utoipa::path(post, path = "/webhook-deliveries/{id}/redeliver", tag = "Webhooks",
    params(("id" = inline(text::Delivery), Path, description = "The delivery.")),
    responses((status = 202, description = "It is tried.")))]
pub(super) async fn redeliver(
    caller: Caller,
    Path(delivery): Path<DeliveryId>,
) -> Result<StatusCode, Problem> {
    caller.management.redeliver(delivery).await?;
    Ok(StatusCode::ACCEPTED)
}

impl From<WebhookView> for Webhook {
    fn from(webhook: WebhookView) -> Self {
        let WebhookSpec { url, events } = webhook.spec;
        Self { id: webhook.id, url, events, made_at: webhook.made_at }
    }
}

impl From<MadeWebhook> for IssuedWebhook {
    fn from(made: MadeWebhook) -> Self {
        let secret = made.secret.map(|secret| secret.expose().to_owned());
        Self { secret, webhook: made.webhook.into() }
    }
}

impl From<DeliveryView> for Delivery {
    fn from(delivery: DeliveryView) -> Self {
        Self {
            id: delivery.id,
            webhook_id: delivery.webhook,
            event: serde_json::to_value(&delivery.event).expect("invariant: events are plain data"),
            tries: delivery.tries,
            next_at: delivery.next_at,
            problem: delivery.problem,
        }
    }
}

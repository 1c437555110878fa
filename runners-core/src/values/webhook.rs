//! Webhooks: where a tenant is told of events, and how who is told can check that it was us.

use crate::values::{
    digest::Digest,
    event::Event,
    id::{DeliveryId, WebhookId},
    secret::Secret,
    time::Timestamp,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::{collections::BTreeSet, time::Duration};

/// Where a tenant wants to be told of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "faces of other protocols build it")]
pub struct WebhookSpec {
    /// The address, `https://…` or `http://…`, without a user or password.
    pub url: String,
    /// The [names](crate::Happening::NAMES) of the events to be told of; all of them if there are
    /// none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub events: BTreeSet<String>,
}

impl WebhookSpec {
    /// The longest address.
    pub const URL_BYTES_MAX: usize = 2048;
    /// How many webhooks a tenant may have.
    pub const COUNT_MAX: u32 = 20;
}

/// A webhook, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookView {
    /// The webhook.
    pub id: WebhookId,
    /// What was asked for.
    pub spec: WebhookSpec,
    /// When it was made. It is told of what happened since.
    pub made_at: Timestamp,
}

/// A webhook that was just made. Its secret is shown this once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewWebhook {
    /// The webhook.
    pub webhook: WebhookView,
    /// What every call is signed with. It is missing where this answers a
    /// [repeat](crate::Management::repeatable).
    pub secret: Option<Secret>,
}

/// A call to a webhook that did not succeed, or not yet. One that did is forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryView {
    /// Names it, in every try.
    pub id: DeliveryId,
    /// The webhook.
    pub webhook: WebhookId,
    /// What it tells.
    pub event: Event,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next; never, if it was given up.
    pub next_at: Option<Timestamp>,
    /// What went wrong the last time.
    pub problem: Option<String>,
}

/// The header that names a delivery. Whoever is told twice of the same one was told once.
pub const DELIVERY_HEADER: &str = "runners-delivery";
/// The header that tells the name of the event.
pub const EVENT_HEADER: &str = "runners-event";
/// The header that proves who calls: `t=` with the seconds since 1970, `,v1=` with 64 hex digits,
/// the HMAC-SHA256, with the webhook's secret, of the seconds as text, a full stop, and the body.
pub const SIGNATURE_HEADER: &str = "runners-signature";

/// The value of [`SIGNATURE_HEADER`] for a body that is sent at `at`.
#[must_use]
pub fn sign_webhook(secret: &Secret, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_millis() / 1000;
    format!("t={seconds},v1={}", hex::encode(mac(secret, seconds, body).finalize().into_bytes()))
}

/// Whether a call to a webhook is ours: signed with its secret, over these very bytes, not longer
/// ago than `tolerance` and not further ahead. Compares in constant time.
#[must_use]
pub fn verify_webhook(
    secret: &Secret,
    signature: &str,
    body: &[u8],
    now: Timestamp,
    tolerance: Duration,
) -> bool {
    let Some((time, proof)) = signature.split_once(',') else { return false };
    let seconds = time.strip_prefix("t=").and_then(|text| text.parse::<u64>().ok());
    let proof = proof.strip_prefix("v1=").and_then(|text| hex::decode(text).ok());
    let (Some(seconds), Some(proof)) = (seconds, proof) else { return false };
    let signed_at = Timestamp::from_millis(seconds.saturating_mul(1000));
    let apart = now.since(signed_at).max(signed_at.since(now));
    apart <= tolerance && mac(secret, seconds, body).verify_slice(&proof).is_ok()
}

fn mac(secret: &Secret, seconds: u64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .expect("a key of any length is good for an HMAC");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    mac
}

/// The delivery that tells one webhook of one event: the same, however often it is made.
pub(crate) fn delivery_id(webhook: WebhookId, number: u64) -> DeliveryId {
    let name = [&webhook.as_bytes()[..], &number.to_be_bytes()].concat();
    DeliveryId::from_bytes(Digest::of(&name).short())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Duration = Duration::from_secs(300);

    #[test]
    fn a_signature_is_good_for_its_body_its_secret_and_a_while() {
        let (secret, at) = (Secret::from_text("whsec_1"), Timestamp::from_millis(1_700_000_000_900));
        let signature = sign_webhook(&secret, at, b"{}");
        let verify =
            |secret: &Secret, body: &[u8], now| verify_webhook(secret, &signature, body, now, TOLERANCE);
        assert!(verify(&secret, b"{}", at));
        assert!(!verify(&secret, b"{ }", at));
        assert!(!verify(&Secret::from_text("whsec_2"), b"{}", at));
        assert!(!verify(&secret, b"{}", at + TOLERANCE * 2) && !verify(&secret, b"{}", at - TOLERANCE * 2));
        for bad in ["", "t=1", "v1=00,t=1", "t=x,v1=00", "t=1700000000,v1=zz", "t=1700000000,v1="] {
            assert!(!verify_webhook(&secret, bad, b"{}", at, TOLERANCE), "{bad:?}");
        }
    }

    #[test]
    fn a_signature_is_what_others_make_of_it() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test
        let at = Timestamp::from_millis(1_700_000_000_123);
        let signature = sign_webhook(&Secret::from_text("whsec_test"), at, br#"{"a":1}"#);
        assert_eq!(
            signature,
            concat!("t=1700000000,v1=", "38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789")
        );
    }
}

//! What runners of the operator tell and are told of jobs of others.

use super::{TOKEN, answer_empty, sync_idle, text};
use crate::{
    protocol::{Finish, Offer, SyncAnswer, SyncRequest},
    values::{id::TenantId, outcome::Outcome},
};
use std::time::Duration;

const TENANT: TenantId = TenantId::from_bytes([0x60; 16]);

/// A sync of a runner of the operator that has executed a job of somebody else.
pub(super) fn sync() -> SyncRequest {
    let (outcome, tenant) = (Outcome::Passed, Some(TENANT));
    let finish = Finish {
        token: TOKEN,
        tenant,
        outcome,
        result: None,
        result_artifact: None,
        missing: Vec::new(),
        log_end: None,
    };
    SyncRequest { finishes: vec![finish], ..sync_idle(4) }
}

/// An answer to a runner of the operator, which is to execute a job of somebody else.
pub(super) fn answer() -> SyncAnswer {
    let offer = Offer {
        token: TOKEN,
        tenant: Some(TENANT),
        attempt: 1,
        start_within: Duration::from_secs(15),
        spec: text("{\"kind\":\"add\"}"),
        signature: None,
        payload: Some(text("[1,2]")),
        payload_artifact: None,
        image: None,
    };
    SyncAnswer { offers: vec![offer], ..answer_empty(4) }
}

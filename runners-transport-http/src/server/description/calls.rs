//! The calls: what each is for, what it takes, and what it may be answered.

use super::{headers, schemas::Schemas, tenant_parameter, version_parameter};
use crate::wire::{JSON, problem::Code, route::Route};
use runners_core::{
    TokenKind,
    protocol::{
        AnswerRequest, CancelRequest, DeregisterRequest, EnrolRequest, ExplainRequest, InspectRequest,
        ReadLogRequest, RotateRequest, SignalRequest, SubmitRequest, SyncRequest, WaitRequest,
    },
};
use serde_json::{Value, json};

/// The problems that any call may be answered with.
const PROBLEMS: &[Code] = &[
    Code::UnsupportedProtocol,
    Code::Invalid,
    Code::Unauthorized,
    Code::WrongToken,
    Code::Forbidden,
    Code::MethodNotAllowed,
    Code::TooSlow,
    Code::TooLarge,
    Code::UnsupportedMediaType,
    Code::Limited,
    Code::HeadersTooLarge,
    Code::Internal,
    Code::Busy,
    Code::Unavailable,
];

/// What is said of a call.
struct About {
    tag: &'static str,
    summary: &'static str,
    description: &'static str,
    /// Its good replies, by their names on the wire.
    replies: &'static [&'static str],
    fields: fn(&mut Schemas) -> Value,
}

/// The description of a call.
pub(super) fn operation(route: Route, schemas: &mut Schemas) -> Value {
    let about = about(route);
    let replies: Vec<&str> = about.replies.iter().copied().chain(["refused"]).collect();
    let answered = json!({
        "description": "What the control plane answers.",
        "headers": headers([]),
        "content": { JSON: { "schema": schemas.reply(&replies) } },
    });
    let mut parameters = vec![version_parameter()];
    parameters.extend(route.token_kinds().contains(&TokenKind::Api).then(tenant_parameter));
    let security: Vec<Value> = route.token_kinds().iter().map(|kind| json!({ scheme(*kind): [] })).collect();
    json!({
        "operationId": operation_id(route),
        "tags": [about.tag],
        "summary": about.summary,
        "description": about.description,
        "security": security,
        "parameters": parameters,
        "requestBody": {
            "required": true,
            "description": format!("At most {} bytes.", route.bytes_max()),
            "content": { JSON: { "schema": (about.fields)(schemas) } },
        },
        "responses": schemas.responses([("200", answered)], PROBLEMS),
    })
}

/// The security scheme for a kind of token.
pub(super) fn scheme(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Runner => "runner",
        TokenKind::Registration => "registration",
        _ => "api",
    }
}

/// The name of a call, such as `readLog`.
fn operation_id(route: Route) -> String {
    let mut words = route.name().split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at(1);
        name + &initial.to_uppercase() + rest
    })
}

fn about(route: Route) -> About {
    match route {
        Route::Sync => About {
            tag: "Runner",
            summary: "States what the runner is at, and waits for what it is to do.",
            description: "The one call that a runner makes in a loop. While there is nothing to say, the answer \
                          is held back for up to `park_for_ms`. `superseded` tells that a later sync has \
                          overtaken this one, and `displaced` that another start of the runner has taken its \
                          place: stop.",
            replies: &["answer", "superseded", "displaced"],
            fields: Schemas::request::<SyncRequest>,
        },
        Route::Enrol => About {
            tag: "Runner",
            summary: "Exchanges a registration token for a credential.",
            description: "The runner makes the credential itself and tells its digest, so that a repeat is \
                          answered the same. A repeat may be sent under the credential.",
            replies: &["enrolled"],
            fields: Schemas::request::<EnrolRequest>,
        },
        Route::Rotate => About {
            tag: "Runner",
            summary: "Announces the credential that takes the place of this one.",
            description: "It is good from its first use on, and the old one for one minute from then.",
            replies: &["rotated"],
            fields: Schemas::request::<RotateRequest>,
        },
        Route::Deregister => About {
            tag: "Runner",
            summary: "Takes the runner off the register, with its credential.",
            description: "What it still holds is lost.",
            replies: &["deregistered"],
            fields: Schemas::request::<DeregisterRequest>,
        },
        Route::Submit => About {
            tag: "Client",
            summary: "Queues jobs.",
            description: "Each is accepted or refused by itself. The id of a job is chosen by its submitter, so \
                          that a repeat is the same job.",
            replies: &["submitted"],
            fields: Schemas::request::<SubmitRequest>,
        },
        _ => about_jobs(route),
    }
}

/// What is said of the calls about jobs and signals that are there already.
fn about_jobs(route: Route) -> About {
    match route {
        Route::Inspect => About {
            tag: "Client",
            summary: "Tells how a job is.",
            description: "",
            replies: &["job"],
            fields: Schemas::request::<InspectRequest>,
        },
        Route::Explain => About {
            tag: "Client",
            summary: "Tells why a job is where it is, and what would start it.",
            description: "It is what the scheduler itself goes by.",
            replies: &["explained"],
            fields: Schemas::request::<ExplainRequest>,
        },
        Route::Wait => About {
            tag: "Client",
            summary: "Waits until a job is concluded, and tells how it is.",
            description: "After `park_for_ms` at most the answer comes in any case: ask again.",
            replies: &["job"],
            fields: Schemas::request::<WaitRequest>,
        },
        Route::Cancel => About {
            tag: "Client",
            summary: "Has a job, or every job of a run, stopped.",
            description: "",
            replies: &["cancelled"],
            fields: Schemas::request::<CancelRequest>,
        },
        Route::Signal => About {
            tag: "Client",
            summary: "Sends a command to a runner, or to the attempt of a job that runs now.",
            description: "The id of a signal is chosen by its sender, so that a repeat is the same signal.",
            replies: &["signalled"],
            fields: Schemas::request::<SignalRequest>,
        },
        Route::Answer => About {
            tag: "Client",
            summary: "Waits for the answer to a signal.",
            description: "",
            replies: &["answered"],
            fields: Schemas::request::<AnswerRequest>,
        },
        _ => About {
            tag: "Client",
            summary: "Reads the log of an attempt.",
            description: "While there is nothing beyond `from`, the answer is held back for up to `park_for_ms`.",
            replies: &["log"],
            fields: Schemas::request::<ReadLogRequest>,
        },
    }
}

//! Embeddable control plane, runner and typed jobs for machines that only connect out.
//!
#![doc = include_str!("../README.md")]

mod actors;
#[cfg(feature = "openapi")]
pub mod openapi;
mod rules;
mod seams;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod values;

pub use actors::{
    client::{Client, ClientBuilder, Followed, JobHandle},
    control_plane::{Caller, ControlPlane, ControlPlaneBuilder, RecordsAuthenticator, Registration},
    error::Error,
    keeper::{LeaseEnd, LeaseKeeper, Trust},
    management::Management,
    runner::{ExitReason, HookError, Runner, RunnerBuilder, RunnerSnapshot},
    spool::{Spool, SpoolError},
};
pub use rules::redaction::Redactor;
pub use seams::{
    artifact::{ArtifactError, ArtifactKey, ArtifactSource, ArtifactStore, ByteStream, StoredArtifact},
    artifact::{intake::ArtifactIntake, memory::MemoryArtifacts},
    authenticate::{Authenticate, AuthenticateError, attempts::FailedAttempts},
    clock::{Clock, SystemClock, sleep},
    executor::{Attempt, ErasedExecutor, Executor, Executors, Product, Received, Signals},
    facts::{FactsSource, SystemFacts},
    hosted::{HostedError, HostedExecution, HostedJob, SharedPools},
    lease::{Lease, LeaseError},
    observer::{NoObserver, Notice, Observer},
    random::{Random, SystemRandom},
    responder::{ErasedResponder, Responder, Responders},
    secrets::{SecretCause, SecretError, SecretSource, environment::EnvironmentSecrets},
    store::MemoryStore,
    transport::{Transport, TransportError, TransportSource, retrying::Retrying},
    webhook::{WebhookCall, WebhookError, WebhookSender},
};
pub use values::{
    address::{AddressPolicy, Network, NetworkError},
    command::Command,
    digest::{Digest, DigestError, DigestStream},
    event::{Event, EventCursor, EventCursorError, EventPage, EventsOf, Happening, StopReason},
    fleet::{
        access::{ApiCredentialSpec, ApiCredentialView, Issued, RegistrationSpec, RegistrationView},
        environment::{EnvironmentView, Route},
        job::{JobFilter, JobLine, JobState},
        listing::{Cursor, CursorError, Listing, Paging},
        pool::{Placement, PoolSpec, PoolView, Sharing},
        presence::Presence,
        retention::{Retention, UnnamedArtifacts},
        runner::{Drain, RunnerFilter, RunnerView},
        summary::{FleetSummary, PoolSummary},
        tenant::{Feature, Rollout, RolloutView, TenantView},
    },
    id::{
        DeliveryId, IdError, JobId, LaneId, MemberId, PoolId, RunId, RunnerId, SignalId, TenantId, TokenId,
        WebhookId,
    },
    idempotency::{IdempotencyKey, IdempotencyKeyError},
    job::{DisconnectPolicy, Job, JobOptions, JobSpec},
    key::{Index, Key, Kind},
    lease::FencingToken,
    opaque::Opaque,
    outcome::{Conclusion, Outcome},
    peer::Peer,
    preference::{Concurrency, Fairness, Fallback},
    principal::{Principal, Scope},
    result::{Fault, JobResult, Verdict},
    retry::RetryPolicy,
    runner::{Desired, Facts, Incarnation, IncarnationError, Load, Mode},
    secret::Secret,
    signal::{CollectDiagnostics, DatedNotice, Diagnostics, Ping, Pong, SignalTarget},
    signature::{KeyError, SigningKey, VerifyingKey},
    time::{BootTime, Timestamp},
    token::{Token, TokenKind},
    webhook::{
        DELIVERY_HEADER, DeliveryView, EVENT_HEADER, NewWebhook, SIGNATURE_HEADER, WebhookSpec, WebhookView,
        sign_webhook, verify_webhook,
    },
};

#[cfg(feature = "fs")]
pub use seams::{artifact::directory::DirectoryArtifacts, secrets::directory::DirectorySecrets};

#[cfg(feature = "checks")]
pub use {
    seams::checks::{CheckListing, Checks, PreparedCheck},
    values::check::{CheckError, CheckInputError, CheckResult, CheckState, RunCheck},
};

/// What the inputs of checks are derived with: `#[derive(schemars::JsonSchema)]`.
#[cfg(feature = "checks")]
pub mod checks {
    pub use schemars;
}

/// What travels between clients, runners and the control plane.
pub mod protocol {
    pub use crate::values::{explanation::*, reply::*, request::*, sync::*};
}

/// What became of jobs, in the words that every report shares.
#[cfg(feature = "report")]
pub mod report {
    pub use crate::values::report::*;
}

/// What most programs use.
pub mod prelude {
    pub use crate::{
        Attempt, Client, Command, Conclusion, ControlPlane, Error, Executor, Fault, Job, JobOptions,
        JobResult, MemoryStore, RetryPolicy, Runner, Verdict,
    };
}

/// The metrics seam, and every instrument.
pub mod metrics {
    pub use crate::seams::metrics::{
        Attribute, Instrument, Measure, Meter, Metrics, NoMetrics, control_plane, runner,
    };
}

/// The seam of traces, and what a job carries of one.
pub mod traces {
    pub use crate::{
        seams::traces::{NoTraces, Traces},
        values::trace::{TraceParent, TraceParentError},
    };
}

/// The storage seam.
pub mod store {
    pub use crate::seams::store::{
        BatchError, Committed, Hide, Hint, MemoryStore, Page, Query, Span, Store, StoreError, StoreSource,
        Stored, Write,
    };
}

//! Embeddable control plane, runner and typed jobs for machines that only connect out.
//!
#![doc = include_str!("../README.md")]

mod actors;
#[cfg(feature = "openapi")]
pub mod openapi;
#[cfg(feature = "problem")]
pub mod problem;
mod rules;
mod seams;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod values;
#[cfg(feature = "websocket")]
pub mod websocket;

pub use actors::{
    client::{Client, ClientBuilder, Followed, JobHandle},
    control_plane::{
        Caller, ControlPlane, ControlPlaneBuilder, RecordsAuthenticator, Registration, StagedJob,
    },
    error::Error,
    keeper::{LeaseEnd, LeaseKeeper, Trust},
    management::Management,
    runner::{ExitReason, HookError, Runner, RunnerBuilder, RunnerSnapshot},
    spool::{Spool, SpoolError},
};
pub use rules::redaction::Redactor;
pub use seams::{
    artifact::{ArtifactError, ArtifactKey, ArtifactSource, ArtifactStore, ByteStream, StoredArtifact},
    artifact::{guard::ArtifactGuard, intake::ArtifactIntake, memory::MemoryArtifacts},
    authenticate::{Authenticate, AuthenticateError, attempts::FailedAttempts},
    clock::{Clock, SystemClock, sleep},
    executor::{Attempt, ErasedExecutor, Executor, Executors, Product, Received, Signals},
    facts::{FactsSource, SystemFacts},
    flows::{FlowOutline, FlowReader},
    hosted::{HostedError, HostedExecution, HostedJob, SharedPools},
    lease::{Lease, LeaseError},
    observer::{NoObserver, Notice, Observer},
    random::{Random, SystemRandom},
    responder::{ErasedResponder, Responder, Responders},
    secrets::{SecretCause, SecretError, SecretSource, environment::EnvironmentSecrets},
    store::MemoryStore,
    transport::{Transport, TransportError, TransportSource, WithinError, retrying::Retrying},
    webhook::{WebhookCall, WebhookError, WebhookSender},
};
pub use values::{
    address::{AddressClass, AddressPolicy, Network, NetworkError},
    command::Command,
    digest::{Digest, DigestError, DigestStream},
    event::{Event, EventCursor, EventCursorError, EventPage, EventsOf, Happening, StopReason},
    fleet::{
        access::{ApiCredentialSpec, ApiCredentialView, Issued, RegistrationSpec, RegistrationView},
        audit::{AuditEntry, Author},
        environment::{EnvironmentView, Route},
        flow::{FlowDocument, FlowFilter, FlowSpec, FlowVersion, FlowView},
        job::{JobFilter, JobLine, JobState},
        listing::{Cursor, CursorError, Listing, Paging},
        pool::{Placement, PoolSpec, PoolView, Sharing},
        presence::Presence,
        retention::{Retention, UnnamedArtifacts},
        run::RunLine,
        runner::{Drain, RunnerFilter, RunnerState, RunnerView},
        summary::{FleetSummary, PoolSummary},
        tenant::{ArtifactUse, Feature, Rollout, RolloutSpec, RolloutView, TenantView},
    },
    id::{
        DeliveryId, IdError, JobId, LaneId, MemberId, PoolId, RunId, RunnerId, SignalId, TenantId, TokenId,
        UploadId, WebhookId,
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

#[cfg(feature = "egress")]
pub use rules::egress::{Egress, EgressError};

#[cfg(feature = "fs")]
pub use seams::{artifact::directory::DirectoryArtifacts, secrets::directory::DirectorySecrets};

#[cfg(feature = "checks")]
pub use {
    seams::checks::{
        CheckCatalogue, CheckCommand, CheckCommands, CheckListing, CheckRefusal, Checks, PreparedCheck,
    },
    values::check::{CheckError, CheckInputError, CheckResult, CheckState, RunCheck},
};

/// What the inputs of checks are derived with: `#[derive(schemars::JsonSchema)]`.
#[cfg(feature = "checks")]
pub mod checks {
    pub use schemars;
}

/// What travels between clients, runners and the control plane.
pub mod protocol {
    pub use crate::values::{download::*, explanation::*, reply::*, request::*, sync::*, upload::*};
}

/// One request over many regions, and what became of it.
///
/// An [`Orchestrator`](orchestration::Orchestrator) fans a request out: checks of one page in one region
/// are a job, and each job is one call of its region. What the regions answer becomes one
/// [`RunSummary`](orchestration::RunSummary), in which every check that was asked for is counted once,
/// and one conclusion by the policy of the request. A run is kept in the store, and goes on after a
/// restart without asking again for what was answered.
///
/// ```
/// use runners_core::{MemoryStore, orchestration::*};
/// use std::time::Duration;
///
/// /// A region is anything that answers calls: a pool of runners ([`PoolRegion`]), this process
/// /// ([`ProcessRegion`]), or your own.
/// #[derive(Debug)]
/// struct Optimist;
///
/// #[async_trait::async_trait]
/// impl Region for Optimist {
///     async fn execute(&self, call: RegionCall) -> Result<RegionReply, RegionError> {
///         let pass = |asked: &AskedCheck| RegionResult::new(&asked.name, ResultState::Pass);
///         Ok(call.checks.iter().map(pass).collect::<Vec<_>>().into())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = Orchestrator::builder(MemoryStore::default());
/// let orchestrator = builder.region("eu", Optimist).region("us", Optimist).start().await?;
/// let client = orchestrator.local_client();
///
/// let asked = |region| AskedCheck::new("has_title", "https://example.com").in_region(region);
/// let run = client.submit(&OrchestrationRequest::remote([asked("eu"), asked("us")])).await?;
/// let summary = client.wait(&run, Duration::from_secs(60)).await?;
/// assert_eq!((summary.summary.total, summary.summary.passed), (2, 2));
/// assert!(summary.conclusion.is_some_and(|conclusion| conclusion.is_passed()));
/// # orchestrator.stop().await;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "orchestrator")]
pub mod orchestration {
    pub use crate::{
        actors::orchestrator::{
            Orchestrator, OrchestratorBuilder, OrchestratorClient, PoolRegion, ProcessRegion,
        },
        seams::orchestration::{
            ArtifactBytes, OrchestratorCall, OrchestratorError, OrchestratorReply, OrchestratorTransport,
            RunEvents,
        },
        seams::region::{Region, RegionCall, RegionError, RegionReply, RegionSource},
        values::orchestration::*,
    };
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
        Attribute, Instrument, Measure, Meter, Metrics, NoMetrics, control_plane, orchestrator, runner,
    };
}

/// The seam of traces, and what a job carries of one.
pub mod traces {
    pub use crate::{
        seams::traces::{NoTraces, Traces},
        values::trace::{TraceParent, TraceParentError},
    };
}

/// Live view: what an attempt shows while it works, and what a person may do to it.
pub mod live {
    pub use crate::{
        actors::control_plane::{AdmittedSource, LiveHub, LocalRelay, Passage, Viewer},
        seams::{
            frames::{FrameError, FrameSource, Frames},
            relay::{Neighbours, Piece, Relay, RelayError, Socket, SocketError},
        },
        values::{
            id::StreamId,
            live::{Frame, FrameFormat, FrameWish, Input},
            view::{
                LiveAccess, LiveControl, LiveEvent, LiveOptions, LivePhase, LivePicture, LiveState,
                OpenStream, StreamOpened, StreamView, ViewGrant,
            },
        },
    };
}

/// The storage seam.
pub mod store {
    pub use crate::seams::store::{
        BatchError, Committed, Hint, MemoryStore, Page, Query, Span, Store, StoreError, StoreSource, Stored,
        Write,
    };
}

//! No tenant learns anything of another: every request and every method of the management is asked
//! with the other tenant's ids, and answers as for ids that do not exist.

use super::{
    control,
    hand::{Hand, operator, submission, submit, submit_with, user},
    webhooks::{Scripted, spec},
};
use runners_core::{
    ApiCredentialSpec, ArtifactKey, ArtifactStore as _, ControlPlane, DeliveryId, Digest, Drain, Error,
    EventCursor, EventsOf, FlowFilter, FlowSpec, JobFilter, JobId, JobOptions, Management, MemoryArtifacts,
    MemoryStore, Mode, Opaque, Paging, PoolId, PoolSpec, Principal, RegistrationSpec, Retention, RolloutSpec,
    Route, RunId, RunnerFilter, RunnerId, Scope, Sharing, SignalId, TenantId, TokenId, Transport as _,
    WebhookId,
    live::LiveAccess,
    protocol::{
        Acceptance, AnswerRequest, CancelRequest, CancelTarget, DeregisterRequest, EnrolRequest,
        ExplainRequest, InspectRequest, ReadAs, ReadLogRequest, Request, RotateRequest, RunSpec,
        SignalRequest, SubmitRequest, WaitRequest,
    },
    testing::samples,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::Path,
    time::Duration,
};

/// The ids of one of everything.
#[derive(Clone, Debug)]
struct Ids {
    tenant: TenantId,
    pool: PoolId,
    pool_name: String,
    runner: RunnerId,
    job: JobId,
    run: RunId,
    signal: SignalId,
    registration: TokenId,
    credential: TokenId,
    environment: String,
    artifact: Digest,
    webhook: WebhookId,
    delivery: DeliveryId,
}

impl Ids {
    fn none() -> Self {
        let bytes = [0x99; 16];
        Self {
            tenant: TenantId::from_bytes(bytes),
            pool: PoolId::from_bytes(bytes),
            pool_name: "nowhere".into(),
            runner: RunnerId::from_bytes(bytes),
            job: JobId::from_bytes(bytes),
            run: RunId::from_bytes(bytes),
            signal: SignalId::from_bytes(bytes),
            registration: TokenId::from_bytes(bytes),
            credential: TokenId::from_bytes(bytes),
            environment: "none".into(),
            artifact: Digest::of(b"nothing"),
            webhook: WebhookId::from_bytes(bytes),
            delivery: DeliveryId::from_bytes(bytes),
        }
    }

    /// What was told, without the ids that it was asked with.
    fn blot(&self, told: &str) -> String {
        let texts = [
            self.tenant.to_string(),
            self.pool.to_string(),
            format!("{:?}", self.pool_name),
            self.runner.to_string(),
            self.job.to_string(),
            self.run.to_string(),
            self.signal.to_string(),
            self.registration.to_string(),
            self.credential.to_string(),
            format!("{:?}", self.environment),
            self.artifact.to_string(),
            self.webhook.to_string(),
            self.delivery.to_string(),
        ];
        // What is told may be shown twice over: as text within text.
        texts.iter().fold(told.replace('\\', ""), |told, text| told.replace(text, "…"))
    }
}

/// One of everything, of the tenant `default`.
async fn furnish(control: &ControlPlane) -> Ids {
    let (user, mut hand) = (user(control), Hand::new(control, 1));
    let operator = operator(control);
    hand.sync().await;
    let run = RunId::from_bytes([5; 16]);
    let options = JobOptions { run: Some(run), ..JobOptions::default() };
    let run_spec = Some(RunSpec { run, timeout: None });
    let request = SubmitRequest { jobs: vec![submission(3, options)], run: run_spec };
    user.call(Request::Submit(request)).await.unwrap();
    let ids = Ids {
        tenant: TenantId::DEFAULT,
        pool: operator.create_pool(PoolSpec::new("theirs")).await.unwrap().id,
        pool_name: "theirs".into(),
        runner: RunnerId::from_bytes([1; 16]),
        job: submit(&user, 1).await,
        run,
        signal: SignalId::from_bytes([8; 16]),
        registration: TokenId::from_bytes([0; 16]),
        credential: TokenId::from_bytes([0; 16]),
        environment: "theirs too".into(),
        artifact: Digest::of(b"theirs"),
        webhook: WebhookId::from_bytes([1; 16]),
        delivery: DeliveryId::from_bytes([1; 16]),
    };
    let registration = operator.create_registration(ids.pool, RegistrationSpec::default()).await.unwrap();
    let spec = ApiCredentialSpec { name: "ci".into(), scopes: Scope::ALL.into(), expires_in: None };
    let credential = operator.create_api_credential(spec).await.unwrap();
    operator.route_environment(&ids.environment, Route::Pool(ids.pool)).await.unwrap();
    // A flow of the same name.
    operator.put_flow(&ids.environment, &FlowSpec::new(b"{}".to_vec()), None).await.unwrap();
    user.call(Request::Signal(signal(&ids))).await.unwrap();
    Ids { registration: registration.view.id, credential: credential.view.id, ..ids }
}

/// As [`furnish`], with a pool of the operator that is shared with everybody, whose runner works for
/// the tenant `default`.
async fn furnish_shared(control: &ControlPlane) -> Ids {
    let ids = Ids { pool_name: "theirs and shared".into(), ..furnish(control).await };
    let spec = PoolSpec { sharing: Sharing::Everyone, ..PoolSpec::new(&ids.pool_name) };
    let pool = control.management(Principal::Operator).create_pool(spec).await.unwrap().id;
    operator(control).route_environment(&ids.environment, Route::Hosted).await.unwrap();
    let options = JobOptions { environment: Some(ids.environment.clone()), ..JobOptions::default() };
    assert!(matches!(submit_with(&user(control), 30, options).await, Acceptance::Accepted(_)));
    let mut hand = Hand::of(control, 31, TenantId::OPERATOR, pool);
    let answer = hand.sync().await;
    let job = hand.hold(&answer)[0].job;
    hand.sync().await;
    Ids { pool, runner: RunnerId::from_bytes([31; 16]), job, tenant: TenantId::OPERATOR, ..ids }
}

fn signal(ids: &Ids) -> SignalRequest {
    SignalRequest {
        id: ids.signal,
        to: ids.runner.into(),
        kind: "ping".into(),
        payload: Opaque::new(&b"{}"[..]),
        expires_in: Duration::from_secs(60),
    }
}

fn stranger() -> Principal {
    Principal::Api { tenant: TenantId::from_bytes([7; 16]), scopes: Scope::ALL.into() }
}

/// Every request that a stranger can make of these ids.
fn requests(ids: &Ids) -> Vec<Request> {
    let park_for = Duration::ZERO;
    let by = |options| SubmitRequest { jobs: vec![submission(9, options)], run: None };
    let fresh = SignalRequest { id: SignalId::from_bytes([77; 16]), ..signal(ids) };
    vec![
        Request::Enrol(EnrolRequest { credential: Digest::of(b"mine"), name: "mine".into(), pool: None }),
        Request::Deregister(DeregisterRequest {}),
        Request::Rotate(RotateRequest { next: Digest::of(b"mine") }),
        Request::Sync(Box::new(samples::sync_idle(1))),
        Request::Submit(by(JobOptions { pool: ids.pool_name.clone(), ..JobOptions::default() })),
        Request::Submit(by(JobOptions {
            environment: Some(ids.environment.clone()),
            ..JobOptions::default()
        })),
        Request::Inspect(InspectRequest { job: ids.job }),
        Request::Explain(ExplainRequest { job: ids.job, runners_after: None }),
        Request::Wait(WaitRequest { job: ids.job, park_for }),
        Request::Cancel(CancelRequest { target: CancelTarget::Job(ids.job) }),
        Request::Cancel(CancelRequest { target: CancelTarget::Run(ids.run) }),
        Request::Signal(SignalRequest { to: ids.job.into(), ..fresh.clone() }),
        Request::Signal(fresh),
        Request::Answer(AnswerRequest { signal: ids.signal, park_for }),
        Request::ReadLog(ReadLogRequest { job: ids.job, grant: None, from: 0, park_for }),
    ]
}

#[tokio::test]
async fn every_request_with_anothers_ids_is_answered_as_for_ids_that_do_not_exist() {
    let control = control().await;
    let theirs = furnish(&control).await;
    asks_in_vain(&control, &theirs).await;
}

#[tokio::test]
async fn a_pool_that_is_shared_and_what_runs_there_are_nobodys_to_name() {
    let control = control().await;
    let (theirs, nobodys) = (furnish_shared(&control).await, Ids::none());
    asks_in_vain(&control, &theirs).await;
    let management = control.management(stranger());
    let (mut of_theirs, mut of_nobodys) = (BTreeMap::new(), BTreeMap::new());
    ask(&management, &theirs, &mut of_theirs).await;
    ask(&management, &nobodys, &mut of_nobodys).await;
    for (name, told) in of_theirs {
        assert_eq!(theirs.blot(&told), nobodys.blot(&of_nobodys[&name]), "{name}");
    }
    let operators = control.management(Principal::Operator);
    assert!(operators.pool(theirs.pool).await.unwrap().spec.active);
    assert_eq!(operators.runner(theirs.runner).await.unwrap().desired.generation, 0);
}

/// Makes every request as a stranger.
async fn asks_in_vain(control: &ControlPlane, theirs: &Ids) {
    let nobodys = Ids::none();
    let caller = control.caller(stranger());
    let walked: BTreeSet<&str> = requests(theirs).iter().map(Request::name).collect();
    let all: BTreeSet<&str> = samples::requests().iter().map(|(_, request)| request.name()).collect();
    assert_eq!(walked, all, "every kind of request is walked");
    for (theirs_asked, nobodys_asked) in requests(theirs).into_iter().zip(requests(&nobodys)) {
        let name = theirs_asked.name();
        let of_theirs = format!("{:?}", caller.call(theirs_asked).await.unwrap());
        let of_nobodys = format!("{:?}", caller.call(nobodys_asked).await.unwrap());
        assert_eq!(theirs.blot(&of_theirs), nobodys.blot(&of_nobodys), "{name}");
    }
}

#[tokio::test]
async fn every_method_of_the_management_knows_nothing_of_anothers_ids() {
    let artifacts = MemoryArtifacts::default();
    let control = ControlPlane::builder(MemoryStore::default()).artifacts(artifacts.clone());
    let control = control.webhooks(Scripted::answering([])).start().await.unwrap();
    let of_theirs = ArtifactKey { tenant: TenantId::DEFAULT, digest: Digest::of(b"theirs") };
    let bytes = futures::stream::iter([Ok(bytes::Bytes::from_static(b"theirs"))]);
    artifacts.put(of_theirs, 6, Box::pin(bytes)).await.unwrap();
    let (mut theirs, nobodys) = (furnish(&control).await, Ids::none());
    let webhook = operator(&control).create_webhook(spec(&["ready"]), None).await.unwrap().webhook;
    theirs.webhook = webhook.id;
    let management = control.management(stranger());
    let (mut of_theirs, mut of_nobodys) = (BTreeMap::new(), BTreeMap::new());
    ask(&management, &theirs, &mut of_theirs).await;
    ask(&management, &nobodys, &mut of_nobodys).await;
    assert_eq!(of_theirs.keys().collect::<Vec<_>>(), methods().iter().collect::<Vec<_>>());
    for (name, told) in of_theirs {
        let told = theirs.blot(&told);
        assert_eq!(told, nobodys.blot(&of_nobodys[&name]), "{name}");
        assert!(!told.contains("theirs"), "{name}: {told}");
    }
    // Nothing that was asked has changed anything of theirs.
    let operator = operator(&control);
    assert!(operator.pool(theirs.pool).await.unwrap().spec.active);
    assert_eq!(operator.runner(theirs.runner).await.unwrap().desired.generation, 0);
    assert!(!operator.api_credentials(&Paging::default()).await.unwrap().items[0].revoked);
}

/// Asks every method of the management, with these ids wherever it takes any.
async fn ask(management: &Management, ids: &Ids, told: &mut BTreeMap<String, String>) {
    let all = &Paging::default();
    let mut note = |name: &str, text: String| assert!(told.insert(name.to_owned(), text).is_none(), "{name}");
    macro_rules! ask {
        ($($method:ident($($argument:expr),*);)*) => {
            $(note(stringify!($method), plain(management.$method($($argument),*).await));)*
        };
    }
    ask_fleet(management, ids, &mut note).await;
    ask_work(management, ids, &mut note).await;
    ask! {
        create_tenant("mine");
        tenants(all);
        own_tenant();
        within_named(&ids.tenant.to_string());
        rename_tenant(ids.tenant, "mine");
        suspend_tenant(ids.tenant, true);
        environments(all);
        environment(&ids.environment);
        route_environment("mine", Route::Pool(ids.pool));
        delete_environment(&ids.environment);
        create_registration(ids.pool, RegistrationSpec::default());
        registrations(ids.pool, all);
        revoke_registration(ids.pool, ids.registration);
        register_runner(ids.pool, "mine");
        api_credentials(all);
        revoke_api_credential(ids.credential);
        revoke_runner_credentials(ids.runner);
        retention();
        set_retention(Retention::default());
        rollout_spec();
        set_rollout(RolloutSpec::default());
        unnamed_artifacts(None);
        set_artifact_quota(ids.tenant, Some(1));
        artifact_use();
        grant_read(Digest::of(b"theirs"), &ReadAs::default());
    }
    let events = [EventsOf::Tenant, EventsOf::Run(ids.run), EventsOf::Job(ids.job)];
    let mut seen = String::new();
    for of in events {
        seen += &plain(management.events(of, EventCursor::START, Duration::ZERO).await);
    }
    note("events", seen);
    // It gives what is asked for: there is nothing of theirs to ask with.
    note("create_api_credential", String::new());
}

async fn ask_fleet(management: &Management, ids: &Ids, note: &mut impl FnMut(&str, String)) {
    let all = &Paging::default();
    let in_pool = RunnerFilter { pool: Some(ids.pool), ..RunnerFilter::default() };
    macro_rules! ask {
        ($($method:ident($($argument:expr),*);)*) => {
            $(note(stringify!($method), plain(management.$method($($argument),*).await));)*
        };
    }
    ask! {
        pools(all);
        pool(ids.pool);
        update_pool(ids.pool, |spec| spec.active = false);
        delete_pool(ids.pool);
        runners(&in_pool, all);
        runners_and_presence(&in_pool, all);
        runner(ids.runner);
        presence(&[ids.runner]);
        rename_runner(ids.runner, "mine");
        set_mode(ids.runner, Mode::Drain);
        drain_runner(ids.runner, &Drain::default());
        shut_down_runner(ids.runner, &Drain::default());
        resume_runner(ids.runner);
        retire_runner(ids.runner, Duration::from_secs(1));
        set_slots(ids.runner, Some(1));
        remove_runner(ids.runner);
    }
    // It makes what is asked for: there is nothing of theirs to ask with.
    note("create_pool", String::new());
}

async fn ask_work(management: &Management, ids: &Ids, note: &mut impl FnMut(&str, String)) {
    let of_run = JobFilter { run: Some(ids.run), ..JobFilter::default() };
    let again = JobId::from_bytes([78; 16]);
    let options = JobOptions { pool: ids.pool_name.clone(), ..JobOptions::default() };
    let request = SubmitRequest { jobs: vec![submission(10, options)], run: None };
    note("submit", plain(management.submit(request).await));
    note("jobs", plain(management.jobs(&of_run, &Paging::default()).await));
    note("job", plain(management.job(ids.job).await));
    note("job_spec", plain(management.job_spec(ids.job).await));
    note("retry_job", plain(management.retry_job(ids.job, again).await));
    note("runs", plain(management.runs(&Paging::default()).await));
    note("run", plain(management.run(ids.run).await));
    note("cancel", plain(management.cancel(CancelTarget::Run(ids.run)).await));
    let (flow, filter) = (ids.environment.as_str(), FlowFilter::default());
    note("flows", plain(management.flows(&filter, &Paging::default()).await));
    note("flow", plain(management.flow(flow, Some(1)).await));
    note("flow_versions", plain(management.flow_versions(flow).await));
    note("run_flow", plain(management.run_flow(flow, None, again, JobOptions::default()).await));
    note("delete_flow", plain(management.delete_flow(flow, None).await));
    // It makes what is asked for: there is nothing of theirs to ask with.
    note("put_flow", String::new());
    // What a stranger has changed is told to it, and nothing else: `audit` sees to that.
    note("audit", plain(management.audit(&Paging::default()).await.map(drop)));
    note("fleet_summary", plain(management.fleet_summary().await));
    note("artifact_length", plain(management.artifact_length(ids.artifact).await));
    note("webhooks", plain(management.webhooks(&Paging::default()).await));
    note("view", plain(management.view(ids.job, LiveAccess::View).await));
    note("stream", plain(management.stream(ids.job).await));
    note("explain", plain(management.explain(ids.job, None).await));
    note("webhook", plain(management.webhook(ids.webhook).await));
    note("rotate_webhook_secret", plain(management.rotate_webhook_secret(ids.webhook, None).await));
    note("delete_webhook", plain(management.delete_webhook(ids.webhook).await));
    note("deliveries", plain(management.deliveries(true, &Paging::default()).await));
    note("redeliver", plain(management.redeliver(ids.delivery).await));
    // It makes what is asked for: there is nothing of theirs to ask with.
    note("create_webhook", String::new());
    note("read_artifact", plain(management.read_artifact(ids.artifact, None).await.map(drop)));
}

fn plain<T: Debug>(done: Result<T, Error>) -> String {
    match done {
        Err(Error::Refused(refused)) => format!("{}: {}", refused.code, refused.detail),
        done => format!("{done:?}"),
    }
}

/// The names of all methods of the management that can be asked, as its code has them.
fn methods() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/actors/management");
    let mut names = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let found = text.lines().filter_map(|line| line.trim_start().strip_prefix("pub async fn "));
        names.extend(found.map(|rest| rest.split(['(', '<']).next().unwrap().to_owned()));
    }
    names
}

//! One of every message and more: what suites send over a transport, and golden files hold.

mod enrolment;
mod hosted;
mod whole;

use crate::{
    protocol::*,
    values::{
        digest::Digest,
        id::{JobId, PoolId, RunId, RunnerId, SignalId},
        lease::FencingToken,
        opaque::Opaque,
        outcome::{Conclusion, Outcome},
        result::Fault,
        runner::{Desired, Facts, Incarnation, Mode},
        time::Timestamp,
    },
};
use std::time::Duration;

const JOB: JobId = JobId::from_bytes([0x10; 16]);
const RUN: RunId = RunId::from_bytes([0x20; 16]);
const RUNNER: RunnerId = RunnerId::from_bytes([0x30; 16]);
const SIGNAL: SignalId = SignalId::from_bytes([0x40; 16]);
const POOL: PoolId = PoolId::from_bytes([0x50; 16]);
const TOKEN: FencingToken = FencingToken { job: JOB, grant: 7 };
const AT: Timestamp = Timestamp::from_millis(1_700_000_000_123);

/// Every request, by a name that tells what is special about it. Each variant has one that leaves
/// nothing out; those whose fields may be left out have one without them.
#[must_use]
pub fn requests() -> Vec<(&'static str, Request)> {
    let mut requests = vec![
        ("rotate", Request::Rotate(RotateRequest { next: digest() })),
        ("enrol", Request::Enrol(enrolment::request(Some("lab")))),
        ("enrol-anywhere", Request::Enrol(enrolment::request(None))),
        ("deregister", Request::Deregister(DeregisterRequest {})),
        ("sync", Request::Sync(Box::new(sync_full()))),
        ("sync-idle", Request::Sync(Box::new(sync_idle(4)))),
        ("sync-hosted", Request::Sync(Box::new(hosted::sync()))),
        ("submit", Request::Submit(submit_full())),
        ("submit-empty", Request::Submit(SubmitRequest { jobs: Vec::new(), run: None })),
        ("inspect", Request::Inspect(InspectRequest { job: JOB })),
        ("explain", Request::Explain(ExplainRequest { job: JOB, runners_after: Some(RUNNER) })),
        ("explain-first", Request::Explain(ExplainRequest { job: JOB, runners_after: None })),
        ("wait", Request::Wait(WaitRequest { job: JOB, park_for: Duration::from_millis(1500) })),
        ("cancel-job", Request::Cancel(CancelRequest { target: CancelTarget::Job(JOB) })),
        ("cancel-run", Request::Cancel(CancelRequest { target: CancelTarget::Run(RUN) })),
        ("signal", Request::Signal(signal())),
        ("answer", Request::Answer(AnswerRequest { signal: SIGNAL, park_for: Duration::ZERO })),
        ("read-log", Request::ReadLog(read_log(Some(7)))),
        ("read-log-newest", Request::ReadLog(read_log(None))),
    ];
    requests.extend(whole::requests());
    requests
}

/// Every reply, as [`requests`].
#[must_use]
pub fn replies() -> Vec<(&'static str, Reply)> {
    let log_ended = LogPage { chunks: Vec::new(), gaps: Vec::new(), next: 9, ended: true, ..log_page() };
    let mut replies = vec![
        ("enrolled", Reply::Enrolled(enrolment::enrolled())),
        ("deregistered", Reply::Deregistered),
        ("rotated", Reply::Rotated(Rotated { rotate_in: Duration::from_secs(90 * 24 * 3600) })),
        ("answer", Reply::Answer(Box::new(answer_full()))),
        ("answer-empty", Reply::Answer(Box::new(answer_empty(4)))),
        ("answer-hosted", Reply::Answer(Box::new(hosted::answer()))),
        ("superseded", Reply::Superseded(Superseded { seq: 4, spread: Duration::from_millis(2500) })),
        ("displaced", Reply::Displaced),
        ("explained", Reply::Explained(Box::new(explanation()))),
        ("refused", Reply::Refused(refused())),
        ("submitted", Reply::Submitted(submitted())),
        ("cancelled", Reply::Cancelled(Cancelled { jobs: 3 })),
        ("signalled", Reply::Signalled(Signalled { signal: SIGNAL })),
        ("answered-waiting", Reply::Answered(Answered::Waiting)),
        ("answered-result", Reply::Answered(Answered::Outcome(SignalOutcome::Result(text("\"pong\""))))),
        ("answered-fault", Reply::Answered(Answered::Outcome(SignalOutcome::Fault(fault())))),
        ("answered-expired", Reply::Answered(Answered::Expired)),
        ("log", Reply::Log(log_page())),
        ("log-ended", Reply::Log(log_ended)),
        ("job", Reply::Job(Box::new(job_view()))),
    ];
    replies.extend(whole::replies());
    replies.extend(states().map(|(name, state)| (name, Reply::Job(Box::new(job_view_bare(state))))));
    replies
}

/// A sync of a runner that holds nothing.
#[must_use]
pub fn sync_idle(seq: u64) -> SyncRequest {
    SyncRequest {
        incarnation: Incarnation { boots: 3, random: 0xabcd },
        seq,
        park_for: Duration::from_secs(20),
        facts_digest: digest(),
        facts: None,
        intent: Mode::Serve,
        seen_generation: 0,
        free: 0,
        held: Vec::new(),
        declined: Vec::new(),
        finishes: Vec::new(),
        answers: Vec::new(),
        log_tails: Vec::new(),
        artifacts: Vec::new(),
        progress: Vec::new(),
    }
}

/// An answer that tells nothing.
#[must_use]
pub fn answer_empty(seq: u64) -> SyncAnswer {
    SyncAnswer {
        seq,
        term: None,
        lost: Vec::new(),
        cancel: Vec::new(),
        recorded: Vec::new(),
        fenced: Vec::new(),
        heard: Vec::new(),
        logged: Vec::new(),
        attached: Vec::new(),
        offers: Vec::new(),
        signals: Vec::new(),
        desired: None,
        send_facts: false,
        no_more: false,
        spread: Duration::from_secs(2),
        park_max: Duration::from_secs(20),
    }
}

/// Bytes that JSON could harm: no UTF-8, zeros, quotes, controls, and text beyond the basic plane.
#[must_use]
pub fn awkward_bytes() -> Vec<Opaque> {
    let texts = ["", "\"\\/\u{8}\u{c}\n\r\t", "\0\u{1f}\u{7f}", "𝄞 é \u{2028}", "{\"base64\":\"AA==\"}"];
    let raw: [&[u8]; 4] = [b"\xff", b"\x00\xff\xfe", b"\xed\xa0\x80", b"caf\xe9"];
    let every: Vec<u8> = (0..=255).collect();
    let texts = texts.iter().map(|text| text.as_bytes());
    texts.chain(raw).chain([&*every]).map(|bytes| Opaque::from(bytes.to_vec())).collect()
}

fn explanation() -> Explanation {
    let obstacle = |obstacle| RunnerExplanation { runner: RUNNER, name: "east".into(), obstacle };
    let obstacles = [
        Some(Obstacle::Pinned { to: RUNNER }),
        Some(Obstacle::Wanted { label: "gpu".into() }),
        Some(Obstacle::Full),
        None,
    ];
    let first = PoolExplanation {
        pool: POOL,
        opens_at: None,
        obstacle: None,
        position: Some(Position { ahead: 3, exact: true }),
        runners: obstacles.into_iter().map(obstacle).collect(),
        more: true,
    };
    let later = PoolExplanation {
        pool: POOL,
        opens_at: Some(AT),
        obstacle: None,
        position: None,
        runners: Vec::new(),
        more: false,
    };
    Explanation {
        job: JOB,
        state: StateView::Ready { since: AT },
        obstacle: Some(JobObstacle::Concurrency { key: "site".into(), max: 2 }),
        pools: vec![first, later],
    }
}

fn text(text: &str) -> Opaque {
    Opaque::from(text.as_bytes().to_vec())
}

fn raw() -> Opaque {
    Opaque::from(vec![0, 0xff, 0xfe, b'"'])
}

fn digest() -> Digest {
    Digest::of(b"abc")
}

fn fault() -> Fault {
    Fault::permanent("no_executor", "nobody here executes \"visit\"")
}

fn sync_full() -> SyncRequest {
    let outcomes = [
        Outcome::Passed,
        Outcome::Failed,
        Outcome::Errored(fault()),
        Outcome::TimedOut,
        Outcome::Cancelled,
        Outcome::Lapsed,
        Outcome::Lost,
    ];
    let finish = |outcome| Finish {
        token: TOKEN,
        tenant: None,
        outcome,
        result: Some(text("{\"ok\":true}")),
        result_artifact: Some(digest()),
        missing: vec!["shots/1.png".into()],
        log_end: None,
    };
    SyncRequest {
        facts: Some(facts()),
        intent: Mode::Leave,
        seen_generation: 2,
        free: 3,
        held: [Phase::Running, Phase::Cancelling].map(|phase| Held { token: TOKEN, phase }).into(),
        declined: vec![Declined { token: TOKEN, why: "no free slot".into() }],
        finishes: outcomes.map(finish).into(),
        answers: vec![
            SignalAnswer { signal: SIGNAL, answer: SignalOutcome::Result(raw()) },
            SignalAnswer { signal: SIGNAL, answer: SignalOutcome::Fault(fault()) },
        ],
        log_tails: vec![LogTail { token: TOKEN, offset: 1 << 40, bytes: raw() }],
        artifacts: vec![Attachment {
            token: TOKEN,
            name: "shots/1.png".into(),
            digest: digest(),
            length: 3,
            media_type: "image/png".into(),
        }],
        progress: vec![Progress { token: TOKEN, number: 9, text: "step 3 of 5".into() }],
        ..sync_idle(u64::MAX)
    }
}

fn facts() -> Facts {
    Facts {
        name: "east-7".into(),
        kinds: ["add".into(), "visit".into()].into(),
        labels: ["gpu".into(), "os=linux".into()].into(),
        slots: 4,
        program: "runners 0.1.0".into(),
        os: "linux".into(),
        arch: "x86_64".into(),
        cpus: 8,
        ..Facts::default()
    }
}

fn submit_full() -> SubmitRequest {
    let inline = Submission {
        spec: text("{\"kind\":\"add\"}"),
        signature: Some("c2lnbmVk".into()),
        payload: Some(raw()),
        payload_artifact: None,
    };
    let artifact = Submission { payload: None, payload_artifact: Some(digest()), ..inline.clone() };
    let run = RunSpec { run: RUN, timeout: Some(Duration::from_secs(3600)) };
    SubmitRequest { jobs: vec![inline, artifact], run: Some(run) }
}

fn signal() -> SignalRequest {
    let expires_in = Duration::from_secs(60);
    SignalRequest { id: SIGNAL, to: RUNNER.into(), kind: "ping".into(), payload: text("null"), expires_in }
}

fn read_log(grant: Option<u64>) -> ReadLogRequest {
    ReadLogRequest { job: JOB, grant, from: 1 << 40, park_for: Duration::from_secs(20) }
}

fn answer_full() -> SyncAnswer {
    let inline = Offer {
        token: TOKEN,
        tenant: None,
        attempt: 2,
        start_within: Duration::from_secs(15),
        spec: text("{\"kind\":\"add\"}"),
        signature: Some("c2lnbmVk".into()),
        payload: Some(raw()),
        payload_artifact: None,
        image: Some("shop/tests:4".into()),
    };
    let artifact = Offer { payload: None, payload_artifact: Some(digest()), ..inline.clone() };
    SyncAnswer {
        term: Some(Duration::from_millis(179_999)),
        lost: vec![TOKEN],
        cancel: vec![CancelNotice { token: TOKEN, grace: Duration::from_secs(10), requeue: false }],
        recorded: vec![TOKEN],
        fenced: vec![TOKEN],
        heard: vec![SIGNAL],
        logged: vec![Logged { token: TOKEN, offset: 12 }],
        attached: vec![Attached { token: TOKEN, name: "shots/1.png".into() }],
        offers: vec![inline, artifact],
        signals: vec![SignalDelivery {
            id: SIGNAL,
            kind: "ping".into(),
            payload: text("null"),
            expires_in: Duration::from_secs(59),
            attempt: None,
        }],
        desired: Some(Desired { generation: 3, mode: Mode::Drain, slots: Some(1), note: None }),
        send_facts: true,
        no_more: true,
        ..answer_empty(u64::MAX)
    }
}

fn refused() -> Refused {
    Refused::new(RefusalCode::Invalid, "priority 300 is over 255: lower it")
}

fn submitted() -> Submitted {
    let jobs = vec![Acceptance::Accepted(JOB), Acceptance::Repeated(JOB), Acceptance::Refused(refused())];
    Submitted { jobs }
}

fn log_page() -> LogPage {
    let chunks = vec![LogChunk { offset: 3, bytes: text("hällo\n") }, LogChunk { offset: 40, bytes: raw() }];
    LogPage { grant: 7, chunks, gaps: vec![LogGap { offset: 10, bytes: 30 }], next: 44, ended: false }
}

fn states() -> impl Iterator<Item = (&'static str, StateView)> {
    let (runner, token) = (RUNNER, TOKEN);
    [
        ("job-scheduled", StateView::Scheduled { ready_at: AT }),
        ("job-blocked", StateView::Blocked { on: 2 }),
        ("job-ready", StateView::Ready { since: AT }),
        ("job-offered", StateView::Offered { runner, token }),
        ("job-running", StateView::Running { runner, token, attempt: 2, since: AT, cancelling: true }),
    ]
    .into_iter()
    .chain(CONCLUSIONS.map(|(name, conclusion)| (name, StateView::Concluded { conclusion, at: AT })))
}

const CONCLUSIONS: [(&str, Conclusion); 7] = [
    ("job-passed", Conclusion::Passed),
    ("job-flaky", Conclusion::Flaky),
    ("job-failed", Conclusion::Failed),
    ("job-errored", Conclusion::Errored),
    ("job-timed-out", Conclusion::TimedOut),
    ("job-cancelled", Conclusion::Cancelled),
    ("job-expired", Conclusion::Expired),
];

fn job_view_bare(state: StateView) -> JobView {
    JobView {
        job: JOB,
        kind: "add".into(),
        title: None,
        pool: "default".into(),
        run: None,
        state,
        submitted_at: AT,
        attempts: Vec::new(),
        result: None,
        result_artifact: None,
        artifacts: Vec::new(),
        progress: None,
        fault: None,
    }
}

fn job_view() -> JobView {
    let attempt = AttemptView {
        number: 1,
        grant: 7,
        runner: RUNNER,
        outcome: Outcome::Errored(fault()),
        started_at: AT,
        ended_at: AT,
        missing: vec!["video.webm".into()],
    };
    let artifact = ArtifactView {
        grant: 7,
        name: "shots/1.png".into(),
        digest: digest(),
        length: 3,
        media_type: "image/png".into(),
    };
    JobView {
        title: Some("add two and two".into()),
        run: Some(RUN),
        attempts: vec![attempt],
        result: Some(raw()),
        result_artifact: Some(digest()),
        artifacts: vec![artifact],
        progress: Some("step 3 of 5".into()),
        ..job_view_bare(StateView::Ready { since: AT })
    }
}

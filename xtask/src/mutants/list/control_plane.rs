//! Mutants of the control plane: what it promises, applies, releases and gives up.

use super::Mutant;

const SYNC: &str = "runners-core/src/actors/control_plane/sync.rs";

/// The control plane, driven by hand.
const PROTOCOL: &[&str] = &["--package", "runners-core", "--features", "testing", "--test", "protocol"];

/// The control plane, driven by hand in simulated time.
const SPANS: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "spans::"];

const DRAIN: &str = "runners-core/src/actors/control_plane/drain.rs";

/// Drains and removal, driven by hand in simulated time.
const DRAINS: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "drains::"];

/// Signals, driven by hand.
const SIGNALS: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "signals::"];

/// Starts of runners, driven by hand in simulated time.
const STARTS: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "starts::"];

const RUNS: &str = "runners-core/src/actors/control_plane/runs.rs";

/// What runs tell of themselves, in simulated time.
const RUN_FEED: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "run_feed::"];

/// Logs, driven by hand in simulated time.
const LOGS: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "logs::"];

/// The clock of a server.
const CLOCK: &[&str] = &["--package", "runners-store-postgres", "--lib", "--", "clock::"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "term not backed by the stored expiry",
        file: "runners-core/src/actors/control_plane/answer.rs",
        search: "map(|at| at.since(arrival.at))",
        replacement: "map(|_| self.spans.term)",
        test: SPANS,
    },
    Mutant {
        name: "reaping right after start",
        file: "runners-core/src/actors/control_plane/reaping.rs",
        search: "Self { from: clock.boot() + term, ",
        replacement: "Self { from: clock.boot() + term * 0, ",
        test: SPANS,
    },
    Mutant {
        name: "running job that is not listed ignored",
        file: "runners-core/src/actors/control_plane/apply/item.rs",
        search: "    if live.follows {",
        replacement: "    if live.follows && live.mine.is_empty() {",
        test: PROTOCOL,
    },
    Mutant {
        name: "what a moved runner was granted meanwhile not read",
        file: SYNC,
        search: "Ok(()) => return self.load_owned(who, live).await.map(|()| None),",
        replacement: "Ok(()) => return Ok(None),",
        test: PROTOCOL,
    },
    Mutant {
        name: "spool applied after release",
        file: SYNC,
        search: "self.apply_spooled(live, &request.finishes).await?;",
        replacement: "",
        test: PROTOCOL,
    },
    Mutant {
        name: "parked call granted after its runner moved",
        file: SYNC,
        search: "is_none_or(|session| session.record.home != self.me)",
        replacement: "is_none()",
        test: PROTOCOL,
    },
    Mutant {
        name: "job made ready by another control plane not heard of",
        file: "runners-core/src/actors/control_plane/watch.rs",
        search: "self.make_ready(ReadyJob { version: found.version, record: job, payload: None });",
        replacement: "drop(job);",
        test: PROTOCOL,
    },
    Mutant {
        name: "counter of a run raised by a job that has ended",
        file: "runners-core/src/actors/control_plane/effects.rs",
        search: "is_none_or(|before| before.record.conclusion().is_none())",
        replacement: "is_some_and(|before| before.record.conclusion().is_none())",
        test: PROTOCOL,
    },
    Mutant {
        name: "clock stops in suspend",
        file: "runners-core/src/testing/simulation/machine.rs",
        search: "BootTime::from_duration(BOOT_AT_START + self.elapsed())",
        replacement: "BootTime::from_duration(BOOT_AT_START + self.worked())",
        test: &["--package", "runners-core", "--lib", "--", "testing::simulation::machine::"],
    },
    Mutant {
        name: "signal to an attempt that has ended waits until it expires",
        file: "runners-core/src/actors/control_plane/signals.rs",
        search: "attempt.is_some_and(|token| live.job(token).is_none())",
        replacement: "attempt.is_some_and(|token| live.job(token).is_none() && token.grant == 0)",
        test: SIGNALS,
    },
    Mutant {
        name: "signal not sent to a later start",
        file: SYNC,
        search: "live.signals.values_mut().for_each(|pending| pending.sent_at = None);",
        replacement: "",
        test: SIGNALS,
    },
    Mutant {
        name: "crash loop not held back",
        file: "runners-core/src/actors/control_plane/session.rs",
        search: "held_back_until: self.held_back(now),",
        replacement: "held_back_until: None,",
        test: STARTS,
    },
    Mutant {
        name: "leases of a removed runner kept",
        file: DRAIN,
        search: "self.lose_all(&mut live).await?;",
        replacement: "",
        test: DRAINS,
    },
    Mutant {
        name: "retired runner not removed",
        file: DRAIN,
        search: "if let Err(error) = plane.remove_runner(tenant, runner).await {",
        replacement: "if let (Err(error), true) = (plane.remove_runner(tenant, RunnerId::from_bytes([0; 16])).await, true) {",
        test: DRAINS,
    },
    Mutant {
        name: "drain that is over takes nothing",
        file: DRAIN,
        search: "job.stop(StopReason::Drained, now, slack).then(",
        replacement: "(job.stop(StopReason::Drained, now, slack) && slack.is_zero()).then(",
        test: DRAINS,
    },
    Mutant {
        name: "run closed over a job that was added",
        file: RUNS,
        search: "batch.add(keys::open_jobs(tenant, run), 0, Some(0));",
        replacement: "batch.add(keys::open_jobs(tenant, run), 0, None);",
        test: RUN_FEED,
    },
    Mutant {
        name: "run that nobody lived to close stays open",
        file: RUNS,
        search: "let all = more || look_at.is_none_or(|at| at <= now);",
        replacement: "let all = more && look_at.is_none_or(|at| at <= now);",
        test: RUN_FEED,
    },
    Mutant {
        name: "run closed before what its jobs told last",
        file: RUNS,
        search: "if !more && chunks.iter().all(|(first, _)| *first <= told_at) {",
        replacement: "if !more || chunks.iter().all(|(first, _)| *first <= told_at) {",
        test: RUN_FEED,
    },
    Mutant {
        name: "server's time taken from an answer that was long on its way",
        file: "runners-store-postgres/src/clock.rs",
        search: "<= self.doubt + newer.doubt",
        replacement: "<= newer.doubt",
        test: CLOCK,
    },
    Mutant {
        name: "log of a job that waits ends before it began",
        file: "runners-core/src/actors/control_plane/logs.rs",
        search: "None if named.is_none() && next == 0 => false,",
        replacement: "None if named.is_none() && next == u64::MAX => false,",
        test: LOGS,
    },
    Mutant {
        name: "call that was cut stays parked",
        file: "runners-core/src/actors/control_plane/parked.rs",
        search: "(live.parked, live.waiting) = (false, false);",
        replacement: "live.waiting = false;",
        test: PROTOCOL,
    },
    Mutant {
        name: "full artifact store never emptied",
        file: "runners-core/src/actors/control_plane/upkeep.rs",
        search: "tokio::join!(seal, self.repeat(&self.upkeep.retention, || self.removal_round()));",
        replacement: "seal.await;\n        self.repeat(&self.upkeep.retention, || self.removal_round()).await;",
        test: PROTOCOL,
    },
    Mutant {
        name: "runner that has drained and gone waits to be retired",
        file: "runners-core/src/actors/control_plane/drain.rs",
        search: "let is_free = is_over && live.mine.is_empty();",
        replacement: "let is_free = is_over && !live.mine.is_empty();",
        test: PROTOCOL,
    },
];

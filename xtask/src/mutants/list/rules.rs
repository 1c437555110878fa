//! Mutants of the pure rules: fencing, what an attempt costs, which session is listened to.

use super::Mutant;

const LIFECYCLE: &str = "runners-core/src/rules/lifecycle.rs";
const SETTLEMENT: &str = "runners-core/src/rules/settlement.rs";
const ADMISSION: &str = "runners-core/src/rules/admission.rs";
const JOB: &str = "runners-core/src/rules/job.rs";

/// The tests of the pure rules.
const RULES: &[&str] = &["--package", "runners-core", "--lib", "--", "rules::"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "finish unfenced: any token of the job is taken",
        file: LIFECYCLE,
        search: "if finish.token != self.token() {",
        replacement: "if finish.token.job != self.id {",
        test: RULES,
    },
    Mutant {
        name: "finish accepted from another session",
        file: LIFECYCLE,
        search: "if by != session {",
        replacement: "if by != session && self.grant == 0 {",
        test: RULES,
    },
    Mutant {
        name: "repeated finish accepted whoever sends it",
        file: LIFECYCLE,
        search: "let same = ended.by == session\n                && ended.outcome",
        replacement: "let same = ended.outcome",
        test: RULES,
    },
    Mutant {
        name: "repeated finish may tell another result",
        file: LIFECYCLE,
        search: "\n                && ended.result_digest == result_digest",
        replacement: "",
        test: RULES,
    },
    Mutant {
        name: "re-offer keeps the grant number",
        file: LIFECYCLE,
        search: "self.grant += 1;",
        replacement: "self.grant = 1;",
        test: RULES,
    },
    Mutant {
        name: "offer of a job that another session holds",
        file: LIFECYCLE,
        search: "let State::Ready { ready_at } = self.state else { return Err(Fenced) };",
        replacement: "let (State::Ready { ready_at } | State::Offered { ready_at, .. }) = self.state \
                      else { return Err(Fenced) };",
        test: RULES,
    },
    Mutant {
        name: "confirmation unfenced",
        file: LIFECYCLE,
        search: "State::Offered { to, .. } if to == session && token == self.token() => {",
        replacement: "State::Offered { to, .. } if token.job == self.id && session == session => {",
        test: RULES,
    },
    Mutant {
        name: "decline unfenced",
        file: LIFECYCLE,
        search: "State::Offered { to, ready_at, .. } if to == session && token == self.token() => {",
        replacement: "State::Offered { ready_at, .. } if token.job == self.id && session == session => {",
        test: RULES,
    },
    Mutant {
        name: "a session loses what another one runs",
        file: LIFECYCLE,
        search: "State::Running { by, attempt, started_at, stop, .. } if by == session => {",
        replacement: "State::Running { by, attempt, started_at, stop, .. } if by == session || by != session => {",
        test: RULES,
    },
    Mutant {
        name: "run clock starts at the offer",
        file: LIFECYCLE,
        search: "deadline: now + self.terms.timeout + start_within,",
        replacement: "deadline: now + self.terms.timeout,",
        test: RULES,
    },
    Mutant {
        name: "cancel of a running job ignored",
        file: LIFECYCLE,
        search: "*stop = Some(Stop { reason, until: from + self.terms.grace + slack });\n                true",
        replacement: "let _ = (&stop, slack, Stop { reason, until: from });\n                false",
        test: RULES,
    },
    Mutant {
        name: "cancel of a waiting job ignored",
        file: LIFECYCLE,
        search: "self.conclude(reason.conclusion(), now);\n                true",
        replacement: "false",
        test: RULES,
    },
    Mutant {
        name: "repeated cancel prolongs the grace",
        file: LIFECYCLE,
        search: "State::Running { stop: Some(stop), .. } if !stop.reason.yields_to(reason) => false,",
        replacement: "",
        test: RULES,
    },
    Mutant {
        name: "concluded job concluded again",
        file: LIFECYCLE,
        search: "State::Concluded { .. } => false,",
        replacement: "State::Concluded { .. } => { self.conclude(reason.conclusion(), now); true }",
        test: RULES,
    },
    Mutant {
        name: "lapsed offer costs the queue position",
        file: LIFECYCLE,
        search: "State::Offered { to, ready_at, .. } => {\n                self.state = State::Ready { ready_at };",
        replacement: "State::Offered { to, .. } => {\n                self.state = State::Ready { ready_at: now };",
        test: RULES,
    },
    Mutant {
        name: "silent runner told to stop is waited for for ever",
        file: LIFECYCLE,
        search: "self.lose(by, now, chance).expect(\"it is held by that very session\");\n",
        replacement: "let _ = by;\n",
        test: RULES,
    },
    Mutant {
        name: "job expires after its first start",
        file: LIFECYCLE,
        search: "self.attempts.is_empty() && self.terms.queue_until",
        replacement: "self.terms.queue_until",
        test: RULES,
    },
    Mutant {
        name: "blocked job released by the first of several",
        file: LIFECYCLE,
        search: "} else if *on > 1 {",
        replacement: "} else if *on > 64 {",
        test: RULES,
    },
    Mutant {
        name: "blocked job released by a job that failed",
        file: LIFECYCLE,
        search: "if !passed {",
        replacement: "if !passed && *on > 64 {",
        test: RULES,
    },
    Mutant {
        name: "running job has no deadline",
        file: JOB,
        search: "Some(stop.map_or(*deadline, |stop| stop.until))",
        replacement: "stop.map(|stop| stop.until.max(*deadline))",
        test: RULES,
    },
    Mutant {
        name: "lost attempt never requeued",
        file: SETTLEMENT,
        search: "if lost < policy.losses_max {",
        replacement: "if lost > policy.losses_max {",
        test: RULES,
    },
    Mutant {
        name: "attempts stopped for their deadline are not counted",
        file: SETTLEMENT,
        search: "Outcome::Cancelled => attempt.stop != Some(StopReason::Deadline),",
        replacement: "Outcome::Cancelled => true,",
        test: RULES,
    },
    Mutant {
        name: "losses count as attempts",
        file: SETTLEMENT,
        search: "u32::try_from(attempts.len()).unwrap_or(u32::MAX) - lost - count",
        replacement: "u32::try_from(attempts.len()).unwrap_or(u32::MAX) - count",
        test: RULES,
    },
    Mutant {
        name: "cancelled job tried again",
        file: SETTLEMENT,
        search: "(StopReason::Requested | StopReason::RunDeadline)) = newest.stop {",
        replacement: "StopReason::RunDeadline) = newest.stop {",
        test: RULES,
    },
    Mutant {
        name: "permanent fault tried again",
        file: SETTLEMENT,
        search: "Outcome::Errored(fault) if fault.retryable && tries_left => again,",
        replacement: "Outcome::Errored(_) if tries_left => again,",
        test: RULES,
    },
    Mutant {
        name: "failed verdict tried again unasked",
        file: SETTLEMENT,
        search: "Outcome::Failed if policy.failed && tries_left => again,",
        replacement: "Outcome::Failed if tries_left => again,",
        test: RULES,
    },
    Mutant {
        name: "a smaller incarnation accepted",
        file: ADMISSION,
        search: "if incarnation < session.incarnation {",
        replacement: "if incarnation == session.incarnation && seq == 0 {",
        test: RULES,
    },
    Mutant {
        name: "an overtaken request is listened to",
        file: ADMISSION,
        search: "} else if seq <= last || seq <= session.floor {",
        replacement: "} else if seq <= session.floor {",
        test: RULES,
    },
    Mutant {
        name: "a request from before the move is listened to",
        file: ADMISSION,
        search: "} else if seq <= last || seq <= session.floor {",
        replacement: "} else if seq <= last {",
        test: RULES,
    },
    Mutant {
        name: "attempt that a drain took back counts",
        file: "runners-core/src/rules/settlement.rs",
        search: "attempt.stop == Some(StopReason::Drained)",
        replacement: "attempt.stop == Some(StopReason::Requested)",
        test: RULES,
    },
    Mutant {
        name: "verdict within the grace of a drain does not count",
        file: "runners-core/src/rules/settlement.rs",
        search: "&& !matches!(attempt.outcome, Outcome::Passed | Outcome::Failed)",
        replacement: "",
        test: RULES,
    },
    Mutant {
        name: "time of a crash loop does not grow",
        file: "runners-core/src/rules/crash_loop.rs",
        search: "HOLD.saturating_mul(1 << self.times.min(16))",
        replacement: "HOLD",
        test: RULES,
    },
];

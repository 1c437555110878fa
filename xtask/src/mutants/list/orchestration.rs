//! Mutants of the orchestrator: what is repeated after a restart, how much is under way at once, and
//! what is kept of a run that is stopped.

use super::Mutant;

const DRIVE: &str = "runners-core/src/actors/orchestrator/drive.rs";

/// The orchestrator over scripted regions, in simulated time.
const ORCHESTRATOR: &[&str] =
    &["--package", "runners-core", "--features", "orchestrator", "--lib", "--", "orchestrat"];

const FETCH: &str = "runners-region-http/src/fetch.rs";

/// What checks of regions over HTTP left.
const LEFT: &[&str] = &["--package", "runners-region-http", "--test", "regions", "--", "left"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "one call more than the window has room for",
        file: DRIVE,
        search: "while (self.calls.len() as u64) < window",
        replacement: "while (self.calls.len() as u64) <= window",
        test: ORCHESTRATOR,
    },
    Mutant {
        name: "what was under way at a crash never begins again",
        file: "runners-core/src/actors/orchestrator/ledger.rs",
        search: "course.forget_what_is_under_way();",
        replacement: "",
        test: ORCHESTRATOR,
    },
    Mutant {
        name: "jobs of two runs of one name are the same jobs",
        file: "runners-core/src/rules/orchestration/course.rs",
        search: "&b\"orchestrated job\"[..], &seed,",
        replacement: "&b\"orchestrated job\"[..],",
        test: ORCHESTRATOR,
    },
    Mutant {
        name: "a commit that was applied though nobody was told is taken for somebody else's",
        file: "runners-core/src/actors/orchestrator/drive/journal.rs",
        search: "Some(found) if found.version == self.version => Ok(false),",
        replacement: "Some(found) if found.version <= self.version + 1 => Ok(false),",
        test: ORCHESTRATOR,
    },
    Mutant {
        name: "jobs that were stopped have no end in the journal",
        file: "runners-core/src/rules/orchestration/course.rs",
        search: "RunHappening::RunEnded { state, error: Some(error), .. } => self.stop(state, &error, at),",
        replacement: "",
        test: ORCHESTRATOR,
    },
    Mutant {
        name: "a region is called again sooner than it says",
        file: "runners-core/src/actors/orchestrator/call.rs",
        search: "then(|| chosen.max(*after + part))",
        replacement: "then_some(chosen)",
        test: ORCHESTRATOR,
    },
    Mutant {
        name: "jobs of a pool go on after their run",
        file: "runners-core/src/actors/orchestrator/pool.rs",
        search: "call.time_left.map(|left| left + STOP_MARGIN)",
        replacement: "call.time_left.map(|left| left * 1000)",
        test: ORCHESTRATOR,
    },
    Mutant {
        name: "what a region is called with goes wherever it says that something was left",
        file: FETCH,
        search: "is_own &= url.origin() == self.execute.origin();",
        replacement: "is_own &= url.has_host();",
        test: LEFT,
    },
    Mutant {
        name: "what a region left is fetched from where no call may lead",
        file: FETCH,
        search: "self.egress.check(url.as_str()).map_err(|error| forbidden(&error))?;",
        replacement: "",
        test: LEFT,
    },
    Mutant {
        name: "bytes are kept for what a region names by another digest",
        file: "runners-region-http/src/left.rs",
        search: "self.digest.filter(|expected| *expected != digest)",
        replacement: "self.digest.filter(|_| false)",
        test: LEFT,
    },
];

//! Mutants of who gets which job: shares, limits, further pools and unique keys.

use super::Mutant;

const ORDER: &str = "runners-core/src/rules/schedule/order.rs";
const EFFECTS: &str = "runners-core/src/actors/control_plane/effects.rs";

/// The tests of the schedule.
const SCHEDULE: &[&str] = &["--package", "runners-core", "--lib", "--", "rules::schedule::"];

/// The control plane, driven by hand in simulated time.
const SHARING: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "sharing::"];

/// The control plane, driven by hand.
const UNIQUE: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "unique::"];

/// The ready jobs that are kept in memory.
const WINDOW: &[&str] = &["--package", "runners-core", "--lib", "--", "rules::window::"];

/// A store that answers late, driven by hand.
const LATE: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "late::"];

/// What is granted in the batch that applies a sync, driven by hand.
const ALONG: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "along::"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "fairness ignored",
        file: ORDER,
        search: "u64::try_from(running).unwrap_or(0) * SHARE_OF_ONE",
        replacement: "u64::try_from(running).unwrap_or(0) * 0 * SHARE_OF_ONE",
        test: SCHEDULE,
    },
    Mutant {
        name: "key passed over for ever",
        file: ORDER,
        search: "turn - last >= Fairness::PASSED_OVER_MAX",
        replacement: "turn - last >= Fairness::PASSED_OVER_MAX * 9",
        test: SCHEDULE,
    },
    Mutant {
        name: "runners that are alike told apart by their names",
        file: "runners-core/src/rules/eligibility.rs",
        search: "let asked = (&facts.kinds, &facts.labels);",
        replacement: "let asked = (&facts.kinds, &facts.labels, &facts.name);",
        test: SCHEDULE,
    },
    Mutant {
        name: "job behind another explained as the next",
        file: "runners-core/src/rules/schedule/explain.rs",
        search: "return Some(Position { ahead, exact });",
        replacement: "return Some(Position { ahead: ahead / 2, exact });",
        test: SCHEDULE,
    },
    Mutant {
        name: "limit not given back",
        file: EFFECTS,
        search: "                    batch.add(counter, -1, None);",
        replacement: "                    batch.add(counter, 0, None);",
        test: SHARING,
    },
    Mutant {
        name: "wait for the preferred pool ignored",
        file: "runners-core/src/rules/job/terms.rs",
        search: "lane: lane[0].id, after: fallback.after }",
        replacement: "lane: lane[0].id, after: fallback.after * 0 }",
        test: SHARING,
    },
    Mutant {
        name: "unique key kept after its job has ended",
        file: EFFECTS,
        search: "batch.delete(UniqueRecord::job_key(self.after.tenant, unique), UNIQUE_VERSION);",
        replacement: "let _ = (unique, UNIQUE_VERSION, UniqueRecord::job_key);",
        test: UNIQUE,
    },
    Mutant {
        name: "job granted in the batch that changes it",
        file: "runners-core/src/actors/control_plane/grant.rs",
        search: "mine || changes.contains(&job.key())",
        replacement: "mine && changes.contains(&job.key()) && changes.is_empty()",
        test: ALONG,
    },
    Mutant {
        name: "horizon drawn in under a page that is being read",
        file: "runners-core/src/rules/window.rs",
        search: "self.doubted |= self.reading;",
        replacement: "",
        test: WINDOW,
    },
    Mutant {
        name: "commit that arrives after its caller hung up not looked for",
        file: EFFECTS,
        search: "                    plane.doubt_all(&lanes, &counters);\n",
        replacement: "",
        test: LATE,
    },
    Mutant {
        name: "older change of a runner told after a later one",
        file: "runners-core/src/actors/management/runners.rs",
        search: "is_none_or(|known| known.version < changed.version)",
        replacement: "is_none_or(|known| known.version != changed.version)",
        test: LATE,
    },
    Mutant {
        name: "limit of a counter one too high in the store",
        file: EFFECTS,
        search: "batch.add(counter, 1, max);",
        replacement: "batch.add(counter, 1, max.map(|max| max + 1));",
        test: LATE,
    },
];

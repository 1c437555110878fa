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
        search: "(turn - last >= Fairness::PASSED_OVER_MAX)",
        replacement: "(turn - last >= Fairness::PASSED_OVER_MAX * 9)",
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
];

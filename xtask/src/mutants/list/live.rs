//! Mutants of live views: who may look and act, what a slow viewer costs, what nobody looks at.

use super::Mutant;

const RULES: &str = "runners-core/src/rules/live.rs";

/// Live views in one process, in simulated time.
const LIVE: &[&str] =
    &["--package", "runners-core", "--features", "testing", "--test", "protocol", "--", "live::"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "pictures without end for a slow viewer",
        file: "runners-core/src/rules/live/credit.rs",
        search: "self.under_way.len() < CREDIT",
        replacement: "self.under_way.len() < 1000 * CREDIT",
        test: LIVE,
    },
    Mutant {
        name: "source that runs with nobody looking",
        file: RULES,
        search: "looking.map(|viewer| viewer.wish).reduce(FrameWish::or_more)",
        replacement: "looking.map(|viewer| viewer.wish).reduce(FrameWish::or_more).or(Some(self.wish_max))",
        test: LIVE,
    },
    Mutant {
        name: "inputs of those without control",
        file: RULES,
        search: "let problem = if self.controller != Some(viewer) {",
        replacement: "let problem = if self.controller.is_none() {",
        test: LIVE,
    },
    Mutant {
        name: "grant that is good for ever",
        file: "runners-core/src/rules/view_grant.rs",
        search: "if claims.until <= now {",
        replacement: "if claims.until <= Timestamp::default() {",
        test: LIVE,
    },
    Mutant {
        name: "stream shown by any runner",
        file: "runners-core/src/actors/control_plane/live/source.rs",
        search: "(stream.opening.host, stream.opening.runner) == (host, runner)",
        replacement: "stream.opening.host == host || stream.opening.runner == runner",
        test: LIVE,
    },
    Mutant {
        name: "live view of a tenant that has none",
        file: "runners-core/src/actors/control_plane/live.rs",
        search: "!lock(&self.rollout).of(tenant).relay",
        replacement: "lock(&self.suspended).contains(&tenant)",
        test: LIVE,
    },
    Mutant {
        name: "stuck source left alone",
        file: "runners-core/src/actors/runner/camera.rs",
        search: "() = sleep(clock, span) => Err(",
        replacement: "() = sleep(clock, span * 10_000) => Err(",
        test: LIVE,
    },
];

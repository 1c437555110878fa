//! Mutants of the runner: how long it trusts a lease, and which reply it believes.

use super::Mutant;

const KEEPER: &str = "runners-core/src/actors/keeper.rs";
const REPLY: &str = "runners-core/src/actors/runner/session/reply.rs";

/// The tests of the lease keeper and of the runner's session.
const RUNNER: &[&str] =
    &["--package", "runners-core", "--lib", "--", "actors::keeper::", "actors::runner::session::"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "keeper never stops trusting",
        file: KEEPER,
        search: "(self.clock.boot(), self.lease.trusted_until());",
        replacement: "(self.clock.boot(), self.lease.trusted_until() + Duration::from_secs(86_400));",
        test: RUNNER,
    },
    Mutant {
        name: "trust has no margin",
        file: KEEPER,
        search: "let margin = term / Self::MARGIN_PARTS;",
        replacement: "let margin = term / Self::MARGIN_PARTS / 1_000_000;",
        test: RUNNER,
    },
    Mutant {
        name: "term counted from the reply",
        file: REPLY,
        search: "news |= self.renewed(sent, seq, term, &answer.lost);",
        replacement: "let sent = &Sent { asked: now, ..sent.clone() };\n            \
                      news |= self.renewed(sent, seq, term, &answer.lost);",
        test: RUNNER,
    },
    Mutant {
        name: "offers taken from an older reply",
        file: REPLY,
        search: "let fresh = seq >= self.newest;",
        replacement: "let fresh = seq >= self.newest || seq < self.newest;",
        test: RUNNER,
    },
    Mutant {
        name: "a lost attempt goes on",
        file: REPLY,
        search: "self.effects.push(Effect::Stop(token, Stop { why: StopReason::Lost, grace: None }));",
        replacement: "",
        test: RUNNER,
    },
    Mutant {
        name: "signal carried out again",
        file: "runners-core/src/actors/runner/signals.rs",
        search: "if full || !self.seen.insert(signal) {",
        replacement: "if full || (!self.seen.insert(signal) && self.responding.contains(&signal)) {",
        test: &["--package", "runners-core", "--lib", "--", "actors::runner::signals::"],
    },
];

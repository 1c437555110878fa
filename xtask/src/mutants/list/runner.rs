//! Mutants of the runner: how long it trusts a lease, which reply and which job it believes, and what
//! it keeps to itself.

use super::Mutant;

const KEEPER: &str = "runners-core/src/actors/keeper.rs";
const REPLY: &str = "runners-core/src/actors/runner/session/reply.rs";

const EXECUTION: &str = "runners-core/src/actors/runner/execution.rs";
const SIGNATURE: &str = "runners-core/src/rules/signature.rs";
const REDACTION: &str = "runners-core/src/rules/redaction.rs";
const TENURE: &str = "runners-core/src/actors/runner/session/tenure.rs";

/// The tests of the lease keeper and of the runner's session.
const RUNNER: &[&str] =
    &["--package", "runners-core", "--lib", "--", "actors::keeper::", "actors::runner::session::"];

/// The tests of what a runner executes, and of what it tells.
const EXECUTED: &[&str] =
    &["--package", "runners-core", "--lib", "--", "actors::runner::tests::", "rules::signature::"];
/// The tests of what is taken out of a text.
const REDACTED: &[&str] = &["--package", "runners-core", "--lib", "--", "rules::redaction::"];

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
    Mutant {
        name: "payload digest unchecked",
        file: EXECUTION,
        search: "if Digest::of(&bytes) != expected {",
        replacement: "if Digest::of(&bytes) != expected && bytes.is_empty() {",
        test: EXECUTED,
    },
    Mutant {
        name: "signature unchecked",
        file: SIGNATURE,
        search: "if !keys.any(|(_, key)| key.verifies(bytes, signature)) {",
        replacement: "if !keys.any(|(_, key)| key.verifies(bytes, signature) || !bytes.is_empty()) {",
        test: EXECUTED,
    },
    Mutant {
        name: "audience unchecked",
        file: SIGNATURE,
        search: "self.check_audience(spec)?;",
        replacement: "",
        test: EXECUTED,
    },
    Mutant {
        name: "redactor forgets the end of a piece",
        file: REDACTION,
        search: "let end = needles.undecided(&self.pending);",
        replacement: "let end = self.pending.len();",
        test: REDACTED,
    },
    Mutant {
        name: "a single use ends only with its job",
        file: TENURE,
        search: "over: single_use && used,",
        replacement: "over: single_use && used && idle_exit.is_some(),",
        test: EXECUTED,
    },
    Mutant {
        name: "short offer never trusted",
        file: KEEPER,
        search: "Self::OFFER_MARGIN.min(start_within / Self::OFFER_MARGIN_PARTS)",
        replacement: "Self::OFFER_MARGIN.min(start_within)",
        test: RUNNER,
    },
    Mutant {
        name: "call parked after trouble",
        file: "runners-core/src/actors/runner/session/body.rs",
        search: "if self.connected { self.pacing.park_for() }",
        replacement: "if self.newest > 0 { self.pacing.park_for() }",
        test: RUNNER,
    },
];

//! Mutants of what jobs leave: their logs, their artifacts, and who is told of them.

use super::Mutant;

/// The control plane, driven by hand in simulated time.
const PROTOCOL: &[&str] = &["--package", "runners-core", "--features", "testing", "--test", "protocol"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "artifact collected although a record names it",
        file: "runners-core/src/actors/control_plane/collect.rs",
        search: "Ok(!rows.is_empty())",
        replacement: "Ok(rows.len() > 1)",
        test: PROTOCOL,
    },
    Mutant {
        name: "artifact of a running job removed",
        file: "runners-core/src/actors/control_plane/retention.rs",
        search: "is_none_or(|job| job.record.conclusion().is_some())",
        replacement: "is_none_or(|_| true)",
        test: PROTOCOL,
    },
    Mutant {
        name: "more artifacts taken than the quota has room for",
        file: "runners-core/src/actors/control_plane/counted.rs",
        search: "limit.filter(|_| delta > 0)",
        replacement: "limit.filter(|_| delta > 1_000_000)",
        test: PROTOCOL,
    },
    Mutant {
        name: "artifact that is removed goes on counting",
        file: "runners-core/src/rules/record/holding.rs",
        search: "self.stored = length;",
        replacement: "self.stored = length.or(self.stored);",
        test: PROTOCOL,
    },
    Mutant {
        name: "pieces of an upload that nobody goes on with kept for ever",
        file: "runners-core/src/actors/control_plane/counted.rs",
        search: "self.inner.forget_upload(key, length).await?;",
        replacement: "let _ = length;",
        test: PROTOCOL,
    },
    Mutant {
        name: "gap in a log not marked",
        file: "runners-core/src/rules/log.rs",
        search: "self.miss(self.end, begin);",
        replacement: "",
        test: PROTOCOL,
    },
    Mutant {
        name: "webhook may call this machine",
        file: "runners-core/src/values/address/class.rs",
        search: "if METADATA_4.contains(&address) {\n        AddressClass::Metadata\n    } else if address.is_loopback() {\n        AddressClass::Loopback",
        replacement: "if METADATA_4.contains(&address) {\n        AddressClass::Metadata\n    } else if address.is_loopback() {\n        AddressClass::Public",
        test: &["--package", "runners-core", "--lib", "--", "values::address::"],
    },
    Mutant {
        name: "event that is told while its feed is read missed",
        file: "runners-core/src/actors/control_plane/feed.rs",
        search: "map_or(numbers.last + 1, |(first, _)| *first)",
        replacement: "map_or(u64::MAX, |(first, _)| *first)",
        test: &["--package", "runners-core", "--lib", "--", "actors::control_plane::feed::"],
    },
];

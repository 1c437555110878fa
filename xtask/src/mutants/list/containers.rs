//! Mutants of containers: what keeps them apart from their machine, and what removes them.

use super::Mutant;

/// What does without an engine.
const LIBRARY: &[&str] = &["--package", "runners-exec-container", "--lib"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "containers: capabilities kept",
        file: "runners-exec-container/src/plan.rs",
        search: "cap_drop: Some(vec![\"ALL\".to_owned()])",
        replacement: "cap_drop: Some(Vec::new())",
        test: LIBRARY,
    },
    Mutant {
        name: "containers: socket of the engine mounted with its folder",
        file: "runners-exec-container/src/mount.rs",
        search: "if socket.starts_with(&real)",
        replacement: "if socket == real",
        test: LIBRARY,
    },
    Mutant {
        name: "containers: mount judged by its name",
        file: "runners-exec-container/src/mount.rs",
        search: "let real = fs::canonicalize(&mount.source)",
        replacement: "let real = fs::metadata(&mount.source).map(|_| PathBuf::from(&mount.source))",
        test: LIBRARY,
    },
    Mutant {
        name: "containers: mount below a folder that jobs write to",
        file: "runners-exec-container/src/mount.rs",
        search: "if let Some(folder) = around(&real) {",
        replacement: "if let Some(folder) = around(&real).filter(|_| mount.writable) {",
        test: LIBRARY,
    },
    Mutant {
        name: "containers: removal that failed taken for one that did not",
        file: "runners-exec-container/src/guard.rs",
        search: "removal::remove(&self.engine, &self.made).await?;",
        replacement: "removal::remove(&self.engine, &self.made).await.unwrap_or_default();",
        test: LIBRARY,
    },
    Mutant {
        name: "containers: demanded digest not looked at",
        file: "runners-exec-container/src/policy.rs",
        search: "if self.demand_digests && !image.has_digest()",
        replacement: "if self.demand_digests && image.as_str().is_empty()",
        test: LIBRARY,
    },
];

//! Mutants of browsers: where they may go, what becomes of those that die, and when they end.

use super::Mutant;

const GATE: &str = "runners-exec-webdriver/src/driver/gate.rs";

/// The gate, asked as a browser does.
const ASKED: &[&str] = &["--package", "runners-exec-webdriver", "--lib", "--", "driver::gate::"];
/// Browsers that are only thought of.
const CLOSING: &[&str] = &["--package", "runners-exec-webdriver", "--lib", "--", "executor::closing::"];
/// Real browsers.
const CALLS: &[&str] = &["--package", "runners-exec-webdriver", "--test", "browser", "--", "calls::"];
const LOST: &[&str] = &["--package", "runners-exec-webdriver", "--test", "browser", "--", "lost::"];

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "gate: address that a name leads to not checked",
        file: GATE,
        search: "match self.egress.check_address(address.ip()) {",
        replacement: "match self.egress.check_address(address.ip()).or(Ok::<(), EgressError>(())) {",
        test: ASKED,
    },
    Mutant {
        name: "gate: host that is not listed looked up",
        file: GATE,
        search: "        self.check(host, port)?;\n",
        replacement: "        let _ = self.check(host, port);\n",
        test: ASKED,
    },
    Mutant {
        name: "gate: anything that is asked for taken for connecting",
        file: GATE,
        search: "(command == CONNECT)",
        replacement: "(command >= CONNECT)",
        test: ASKED,
    },
    Mutant {
        name: "gate: place told as not reached although it was since",
        file: GATE,
        search: "                self.forget(&host, port);\n                browser",
        replacement: "                browser",
        test: ASKED,
    },
    Mutant {
        name: "call of a page goes past the gate",
        file: "runners-exec-webdriver/src/driver/managed.rs",
        search: "proxy.into_iter().chain(PROXIED_CALLS.iter().map(ToString::to_string))",
        replacement: "proxy.into_iter().chain(PROXIED_CALLS.iter().take(0).map(ToString::to_string))",
        test: CALLS,
    },
    Mutant {
        name: "page whose process died taken for a verdict",
        file: "runners-exec-webdriver/src/browser/webdriver.rs",
        search: "_ if is_gone(&code) || is_gone(&message) => Self::Gone { source: message.into() },",
        replacement: "_ if is_gone(\"\") => Self::Gone { source: message.into() },",
        test: LOST,
    },
    Mutant {
        name: "result waits until its browser has ended",
        file: "runners-exec-webdriver/src/executor/closing.rs",
        search: "if poll!(&mut closing).is_pending() {",
        replacement: "(&mut closing).await;\n        if false {",
        test: CLOSING,
    },
    Mutant {
        name: "browsers that end slowly pile up",
        file: "runners-exec-webdriver/src/executor/closing.rs",
        search: "Semaphore::new(CLOSING_MAX)",
        replacement: "Semaphore::new(CLOSING_MAX * 9)",
        test: CLOSING,
    },
];

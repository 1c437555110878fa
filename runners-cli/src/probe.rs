//! What a runner finds out at its start, so that jobs can ask for it: what its browser can do, and whether
//! the clocks of this machine and of the control plane agree.

use crate::{args::TrustArgs, local::LocalBrowser, terminal};
use anyhow::{Context as _, Result};
use runners_core::{Clock, SystemClock};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, time::Duration};

/// How long the control plane may take to say what time it is.
const TIME_WITHIN: Duration = Duration::from_secs(5);
/// How far apart two clocks may be that agree. The control plane tells whole seconds.
const DRIFT_MAX: Duration = Duration::from_secs(3);

/// What was found out.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What the runner is labelled with.
    pub(crate) labels: BTreeSet<String>,
    /// The browser, with its version.
    pub(crate) browser: Option<(String, String)>,
    /// The browser, with what draws WebGL in it.
    pub(crate) renderer: Option<(String, String)>,
    /// How many milliseconds the clock of this machine is ahead of the control plane's.
    pub(crate) clock_drift_ms: Option<i64>,
    /// What is worth telling, with an event for programs.
    pub(crate) told: Vec<(String, Value)>,
}

/// Finds out what there is, within a bounded time. Trouble is told, and leaves labels out.
pub(crate) async fn find_out(browser: &LocalBrowser, server: Option<(&str, &TrustArgs)>) -> Found {
    let mut found = Found { browser: browser.version().await, ..Found::default() };
    match browser.probe().await {
        Ok(probe) => {
            found.labels = probe.labels();
            if let (None, Some(engine)) = (&found.browser, probe.engine) {
                found.browser = Some((engine.to_string(), probe.version.clone()));
            }
            if let (Some((browser, _)), Some(renderer)) = (&found.browser, probe.webgl.renderer()) {
                found.renderer = Some((browser.clone(), renderer.to_owned()));
            }
            let name = probe.engine.map_or("the browser", runners_exec_webdriver::Engine::name);
            let text = format!("{name} {}, WebGL {}", probe.version, probe.webgl);
            let event = json!({
                "event": "probed", "browser": name, "version": probe.version, "found": probe.described(),
                "labels": found.labels,
            });
            found.told.push((text, event));
        }
        Err(error) => {
            let error = terminal::chain(&error.into());
            let text = format!("not labelled with what the browser can do: {error}");
            found.told.push((text, json!({ "event": "not_probed", "error": error })));
        }
    }
    if let Some((server, trust)) = server {
        match drift(server, trust).await {
            Ok(drift_ms) => found.take_drift(drift_ms, server),
            // Whoever cannot be reached is told of by the runner itself.
            Err(error) => {
                tracing::debug!(error = terminal::chain(&error), "the time of the server is not known");
            }
        }
    }
    found
}

impl Found {
    fn take_drift(&mut self, drift_ms: i64, server: &str) {
        self.clock_drift_ms = Some(drift_ms);
        let apart = Duration::from_millis(drift_ms.unsigned_abs());
        if apart <= DRIFT_MAX {
            self.labels.insert("clock=agrees".to_owned());
            return;
        }
        let seconds = apart.as_secs();
        let text = format!("the clocks of this machine and of {server} are {seconds} s apart");
        self.told.push((text, json!({ "event": "clock_drifts", "seconds": seconds })));
        self.labels.insert("clock=drifts".to_owned());
    }
}

/// How many milliseconds our clock is ahead of that of a server, as exact as the seconds that it tells.
async fn drift(server: &str, trust: &TrustArgs) -> Result<i64> {
    let mut builder = reqwest::Client::builder().timeout(TIME_WITHIN);
    if let Some(file) = &trust.ca_file {
        for certificate in reqwest::Certificate::from_pem_bundle(&fs::read(file)?)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    let answer = builder.build()?.head(server).send().await?;
    let here = SystemClock::default().wall();
    let date = answer.headers().get(reqwest::header::DATE).context("it does not say what time it is")?;
    Ok(ahead(here.as_millis(), seconds(date.to_str()?)?))
}

/// How far a time in milliseconds is ahead of one in whole seconds: to the second, so that a clock that
/// agrees is told as such at every start.
fn ahead(here_ms: u64, there_seconds: u64) -> i64 {
    let apart = i128::from(here_ms / 1000) - i128::from(there_seconds);
    i64::try_from(apart * 1000).unwrap_or(if apart > 0 { i64::MAX } else { i64::MIN })
}

/// The seconds since 1970 of a date of HTTP.
fn seconds(date: &str) -> Result<u64> {
    let date = jiff::fmt::rfc2822::parse(date)?;
    Ok(u64::try_from(date.timestamp().as_second())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_is_read() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT").unwrap(), 784_111_777);
        assert!(seconds("yesterday").is_err());
    }

    #[test]
    fn a_drift_is_kept_with_its_sign_and_labelled_by_its_size() {
        assert_eq!((ahead(10_999, 10), ahead(14_000, 10), ahead(6_100, 10)), (0, 4000, -4000));
        let found = |drift_ms| {
            let mut found = Found::default();
            found.take_drift(drift_ms, "http://server");
            (found.clock_drift_ms, found.labels.into_iter().next().unwrap())
        };
        assert_eq!(found(-2000), (Some(-2000), "clock=agrees".to_owned()));
        assert_eq!(found(-4000), (Some(-4000), "clock=drifts".to_owned()));
    }
}

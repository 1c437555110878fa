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
            Ok(apart) if apart <= DRIFT_MAX => drop(found.labels.insert("clock=agrees".to_owned())),
            Ok(apart) => {
                let seconds = apart.as_secs();
                let text = format!("the clocks of this machine and of {server} are {seconds} s apart");
                found.told.push((text, json!({ "event": "clock_drifts", "seconds": seconds })));
                found.labels.insert("clock=drifts".to_owned());
            }
            // Whoever cannot be reached is told of by the runner itself.
            Err(error) => {
                tracing::debug!(error = terminal::chain(&error), "the time of the server is not known");
            }
        }
    }
    found
}

/// How far the clock of a server is from ours.
async fn drift(server: &str, trust: &TrustArgs) -> Result<Duration> {
    let mut builder = reqwest::Client::builder().timeout(TIME_WITHIN);
    if let Some(file) = &trust.ca_file {
        for certificate in reqwest::Certificate::from_pem_bundle(&fs::read(file)?)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    let answer = builder.build()?.head(server).send().await?;
    let here = SystemClock::default().wall();
    let date = answer.headers().get(reqwest::header::DATE).context("it does not say what time it is")?;
    let there = seconds(date.to_str()?)?;
    Ok(Duration::from_millis(here.as_millis().abs_diff(there.saturating_mul(1000))))
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
}

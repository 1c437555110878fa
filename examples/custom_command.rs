//! A command with a verdict of its own: a link check that logs, says how far it is, leaves an
//! artifact, and is tried again when it fails.
//!
//! `cargo run -p runners-examples --example custom_command`

use futures::StreamExt as _;
use runners_core::{Followed, prelude::*};
use serde::{Deserialize, Serialize};
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// What to do: plain data.
#[derive(Debug, Serialize, Deserialize)]
struct CheckLinks {
    page: String,
    links: Vec<String>,
}

/// What comes of it. A broken link is a failed verdict, not an error.
#[derive(Debug, Serialize, Deserialize)]
struct LinkReport {
    broken: Vec<String>,
}

impl Command for CheckLinks {
    const KIND: &'static str = "example.check_links";
    type Result = LinkReport;
}

impl JobResult for LinkReport {
    fn verdict(&self) -> Verdict {
        if self.broken.is_empty() { Verdict::Passed } else { Verdict::Failed }
    }
}

/// How to do it. It has state, so it is a struct; a closure that clones what it needs would do too.
struct LinkChecker {
    /// How often the shop was down so far.
    outages: Arc<AtomicU32>,
}

impl Executor<CheckLinks> for LinkChecker {
    async fn execute(&self, command: CheckLinks, attempt: Attempt) -> Result<LinkReport, Fault> {
        if self.outages.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(Fault::retryable("shop_down", "the shop does not answer"));
        }
        let mut broken = Vec::new();
        for (at, link) in command.links.iter().enumerate() {
            attempt.progress(format!("{} of {}", at + 1, command.links.len()));
            attempt.log(format!("{} -> {link}\n", command.page));
            // The first attempt that gets this far meets a page that is being rebuilt.
            if attempt.number() == 2 && link.ends_with("/offers") {
                broken.push(link.clone());
            }
        }
        let report = LinkReport { broken };
        let json = serde_json::to_vec_pretty(&report).expect("a report is plain data");
        let kept = attempt.attach("links.json", "application/json", json).await;
        kept.map_err(|error| Fault::retryable("artifact", error.to_string()))?;
        Ok(report)
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let control = ControlPlane::builder(MemoryStore::default()).start().await?;
    let runner = control.local_runner("default").executor(LinkChecker { outages: Arc::default() }).start();

    let command = CheckLinks {
        page: "https://shop.example".into(),
        links: vec!["https://shop.example/cart".into(), "https://shop.example/offers".into()],
    };
    // Faults are tried again by default, failed verdicts only if asked.
    let retry =
        RetryPolicy { failed: true, backoff: std::time::Duration::from_millis(20), ..RetryPolicy::default() };
    let options = JobOptions { priority: 200, retry, ..JobOptions::default() };
    let job = control.local_client().submit(&(command, options)).await?;

    let mut news = pin!(job.follow());
    while let Some(news) = news.next().await.transpose()? {
        match news {
            Followed::Log { bytes, .. } => print!("  log: {}", String::from_utf8_lossy(bytes.as_bytes())),
            other => println!("  {other:?}"),
        }
    }

    let view = job.wait().await?;
    let report = job.result().await?;
    println!("{:?} after {} attempts: {report:?}", view.conclusion(), view.attempts.len());
    assert_eq!(view.conclusion(), Some(Conclusion::Flaky));
    assert_eq!(view.attempts.len(), 3);
    runner.drain().await?;
    control.stop().await
}

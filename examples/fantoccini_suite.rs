//! Tests that are written with fantoccini, as they are, as jobs: a control plane, a runner and a headless
//! Chromium in one process. The runner starts the browser, ends it with the job whatever the test does,
//! stops a test that is cancelled, and keeps a picture of one that fails.
//!
//! `cargo run -p runners-examples --example fantoccini_suite`
//!
//! It needs Chromium and its driver (`apt-get install chromium chromium-driver`).

use anyhow::ensure;
use axum::{Router, response::Html, routing::get};
use fantoccini::{Client, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use runners_core::{MemoryArtifacts, prelude::*};
use runners_exec_webdriver::{Driver, DriverOptions, LentSession};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::{net::TcpListener, sync::oneshot};

const PAGE: &str = r##"<!doctype html><title>Greeter</title>
<label>Name <input id="name"></label> <button onclick="greet()">Greet</button> <h1></h1>
<script>
  function greet() {
    document.querySelector("h1").textContent = "Hello, " + document.querySelector("#name").value;
  }
</script>"##;

/// A test as somebody had it before: it knows fantoccini and nothing of runners.
async fn greets_by_name(client: Client, url: &str) -> anyhow::Result<()> {
    client.goto(url).await?;
    client.find(Locator::Css("#name")).await?.send_keys("Ada").await?;
    client.find(Locator::Css("button")).await?.click().await?;
    let said = client.find(Locator::Css("h1")).await?.text().await?;
    ensure!(said == "Hello, Ada", "it says {said:?}");
    Ok(())
}

/// Another one, of a page that is not as it should be.
async fn has_a_basket(client: Client, url: &str) -> anyhow::Result<()> {
    client.goto(url).await?;
    client.find(Locator::Css("#basket")).await?;
    Ok(())
}

/// One that never ends by itself.
async fn waits_for_ever(client: Client, url: &str) -> anyhow::Result<()> {
    client.goto(url).await?;
    client.wait().forever().for_element(Locator::Css("#never")).await?;
    Ok(())
}

/// Which test to carry out, and where.
#[derive(Debug, Serialize, Deserialize)]
struct RunTest {
    test: String,
    url: String,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
struct Tested {
    trouble: Option<String>,
}

impl Command for RunTest {
    const KIND: &'static str = "example.fantoccini_test";
    type Result = Tested;
}

impl JobResult for Tested {
    fn verdict(&self) -> Verdict {
        if self.trouble.is_none() { Verdict::Passed } else { Verdict::Failed }
    }
}

struct Suite {
    driver: Driver,
}

impl Executor<RunTest> for Suite {
    async fn execute(&self, command: RunTest, attempt: Attempt) -> Result<Tested, Fault> {
        let lent = self.driver.lend().await;
        let lent = lent.map_err(|error| Fault::retryable("browser_not_started", error.to_string()))?;
        let url = command.url.as_str();
        let test = async {
            let client = attached_to(&lent).await?;
            attempt.log(format!("{} at {url}\n", command.test));
            match &*command.test {
                "greets_by_name" => greets_by_name(client, url).await,
                "has_a_basket" => has_a_basket(client, url).await,
                "waits_for_ever" => waits_for_ever(client, url).await,
                other => anyhow::bail!("there is no test {other:?}"),
            }
        };
        let done = lent.carry_out(&attempt, test).await;
        lent.close().await;
        Ok(Tested { trouble: done?.err() })
    }
}

/// A client of the session, which leaves it open: the runner closes it.
async fn attached_to(lent: &LentSession) -> anyhow::Result<Client> {
    let client = Client::with_existing_session(lent.driver_url(), lent.id(), HttpConnector::new()).await?;
    client.persist().await?;
    Ok(client)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let service = Router::new().route("/", get(async || Html(PAGE)));
    let service = axum::serve(listener, service).with_graceful_shutdown(async { drop(stopped.await) });
    let (served, tested) = futures::future::join(service.into_future(), async {
        let tested = suite(&url).await;
        drop(stop);
        tested
    })
    .await;
    served?;
    tested
}

async fn suite(url: &str) -> anyhow::Result<()> {
    let artifacts = Arc::new(MemoryArtifacts::default());
    let control = ControlPlane::builder(MemoryStore::default()).artifacts(artifacts).start().await?;
    let driver = Driver::new(DriverOptions::default());
    let runner = control.local_runner("default").executor(Suite { driver: driver.clone() }).start();
    let client = control.local_client();
    let command = |test: &str| RunTest { test: test.to_owned(), url: url.to_owned() };

    let passed = client.submit(&command("greets_by_name")).await?.wait().await?;
    println!("greets_by_name: {:?}", passed.conclusion());
    assert_eq!(passed.conclusion(), Some(Conclusion::Passed));

    let job = client.submit(&command("has_a_basket")).await?;
    let failed = job.wait().await?;
    let kept: Vec<_> = failed.artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
    let trouble = job.result().await?.trouble.unwrap_or_default();
    println!("has_a_basket: {:?}: {trouble}; it leaves {}", failed.conclusion(), kept.join(", "));
    assert_eq!(failed.conclusion(), Some(Conclusion::Failed));
    assert!(kept.contains(&"failed.png"), "{kept:?}");

    let job = client.submit(&command("waits_for_ever")).await?;
    let mut news = std::pin::pin!(job.follow());
    while let Some(news) = futures::StreamExt::next(&mut news).await.transpose()? {
        if matches!(news, runners_core::Followed::Log { .. }) {
            job.cancel().await?;
            break;
        }
    }
    let cancelled = job.wait().await?;
    println!("waits_for_ever: {:?}", cancelled.conclusion());
    assert_eq!(cancelled.conclusion(), Some(Conclusion::Cancelled));

    runner.drain().await?;
    driver.stop().await;
    control.stop().await?;
    Ok(())
}

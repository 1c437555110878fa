//! Typed checks as a test suite: a control plane, a runner and a headless Chromium in one process, and
//! checks that are plain async functions over a page.
//!
//! `cargo run -p runners-examples --example check_suite`, and its test by `cargo test` with the same
//! arguments.
//!
//! It needs Chromium and its driver (`apt-get install chromium chromium-driver`).

use axum::{Router, response::Html, routing::get};
use runners_core::{CheckError, CheckState, Checks, checks::schemars::JsonSchema};
use runners_exec_webdriver::{CheckFleet, Page, expect};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::oneshot};

const PAGE: &str = r##"<!doctype html><title>Greeter</title>
<label>Name <input id="name"></label> <button onclick="greet()">Greet</button> <h1></h1>
<script>
  function greet() {
    document.querySelector("h1").textContent = "Hello, " + document.querySelector("#name").value;
  }
</script>"##;

/// The input of a check. Its JSON Schema is derived from it, the default included.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "runners_core::checks::schemars")]
struct Greeting {
    /// Where the greeter is.
    url: String,
    /// Whom it greets.
    #[serde(default = "ada")]
    name: String,
}

fn ada() -> String {
    "Ada".to_owned()
}

async fn greets_by_name(page: Page, input: Greeting) -> Result<(), CheckError> {
    page.goto(&input.url).await?;
    page.by_label("Name").fill(&input.name).await?;
    page.by_role("button", "Greet").click().await?;
    expect(&page.locator("h1")).to_have_text(&format!("Hello, {}", input.name)).await?;
    page.screenshot("greeted.png").await?;
    Ok(())
}

fn checks() -> Checks<Page> {
    Checks::new().with("greets_by_name", greets_by_name)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    for check in checks().list() {
        println!("{}: {}", check.name, check.input_schema);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let service = Router::new().route("/", get(async || Html(PAGE)));
    let service = axum::serve(listener, service).with_graceful_shutdown(async { drop(stopped.await) });
    let (served, tested) = futures::future::join(service.into_future(), async {
        let tested = test(&url).await;
        drop(stop);
        tested
    })
    .await;
    served?;
    tested
}

async fn test(url: &str) -> anyhow::Result<()> {
    let fleet = CheckFleet::start(checks()).await?;
    let result = fleet.run("greets_by_name", &serde_json::json!({ "url": url })).await?;
    println!("{result} in {} ms, leaves {}", result.duration.as_millis(), result.artifacts.join(", "));
    assert_eq!(result.state, CheckState::Passed, "{result}");
    fleet.stop().await?;
    Ok(())
}

/// In a test suite of your own, this is all there is to a test.
#[tokio::test]
async fn what_is_asked_wrongly_is_told_before_a_browser_starts() -> anyhow::Result<()> {
    let fleet = match CheckFleet::start(checks()).await {
        Err(error @ runners_exec_webdriver::FleetError::NoBrowser(_)) => {
            println!("skipped: {error}");
            return Ok(());
        }
        fleet => fleet?,
    };
    let error = fleet.run("greets_by_name", &serde_json::json!({ "name": "Ada" })).await.unwrap_err();
    assert!(format!("{error:?}").contains("missing field `url`"), "{error:?}");
    fleet.stop().await?;
    Ok(())
}

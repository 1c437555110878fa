//! The flow as somebody writes it with fantoccini and its element calls, against a ChromeDriver of its
//! own; and sessions opened and closed with nothing between.

use super::{
    install,
    site::{MAIL, NAME, NOTE},
};
use anyhow::Context as _;
use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource as _, MouseActions, PointerAction},
};
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// How often a driver is started when its port is taken.
const STARTS_MAX: usize = 20;

/// A ChromeDriver that is killed when this is dropped.
#[derive(Debug)]
pub struct Driver {
    child: Child,
    /// Where it takes sessions.
    pub url: String,
}

impl Driver {
    /// Starts one on a port of its choice.
    ///
    /// # Errors
    /// If there is no driver, or it does not say its port.
    pub fn start() -> anyhow::Result<Self> {
        let program = install::program(&["chromedriver", "chromium.chromedriver"])?;
        for _ in 0..STARTS_MAX {
            let mut child = Command::new(&program).arg("--port=0").stdout(Stdio::piped()).spawn()?;
            let output = child.stdout.take().context("its output was asked for")?;
            let mut lines = BufReader::new(output).lines();
            let port = lines.find_map(|line| {
                line.ok()?
                    .split_once("successfully on port ")
                    .map(|(_, port)| port.trim_end_matches('.').to_owned())
            });
            if let Some(port) = port {
                return Ok(Self { child, url: format!("http://127.0.0.1:{port}/") });
            }
            child.wait()?;
        }
        anyhow::bail!("the driver found no port")
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What makes a browser draw WebGL by software, as our own driver starts it.
pub const WEBGL: &[&str] = &["--use-angle=swiftshader", "--enable-unsafe-swiftshader"];

/// The capabilities of a browser, with these arguments besides the usual ones.
///
/// # Errors
/// If there is no browser.
pub fn capabilities(more: &[&str]) -> anyhow::Result<Map<String, Value>> {
    let usual = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-breakpad",
        "--window-size=1280,800",
    ];
    let arguments = [&usual, more].concat();
    let options = json!({ "binary": install::browser()?, "args": arguments });
    // A grid chooses by the name.
    let name = ("browserName".to_owned(), json!("chrome"));
    Ok(Map::from_iter([name, ("goog:chromeOptions".to_owned(), options)]))
}

/// Opens a session.
///
/// # Errors
/// If the driver does not.
pub async fn connect(url: &str) -> anyhow::Result<Client> {
    connect_with(url, &[]).await
}

/// Opens a session in a browser with these arguments besides the usual ones.
///
/// # Errors
/// If the driver does not.
pub async fn connect_with(url: &str, more: &[&str]) -> anyhow::Result<Client> {
    let connector = hyper_util::client::legacy::connect::HttpConnector::new();
    Ok(ClientBuilder::new(connector).capabilities(capabilities(more)?).connect(url).await?)
}

/// The twelve steps.
///
/// # Errors
/// If one fails.
pub async fn walk(client: &Client, origin: &str) -> anyhow::Result<()> {
    let find = |selector: &'static str| client.find(Locator::Css(selector));
    client.goto(&format!("{origin}/")).await?;
    find("#name").await?.send_keys(NAME).await?;
    find("#mail").await?.send_keys(MAIL).await?;
    find("#country").await?.select_by_value("fr").await?;
    find("#gift").await?.click().await?;
    let element = find("#menu-title").await?;
    let hover = MouseActions::new("mouse".to_owned()).then(PointerAction::MoveToElement {
        element,
        duration: Some(Duration::ZERO),
        x: 0.0,
        y: 0.0,
    });
    client.perform_actions(hover).await?;
    find("#wrap").await?.click().await?;
    while find("#count").await?.text().await? != "1" {}
    find("#note").await?.send_keys(NOTE).await?;
    find("#order").await?.click().await?;
    client.wait().for_element(Locator::Css("h1")).await?;
    find("#again").await?.click().await?;
    Ok(())
}

//! A browser in a container and a network of its own: beside the container of one attempt, or for the flows
//! of a runner.

use crate::{
    bridge::{Bridge, Reach},
    browser::BrowserImage,
    container::Container,
    engine::Engine,
    error::EngineError,
    plan::{self, Beside, Mark},
    policy::Policy,
    provide::Provided,
    removal::Removals,
    text::TextStream,
    within::within,
};
use bollard::{container::LogOutput, errors::Error as Met};
use futures::{StreamExt as _, stream::BoxStream};
use runners_core::Fault;
use std::{net::IpAddr, time::Duration};

/// How long a browser may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the engine may take until it tells that what has gone away has ended.
const END_TOLD_WITHIN: Duration = Duration::from_secs(10);
/// How long a job that has failed waits for the engine to tell that its browser has ended.
const END_TOLD_SOON: Duration = Duration::from_secs(1);
/// What drivers say once they listen: ChromeDriver, geckodriver, the Selenium Grid.
const READY: &[&str] = &["was started successfully", "Listening on", "Started Selenium"];
/// How much of what it says is told if it does not start, in characters.
const TOLD_MAX: usize = 1000;

/// A browser that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Companion {
    // The container goes first: a network is removed once nobody is in it.
    container: Container,
    bridge: Bridge,
    url: String,
    engine: Engine,
}

/// How a browser has not started.
#[derive(Debug, PartialEq, Eq)]
enum NotReady {
    Ended,
    Late,
}

impl Companion {
    /// Starts one, and waits until it listens. `network` is one that it is in as well.
    ///
    /// # Cancel safety
    /// Dropping the future removes what was made.
    pub(crate) async fn start(
        (engine, removals, policy): (&Engine, &Removals, &Policy),
        (mark, reach): (Mark, Reach),
        (image, provided): (&BrowserImage, &Provided),
        network: Option<&str>,
    ) -> Result<Self, Fault> {
        let bridge = Bridge::create(engine, removals, mark.clone(), reach).await?;
        let body = plan::browser(image, provided, policy, mark, (&engine.version, &bridge.name));
        let container = Container::create(engine, removals, body).await?;
        if let Some(network) = network {
            container.connect(network).await?;
        }
        // Before it starts, so that nothing is missed.
        let output = container.output().await?;
        container.start().await?;
        let mut said = String::new();
        let listening = listens(output, &mut said);
        let problem = match within(&*engine.clock, READY_WITHIN, listening).await {
            Some(true) => None,
            Some(false) => Some(NotReady::Ended),
            None => Some(NotReady::Late),
        };
        if let Some(problem) = problem {
            return Err(fault(&problem, &image.image, (engine, &container), &said).await);
        }
        let address = container.address(&bridge.name).await?.ok_or_else(|| {
            let message = format!("the browser {} has ended as soon as it was ready", image.image);
            Fault::retryable("browser_not_started", message)
        })?;
        let url = format!("http://{address}:{}", image.port);
        Ok(Self { container, bridge, url, engine: engine.clone() })
    }

    /// What the container of the job is told of it.
    pub(crate) fn beside(&self) -> Beside<'_> {
        Beside { url: &self.url, bridge: Some(&self.bridge.name) }
    }

    /// What is worth knowing of it once a job has failed.
    pub(crate) async fn note(&self) -> Option<String> {
        // The job may have met it before the engine has: both hear of an end for themselves.
        let ended = within(&*self.engine.clock, END_TOLD_SOON, self.container.ended()).await;
        let state = ended?.ok()?;
        let why =
            if state.oom_killed.unwrap_or_default() { ", for it needed more memory than it may" } else { "" };
        let code = state.exit_code.unwrap_or_default();
        Some(format!("the browser beside it ended with exit code {code}{why}"))
    }

    /// Has the engine start it again, in the same place, whenever it ends by itself.
    pub(crate) async fn restart(&self) -> Result<(), EngineError> {
        self.container.restart().await
    }

    /// Where its WebDriver is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The address of the machine as it is reached from it.
    pub(crate) async fn machine(&self) -> Result<Option<IpAddr>, EngineError> {
        self.bridge.machine().await
    }

    /// Ends it, and removes its network.
    pub(crate) async fn remove(self) -> Result<(), EngineError> {
        self.container.remove().await?;
        self.bridge.remove().await
    }
}

/// Whether it says that it listens, before it ends. What it said last is in `said`.
async fn listens(mut output: BoxStream<'static, Result<LogOutput, Met>>, said: &mut String) -> bool {
    let mut text = TextStream::default();
    while let Some(Ok(piece)) = output.next().await {
        said.push_str(&text.take(piece.as_ref()));
        if READY.iter().any(|words| said.contains(words)) {
            return true;
        }
        keep_end(said);
    }
    false
}

/// Keeps the last of a text.
fn keep_end(text: &mut String) {
    if let Some((at, _)) = text.char_indices().rev().nth(TOLD_MAX) {
        text.drain(..at);
    }
}

async fn fault(
    problem: &NotReady,
    image: &str,
    (engine, container): (&Engine, &Container),
    said: &str,
) -> Fault {
    let how = match problem {
        NotReady::Late => {
            let words = READY.join("\", or \"");
            format!("did not say \"{words}\" within {} seconds", READY_WITHIN.as_secs())
        }
        NotReady::Ended => {
            // What it says ends a moment before the engine knows how it has ended.
            let ended = within(&*engine.clock, END_TOLD_WITHIN, container.ended()).await;
            let code = ended.and_then(|state| state.ok()?.exit_code);
            let code = code.map_or_else(
                || "an exit code that is not told".to_owned(),
                |code| format!("exit code {code}"),
            );
            format!("ended with {code} before it was ready")
        }
    };
    let message = format!("the browser {image} {how}; it said: {}", said.trim());
    Fault::retryable("browser_not_started", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    fn says(pieces: &[&'static str]) -> BoxStream<'static, Result<LogOutput, Met>> {
        let piece = |text: &&'static str| Ok(LogOutput::StdOut { message: text.as_bytes().into() });
        stream::iter(pieces.iter().map(piece).collect::<Vec<_>>()).boxed()
    }

    #[tokio::test]
    async fn a_browser_is_ready_once_it_says_so_however_that_is_cut() {
        let mut said = String::new();
        assert!(
            listens(says(&["Starting\nChromeDriver was star", "ted successfully on port"]), &mut said).await
        );
        said.clear();
        assert!(!listens(says(&["cannot open display"]), &mut said).await);
        assert_eq!(said, "cannot open display");
        let long = "é".repeat(3 * TOLD_MAX);
        keep_end(&mut { long.clone() });
        let mut text = long;
        keep_end(&mut text);
        assert_eq!(text.chars().count(), TOLD_MAX + 1);
    }
}

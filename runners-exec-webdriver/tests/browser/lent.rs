//! Sessions for other clients of WebDriver: what they find, and what becomes of the browser.

use crate::stage::{Site, driver_options, engine_options};
use runners_core::{
    Attempt, Command, Conclusion, ControlPlane, Executor, Fault, JobResult, MemoryStore, Verdict,
};
use runners_exec_webdriver::{Driver, Engine, LentSession, OpenError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A client as another crate would be: it knows the address and the id.
struct Client {
    session: String,
    http: reqwest::Client,
}

impl Client {
    fn of(lent: &LentSession) -> Self {
        let session = format!("{}session/{}", lent.driver_url(), lent.id());
        Self { session, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn goto(&self, url: &str) -> Result<(), String> {
        self.told(self.http.post(format!("{}/url", self.session)).body(json!({ "url": url }).to_string()))
            .await
            .map(drop)
    }

    async fn title(&self) -> Result<Value, String> {
        self.told(self.http.get(format!("{}/title", self.session))).await
    }

    async fn told(&self, request: reqwest::RequestBuilder) -> Result<Value, String> {
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let bytes = answer.bytes().await.map_err(|error| error.to_string())?;
        let mut told: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        match told["value"].get("error") {
            Some(error) => Err(error.to_string()),
            None => Ok(told["value"].take()),
        }
    }
}

/// What is to be done in a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Work {
    Title { url: String },
    Fail { url: String },
    Panic,
    Wait,
    Lose,
}

#[derive(Debug, Serialize, Deserialize)]
struct Done(Result<String, String>);

impl Command for Work {
    const KIND: &'static str = "test.work";
    type Result = Done;
}

impl JobResult for Done {
    fn verdict(&self) -> Verdict {
        if self.0.is_ok() { Verdict::Passed } else { Verdict::Failed }
    }
}

struct Works(Driver);

impl Executor<Work> for Works {
    async fn execute(&self, work: Work, attempt: Attempt) -> Result<Done, Fault> {
        let lent = self.0.lend().await.map_err(|error| Fault::retryable("lend", error.to_string()))?;
        let client = Client::of(&lent);
        let work = async {
            attempt.progress("begins");
            match work {
                Work::Title { url } => {
                    client.goto(&url).await?;
                    client.title().await.map(|title| title.as_str().unwrap_or_default().to_owned())
                }
                Work::Fail { url } => {
                    client.goto(&url).await?;
                    Err("it is not as it should be".to_owned())
                }
                Work::Panic => panic!("by mistake"),
                Work::Wait => std::future::pending().await,
                Work::Lose => {
                    lent.close().await;
                    client.title().await.map(|title| title.to_string())
                }
            }
        };
        let done = lent.carry_out(&attempt, work).await;
        lent.close().await;
        Ok(Done(done?))
    }
}

#[tokio::test]
async fn work_of_another_client_is_a_job_whose_browser_ends_with_it() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = driver_options(&state) else { return };
    let driver = Driver::new(options);
    let control = ControlPlane::builder(MemoryStore::default()).start().await.unwrap();
    let runner = control.local_runner("default").executor(Works(driver.clone())).start();
    let (client, site) = (control.local_client(), Site::open());
    let url = site.serve("/page", "<h1>Here</h1>");

    let job = client.submit(&Work::Title { url: url.clone() }).await.unwrap();
    assert_eq!(job.result().await.unwrap().0.as_deref(), Ok("Test page"), "it waited for the page");
    for (work, why) in [
        (Work::Fail { url: url.clone() }, "it is not as it should be"),
        (Work::Panic, "it panicked: by mistake"),
    ] {
        let job = client.submit(&work).await.unwrap();
        assert_eq!(job.result().await.unwrap().0.unwrap_err(), why);
        let view = job.wait().await.unwrap();
        let kept: Vec<_> = view.artifacts.iter().map(|artifact| artifact.name.clone()).collect();
        assert_eq!((view.conclusion(), kept.len()), (Some(Conclusion::Failed), 2), "{kept:?}");
        assert!(kept.contains(&"failed.png".to_owned()) && kept.contains(&"failed.html".to_owned()));
    }
    let lost = client.submit(&Work::Lose).await.unwrap().result().await.unwrap_err();
    assert!(format!("{lost:?}").contains("browser_lost"), "{lost:?}");

    let job = client.submit(&Work::Wait).await.unwrap();
    let mut news = std::pin::pin!(job.follow());
    while let Some(news) = futures::StreamExt::next(&mut news).await {
        if matches!(news.unwrap(), runners_core::Followed::Progress(_)) {
            job.cancel().await.unwrap();
            break;
        }
    }
    assert_eq!(job.wait().await.unwrap().conclusion(), Some(Conclusion::Cancelled));
    runner.drain().await.unwrap();
    let notes =
        std::fs::read_dir(state.path()).unwrap().flatten().map(|note| std::fs::read(note.path()).unwrap());
    for note in notes {
        let note: Value = serde_json::from_slice(&note).unwrap();
        assert_eq!(note["profiles"], json!([]), "a browser is left");
    }
    driver.stop().await;
    control.stop().await.unwrap();
}

#[tokio::test]
async fn an_engine_without_a_driver_is_not_lent() {
    let state = tempfile::tempdir().unwrap();
    let Some(options) = engine_options(Engine::Firefox, &state) else { return };
    let refused = Driver::new(options).lend().await;
    assert!(matches!(refused, Err(OpenError::Misconfigured { .. })), "{refused:?}");
}

//! Over WebDriver BiDi, in the connection of the session, which is read while a command is answered: so
//! it is asked again and again.

use super::{ANSWER_TIMEOUT, EarError, Heard, Place, WORLD, script};
use crate::{browser::page::Page, within::within};
use runners_core::{Clock, sleep};
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

/// By what the script tells something.
const CHANNEL: &str = "runners-record";
/// How often the browser is asked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The pages of one session in a browser that speaks BiDi.
#[derive(Debug)]
pub(in crate::record) struct Bidi<'s> {
    page: Page<'s>,
    clock: &'s dyn Clock,
    main: String,
    /// What takes the script out again.
    script: Value,
    /// The page of each frame.
    pages: HashMap<String, String>,
    /// The pages that were there when it was asked last.
    open: BTreeSet<String>,
    /// What was told, and not looked at yet.
    told: VecDeque<Value>,
    heard: VecDeque<Heard>,
}

impl<'s> Bidi<'s> {
    pub(super) async fn open(page: Page<'s>, main: &str, clock: &'s dyn Clock) -> Result<Self, EarError> {
        let mut ear = Self {
            page,
            clock,
            main: main.to_owned(),
            script: Value::Null,
            pages: HashMap::new(),
            open: BTreeSet::from([main.to_owned()]),
            told: VecDeque::new(),
            heard: VecDeque::new(),
        };
        let script = json!({
            "functionDeclaration": format!("tell => {{ {} }}", script("tell")),
            "arguments": [{ "type": "channel", "value": { "channel": CHANNEL } }],
            "sandbox": WORLD,
        });
        ear.command("session.subscribe", json!({ "events": ["script.message"] })).await?;
        ear.script = ear.command("script.addPreloadScript", script).await?["script"].take();
        Ok(ear)
    }

    pub(super) fn main(&self) -> &str {
        &self.main
    }

    pub(super) async fn next(&mut self) -> Result<Heard, EarError> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Ok(heard);
            }
            match self.told.front().cloned() {
                Some(event) => {
                    let heard = self.hear(&event).await?;
                    self.told.pop_front();
                    self.heard.extend(heard);
                }
                None => {
                    sleep(self.clock, LOOK_EVERY).await;
                    self.look().await?;
                }
            }
        }
    }

    pub(super) async fn ask(&mut self, place: &Place, expression: &str) -> Result<String, EarError> {
        let params = json!({
            "expression": expression, "awaitPromise": false,
            "target": { "context": place.context, "sandbox": WORLD },
        });
        let answer = self.command("script.evaluate", params).await?;
        let text = answer["result"]["value"].as_str().map(str::to_owned);
        text.ok_or_else(|| "the page is gone".into())
    }

    pub(super) async fn close(&mut self) {
        let script = self.script.take();
        let removed = async {
            self.command("script.removePreloadScript", json!({ "script": script })).await?;
            self.command("session.unsubscribe", json!({ "events": ["script.message"] })).await
        };
        if let Err(error) = removed.await {
            tracing::debug!(error, "the script stays in the browser, which is as good as gone");
        }
    }

    /// Looks which pages there are, and takes what was told.
    async fn look(&mut self) -> Result<(), EarError> {
        let asked = within(self.clock, ANSWER_TIMEOUT, async {
            let pages = self.page.windows().await?;
            Ok::<_, EarError>((pages, self.page.bidi_told().await?))
        });
        let (pages, told) =
            asked.await.unwrap_or_else(|| Err("the browser does not answer any more".into()))?;
        self.told.extend(told);
        let open: BTreeSet<String> = pages.into_iter().collect();
        let closed: Vec<String> = self.open.difference(&open).cloned().collect();
        self.heard.extend(closed.into_iter().map(|page| Heard::Closed { page }));
        self.open = open;
        Ok(())
    }

    async fn hear(&mut self, event: &Value) -> Result<Option<Heard>, EarError> {
        let params = &event["params"];
        if event["method"] != "script.message" || params["channel"] != CHANNEL {
            return Ok(None);
        }
        let context = params["source"]["context"].as_str().unwrap_or_default().to_owned();
        let text = params["data"]["value"].as_str().unwrap_or_default().to_owned();
        let place = |context| Place { session: String::new(), context };
        Ok(self.page_of(&context).await?.map(|page| Heard::Told { page, place: place(context), text }))
    }

    /// The page that a frame is in.
    async fn page_of(&mut self, context: &str) -> Result<Option<String>, EarError> {
        if !self.pages.contains_key(context) {
            let tree = self.command("browsingContext.getTree", json!({})).await?;
            self.pages.clear();
            for page in tree["contexts"].as_array().into_iter().flatten() {
                let id = page["context"].as_str().unwrap_or_default();
                take_frames(page, id, &mut self.pages);
            }
        }
        Ok(self.pages.get(context).cloned())
    }

    async fn command(&self, method: &str, params: Value) -> Result<Value, EarError> {
        let asked = within(self.clock, ANSWER_TIMEOUT, self.page.bidi_call(method, params)).await;
        Ok(asked.ok_or_else(|| format!("the browser did not answer {method} in time"))??)
    }
}

/// Notes that everything below a frame is in a page.
fn take_frames(frame: &Value, page: &str, pages: &mut HashMap<String, String>) {
    if let Some(id) = frame["context"].as_str() {
        pages.insert(id.to_owned(), page.to_owned());
    }
    for child in frame["children"].as_array().into_iter().flatten() {
        take_frames(child, page, pages);
    }
}

//! Listens to a browser while a flow is replayed: attaches to every page and frame of the flow, also to
//! those that it opens, and files what they say in the journal. A browser that cannot be listened to is
//! no trouble of the flow. What the screen shows is filmed by `filming`.

use super::{
    Capture, bidi,
    journal::{Journal, SharedJournal},
    wire::{Said, Wire, WireError, hold_new, is_page_or_frame},
};
use crate::{
    browser::{BrowserError, Session, page::Page},
    within::within,
};
use runners_core::{Clock, Redactor, Timestamp, sleep};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    future::pending,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// How long it may take to begin to listen, and to hear the last that was said.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a browser is asked for what it has told over WebDriver BiDi.
const TOLD_EVERY: Duration = Duration::from_secs(2);
/// The largest body that is kept of a request.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Listens to the browser of one session.
#[derive(Debug)]
pub(crate) struct Watch {
    wire: Option<Wire>,
    /// Whether WebDriver BiDi is spoken there, and not the DevTools protocol.
    speaks_bidi: bool,
    /// Whether the browser tells over WebDriver BiDi, in the connection of the session.
    is_told: bool,
    capture: Capture,
    began: Timestamp,
    journal: SharedJournal,
    state: Mutex<State>,
    /// Something was answered.
    answered: Notify,
}

#[derive(Debug)]
struct State {
    /// The commands whose answers matter, and which page was sent them.
    asked: HashMap<u64, (String, Asked)>,
    /// The profile that the flow is in; pages of another are somebody else's.
    context: Option<String>,
    /// The pages that are listened to.
    attached: HashSet<String>,
}

/// Why a command was sent.
#[derive(Debug)]
enum Asked {
    /// To wait until everything before it is known.
    Barrier,
    /// For the body of a response.
    Body(usize),
}

impl Watch {
    /// Begins to listen, as far as that is asked for and possible.
    pub(crate) async fn open(
        session: &dyn Session,
        capture: Capture,
        redactor: Redactor,
        clock: &dyn Clock,
    ) -> Self {
        let began = clock.wall();
        let journal = Journal::new(redactor, began).with_bodies(capture.bodies.then_some(BODY_BYTES_MAX));
        let journal = SharedJournal::new(journal);
        let state = State { asked: HashMap::new(), context: None, attached: HashSet::new() };
        let (state, answered) = (Mutex::new(state), Notify::new());
        let (wire, speaks_bidi, is_told) = (None, false, false);
        let mut watch = Self { wire, speaks_bidi, is_told, capture, began, journal, state, answered };
        if !capture.journal {
            return watch;
        }
        let page = Page::new(session);
        if page.abilities().bidi() {
            watch.is_told = capture.journal && subscribe(page, "session.subscribe", clock).await;
            return watch;
        }
        let (devtools, bidi) = (session.devtools(), session.bidi());
        watch.speaks_bidi = devtools.is_none();
        let Some(channel) = devtools.or(bidi) else {
            tracing::debug!("this browser is not listened to");
            return watch;
        };
        let opened = within(clock, ANSWER_TIMEOUT, async {
            let wire = watch.wire.insert(Wire::open(&channel).await?);
            if watch.speaks_bidi {
                let wanted = json!({ "events": bidi::EVENTS });
                return wire.ask("", "session.subscribe", wanted).await?.map(drop).map_err(WireError::from);
            }
            watch.begin(&Page::new(session).window().await?).await
        });
        match opened.await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(error, "the browser is not listened to");
                watch.wire = None;
            }
            None => {
                tracing::warn!("the browser did not answer in time and is not listened to");
                watch.wire = None;
            }
        }
        watch
    }

    /// Listens until it is dropped.
    pub(crate) async fn run(&self, session: &dyn Session, clock: &dyn Clock) -> Infallible {
        if let Some(wire) = &self.wire {
            loop {
                let heard = match wire.next().await {
                    Ok(said) => self.hear(wire, said).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = heard {
                    tracing::debug!(error, "the browser is no longer listened to");
                    break;
                }
            }
        }
        if self.is_told {
            self.listen_by_asking(session, clock).await;
        }
        pending().await
    }

    /// Asks for what the browser has told in the connection of the session, until it does not answer.
    async fn listen_by_asking(&self, session: &dyn Session, clock: &dyn Clock) {
        loop {
            sleep(clock, TOLD_EVERY).await;
            let told = within(clock, ANSWER_TIMEOUT, self.take_told(Page::new(session))).await;
            if let Some(Err(error)) = told {
                tracing::debug!(%error, "the browser is no longer listened to");
                return;
            }
        }
    }

    /// A step starts.
    pub(crate) fn step(&self, index: usize, clock: &dyn Clock) {
        self.journal.open().step(index, clock.wall());
    }

    /// Waits until everything is known that the browser has said so far. Somebody has to
    /// [run](Self::run) it meanwhile.
    pub(crate) async fn settle(&self, clock: &dyn Clock) {
        let Some(wire) = &self.wire else { return };
        let barrier = if self.speaks_bidi { "session.status" } else { "Browser.getVersion" };
        let asked = within(clock, ANSWER_TIMEOUT, async {
            // Twice: answers to the first one may have asked for bodies.
            for _ in 0..2 {
                if self.ask(wire, "", barrier, json!({}), Asked::Barrier).await.is_err() {
                    return;
                }
                self.all_answered().await;
            }
        });
        if asked.await.is_none() {
            tracing::debug!("the browser did not say its last in time");
        }
    }

    /// Takes the last that the browser has told in the connection of the session, if it does.
    pub(crate) async fn hear_out(&self, page: Page<'_>, clock: &dyn Clock) {
        if !self.is_told {
            return;
        }
        // One that hangs is not waited for a second time.
        match within(clock, ANSWER_TIMEOUT, self.take_told(page)).await {
            Some(Ok(())) => {
                subscribe(page, "session.unsubscribe", clock).await;
            }
            Some(Err(_)) | None => tracing::debug!("the browser did not say its last"),
        }
    }

    /// Takes what the browser has told in the connection of the session. Dropping the future loses nothing.
    async fn take_told(&self, page: Page<'_>) -> Result<(), BrowserError> {
        for event in page.bidi_told().await? {
            self.take_bidi(event["method"].as_str().unwrap_or_default(), &event["params"]);
        }
        Ok(())
    }

    /// Takes one event of WebDriver BiDi.
    fn take_bidi(&self, name: &str, params: &Value) {
        let mut journal = self.journal.open();
        for (method, params) in bidi::translated(name, params) {
            match method {
                "Network.loadingFinished" => drop(journal.finish(&params)),
                method => journal.take(method, &params),
            }
        }
    }

    /// From when all its times count.
    pub(crate) const fn began(&self) -> Timestamp {
        self.began
    }

    /// What is heard, where anything can be.
    pub(crate) fn journal(&self) -> Option<SharedJournal> {
        (self.wire.is_some() || self.is_told).then(|| self.journal.clone())
    }

    /// Attaches to the pages that there are, and learns which profile they are of.
    async fn begin(&self, window: &str) -> Result<(), WireError> {
        let wire = self.wire.as_ref().expect("invariant: it is connected");
        let id = wire.send("", "Target.getTargets", json!({})).await?;
        let targets = loop {
            let said = wire.next().await?;
            if said.id == Some(id) {
                break said.result;
            }
        };
        let pages = targets["targetInfos"].as_array().map(Vec::as_slice).unwrap_or_default();
        let own = pages.iter().find(|page| page["targetId"].as_str().is_some_and(|id| window.contains(id)));
        self.state().context = own.and_then(|page| page["browserContextId"].as_str()).map(str::to_owned);
        self.attach_to_new(wire, "").await?;
        // The pages that are there are told of before this is answered.
        self.ask(wire, "", "Browser.getVersion", json!({}), Asked::Barrier).await?;
        while !self.state().asked.is_empty() {
            let said = wire.next().await?;
            self.hear(wire, said).await?;
        }
        Ok(())
    }

    /// Asks to be told of every new page, or of every frame of its own process in a page, before it
    /// begins.
    async fn attach_to_new(&self, wire: &Wire, session: &str) -> Result<(), WireError> {
        wire.send(session, "Target.setAutoAttach", hold_new()).await.map(drop)
    }

    async fn hear(&self, wire: &Wire, said: Said) -> Result<(), WireError> {
        if let Some(id) = said.id {
            self.take_answer(id, &said.result);
            return Ok(());
        }
        if self.speaks_bidi {
            self.take_bidi(&said.method, &said.params);
            return Ok(());
        }
        match &*said.method {
            "Target.attachedToTarget" => self.attach(wire, &said.params).await?,
            "Target.detachedFromTarget" => {
                let gone = said.params["sessionId"].as_str().unwrap_or_default();
                self.forget(gone);
            }
            _ if !self.capture.journal => {}
            "Network.loadingFinished" => self.finish(wire, &said).await?,
            method => self.journal.open().take(method, &said.params),
        }
        Ok(())
    }

    /// Listens to a page or a frame, unless it is somebody else's, and lets it begin.
    async fn attach(&self, wire: &Wire, params: &Value) -> Result<(), WireError> {
        let session = params["sessionId"].as_str().unwrap_or_default();
        let is_own = {
            let mut state = self.state();
            let context = params["targetInfo"]["browserContextId"].as_str();
            let is_own = state.context.is_none() || state.context.as_deref() == context;
            is_own && is_page_or_frame(params) && state.attached.insert(session.to_owned())
        };
        if is_own {
            if self.capture.journal {
                for domain in ["Network.enable", "Runtime.enable", "Log.enable"] {
                    wire.send(session, domain, json!({})).await?;
                }
            }
            self.attach_to_new(wire, session).await?;
        }
        let resume = ("Runtime.runIfWaitingForDebugger", json!({}));
        self.ask(wire, session, resume.0, resume.1, Asked::Barrier).await
    }

    /// A response is complete; its body can be had while its page is there.
    async fn finish(&self, wire: &Wire, said: &Said) -> Result<(), WireError> {
        let wanted = self.journal.open().finish(&said.params);
        let Some(at) = wanted else { return Ok(()) };
        let request = json!({ "requestId": said.params["requestId"] });
        self.ask(wire, &said.session, "Network.getResponseBody", request, Asked::Body(at)).await
    }

    async fn ask(
        &self,
        wire: &Wire,
        session: &str,
        method: &str,
        params: Value,
        why: Asked,
    ) -> Result<(), WireError> {
        let id = wire.send(session, method, params).await?;
        self.state().asked.insert(id, (session.to_owned(), why));
        Ok(())
    }

    fn take_answer(&self, id: u64, result: &Value) {
        let mut state = self.state();
        match state.asked.remove(&id) {
            Some((_, Asked::Body(at))) => self.journal.open().body(at, result),
            Some((_, Asked::Barrier)) | None => {}
        }
        if state.asked.is_empty() {
            self.answered.notify_waiters();
        }
    }

    /// A page is gone, and answers nothing more.
    fn forget(&self, session: &str) {
        let mut state = self.state();
        state.attached.remove(session);
        state.asked.retain(|_, (to, _)| to != session);
        if state.asked.is_empty() {
            self.answered.notify_waiters();
        }
    }

    /// Waits until every command that matters is answered.
    async fn all_answered(&self) {
        loop {
            let answered = self.answered.notified();
            if self.state().asked.is_empty() {
                return;
            }
            answered.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks to be told of consoles and requests, or no longer; whether that was taken.
async fn subscribe(page: Page<'_>, how: &str, clock: &dyn Clock) -> bool {
    let asked = within(clock, ANSWER_TIMEOUT, page.bidi_call(how, json!({ "events": bidi::EVENTS }))).await;
    matches!(asked, Some(Ok(_)))
}

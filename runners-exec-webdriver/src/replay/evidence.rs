//! What is kept of a flow: pictures, of a failure also the page, and what the browser said meanwhile. Trouble in keeping it is
//! said in the log and changes nothing else, unless a step is there for it.

use super::{
    TITLE_CHARACTERS_MAX,
    navigation::Sight,
    observer::{Evidence, FlowObserver},
    presence,
    progress::{CANCELLED, Progress},
    storage,
    trouble::Trouble,
};
use crate::{
    browser::{BrowserError, page::Page},
    evidence::{Capture, Watch, told, told_line},
    flow::{Action, Extension, Flow, Step, one_line},
    result::{CutShort, StepResult},
    within::within,
};
use bytes::Bytes;
use runners_core::{Clock, Fault, Redactor};
use serde_json::{Map, Value};
use std::time::Duration;

/// How long a page may take to say what it is. A page that does not has no picture either.
const SIGHT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one picture, or the source of a page, may take.
const EVIDENCE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a last look at a page may take: most of the time that is left belongs to what was heard, and to the
/// browser, which has to end.
const LAST_LOOK_TIMEOUT: Duration = Duration::from_secs(3);
const PICTURE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// No flow that takes a state is larger.
const STATE_BYTES_MAX: usize = Flow::BYTES_MAX;
const SOURCE_BYTES_MAX: usize = 5 * 1024 * 1024;
const SEEN_CHARACTERS_MAX: usize = 400;
/// The most dialogs at the end of a flow that are dismissed.
const DIALOGS_MAX: usize = 10;
/// A page may be an address of megabytes that begins with `data:`.
const URL_CHARACTERS_MAX: usize = 2000;

/// Takes evidence and hands it on.
#[derive(Clone, Copy)]
pub(super) struct Keeper<'r> {
    page: Page<'r>,
    clock: &'r dyn Clock,
    observer: &'r dyn FlowObserver,
    redactor: &'r Redactor,
}

/// What is left of a failure.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) url: Option<String>,
    /// What the page shows, in words.
    pub(super) seen: Option<String>,
    pub(super) artifacts: Vec<String>,
}

impl<'r> Keeper<'r> {
    pub(super) const fn new(
        page: Page<'r>,
        clock: &'r dyn Clock,
        observer: &'r dyn FlowObserver,
        redactor: &'r Redactor,
    ) -> Self {
        Self { page, clock, observer, redactor }
    }

    /// Keeps what the step is there to keep, and answers its name. It fails the step if it cannot be kept.
    pub(super) async fn wanted(self, step: &Step) -> Result<Option<String>, Trouble> {
        let Action::Extension(extension) = &step.action else { return Ok(None) };
        let kept = match extension {
            Extension::Screenshot { name } => self.take(format!("screenshots/{name}.png")).await,
            Extension::SaveStorageState { name } => self.storage(format!("storage/{name}.json")).await,
            _ => return Ok(None),
        };
        kept.map(Some)
    }

    /// Keeps a picture and answers its name, if it can be taken.
    pub(super) async fn picture(self, name: &str) -> Option<String> {
        match self.take(name.to_owned()).await {
            Ok(name) => Some(name),
            Err(why) => {
                tracing::warn!(name, ?why, "no picture was kept");
                None
            }
        }
    }

    async fn take(self, name: String) -> Result<String, Trouble> {
        let taken = within(self.clock, EVIDENCE_TIMEOUT, self.page.screenshot()).await;
        let bytes = taken.unwrap_or_else(|| Err(late("picture")))?;
        small_enough("picture", bytes.len(), PICTURE_BYTES_MAX)?;
        Ok(self.hand_on(name, "image/png", bytes.into()).await)
    }

    /// Keeps a picture that was taken, and answers its name.
    pub(super) async fn keep_picture(self, name: &str, bytes: Bytes) -> String {
        self.hand_on(name.to_owned(), "image/png", bytes).await
    }

    /// Keeps cookies and local storage, and answers the name.
    async fn storage(self, name: String) -> Result<String, Trouble> {
        let told = within(self.clock, EVIDENCE_TIMEOUT, storage::state(self.page)).await;
        let state = told.unwrap_or_else(|| Err(late("state")))?;
        small_enough("state", state.len(), STATE_BYTES_MAX)?;
        Ok(self.hand_on(name, "application/json", state.into()).await)
    }

    /// Keeps what there is to know of the step of this number, which failed. A browser that turns out
    /// to be gone, or to hang, can have been why.
    pub(super) async fn failure(self, number: usize) -> Result<Left, Trouble> {
        let mut left = Left::default();
        let sight = match within(self.clock, SIGHT_TIMEOUT, self.sight()).await {
            Some(Ok(sight)) => sight,
            Some(Err(BrowserError::Gone { source })) => return Err(Trouble::Lost(source)),
            Some(Err(_)) | None => return presence::ask(self.page, self.clock).await.map(|()| left),
        };
        left.seen = Some(describe(&sight, self.redactor));
        left.url = Some(one_line(&self.redactor.redact(sight.url()), URL_CHARACTERS_MAX));
        left.artifacts.extend(self.picture(&format!("steps/{number:02}-failed.png")).await);
        if let Some(Ok(source)) =
            within(self.clock, EVIDENCE_TIMEOUT, self.page.source_up_to(SOURCE_BYTES_MAX)).await
        {
            let name = format!("steps/{number:02}-failed.html");
            let source = told(self.redactor, &source, SOURCE_BYTES_MAX);
            left.artifacts.push(self.hand_on(name, "text/html; charset=utf-8", source.into()).await);
        }
        Ok(left)
    }

    /// Keeps how far a flow got that was cut short, and what its page showed if that can still be seen.
    pub(super) async fn cut_short(self, title: &str, fault: &Fault, progress: &Progress, watch: &Watch) {
        let duration_ms = progress.took(self.clock);
        let Some((mut steps, at)) = progress.cut_short(fault, self.clock) else { return };
        if let Some(step) = at.and_then(|index| steps.get_mut(index)) {
            if fault.code == CANCELLED {
                self.last_look(step).await;
            }
            step.reason = step.reason.take().map(|reason| self.redactor.redact(&reason));
            self.observer.step_ended(step);
        }
        let journal =
            watch.journal().map(|journal| journal.open().page_errors(|url| self.page.unreached(url)));
        let left = CutShort {
            title: one_line(title, TITLE_CHARACTERS_MAX),
            reason: self.redactor.redact(&fault.message),
            duration_ms,
            steps,
            page_errors: journal.unwrap_or_default(),
            engine: self.page.engine_name(),
        };
        let bytes = serde_json::to_vec(&left).expect("invariant: steps are plain data");
        self.hand_on(CutShort::ARTIFACT.to_owned(), "application/json", bytes.into()).await;
    }

    /// Keeps what the page of a step shows that was stopped, if it is told at once.
    async fn last_look(self, step: &mut StepResult) {
        let name = format!("steps/{:02}-cut-short.png", step.index + 1);
        let looking = async {
            let sight = self.sight().await.ok();
            step.page_url =
                sight.map(|sight| one_line(&self.redactor.redact(sight.url()), URL_CHARACTERS_MAX));
            step.artifacts.extend(self.picture(&name).await);
        };
        within(self.clock, LAST_LOOK_TIMEOUT, looking).await;
    }

    /// Looks at the page, past a dialog that hides it.
    async fn sight(self) -> Result<Sight, BrowserError> {
        match Sight::of(self.page, true).await {
            Err(BrowserError::Dialog { .. }) => {
                self.page.answer_dialog(false).await?;
                Sight::of(self.page, true).await
            }
            other => other,
        }
    }

    /// Dismisses the dialogs that nobody has answered, since they hide the page, and tells of them, a line each.
    pub(super) async fn dismissed(self) -> Vec<String> {
        let (mut all, mut address) = (Vec::new(), None);
        let dismissing = async {
            while all.len() < DIALOGS_MAX
                && let Ok(Some(says)) = self.page.dialog().await
                && self.page.answer_dialog(false).await.is_ok()
            {
                all.push(says);
                // The page says where it is once it goes on, unless it has opened another one by then.
                address = Sight::of(self.page, false).await.ok().map(|sight| sight.url().to_owned());
            }
        };
        within(self.clock, EVIDENCE_TIMEOUT, dismissing).await;
        let address = address.as_deref().unwrap_or("the page");
        let line = |says: &String| {
            let line = format!("{address}: a dialog was left open: {says:?}");
            one_line(&self.redactor.redact(&line), SEEN_CHARACTERS_MAX)
        };
        all.iter().map(line).collect()
    }

    /// Keeps what was listened to, and answers the names and what went wrong in the page.
    pub(super) async fn heard(
        self,
        watch: &Watch,
        capture: Capture,
        browser: &Map<String, Value>,
    ) -> (Vec<String>, Vec<String>) {
        watch.hear_out(self.page, self.clock).await;
        let mut names = Vec::new();
        let Some(journal) = watch.journal() else { return (names, Vec::new()) };
        if capture.journal {
            let (console, har) = {
                let journal = journal.open();
                (journal.console(), journal.har(browser))
            };
            names.push(self.hand_on("console.json".to_owned(), "application/json", console).await);
            names.push(self.hand_on("network.har".to_owned(), "application/json", har).await);
        }
        let page_errors = journal.open().page_errors(|url| self.page.unreached(url));
        (names, page_errors)
    }

    async fn hand_on(self, name: String, media_type: &'static str, bytes: Bytes) -> String {
        self.observer.evidence(Evidence { name: name.clone(), media_type, bytes }).await;
        name
    }
}

fn late(what: &str) -> BrowserError {
    let (code, limit) = ("timeout".to_owned(), EVIDENCE_TIMEOUT.as_secs());
    BrowserError::Refused { code, message: format!("the {what} was not there within {limit} s") }
}

fn small_enough(what: &str, bytes: usize, limit: usize) -> Result<(), Trouble> {
    if bytes <= limit {
        return Ok(());
    }
    Err(Trouble::Failed(format!("the {what} has {bytes} bytes, more than the limit of {limit}")))
}

/// Keeps what was listened to beside work that is no flow, and answers what went wrong in the page.
#[cfg(feature = "checks")]
pub(crate) async fn heard(
    session: &dyn crate::browser::Session,
    watch: &Watch,
    capture: Capture,
    observer: &dyn FlowObserver,
    clock: &dyn Clock,
) -> Vec<String> {
    let redactor = Redactor::default();
    let keeper = Keeper::new(Page::new(session), clock, observer, &redactor);
    keeper.heard(watch, capture, session.capabilities()).await.1
}

pub(super) fn describe(sight: &Sight, redactor: &Redactor) -> String {
    let labels: Vec<_> = sight.labels.iter().map(|label| format!("{label:?}")).collect();
    let shows = if labels.is_empty() { String::new() } else { format!(" and has {}", labels.join(", ")) };
    let line = format!("the page is {:?} at {}{shows}", sight.title, sight.url());
    told_line(redactor, &line, SEEN_CHARACTERS_MAX)
}

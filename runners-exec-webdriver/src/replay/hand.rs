//! A hand on a page: single steps of a replay, and looks at elements, for those who write their own
//! sequence of them. What it is called and how it fails is in the `page` of this crate.

use super::{
    aria::{self, AriaWanted},
    clicks::Clicks,
    comparison::Visual,
    element::Act,
    evidence::describe,
    navigation::Sight,
    place::Place,
    scope::{Look, Scope},
    trouble::Trouble,
    viewport::Emulated,
};
use crate::{
    browser::{
        BrowserError, Call, Method, Session,
        page::Page,
        script::{KeptScripts, Script},
    },
    flow::{Action, BrowserFlow, Devtools, Mode, Selector, Selectors, Step},
    page::PageError,
    within::within,
};
use runners_core::{Clock, Redactor};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{sync::Arc, time::Duration};

const OBSERVE: Script = Script::new(
    "observe",
    concat!(
        include_str!("../scripts/find.js"),
        include_str!("../scripts/names.js"),
        include_str!("../scripts/observe.js")
    ),
);

/// How long a page may take to say what it is, once something has failed.
const SIGHT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often one look may ask for the accessibility tree.
const ARIA_LOOKUPS_MAX: usize = 100;

/// A session, and what is remembered of it from one step to the next. Clones remember the same.
#[derive(Clone, Debug)]
pub(crate) struct Hand {
    session: Arc<dyn Session>,
    clock: Arc<dyn Clock>,
    remembered: Arc<Remembered>,
    /// A step that says nothing but its type.
    bare: Step,
    /// The frames, from the outermost one, in which everything happens.
    frames: Vec<Selectors>,
}

#[derive(Debug, Default)]
struct Remembered {
    scripts: KeptScripts,
    emulated: Emulated,
    place: Place,
    clicks: Clicks,
    visual: Visual,
}

/// What a look is for, beside how many there are and how the first one is.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Looked<'l> {
    /// An attribute of the first one.
    pub(crate) attribute: Option<&'l str>,
    /// Whether the first one is given the focus.
    pub(crate) focus: bool,
    /// What could have been meant instead if there is none: `name`, `id` or `test_id`.
    pub(crate) near: Option<&'static str>,
}

/// What a look has seen.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Observed {
    hopeless: Option<String>,
    aria: Option<AriaWanted>,
    pub(crate) count: usize,
    pub(crate) first: Option<Element>,
    pub(crate) near: Vec<String>,
}

/// How an element is.
#[derive(Debug, Deserialize)]
pub(crate) struct Element {
    pub(crate) visible: bool,
    pub(crate) enabled: bool,
    pub(crate) checked: bool,
    /// Its text as it is rendered, white space folded.
    pub(crate) text: String,
    pub(crate) value: Option<String>,
    pub(crate) attribute: Option<String>,
}

impl Hand {
    pub(crate) fn new(session: Arc<dyn Session>, clock: Arc<dyn Clock>) -> Self {
        let flow = BrowserFlow::parse(r#"{"title": "", "steps": [{"type": "close"}]}"#);
        let bare = flow.expect("invariant: this is a flow").flow().steps[0].clone();
        Self { session, clock, remembered: Arc::default(), bare, frames: Vec::new() }
    }

    /// The same in a frame of the page, or of the frame that this one is in.
    pub(crate) fn in_frame(&self, frame: Selectors) -> Self {
        let mut inner = self.clone();
        inner.frames.push(frame);
        inner
    }

    /// Goes to where scripts of the caller are to run.
    pub(crate) async fn arrive(&self) -> Result<(), PageError> {
        match self.scope().descend().await? {
            None => Ok(()),
            Some(message) => Err(PageError::Failed { message }),
        }
    }

    pub(crate) fn page(&self) -> Page<'_> {
        Page::new(&*self.session).keeping(&self.remembered.scripts)
    }

    pub(crate) fn session(&self) -> &dyn Session {
        &*self.session
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Does what one step of a flow does.
    pub(crate) async fn perform(&self, action: Action, limit: Duration) -> Result<(), PageError> {
        let step = Step { action, ..self.bare.clone() };
        Ok(self.scope().perform_within(limit, &step).await?)
    }

    /// Looks at elements until they are as they should be; `judge` says why they are not.
    pub(crate) async fn until<T>(
        &self,
        selectors: &Selectors,
        looked: Looked<'_>,
        limit: Duration,
        judge: impl Fn(Observed) -> Result<T, String>,
    ) -> Result<T, PageError> {
        let scope = self.scope();
        let looking = scope.until(|| async {
            let observed = self.observe(&scope, selectors, looked).await?;
            Ok(match observed.hopeless {
                Some(why) => Look::Hopeless(why),
                None => judge(observed).map_or_else(Look::Again, Look::Done),
            })
        });
        let done = within(&*self.clock, limit, looking).await;
        Ok(done.unwrap_or_else(|| Err(Trouble::Failed(scope.late(limit))))?)
    }

    /// Looks at the address and the title of the page until they are as they should be.
    pub(crate) async fn until_at<T>(
        &self,
        limit: Duration,
        judge: impl Fn(&str, &str) -> Result<T, String>,
    ) -> Result<T, PageError> {
        let scope = self.scope();
        let looking = scope.until(|| async {
            let sight = Sight::of(self.page(), false).await?;
            Ok(judge(sight.url(), &sight.title).map_or_else(Look::Again, Look::Done))
        });
        let done = within(&*self.clock, limit, looking).await;
        Ok(done.unwrap_or_else(|| Err(Trouble::Failed(scope.late(limit))))?)
    }

    /// Looks once.
    pub(crate) async fn look(
        &self,
        selectors: &Selectors,
        looked: Looked<'_>,
    ) -> Result<Observed, PageError> {
        let scope = self.scope();
        let looking = within(&*self.clock, SIGHT_TIMEOUT, self.observe(&scope, selectors, looked));
        looking.await.unwrap_or_else(|| Ok(Observed::default())).map_err(PageError::from)
    }

    /// Clicks in the middle of an element, so often, wherever that is by then.
    pub(crate) async fn click(
        &self,
        selectors: &Selectors,
        times: u8,
        limit: Duration,
    ) -> Result<(), PageError> {
        let scope = self.scope();
        let clicking = async {
            scope.enter(&self.bare).await?;
            scope.act(selectors, Act::Press(times)).await
        };
        let clicked = within(&*self.clock, limit, clicking).await;
        clicked.unwrap_or_else(|| Err(Trouble::Failed(scope.late(limit))))?;
        Ok(())
    }

    /// Drags one element onto another, which may be in another frame, in one command. `false` if they are not in
    /// view at once; then nothing was pressed.
    pub(crate) async fn drag(
        &self,
        from: &Selectors,
        (other, to): (&Self, &Selectors),
        limit: Duration,
    ) -> Result<bool, PageError> {
        let (scope, onto) = (self.scope(), other.scope());
        let dragging = async {
            scope.enter(&self.bare).await?;
            scope.drag_at_once(from, (&onto, to)).await
        };
        Ok(scope.bounded(limit, dragging).await?)
    }

    /// Presses the mouse button where the pointer is, and holds it.
    pub(crate) async fn hold(&self) -> Result<(), PageError> {
        self.point("pointerDown").await
    }

    /// Releases the mouse button where the pointer is.
    pub(crate) async fn release(&self) -> Result<(), PageError> {
        self.point("pointerUp").await
    }

    async fn point(&self, action: &str) -> Result<(), PageError> {
        let actions = json!([{ "type": action, "button": 0 }]);
        let mouse = json!({
            "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": actions,
        });
        let call = Call::new(Method::Post, "actions", json!({ "actions": [mouse] }));
        match self.session.call(call).await {
            // The click has opened it. Whether that is in the way, the next command finds out.
            Ok(_) | Err(BrowserError::Dialog { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the page shows, in words, if it says so.
    pub(crate) async fn sight(&self) -> Option<String> {
        let sight = within(&*self.clock, SIGHT_TIMEOUT, Sight::of(self.page(), true)).await?;
        sight.ok().map(|sight| describe(&sight, &Redactor::default()))
    }

    async fn observe(
        &self,
        scope: &Scope<'_>,
        selectors: &Selectors,
        looked: Looked<'_>,
    ) -> Result<Observed, BrowserError> {
        let chain = &selectors.alternatives()[0];
        let token = scope.token();
        let mut request = json!(looked);
        request["token"] = json!(token);
        request["rootsMax"] = json!(aria::ROOTS_MAX);
        // The tree is of the whole page; in a frame, names are worked out.
        let is_spoken = self.page().devtools() == Devtools::Spoken;
        request["tree"] = json!(is_spoken && self.frames.is_empty());
        request["alternatives"] = json!([{ "selectors": chain.selectors() }]);
        for _ in 0..ARIA_LOOKUPS_MAX {
            let observed: Observed = self.page().run(&OBSERVE, &request).await?;
            let Some(wanted) = observed.aria else { return Ok(observed) };
            let Some(Selector::Aria { name, role }) = chain.selectors().get(wanted.position) else { break };
            aria::find(self.page(), &token, wanted, name.as_deref(), role.as_deref()).await?;
        }
        Ok(Observed::default())
    }

    fn scope(&self) -> Scope<'_> {
        let Remembered { emulated, place, clicks, visual, .. } = &*self.remembered;
        let scope = Scope::new(self.page(), &*self.clock, emulated, place, clicks, visual, Mode::Strict);
        scope.inside(&self.frames)
    }
}

impl From<Trouble> for PageError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Failed(message) => Self::Failed { message },
            Trouble::Lost(source) => Self::Lost { source },
            Trouble::Unsupported(message) => Self::Unsupported { message },
        }
    }
}

impl From<BrowserError> for PageError {
    fn from(error: BrowserError) -> Self {
        Trouble::from(error).into()
    }
}

//! Hears what pages tell: it has the script put into every frame of every page before the page's own, and
//! hands on what it says. Over the DevTools protocol, or over WebDriver BiDi.

mod bidi;
mod devtools;

use super::told::Dialog;
use crate::{
    browser::{Session, page::Page},
    engine::Engine,
};
use bidi::Bidi;
use devtools::Devtools;
use runners_core::Clock;
use std::{error::Error, time::Duration};

/// The world of the script.
const WORLD: &str = "runners-record";
/// How long a browser may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// What finds elements, and then what listens; around it is what is called when there is something to tell.
const SCRIPT: &str = concat!(
    include_str!("../scripts/find.js"),
    include_str!("../scripts/names.js"),
    include_str!("../scripts/alternatives.js"),
    include_str!("../scripts/hover.js"),
    include_str!("../scripts/record.js")
);

pub(super) type EarError = Box<dyn Error + Send + Sync>;

/// Hears the pages of one session.
#[derive(Debug)]
pub(super) enum Ear<'s> {
    Devtools(Box<Devtools<'s>>),
    Bidi(Box<Bidi<'s>>),
}

/// What was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// What a page tells, as it wrote it, and from which frame.
    Told { page: String, place: Place, text: String },
    /// A page was closed.
    Closed { page: String },
    /// A page has opened a dialog.
    Asked { message: String },
    /// A dialog of a page was answered.
    Answered { page: String, dialog: Dialog },
}

/// One frame, for those who ask it something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The session of the DevTools protocol; empty over BiDi.
    session: String,
    /// The context.
    context: String,
}

impl<'s> Ear<'s> {
    /// Begins to hear the session. The error says why it cannot.
    pub(super) async fn open(
        session: &'s dyn Session,
        main: &str,
        clock: &'s dyn Clock,
    ) -> Result<Self, EarError> {
        let page = Page::new(session);
        if page.abilities().bidi() {
            return Ok(Self::Bidi(Box::new(Bidi::open(page, main, clock).await?)));
        }
        if Engine::of(session.capabilities()) == Some(Engine::Webkit) {
            return Err(unsupported(Engine::Webkit).unwrap_or_default().into());
        }
        Ok(Self::Devtools(Box::new(Devtools::open(session, main, clock).await?)))
    }

    /// What is heard next.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Heard, EarError> {
        match self {
            Self::Devtools(ear) => ear.next().await,
            Self::Bidi(ear) => ear.next().await,
        }
    }

    /// What an expression comes to in the world of the script, in a frame: a text.
    pub(super) async fn ask(&mut self, place: &Place, expression: &str) -> Result<String, EarError> {
        match self {
            Self::Devtools(ear) => ear.ask(place, expression).await,
            Self::Bidi(ear) => ear.ask(place, expression).await,
        }
    }

    /// Whether dialogs are heard of when they are answered.
    pub(super) const fn hears_dialogs(&self) -> bool {
        matches!(self, Self::Devtools(_))
    }

    /// What the main page is called here.
    pub(super) fn main(&self) -> &str {
        match self {
            Self::Devtools(ear) => ear.main(),
            Self::Bidi(ear) => ear.main(),
        }
    }

    /// Takes the script out of pages to come.
    pub(super) async fn close(&mut self) {
        if let Self::Bidi(ear) = self {
            ear.close().await;
        }
    }
}

/// Why nothing can be recorded in an engine, if that is so.
pub(super) fn unsupported(engine: Engine) -> Option<&'static str> {
    match engine {
        Engine::Chromium | Engine::Firefox => None,
        Engine::Webkit => {
            Some("WPE WebKit cannot tell what a person does: its driver puts no script into pages that load")
        }
    }
}

/// The script, called with what it tells by.
fn script(tells_by: &str) -> String {
    format!(
        "(function () {{\nif (globalThis.runnersRecord?.document === document) return;\n{SCRIPT}\n}})({{ tree: false, token: '' }}, {tells_by});"
    )
}

//! Carries out what somebody who steers a recording wants, and answers it.

use super::{
    command::{Aim, Asserted, RecordedSteps, SteerRecording},
    course::Course,
    draft::wrong,
    ear::Place,
    shape,
    told::Dialog,
};
use crate::flow::Selector;
use runners_core::{Fault, Received};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;

/// How deep frames may lie in each other at a point.
const DEPTH_MAX: usize = 8;

/// What somebody who steers wants, and who waits for the answer.
pub struct Steered {
    pub(super) command: SteerRecording,
    pub(super) answer: Box<dyn FnOnce(Result<RecordedSteps, Fault>) + Send>,
}

impl Steered {
    /// A wish, and what is done with the answer.
    pub fn new(
        command: SteerRecording,
        answer: impl FnOnce(Result<RecordedSteps, Fault>) + Send + 'static,
    ) -> Self {
        Self { command, answer: Box::new(answer) }
    }
}

impl From<Received<SteerRecording>> for Steered {
    fn from(received: Received<SteerRecording>) -> Self {
        Self::new(received.command().clone(), move |answer| received.answer(answer))
    }
}

impl fmt::Debug for Steered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steered").field("command", &self.command).finish_non_exhaustive()
    }
}

/// What a page says of what somebody aims at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Aimed {
    missing: Option<String>,
    selectors: Value,
    text: String,
    visible: bool,
    /// What brings it into sight.
    before: Vec<Value>,
    /// The frame that is there, and the point in it.
    frame: Option<usize>,
    x: f64,
    y: f64,
}

impl Course<'_> {
    /// Carries out a wish; answers how many steps have come at the end.
    pub(super) async fn steer(&mut self, command: SteerRecording) -> Result<usize, Fault> {
        match command {
            SteerRecording::Stop | SteerRecording::List => {}
            SteerRecording::Undo => self.draft.undo()?,
            SteerRecording::Delete { step } => self.draft.delete(&step)?,
            SteerRecording::Move { step, to } => self.draft.move_to(&step, to)?,
            SteerRecording::Edit { step, with } => self.draft.edit(&step, with)?,
            SteerRecording::Screenshot { name } => {
                return self.add(shape::custom("runners.screenshot", &json!({ "name": name })), &[]);
            }
            SteerRecording::Assert { what, aim } => return self.assert(what, aim).await,
            SteerRecording::Dialog { accept, value } => return self.answer_dialog(accept, value).await,
        }
        Ok(0)
    }

    fn add(&mut self, step: Value, frame: &[usize]) -> Result<usize, Fault> {
        self.draft.check(&step)?;
        let (page, now) = (self.active.clone(), self.now());
        self.draft.add(&page, step, frame, now);
        Ok(1)
    }

    async fn assert(&mut self, what: Asserted, aim: Option<Aim>) -> Result<usize, Fault> {
        if what == Asserted::Url {
            let url = self.draft.address(&self.active).ok_or_else(|| wrong("the page is nowhere yet"))?;
            let step = shape::custom("runners.assertUrl", &json!({ "url": url }));
            return self.add(step, &[]);
        }
        let aim = aim.ok_or_else(|| wrong("aim: say which element: a point, or a selector"))?;
        let (aimed, frame) = self.aimed(&aim).await?;
        let selectors = match aim {
            Aim::Selector(text) => json!([[text]]),
            Aim::Point { .. } => aimed.selectors,
        };
        let step = match what {
            Asserted::Text(text) => {
                let text = text.unwrap_or(aimed.text);
                if text.is_empty() {
                    return Err(wrong("the element says nothing: assert that it is visible"));
                }
                shape::custom("runners.assertText", &json!({ "selectors": selectors, "text": text }))
            }
            _ if aimed.visible => shape::custom("runners.assertVisible", &json!({ "selectors": selectors })),
            _ => return Err(wrong("nothing is to be seen of the element now")),
        };
        self.draft.check(&step)?;
        let mut added = 0;
        for hover in aimed.before {
            added += self.add(hover, &frame)?;
        }
        Ok(added + self.add(step, &frame)?)
    }

    /// What somebody aims at, and the frame in which it is.
    async fn aimed(&mut self, aim: &Aim) -> Result<(Aimed, Vec<usize>), Fault> {
        let mut frame = Vec::new();
        let mut expression = match aim {
            Aim::Point { x, y } => format!("runnersRecord.at({x}, {y})"),
            Aim::Selector(text) => {
                let selector = Selector::parse(text).map_err(|why| wrong(&format!("selector: {why}")))?;
                let said = json!(selector);
                format!("runnersRecord.find({}, {}, {said})", said["kind"], said["text"])
            }
        };
        for _ in 0..=DEPTH_MAX {
            let place = self.place(&frame)?;
            let said = self.ear.ask(&place, &expression).await;
            let said = said.map_err(|error| Fault::retryable("not_there", error.to_string()))?;
            let aimed: Aimed = serde_json::from_str(&said).unwrap_or_default();
            if let Some(missing) = aimed.missing {
                let what = match aim {
                    Aim::Point { .. } => missing,
                    Aim::Selector(text) => format!("selector: {text:?}: {missing}"),
                };
                return Err(wrong(&what));
            }
            let Some(inner) = aimed.frame else { return Ok((aimed, frame)) };
            frame.push(inner);
            expression = format!("runnersRecord.at({}, {})", aimed.x, aimed.y);
        }
        Err(wrong(&format!("frames lie in each other more than {DEPTH_MAX} deep there")))
    }

    fn place(&self, frame: &[usize]) -> Result<Place, Fault> {
        let place = self.places.get(&(self.active.clone(), frame.to_vec())).cloned();
        place.ok_or_else(|| Fault::retryable("not_there", "the page is not there yet"))
    }

    async fn answer_dialog(&mut self, accept: bool, value: Option<String>) -> Result<usize, Fault> {
        let page = self.page;
        let refused = |error: crate::BrowserError| Fault::retryable("not_there", error.to_string());
        let Some(message) = page.dialog().await.map_err(refused)? else {
            return Err(wrong("no dialog is open"));
        };
        if let Some(value) = &value {
            page.type_into_dialog(value).await.map_err(refused)?;
        }
        page.answer_dialog(accept).await.map_err(refused)?;
        if self.ear.hears_dialogs() {
            return Ok(0);
        }
        let (of, now) = (self.active.clone(), self.now());
        self.draft.answered(&of, &Dialog { accept, message, value }, now);
        Ok(1)
    }
}

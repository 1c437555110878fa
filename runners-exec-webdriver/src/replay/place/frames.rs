//! The way into the frames of a page and back: each is entered from the one around it, and a point in it is
//! told to that one on the way back.

use super::Place;
use crate::{
    browser::{
        BrowserError,
        page::{Page, Point},
        script::Script,
    },
    flow::Mode,
    replay::{
        element::in_order,
        scope::{Look, Scope},
    },
    visual::Rectangle,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

pub(super) const FRAME: Script = Script::new(
    "frame",
    concat!(
        include_str!("../../scripts/find.js"),
        include_str!("../../scripts/names.js"),
        include_str!("../../scripts/frame.js")
    ),
);

/// A point to act on, and the part of its element that is in view, which the point counts from.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in crate::replay) struct Spot {
    point: Point,
    part: Rectangle,
    /// Whether the element was scrolled into view just before.
    scrolled: bool,
}

impl Spot {
    pub(in crate::replay) const fn is_scrolled(&self) -> bool {
        self.scrolled
    }
}

/// A child frame as its parent sees it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Outside {
    element: Option<Value>,
    index: Option<usize>,
    /// Why the frame that was asked for is not there.
    missing: Option<String>,
    pub(super) count: usize,
    pub(super) url: String,
    visible: Option<Rectangle>,
    spot: Option<Spot>,
    /// Whether only a piece of the part that the point counts from is in view.
    cut: bool,
    covered: Option<String>,
}

impl Place {
    /// The part in view of the window of the frame, if the session is in one and it is known.
    pub(in crate::replay) fn visible(&self) -> Option<Rectangle> {
        self.here().visible
    }

    /// Leaves the frames.
    pub(in crate::replay) async fn surface(&self, page: Page<'_>) -> Result<(), BrowserError> {
        if self.here().in_frame {
            page.show_frame(&Value::Null).await?;
            let mut here = self.here();
            (here.in_frame, here.visible) = (false, None);
        }
        Ok(())
    }

    /// Goes from the surface along a path of frames; says why if there is no such frame.
    pub(super) async fn descend(
        &self,
        page: Page<'_>,
        path: &[usize],
    ) -> Result<Option<String>, BrowserError> {
        self.surface(page).await?;
        for (depth, index) in path.iter().enumerate() {
            let request = json!({ "index": index, "visible": self.visible() });
            let outside: Outside = page.run(&FRAME, &request).await?;
            let Some(element) = outside.element else {
                let (path, count) = (&path[..=depth], outside.count);
                return Ok(Some(format!(
                    "there is no frame {path:?}: {} has {count} child frames",
                    outside.url
                )));
            };
            self.step_into(page, &element, outside.visible).await?;
        }
        Ok(None)
    }

    /// Goes into a child frame, of which this part is in view.
    async fn step_into(
        &self,
        page: Page<'_>,
        frame: &Value,
        visible: Option<Rectangle>,
    ) -> Result<(), BrowserError> {
        {
            let mut here = self.here();
            (here.in_frame, here.visible) = (true, visible);
        }
        page.show_frame(frame).await
    }
}

impl Scope<'_> {
    /// Goes to the frame of the step; says why if it is not there.
    pub(in crate::replay) async fn descend(&self) -> Result<Option<String>, BrowserError> {
        if self.inside.is_empty() {
            let path = self.frames().clone();
            return self.place.descend(self.page, &path).await;
        }
        self.place.surface(self.page).await?;
        let mut path = Vec::new();
        for frame in self.inside {
            let request = json!({ "alternatives": in_order(frame), "visible": self.place.visible() });
            let outside: Outside = self.page.run(&FRAME, &request).await?;
            let (Some(element), Some(index)) = (outside.element, outside.index) else {
                let nowhere = || "the frame was taken out of the page".to_owned();
                return Ok(Some(outside.missing.unwrap_or_else(nowhere)));
            };
            self.place.step_into(self.page, &element, outside.visible).await?;
            path.push(index);
        }
        *self.frames() = path;
        Ok(None)
    }

    /// Leaves the frame of the step, and says where a point of it is in the page. In `strict` mode
    /// nothing may lie over it.
    pub(in crate::replay) async fn surface(&self, mut spot: Spot) -> Result<Look<Point>, BrowserError> {
        let path = self.frames().clone();
        for index in path.iter().rev() {
            self.page.show_parent_frame().await?;
            let request = json!({ "index": index, "spot": spot, "strict": self.mode == Mode::Strict });
            let outside: Outside = self.page.run(&FRAME, &request).await?;
            if outside.cut {
                // It does not fit. On the way back into the frames it is seen which part they show.
                self.was_cut.fetch_or(spot.scrolled, Ordering::Relaxed);
                return Ok(Look::Again("a frame around the element shows only a part of it".to_owned()));
            }
            if let Some(covered) = outside.covered {
                return Ok(Look::Again(covered));
            }
            let Some(outer) = outside.spot else {
                return Ok(Look::Again("the frame was taken out of the page".to_owned()));
            };
            spot = outer;
        }
        self.place.surface(self.page).await?;
        Ok(Look::Done(spot.point))
    }
}

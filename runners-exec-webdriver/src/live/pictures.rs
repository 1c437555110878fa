//! Pictures of a browser that sends none by itself: it is asked for one between two commands of the session. How
//! often follows from how long one takes, so that the session keeps most of its time.

use super::{
    audience::{End, Stage},
    pace::Pace,
    size,
};
use crate::{
    browser::{BrowserError, Session, page::Page},
    within::within,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::future::{Either, select};
use runners_core::{
    Clock,
    live::{Frame, FrameFormat},
};
use serde::Deserialize;
use serde_json::json;
use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

/// The most pictures per second, however few are wished.
const PER_SECOND_MAX: u32 = 4;
/// How many times longer than a picture takes the session is left alone, at the least.
const REST: u32 = 9;
/// How long one picture may take.
const PICTURE_TIMEOUT: Duration = Duration::from_secs(10);

/// Shows the page that a session is at while somebody looks.
pub(super) async fn show(session: Weak<dyn Session>, mut stage: Stage, clock: Arc<dyn Clock>) {
    let mut eye = Asked { clock: &*clock, last: None };
    let mut pace = Pace::new(REST, PER_SECOND_MAX);
    while let Some(wish) = stage.wish() {
        let began = clock.boot();
        // Whoever holds the session keeps it open. This does not, but for a picture.
        let Some(held) = session.upgrade() else { return stage.end(End::Over) };
        let taken = within(&*clock, PICTURE_TIMEOUT, eye.picture(&*held, wish.quality)).await;
        drop(held);
        match taken {
            Some(Ok(Some(frame))) => stage.show(frame),
            // It looks as before, or cannot be looked at now.
            Some(Ok(None) | Err(BrowserError::Closed | BrowserError::Dialog { .. })) => {}
            Some(Err(BrowserError::Refused { .. })) => {}
            Some(Err(BrowserError::Gone { .. })) => return stage.end(End::Over),
            Some(Err(error)) => return stage.end(End::Broken(error.to_string())),
            None => return stage.end(End::Broken("the browser did not answer in time".to_owned())),
        }
        pace.took(clock.boot().since(began));
        let until = clock.boot() + pace.rest(wish.per_second_max);
        while clock.boot() < until {
            let has_changed =
                matches!(select(pin!(stage.changed()), clock.sleep_until(until)).await, Either::Left(_));
            if has_changed && stage.wish().is_none() {
                return;
            }
        }
    }
}

/// What is remembered from one picture to the next.
struct Asked<'c> {
    clock: &'c dyn Clock,
    last: Option<Bytes>,
}

impl Asked<'_> {
    /// A picture, if it is another than the last one.
    async fn picture(&mut self, session: &dyn Session, quality: u32) -> Result<Option<Frame>, BrowserError> {
        let page = Page::new(session);
        let at = self.clock.wall();
        let (bytes, format) = if page.abilities().bidi() {
            let format = json!({ "type": "image/jpeg", "quality": f64::from(quality) / 100.0 });
            let params = json!({ "context": null, "origin": "viewport", "format": format });
            let taken = page.bidi_call("browsingContext.captureScreenshot", params).await?;
            let bytes = STANDARD.decode(taken["data"].as_str().unwrap_or_default()).unwrap_or_default();
            (Bytes::from(bytes), FrameFormat::Jpeg)
        } else {
            (Bytes::from(page.screenshot().await?), FrameFormat::Png)
        };
        let size = size::of(&bytes).filter(|_| self.last.as_ref() != Some(&bytes));
        let Some(size) = size else { return Ok(None) };
        let viewport = in_css_pixels(size, ratio(page).await);
        self.last = Some(bytes.clone());
        Ok(Some(Frame::new(at, format, viewport, bytes)))
    }
}

/// How many pixels of a picture a CSS pixel has; one, as long as the page does not say.
async fn ratio(page: Page<'_>) -> f64 {
    #[derive(Deserialize)]
    struct Told {
        ratio: f64,
    }
    let asked = page.ask::<Told>("arguments[1]({ ratio: devicePixelRatio })", &()).await;
    asked.map_or(1.0, |told| told.ratio).max(f64::MIN_POSITIVE)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is cut to what fits")]
fn in_css_pixels(size: (u32, u32), ratio: f64) -> (u32, u32) {
    let css = |pixels: u32| ((f64::from(pixels) / ratio).round() as u32).max(1);
    (css(size.0), css(size.1))
}

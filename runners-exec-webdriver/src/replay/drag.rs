//! Drags. A browser takes a drag for its own, and tells the page of `dragstart` and `drop`, only if the whole of it
//! is one gesture; so both ends are found first, and then everything is done in one command. Where that cannot be,
//! it is done step by step, and a page sees what the mouse does and no more.

use super::{
    element::{Act, raced},
    scope::{Look, Scope},
    trouble::Trouble,
};
use crate::{
    browser::{BrowserError, page::Point},
    flow::Selectors,
    within::within,
};
use runners_core::BootTime;
use std::{sync::atomic::Ordering, time::Duration};

/// How long both ends are looked for before the button is pressed. Some are there only once it is.
pub(crate) const FIND_TIMEOUT: Duration = Duration::from_secs(1);
/// How long it may take to release the button of a drag that the browser refused.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

impl Scope<'_> {
    /// Drags an element onto another with the mouse.
    pub(super) async fn drag(&self, from: &Selectors, to: &Selectors) -> Result<(), Trouble> {
        if self.drag_at_once(from, (self, to)).await? {
            return Ok(());
        }
        self.act(from, Act::Hover).await?;
        // The button is not left pressed, whatever comes of it. If the step is late, whoever bounds it releases it.
        self.is_pressed.store(true, Ordering::Relaxed);
        self.page.press_mouse().await?;
        let dropped = self.act(to, Act::Hover).await;
        self.page.release_mouse().await?;
        self.is_pressed.store(false, Ordering::Relaxed);
        dropped.map(drop)
    }

    /// Does it in one command, if both ends are in view at once. `false` if nothing was pressed. The other end
    /// may be in another frame.
    pub(super) async fn drag_at_once(
        &self,
        from: &Selectors,
        onto: (&Scope<'_>, &Selectors),
    ) -> Result<bool, Trouble> {
        self.act(from, Act::Hover).await?;
        let Some((start, end)) = self.ends(from, onto).await? else { return Ok(false) };
        self.is_pressed.store(true, Ordering::Relaxed);
        let dragged = self.page.drag(start, end).await;
        let dragged = match dragged {
            // What it did has opened a dialog. Whether that is in the way, the next step finds out.
            Ok(()) | Err(BrowserError::Dialog { .. }) => Ok(true),
            Err(error) => {
                within(self.clock, RELEASE_TIMEOUT, self.page.release_mouse()).await;
                Err(error.into())
            }
        };
        self.is_pressed.store(false, Ordering::Relaxed);
        dragged
    }

    /// Where a drag begins and ends, if both are in view at once.
    async fn ends(
        &self,
        from: &Selectors,
        (other, to): (&Scope<'_>, &Selectors),
    ) -> Result<Option<(Point, Point)>, Trouble> {
        let until = self.clock.boot() + FIND_TIMEOUT;
        let Some((mut end, _)) = other.aim(to, true, until).await? else { return Ok(None) };
        // To see one end the page may have been scrolled, so that the other is elsewhere or out of view.
        let Some((start, is_scrolled)) = self.aim(from, false, until).await? else { return Ok(None) };
        if is_scrolled {
            match other.aim(to, false, until).await? {
                Some((at, false)) => end = at,
                _ => return Ok(None),
            }
        }
        Ok(Some((start, end)))
    }

    /// The point of an element to act on, and whether the page was scrolled to see it. None if there is none by
    /// then, though it is looked for at least once.
    async fn aim(
        &self,
        selectors: &Selectors,
        fit: bool,
        until: BootTime,
    ) -> Result<Option<(Point, bool)>, Trouble> {
        let alternatives = raced(selectors);
        self.until(|| async {
            Ok(match self.aim_once(&alternatives, Act::Aim { fit }).await? {
                Look::Done(aimed) => Look::Done(aimed.at()),
                Look::Again(why) if self.clock.boot() < until => Look::Again(why),
                Look::Again(_) | Look::Hopeless(_) => Look::Done(None),
            })
        })
        .await
    }
}

//! Performs one step, whatever its type.

use super::{
    element::Act,
    navigation::Mark,
    scope::{Look, Scope},
    trouble::Trouble,
};
use crate::{
    flow::{Action, Mode, Step},
    within::within,
};
use serde_json::json;
use std::{sync::atomic::Ordering, time::Duration};

/// How long it may take to release a button that a step which is late has pressed.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

impl Scope<'_> {
    /// Does what the step says within its limit. One that is late leaves no button pressed.
    pub(super) async fn perform_within(&self, limit: Duration, step: &Step) -> Result<(), Trouble> {
        self.bounded(limit, self.perform(step)).await
    }

    /// The same of a part of a step.
    pub(super) async fn bounded<T>(
        &self,
        limit: Duration,
        doing: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        if let Some(done) = within(self.clock, limit, doing).await {
            return done;
        }
        if self.is_pressed.load(Ordering::Relaxed) {
            within(self.clock, RELEASE_TIMEOUT, self.page.release_mouse()).await;
        }
        Err(Trouble::Failed(self.late(limit)))
    }

    /// Does what the step says and waits for the navigation that it asserts.
    async fn perform(&self, step: &Step) -> Result<(), Trouble> {
        self.enter(step).await?;
        let before = match step.action.selectors() {
            Some(_) if !matches!(step.action, Action::WaitForElement(_) | Action::Extension(_)) => None,
            _ if step.asserts_navigation() => Some(self.mark().await?),
            _ => None,
        };
        let seen = self.action(&step.action).await?;
        if step.asserts_navigation() && !matches!(step.action, Action::Close) {
            let before =
                before.or(seen).expect("a step that acts on an element marks the page before it does");
            let strict = self.mode == Mode::Strict;
            self.navigated(before, if strict { &step.asserted_navigations } else { &[] }).await?;
        }
        Ok(())
    }

    /// Does it; a step on an element answers where the page was just before.
    async fn action(&self, action: &Action) -> Result<Option<Mark>, Trouble> {
        match action {
            Action::Navigate { url } => self.navigate(url).await?,
            Action::SetViewport(viewport) => self.set_viewport(viewport).await?,
            Action::Click(click) => return self.act(&click.selectors, Act::Click(click, 1)).await.map(Some),
            Action::DoubleClick(click) => {
                return self.act(&click.selectors, Act::Click(click, 2)).await.map(Some);
            }
            Action::Hover { selectors } => return self.act(selectors, Act::Hover).await.map(Some),
            Action::Change { selectors, value } => {
                return self.act(selectors, Act::Fill(value)).await.map(Some);
            }
            Action::Scroll { selectors: Some(selectors), x, y } => {
                return self.act(selectors, Act::Scroll { x: *x, y: *y }).await.map(Some);
            }
            Action::Scroll { selectors: None, x, y } => self.scroll_page(*x, *y).await?,
            Action::KeyDown { key } => self.key_down(key).await?,
            Action::KeyUp { key } => self.key_up(key).await?,
            Action::Close if self.is_frame_target.load(Ordering::Relaxed) => {}
            Action::Close => self.place.close(self.page).await?,
            Action::WaitForElement(wait) => self.wait_for_element(wait).await?,
            Action::WaitForExpression { expression } => self.wait_for_expression(expression).await?,
            Action::EmulateNetworkConditions { download, upload, latency } => {
                self.set_network(*download, *upload, *latency).await?;
            }
            Action::Extension(extension) => self.extension(extension).await?,
            Action::CustomStep { .. } => unreachable!("refused or skipped before the first step"),
        }
        Ok(None)
    }

    async fn scroll_page(&self, x: f64, y: f64) -> Result<(), Trouble> {
        const SCROLL: &str =
            "const [to, done] = arguments; scrollTo({ ...to, behavior: 'instant' }); done({});";
        let to = json!({ "left": x, "top": y });
        self.until(|| async {
            self.page.ask::<serde_json::Value>(SCROLL, &to).await?;
            Ok(Look::Done(()))
        })
        .await
    }
}

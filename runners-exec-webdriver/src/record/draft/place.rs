//! Where pages are, and why they went there: because of a step, which then says so, or by a person's
//! hand, which is a step of its own.

use super::{Draft, Entry};
use crate::record::{
    shape,
    told::{Size, Told},
};
use serde_json::json;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// How long after a step a page goes elsewhere because of it.
const CAUSES_WITHIN: Duration = Duration::from_secs(5);
/// The same where it is the history that it goes through, which a person may do as well.
const CAUSES_HISTORY_WITHIN: Duration = Duration::from_secs(1);
/// How long after a page has gone elsewhere it is led on from there.
const LEADS_ON_WITHIN: Duration = Duration::from_secs(2);
/// Steps that stand between a step and what it has caused.
const PASSED_OVER: &[&str] = &["keyUp", "scroll", "setViewport"];

/// The pages of a recording, and where each is.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) main: String,
    addresses: HashMap<String, String>,
    /// The size of the main page.
    pub(super) size: Option<Size>,
}

impl Pages {
    pub(super) fn new(main: &str) -> Self {
        Self { main: main.to_owned(), addresses: HashMap::new(), size: None }
    }

    /// Learns where a page is from what it tells. Answers whether it was nowhere before.
    pub(super) fn see(&mut self, page: &str, told: &Told) -> bool {
        if !told.frame.is_empty() {
            return false;
        }
        self.addresses.insert(page.to_owned(), told.url.clone()).is_none()
    }

    pub(super) fn address(&self, page: &str) -> Option<&str> {
        self.addresses.get(page).map(String::as_str)
    }

    /// What a step names a page by; nothing for the main one.
    pub(super) fn target(&self, page: &str) -> Option<String> {
        if page == self.main { None } else { self.addresses.get(page).cloned() }
    }

    pub(super) fn forget(&mut self, page: &str) {
        self.addresses.remove(page);
    }
}

impl Draft {
    /// A document has begun.
    pub(super) fn arrived(&mut self, page: &str, told: &Told, how: &str, now: Duration) {
        if !told.frame.is_empty() || told.url == "about:blank" {
            return;
        }
        let from = self.pages.target(page);
        let is_first = self.pages.see(page, told);
        if is_first && page != self.pages.main {
            return;
        }
        let within = if how == "navigate" { CAUSES_WITHIN } else { CAUSES_HISTORY_WITHIN };
        if let Some(entry) = self.cause(page, now, within) {
            if !entry.step["frame"].is_array() {
                shape::assert_navigation(&mut entry.step, &told.url);
            }
            entry.led_to = Some((told.document.clone(), now));
            self.revision += 1;
            return;
        }
        let step = json!({ "type": "navigate", "url": told.url });
        let step = shape::placed(step, from.as_deref(), &[]);
        self.keep();
        self.push(page, step, now, |entry| {
            shape::assert_navigation(&mut entry.step, &told.url);
            entry.causes = true;
            entry.led_to = Some((told.document.clone(), now));
        });
    }

    /// A document has loaded, and has a title.
    pub(super) fn titled(&mut self, told: &Told, title: &str) {
        let is_it = |entry: &&mut Arc<Entry>| {
            entry.led_to.as_ref().is_some_and(|(document, _)| *document == told.document)
        };
        let Some(entry) = self.entries.iter_mut().rev().find(is_it) else { return };
        if entry.step["assertedEvents"][0]["url"].is_string() {
            shape::assert_title(&mut Arc::make_mut(entry).step, title);
            self.revision += 1;
        }
    }

    /// A document has another address.
    pub(super) fn moved(&mut self, page: &str, told: &Told, now: Duration) {
        if !told.frame.is_empty() {
            return;
        }
        self.pages.see(page, told);
        // Where nobody did anything the page will go there by itself again.
        if let Some(entry) = self.cause(page, now, LEADS_ON_WITHIN)
            && !entry.step["frame"].is_array()
        {
            shape::assert_navigation(&mut entry.step, &told.url);
            entry.led_to.get_or_insert_with(|| (String::new(), now));
            self.revision += 1;
        }
    }

    /// The size of the main page is known; a flow begins with it.
    pub(super) fn fit(&mut self, page: &str, size: Size) {
        let is_known = self.pages.size.is_some() || page != self.pages.main;
        if is_known || size.width < 1.0 || size.height < 1.0 {
            return;
        }
        self.pages.size = Some(size);
        self.push(page, shape::viewport(size), Duration::ZERO, |_| {});
        self.entries.rotate_right(1);
    }

    /// A page has another size.
    pub(super) fn sized(&mut self, page: &str, size: Size, now: Duration) {
        if page != self.pages.main || self.pages.size == Some(size) || size.width < 1.0 {
            return;
        }
        self.pages.size = Some(size);
        let is_begun =
            self.entries.iter().any(|entry| entry.step["type"] != "setViewport" && entry.element.is_some());
        let newest = if is_begun { self.entries.last_mut() } else { self.entries.first_mut() };
        if let Some(entry) = newest.filter(|entry| entry.step["type"] == "setViewport") {
            Arc::make_mut(entry).step = shape::viewport(size);
            self.revision += 1;
            return;
        }
        self.keep();
        self.push(page, shape::viewport(size), now, |_| {});
    }

    /// The step because of which a page goes elsewhere now.
    fn cause(&mut self, page: &str, now: Duration, within: Duration) -> Option<&mut Entry> {
        let of_page = |entry: &&mut Arc<Entry>| {
            let kind = entry.step["type"].as_str().unwrap_or_default();
            entry.page == page && !PASSED_OVER.contains(&kind)
        };
        let last = self.entries.iter_mut().rev().find(of_page)?;
        let is_load = last.step["type"] == "navigate";
        let is_late = match &last.led_to {
            Some((_, at)) => now.saturating_sub(*at) > LEADS_ON_WITHIN,
            None => !is_load && now.saturating_sub(last.at) > within,
        };
        (last.causes && !is_late).then(|| Arc::make_mut(last))
    }
}

//! Locators of Selenium IDE: as selectors of a flow, and as expressions in the page.

use serde_json::to_string;

/// How an element is found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Locator {
    Css(String),
    Xpath(String),
}

impl Locator {
    /// Reads a locator; the error says why it is none.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with("//") || text.starts_with("(//") {
            return Ok(Self::Xpath(text.to_owned()));
        }
        let Some((kind, rest)) = text.split_once('=') else {
            return Err(format!("{text:?} is no locator"));
        };
        Ok(match kind {
            "id" if is_plain(rest) => Self::Css(format!("#{rest}")),
            "id" => Self::Css(format!("[id={}]", quoted(rest))),
            "name" => Self::Css(format!("[name={}]", quoted(rest))),
            "css" => Self::Css(rest.to_owned()),
            "xpath" => Self::Xpath(rest.to_owned()),
            "link" | "linkText" => Self::Xpath(format!("//a[normalize-space()={}]", xpath_text(rest))),
            "partialLinkText" => {
                Self::Xpath(format!("//a[contains(normalize-space(), {})]", xpath_text(rest)))
            }
            other => return Err(format!("flows find nothing by {other:?}")),
        })
    }

    pub(super) fn selector(&self) -> String {
        match self {
            // So that no prefix of ours is seen in it.
            Self::Css(css) if css.contains('/') => format!("css/{css}"),
            Self::Css(css) => css.clone(),
            Self::Xpath(path) => format!("xpath/{path}"),
        }
    }

    /// An expression of JavaScript that is the first such element, or null.
    pub(super) fn expression(&self) -> String {
        match self {
            Self::Css(css) => format!("document.querySelector({})", quoted(css)),
            Self::Xpath(path) => {
                format!("document.evaluate({}, document, null, 9, null).singleNodeValue", quoted(path))
            }
        }
    }
}

/// A text as JavaScript and CSS write it.
pub(super) fn quoted(text: &str) -> String {
    to_string(text).expect("invariant: a text is JSON")
}

fn is_plain(id: &str) -> bool {
    let begins = id.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    begins && id.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
}

/// A text as XPath writes it, which knows no escapes.
fn xpath_text(text: &str) -> String {
    if !text.contains('"') {
        return format!("\"{text}\"");
    }
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    let parts: Vec<_> = text.split('"').map(|part| format!("\"{part}\"")).collect();
    format!("concat({})", parts.join(", '\"', "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_locator_is_a_selector() {
        for (locator, selector) in [
            ("id=name", "#name"),
            ("id=a.b", "[id=\"a.b\"]"),
            ("name=q", "[name=\"q\"]"),
            ("css=ul > li:nth-child(2)", "ul > li:nth-child(2)"),
            ("css=a[href='/x']", "css/a[href='/x']"),
            ("xpath=//a[1]", "xpath///a[1]"),
            ("//a[2]", "xpath///a[2]"),
            (
                "linkText=It's \"on\"",
                "xpath///a[normalize-space()=concat(\"It's \", '\"', \"on\", '\"', \"\")]",
            ),
            ("partialLinkText=on", "xpath///a[contains(normalize-space(), \"on\")]"),
        ] {
            assert_eq!(Locator::parse(locator).unwrap().selector(), selector, "{locator}");
        }
        assert!(Locator::parse("dom=x").unwrap_err().contains("by \"dom\""));
        assert!(Locator::parse("name").unwrap_err().contains("no locator"));
    }
}

//! Selectors: how a step names the elements it means. Finding them is the replay's business.

use serde::Serialize;
use std::fmt;

/// The alternatives of a step, any of which names the element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectors(Vec<Chain>);

/// One alternative: selectors of which each is looked up inside what the one before it found, in
/// its shadow root if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain(Vec<Selector>);

/// One selector of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Selector {
    /// A CSS selector; written bare, or behind `css/`.
    Css {
        /// The selector without its prefix.
        text: String,
    },
    /// An accessible name, a role, or both: `aria/Save[role="button"]`.
    Aria {
        /// The exact name, its white space folded.
        name: Option<String>,
        /// The exact role.
        role: Option<String>,
    },
    /// The deepest elements whose text contains this one: `text/Save`.
    Text {
        /// The text looked for.
        text: String,
    },
    /// An XPath expression: `xpath///button`.
    Xpath {
        /// The expression.
        text: String,
    },
    /// A CSS selector that looks through every open shadow root: `pierce/button`.
    Pierce {
        /// The selector without its prefix.
        text: String,
    },
    /// One of the elements that the selector before it finds. Flows have no word for it.
    Nth {
        /// Which one, from 0.
        index: usize,
    },
}

impl Selectors {
    /// The most alternatives of one step.
    pub const ALTERNATIVES_MAX: usize = 100;

    pub(crate) fn new(chains: Vec<Chain>) -> Self {
        Self(chains)
    }

    /// The alternatives in the order of the document.
    #[must_use]
    pub fn alternatives(&self) -> &[Chain] {
        &self.0
    }

    /// How a person would call the element: its accessible name or text if a selector says it.
    pub(crate) fn label(&self) -> String {
        let last = |chain: &Chain| chain.0.last().cloned();
        let named = self.0.iter().filter_map(last).find_map(|selector| match selector {
            Selector::Aria { name: Some(name), .. } => Some(name),
            Selector::Text { text } => Some(text),
            _ => None,
        });
        match named {
            Some(name) => format!("{name:?}"),
            None => self.0.first().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

impl Chain {
    /// The most selectors of one chain.
    pub const SELECTORS_MAX: usize = 20;

    pub(crate) fn new(selectors: Vec<Selector>) -> Self {
        Self(selectors)
    }

    /// The selectors from the outermost to the innermost.
    #[must_use]
    pub fn selectors(&self) -> &[Selector] {
        &self.0
    }

    pub(crate) fn has_aria(&self) -> bool {
        self.0.iter().any(|selector| matches!(selector, Selector::Aria { .. }))
    }
}

impl Selector {
    /// Reads one selector; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let owned = str::to_owned;
        let begins =
            ["css/", "text/", "xpath/", "pierce/"].iter().find_map(|prefix| text.strip_prefix(prefix));
        if begins.unwrap_or(text).trim().is_empty() {
            return Err(format!("{text:?} looks for nothing"));
        }
        if let Some(rest) = text.strip_prefix("aria/") {
            return parse_aria(rest);
        }
        Ok(if let Some(rest) = text.strip_prefix("css/") {
            Self::Css { text: owned(rest) }
        } else if let Some(rest) = text.strip_prefix("text/") {
            Self::Text { text: owned(rest) }
        } else if let Some(rest) = text.strip_prefix("xpath/") {
            Self::Xpath { text: owned(rest) }
        } else if let Some(rest) = text.strip_prefix("pierce/") {
            Self::Pierce { text: owned(rest) }
        } else {
            Self::Css { text: owned(text) }
        })
    }
}

impl fmt::Display for Selectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, chain) in self.0.iter().enumerate() {
            let before = if index > 0 { " or " } else { "" };
            write!(f, "{before}{chain}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, selector) in self.0.iter().enumerate() {
            let before = if index > 0 { " >> " } else { "" };
            write!(f, "{before}{selector}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Css { text } => f.write_str(text),
            Self::Aria { name, role } => {
                write!(f, "aria/{}", name.as_deref().unwrap_or_default())?;
                role.as_ref().map_or(Ok(()), |role| write!(f, "[role={role:?}]"))
            }
            Self::Text { text } => write!(f, "text/{text}"),
            Self::Xpath { text } => write!(f, "xpath/{text}"),
            Self::Pierce { text } => write!(f, "pierce/{text}"),
            Self::Nth { index } => write!(f, "nth/{index}"),
        }
    }
}

/// Takes `[name="…"]` and `[role="…"]` out of the text; what is left is the name.
fn parse_aria(text: &str) -> Result<Selector, String> {
    let (mut name, mut role, mut left) = (None, None, String::new());
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        let Some((attribute, value, after)) = attribute(&rest[start..]) else {
            left.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        };
        match attribute {
            "name" => name = Some(fold(value)),
            "role" => role = Some(fold(value)),
            other => return Err(format!("unknown attribute {other:?} in an aria selector")),
        }
        left.push_str(&rest[..start]);
        rest = after;
    }
    left.push_str(rest);
    let left = fold(&left);
    if name.is_none() && !left.is_empty() {
        name = Some(left);
    }
    if name.is_none() && role.is_none() {
        return Err("an aria selector without a name and without a role".to_owned());
    }
    Ok(Selector::Aria { name, role })
}

/// Reads `[word="value"]` at the start of `text`: the word, the value, and what follows.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.strip_prefix('[')?.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    let (word, text) = text.split_at(end);
    let text = text.trim_start().strip_prefix('=')?.trim_start();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, text) = text[1..].split_once(quote)?;
    let after = text.trim_start().strip_prefix(']')?;
    (!word.is_empty()).then_some((word, value, after))
}

fn fold(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aria(name: Option<&str>, role: Option<&str>) -> Selector {
        Selector::Aria { name: name.map(str::to_owned), role: role.map(str::to_owned) }
    }

    #[test]
    fn each_prefix_is_its_kind_and_none_is_css() {
        let text = |text: &str| text.to_owned();
        assert_eq!(Selector::parse("#a"), Ok(Selector::Css { text: text("#a") }));
        assert_eq!(Selector::parse("css/.x"), Ok(Selector::Css { text: text(".x") }));
        assert_eq!(Selector::parse("text/a/b"), Ok(Selector::Text { text: text("a/b") }));
        assert_eq!(Selector::parse("xpath///*[@id]"), Ok(Selector::Xpath { text: text("//*[@id]") }));
        assert_eq!(Selector::parse("pierce/#a"), Ok(Selector::Pierce { text: text("#a") }));
    }

    #[test]
    fn aria_takes_a_name_a_role_or_both() {
        assert_eq!(Selector::parse("aria/Save  it "), Ok(aria(Some("Save it"), None)));
        assert_eq!(Selector::parse(r#"aria/Save[role="button"]"#), Ok(aria(Some("Save"), Some("button"))));
        assert_eq!(Selector::parse("aria/[ role = 'image' ]"), Ok(aria(None, Some("image"))));
        assert_eq!(Selector::parse(r#"aria/[name="a]b"]"#), Ok(aria(Some("a]b"), None)));
        assert_eq!(Selector::parse("aria/Row [3] of 9"), Ok(aria(Some("Row [3] of 9"), None)));
    }

    #[test]
    fn an_aria_attribute_other_than_name_and_role_is_refused() {
        assert!(Selector::parse(r#"aria/Save[level="2"]"#).unwrap_err().contains("\"level\""));
        assert!(Selector::parse("aria/").is_err());
    }

    #[test]
    fn the_label_is_what_a_person_would_call_it() {
        let chain = |text| Chain::new(vec![Selector::parse(text).unwrap()]);
        let selectors = Selectors::new(vec![chain("#start"), chain("aria/Start")]);
        assert_eq!(selectors.label(), "\"Start\"");
        assert_eq!(Selectors::new(vec![chain("#start")]).label(), "#start");
        assert_eq!(selectors.to_string(), "#start or aria/Start");
    }
}

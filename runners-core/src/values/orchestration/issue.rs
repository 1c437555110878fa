//! What is wrong with a request, place by place.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// A request that is refused, with everything that is wrong with it: at most
/// [`ISSUES_MAX`](Self::ISSUES_MAX) issues, and at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub struct InvalidRequest {
    /// What is wrong, in the order in which it was found.
    pub issues: Vec<RequestIssue>,
}

impl InvalidRequest {
    /// How many issues are told of at most.
    pub const ISSUES_MAX: usize = 100;
}

impl fmt::Display for InvalidRequest {
    /// The first issue, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut issues = self.issues.iter();
        issues.next().map_or(Ok(()), |first| write!(f, "{first}"))?;
        match issues.len() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

/// One thing that is wrong with a request. Its JSON has the members that validators of the wire's
/// other speakers write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RequestIssue {
    /// Which kind of thing is wrong.
    pub code: IssueCode,
    /// Where: names of members and numbers of elements, from the outside in.
    pub path: Vec<PathPart>,
    /// What is wrong, what the limit is, and what to do instead.
    pub message: String,
    /// The type that is expected there, for [`IssueCode::InvalidType`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Cow<'static, str>>,
    /// The least that is allowed, for [`IssueCode::TooSmall`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u64>,
    /// The most that is allowed, for [`IssueCode::TooBig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<u64>,
    /// What is allowed, for [`IssueCode::InvalidValue`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Cow<'static, str>>,
    /// What is not known, for [`IssueCode::UnrecognizedKeys`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl RequestIssue {
    /// An issue at a place.
    #[must_use]
    pub fn new(code: IssueCode, path: Vec<PathPart>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            path,
            message,
            expected: None,
            minimum: None,
            maximum: None,
            values: Vec::new(),
            keys: Vec::new(),
        }
    }

    /// The place, as people write it: `runners.3.input.url`. Empty for the request as a whole.
    #[must_use]
    pub fn place(&self) -> String {
        let parts: Vec<String> = self.path.iter().map(ToString::to_string).collect();
        parts.join(".")
    }
}

impl fmt::Display for RequestIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place();
        let place = if place.is_empty() { "request" } else { &place };
        write!(f, "{place}: {}", self.message)
    }
}

/// Which kind of thing is wrong. Stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IssueCode {
    /// Too few, too short, or too low.
    TooSmall,
    /// Too many, too long, or too high.
    TooBig,
    /// Of another type, or missing.
    InvalidType,
    /// None of those that are allowed.
    InvalidValue,
    /// Malformed text.
    InvalidFormat,
    /// Members that nobody knows, where that matters.
    UnrecognizedKeys,
}

/// One step to a place in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::exhaustive_enums, reason = "JSON has members and elements")]
pub enum PathPart {
    /// A member, by its name.
    Member(String),
    /// An element, by its number from 0.
    Element(usize),
}

impl From<&str> for PathPart {
    fn from(name: &str) -> Self {
        Self::Member(name.to_owned())
    }
}

impl From<usize> for PathPart {
    fn from(number: usize) -> Self {
        Self::Element(number)
    }
}

impl fmt::Display for PathPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(name) => f.write_str(name),
            Self::Element(number) => write!(f, "{number}"),
        }
    }
}

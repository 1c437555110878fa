//! Problems (RFC 9457): the errors that the servers of this project answer, each with a stable
//! code.
//!
//! What is here is the body. Which status line and headers go with it, and where a code is used, is
//! the affair of each face.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// How the `type` of every problem of this project begins. A proxy's problems have another.
const TYPE_PREFIX: &str = "urn:runners:problem:";

/// Why a request was not carried out, as it stands in the body of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Problem {
    /// `urn:runners:problem:` and the code.
    #[serde(rename = "type")]
    pub type_: String,
    /// The same for every problem of the code.
    pub title: Cow<'static, str>,
    /// The status of the answer.
    pub status: u16,
    /// For machines. Stable.
    pub code: Cow<'static, str>,
    /// What is wrong with this request, and what to do.
    pub detail: String,
    /// The same as `detail`, where clients show this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Where in the body, the path or the query it is, if it is in one place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The limit that was passed, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How much of the limit is used already, where that is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
}

impl Problem {
    /// A problem with what is wrong, and what to do about it.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            type_: format!("{TYPE_PREFIX}{}", code.as_str()),
            title: code.title().into(),
            status: code.status(),
            code: code.as_str().into(),
            detail: detail.into(),
            error: None,
            path: None,
            limit: None,
            used: None,
        }
    }

    /// A problem whose code was made further inside; one that is not known is answered as
    /// [`ProblemCode::Invalid`] is.
    #[must_use]
    pub fn rejected(code: String, detail: String) -> Self {
        let known = ProblemCode::of(&code).unwrap_or(ProblemCode::Invalid);
        let problem = Self::new(known, detail);
        Self { type_: format!("{TYPE_PREFIX}{code}"), code: code.into(), ..problem }
    }

    /// Whether a server of this project made it.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.type_.strip_prefix(TYPE_PREFIX) == Some(&self.code)
    }
}

macro_rules! codes {
    ($($variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// What is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum ProblemCode {
            $(#[doc = concat!($title, ".")] $variant,)*
        }

        impl ProblemCode {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it stands in the body.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The status of the answer.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }

            /// What is wrong, for people.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }
        }
    };
}

codes! {
    UnsupportedProtocol = "unsupported_protocol", 400, "The protocol version is not supported";
    Invalid = "invalid", 400, "The request is malformed";
    Unauthorized = "unauthorized", 401, "The credential is missing or not accepted";
    WrongToken = "wrong_token", 403, "The token is of another kind";
    Forbidden = "forbidden", 403, "The credential does not allow this";
    NotFound = "not_found", 404, "There is nothing here";
    NoArtifacts = "no_artifacts", 404, "This server keeps no artifacts";
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    TooSlow = "too_slow", 408, "The request did not arrive in time";
    Conflict = "conflict", 409, "It cannot be done as things are";
    LengthRequired = "length_required", 411, "The length must be told first";
    TooLarge = "too_large", 413, "The body is too large";
    UnsupportedMediaType = "unsupported_media_type", 415, "The media type is not supported";
    RangeNotSatisfiable = "range_not_satisfiable", 416, "The range begins beyond the end";
    Mismatch = "mismatch", 422, "The bytes are not those of the address";
    KeyReused = "idempotency_key_reused", 422, "The idempotency key names another request";
    Exhausted = "exhausted", 429, "A limit is reached";
    Limited = "limited", 429, "There were too many failed attempts";
    HeadersTooLarge = "headers_too_large", 431, "The headers are too large";
    Internal = "internal", 500, "The server has a fault";
    Busy = "busy", 503, "The server is busy";
    Unavailable = "unavailable", 503, "The server cannot answer now";
    Full = "full", 507, "The artifact store is full";
    OverQuota = "over_quota", 507, "The quota of the tenant is used up";
}

impl ProblemCode {
    /// The code that stands on the wire as `code`.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_another_server_is_not_ours() {
        let ours = Problem::new(ProblemCode::Unauthorized, "no");
        assert!(ours.is_ours());
        assert!(Problem::rejected("odd".into(), "make it even".into()).is_ours());
        assert!(!Problem { type_: "about:blank".into(), ..ours }.is_ours());
    }

    #[test]
    fn every_code_leads_back_to_itself() {
        for code in ProblemCode::ALL {
            assert_eq!(ProblemCode::of(code.as_str()), Some(*code));
        }
    }

    #[test]
    fn what_does_not_apply_is_left_out() {
        let problem = Problem { limit: Some(7), ..Problem::new(ProblemCode::TooLarge, "send less") };
        let json = serde_json::to_value(&problem).unwrap();
        let expected = serde_json::json!({
            "type": "urn:runners:problem:too_large", "title": "The body is too large", "status": 413,
            "code": "too_large", "detail": "send less", "limit": 7,
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Problem>(json).unwrap(), problem);
    }
}

//! Problems (RFC 9457): the errors that only this protocol's server answers, each with a stable code.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How the `type` of every problem of this protocol begins. A proxy's problems have another.
const TYPE_PREFIX: &str = "urn:runners:problem:";

/// Why a request was not carried out, as it stands in the body of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Problem {
    /// [`TYPE_PREFIX`] and the code.
    #[serde(rename = "type")]
    pub(crate) type_: String,
    /// The same for every problem of the code.
    pub(crate) title: Cow<'static, str>,
    /// The status of the answer.
    pub(crate) status: u16,
    /// For machines. Stable.
    pub(crate) code: Cow<'static, str>,
    /// What is wrong with this request, and what to do.
    pub(crate) detail: String,
    /// The limit that was passed, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u64>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            type_: format!("{TYPE_PREFIX}{}", code.as_str()),
            title: code.title().into(),
            status: code.status(),
            code: code.as_str().into(),
            detail: detail.into(),
            limit: None,
        }
    }

    /// A problem whose code was made further inside.
    pub(crate) fn rejected(code: String, detail: String) -> Self {
        let known = Code::of(&code).unwrap_or(Code::Invalid);
        let problem = Self::new(known, detail);
        Self { type_: format!("{TYPE_PREFIX}{code}"), code: code.into(), ..problem }
    }

    /// Whether this protocol's server made it.
    pub(crate) fn is_ours(&self) -> bool {
        self.type_.strip_prefix(TYPE_PREFIX) == Some(&self.code)
    }
}

macro_rules! codes {
    ($($variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// What is wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $($variant,)*
        }

        impl Code {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            pub(crate) const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }

            pub(crate) const fn title(self) -> &'static str {
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
    Unauthorized = "unauthorized", 401, "The token is missing or not accepted";
    WrongToken = "wrong_token", 403, "The token is of another kind";
    Forbidden = "forbidden", 403, "The token does not allow this";
    NotFound = "not_found", 404, "There is nothing here";
    NoArtifacts = "no_artifacts", 404, "This server keeps no artifacts";
    MethodNotAllowed = "method_not_allowed", 405, "The method is not allowed here";
    TooSlow = "too_slow", 408, "The request did not arrive in time";
    LengthRequired = "length_required", 411, "The length must be told first";
    TooLarge = "too_large", 413, "The body is too large";
    UnsupportedMediaType = "unsupported_media_type", 415, "The media type is not supported";
    RangeNotSatisfiable = "range_not_satisfiable", 416, "The range begins beyond the end";
    Mismatch = "mismatch", 422, "The bytes are not those of the address";
    Limited = "limited", 429, "There were too many failed attempts";
    HeadersTooLarge = "headers_too_large", 431, "The headers are too large";
    Internal = "internal", 500, "The server has a fault";
    Busy = "busy", 503, "The server is busy";
    Unavailable = "unavailable", 503, "The server cannot answer now";
    Full = "full", 507, "The artifact store is full";
}

impl Code {
    /// The code that stands on the wire as `code`.
    pub(crate) fn of(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_another_server_is_not_ours() {
        let ours = Problem::new(Code::Unauthorized, "no");
        assert!(ours.is_ours());
        assert!(Problem::rejected("odd".into(), "make it even".into()).is_ours());
        assert!(!Problem { type_: "about:blank".into(), ..ours }.is_ours());
    }

    #[test]
    fn every_code_leads_back_to_itself() {
        for code in Code::ALL {
            assert_eq!(Code::of(code.as_str()), Some(*code));
        }
    }
}

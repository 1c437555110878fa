//! Forms as browsers send them: bounded, and read field by field.

use crate::failure::Failure;
use axum::{body::Body, extract::FromRequestParts};
use futures::future::{Either, select};
use http::{StatusCode, request::Parts};
use http_body_util::{BodyExt as _, Limited};
use runners_core::{Clock, Digest, FlowSpec, sleep};
use std::{fmt, pin::pin, str::FromStr, sync::Arc, time::Duration};

/// The largest number of bytes in a form, in one that has a document of a flow, as forms write it, and in one that
/// anybody may send.
pub(crate) const BYTES_MAX: usize = 64 << 10;
pub(crate) const DOCUMENT_BYTES_MAX: usize = 3 * FlowSpec::DOCUMENT_BYTES_MAX + BYTES_MAX;
pub(crate) const STRANGER_BYTES_MAX: usize = 8 << 10;

/// How long a form may take to arrive.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// The field that every form of ours has.
pub(crate) const FORM_TOKEN: &str = "form_token";

/// The field that names one form on one page, so that sending it again makes nothing twice.
pub(crate) const FORM_KEY: &str = "form_key";

/// What somebody has filled in.
#[derive(Clone, Default)]
pub(crate) struct Form(Arc<Vec<(String, String)>>);

impl Form {
    /// Reads the body of a request, of so many bytes at most.
    pub(crate) async fn read(body: Body, bytes_max: usize, clock: &dyn Clock) -> Result<Self, Failure> {
        let reading = pin!(Limited::new(body, bytes_max).collect());
        let Either::Left((read, _)) = select(reading, pin!(sleep(clock, READ_WITHIN))).await else {
            let span = READ_WITHIN.as_secs();
            let detail = format!("The form did not arrive within {span} seconds. Send it again.");
            return Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "Too slow", detail));
        };
        let bytes = read.map_err(|_| {
            Failure::invalid(format!("The form could not be read: it may have {bytes_max} bytes at most."))
        })?;
        let pairs = form_urlencoded::parse(&bytes.to_bytes()).into_owned().collect();
        Ok(Self(Arc::new(pairs)))
    }

    /// Reads what stands behind the question mark.
    pub(crate) fn query(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
        Self(Arc::new(pairs.collect()))
    }

    /// A field without the blanks around it; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// A field, unless it is empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A field, unless it is empty, as something else.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, Failure> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Failure::invalid(format!("{}: {text:?} is no {what}", label(name))))
        };
        self.filled(name).map(parse).transpose()
    }

    /// A number of days, hours or minutes, as the field `unit` beside it says.
    pub(crate) fn span(&self, name: &str) -> Result<Option<Duration>, Failure> {
        let Some(number) = self.parsed::<u32>(name, "whole number")? else { return Ok(None) };
        let seconds = match self.text(&format!("{name}_unit")) {
            "minutes" => 60,
            "hours" => 3600,
            _ => 24 * 3600,
        };
        Ok(Some(Duration::from_secs(u64::from(number) * seconds)))
    }

    /// Everything in it, by its digest.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(&*self.0).expect("invariant: texts are plain data"))
    }

    /// Whether a box is checked.
    pub(crate) fn is_checked(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }
}

impl fmt::Debug for Form {
    /// The names alone: what is filled in may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Form {
    type Rejection = std::convert::Infallible;

    /// What was sent, if something was, or else what stands in the query.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::query(parts.uri.query())))
    }
}

fn label(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_name_and_what_is_empty_is_not_there() {
        let form = Form::query(Some("name=%20a+b%20&slots=&days=3&hours=2&hours_unit=hours&box=on"));
        assert_eq!((form.text("name"), form.filled("slots"), form.text("x")), ("a b", None, ""));
        assert_eq!(form.span("days").unwrap(), Some(Duration::from_secs(3 * 24 * 3600)));
        assert_eq!(form.span("hours").unwrap(), Some(Duration::from_secs(2 * 3600)));
        assert!(form.is_checked("box") && !form.is_checked("other"));
        assert!(form.parsed::<u32>("name", "number").is_err());
    }
}

//! What goes wrong, by what the caller does next: while opening, and afterwards. Which code of a storage
//! means what is decided here and nowhere else. Nothing here has ever seen a secret or a signature.

use http::StatusCode;
use runners_core::{ArtifactError, ArtifactSource, Digest};
use std::{error::Error, fmt, time::Duration};

/// Why a bucket cannot be opened as a store of artifacts. `place` is the bucket and where it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Correct the URL of the bucket.
    #[error("{url:?} is no bucket: {problem}: write s3://BUCKET or s3://BUCKET/PREFIX")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Correct the URL of the storage.
    #[error("endpoint of the storage {problem}: write it like https://storage.example")]
    Endpoint {
        /// What is wrong with it.
        problem: String,
    },
    /// Give a key and its secret.
    #[error("there is no key to {place}: {problem}")]
    NoCredentials {
        /// Where.
        place: String,
        /// What is missing.
        problem: String,
    },
    /// Create the bucket, or correct its name, the region or the endpoint.
    #[error("there is no bucket at {place}: create it, or correct its name, its region or the endpoint")]
    NoBucket {
        /// Where.
        place: String,
    },
    /// Correct the key, or what it may do.
    #[error("{place} refuses this key: {advice}")]
    Denied {
        /// Where.
        place: String,
        /// What to do.
        advice: &'static str,
        /// What the storage says.
        #[source]
        source: ArtifactSource,
    },
    /// Set the clock of this machine.
    #[error("{place} has another time than this machine: set the clock")]
    Skewed {
        /// Where.
        place: String,
        /// What the storage says.
        #[source]
        source: ArtifactSource,
    },
    /// Start the storage, or correct the endpoint.
    #[error("{place} cannot be used now: {advice}")]
    Unreachable {
        /// Where.
        place: String,
        /// What to do.
        advice: &'static str,
        /// What was said.
        #[source]
        source: ArtifactSource,
    },
    /// Mend the certificates, or the system's TLS set-up.
    #[error("HTTP client cannot be made")]
    Client(#[source] ArtifactSource),
}

impl OpenError {
    pub(crate) fn of(place: String, trouble: Trouble) -> Self {
        let advice = trouble.what.advice();
        match trouble.what {
            What::NoBucket | What::Missing => Self::NoBucket { place },
            What::NoCredentials => {
                let problem = trouble.source.as_ref().map_or_else(|| advice.to_owned(), ToString::to_string);
                Self::NoCredentials { place, problem }
            }
            What::Denied | What::Key | What::Ended => {
                Self::Denied { place, advice, source: Box::new(trouble) }
            }
            What::Skewed => Self::Skewed { place, source: Box::new(trouble) },
            _ => Self::Unreachable { place, advice, source: Box::new(trouble) },
        }
    }
}

/// Trouble with one request.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) what: What,
    /// The code that the storage has given, or the number of its answer.
    told: Option<String>,
    retry_after: Option<Duration>,
    source: Option<ArtifactSource>,
}

/// What is the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Missing,
    NoBucket,
    NoCredentials,
    Denied,
    Key,
    Ended,
    Skewed,
    Region,
    Busy,
    Failing,
    Late,
    Broken,
    Mismatch,
    Full,
    Beyond,
    Removed,
    Strange,
}

impl What {
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Missing => "there is no such object",
            Self::NoBucket => "there is no such bucket: create it, or correct its name",
            Self::NoCredentials => "there are no credentials to the storage: give a key and its secret",
            Self::Denied => "let it get, put, delete and list objects below the prefix",
            Self::Key => "correct the key and its secret",
            Self::Ended => "its time is over: renew it, in the file if it stands in one",
            Self::Skewed => "the storage has another time than this machine: set the clock",
            Self::Region => "the bucket is in another region, or elsewhere: correct region and endpoint",
            Self::Busy => "the storage asks to slow down: try again later",
            Self::Failing => "the storage has failed: look at its log",
            Self::Late => "the storage has not answered in time: check it, and the way there",
            Self::Broken => {
                "the storage was not reached, or the connection was lost: check it, and the way there"
            }
            Self::Mismatch => "the storage has received other bytes than were announced",
            Self::Full => "the storage has no room: free some, or raise its quota",
            Self::Beyond => "the object ends before that",
            Self::Removed => "it was just being removed while it was put: put it again",
            Self::Strange => "the storage does not answer as S3 does: check the endpoint",
        }
    }

    fn of_code(code: &str) -> Option<Self> {
        Some(match code {
            "NoSuchKey" => Self::Missing,
            "NoSuchBucket" | "InvalidBucketName" => Self::NoBucket,
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Self::Denied,
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "NotSignedUp" => Self::Key,
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "RequestExpired" => Self::Ended,
            "RequestTimeTooSkewed" => Self::Skewed,
            "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" => Self::Region,
            "AuthorizationQueryParametersError" | "IllegalLocationConstraintException" => Self::Region,
            "SlowDown" | "ServiceUnavailable" | "RequestLimitExceeded" | "TooManyRequests" => Self::Busy,
            "BadDigest" | "InvalidDigest" | "IncompleteBody" | "XAmzContentChecksumMismatch" => {
                Self::Mismatch
            }
            "QuotaExceeded" | "InsufficientStorage" | "XMinioStorageFull" => Self::Full,
            "XMinioAdminBucketQuotaExceeded" => Self::Full,
            "InvalidRange" => Self::Beyond,
            "PreconditionFailed" | "ConditionalRequestConflict" => Self::Removed,
            "InternalError" | "RequestTimeout" => Self::Failing,
            _ => return None,
        })
    }

    fn of_number(number: StatusCode) -> Self {
        match number.as_u16() {
            404 => Self::Missing,
            401 | 403 => Self::Denied,
            416 => Self::Beyond,
            412 => Self::Removed,
            429 | 503 => Self::Busy,
            507 => Self::Full,
            300..=399 => Self::Region,
            500..=599 => Self::Failing,
            _ => Self::Strange,
        }
    }
}

/// The longest code that is repeated.
const CODE_BYTES_MAX: usize = 64;

impl Trouble {
    pub(crate) fn new(what: What) -> Self {
        Self { what, told: None, retry_after: None, source: None }
    }

    pub(crate) fn because(self, source: impl Into<ArtifactSource>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What an answer means that is not the wanted one. `is_skewed` says that its time is another one.
    pub(crate) fn answered(
        number: StatusCode,
        body: &str,
        retry_after: Option<Duration>,
        is_skewed: bool,
    ) -> Self {
        let code = code_in(body);
        let mut what = code.and_then(What::of_code).unwrap_or_else(|| What::of_number(number));
        // A signature whose time is wrong is told in many ways.
        if is_skewed && matches!(what, What::Denied | What::Key | What::Ended) {
            what = What::Skewed;
        }
        let told = code.map_or_else(|| number.as_u16().to_string(), str::to_owned);
        Self { what, told: Some(told), retry_after, source: None }
    }

    /// The request was not carried through.
    pub(crate) fn broken(source: reqwest::Error) -> Self {
        // The URL has a signature.
        Self::new(What::Broken).because(source.without_url())
    }

    /// Whether what was asked may be carried out yet: nobody has said that it will not be.
    pub(crate) const fn may_still_come(&self) -> bool {
        matches!(self.what, What::Failing | What::Late | What::Broken)
    }

    /// How long to wait before it is tried again; nothing if that would not help.
    pub(crate) fn wait(&self, usual: Duration) -> Option<Duration> {
        let may_pass = matches!(self.what, What::Busy | What::Failing | What::Late | What::Broken);
        may_pass.then(|| self.retry_after.unwrap_or(usual).max(usual))
    }

    /// What it means for whoever asked about an artifact.
    pub(crate) fn about(self, digest: Digest) -> ArtifactError {
        match self.what {
            What::Missing => ArtifactError::Missing(digest),
            What::Mismatch => ArtifactError::Mismatch(digest),
            What::Full => ArtifactError::Full(Box::new(self)),
            _ => ArtifactError::Unavailable(Box::new(self)),
        }
    }

    /// The same where only the bucket itself could be missing.
    pub(crate) fn about_put(self, digest: Digest) -> ArtifactError {
        match self.what {
            What::Missing => Self { what: What::NoBucket, ..self }.about(digest),
            _ => self.about(digest),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what.advice())?;
        self.told.iter().try_for_each(|told| write!(f, " (it says {told})"))
    }
}

impl Error for Trouble {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// The code in the body of an error. Nothing else is read of it.
fn code_in(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    (is_plain && (1..=CODE_BYTES_MAX).contains(&code.len())).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: u16, body: &str, is_skewed: bool) -> What {
        Trouble::answered(StatusCode::from_u16(number).unwrap(), body, None, is_skewed).what
    }

    #[test]
    fn a_code_says_more_than_the_number_of_an_answer() {
        let error = |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
        assert_eq!(of(404, &error("NoSuchBucket"), false), What::NoBucket);
        assert_eq!(of(404, &error("NoSuchKey"), false), What::Missing);
        assert_eq!(of(404, "", false), What::Missing);
        assert_eq!(of(403, &error("ExpiredToken"), false), What::Ended);
        assert_eq!(of(503, &error("SlowDown"), false), What::Busy);
        assert_eq!(of(502, "<html>", false), What::Failing);
        assert_eq!(of(400, &error("<script>"), false), What::Strange);
        assert_eq!(of(301, "", false), What::Region);
    }

    #[test]
    fn a_signature_that_is_refused_at_another_time_is_a_matter_of_the_clock() {
        assert_eq!(of(403, "<Error><Code>AccessDenied</Code></Error>", true), What::Skewed);
        assert_eq!(of(404, "", true), What::Missing);
    }

    #[test]
    fn only_what_may_pass_is_tried_again_and_not_before_the_storage_wants_it() {
        let usual = Duration::from_millis(200);
        let busy = |after| Trouble::answered(StatusCode::SERVICE_UNAVAILABLE, "", after, false);
        assert_eq!(busy(Some(Duration::from_secs(3))).wait(usual), Some(Duration::from_secs(3)));
        assert_eq!(busy(None).wait(usual), Some(usual));
        assert_eq!(Trouble::new(What::Denied).wait(usual), None);
    }
}

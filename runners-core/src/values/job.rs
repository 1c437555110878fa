//! Jobs: a command together with how it is to be scheduled.

use crate::values::{
    command::Command,
    digest::Digest,
    id::{JobId, RunId, RunnerId, TenantId},
    preference::{Concurrency, Fairness, Fallback},
    retry::RetryPolicy,
    time::{Timestamp, millis, optional_millis},
    trace::TraceParent,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// A command together with how it is to be scheduled.
///
/// Every [`Command`] is a job with default options. To give others, submit a pair of the command and its
/// [`JobOptions`], or implement `Job` for a type of your own.
pub trait Job: Send + Sync {
    /// The type of its command.
    type Command: Command;

    /// What to do.
    fn command(&self) -> &Self::Command;

    /// Where, when and how often. The default is [`JobOptions::default`].
    fn options(&self) -> JobOptions {
        JobOptions::default()
    }
}

impl<C: Command> Job for C {
    type Command = C;
    fn command(&self) -> &C {
        self
    }
}

impl<C: Command> Job for (C, JobOptions) {
    type Command = C;
    fn command(&self) -> &C {
        &self.0
    }
    fn options(&self) -> JobOptions {
        self.1.clone()
    }
}

/// Where, when and how often a job is to be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "users write `JobOptions { pool, ..Default::default() }`")]
pub struct JobOptions {
    /// The pool whose runners may take it. `default` unless said otherwise.
    pub pool: String,
    /// Further pools whose runners may take it once it has waited, in that order. At most
    /// [`Fallback::POOLS_MAX`].
    pub fallbacks: Vec<Fallback>,
    /// The key by which it shares runners fairly with jobs of other keys and of the same priority.
    pub fairness: Option<Fairness>,
    /// Limits on how many jobs with the same key are granted at once. At most
    /// [`Concurrency::KEYS_MAX`] keys, each once.
    pub concurrency: Vec<Concurrency>,
    /// The environment whose route decides its pool, once and for all when it is submitted. `pool` is then
    /// ignored.
    pub environment: Option<String>,
    /// Higher goes first. 100 unless said otherwise.
    pub priority: u8,
    /// Labels that a runner must have.
    pub wanted: BTreeSet<String>,
    /// Labels that a runner must not have.
    pub refused: BTreeSet<String>,
    /// The only runner that may take it. Any runner of the pool unless given. One that was removed is refused;
    /// one that nobody has heard of, or that is another tenant's, is waited for: it may yet come.
    pub runner: Option<RunnerId>,
    /// How long one attempt may take, from its start. Five minutes unless said otherwise.
    pub timeout: Duration,
    /// How long an attempt may still take after it was told to stop, before it is dropped. Ten seconds unless
    /// said otherwise.
    pub grace: Duration,
    /// How often it is tried again, and after how long.
    pub retry: RetryPolicy,
    /// The earliest time at which it may start. At once unless given.
    pub start_at: Option<Timestamp>,
    /// How long it may wait for its first start before it expires, counted from its submit: a wait for
    /// [`start_at`](Self::start_at), which must not be longer, or for other jobs is part of it. For ever unless
    /// said otherwise.
    pub queue_ttl: Option<Duration>,
    /// What an attempt does when its lease is no longer trusted.
    pub on_disconnect: DisconnectPolicy,
    /// Jobs of the same run that must have passed before this one is ready. If one of them does not pass, this
    /// one is cancelled.
    pub after: Vec<JobId>,
    /// The run it belongs to, which the same or an earlier submit must have opened.
    pub run: Option<RunId>,
    /// The trace it belongs to. Unless given, that of its submit, if the client has
    /// [`Traces`](crate::traces::Traces).
    pub trace: Option<TraceParent>,
    /// The names of secrets that its runner resolves and gives to its executor. Their values are
    /// never in a job.
    pub secrets: BTreeSet<String>,
    /// If it is signed: the pools or environments, by name, whose runners may accept the signature. Its own
    /// pool unless said otherwise.
    pub audience: BTreeSet<String>,
    /// If it is signed: until when the signature is good.
    pub not_after: Option<Timestamp>,
    /// A text that only one job of the tenant can have until it has concluded. Meanwhile, submitting the same
    /// command and options again answers that job, and submitting others with this text is refused with its
    /// id. Title, trace and `not_after` may differ.
    pub unique: Option<String>,
    /// What it is called where jobs are listed, for people. At most [`JobOptions::TITLE_BYTES_MAX`];
    /// [`JobOptions::title_of`] makes one of any text.
    pub title: Option<String>,
    /// What its executor should keep in addition, in words that the executor knows. Those of
    /// `runners-exec-webdriver` know `frames` (pictures of the screen), `bodies` (of requests and responses) and
    /// `video`. At most [`JobOptions::CAPTURE_MAX`].
    pub capture: BTreeSet<String>,
}

impl JobOptions {
    /// The longest time an attempt may be given: one week.
    pub const TIMEOUT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
    /// The longest grace: ten minutes.
    pub const GRACE_MAX: Duration = Duration::from_secs(600);
    /// The largest number of labels wanted, or refused.
    pub const LABELS_MAX: usize = 32;
    /// The largest number of jobs that one job may wait for.
    pub const AFTER_MAX: usize = 64;
    /// The largest number of secrets that one job may name.
    pub const SECRETS_MAX: usize = 16;
    /// The largest number of words that say what is to be kept.
    pub const CAPTURE_MAX: usize = 8;
    /// The largest number of pools and environments that one job may be signed for.
    pub const AUDIENCE_MAX: usize = 32;
    /// The largest number of bytes in a name: of a pool, a label, a kind or a key.
    pub const NAME_BYTES_MAX: usize = 100;
    /// The largest number of bytes in a title.
    pub const TITLE_BYTES_MAX: usize = 200;

    /// Makes a title of a text: on one line, and cut to the limit. `None` if the text has only white space and
    /// control characters.
    #[must_use]
    pub fn title_of(text: &str) -> Option<String> {
        let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
        let words = words.filter(|word| !word.is_empty()).take(Self::TITLE_BYTES_MAX);
        let mut title = words.collect::<Vec<_>>().join(" ");
        if title.len() > Self::TITLE_BYTES_MAX {
            let mut end = Self::TITLE_BYTES_MAX - ELLIPSIS.len();
            while !title.is_char_boundary(end) {
                end -= 1;
            }
            title.truncate(end);
            title.push_str(ELLIPSIS);
        }
        (!title.is_empty()).then_some(title)
    }
}

/// What stands for the rest of a title.
const ELLIPSIS: &str = "…";

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            pool: "default".to_owned(),
            fallbacks: Vec::new(),
            fairness: None,
            concurrency: Vec::new(),
            environment: None,
            priority: 100,
            wanted: BTreeSet::new(),
            refused: BTreeSet::new(),
            runner: None,
            timeout: Duration::from_secs(300),
            grace: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            start_at: None,
            queue_ttl: None,
            on_disconnect: DisconnectPolicy::Stop,
            after: Vec::new(),
            run: None,
            trace: None,
            secrets: BTreeSet::new(),
            audience: BTreeSet::new(),
            not_after: None,
            unique: None,
            title: None,
            capture: BTreeSet::new(),
        }
    }
}

/// What an attempt does when its lease is no longer trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DisconnectPolicy {
    /// Stop: another runner may be granted the job from then on.
    #[default]
    Stop,
    /// Go on for this long at most, and report the result if the lease turns out to be still held. Another
    /// attempt may run at the same time, so this is only for work that may be done twice.
    GoOn {
        /// How long after trust has lapsed.
        #[serde(rename = "for_ms", with = "millis")]
        for_: Duration,
    },
}

/// A job as it was asked for.
///
/// It travels and is kept as the exact bytes the submitter serialised, so that a signature over
/// them holds; the control plane parses a copy to schedule, the runner a copy to execute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "submitters of kinds known at run time build it")]
pub struct JobSpec {
    /// Chosen by the submitter: a repeat is the same job.
    pub job: JobId,
    /// The owner, if the submitter names it. It must be the one it speaks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The kind of command.
    pub kind: String,
    /// The SHA-256 of the payload.
    pub payload_digest: Digest,
    /// As [`JobOptions::pool`].
    pub pool: String,
    /// As [`JobOptions::fallbacks`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
    /// As [`JobOptions::fairness`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fairness: Option<Fairness>,
    /// As [`JobOptions::concurrency`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concurrency: Vec<Concurrency>,
    /// As [`JobOptions::environment`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// As [`JobOptions::priority`].
    pub priority: u8,
    /// As [`JobOptions::wanted`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub wanted: BTreeSet<String>,
    /// As [`JobOptions::refused`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refused: BTreeSet<String>,
    /// As [`JobOptions::runner`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<RunnerId>,
    /// As [`JobOptions::timeout`].
    #[serde(rename = "timeout_ms", with = "millis")]
    pub timeout: Duration,
    /// As [`JobOptions::grace`].
    #[serde(rename = "grace_ms", with = "millis")]
    pub grace: Duration,
    /// As [`JobOptions::retry`].
    pub retry: RetryPolicy,
    /// As [`JobOptions::start_at`], in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// As [`JobOptions::queue_ttl`].
    #[serde(
        rename = "queue_ttl_ms",
        default,
        skip_serializing_if = "Option::is_none",
        with = "optional_millis"
    )]
    pub queue_ttl: Option<Duration>,
    /// As [`JobOptions::on_disconnect`].
    #[serde(default)]
    pub on_disconnect: DisconnectPolicy,
    /// As [`JobOptions::after`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<JobId>,
    /// As [`JobOptions::run`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The job that this one is another try of, by somebody's wish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<JobId>,
    /// As [`JobOptions::trace`], as W3C trace context writes it.
    #[serde(rename = "traceparent", default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
    /// As [`JobOptions::secrets`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// As [`JobOptions::audience`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub audience: BTreeSet<String>,
    /// As [`JobOptions::not_after`], in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// As [`JobOptions::unique`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<String>,
    /// As [`JobOptions::title`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// As [`JobOptions::capture`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub capture: BTreeSet<String>,
}

impl JobSpec {
    /// Puts together what is asked of a job whose payload is at hand.
    #[must_use]
    pub fn new(job: JobId, kind: impl Into<String>, payload: &[u8], options: JobOptions) -> Self {
        Self {
            job,
            tenant: None,
            kind: kind.into(),
            payload_digest: Digest::of(payload),
            pool: options.pool,
            fallbacks: options.fallbacks,
            fairness: options.fairness,
            concurrency: options.concurrency,
            environment: options.environment,
            priority: options.priority,
            wanted: options.wanted,
            refused: options.refused,
            runner: options.runner,
            timeout: options.timeout,
            grace: options.grace,
            retry: options.retry,
            start_at: options.start_at,
            queue_ttl: options.queue_ttl,
            on_disconnect: options.on_disconnect,
            after: options.after,
            run: options.run,
            retry_of: None,
            trace: options.trace,
            secrets: options.secrets,
            audience: options.audience,
            not_after: options.not_after,
            unique: options.unique,
            title: options.title,
            capture: options.capture,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_within_the_limit() {
        assert_eq!(JobOptions::title_of(" buy\n a \u{7}book "), Some("buy a book".to_owned()));
        assert_eq!(JobOptions::title_of("\n \t"), None);
        let long = JobOptions::title_of(&"é".repeat(150)).unwrap();
        assert!(long.len() <= JobOptions::TITLE_BYTES_MAX && long.ends_with("é…"), "{long}");
    }
}

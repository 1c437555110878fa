//! Who looks: what they may do, whose fleet they see, and where on the site they are.

use crate::failure::Failure;
use axum::extract::FromRequestParts;
use futures::future::{BoxFuture, Shared};
use http::request::Parts;
use runners_core::{
    JobId, Management, Principal, Scope, TenantId, Transport as _,
    protocol::{CancelTarget, InspectRequest, JobView, LogPage, ReadLogRequest, Reply, Request},
};
use std::time::Duration;

/// Who was signed in by the host: put it into the extensions of a request that is passed to a
/// [`Dashboard::behind_sign_in`](crate::Dashboard::behind_sign_in).
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "hosts build it in their own sign-in")]
pub struct SignedIn {
    /// What they are called, for themselves.
    pub name: String,
    /// For whom they speak, which decides what they see and may do.
    pub principal: Principal,
    /// The tenant that the operator looks at, if it is not its own.
    pub tenant: Option<TenantId>,
}

/// Waits until the visitor's credential is good no longer.
pub(crate) type Ended = Shared<BoxFuture<'static, ()>>;

/// Who looks at a page.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) management: Management,
    pub(crate) may: May,
    /// What they are called.
    pub(crate) name: String,
    /// The name of the tenant that is looked at, if it has one.
    pub(crate) tenant: Option<String>,
    /// What every form holds; empty where the host signs people in.
    pub(crate) form_token: String,
    /// Whether signing in and out is ours.
    pub(crate) has_session: bool,
    /// Whether the site shows runs over regions.
    pub(crate) has_regions: bool,
    pub(crate) place: Place,
    pub(crate) ended: Ended,
}

/// What somebody may do. It decides which controls there are; the control plane decides the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct May {
    pub(crate) submit: bool,
    pub(crate) read: bool,
    pub(crate) admin: bool,
    pub(crate) operate: bool,
}

/// Where on the site a page is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The path below the prefix, with what stands behind the question mark.
    pub(crate) path: String,
    /// What leads from there to the beginning of the site: relative, so that any prefix will do.
    pub(crate) root: String,
    /// Whether only the part within the frame is wanted.
    pub(crate) is_part: bool,
}

impl May {
    /// What a principal may do.
    pub(crate) fn of(principal: &Principal) -> Self {
        match principal {
            Principal::Operator => Self { submit: true, read: true, admin: true, operate: true },
            Principal::Api { scopes, .. } => Self {
                submit: scopes.contains(&Scope::Submit),
                read: scopes.contains(&Scope::Read),
                admin: scopes.contains(&Scope::Admin),
                operate: false,
            },
            _ => Self::default(),
        }
    }

    /// The words for it.
    pub(crate) fn words(self) -> String {
        if self.operate {
            return "operator".to_owned();
        }
        let words = [(self.read, "read"), (self.submit, "submit"), (self.admin, "admin")];
        let words: Vec<_> = words.into_iter().filter(|(may, _)| *may).map(|(_, word)| word).collect();
        words.join(", ")
    }
}

impl Place {
    /// Reads it from the path below the prefix.
    pub(crate) fn new(path: &str, query: Option<&str>, is_part: bool) -> Self {
        let depth = path.trim_start_matches('/').matches('/').count();
        let root = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
        let path = path.trim_start_matches('/');
        let path = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        Self { path, root, is_part }
    }

    /// What leads to another page of the site.
    pub(crate) fn to(&self, path: impl std::fmt::Display) -> String {
        format!("{}{path}", self.root)
    }
}

impl Visitor {
    /// Asks the control plane as any client does.
    async fn call(&self, request: Request) -> Result<Reply, Failure> {
        match self.management.caller().call(request).await? {
            Reply::Refused(refused) => Err(refused.into()),
            reply => Ok(reply),
        }
    }

    /// One job, with its attempts and what they left.
    pub(crate) async fn inspect(&self, job: JobId) -> Result<JobView, Failure> {
        match self.call(Request::Inspect(InspectRequest { job })).await? {
            Reply::Job(view) => Ok(*view),
            _ => Err(Failure::unexpected()),
        }
    }

    /// Has a job, or every job of a run, stopped.
    pub(crate) async fn cancel(&self, target: CancelTarget) -> Result<(), Failure> {
        self.management.cancel(target).await.map(drop).map_err(Failure::from)
    }

    /// A piece of the log of an attempt, of the newest unless `grant` says which.
    pub(crate) async fn log(
        &self,
        job: JobId,
        grant: Option<u64>,
        from: u64,
        park_for: Duration,
    ) -> Result<LogPage, Failure> {
        match self.call(Request::ReadLog(ReadLogRequest { job, grant, from, park_for })).await? {
            Reply::Log(page) => Ok(page),
            _ => Err(Failure::unexpected()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let nobody = || Failure::forbidden("Sign in first.");
        parts.extensions.get::<Self>().cloned().ok_or_else(nobody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_relative_to_the_page_that_it_stands_on() {
        let to = |path| Place::new(path, None, false).to("queue");
        assert_eq!(to("/fleet"), "./queue");
        assert_eq!(to("/jobs/job_1"), "../queue");
        assert_eq!(to("/jobs/job_1/log"), "../../queue");
        assert_eq!(Place::new("/jobs", Some("after=x"), false).path, "jobs?after=x");
    }
}

//! Reports of a run, written by what the host has plugged in.

use super::{Face, access::Caller, runs};
use crate::contract::error::Refusal;
use axum::{
    Router,
    extract::{Path, RawQuery},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bytes::BytesMut;
use futures::TryStreamExt as _;
use http::{HeaderValue, header};
use runners_core::{
    Digest, Scope,
    report::{ArtifactReport, RunReport},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// How many bytes of artifacts are read for one report, and of one of them.
const ARTIFACTS_BYTES_MAX: u64 = 32 << 20;
/// A report is a page of the host's origin that was made of what pages under test say: nothing in it
/// runs, and it loads nothing.
const POLICY: &str =
    "sandbox allow-downloads allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// Gives the bytes of an artifact to who writes a report, if they are at hand.
pub type ReadArtifact<'r> = dyn Fn(&ArtifactReport) -> Option<Vec<u8>> + 'r;

type Write = dyn Fn(&RunReport, &ReadArtifact<'_>) -> String + Send + Sync;

/// One kind of report.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) name: String,
    pub(super) media_type: &'static str,
    write: Arc<Write>,
}

impl Report {
    pub(super) fn new<W>(name: String, media_type: &'static str, write: W) -> Self
    where
        W: Fn(&RunReport, &ReadArtifact<'_>) -> String + Send + Sync + 'static,
    {
        Self { name, media_type, write: Arc::new(write) }
    }

    async fn answer(self, caller: Caller, run: String, query: Option<String>) -> Result<Response, Refusal> {
        caller.may(Scope::Read)?;
        let report = Arc::new(runs::summary(&caller, &run, query.as_deref()).await?.report());
        // What it wants to show is found out by writing it once without.
        let (text, wanted) = self.written(Arc::clone(&report), BTreeMap::new()).await?;
        let text = if wanted.is_empty() {
            text
        } else {
            let bytes = read(&caller, &run, &report, &wanted).await;
            self.written(report, bytes).await?.0
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        Ok((headers, text).into_response())
    }

    /// Writes it, away from what waits, and tells which artifacts it wanted and was not given.
    async fn written(
        &self,
        report: Arc<RunReport>,
        bytes: BTreeMap<String, Vec<u8>>,
    ) -> Result<(String, BTreeSet<String>), Refusal> {
        let write = Arc::clone(&self.write);
        let writing = tokio::task::spawn_blocking(move || {
            let wanted = RefCell::new(BTreeSet::new());
            let read = |artifact: &ArtifactReport| {
                let path = artifact.path.as_ref()?;
                let found = bytes.get(path).cloned();
                if found.is_none() {
                    wanted.borrow_mut().insert(path.clone());
                }
                found
            };
            let text = write(&report, &read);
            (text, wanted.into_inner())
        });
        writing.await.map_err(|_| {
            let message = "this report cannot be written, which is a fault of the server: take another one";
            Refusal::new(500, "INTERNAL_SERVER_ERROR", "The server has a fault", message)
        })
    }
}

/// The route of each report below a run.
pub(super) fn routes(reports: &[Report], run: &str) -> Router<Face> {
    reports.iter().cloned().fold(Router::new(), |router, report| {
        let path = format!("{run}/{}", report.name);
        let answer = move |caller: Caller, Path(run): Path<String>, RawQuery(query): RawQuery| {
            report.clone().answer(caller, run, query)
        };
        router.route(&path, get(answer))
    })
}

/// Reads what a report wants to show, as far as the limit allows. What cannot be read is not shown.
async fn read(
    caller: &Caller,
    run: &str,
    report: &RunReport,
    wanted: &BTreeSet<String>,
) -> BTreeMap<String, Vec<u8>> {
    let mut left = ARTIFACTS_BYTES_MAX;
    let mut found = BTreeMap::new();
    // Those of what did not pass come first.
    let mut jobs: Vec<_> = report.jobs.iter().collect();
    jobs.sort_by_key(|job| job.conclusion.is_passed());
    for artifact in jobs.iter().flat_map(|job| &job.artifacts) {
        let Some(path) = artifact.path.as_ref().filter(|path| wanted.contains(*path)) else { continue };
        let digest = path.rsplit('/').next().and_then(|digest| digest.parse::<Digest>().ok());
        let (Some(digest), false) = (digest, found.contains_key(path)) else { continue };
        let Ok(stored) = caller.client.read_artifact(run, digest, None).await else { continue };
        if stored.length > left {
            continue;
        }
        let bytes = stored.bytes.try_fold(BytesMut::new(), async |mut all, piece| {
            all.extend_from_slice(&piece);
            Ok(all)
        });
        if let Ok(bytes) = bytes.await {
            left -= stored.length;
            found.insert(path.clone(), bytes.to_vec());
        }
    }
    found
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("name", &self.name).finish_non_exhaustive()
    }
}

//! The library of flows: listed, put, read, run and deleted.

use super::{
    caller::Caller,
    jobs::{Job, Place, RefusedJob, scheduled},
    page::{Page, paging},
    write::Write,
};
use crate::wire::{
    json::{Asked, Json},
    path::{Path, Query},
    problem::Problem,
    text, time,
};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use runners_core::{
    Author, Digest, Error, FlowFilter, FlowSpec, FlowVersion, FlowView, JobId, RunId, Timestamp, TokenId,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// A flow of the library, without its document.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Flow {
    /// What it is called: unique within its tenant.
    name: String,
    /// The kind of command that its document is the payload of.
    kind: String,
    /// What its document calls itself, if that could be read.
    title: Option<String>,
    /// How many steps it has, if that could be read.
    steps: Option<u32>,
    /// What it is for.
    description: Option<String>,
    /// Words to find it by.
    tags: BTreeSet<String>,
    #[serde(rename = "createdAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    made_at: Timestamp,
    /// The newest version.
    newest: Version,
}

/// A version of a flow, without its document.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FlowVersion)]
pub(crate) struct Version {
    /// Its number, from 1.
    version: u32,
    /// The digest of its document.
    #[schema(value_type = text::Sha256)]
    sha256: Digest,
    /// How many bytes its document has.
    length: u64,
    #[serde(rename = "createdAtUtc", with = "time")]
    #[schema(value_type = text::Time)]
    made_at: Timestamp,
    author: By,
}

/// Who made a change.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Author)]
pub(crate) struct By {
    /// The API credential that was shown, if one was.
    #[schema(value_type = Option<text::Token>)]
    credential_id: Option<TokenId>,
    /// What they were called then.
    name: Option<String>,
    /// Whether it was the operator.
    is_operator: bool,
}

/// A flow and its versions.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct FlowDetail {
    #[serde(flatten)]
    flow: Flow,
    /// Those that are kept, newest first.
    versions: Vec<Version>,
}

/// Which flows are listed.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FlowsQuery {
    /// Those whose name, title or description has this text, in letters of any case.
    text: Option<String>,
    /// Those with this tag.
    tag: Option<String>,
    /// Where the page begins: what the page before named as its `next`.
    #[param(max_length = 400)]
    after: Option<String>,
    /// How many there are at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Which version is meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionQuery {
    /// Its number: the newest unless given.
    version: Option<u32>,
}

/// Which version is there.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExpectedQuery {
    /// The version that it is at: any unless given.
    expected_version: Option<u32>,
}

/// What a flow is to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewFlow {
    /// What a runner is given: the very bytes that stand here, or the text of a string.
    #[schema(value_type = Value)]
    document: Box<RawValue>,
    /// The kind of command that it is the payload of: `browser_flow` unless given.
    #[schema(value_type = Option<text::Name>)]
    kind: Option<String>,
    /// What it is for.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Words to find it by.
    #[serde(default)]
    #[schema(max_items = 16)]
    tags: BTreeSet<String>,
    /// The version that it is put over: 0 if there is to be none, any unless given.
    expected_version: Option<u32>,
}

impl Asked for NewFlow {
    /// A document of the largest size as a string, every byte of it escaped, and what is around it.
    const BYTES_MAX: usize = 2 * FlowSpec::DOCUMENT_BYTES_MAX + (64 << 10);
}

scheduled! {
    /// How a flow is run.
    #[derive(Default)]
    FlowRun {
        /// The version: the newest unless given.
        version: Option<u32>,
        /// The id of the job: a repeat with the same one is the same job. Drawn unless given.
        #[schema(value_type = Option<text::Job>)]
        id: Option<JobId>,
        /// The run that it belongs to. It is opened if it is not.
        #[schema(value_type = Option<text::Run>)]
        run_id: Option<RunId>,
    }
}

impl Asked for FlowRun {
    const OPTIONAL: bool = true;
}

/// Lists the flows of the library, those that were changed last first.
///
/// Where little of much matches, a page may have fewer items than were asked for, or none, and still
/// lead to the next.
#[utoipa::path(get, path = "/flows", tag = "Flows", params(FlowsQuery),
    responses((status = 200, description = "A page of them.", body = Page<Flow>)))]
pub(super) async fn list_flows(
    caller: Caller,
    Query(query): Query<FlowsQuery>,
) -> Result<Json<Page<Flow>>, Problem> {
    let paging = paging(query.after.as_deref(), query.limit)?;
    let filter = FlowFilter { text: query.text, tag: query.tag };
    Ok(caller.management.flows(&filter, &paging).await?.into())
}

/// Shows a flow and its versions.
#[utoipa::path(get, path = "/flows/{name}", tag = "Flows",
    params(("name" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The flow.", body = FlowDetail)))]
pub(super) async fn get_flow(caller: Caller, Path(name): Path<String>) -> Result<Json<FlowDetail>, Problem> {
    let flow = caller.management.flow(&name, None).await?.flow.into();
    let versions = caller.management.flow_versions(&name).await?;
    Ok(Json(FlowDetail { flow, versions: versions.into_iter().map(Version::from).collect() }))
}

/// Reads the document of a flow, byte by byte.
#[utoipa::path(get, path = "/flows/{name}/document", tag = "Flows",
    params(("name" = String, Path, description = "Its name."), VersionQuery),
    responses((status = 200, description = "What a runner is given.", body = Vec<u8>,
        content_type = "application/octet-stream")))]
pub(super) async fn read_flow(
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<VersionQuery>,
) -> Result<Response, Problem> {
    let found = caller.management.flow(&name, query.version).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        // A browser never shows it: somebody else's page must not run in the origin of the host.
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, found.document.into_bytes()).into_response())
}

/// Puts a version of a flow into the library, and makes the flow if there is none of that name.
///
/// A repeat makes no other version. A number of older versions is kept.
#[utoipa::path(put, path = "/flows/{name}", tag = "Flows", request_body = NewFlow,
    params(("name" = String, Path, description = "Its name.")),
    responses(
        (status = 200, description = "The flow as it is now.", body = Flow),
        (status = 409, description = "It is at another version than the expected one.", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "It is large, and the tenant's quota for artifacts has no room for it.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn put_flow(
    caller: Caller,
    Path(name): Path<String>,
    Json(asked): Json<NewFlow>,
) -> Result<Json<Flow>, Problem> {
    let text = asked.document.get();
    let document = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
    let spec = FlowSpec {
        kind: asked.kind.unwrap_or_else(|| FlowSpec::KIND.to_owned()),
        description: asked.description.filter(|text| !text.is_empty()),
        tags: asked.tags,
        document: document.into_bytes().into(),
    };
    Ok(Json(caller.management.put_flow(&name, &spec, asked.expected_version).await?.into()))
}

/// Deletes a flow with all its versions.
///
/// Jobs that were made of it have their own copy.
#[utoipa::path(delete, path = "/flows/{name}", tag = "Flows",
    params(("name" = String, Path, description = "Its name."), ExpectedQuery),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 409, description = "It is at another version than the expected one.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn delete_flow(
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<ExpectedQuery>,
) -> Result<StatusCode, Problem> {
    caller.management.delete_flow(&name, query.expected_version).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Queues a flow of the library as a job.
///
/// It is called what the flow is called, unless it is given a title, and has the secrets that its document names
/// beside those that are given.
#[utoipa::path(post, path = "/flows/{name}/run", tag = "Flows", request_body = Option<FlowRun>,
    params(("name" = String, Path, description = "Its name.")),
    responses(
        (status = 201, description = "The job.", body = Job),
        (status = 409, description = "Another job has the id.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn run_flow(
    Path(name): Path<String>,
    write: Write<FlowRun>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    let (caller, mut asked, mut ids) = write.into_parts();
    let job = asked.id.unwrap_or_else(|| ids.draw(JobId::from_bytes, JobId::new));
    let options = asked.options(asked.run_id);
    match caller.management.run_flow(&name, asked.version, job, options).await {
        Ok(line) => Ok((StatusCode::CREATED, Json(line.into()))),
        Err(Error::Refused(refused)) => Err(RefusedJob::new(Place::Flow, asked.id.is_none(), refused).into()),
        Err(error) => Err(error.into()),
    }
}

impl From<FlowView> for Flow {
    fn from(flow: FlowView) -> Self {
        Self {
            name: flow.name,
            kind: flow.kind,
            title: flow.title,
            steps: flow.steps,
            description: flow.description,
            tags: flow.tags,
            made_at: flow.made_at,
            newest: flow.newest.into(),
        }
    }
}

impl From<FlowVersion> for Version {
    fn from(version: FlowVersion) -> Self {
        let FlowVersion { version, digest, length, made_at, author } = version;
        Self { version, sha256: digest, length, made_at, author: author.into() }
    }
}

impl From<Author> for By {
    fn from(author: Author) -> Self {
        let Author { credential, name, is_operator } = author;
        Self { credential_id: credential, name, is_operator }
    }
}

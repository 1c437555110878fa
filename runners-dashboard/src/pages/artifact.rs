//! The bytes that an attempt left. Pictures and films are shown; everything else is handed over as a
//! file, since somebody else's page must not run in the origin of the host.

use crate::{
    failure::Failure,
    visitor::{Place, Visitor},
};
use axum::{
    body::Body,
    extract::Path,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use runners_core::{
    JobId,
    protocol::{ArtifactView, ReadAs},
};

/// What a browser may show: nothing that could run or load anything.
const SHOWN: [&str; 6] = ["image/png", "image/jpeg", "image/webp", "image/gif", "video/webm", "video/mp4"];

pub(crate) async fn read(
    visitor: Visitor,
    Path((job, grant, name)): Path<(JobId, u64, String)>,
) -> Result<Response, Failure> {
    let view = visitor.inspect(job).await?;
    let is_it = |artifact: &&ArtifactView| artifact.grant == grant && artifact.name == name;
    let missing = || Failure::not_found("There is no artifact of that name, or it is not kept any more.");
    let artifact = view.artifacts.iter().find(is_it).ok_or_else(missing)?;
    // What a page shows comes from its own origin alone; a file may come from where it is kept.
    if shown_as(&artifact.media_type).is_none() {
        let as_file = ReadAs { file_name: Some(file_name(&artifact.name).to_owned()), media_type: None };
        if let Some(grant) = visitor.management.grant_read(artifact.digest, &as_file).await? {
            return Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, grant.url)]).into_response());
        }
    }
    let bytes = visitor.management.read_artifact(artifact.digest, None).await?;
    Ok(answer(Body::from_stream(bytes), &artifact.name, &artifact.media_type, artifact.length))
}

/// What a browser takes it for, if it may show it.
fn shown_as(media_type: &str) -> Option<&'static str> {
    SHOWN.into_iter().find(|media| media_type.eq_ignore_ascii_case(media))
}

/// Hands bytes over: to be shown, where nothing in them can run or load anything, and else as a file.
pub(crate) fn answer(bytes: Body, name: &str, media_type: &str, length: u64) -> Response {
    let mut response = Response::new(bytes);
    let headers = response.headers_mut();
    let shown = shown_as(media_type);
    let media = HeaderValue::from_static(shown.unwrap_or("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, media);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    if shown.is_none() {
        let disposition = format!("attachment; filename*=UTF-8''{}", encoded(file_name(name), false));
        let disposition = HeaderValue::try_from(disposition).expect("invariant: it is percent-encoded");
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

/// What leads to the bytes of an artifact.
pub(crate) fn address(place: &Place, job: JobId, artifact: &ArtifactView) -> String {
    place.to(format_args!("jobs/{job}/artifacts/{}/{}", artifact.grant, encoded(&artifact.name, true)))
}

fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

pub(crate) fn encoded(name: &str, is_path: bool) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (is_path && byte == b'/') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_an_address() {
        assert_eq!(encoded("steps/03 \"x\"?.png", true), "steps/03%20%22x%22%3F.png");
        assert_eq!(encoded(file_name("a/b;\r\n.txt"), false), "b%3B%0D%0A.txt");
    }
}

//! One request to a region and its reply, within limits. Whether to try again is decided above.

use crate::{permitted::refusal, reply};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use reqwest::{RequestBuilder, Response};
use runners_core::orchestration::RegionError;
use serde_json::Value;
use std::error::Error;

/// Sends a call and reads its answer, of at most so many bytes.
pub(crate) async fn call(request: RequestBuilder, bytes_max: usize) -> Result<Vec<Value>, RegionError> {
    let (code, headers, body) = exchange(request, bytes_max).await?;
    reply::read(code, &headers, &body)
}

/// Sends a request and reads what comes back, whatever it is, of at most so many bytes.
pub(crate) async fn exchange(
    request: RequestBuilder,
    bytes_max: usize,
) -> Result<(StatusCode, http::HeaderMap, Bytes), RegionError> {
    let mut response = request.send().await.map_err(not_sent)?;
    let code = response.status();
    reply::check_head(code, response.headers())?;
    let headers = std::mem::take(response.headers_mut());
    let body = read_body(response, bytes_max).await?;
    Ok((code, headers, body))
}

/// Sends a request and reads how it was answered, and nothing more.
pub(crate) async fn code(request: RequestBuilder) -> Result<StatusCode, RegionError> {
    request.send().await.map(|response| response.status()).map_err(not_sent)
}

pub(crate) async fn read_body(mut response: Response, bytes_max: usize) -> Result<Bytes, RegionError> {
    let too_large = || {
        let problem = format!("the reply is over the limit of {bytes_max} bytes");
        RegionError::broken(problem)
    };
    if response.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > bytes_max => return Err(too_large()),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => {
                let (length, why) = (body.len(), innermost(&error));
                return Err(RegionError::unreachable(format!(
                    "the reply was cut off after {length} bytes: {why}"
                )));
            }
        }
    }
}

fn not_sent(error: reqwest::Error) -> RegionError {
    if let Some(refused) = refusal(&error) {
        return RegionError::refused(refused.to_string());
    }
    let is_connect = error.is_connect();
    // The URL may hold a secret of the operator's.
    let error = error.without_url();
    let why = innermost(&error);
    RegionError::unreachable(if is_connect {
        format!("it cannot be connected to: {why}")
    } else {
        format!("the connection broke before it answered: {why}")
    })
}

/// What the cause at the bottom says; what is above it only says where it happened.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

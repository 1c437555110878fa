//! Whether a control plane is there, as anybody may ask.

use anyhow::{Context as _, Result};
use reqwest::{Certificate, Client, ClientBuilder, Response, StatusCode, header::DATE};
use runners_core::{Timestamp, live::StreamId, websocket};
use runners_transport_http::PROTOCOL_MAX;
use std::{
    fs,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What a control plane says of itself.
const HEALTHY: &str = "ok\n";

/// The header in which it tells that.
const PROTOCOL: &str = "runners-protocol";

/// How much of an answer is looked at.
const BODY_BYTES_MAX: u64 = 64 << 10;

/// What has answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// What time it is there, if that was told.
    pub(crate) clock: Option<Timestamp>,
    pub(crate) is_control_plane: bool,
    /// The newest version of the protocol that it speaks, if it says so.
    pub(crate) protocol: Option<u32>,
}

/// Asks whoever is at a URL.
pub(crate) async fn ask(server: &str, ca_file: Option<&Path>) -> Result<Answer> {
    let url = format!("{}/healthz", server.trim_end_matches('/'));
    let response = client(ca_file)?.build()?.get(url).send().await.map_err(reqwest::Error::without_url)?;
    let protocol = response.headers().get(PROTOCOL).and_then(|value| value.to_str().ok()?.parse().ok());
    Ok(Answer { clock: clock(&response), protocol, is_control_plane: is_control_plane(response).await })
}

/// Asks for a live view that does not exist, without a credential. What is answered tells whether what makes it a
/// WebSocket has arrived; nothing, if the server knows of no live views.
pub(crate) async fn carries_websockets(server: &str, ca_file: Option<&Path>) -> Result<Option<bool>> {
    let nobody = StreamId::from_bytes([0; 16]);
    let url = format!("{}/v1/streams/{nobody}", server.trim_end_matches('/'));
    let request = client(ca_file)?.http1_only().build()?.get(url).header(PROTOCOL, PROTOCOL_MAX);
    let request = request.headers(websocket::asking([0; websocket::KEY_BYTES]));
    let response = request.send().await.map_err(reqwest::Error::without_url)?;
    let is_ours = response.headers().contains_key(PROTOCOL);
    Ok(match response.status() {
        StatusCode::NOT_FOUND if is_ours => None,
        code => Some(is_ours && code == StatusCode::UNAUTHORIZED),
    })
}

fn client(ca_file: Option<&Path>) -> Result<ClientBuilder> {
    let mut client = Client::builder().timeout(ANSWER_MAX);
    if let Some(file) = ca_file {
        let pem = fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
        for certificate in Certificate::from_pem_bundle(&pem)? {
            client = client.add_root_certificate(certificate);
        }
    }
    Ok(client)
}

fn clock(response: &Response) -> Option<Timestamp> {
    let date = response.headers().get(DATE)?.to_str().ok()?;
    let since = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(u64::try_from(since.as_millis()).ok()?))
}

async fn is_control_plane(response: Response) -> bool {
    response.status().is_success()
        && response.content_length().is_some_and(|length| length <= BODY_BYTES_MAX)
        && response.text().await.is_ok_and(|text| text == HEALTHY)
}

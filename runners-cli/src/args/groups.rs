//! Groups of arguments that several commands take.

use clap::{Args, ValueEnum};
use runners_exec_webdriver::Screenshots;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Where a server on this machine is, unless said otherwise.
pub(super) const SERVER: &str = "http://127.0.0.1:7878";

/// How a control plane is hosted.
#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// Where the queue, the artifacts and the tokens are kept.
    #[arg(long, value_name = "DIR", default_value = crate::tokens::DATA)]
    pub(crate) data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878")]
    pub(crate) listen: SocketAddr,
    /// Speak https with this certificate: a PEM file with the chain, the server's own first. It is
    /// read again when it changes.
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "insecure_http")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert: a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Allow listening beyond this machine with plain http, where everybody on the way can read the
    /// tokens.
    #[arg(long)]
    pub(crate) insecure_http: bool,
    /// Let webhooks call this network too, such as 10.0.0.0/8; may be given several times. Public
    /// addresses can always be called.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) webhook_allow: Vec<runners_core::Network>,
    /// Serve metrics as Prometheus text on this address, or on this port of 127.0.0.1. Whoever reaches
    /// it can read them.
    #[arg(long, value_name = "ADDRESS", value_parser = metrics_address)]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Print one JSON object a line instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which servers a credential is sent to. Proxies are those that HTTPS_PROXY and NO_PROXY name.
#[derive(Clone, Debug, Args)]
pub(crate) struct TrustArgs {
    /// A PEM file with certificates of authorities to trust beside those of the system.
    #[arg(long, value_name = "FILE", env = "RUNNERS_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Allow plain http beyond this machine, where everybody on the way can read the credential.
    #[arg(long)]
    pub(crate) insecure_http: bool,
}

/// How a control plane is reached as a user.
#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// The control plane's URL.
    #[arg(short, long, value_name = "URL", env = "RUNNERS_SERVER", default_value = SERVER)]
    pub(crate) server: String,
    /// The API credential; safer are --token-file and RUNNERS_API_TOKEN.
    #[arg(short, long, value_name = "TOKEN", env = "RUNNERS_API_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A file with the API credential [default for a server on this machine: runners-data/api-token,
    /// if it is there].
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// Which browser replays flows, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct BrowserArgs {
    /// Show the browser's window.
    #[arg(long)]
    pub(crate) headed: bool,
    /// Use the WebDriver at this URL instead of starting ChromeDriver.
    #[arg(long, value_name = "URL", env = "RUNNERS_WEBDRIVER", conflicts_with = "headed")]
    pub(crate) webdriver: Option<String>,
    /// Which pictures are kept.
    #[arg(long, value_enum, default_value_t = Pictures::End)]
    pub(crate) screenshots: Pictures,
}

/// Which pictures of a flow are kept.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Pictures {
    /// Of the step that failed.
    Failure,
    /// At the end, or of the step that failed.
    End,
    /// After every step.
    Steps,
}

impl From<Pictures> for Screenshots {
    fn from(pictures: Pictures) -> Self {
        match pictures {
            Pictures::Failure => Self::OfFailures,
            Pictures::End => Self::AtTheEnd,
            Pictures::Steps => Self::OfEveryStep,
        }
    }
}

/// What is shown and left of flows that were seen through.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Where screenshots, page sources and the reports go.
    #[arg(short, long, value_name = "DIR", default_value = "runners-output")]
    pub(crate) output: PathBuf,
    /// Show every step with its time.
    #[arg(long)]
    pub(crate) steps: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads an address, or a port of this machine alone.
pub(super) fn metrics_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
    port.or_else(|_| text.parse())
        .map_err(|_| format!("{text:?} is not an address: write a port, such as 9464, or 127.0.0.1:9464"))
}

/// Reads `NAME=VALUE`.
pub(super) fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // What was written may be a secret that was meant for another place.
        _ => Err("write NAME=VALUE, such as user=ada".to_owned()),
    }
}

/// Reads a time such as `90s`, `5m`, `1h` or `500ms`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let malformed = || format!("{text:?} is not a time: write a number and ms, s, m or h, such as 90s");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
    let number: u64 = text[..digits].parse().map_err(|_| malformed())?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        _ => return Err(malformed()),
    };
    match number.checked_mul(unit).map(Duration::from_millis) {
        Some(span) if !span.is_zero() && span <= runners_core::JobOptions::TIMEOUT_MAX => Ok(span),
        _ => Err(format!("{text:?} is not between 1ms and 168h, which is the limit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_for_this_machine_unless_an_address_is_given() {
        assert_eq!(metrics_address("9464"), Ok(SocketAddr::from(([127, 0, 0, 1], 9464))));
        assert_eq!(metrics_address("[::]:9464"), Ok("[::]:9464".parse().unwrap()));
        for bad in ["", "localhost", "65536", "127.0.0.1"] {
            assert!(metrics_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("168h"), Ok(Duration::from_secs(168 * 3600)));
        for bad in ["", "90", "s", "-1s", "1.5s", "0s", "169h", "99999999999999999999h", "1d"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}

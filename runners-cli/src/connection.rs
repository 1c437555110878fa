//! How a control plane is reached: the URL, the token and where it comes from, and what is said
//! when it cannot be reached.

use crate::{
    args::{ApiArgs, SignArgs, TrustArgs},
    keys,
    tokens::{self, DATA, DataDirectory},
};
use anyhow::{Context as _, Error, Result, bail};
use runners_core::{Client, TenantId, Token, TokenKind, TransportError};
use runners_otel::OtelTraces;
use runners_transport_http::{BuildError, CannotServe, HttpArtifacts, HttpTransport};
use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a command that somebody waits for tries to get its first answer.
const FIRST_ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// A control plane as its users reach it.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) server: String,
    /// Gives up soon: somebody is waiting.
    pub(crate) client: Client,
    /// Bears with a restart of the control plane.
    pub(crate) patient: Client,
    pub(crate) artifacts: HttpArtifacts,
    /// For calls that the client has no method for.
    pub(crate) transport: HttpTransport,
}

/// What a token is for on the command line, and how it is named there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenSource<'a> {
    /// The kinds of token that do; the first is the usual one.
    pub(crate) kinds: &'a [TokenKind],
    /// What was given with -t, or in the environment.
    pub(crate) text: Option<&'a str>,
    pub(crate) file: Option<&'a Path>,
    pub(crate) server: &'a str,
}

impl Connection {
    /// Prepares a connection. Nothing is sent yet.
    pub(crate) fn new(arguments: &ApiArgs) -> Result<Self> {
        Self::signing(arguments, &SignArgs::default())
    }

    /// Prepares a connection by which jobs are signed.
    pub(crate) fn signing(arguments: &ApiArgs, sign: &SignArgs) -> Result<Self> {
        let signer = sign.sign_key.as_deref().map(keys::signing).transpose()?;
        let within = arguments.as_tenant.as_deref();
        let tenant = match (sign.tenant, within.map(str::parse)) {
            (Some(tenant), _) | (None, Some(Ok(tenant))) => tenant,
            (None, Some(Err(_))) if signer.is_some() => {
                bail!("--sign-key signs for a tenant by its id: give it with --tenant")
            }
            (None, _) => TenantId::DEFAULT,
        };
        let token = credential(arguments, within.is_some())?;
        let transport = transport_within(within, &arguments.server, token, &arguments.trust)?;
        let artifacts = HttpArtifacts::new(&transport);
        // The token says whose artifacts they are, or --as-tenant; the tenant in a key is not looked at.
        let builder = || {
            let builder = Client::builder(transport.clone()).artifacts(TenantId::DEFAULT, artifacts.clone());
            let builder = builder.traces(OtelTraces::default());
            match &signer {
                Some(key) => builder.sign_with(tenant, key.clone()),
                None => builder,
            }
        };
        Ok(Self {
            server: arguments.server.clone(),
            client: builder().patience(FIRST_ANSWER_WITHIN).build(),
            patient: builder().build(),
            artifacts: artifacts.clone(),
            transport,
        })
    }

    /// Adds what to do to an error of the client.
    pub(crate) fn explain(&self, error: runners_core::Error) -> Error {
        let server = &self.server;
        let advice = match &error {
            runners_core::Error::Unreachable(_) if cannot_serve(&error) => {
                format!("{server} was reached, and cannot serve now")
            }
            runners_core::Error::Unreachable(_) => match tls_advice(&error.with_causes()) {
                Some(advice) => format!("could not speak with {server}: {advice}"),
                None => format!(
                    "could not reach {server}: is it the right URL (-s), and is `runners server` running?"
                ),
            },
            runners_core::Error::Rejected(TransportError::Unauthorized(_)) => {
                format!("{server} does not know this token: it is another server's, or was revoked")
            }
            _ => return error.into(),
        };
        Error::from(error).context(advice)
    }
}

/// Whether somebody was there, and said so.
fn cannot_serve(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<CannotServe>() || error.source().is_some_and(cannot_serve)
}

impl TokenSource<'_> {
    /// The token, if there is one: from the file, as given, or from the data directory of a server
    /// that was started here.
    pub(crate) fn find(&self) -> Result<Option<Token>> {
        let token = if let Some(file) = self.file {
            tokens::read(file)?
        } else if let Some(text) = self.text {
            Token::from_text(text.trim())
        } else if let Some(file) = self.beside() {
            tokens::read(&file)?
        } else {
            return Ok(None);
        };
        tokens::check_kind(&token, self.kinds)?;
        Ok(Some(token))
    }

    /// What to do when there is none.
    pub(crate) fn missing(&self, variable: &str) -> Error {
        anyhow::anyhow!(
            "there is no {}: give --token-file FILE or set {variable}; \
             the server has written it to the file `{}` in its data directory",
            self.kinds[0],
            tokens::file_name(self.kinds[0])
        )
    }

    /// The file that the token is taken from without anybody having said so.
    pub(crate) fn taken_from(&self) -> Option<PathBuf> {
        self.beside().filter(|_| self.file.is_none() && self.text.is_none())
    }

    fn beside(&self) -> Option<PathBuf> {
        let file = Path::new(DATA).join(tokens::file_name(self.kinds[0]));
        (is_here(self.server) && file.is_file()).then_some(file)
    }
}

/// The credential of whoever asks. For the operator's server on this machine it is the operator's, if none is
/// given.
pub(crate) fn credential(api: &ApiArgs, as_operator: bool) -> Result<Token> {
    let beside = (as_operator && is_here(&api.server))
        .then(DataDirectory::operator_file_here)
        .filter(|file| file.is_file());
    let source = TokenSource {
        kinds: &[TokenKind::Api],
        text: api.token.as_deref(),
        file: api.token_file.as_deref().or(beside.as_deref().filter(|_| api.token.is_none())),
        server: &api.server,
    };
    source.find()?.ok_or_else(|| source.missing("RUNNERS_API_TOKEN"))
}

/// A transport that speaks with a token.
pub(crate) fn transport(server: &str, token: Token, trust: &TrustArgs) -> Result<HttpTransport> {
    transport_within(None, server, token, trust)
}

/// The same about a tenant, if one is named.
fn transport_within(
    tenant: Option<&str>,
    server: &str,
    token: Token,
    trust: &TrustArgs,
) -> Result<HttpTransport> {
    let mut builder = HttpTransport::builder(server).token(token).insecure_http(trust.insecure_http);
    if let Some(tenant) = tenant {
        builder = builder.tenant(tenant);
    }
    if let Some(file) = &trust.ca_file {
        let pem = fs::read(file).with_context(|| format!("could not read --ca-file {}", file.display()))?;
        if pem.is_empty() {
            bail!("--ca-file {} is empty: give a PEM file with a certificate", file.display());
        }
        builder = builder.certificates(pem);
    }
    match builder.build() {
        Ok(transport) => Ok(transport),
        Err(BuildError::InsecureHttp { host }) => bail!(
            "the token would travel to {host} over plain http for all to read: \
             use https, or allow it with --insecure-http"
        ),
        Err(error @ BuildError::Certificates(_)) => {
            let file = trust.ca_file.as_deref().unwrap_or(Path::new("")).display();
            Err(error).with_context(|| format!("cannot use --ca-file {file}"))
        }
        Err(error @ (BuildError::Token(_) | BuildError::Tenant(_))) => Err(error.into()),
        Err(error) => Err(error).with_context(|| format!("cannot use -s {server:?}")),
    }
}

/// A client of HTTP that trusts whom `trust` names, and follows no redirect.
pub(crate) fn client(trust: &TrustArgs) -> Result<reqwest::Client> {
    let mut client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    if let Some(file) = &trust.ca_file {
        let told = || format!("cannot use --ca-file {}", file.display());
        let pem = fs::read(file).with_context(told)?;
        for certificate in reqwest::Certificate::from_pem_bundle(&pem).with_context(told)? {
            client = client.add_root_certificate(certificate);
        }
    }
    client.build().context("the client cannot be set up")
}

/// What to do when a server is not believed, or does not speak TLS at all. The error of the TLS library is deep in the chain, and
/// of a type that is not ours to name.
pub(crate) fn tls_advice(chain: &str) -> Option<&'static str> {
    if chain.contains("InvalidContentType") {
        return Some("it speaks plain http: write http:// in its URL");
    }
    chain.contains("invalid peer certificate").then_some(
        "its certificate is not trusted: is the name in the URL the one it is for? \
         If an authority of your own has signed it, give that one's certificate with --ca-file",
    )
}

/// Whether a URL leads to this machine.
pub(crate) fn is_here(server: &str) -> bool {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_cannot_be_sent_is_told_what_is_wrong_and_is_not_shown() {
        let trust = TrustArgs { ca_file: None, insecure_http: false };
        let told = |text: String| {
            let made = transport("http://127.0.0.1:9", Token::from_text(text), &trust);
            format!("{:#}", made.unwrap_err())
        };
        assert_eq!(
            told("rreg_07 07".into()),
            "token has a blank or the end of a line in it: give it as it was issued"
        );
        assert_eq!(told("rreg_07".repeat(99)), "token has more than 512 bytes: give it as it was issued");
    }

    #[test]
    fn only_a_server_of_this_machine_is_given_the_token_that_lies_here() {
        for here in ["http://127.0.0.1:7878", "http://localhost", "https://[::1]:1/prefix"] {
            assert!(is_here(here), "{here}");
        }
        let far = [
            "https://runners.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost@evil",
            "http://10.0.0.1",
        ];
        for there in far {
            assert!(!is_here(there), "{there}");
        }
    }
}

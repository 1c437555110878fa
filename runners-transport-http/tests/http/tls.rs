//! Speaking TLS: who is believed, who is not, and a certificate that is renewed.

use crate::support::{HandClock, Known, answering, good, idle};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use runners_core::{TokenKind, Transport as _, TransportError};
use runners_transport_http::{HttpFace, HttpTransport, HttpTransportBuilder, Server, TlsError, TlsIdentity};
use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

/// An authority that this test makes.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key, as PEM.
    fn certify(&self, params: &CertificateParams) -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        [params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem()]
    }

    fn certify_loopback(&self) -> [String; 2] {
        self.certify(&CertificateParams::new(["127.0.0.1".to_owned()]).unwrap())
    }
}

/// The two files of a server.
struct Files {
    _directory: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new(pair: &[String; 2]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| directory.path().join(name));
        let files = Self { _directory: directory, certificate, key };
        files.write(pair);
        files
    }

    fn write(&self, [certificate, key]: &[String; 2]) {
        fs::write(&self.certificate, certificate).unwrap();
        fs::write(&self.key, key).unwrap();
    }

    async fn open(&self) -> Result<TlsIdentity, TlsError> {
        TlsIdentity::open(&self.certificate, &self.key).await
    }
}

/// A server for as long as this lives.
struct Running {
    address: SocketAddr,
    clock: HandClock,
    _server: JoinSet<()>,
}

impl Running {
    async fn start(files: &Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let identity = files.open().await.unwrap();
        let clock = HandClock::new();
        let server = Server::new(listener).tls(identity).clock(clock.clone());
        let far = answering();
        let face = HttpFace::builder(Known, move |_| far.clone()).build();
        let mut serving = JoinSet::new();
        serving.spawn(async move { server.serve(face, std::future::pending()).await.unwrap() });
        Self { address, clock, _server: serving }
    }

    fn builder(&self) -> HttpTransportBuilder {
        HttpTransport::builder(format!("https://{}", self.address)).token(good(TokenKind::Runner))
    }

    /// A call over a connection of its own, by somebody who trusts this authority.
    async fn call(&self, trusted: &Authority) -> Result<(), TransportError> {
        let transport = self.builder().certificates(trusted.pem.as_str()).build().unwrap();
        transport.call(idle(1)).await.map(drop)
    }
}

/// Why a call did not arrive, with every cause.
fn causes(outcome: Result<(), TransportError>) -> String {
    let error = outcome.unwrap_err();
    assert!(matches!(error, TransportError::Unreachable(_)), "{error:?}");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn a_server_with_a_certificate_is_believed_by_those_who_trust_its_authority() {
    let authority = Authority::new();
    let server = Running::start(&Files::new(&authority.certify_loopback())).await;
    server.call(&authority).await.unwrap();
    let unknown = causes(server.call(&Authority::new()).await);
    assert!(unknown.contains("certificate"), "{unknown}");
}

#[tokio::test]
async fn both_versions_of_http_go_through_tls() {
    let authority = Authority::new();
    let server = Running::start(&Files::new(&authority.certify_loopback())).await;
    for (only_http1, version) in [(false, http::Version::HTTP_2), (true, http::Version::HTTP_11)] {
        let trusted = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
        let mut client = reqwest::Client::builder().tls_certs_only([trusted]).no_proxy();
        if only_http1 {
            client = client.http1_only();
        }
        let url = format!("https://{}/v1/sync", server.address);
        let reply = client.build().unwrap().post(url).send().await.unwrap();
        assert_eq!((reply.version(), reply.status().as_u16()), (version, 400));
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_is_not_believed() {
    let authority = Authority::new();
    let other = CertificateParams::new(["runners.example.com".to_owned()]).unwrap();
    let server = Running::start(&Files::new(&authority.certify(&other))).await;
    let refused = causes(server.call(&authority).await);
    assert!(refused.contains("not valid for name"), "{refused}");
}

#[tokio::test]
async fn an_expired_certificate_is_not_believed() {
    let authority = Authority::new();
    let mut expired = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let server = Running::start(&Files::new(&authority.certify(&expired))).await;
    let refused = causes(server.call(&authority).await);
    assert!(refused.contains("expired"), "{refused}");
}

#[tokio::test]
async fn plain_http_is_not_answered_where_tls_is_spoken() {
    let authority = Authority::new();
    let server = Running::start(&Files::new(&authority.certify_loopback())).await;
    let plain = HttpTransport::builder(format!("http://{}", server.address)).token(good(TokenKind::Runner));
    causes(plain.build().unwrap().call(idle(1)).await.map(drop));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::new(&before.certify_loopback());
    let server = Running::start(&files).await;
    server.call(&before).await.unwrap();
    let renewed = after.certify_loopback();
    // Half of it is there: the old one stays.
    fs::write(&files.certificate, &renewed[0]).unwrap();
    server.clock.advance(Duration::from_secs(5));
    server.call(&before).await.unwrap();
    fs::write(&files.key, &renewed[1]).unwrap();
    server.clock.advance(Duration::from_secs(5));
    server.call(&after).await.unwrap();
    causes(server.call(&before).await);
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_told_by_name() {
    let authority = Authority::new();
    let [certificate, key] = authority.certify_loopback();
    let refused = |pair: [&str; 2]| {
        let files = Files::new(&pair.map(str::to_owned));
        async move { files.open().await.unwrap_err() }
    };
    assert!(matches!(refused([&key, &key]).await, TlsError::NoCertificate { .. }));
    assert!(matches!(refused([&certificate, &certificate]).await, TlsError::NoKey { .. }));
    let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    assert!(matches!(refused([broken, &key]).await, TlsError::Malformed { .. }));
    let [_, other] = authority.certify_loopback();
    assert!(matches!(refused([&certificate, &other]).await, TlsError::Unfit { .. }));
    let missing = TlsIdentity::open("/nowhere/certificate.pem", "/nowhere/key.pem").await.unwrap_err();
    assert!(missing.to_string().contains("/nowhere/certificate.pem"), "{missing}");
}

#[test]
fn what_is_to_be_trusted_must_be_a_certificate() {
    let build = |pem: &str| {
        let builder = HttpTransport::builder("https://localhost").token(good(TokenKind::Runner));
        builder.certificates(pem).build().map(drop)
    };
    for bad in ["trust me", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        let error = build(bad).unwrap_err();
        assert!(error.to_string().contains("BEGIN CERTIFICATE"), "{error}");
    }
    build(&Authority::new().pem).unwrap();
}

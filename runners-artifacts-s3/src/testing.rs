//! A storage of its own for tests: `s3s-fs` on loopback, over a temporary directory, with every signature
//! checked. What it answers can be spoilt. It is gone with the value.

use crate::{S3Credentials, S3Options};
use futures::future::BoxFuture;
use http::request::Parts;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use s3s::{
    Body, HttpError, HttpRequest, HttpResponse,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use std::{
    error::Error,
    fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::{net::TcpListener, task::JoinSet};

/// A storage that is running, with one bucket.
#[derive(Debug)]
pub struct TestStorage {
    address: SocketAddr,
    directory: tempfile::TempDir,
    interceptor: Interceptor,
    _server: JoinSet<()>,
}

/// Looks at a request first, and may answer it in place of the storage.
type Intercept = Arc<dyn Fn(&Parts) -> BoxFuture<'static, Option<HttpResponse>> + Send + Sync>;

#[derive(Clone, Default)]
struct Interceptor(Arc<Mutex<Option<Intercept>>>);

/// What stands in front of the storage.
#[derive(Clone)]
struct Front {
    storage: S3Service,
    interceptor: Interceptor,
}

impl TestStorage {
    /// The one bucket.
    pub const BUCKET: &str = "artifacts";
    /// The key that is good there.
    pub const KEY: &str = "TESTKEY";
    /// Its secret.
    pub const SECRET: &str = "test-secret";

    /// Starts a storage on a free port.
    ///
    /// # Errors
    /// There is no port, or no room.
    pub async fn start() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join(Self::BUCKET))?;
        let files = FileSystem::new(directory.path());
        let files = files.map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(Self::KEY, Self::SECRET));
        let interceptor = Interceptor::default();
        let front = Front { storage: builder.build(), interceptor: interceptor.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, mut server) = (listener.local_addr()?, JoinSet::new());
        server.spawn(serve(listener, front));
        Ok(Self { address, directory, interceptor, _server: server })
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How the bucket is opened, below the prefix `runners`.
    pub fn options(&self) -> S3Options {
        S3Options::new(format!("s3://{}/runners", Self::BUCKET))
            .endpoint(self.endpoint())
            .credentials(S3Credentials::new(Self::KEY, Self::SECRET))
    }

    /// Where objects are files, each under its own name.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.directory.path().join(Self::BUCKET)
    }

    /// The names of all objects, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let (mut names, root) = (Vec::new(), self.files());
        collect(&root, &root, &mut names);
        names.sort();
        names
    }

    /// Has `intercept` look at each request from now on, before the storage does. What it answers counts;
    /// without an answer the storage goes on once the future is over.
    pub fn intercept(
        &self,
        intercept: impl Fn(&Parts) -> BoxFuture<'static, Option<HttpResponse>> + Send + Sync + 'static,
    ) {
        self.interceptor.set(Some(Arc::new(intercept)));
    }

    /// Lets every request through again.
    pub fn let_through(&self) {
        self.interceptor.set(None);
    }
}

impl Interceptor {
    fn set(&self, intercept: Option<Intercept>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = intercept;
    }

    fn get(&self) -> Option<Intercept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Interceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interceptor")
    }
}

impl<B> tower_service::Service<http::Request<B>> for Front
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Error + Send + Sync + 'static,
{
    type Response = HttpResponse;
    type Error = HttpError;
    type Future = BoxFuture<'static, Result<HttpResponse, HttpError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (storage, intercept) = (self.storage.clone(), self.interceptor.get());
        let (parts, body) = request.into_parts();
        Box::pin(async move {
            if let Some(intercept) = intercept
                && let Some(answer) = intercept(&parts).await
            {
                return Ok(answer);
            }
            storage.call(HttpRequest::from_parts(parts, Body::http_body_unsync(body))).await
        })
    }
}

async fn serve(listener: TcpListener, front: Front) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let front = front.clone();
        connections.spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(front));
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection to the storage has ended");
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

fn collect(root: &Path, directory: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, names);
        } else if let Ok(name) = path.strip_prefix(root) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
}

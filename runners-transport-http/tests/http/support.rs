//! What the tests share: a far end by script, an authenticator, a server, and raw requests.

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt as _};
use runners_core::{
    Authenticate, AuthenticateError, BootTime, Clock, Digest, PoolId, Principal, RunnerId, Scope, TenantId,
    Timestamp, Token, TokenKind, Transport, TransportError,
    protocol::{Reply, Request},
    testing::{artifact_suite, samples},
};
use runners_transport_http::{HttpFace, HttpFaceBuilder, HttpTransport, serve};
use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

type Script = Box<dyn Fn(Request) -> BoxFuture<'static, Result<Reply, TransportError>> + Send + Sync>;

/// A far end that does what it is told.
pub(crate) struct Scripted(Script);

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        (self.0)(request).await
    }
}

pub(crate) fn scripted<F>(script: impl Fn(Request) -> F + Send + Sync + 'static) -> Arc<dyn Transport>
where
    F: Future<Output = Result<Reply, TransportError>> + Send + 'static,
{
    Arc::new(Scripted(Box::new(move |request| script(request).boxed())))
}

/// A far end that answers every sync with an empty answer of its number, and all else too.
pub(crate) fn answering() -> Arc<dyn Transport> {
    scripted(|request| async move { Ok(answer_to(&request)) })
}

pub(crate) fn answer_to(request: &Request) -> Reply {
    Reply::Answer(Box::new(samples::answer_empty(seq_of(request))))
}

pub(crate) fn seq_of(request: &Request) -> u64 {
    match request {
        Request::Sync(sync) => sync.seq,
        _ => 0,
    }
}

pub(crate) fn idle(seq: u64) -> Request {
    Request::Sync(Box::new(samples::sync_idle(seq)))
}

/// The one good token of each kind.
pub(crate) fn good(kind: TokenKind) -> Token {
    Token::new(kind, [7; 32])
}

/// A good token of a host, whose text tells nothing of its kind.
pub(crate) fn of_the_host() -> Token {
    Token::from_text("of-the-host")
}

/// Knows the good tokens, and some that are trouble.
#[derive(Debug)]
pub(crate) struct Known;

#[async_trait]
impl Authenticate for Known {
    async fn authenticate(&self, token: &str) -> Result<Principal, AuthenticateError> {
        let tenant = artifact_suite::TENANT;
        let runner = Principal::Runner {
            tenant,
            pool: PoolId::from_bytes([2; 16]),
            runner: RunnerId::from_bytes([3; 16]),
        };
        let api = |scopes: &[Scope]| Principal::Api { tenant, scopes: scopes.iter().copied().collect() };
        match token {
            "of-the-host" => Ok(api(&[Scope::Submit, Scope::Read, Scope::Admin])),
            "of-a-reader" => Ok(api(&[Scope::Read])),
            "of-the-operator" => Ok(Principal::Operator),
            "limited" => Err(AuthenticateError::Limited { retry_after: Duration::from_millis(6500) }),
            "away" => Err(AuthenticateError::Unavailable("no store".into())),
            _ if token == good(TokenKind::Runner).expose() => Ok(runner),
            _ if token == good(TokenKind::Api).expose() => Ok(api(&[Scope::Submit, Scope::Read])),
            _ if token == good(TokenKind::Registration).expose() => {
                Ok(Principal::Registrant { tenant, registration: Digest::of(token.as_bytes()) })
            }
            _ => Err(AuthenticateError::Unknown),
        }
    }
}

/// A face over a far end.
pub(crate) fn face(far: Arc<dyn Transport>) -> HttpFaceBuilder {
    HttpFace::builder(Known, move |_| far.clone())
}

/// A server for as long as this lives.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    _server: JoinSet<()>,
}

impl Running {
    pub(crate) async fn start(face: HttpFaceBuilder) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move {
            serve(listener, face.build(), futures::future::pending()).await.unwrap();
        });
        Self { address, _server: server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn transport(&self, token: Token) -> HttpTransport {
        HttpTransport::builder(self.url()).token(token).build().unwrap()
    }
}

/// A transport and what must live as long as it.
#[derive(Debug)]
pub(crate) struct Near<T>(pub(crate) HttpTransport, pub(crate) T);

#[async_trait]
impl<T: fmt::Debug + Send + Sync + 'static> Transport for Near<T> {
    async fn call(&self, request: Request) -> Result<Reply, TransportError> {
        self.0.call(request).await
    }
}

/// Sends bytes as they are, and reads until the other end closes or has sent `until`.
pub(crate) async fn raw(address: SocketAddr, sent: &[u8], until: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(length) => read.extend_from_slice(&piece[..length]),
        }
        if String::from_utf8_lossy(&read).contains(until) {
            break;
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// A clock that moves when it is told to, and tells when somebody sleeps on it.
#[derive(Clone, Debug)]
pub(crate) struct HandClock {
    now: watch::Sender<Duration>,
    sleeps: Arc<Mutex<Vec<Duration>>>,
    slept: watch::Sender<usize>,
}

impl HandClock {
    pub(crate) fn new() -> Self {
        let now = watch::Sender::new(Duration::from_secs(1000));
        Self { now, sleeps: Arc::default(), slept: watch::Sender::new(0) }
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.now.send_modify(|now| *now += span);
    }

    /// Waits until somebody has begun to sleep for `span`, and wakes all whose time has then come.
    pub(crate) async fn pass(&self, span: Duration) {
        self.pass_one(|slept| slept == span).await;
    }

    /// The same for a sleep that `is_it` knows; its span.
    pub(crate) async fn pass_one(&self, is_it: impl Fn(Duration) -> bool) -> Duration {
        let asleep = || self.sleeps.lock().unwrap().iter().copied().find(|slept| is_it(*slept));
        self.slept.subscribe().wait_for(|_| asleep().is_some()).await.unwrap();
        let span = asleep().unwrap();
        self.sleeps.lock().unwrap().clear();
        self.advance(span);
        span
    }

    /// How long those have begun to sleep for that nobody has waited for.
    pub(crate) fn sleeps(&self) -> Vec<Duration> {
        self.sleeps.lock().unwrap().clone()
    }
}

#[async_trait]
impl Clock for HandClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(u64::try_from(self.now.borrow().as_millis()).unwrap())
    }

    fn boot(&self) -> BootTime {
        BootTime::from_duration(*self.now.borrow())
    }

    async fn sleep_until(&self, deadline: BootTime) {
        self.sleeps.lock().unwrap().push(deadline.since(self.boot()));
        self.slept.send_modify(|slept| *slept += 1);
        let reached = |now: &Duration| *now >= deadline.as_duration();
        self.now.subscribe().wait_for(reached).await.unwrap();
    }
}

/// Keeps everything that is logged, at every level and from every crate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    /// Listens to this thread until what is answered is dropped. Beside it somebody listens to nothing: where
    /// there is one alone, a place in the code that another thread meets first is taken to be of no interest.
    pub(crate) fn listen(&self) -> (tracing::subscriber::DefaultGuard, tracing::Dispatch) {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        let listening = tracing::subscriber::set_default(subscriber);
        (listening, tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nobody's tenant.
pub(crate) const OTHER_TENANT: TenantId = artifact_suite::OTHER_TENANT;

//! The gate of one browser: whatever it connects to is looked up and connected to here. So the address
//! that was checked is the one that is used, whatever its name leads to a moment later, and whoever
//! asks: a page, what it loads, a redirect, a script in the background, a socket. Spoken is SOCKS 5
//! (RFC 1928), of which browsers use little. What an address bar may say is `guard`'s.

use crate::within::within;
use async_trait::async_trait;
use futures::{StreamExt as _, stream::FuturesUnordered};
use runners_core::{Clock, Egress, EgressError, sleep};
use std::{
    collections::VecDeque,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream, lookup_host},
    task::JoinSet,
};
use url::Url;

/// The most connections of one browser at a time; it waits for more.
const CONNECTIONS_MAX: usize = 256;
/// How long the browser may take to say where it wants to go.
const ASKING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take to get there, with its name looked up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one address has for itself before the next is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);
/// How long to wait if no connection can be taken, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The most places that are remembered as not reached.
const NOTES_MAX: usize = 100;

/// Connects for one browser. Dropping it ends its connections.
#[derive(Debug)]
pub(super) struct Gate {
    port: u16,
    door: Arc<Door>,
    _serving: JoinSet<()>,
}

/// What all connections share.
#[derive(Debug)]
struct Door {
    egress: Arc<Egress>,
    clock: Arc<dyn Clock>,
    names: Box<dyn Names>,
    notes: Mutex<VecDeque<Note>>,
}

/// Knows what names lead to.
#[async_trait]
trait Names: fmt::Debug + Send + Sync {
    async fn lookup(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// As the machine knows it.
#[derive(Debug)]
struct OfThisMachine;

/// Why a place was not reached when it was last tried.
#[derive(Debug)]
struct Note {
    host: String,
    port: u16,
    why: String,
}

/// Why a place was not reached.
#[derive(Debug, thiserror::Error)]
enum Unreached {
    #[error("not allowed: {0}")]
    NotAllowed(#[from] EgressError),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Failed(String),
}

impl Gate {
    /// Opens one at a port of this machine, at an address that the browser reaches.
    pub(super) async fn open(
        egress: Arc<Egress>,
        clock: Arc<dyn Clock>,
        address: IpAddr,
    ) -> io::Result<Self> {
        Self::with_names(egress, clock, address, Box::new(OfThisMachine)).await
    }

    async fn with_names(
        egress: Arc<Egress>,
        clock: Arc<dyn Clock>,
        address: IpAddr,
        names: Box<dyn Names>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let port = listener.local_addr()?.port();
        let door = Arc::new(Door { egress, clock, names, notes: Mutex::default() });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&door)));
        Ok(Self { port, door, _serving: serving })
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Why the place of an address was not reached when it was last tried; `None` if it was.
    pub(super) fn unreached(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let (host, port) = (url.host_str()?.trim_matches(['[', ']']), url.port_or_known_default()?);
        let notes = self.door.notes();
        notes.iter().find(|note| note.host == host && note.port == port).map(|note| note.why.clone())
    }
}

async fn serve(listener: TcpListener, door: Arc<Door>) {
    let mut inside = JoinSet::new();
    loop {
        while inside.try_join_next().is_some() {}
        if inside.len() >= CONNECTIONS_MAX {
            inside.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let door = Arc::clone(&door);
                inside.spawn(async move {
                    if let Err(error) = door.pass(stream).await {
                        tracing::trace!(%error, "a connection of a browser ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of a browser was not taken");
                sleep(&*door.clock, ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Door {
    /// Takes one connection to where it wants to go, and carries what is said both ways.
    async fn pass(&self, mut browser: TcpStream) -> io::Result<()> {
        browser.set_nodelay(true)?;
        let asked = within(&*self.clock, ASKING_TIMEOUT, asked(&mut browser)).await;
        let Some((host, port)) = asked.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))? else {
            return browser.write_all(&answer(Answer::UnknownCommand)).await;
        };
        let reached = within(&*self.clock, CONNECT_TIMEOUT, self.reach(&host, port)).await;
        let late = || format!("{host}:{port} did not answer within {} s", CONNECT_TIMEOUT.as_secs());
        match reached.unwrap_or_else(|| Err(Unreached::Failed(late()))) {
            Ok(mut server) => {
                self.forget(&host, port);
                browser.write_all(&answer(Answer::Granted)).await?;
                copy_bidirectional(&mut browser, &mut server).await.map(drop)
            }
            Err(unreached) => {
                let said = match &unreached {
                    Unreached::NotAllowed(_) => Answer::NotAllowed,
                    Unreached::Refused(_) => Answer::Refused,
                    Unreached::Failed(_) => Answer::Unreachable,
                };
                self.note(host, port, unreached.to_string());
                browser.write_all(&answer(said)).await
            }
        }
    }

    /// Connects to the first address of a host that answers, of those that may be connected to.
    async fn reach(&self, host: &str, port: u16) -> Result<TcpStream, Unreached> {
        self.check(host, port)?;
        let addresses = self.addresses(host, port).await?;
        let (mut allowed, mut refusal) = (Vec::new(), None);
        for address in addresses {
            match self.egress.check_address(address.ip()) {
                Ok(()) => allowed.push(address),
                Err(error) => refusal = Some(error),
            }
        }
        if allowed.is_empty() {
            let nowhere = || Unreached::Failed(format!("{host} has no address"));
            return Err(refusal.map_or_else(nowhere, Unreached::from));
        }
        let mut trials: FuturesUnordered<_> = (0..).zip(&allowed).map(|trial| self.connect(trial)).collect();
        let mut last = None;
        while let Some(tried) = trials.next().await {
            match tried {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        let error = last.expect("invariant: at least one address was tried");
        let told = format!("{host}:{port}: {error}");
        Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => Unreached::Refused(told),
            _ => Unreached::Failed(told),
        })
    }

    /// The addresses of a host, as browsers find them.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unreached> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![(address, port).into()]);
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        if name == "localhost" || name.ends_with(".localhost") {
            let both = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
            return Ok(both.map(|address| (address, port).into()).to_vec());
        }
        let found = self.names.lookup(host, port).await;
        found.map_err(|error| Unreached::Failed(format!("{host} was not found: {error}")))
    }

    /// Later addresses give the earlier ones time.
    async fn connect(&self, (place, address): (u32, &SocketAddr)) -> io::Result<TcpStream> {
        if place > 0 {
            sleep(&*self.clock, HEAD_START * place).await;
        }
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// What can be said of a host before it is looked up. Which scheme it is for, nobody says here.
    fn check(&self, host: &str, port: u16) -> Result<(), EgressError> {
        let shown = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
        match self.egress.check(&format!("http://{shown}:{port}/")) {
            Err(EgressError::Scheme { .. }) => self.egress.check(&format!("https://{shown}:{port}/")),
            checked => checked,
        }
    }

    fn note(&self, host: String, port: u16, why: String) {
        tracing::debug!(host, port, why, "a browser did not get where it wanted");
        self.forget(&host, port);
        let mut notes = self.notes();
        notes.truncate(NOTES_MAX - 1);
        notes.push_front(Note { host, port, why });
    }

    fn forget(&self, host: &str, port: u16) {
        self.notes().retain(|note| note.host != host || note.port != port);
    }

    fn notes(&self) -> MutexGuard<'_, VecDeque<Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Names for OfThisMachine {
    async fn lookup(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((name, port)).await?.collect())
    }
}

const VERSION: u8 = 5;
const WITHOUT_PASSWORD: u8 = 0;
const CONNECT: u8 = 1;

/// What a browser is told, as RFC 1928 numbers it.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Granted = 0,
    NotAllowed = 2,
    Unreachable = 4,
    Refused = 5,
    UnknownCommand = 7,
}

/// Where the browser wants to go; `None` if it wants something else.
async fn asked(browser: &mut TcpStream) -> io::Result<Option<(String, u16)>> {
    let strange = || io::Error::new(io::ErrorKind::InvalidData, "it does not speak SOCKS 5");
    let [version, methods] = read(browser).await?;
    let mut offered = vec![0; usize::from(methods)];
    browser.read_exact(&mut offered).await?;
    if version != VERSION || !offered.contains(&WITHOUT_PASSWORD) {
        return Err(strange());
    }
    browser.write_all(&[VERSION, WITHOUT_PASSWORD]).await?;
    let [_, command, _, kind] = read(browser).await?;
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(browser).await?).to_string(),
        3 => {
            let [length] = read(browser).await?;
            let mut name = vec![0; usize::from(length)];
            browser.read_exact(&mut name).await?;
            String::from_utf8(name).map_err(|_| strange())?.to_ascii_lowercase()
        }
        4 => Ipv6Addr::from(read::<16>(browser).await?).to_string(),
        _ => return Err(strange()),
    };
    let port = u16::from_be_bytes(read(browser).await?);
    Ok((command == CONNECT).then_some((host, port)))
}

async fn read<const BYTES: usize>(browser: &mut TcpStream) -> io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    browser.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// An answer; from which address the gate connects is nobody's business.
const fn answer(said: Answer) -> [u8; 10] {
    [VERSION, said as u8, 0, 1, 0, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests;

//! A way to others whose connections can be cut: a load balancer before servers, and the way to a
//! database.

use anyhow::Result;
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UnixStream},
    sync::Semaphore,
    task::JoinSet,
};

/// How many connections are carried at once. Those above wait.
const CONNECTIONS_MAX: usize = 512;

/// Where connections are carried to.
#[derive(Debug)]
enum Target {
    /// To each in turn, and to the next if one refuses.
    Servers {
        addresses: Mutex<Vec<SocketAddr>>,
        turn: AtomicUsize,
    },
    Socket(PathBuf),
}

#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    target: Arc<Target>,
    carried: Arc<Mutex<JoinSet<()>>>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    /// A load balancer before servers that are yet to be [named](Self::lead_to).
    pub(crate) async fn to_servers() -> Result<Self> {
        Self::start(Target::Servers { addresses: Mutex::default(), turn: AtomicUsize::new(0) }).await
    }

    pub(crate) async fn to_socket(socket: PathBuf) -> Result<Self> {
        Self::start(Target::Socket(socket)).await
    }

    async fn start(target: Target) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (target, carried) = (Arc::new(target), Arc::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&target), Arc::clone(&carried)));
        Ok(Self { address, target, carried, _accepting: accepting })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Carries connections to this server too.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        if let Target::Servers { addresses, .. } = &*self.target {
            locked(addresses).push(server);
        }
    }

    /// Cuts every connection that there is.
    pub(crate) fn cut(&self) {
        locked(&self.carried).abort_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, target: Arc<Target>, carried: Arc<Mutex<JoinSet<()>>>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        // What a caller gave up meanwhile is no end of this.
        let Ok((near, _)) = listener.accept().await else { continue };
        let target = Arc::clone(&target);
        let mut carried = locked(&carried);
        while carried.try_join_next().is_some() {}
        carried.spawn(async move {
            // Whoever is cut off finds out by itself.
            drop(carry(near, &target).await);
            drop(permit);
        });
    }
}

async fn carry(mut near: TcpStream, target: &Target) -> io::Result<()> {
    match target {
        Target::Socket(socket) => {
            let mut far = UnixStream::connect(socket).await?;
            copy_bidirectional(&mut near, &mut far).await?;
        }
        Target::Servers { addresses, turn } => {
            let servers = locked(addresses).clone();
            let mut far = connect_in_turn(&servers, turn).await?;
            copy_bidirectional(&mut near, &mut far).await?;
        }
    }
    Ok(())
}

async fn connect_in_turn(servers: &[SocketAddr], turn: &AtomicUsize) -> io::Result<TcpStream> {
    let mut refused = io::ErrorKind::NotFound.into();
    for _ in servers {
        match TcpStream::connect(servers[turn.fetch_add(1, Ordering::Relaxed) % servers.len()]).await {
            Ok(far) => return Ok(far),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

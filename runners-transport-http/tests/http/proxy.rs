//! A TCP proxy that does to connections what networks do.

use futures::future::{Either, select};
use runners_core::{SystemClock, Token, sleep};
use runners_transport_http::{HttpTransport, HttpTransportBuilder};
use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::JoinSet,
};

/// What becomes of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It is carried as it is.
    Carried,
    /// Every piece is held back a little, and arrives cut in two.
    Delayed,
    /// It is closed before anything is carried.
    Dropped,
    /// It is cut after so many bytes of requests.
    CutAfterRequest(usize),
    /// It is cut after so many bytes of replies.
    CutAfterReply(usize),
    /// Requests arrive; once this tells, it is cut.
    CutWhen(Arc<Notify>),
    /// Requests are swallowed, and this is answered instead.
    Answered(&'static str),
}

/// How long a piece is held back.
const DELAY: Duration = Duration::from_millis(2);
/// How many pieces of one way are held back: a large body has to arrive in time on any machine.
const DELAYS_MAX: usize = 32;

/// A proxy for as long as this lives.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    _carriers: JoinSet<()>,
}

impl Proxy {
    /// Stands in front of `target`. `fate` tells what becomes of the first, second, … connection.
    pub(crate) async fn start(
        target: SocketAddr,
        mut fate: impl FnMut(usize) -> Fate + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut carriers = JoinSet::new();
        carriers.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (near, _) = listener.accept().await.unwrap();
                let fate = fate(number);
                connections.spawn(async move { drop(carry(near, target, fate).await) });
            }
        });
        Self { address, _carriers: carriers }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn builder(&self) -> HttpTransportBuilder {
        HttpTransport::builder(format!("http://{}", self.address))
    }

    pub(crate) fn transport(&self, token: Token) -> HttpTransport {
        self.builder().token(token).build().unwrap()
    }
}

async fn carry(mut near: TcpStream, target: SocketAddr, fate: Fate) -> io::Result<()> {
    match fate {
        Fate::Dropped => return Ok(()),
        Fate::Answered(answer) => {
            // The whole request is there once its head is, for all that is sent here.
            let read = near.read(&mut [0; 16 << 10]).await?;
            assert!(read > 0, "nothing was asked");
            return near.write_all(answer.as_bytes()).await;
        }
        _ => {}
    }
    let far = TcpStream::connect(target).await?;
    let ((near_reads, near_writes), (far_reads, far_writes)) = (near.into_split(), far.into_split());
    let delayed = matches!(fate, Fate::Delayed);
    let (request_max, reply_max) = match fate {
        Fate::CutAfterRequest(bytes) => (bytes, usize::MAX),
        Fate::CutAfterReply(bytes) => (usize::MAX, bytes),
        _ => (usize::MAX, usize::MAX),
    };
    let requests = pin!(pass(near_reads, far_writes, request_max, delayed));
    let replies = pin!(pass(far_reads, near_writes, reply_max, delayed));
    let both = select(requests, replies);
    match fate {
        Fate::CutWhen(cut) => drop(select(both, pin!(cut.notified())).await),
        _ => match both.await {
            Either::Left((ended, _)) | Either::Right((ended, _)) => return ended,
        },
    }
    Ok(())
}

/// Passes at most `bytes_max` bytes on.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    bytes_max: usize,
    delayed: bool,
) -> io::Result<()> {
    let (mut left, mut piece, mut delays) = (bytes_max, [0; 8 << 10], if delayed { DELAYS_MAX } else { 0 });
    while left > 0 {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        let passed = &piece[..read.min(left)];
        left -= passed.len();
        if delays > 0 {
            delays -= 1;
            let (first, second) = passed.split_at(passed.len() / 2);
            sleep(&SystemClock::default(), DELAY).await;
            to.write_all(first).await?;
            sleep(&SystemClock::default(), DELAY).await;
            to.write_all(second).await?;
        } else {
            to.write_all(passed).await?;
        }
    }
    Ok(())
}

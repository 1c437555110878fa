//! What stands between a runner and its engine: it can be shut, and hold back that something was made.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
};

/// What asks for a container to be made has this in it.
const CREATE: &[u8] = b"/containers/create";
/// What asks for something to be removed begins so.
const DELETE: &[u8] = b"DELETE ";

/// How the gate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Everybody passes.
    Open,
    /// Nobody does, nor stays.
    Shut,
    /// Everybody does, but nobody learns that a container was made.
    Held,
}

/// A gate, and what came by.
#[derive(Debug)]
pub(crate) struct Gate {
    home: TempDir,
    passage: watch::Sender<Passage>,
    seen: Arc<Seen>,
    _connections: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How many removals were turned away.
    removals: watch::Sender<usize>,
    /// How many containers were made of which nobody has learnt.
    held: watch::Sender<usize>,
}

impl Gate {
    /// An open one before the socket of an engine.
    pub(crate) fn before(engine: PathBuf) -> Self {
        let home = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(home.path().join("gate.sock")).unwrap();
        let passage = watch::Sender::new(Passage::Open);
        let seen = Arc::new(Seen::default());
        let (of, by) = (passage.clone(), seen.clone());
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut within = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (mut passage, seen, engine) = (of.subscribe(), by.clone(), engine.clone());
                within.spawn(async move {
                    if *passage.borrow() == Passage::Shut {
                        return turn_away(stream, &seen).await;
                    }
                    let mut shut = passage.clone();
                    tokio::select! {
                        () = pass(stream, &engine, &mut passage, &seen) => {}
                        _ = shut.wait_for(|now| *now == Passage::Shut) => {}
                    }
                });
            }
        });
        Self { home, passage, seen, _connections: connections }
    }

    /// Where a runner finds its engine.
    pub(crate) fn socket(&self) -> PathBuf {
        self.home.path().join("gate.sock")
    }

    pub(crate) fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }

    /// Waits until so many removals were turned away.
    pub(crate) async fn turned_away(&self, removals: usize) {
        self.seen.removals.subscribe().wait_for(|seen| *seen >= removals).await.unwrap();
    }

    /// Waits until a container was made of which nobody has learnt.
    pub(crate) async fn holds(&self) {
        self.seen.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    }
}

/// Hangs up on a connection once it is known what for it came.
async fn turn_away(mut client: UnixStream, seen: &Seen) {
    if some(&mut client).await.is_some_and(|asked| asked.starts_with(DELETE)) {
        seen.removals.send_modify(|seen| *seen += 1);
    }
}

/// Has a connection pass, both ways.
async fn pass(client: UnixStream, engine: &Path, passage: &mut watch::Receiver<Passage>, seen: &Seen) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_engine, mut to_engine) = UnixStream::connect(engine).await.unwrap().into_split();
    let is_making = watch::Sender::new(false);
    let there = async {
        while let Some(asked) = some(&mut from_client).await {
            is_making.send_replace(asked.windows(CREATE.len()).any(|words| words == CREATE));
            if to_engine.write_all(&asked).await.is_err() {
                break;
            }
        }
        let _ = to_engine.shutdown().await;
    };
    let back = async {
        while let Some(told) = some(&mut from_engine).await {
            if *is_making.borrow() && *passage.borrow() == Passage::Held {
                seen.held.send_modify(|held| *held += 1);
                let _ = passage.wait_for(|now| *now != Passage::Held).await;
            }
            if to_client.write_all(&told).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
    };
    tokio::join!(there, back);
}

/// What comes next; nothing once nothing more does.
async fn some(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 64 << 10];
    let length = from.read(&mut bytes).await.ok().filter(|length| *length > 0)?;
    bytes.truncate(length);
    Some(bytes)
}

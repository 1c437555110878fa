//! What can happen to a server and the way to it: nothing that was acknowledged is lost, nothing is
//! written twice, and all goes on within ten seconds.

use crate::stage::{chain, job, options, own, pause, put, shared, stranger, versions, within};
use futures::StreamExt as _;
use runners_core::{
    Clock as _, Index, Key, Kind, Random as _, SystemClock, SystemRandom, TenantId,
    store::{Hint, Query, Store as _, StoreError, Write},
};
use runners_store_postgres::{PostgresOptions, PostgresStore, testing::TestServer};
use std::{
    path::PathBuf,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, UnixStream},
    sync::mpsc,
    task::JoinSet,
};

const CALLERS: usize = 16;
/// How many batches each caller writes: one record and an add.
const BATCHES: usize = 40;
const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// Writes until all is written, as a caller does: what may have been applied is looked up first.
/// Meanwhile `harm` is done.
pub(crate) async fn write_through(store: &Arc<PostgresStore>, harm: impl Future<Output = ()>) {
    let counter = || Key::new(TenantId::DEFAULT, Kind::Limit, "n");
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let store = Arc::clone(store);
        callers.spawn(async move {
            for number in (0..BATCHES).map(|batch| caller * BATCHES + batch) {
                loop {
                    let add = Write::Add { counter: counter(), delta: 1, max: None };
                    match store.commit(vec![put(number, 0, 100), add]).await {
                        Ok(_) => break,
                        // It was applied, by a commit whose answer was lost.
                        Err(StoreError::Conflict(key)) if key == job(number) => break,
                        Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => pause(20).await,
                        Err(trouble) => panic!("{}", chain(&trouble)),
                    }
                }
            }
        });
    }
    harm.await;
    within("every batch", async { while callers.join_next().await.transpose().unwrap().is_some() {} }).await;
    let all = CALLERS * BATCHES;
    assert_eq!(versions(&**store, 0..all).await, vec![1; all]);
    let total = vec![Write::Add { counter: counter(), delta: 0, max: None }];
    let total = store.commit(total).await.unwrap().counters[0];
    assert_eq!(total, i64::try_from(all).unwrap(), "each batch was applied once");
}

/// How long it takes until something is written again.
pub(crate) async fn recovery(store: &PostgresStore, number: usize) -> Duration {
    let began = SystemClock::default().boot();
    while store.commit(vec![put(number, 0, 1)]).await.is_err() {
        if versions_or_none(store, number).await == Some(1) {
            break;
        }
        pause(20).await;
    }
    SystemClock::default().boot().since(began)
}

async fn versions_or_none(store: &PostgresStore, number: usize) -> Option<u64> {
    let found = store.load(vec![job(number)]).await.ok()?;
    found[0].as_ref().map(|stored| stored.version)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_restarted_or_crashes_loses_nothing() {
    // It keeps its promise to the disk, since that is what is shown.
    let Some(server) = own(&[]) else { return };
    let store = Arc::new(options(&server).open().await.unwrap());
    write_through(&store, async {
        for crash in [false, true] {
            pause(100).await;
            if crash {
                server.crash();
            } else {
                server.stop();
            }
            let down = store.commit(vec![put(1_000_000, 0, 1)]).await.unwrap_err();
            assert!(matches!(down, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{down:?}");
            server.start_again();
            let took = recovery(&store, 2_000_000 + usize::from(crash)).await;
            assert!(took < RECOVERY_MAX, "{took:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_that_are_ended_lose_nothing() {
    let Some(server) = own(&["-c", "fsync=off"]) else { return };
    let store = Arc::new(options(&server).open().await.unwrap());
    let stranger = stranger(&server).await;
    write_through(&store, async {
        for round in 0..5 {
            pause(50).await;
            stranger.end_all().await;
            let took = recovery(&store, 2_000_000 + round).await;
            assert!(took < RECOVERY_MAX, "{took:?}");
        }
    })
    .await;
}

/// A way to a server that can be cut, or go silent.
pub(crate) struct Proxy {
    port: u16,
    silent: Arc<AtomicBool>,
    /// Those who came while it was silent.
    muted: mpsc::UnboundedReceiver<()>,
    carried: Arc<tokio::sync::Mutex<JoinSet<()>>>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn before(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (silent, carried) =
            (Arc::new(AtomicBool::new(false)), Arc::<tokio::sync::Mutex<JoinSet<()>>>::default());
        let mut accepting = JoinSet::new();
        let (mute, connections) = (Arc::clone(&silent), Arc::clone(&carried));
        let (tell, muted) = mpsc::unbounded_channel();
        accepting.spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (socket, mute, tell) = (socket.clone(), Arc::clone(&mute), tell.clone());
                connections.lock().await.spawn(async move {
                    let Ok(mut far) = UnixStream::connect(socket).await else { return };
                    if mute.load(Ordering::Relaxed) {
                        let _ = tell.send(());
                        std::future::pending::<()>().await;
                    }
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { port, silent, muted, carried, _accepting: accepting }
    }

    pub(crate) async fn cut(&self) {
        self.carried.lock().await.abort_all();
    }

    pub(crate) fn options(&self, server: &TestServer) -> PostgresOptions {
        PostgresOptions::new(self.url()).schema(server.fresh_schema())
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_lose_nothing() {
    let Some(server) = shared() else { return };
    let proxy = Proxy::before(server.socket()).await;
    let store = Arc::new(proxy.options(server).open().await.unwrap());
    write_through(&store, async {
        for round in 0..5 {
            pause(50).await;
            proxy.cut().await;
            let took = recovery(&store, 2_000_000 + round).await;
            assert!(took < RECOVERY_MAX, "{took:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_way_that_goes_silent_is_given_up_in_time_and_taken_again() {
    let Some(server) = shared() else { return };
    let proxy = Proxy::before(server.socket()).await;
    let store = proxy.options(server).patience(Duration::from_millis(500)).open().await.unwrap();
    proxy.silent.store(true, Ordering::Relaxed);
    proxy.cut().await;
    let trouble = within("an answer", store.load(vec![job(0)])).await.unwrap_err();
    assert!(matches!(trouble, StoreError::Unavailable(_)), "{trouble:?}");
    proxy.silent.store(false, Ordering::Relaxed);
    let took = recovery(&store, 1).await;
    assert!(took < RECOVERY_MAX, "{took:?}");
}

#[tokio::test]
async fn who_comes_back_to_listen_and_meets_silence_tries_again() {
    let Some(server) = shared() else { return };
    let mut proxy = Proxy::before(server.socket()).await;
    let options = options(server).patience(Duration::from_millis(500)).direct_url(proxy.url());
    let store = options.open().await.unwrap();
    let mut watch = store.watch();
    assert_eq!(within("the first hint", watch.next()).await, Some(Hint::All));
    proxy.silent.store(true, Ordering::Relaxed);
    proxy.cut().await;
    within("it in the silence", proxy.muted.recv()).await.unwrap();
    // Who is there already hears nothing for ever.
    proxy.silent.store(false, Ordering::Relaxed);
    assert_eq!(within("a hint", watch.next()).await, Some(Hint::All));
}

#[tokio::test]
async fn a_host_that_is_silent_leaves_time_for_the_next() {
    let Some(server) = shared() else { return };
    let (first, second) = (Proxy::before(server.socket()).await, Proxy::before(server.socket()).await);
    let options = |[one, other]: [&Proxy; 2]| {
        let ports = format!("port={},{}", one.port, other.port);
        let url = format!("host=127.0.0.1,127.0.0.1 {ports} user=postgres dbname=postgres");
        PostgresOptions::new(url).schema(server.fresh_schema()).patience(Duration::from_secs(2))
    };
    let store = options([&first, &second]).open().await.unwrap();
    first.silent.store(true, Ordering::Relaxed);
    first.cut().await;
    let took = within("an answer", recovery(&store, 1)).await;
    assert!(took < RECOVERY_MAX, "{took:?}");
    for hosts in [[&first, &second], [&second, &first]] {
        let store = within("an answer", options(hosts).open()).await.unwrap();
        store.commit(vec![put(1, 0, 1)]).await.unwrap();
    }
}

#[tokio::test]
async fn an_exhausted_pool_is_unavailable_and_says_what_to_do() {
    let Some(server) = shared() else { return };
    let options = options(server).connections(4).writers(1).patience(Duration::from_millis(500));
    let schema = format!("{options:?}");
    let store = Arc::new(options.open().await.unwrap());
    let schema = schema.split('"').nth(1).unwrap().to_owned();
    let mut stranger = stranger(server).await;
    let lock = stranger.client.transaction().await.unwrap();
    lock.batch_execute(&format!("LOCK TABLE {schema}.record IN ACCESS EXCLUSIVE MODE")).await.unwrap();
    let listed = || Query::range(Index::Listed, &b""[..], 1);
    let scans = futures::future::join_all((0..12).map(|_| store.scan(listed())));
    let answers = within("every answer", scans).await;
    let told: Vec<String> = answers.iter().map(|answer| chain(answer.as_ref().unwrap_err())).collect();
    assert!(told.iter().all(|told| told.contains("unavailable")), "{told:?}");
    assert!(told.iter().any(|told| told.contains("every connection is in use")), "{told:?}");
    let trouble = within("an answer", store.commit(vec![put(1, 0, 1)])).await.unwrap_err();
    assert!(matches!(trouble, StoreError::Unavailable(_) | StoreError::Unknown(_)), "{trouble:?}");
    lock.rollback().await.unwrap();
    assert!(recovery(&store, 2).await < RECOVERY_MAX);
}

/// Whoever meets a host's transaction waits for it for a while, and is then told so.
#[tokio::test]
async fn a_record_that_others_hold_is_waited_for_and_then_given_up() {
    let Some(server) = shared() else { return };
    let store = options(server).open().await.unwrap();
    store.commit(vec![put(1, 0, 1)]).await.unwrap();
    let mut stranger = stranger(server).await;
    let transaction = stranger.client.transaction().await.unwrap();
    store.commit_in(&transaction, &[put(1, 1, 2)]).await.unwrap();
    let (other, blocked) = futures::join!(
        store.commit(vec![put(2, 0, 1)]),
        within("an answer", store.commit(vec![put(1, 1, 3)]))
    );
    other.unwrap();
    let told = chain(&blocked.unwrap_err());
    assert!(told.contains("others hold the same records"), "{told}");
    transaction.commit().await.unwrap();
    let conflict = store.commit(vec![put(1, 1, 3)]).await;
    assert!(matches!(conflict, Err(StoreError::Conflict(_))), "{conflict:?}");
}

#[tokio::test]
async fn who_meets_what_others_hold_holds_up_nobody_else() {
    let Some(server) = shared() else { return };
    let store = options(server).writers(1).open().await.unwrap();
    store.commit(vec![put(1, 0, 1)]).await.unwrap();
    let mut stranger = stranger(server).await;
    let transaction = stranger.client.transaction().await.unwrap();
    store.commit_in(&transaction, &[put(1, 1, 2)]).await.unwrap();
    // Both are in one group, since nobody writes before both have asked.
    let blocked = store.commit(vec![put(1, 1, 3)]);
    let others = async {
        store.commit(vec![put(2, 0, 1)]).await.unwrap();
        store.commit(vec![put(3, 0, 1)]).await.unwrap();
    };
    let (mut blocked, mut others) = (pin!(blocked), pin!(others));
    tokio::select! {
        biased;
        told = &mut blocked => panic!("the others come after the one that is held up: {told:?}"),
        () = within("the others", &mut others) => {}
    }
    transaction.rollback().await.unwrap();
    within("an answer", blocked).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_full_and_writes_again_with_room() {
    let Some(server) = own(&["-c", "fsync=off"]) else { return };
    let stranger = stranger(&server).await;
    let Some(small) = SmallDisk::mount(&server) else { return };
    let place = small.0.display();
    stranger.client.batch_execute(&format!("CREATE TABLESPACE small LOCATION '{place}'")).await.unwrap();
    stranger.client.batch_execute("ALTER ROLE postgres SET default_tablespace = small").await.unwrap();
    stranger.client.batch_execute(RESERVE).await.unwrap();
    let store = Arc::new(options(&server).open().await.unwrap());
    let mut acknowledged = Vec::new();
    let full = 'full: {
        for number in 0..1000 {
            match store.commit(vec![incompressible(number)]).await {
                Ok(_) => acknowledged.push(number),
                Err(trouble) => break 'full Some(trouble),
            }
        }
        None
    };
    let full = full.expect("a small disk is full before a thousand megabytes");
    assert!(matches!(full, StoreError::Full(_)), "{}", chain(&full));
    assert!(chain(&full).contains("free some space"), "{}", chain(&full));
    assert_eq!(
        versions(&*store, 0..acknowledged.len() + 1).await.iter().sum::<u64>() as usize,
        acknowledged.len()
    );
    let deletes =
        acknowledged.iter().map(|number| Write::Delete { key: job(*number), expected: 1 }).collect();
    store.commit(deletes).await.unwrap();
    // What is deleted is room only once it is vacuumed, which takes some itself.
    stranger.client.batch_execute("DROP TABLE reserve").await.unwrap();
    store.commit(vec![incompressible(5000)]).await.unwrap();
    store.close().await;
    drop(stranger);
    server.stop();
    drop(small);
}

/// Four mebibytes that are given up when the disk is full.
const RESERVE: &str = "CREATE TABLE reserve (bytes text) TABLESPACE small;
    ALTER TABLE reserve ALTER bytes SET STORAGE EXTERNAL;
    INSERT INTO reserve SELECT repeat('x', 4 << 20)";

/// A record of a mebibyte that no compression makes smaller.
fn incompressible(number: usize) -> Write {
    let mut body = vec![0; 1 << 20];
    SystemRandom::default().fill(&mut body);
    Write::Put { key: job(number), expected: 0, format: 1, body: body.into(), indexes: Vec::new() }
}

/// A small file system in memory, which only root can mount.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(server: &TestServer) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let place = server.socket().with_file_name("small");
        let user = std::fs::symlink_metadata(server.socket()).unwrap();
        std::fs::create_dir(&place).unwrap();
        let mount = std::process::Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size=24m,mode=0700,uid={},gid={}", user.uid(), user.gid()),
                "tmpfs",
            ])
            .arg(&place)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(place)),
            told => {
                println!("\nskipped: no small file system can be mounted here: {told:?}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

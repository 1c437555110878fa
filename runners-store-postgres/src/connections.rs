//! The connections to the server: a bounded pool for questions and commits, and one that listens.
//! Every wait for either has a bound. A statement is sent with its types and has no name, so nothing
//! is kept on a connection from one transaction to the next.

use crate::{
    OpenError, PostgresOptions, address::Address, clock::pause, error::Trouble, tls::Tls, ways::Ways,
};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures::future::BoxFuture;
use runners_core::{BootTime, Clock as _, SystemClock};
use std::{fmt, time::Duration};
use tokio::sync::Notify;
use tokio_postgres::{
    AsyncMessage, Client, Connection, NoTls, Row, Socket,
    types::{ToSql, Type},
};

/// A parameter with its type.
pub(crate) type Parameter<'p> = (&'p (dyn ToSql + Sync), Type);

/// A bounded pool of connections to one database.
pub(crate) struct Connections {
    pool: Pool,
    pub(crate) patience: Duration,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("pool", &self.pool.status()).finish_non_exhaustive()
    }
}

impl Connections {
    pub(crate) fn new(options: &PostgresOptions, address: &Address, tls: &Tls) -> Result<Self, OpenError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let ways = Ways::new(address, tls.clone(), options.patience);
        let manager = Manager::from_connect(address.config.clone(), ways, recycling);
        let pool = Pool::builder(manager)
            .max_size(options.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(options.patience))
            .create_timeout(Some(options.patience))
            .recycle_timeout(Some(options.patience))
            .build()
            .map_err(|error| OpenError::Unavailable {
                database: address.name.clone(),
                source: Box::new(error),
            })?;
        Ok(Self { pool, patience: options.patience })
    }

    /// Asks, and once more if the connection turns out to be dead: nothing is changed by asking.
    pub(crate) async fn ask(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Trouble> {
        let client = self.pool.get().await.map_err(Trouble::of_pool)?;
        match self.wait_for(client, sql, parameters, false).await {
            Err(Failure::Server(error)) if error.code().is_none() => {}
            asked => return asked.map_err(|failure| failure.into_trouble(Trouble::before_commit)),
        }
        let client = self.pool.get().await.map_err(Trouble::of_pool)?;
        let asked = self.wait_for(client, sql, parameters, false).await;
        asked.map_err(|failure| failure.into_trouble(Trouble::before_commit))
    }

    /// Asks for one row, and answers between which times it was told: the wait for a connection is not in it.
    pub(crate) async fn ask_timed(
        &self,
        clock: &SystemClock,
        sql: &str,
    ) -> Result<(Row, BootTime, BootTime), Trouble> {
        let client = self.pool.get().await.map_err(Trouble::of_pool)?;
        let asked = clock.boot();
        let rows = self.wait_for(client, sql, &[], false).await;
        let answered = clock.boot();
        let rows = rows.map_err(|failure| failure.into_trouble(Trouble::before_commit))?;
        let row = rows.into_iter().next().ok_or_else(Trouble::no_row)?;
        Ok((row, asked, answered))
    }

    /// Sends a statement that commits: what was sent is not sent again.
    pub(crate) async fn commit(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Trouble> {
        let client = self.pool.get().await.map_err(Trouble::of_pool)?;
        let sent = self.wait_for(client, sql, parameters, true).await;
        sent.map_err(|failure| failure.into_trouble(Trouble::of_commit))
    }

    async fn wait_for(
        &self,
        client: Object,
        sql: &str,
        parameters: &[Parameter<'_>],
        commits: bool,
    ) -> Result<Vec<Row>, Failure> {
        let answered = tokio::select! {
            biased;
            answered = client.query_typed(sql, parameters) => Some(answered),
            () = pause(self.patience) => None,
        };
        match answered {
            Some(answered) => answered.map_err(Failure::Server),
            None => {
                // Whoever gets it next would wait for this answer first.
                drop(Object::take(client));
                Err(Failure::Slow { commits })
            }
        }
    }

    /// A connection for whoever wants to keep it for a while.
    pub(crate) async fn lend(&self) -> Result<Object, deadpool_postgres::PoolError> {
        self.pool.get().await
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

enum Failure {
    Server(tokio_postgres::Error),
    Slow { commits: bool },
}

impl Failure {
    fn into_trouble(self, judge: impl FnOnce(tokio_postgres::Error) -> Trouble) -> Trouble {
        match self {
            Self::Server(error) => judge(error),
            Self::Slow { commits } => Trouble::too_slow(commits),
        }
    }
}

/// Connects beside the pool. The future carries the connection until it ends, and tells `heard` of
/// each notification but those that were sent under this name.
pub(crate) async fn connect(
    ways: &Ways,
    heard: std::sync::Arc<Notify>,
    listener: std::sync::Arc<str>,
) -> Result<(Client, BoxFuture<'static, ()>), tokio_postgres::Error> {
    match &ways.tls {
        Tls::Without => {
            let (client, connection) = ways.connect_with(&NoTls).await?;
            Ok((client, Box::pin(carry(connection, heard, listener))))
        }
        #[cfg(feature = "tls")]
        Tls::Rustls(connector) => {
            let (client, connection) = ways.connect_with(connector).await?;
            Ok((client, Box::pin(carry(connection, heard, listener))))
        }
    }
}

async fn carry<S>(
    mut connection: Connection<Socket, S>,
    heard: std::sync::Arc<Notify>,
    listener: std::sync::Arc<str>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        match std::future::poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(told))) if told.payload() == &*listener => {}
            Some(Ok(AsyncMessage::Notification(_))) => heard.notify_one(),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "connection that listens was lost");
                return;
            }
            None => return,
        }
    }
}

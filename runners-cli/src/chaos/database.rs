//! Where the servers of a fleet keep their queue: a file of the one server, a PostgreSQL of the fleet's
//! own behind a proxy that cuts connections, or somebody else's.

use super::proxy::Proxy;
use anyhow::{Result, anyhow, bail};
use runners_core::{Clock as _, SystemClock, sleep};
use runners_store_postgres::testing::TestServer;
use std::time::Duration;

#[derive(Debug)]
pub(crate) enum Database {
    File,
    Own { server: Box<TestServer>, proxy: Proxy },
    Elsewhere { url: String, schema: String },
}

impl Database {
    /// As the command line says: `sqlite`, `postgres`, or a URL.
    pub(crate) async fn open(store: &str, seed: u64) -> Result<Self> {
        match store {
            "sqlite" => Ok(Self::File),
            "postgres" => {
                let server = tokio::task::spawn_blocking(TestServer::start).await?;
                let server = server.map_err(|why| anyhow!(why))?;
                let proxy = Proxy::to_socket(server.socket()).await?;
                Ok(Self::Own { server: Box::new(server), proxy })
            }
            url if url.contains("://") => {
                // What an earlier fleet of the same seed has left is not met again.
                let now = SystemClock::default().wall().as_millis();
                Ok(Self::Elsewhere { url: url.to_owned(), schema: format!("chaos_{seed}_{now}") })
            }
            other => bail!("--store is {other:?}: take sqlite, postgres or postgres://USER@HOST/DATABASE"),
        }
    }

    /// How many servers there are unless it is said.
    pub(crate) const fn servers(&self) -> usize {
        match self {
            Self::File => 1,
            _ => 3,
        }
    }

    pub(crate) const fn is_file(&self) -> bool {
        matches!(self, Self::File)
    }

    /// For people: what it is, and what of it is left behind.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File => "sqlite".to_owned(),
            Self::Own { .. } => "a postgres of its own".to_owned(),
            Self::Elsewhere { schema, .. } => format!("schema {schema:?} of the database, which stays"),
        }
    }

    /// What a server is told of it.
    pub(crate) fn arguments(&self) -> Vec<String> {
        match self {
            Self::File => vec![],
            Self::Own { proxy, .. } => {
                vec!["--store".to_owned(), format!("postgres://postgres@{}/postgres", proxy.address())]
            }
            Self::Elsewhere { url, schema } => {
                vec!["--store".to_owned(), url.clone(), "--store-schema".to_owned(), schema.clone()]
            }
        }
    }

    /// Cuts every connection to it, if it is the fleet's own. Whether it is.
    pub(crate) fn cut(&self) -> bool {
        if let Self::Own { proxy, .. } = self {
            proxy.cut();
        }
        matches!(self, Self::Own { .. })
    }

    /// Has it crash, and starts it again after a while, if it is the fleet's own. Whether it is.
    pub(crate) async fn crash(&self, down_for: Duration) -> bool {
        let Self::Own { server, .. } = self else { return false };
        tokio::task::block_in_place(|| server.crash());
        sleep(&SystemClock::default(), down_for).await;
        tokio::task::block_in_place(|| server.start_again());
        true
    }
}

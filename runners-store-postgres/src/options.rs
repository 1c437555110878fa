//! What may be chosen about a store before it is opened.

use crate::{OpenError, PostgresStore};
use std::{fmt, time::Duration};

/// Chooses how a [`PostgresStore`] is opened. The defaults suit a control plane.
///
/// ```no_run
/// # async fn example() -> Result<(), runners_store_postgres::OpenError> {
/// use runners_store_postgres::PostgresOptions;
///
/// let store = PostgresOptions::new("postgres://queue@db.example/queue")
///     .schema("tests")
///     .connections(24)
///     .open()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct PostgresOptions {
    pub(crate) url: String,
    pub(crate) direct_url: Option<String>,
    pub(crate) listens: bool,
    pub(crate) password: Option<String>,
    pub(crate) schema: String,
    pub(crate) connections: usize,
    pub(crate) writers: usize,
    pub(crate) patience: Duration,
    #[cfg(feature = "tls")]
    pub(crate) root_certificates: Option<Vec<u8>>,
}

impl PostgresOptions {
    /// The largest number of [`connections`](Self::connections).
    pub const CONNECTIONS_MAX: usize = 256;
    /// The largest number of letters in the name of a [`schema`](Self::schema).
    pub const SCHEMA_LENGTH_MAX: usize = 40;

    /// A database by its URL, or by a connection string of libpq: what `tokio-postgres` reads.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            direct_url: None,
            listens: true,
            password: None,
            schema: "runners".to_owned(),
            connections: 16,
            writers: 2,
            patience: Duration::from_secs(5),
            #[cfg(feature = "tls")]
            root_certificates: None,
        }
    }

    /// The password, unless the URL holds one.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The schema that holds the tables: one for each deployment. `runners` by default.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// How many connections are open at most, beside the one that listens. 16 by default, from 4 to
    /// [`CONNECTIONS_MAX`](Self::CONNECTIONS_MAX); a number outside is moved to the nearer end.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.clamp(4, Self::CONNECTIONS_MAX);
        self
    }

    /// How many groups of batches are committed at the same time. 2 by default, from 1 to 16. Batches
    /// that wait join the next group, so that one commit of the server serves many.
    pub fn writers(mut self, writers: usize) -> Self {
        self.writers = writers.clamp(1, 16);
        self
    }

    /// Where to listen, if the URL leads to a pooler that gives connections away between transactions,
    /// as PgBouncer does in transaction mode: the server itself.
    pub fn direct_url(mut self, url: impl Into<String>) -> Self {
        self.direct_url = Some(url.into());
        self
    }

    /// Never listens, and asks every 100 ms what others wrote: for a pooler in transaction mode, where
    /// the server itself cannot be reached.
    pub fn without_listening(mut self) -> Self {
        self.listens = false;
        self
    }

    /// How long a connection or an answer is waited for. 5 seconds by default, at least 100 ms.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.max(Duration::from_millis(100));
        self
    }

    /// The authorities, in PEM, that the server's certificate is checked against, instead of those of
    /// the system.
    #[cfg(feature = "tls")]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }

    /// Connects, and takes the schema to its newest version.
    ///
    /// # Errors
    /// See [`OpenError`]; its variants say what to do.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the schema as it was, or at its newest version.
    pub async fn open(self) -> Result<PostgresStore, OpenError> {
        PostgresStore::open_with(self).await
    }
}

/// Tells nothing of the URL but where it leads: it may hold a password.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("writers", &self.writers)
            .field("listens", &self.listens)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

//! What goes wrong, by what the caller does next: while opening, and afterwards. Which code of
//! PostgreSQL means what is decided here and nowhere else. Nothing here has ever seen a password.

use deadpool_postgres::{PoolError, TimeoutType};
use runners_core::store::{StoreError, StoreSource};
use std::{error::Error, fmt, sync::Arc};
use tokio_postgres::error::{Severity, SqlState};

/// Why a database cannot be opened as a store. `database` is where it is, without user and password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Correct the URL. What it holds is not repeated, since a password may be in it.
    #[error("the URL of the database {problem}: write postgres://USER@HOST/DATABASE")]
    Url {
        /// What is wrong with it.
        problem: String,
    },
    /// Correct the name of the schema.
    #[error(
        "schema {schema:?} is no name that can be used: take up to {} lower-case letters, digits and _",
        crate::PostgresOptions::SCHEMA_LENGTH_MAX
    )]
    SchemaName {
        /// The name.
        schema: String,
    },
    /// Start the server, or correct host and port.
    #[error("nothing answers at {database}: start PostgreSQL there, or correct host and port")]
    Unreachable {
        /// Where.
        database: String,
        /// What the system says.
        #[source]
        source: StoreSource,
    },
    /// Correct user and password, or what the server allows in `pg_hba.conf`.
    #[error("{database} refuses this user: correct user and password, or allow it in pg_hba.conf")]
    Unauthorized {
        /// Where.
        database: String,
        /// What the server says.
        #[source]
        source: StoreSource,
    },
    /// Create the database.
    #[error("{database} does not exist: create it with `createdb`, or correct the name")]
    NoDatabase {
        /// Where.
        database: String,
    },
    /// Let the user create the schema, or create it as somebody who may.
    #[error(
        "this user may not set up schema {schema:?} in {database}: GRANT CREATE ON DATABASE, or let the owner \
         start once"
    )]
    Forbidden {
        /// Where.
        database: String,
        /// The schema.
        schema: String,
        /// What the server says.
        #[source]
        source: StoreSource,
    },
    /// Check the certificate of the server, or the feature `tls` of this program.
    #[error("{database} cannot be spoken to over TLS: {advice}")]
    Tls {
        /// Where.
        database: String,
        /// What to do.
        advice: &'static str,
        /// What was said.
        #[source]
        source: StoreSource,
    },
    /// Upgrade this program: the schema was written by a newer one.
    #[error(
        "schema {schema:?} in {database} has version {found}, this release knows at most {known}: upgrade this \
         program"
    )]
    NewerSchema {
        /// Where.
        database: String,
        /// The schema.
        schema: String,
        /// Its version.
        found: u32,
        /// The newest version that this release knows.
        known: u32,
    },
    /// Choose another schema: this one is somebody else's.
    #[error("schema {schema:?} in {database} holds tables of another application: choose another name")]
    Foreign {
        /// Where.
        database: String,
        /// The schema.
        schema: String,
    },
    /// Upgrade the server.
    #[error("{database} is PostgreSQL {found}, at least {known} is needed: upgrade the server")]
    OldServer {
        /// Where.
        database: String,
        /// Its version.
        found: u32,
        /// The oldest version that will do.
        known: u32,
    },
    /// Give the role or the database the isolation level that is PostgreSQL's own default. Commits rely on it: each of
    /// their statements has to see what was committed before it.
    #[error(
        "transactions in {database} are {found} by default: set default_transaction_isolation to 'read committed' for \
         the role or the database"
    )]
    Isolation {
        /// Where.
        database: String,
        /// The default there, such as `serializable`.
        found: String,
    },
    /// Make room on the server's disk.
    #[error("no room to open {database}: free some space on the server, then try again")]
    Full {
        /// Where.
        database: String,
        /// What the server says.
        #[source]
        source: StoreSource,
    },
    /// Look at the cause, and try again.
    #[error("{database} cannot be opened now: look at the cause, and at the server's log")]
    Unavailable {
        /// Where.
        database: String,
        /// What was said.
        #[source]
        source: StoreSource,
    },
}

/// Trouble of a whole group of batches, or of one question, told to each of its callers.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) next: Next,
    /// Whether somebody held what was waited for until the wait was over.
    pub(crate) is_held: bool,
    cause: Cause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing was applied, and at once it may go well: others were in the way.
    Again,
    Unavailable,
    Full,
    Unknown,
    Broken,
}

impl Trouble {
    /// There was no connection to be had, so nothing was asked.
    pub(crate) fn of_pool(error: PoolError) -> Self {
        let advice = match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                "every connection is in use for too long: allow more, or look at what the server is busy with"
            }
            PoolError::Timeout(_) => "server does not answer: check it, and the way there",
            PoolError::Backend(error) => return Self::before_commit(error),
            _ => "store is closed",
        };
        Self { next: Next::Unavailable, is_held: false, cause: Cause { advice, source: None } }
    }

    /// Trouble with which nothing can have been applied.
    pub(crate) fn before_commit(error: tokio_postgres::Error) -> Self {
        let (next, advice) = match error.code() {
            Some(code) => judge(code),
            None if error.source().is_some_and(<dyn Error>::is::<tokio_postgres::types::WrongType>) => {
                (Next::Broken, "database does not answer as this version expects")
            }
            None => (Next::Unavailable, "connection to the server was lost: check it, and the way there"),
        };
        let is_held = error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
        Self { next, is_held, cause: Cause { advice, source: Some(Arc::new(error)) } }
    }

    /// Trouble of a statement that commits. Only a server that refuses the statement, and lives on,
    /// says for sure that nothing was applied.
    pub(crate) fn of_commit(error: tokio_postgres::Error) -> Self {
        let refused =
            error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error));
        let mut trouble = Self::before_commit(error);
        if !refused {
            trouble.next = Next::Unknown;
        }
        trouble
    }

    /// There is no row where there always is one.
    pub(crate) const fn no_row() -> Self {
        let advice = "database does not answer as this version expects";
        Self { next: Next::Broken, is_held: false, cause: Cause { advice, source: None } }
    }

    /// Too many batches wait for what others hold.
    pub(crate) const fn held() -> Self {
        Self { next: Next::Unavailable, is_held: true, cause: Cause { advice: HELD, source: None } }
    }

    /// The server took longer than it is waited for.
    pub(crate) fn too_slow(commits: bool) -> Self {
        let next = if commits { Next::Unknown } else { Next::Unavailable };
        let advice = "server has not answered in time: look at what it is busy with, and at the way there";
        Self { next, is_held: false, cause: Cause { advice, source: None } }
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        let source = Box::new(trouble.cause);
        match trouble.next {
            Next::Again | Next::Unavailable => Self::Unavailable(source),
            Next::Full => Self::Full(source),
            Next::Unknown => Self::Unknown(source),
            Next::Broken => Self::Broken(source),
        }
    }
}

/// What to do about it, and what PostgreSQL says.
#[derive(Clone, Debug)]
struct Cause {
    advice: &'static str,
    source: Option<Arc<tokio_postgres::Error>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|error| error as &(dyn Error + 'static))
    }
}

const HELD: &str = "others hold the same records: look for long transactions on the server";

fn judge(code: &SqlState) -> (Next, &'static str) {
    const AGAIN: [SqlState; 4] = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::UNIQUE_VIOLATION,
    ];
    const ABSENT: [SqlState; 4] = [
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_COLUMN,
        SqlState::INVALID_SCHEMA_NAME,
    ];
    match code {
        code if AGAIN.contains(code) => (Next::Again, HELD),
        code if ABSENT.contains(code) => {
            (Next::Broken, "schema is not as it was opened: restore it, or restart this program")
        }
        &SqlState::DISK_FULL => (Next::Full, "the server's disk is full: free some space there"),
        &SqlState::INSUFFICIENT_PRIVILEGE => {
            (Next::Broken, "this user may not write the schema: grant it what its owner may")
        }
        &SqlState::TOO_MANY_CONNECTIONS => {
            (Next::Unavailable, "server has no connection left: raise max_connections, or use fewer here")
        }
        &SqlState::READ_ONLY_SQL_TRANSACTION => {
            (Next::Unavailable, "server only reads, as a standby does: connect to the primary")
        }
        &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => {
            (Next::Broken, "database is damaged: stop, and restore a backup")
        }
        code => match &code.code()[..2] {
            "08" | "57" => (Next::Unavailable, "server is stopping, starting or cut off: wait for it"),
            "28" => (Next::Unavailable, "server refuses this user: correct user and password"),
            "3D" => (Next::Unavailable, "database does not exist: create it, or correct its name"),
            "53" | "58" => (Next::Unavailable, "server has run out of something: look at its log"),
            _ => (Next::Broken, "database does not answer as this version expects"),
        },
    }
}

/// Whoever should have answered is gone.
#[derive(Debug, thiserror::Error)]
#[error("store is closed")]
pub(crate) struct Closed;

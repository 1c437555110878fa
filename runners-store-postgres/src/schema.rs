//! The tables, and how they come to be: steps that only go forward, taken by whoever comes first
//! under a lock of the database, and left alone if they are of a later release.

use crate::{OpenError, PostgresOptions, address::Address, connections::Connections};
use deadpool_postgres::PoolError;
use std::{error::Error as _, io};
use tokio_postgres::{
    Error, GenericClient, Row,
    error::SqlState,
    types::{ToSql, Type},
};

const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

/// The newest version that this release knows.
const KNOWN: u32 = STEPS.len() as u32;

/// The oldest server that will do, and how it numbers itself.
const SERVER: u32 = 13;
const SERVER_NUMBER: i32 = 130_000;
/// How transactions have to be isolated, as the server says it.
const ISOLATION: &str = "read committed";

/// How long another process is waited for that is just setting up the schema.
const SETTING_UP_MAX: &str = "30s";

/// How long a row that others hold is waited for in a commit.
const LOCK_WAIT_MAX: &str = "500ms";

/// How long whoever raises a watermark waits for those who were let through: others wait behind it.
const RAISE_WAIT_MAX: &str = "100ms";

/// A schema in a database: whose name is checked, so that it can stand in a statement.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) name: String,
    database: String,
}

impl Schema {
    pub(crate) fn of(options: &PostgresOptions, address: &Address) -> Result<Self, OpenError> {
        let name = options.schema.clone();
        let fits = (1..=PostgresOptions::SCHEMA_LENGTH_MAX).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.starts_with("pg_");
        if !fits {
            return Err(OpenError::SchemaName { schema: name });
        }
        Ok(Self { name, database: address.name.clone() })
    }

    /// Makes sure that the tables are there, and of a version that is known.
    pub(crate) async fn prepare(&self, connections: &Connections) -> Result<(), OpenError> {
        let mut client = connections.lend().await.map_err(|error| self.unconnected(error))?;
        let found = self.find(&**client).await?;
        if found == KNOWN {
            return Ok(());
        }
        let failed = |error| self.failed(error);
        let step = client.transaction().await.map_err(failed)?;
        let lock = format!("SET LOCAL lock_timeout = '{SETTING_UP_MAX}'");
        step.batch_execute(&lock).await.map_err(failed)?;
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended('runners:' || $1, 0))";
        step.query_typed(sql, &[(&self.name, Type::TEXT)]).await.map_err(failed)?;
        // Somebody may have been here while the lock was waited for.
        let found = self.find(&*step).await?;
        if found == KNOWN {
            return Ok(());
        }
        for sql in self.steps_from(found) {
            step.batch_execute(&sql).await.map_err(failed)?;
        }
        step.commit().await.map_err(failed)?;
        tracing::info!(schema = %self.name, version = KNOWN, "the schema of the database was set up");
        Ok(())
    }

    fn steps_from(&self, found: u32) -> Vec<String> {
        let name = format!("\"{}\"", self.name);
        let mut all = Vec::new();
        if found == 0 {
            all.push(format!("CREATE SCHEMA IF NOT EXISTS {name}"));
        }
        all.push(format!("SET LOCAL search_path = {name}, pg_temp"));
        if found == 0 {
            all.push("CREATE TABLE runners_schema (version integer NOT NULL)".to_owned());
            all.push("INSERT INTO runners_schema VALUES (0)".to_owned());
        }
        let steps = &STEPS[found as usize..];
        all.extend(steps.iter().map(|step| {
            let step = step.replace("{schema}", &name).replace("{lock_timeout}", LOCK_WAIT_MAX);
            step.replace("{raise_timeout}", RAISE_WAIT_MAX)
        }));
        all.push(format!("UPDATE runners_schema SET version = {KNOWN}"));
        all
    }

    /// Which version is there; 0 if there is none. Refuses what must not be touched.
    async fn find<C: GenericClient + ?Sized + Sync>(&self, client: &C) -> Result<u32, OpenError> {
        let sql = "SELECT current_setting('server_version_num')::integer,
                to_regclass(format('%I.runners_schema', $1)) IS NOT NULL,
                EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = $1),
                current_setting('default_transaction_isolation')";
        let row = self.one(client, sql, &[(&self.name, Type::TEXT)]).await?;
        let (server, ours, taken): (i32, bool, bool) = (row.get(0), row.get(1), row.get(2));
        let isolation: String = row.get(3);
        let database = || self.database.clone();
        if server < SERVER_NUMBER {
            let found = u32::try_from(server / 10_000).unwrap_or_default();
            return Err(OpenError::OldServer { database: database(), found, known: SERVER });
        }
        if isolation != ISOLATION {
            return Err(OpenError::Isolation { database: database(), found: isolation });
        }
        if !ours && taken {
            return Err(OpenError::Foreign { database: database(), schema: self.name.clone() });
        }
        if !ours {
            return Ok(0);
        }
        let sql = format!("SELECT max(version) FROM \"{}\".runners_schema", self.name);
        let version: Option<i32> = self.one(client, &sql, &[]).await?.get(0);
        let found = version.and_then(|version| u32::try_from(version).ok()).unwrap_or_default();
        if found > KNOWN {
            return Err(OpenError::NewerSchema {
                database: database(),
                schema: self.name.clone(),
                found,
                known: KNOWN,
            });
        }
        Ok(found)
    }

    async fn one<C: GenericClient + ?Sized + Sync>(
        &self,
        client: &C,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Row, OpenError> {
        let mut rows = client.query_typed(sql, parameters).await.map_err(|error| self.failed(error))?;
        rows.pop().ok_or_else(|| OpenError::Unavailable {
            database: self.database.clone(),
            source: "the server has answered with nothing".into(),
        })
    }

    pub(crate) fn unconnected(&self, error: PoolError) -> OpenError {
        match error {
            PoolError::Backend(error) => self.failed(error),
            PoolError::Timeout(_) => {
                OpenError::Unreachable { database: self.database.clone(), source: Box::new(error) }
            }
            error => OpenError::Unavailable { database: self.database.clone(), source: Box::new(error) },
        }
    }

    pub(crate) fn failed(&self, error: Error) -> OpenError {
        let database = self.database.clone();
        let said = error.to_string();
        let is_io = error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>);
        let needs_password = error.source().is_some_and(|cause| cause.to_string() == "password missing");
        let code = error.code().cloned();
        let source = Box::new(error);
        match code {
            Some(SqlState::INVALID_CATALOG_NAME) => OpenError::NoDatabase { database },
            Some(SqlState::INSUFFICIENT_PRIVILEGE) => {
                OpenError::Forbidden { database, schema: self.name.clone(), source }
            }
            Some(SqlState::DISK_FULL) => OpenError::Full { database, source },
            Some(code) if code.code().starts_with("28") => OpenError::Unauthorized { database, source },
            Some(_) => OpenError::Unavailable { database, source },
            None if needs_password || said == "authentication error" => {
                OpenError::Unauthorized { database, source }
            }
            // The kind of an error is told by its words alone.
            None if said == "error performing TLS handshake" => {
                let advice = "check its certificate, and the authority that it is checked against";
                OpenError::Tls { database, advice, source }
            }
            None if is_io => OpenError::Unreachable { database, source },
            None => OpenError::Unavailable { database, source },
        }
    }
}

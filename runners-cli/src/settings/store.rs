//! Where the queue is kept: in a file of the data directory, or in PostgreSQL. No setting is a secret, so
//! a URL that holds a password is refused.

use super::Settings;
use anyhow::{Context as _, Result, bail};
use runners_core::store::Store;
use runners_store_postgres::{PostgresOptions, tokio_postgres};
use runners_store_sqlite::SqliteStore;
use std::{env, fs::File, io::Read as _, path::Path, sync::Arc};

/// What says the password where no file does, as in every program that speaks to PostgreSQL.
const PASSWORD_VARIABLE: &str = "PGPASSWORD";

/// The largest file that is read as a password, or as certificates.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What `--store-direct` says where nobody is to listen.
const NOWHERE: &str = "none";

/// Where the queue is kept.
#[derive(Clone, Debug)]
pub(crate) struct StoreSettings<'s> {
    settings: &'s Settings,
    /// None if it is in the data directory.
    database: Option<Database>,
}

#[derive(Clone, Debug)]
struct Database {
    options: PostgresOptions,
    /// Host, port and database.
    name: String,
}

impl Settings {
    /// Where the queue is kept.
    pub(crate) fn store(&self) -> Result<StoreSettings<'_>> {
        let layer = &self.layer;
        let Some(url) = &layer.store else {
            let given = [
                ("store-password-file", layer.store_password_file.is_some()),
                ("store-schema", layer.store_schema.is_some()),
                ("store-connections", layer.store_connections.is_some()),
                ("store-direct", layer.store_direct.is_some()),
                ("store-ca-file", layer.store_ca_file.is_some()),
            ];
            if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
                bail!(
                    "--{name} is for a queue in PostgreSQL: give --store postgres://USER@HOST/DATABASE too, or leave it out"
                );
            }
            return Ok(StoreSettings { settings: self, database: None });
        };
        let name = checked("--store", url)?;
        let mut options = PostgresOptions::new(url);
        if let Some(schema) = &layer.store_schema {
            options = options.schema(schema);
        }
        if let Some(connections) = layer.store_connections {
            if !(4..=PostgresOptions::CONNECTIONS_MAX).contains(&connections) {
                let most = PostgresOptions::CONNECTIONS_MAX;
                bail!("--store-connections is {connections}: take a number from 4 to {most}");
            }
            options = options.connections(connections);
        }
        match layer.store_direct.as_deref() {
            None => {}
            Some(NOWHERE) => options = options.without_listening(),
            Some(direct) => {
                checked("--store-direct", direct)?;
                options = options.direct_url(direct);
            }
        }
        Ok(StoreSettings { settings: self, database: Some(Database { options, name }) })
    }
}

impl StoreSettings<'_> {
    /// Opens it; `file` is where it is if it is a file.
    pub(crate) async fn open(&self, file: &Path) -> Result<Arc<dyn Store>> {
        let Some(Database { options, .. }) = &self.database else {
            return Ok(Arc::new(SqliteStore::open(file).await?));
        };
        let mut options = options.clone();
        if let Some(password) = self.password()? {
            options = options.password(password);
        }
        if let Some(path) = &self.settings.layer.store_ca_file {
            options = options.root_certificates(read(path).context("--store-ca-file")?);
        }
        Ok(Arc::new(options.open().await?))
    }

    /// Whether several servers can be on it.
    pub(crate) const fn is_shared(&self) -> bool {
        self.database.is_some()
    }

    /// Where it is, for people.
    pub(crate) fn name(&self, file: &Path) -> String {
        match &self.database {
            Some(database) => format!("postgres at {}", database.name),
            None => file.display().to_string(),
        }
    }

    fn password(&self) -> Result<Option<String>> {
        if let Some(path) = &self.settings.layer.store_password_file {
            let text = read(path).context("--store-password-file")?;
            let text = text.lines().next().unwrap_or_default();
            if text.is_empty() {
                bail!("--store-password-file: {} is empty", path.display());
            }
            return Ok(Some(text.to_owned()));
        }
        Ok(env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty()))
    }
}

/// Where a URL leads, unless it cannot be read or holds a password.
fn checked(flag: &str, url: &str) -> Result<String> {
    let Ok(config) = url.parse::<tokio_postgres::Config>() else {
        bail!("{flag} is no URL of PostgreSQL: write postgres://USER@HOST/DATABASE");
    };
    if config.get_password().is_some() {
        bail!(
            "{flag} holds a password, which everybody on this machine could read: take it out, and put it into \
             {PASSWORD_VARIABLE} or a file for --store-password-file"
        );
    }
    let host = match config.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(tokio_postgres::config::Host::Unix(path)) => path.display().to_string(),
        None => bail!("{flag} names no host: write postgres://USER@HOST/DATABASE"),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    Ok(format!("{host}:{port}/{database}"))
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.with_context(|| format!("could not read {}", path.display()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::layer::Layer;

    fn settings(url: &str) -> Settings {
        let layer = Layer { store: Some(url.to_owned()), ..Layer::default() };
        Settings { layer, ..Settings::default() }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        for url in ["postgres://me:hush-hush@db/queue", "host=db user=me password=hush-hush"] {
            let refused = settings(url).store().unwrap_err().to_string();
            assert!(refused.contains("PGPASSWORD"), "{refused}");
            assert!(!refused.contains("hush"), "{refused}");
        }
        let named = settings("postgres://me@db.example/queue");
        assert_eq!(named.store().unwrap().name(Path::new("x")), "postgres at db.example:5432/queue");
    }

    #[test]
    fn what_belongs_to_a_database_needs_one() {
        let layer = Layer { store_schema: Some("mine".to_owned()), ..Layer::default() };
        let refused = Settings { layer, ..Settings::default() }.store().unwrap_err().to_string();
        assert!(refused.contains("--store-schema"), "{refused}");
    }
}

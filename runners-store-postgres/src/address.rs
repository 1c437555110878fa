//! Where a database is: the URL read, and what may be said of it aloud.

use crate::{OpenError, PostgresOptions};
use std::{error::Error as _, time::Duration};
use tokio_postgres::config::{Config, Host, TargetSessionAttrs};

/// How long a silent connection is kept before the system asks whether the other end is there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);

/// A database, as the options say.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// Its `Debug` leaves the password out.
    pub(crate) config: Config,
    /// Host, port and database, for people.
    pub(crate) name: String,
}

impl Address {
    pub(crate) fn of(options: &PostgresOptions) -> Result<Self, OpenError> {
        Self::read(&options.url, options)
    }

    /// Where to listen; none if that is not wanted.
    pub(crate) fn to_listen(options: &PostgresOptions) -> Result<Option<Self>, OpenError> {
        let url = options.direct_url.as_ref().unwrap_or(&options.url);
        if options.listens { Self::read(url, options).map(Some) } else { Ok(None) }
    }

    fn read(url: &str, options: &PostgresOptions) -> Result<Self, OpenError> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // Other complaints may repeat a piece of it.
            let cause = error.source().map(ToString::to_string);
            let value = cause.filter(|cause| cause.starts_with("invalid value for option"));
            OpenError::Url {
                problem: value.map_or("cannot be read".to_owned(), |cause| format!("has an {cause}")),
            }
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(OpenError::Url { problem: "names no host".to_owned() });
        }
        if let Some(password) = options.password.as_ref().filter(|_| config.get_password().is_none()) {
            config.password(password);
        }
        if config.get_application_name().is_none() {
            config.application_name("runners");
        }
        if config.get_hosts().len() > 1 && config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.connect_timeout(options.patience);
        config.tcp_user_timeout(2 * options.patience);
        config.keepalives_idle(KEEPALIVE_IDLE);
        let name = name_of(&config);
        Ok(Self { config, name })
    }
}

fn name_of(config: &Config) -> String {
    let host = match (config.get_hosts().first(), config.get_hostaddrs().first()) {
        (Some(Host::Tcp(host)), _) => host.clone(),
        #[cfg(unix)]
        (Some(Host::Unix(path)), _) => path.display().to_string(),
        (None, Some(address)) => address.to_string(),
        (None, None) => "nowhere".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    format!("{host}:{port}/{database}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_said() {
        let options = PostgresOptions::new("postgres://me:hush-hush@db.example:6000/queue");
        let address = Address::of(&options).unwrap();
        assert_eq!(address.name, "db.example:6000/queue");
        let told = format!("{address:?} {options:?}");
        assert!(!told.contains("hush"), "{told}");
        for wrong in [
            "postgres://me:hush-hush@db.example:port/queue",
            "postgres://me:hush-hush@db.example/queue?hush=1",
            "host=db password='hush-hush",
            "hush-hush",
            "postgres:///hush",
        ] {
            let refused = Address::of(&PostgresOptions::new(wrong)).unwrap_err();
            let told = format!("{refused} {refused:?}");
            assert!(!told.contains("hush-hush"), "{told}");
        }
    }

    #[test]
    fn a_password_of_the_options_stands_behind_that_of_the_url() {
        let password = |url: &str| {
            let options = PostgresOptions::new(url).password("second");
            Address::of(&options).unwrap().config.get_password().map(<[u8]>::to_vec)
        };
        assert_eq!(password("postgres://me:first@db/queue"), Some(b"first".to_vec()));
        assert_eq!(password("postgres://me@db/queue"), Some(b"second".to_vec()));
    }
}

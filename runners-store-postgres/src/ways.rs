//! The ways to a database: each host that its URL names, and each address of a name, tried by itself. One that is
//! silent takes its share of the time and leaves the others theirs.

use crate::{address::Address, clock::pause, tls::Tls};
use deadpool_postgres::Connect;
use futures::future::BoxFuture;
use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::lookup_host, task::JoinHandle};
use tokio_postgres::{
    Client, Config, Connection, Error, NoTls, Socket,
    config::{Host, LoadBalanceHosts},
    tls::MakeTlsConnect,
};

/// Makes connections to a database.
pub(crate) struct Ways {
    config: Config,
    pub(crate) tls: Tls,
    /// How long all of them together are tried.
    patience: Duration,
    /// Where the newest connection leads: it is tried first.
    newest: Mutex<Option<Way>>,
}

/// One way: a host, or one address of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Way {
    host: Option<Host>,
    address: Option<IpAddr>,
    port: u16,
}

impl Ways {
    pub(crate) fn new(address: &Address, tls: Tls, patience: Duration) -> Self {
        Self { config: address.config.clone(), tls, patience, newest: Mutex::default() }
    }

    /// Connects on the first way on which somebody answers in time. The last way has all the time that the
    /// caller gives it.
    pub(crate) async fn connect_with<T>(
        &self,
        tls: &T,
    ) -> Result<(Client, Connection<Socket, T::Stream>), Error>
    where
        T: MakeTlsConnect<Socket> + Clone,
    {
        let ways = self.in_turn().await;
        let Some((last, others)) = ways.split_last() else { return self.config.connect(tls.clone()).await };
        let share = self.patience / u32::try_from(ways.len()).unwrap_or(u32::MAX);
        for way in others {
            let config = only(&self.config, way);
            let connected = tokio::select! {
                biased;
                connected = config.connect(tls.clone()) => connected,
                () = pause(share) => {
                    tracing::warn!(?way, "a host of the database is silent: trying the next");
                    continue;
                }
            };
            match connected {
                Ok(made) => return Ok(self.made(way, made)),
                Err(error) => {
                    tracing::debug!(?way, error = &error as &dyn std::error::Error, "trying the next");
                }
            }
        }
        let connected = only(&self.config, last).connect(tls.clone()).await;
        connected.map(|made| self.made(last, made))
    }

    fn made<M>(&self, way: &Way, made: M) -> M {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(way.clone());
        made
    }

    /// Every way there is now, the newest that has led somewhere first; none if the URL contradicts itself, which
    /// whoever reads it next says best.
    async fn in_turn(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        for way in named(&self.config) {
            let found = addresses_of(&way).await;
            if found.is_empty() {
                ways.push(way);
            } else {
                ways.extend(found.into_iter().map(|to| Way { address: Some(to), ..way.clone() }));
            }
        }
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let first = match self.config.get_load_balance_hosts() {
            LoadBalanceHosts::Random => Some(usize::from(crate::writer_id::drawn()[0]) % ways.len().max(1)),
            _ => ways.iter().position(|way| Some(way) == newest.as_ref()),
        };
        ways.rotate_left(first.unwrap_or(0));
        ways
    }

    async fn carried<T>(&self, tls: &T) -> Result<(Client, JoinHandle<()>), Error>
    where
        T: MakeTlsConnect<Socket> + Clone,
        T::Stream: Send + 'static,
    {
        let (client, connection) = self.connect_with(tls).await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the pool keeps the handle, and ends it with its client"
        )]
        let carrying = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection was lost");
            }
        });
        Ok((client, carrying))
    }
}

impl Connect for Ways {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        Box::pin(async move {
            match &self.tls {
                Tls::Without => self.carried(&NoTls).await,
                #[cfg(feature = "tls")]
                Tls::Rustls(connector) => self.carried(connector).await,
            }
        })
    }
}

/// The addresses of a host that has a name only. What is wrong with one that has none is told when it is its turn.
async fn addresses_of(way: &Way) -> Vec<IpAddr> {
    let (Some(Host::Tcp(name)), None) = (&way.host, way.address) else { return Vec::new() };
    let found = lookup_host((&**name, way.port)).await;
    found.map(|found| found.map(|to| to.ip()).collect()).unwrap_or_default()
}

/// What the URL names, in its order, as libpq reads it; none if the numbers of hosts, addresses and ports do not
/// go together.
fn named(config: &Config) -> Vec<Way> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    let goes = |len: usize| len <= 1 || len == count;
    if !goes(ports.len()) || !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Vec::new();
    }
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    let way = |at| Way { host: hosts.get(at).cloned(), address: addresses.get(at).copied(), port: port(at) };
    (0..count).map(way).collect()
}

/// `config` with one way only.
fn only(config: &Config, way: &Way) -> Config {
    let mut one = Config::new();
    one.port(way.port);
    one.ssl_mode(config.get_ssl_mode()).ssl_negotiation(config.get_ssl_negotiation());
    one.keepalives(config.get_keepalives()).keepalives_idle(config.get_keepalives_idle());
    one.target_session_attrs(config.get_target_session_attrs());
    one.channel_binding(config.get_channel_binding()).load_balance_hosts(config.get_load_balance_hosts());
    match &way.host {
        Some(Host::Tcp(name)) => _ = one.host(name),
        #[cfg(unix)]
        Some(Host::Unix(path)) => _ = one.host_path(path),
        None => {}
    }
    if let Some(address) = way.address {
        one.hostaddr(address);
    }
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(limit) = config.get_connect_timeout() {
        one.connect_timeout(*limit);
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*limit);
    }
    if let Some(every) = config.get_keepalives_interval() {
        one.keepalives_interval(every);
    }
    if let Some(times) = config.get_keepalives_retries() {
        one.keepalives_retries(times);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        url.parse().unwrap()
    }

    #[test]
    fn one_way_has_all_that_the_url_says() {
        for url in [
            "host=db hostaddr=10.0.0.1 port=6000 user=me password=hush dbname=queue options='-c a=b' \
             application_name=runners sslmode=require sslnegotiation=direct connect_timeout=3 \
             tcp_user_timeout=4 keepalives=0 keepalives_idle=5 keepalives_interval=6 keepalives_retries=7 \
             target_session_attrs=read-write channel_binding=require load_balance_hosts=random",
            "host=/run/postgresql port=5432 user=me",
        ] {
            let config = config(url);
            assert!(only(&config, &named(&config)[0]) == config, "{url}");
        }
    }

    #[test]
    fn hosts_addresses_and_ports_go_together_as_libpq_has_it() {
        let ways = |url: &str| {
            let each = named(&config(url)).into_iter();
            each.map(|way| (way.host.is_some(), way.address.is_some(), way.port)).collect::<Vec<_>>()
        };
        assert_eq!(ways("host=a,b port=1,2"), [(true, false, 1), (true, false, 2)]);
        assert_eq!(ways("host=a,b port=1"), [(true, false, 1), (true, false, 1)]);
        assert_eq!(ways("host=a,b hostaddr=::1,::1"), [(true, true, 5432), (true, true, 5432)]);
        assert_eq!(ways("hostaddr=10.0.0.1"), [(false, true, 5432)]);
        assert_eq!(ways("host=a,b hostaddr=::1"), []);
        assert_eq!(ways("host=a,b,c port=1,2"), []);
    }

    #[tokio::test]
    async fn the_way_that_led_somewhere_goes_first() {
        let options = crate::PostgresOptions::new("hostaddr=10.0.0.1,10.0.0.2,10.0.0.3");
        let ways = Ways::new(&Address::of(&options).unwrap(), Tls::Without, options.patience);
        let all = ways.in_turn().await;
        assert_eq!(all.len(), 3);
        ways.made(&all[1], ());
        let again = ways.in_turn().await;
        assert_eq!((&again[0], again.len()), (&all[1], 3));
    }
}

//! Servers behind a load balancer and nine runners as processes, and what is done to them.

use super::{
    account::{Account, Pool},
    database::Database,
    deeds::Deeds,
    journal::{self, Lines},
    management::Management,
    process::Process,
    proxy::Proxy,
    runner::Runner,
    server::{Server, TERM},
    visit::Post,
};
use anyhow::{Result, bail};
use runners_core::{BootTime, Clock as _, SystemClock};
use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How many runners each pool has.
const RUNNERS_PER_POOL: usize = 3;

/// How far apart two deeds are, in milliseconds.
const DEED_EVERY: std::ops::Range<u64> = 150..900;

/// A fleet, while it lives.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) url: String,
    pub(crate) tenants: Vec<Account>,
    balancer: Proxy,
    servers: Vec<Server>,
    runners: Vec<Runner>,
    database: Database,
    deeds: Arc<Mutex<Deeds>>,
}

impl Fleet {
    /// Starts servers with two tenants, and the runners of their three pools.
    pub(crate) async fn start(
        directory: &Path,
        database: Database,
        servers: usize,
        chance: &mut fastrand::Rng,
    ) -> Result<Self> {
        let balancer = Proxy::to_servers().await?;
        let url = format!("http://{}", balancer.address());
        let mut all = Vec::new();
        for number in 1..=servers {
            let name = format!("server-{number}");
            let server = Server::start(directory, name, database.arguments(), chance).await?;
            balancer.lead_to(server.address);
            all.push(server);
        }
        let first = &all[0];
        let operator = Management::new(&url, &first.token("operator-token")?)?;
        let acme = Account::made_by(&operator, "acme").await?;
        let tenants = vec![
            Account::open(&url, "default", &first.token("api-token")?, &["near", "far"]).await?,
            Account::open(&url, "acme", &acme, &["lab"]).await?,
        ];
        let mut runners = Vec::new();
        for Pool { name, registration } in tenants.iter().flat_map(|tenant| &tenant.pools) {
            for number in 1..=RUNNERS_PER_POOL {
                let name = format!("{name}-{number}");
                let place = directory.join(&name);
                fs::create_dir_all(&place)?;
                let (state, journal) = (place.join("state-1"), place.join("journal-1"));
                let (server, registration) = (url.clone(), registration.clone());
                runners.push(Runner::start(Post { server, name, registration, state, journal, slots: 2 })?);
            }
        }
        Ok(Self { url, tenants, balancer, servers: all, runners, database, deeds: Arc::default() })
    }

    /// What was done so far, while it is being done.
    pub(crate) fn deeds(&self) -> Arc<Mutex<Deeds>> {
        Arc::clone(&self.deeds)
    }

    /// Kills, stops, continues and cuts at random until then.
    pub(crate) async fn rage(&mut self, until: BootTime, chance: &mut fastrand::Rng) -> Result<()> {
        let clock = SystemClock::default();
        let mut next = clock.boot();
        while clock.boot() < until {
            let waking = self.processes().filter_map(|(_, process)| process.continue_at());
            let event = waking.chain([next]).min().unwrap_or(next);
            clock.sleep_until(event).await;
            let now = clock.boot();
            for (_, process) in self.processes_mut() {
                if process.continue_at().is_some_and(|at| at <= now) {
                    process.awake()?;
                }
            }
            if now >= next {
                self.act(now, chance).await?;
                next = clock.boot() + Duration::from_millis(chance.u64(DEED_EVERY));
            }
        }
        Ok(())
    }

    /// Continues everything, and sees to it that everything runs.
    pub(crate) async fn calm(&mut self) -> Result<()> {
        for (_, process) in self.processes_mut() {
            process.awake()?;
        }
        for server in &mut self.servers {
            server.ready().await?;
        }
        Ok(())
    }

    /// What the attempts of every process wrote down, and when it was dead, if it is.
    pub(crate) fn journals(&self) -> Vec<(Lines, Option<BootTime>)> {
        let present = self.runners.iter().map(|runner| (&runner.post.journal, None));
        let past = self.runners.iter().flat_map(|runner| &runner.past);
        let all = past.map(|(path, died)| (path, Some(*died))).chain(present);
        all.map(|(path, died)| (journal::read(path), died)).collect()
    }

    /// No process ends by itself, unless it is a server that did not find its database.
    fn see_to_all(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(Server::see_to_it)?;
        for runner in &mut self.runners {
            if let Some(ended) = runner.process.ended() {
                bail!("{} has ended by itself: {ended}\n{}", runner.post.name, runner.process.said());
            }
        }
        Ok(())
    }

    /// The last that the processes have said.
    pub(crate) fn last_words(&self) -> String {
        self.processes().map(|(name, process)| format!("--- {name}\n{}\n", process.said())).collect()
    }

    fn processes(&self) -> impl Iterator<Item = (&str, &Process)> {
        let servers = self.servers.iter().map(|one| (one.name.as_str(), &one.process));
        servers.chain(self.runners.iter().map(|one| (one.post.name.as_str(), &one.process)))
    }

    fn processes_mut(&mut self) -> impl Iterator<Item = (&str, &mut Process)> {
        let servers = self.servers.iter_mut().map(|one| (one.name.as_str(), &mut one.process));
        servers.chain(self.runners.iter_mut().map(|one| (one.post.name.as_str(), &mut one.process)))
    }

    async fn act(&mut self, now: BootTime, chance: &mut fastrand::Rng) -> Result<()> {
        self.see_to_all()?;
        let several = self.servers.len() > 1;
        let runner = chance.usize(0..self.runners.len());
        let server = chance.usize(0..self.servers.len());
        let (runner, server) = (&mut self.runners[runner], &mut self.servers[server]);
        let mut done = Deeds::default();
        match chance.u8(0..100) {
            0..36 => {
                done.runners_replaced = u32::from(runner.kill_and_start(chance)?);
                done.runners_killed = 1;
            }
            36..72 if runner.process.continue_at().is_none() => {
                let pause = Pause::drawn(chance, false);
                runner.process.stop_until(now + pause.span(chance))?;
                done.runners_stopped = 1;
            }
            72..80 => {
                server.kill_and_start()?;
                done.servers_killed = 1;
                if !several {
                    // One alone has to be there for anything to happen at all.
                    server.ready().await?;
                }
            }
            80..88 if server.process.continue_at().is_none() => {
                // One alone is stopped for a moment: with it, everything stands still.
                let pause = if several { Pause::drawn(chance, true) } else { Pause::Moment };
                server.process.stop_until(now + pause.span(chance))?;
                done.servers_stopped = 1;
                done.servers_stopped_long = u32::from(pause != Pause::Moment);
                done.servers_stopped_a_minute = u32::from(pause == Pause::Minute);
            }
            88..95 => {
                self.balancer.cut();
                done.connections_cut = 1;
            }
            95..98 => done.databases_cut = u32::from(self.database.cut()),
            98..100 => {
                let down_for = Duration::from_millis(chance.u64(100..2000));
                done.databases_crashed = u32::from(self.database.crash(down_for).await);
            }
            _ => {}
        }
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner).add(done);
        Ok(())
    }
}

/// For how long a process is stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    Moment,
    /// For longer than a lease is good for.
    Long,
    Minute,
}

impl Pause {
    fn drawn(chance: &mut fastrand::Rng, minutes: bool) -> Self {
        match chance.u8(0..12) {
            0 if minutes => Self::Minute,
            0..4 => Self::Long,
            _ => Self::Moment,
        }
    }

    fn span(self, chance: &mut fastrand::Rng) -> Duration {
        let term = u64::try_from(TERM.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(match self {
            Self::Moment => chance.u64(100..2000),
            Self::Long => chance.u64(term + 1000..term * 2 + 2000),
            Self::Minute => 60_000,
        })
    }
}

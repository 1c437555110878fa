//! What was done to a fleet.

use serde::Serialize;

/// How often what was done.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Deeds {
    pub(crate) runners_killed: u32,
    pub(crate) runners_replaced: u32,
    pub(crate) runners_stopped: u32,
    pub(crate) servers_killed: u32,
    pub(crate) servers_stopped: u32,
    /// Of those, for longer than a lease is good for.
    pub(crate) servers_stopped_long: u32,
    /// Of those, for a minute.
    pub(crate) servers_stopped_a_minute: u32,
    pub(crate) connections_cut: u32,
    pub(crate) databases_cut: u32,
    pub(crate) databases_crashed: u32,
}

impl Deeds {
    pub(crate) fn add(&mut self, more: Self) {
        self.runners_killed += more.runners_killed;
        self.runners_replaced += more.runners_replaced;
        self.runners_stopped += more.runners_stopped;
        self.servers_killed += more.servers_killed;
        self.servers_stopped += more.servers_stopped;
        self.servers_stopped_long += more.servers_stopped_long;
        self.servers_stopped_a_minute += more.servers_stopped_a_minute;
        self.connections_cut += more.connections_cut;
        self.databases_cut += more.databases_cut;
        self.databases_crashed += more.databases_crashed;
    }

    /// Each with its name.
    pub(crate) const fn named(&self) -> [(&'static str, u32); 10] {
        let Self { servers_stopped, servers_stopped_long, servers_stopped_a_minute, .. } = *self;
        [
            ("runners killed and restarted", self.runners_killed - self.runners_replaced),
            ("runners killed and replaced", self.runners_replaced),
            ("runners stopped and continued", self.runners_stopped),
            ("servers killed and restarted", self.servers_killed),
            ("servers stopped for a moment", servers_stopped - servers_stopped_long),
            ("servers stopped beyond a term", servers_stopped_long - servers_stopped_a_minute),
            ("servers stopped for a minute", servers_stopped_a_minute),
            ("connections to servers cut", self.connections_cut),
            ("connections to the database cut", self.databases_cut),
            ("database crashed and restarted", self.databases_crashed),
        ]
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u32 {
        self.named().iter().map(|(_, count)| count).sum()
    }
}

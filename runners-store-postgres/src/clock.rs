//! The server's wall clock, which every control plane on it shares: asked now and then, and carried
//! on by the time since boot in between.

use crate::{connections::Connections, error::Trouble};
use async_trait::async_trait;
use runners_core::{BootTime, Clock, SystemClock, Timestamp, sleep};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

/// How often the server is asked for its time.
pub(crate) const ASK_EVERY: Duration = Duration::from_secs(10);

/// The wall clock of a server.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    system: SystemClock,
    /// Milliseconds from the boot of this machine to the wall clock of the server.
    ahead: AtomicI64,
}

impl ServerClock {
    /// Asks the server. A difference that the way there explains is none.
    pub(crate) async fn ask(&self, connections: &Connections) -> Result<(), Trouble> {
        let asked = millis(self.system.boot());
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let rows = connections.ask(sql, &[]).await?;
        let answered = millis(self.system.boot());
        let wall: i64 = match rows.first() {
            Some(row) => row.try_get(0).map_err(Trouble::before_commit)?,
            None => return Ok(()),
        };
        let (ahead, doubt) = (wall - i64::midpoint(asked, answered), (answered - asked) / 2 + 1);
        let before = self.ahead.load(Ordering::Relaxed);
        if before == 0 || (ahead - before).abs() > doubt {
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[async_trait]
impl Clock for ServerClock {
    fn wall(&self) -> Timestamp {
        let wall = millis(self.boot()) + self.ahead.load(Ordering::Relaxed);
        Timestamp::from_millis(u64::try_from(wall).unwrap_or_default())
    }

    fn boot(&self) -> BootTime {
        self.system.boot()
    }

    async fn sleep_until(&self, deadline: BootTime) {
        self.system.sleep_until(deadline).await;
    }
}

/// Waits for a while.
pub(crate) async fn pause(span: Duration) {
    sleep(&SystemClock::default(), span).await;
}

fn millis(boot: BootTime) -> i64 {
    i64::try_from(boot.as_duration().as_millis()).unwrap_or(i64::MAX)
}

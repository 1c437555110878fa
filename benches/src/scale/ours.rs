//! This queue on PostgreSQL, with one control plane in this process.

use super::burned::{Burned, ended, share_of};
use crate::{
    bed::Bed,
    journey::{self, submit},
    sample::Sample,
};
use runners_store_postgres::{PostgresOptions, PostgresStore, testing::TestServer};
use std::{sync::Arc, time::Duration};

/// A control plane on an empty schema.
#[derive(Debug)]
pub struct Ours {
    /// It.
    pub bed: Bed,
    store: Arc<PostgresStore>,
}

impl Ours {
    /// Starts it.
    ///
    /// # Errors
    /// If the server has trouble.
    pub async fn start(server: &TestServer) -> anyhow::Result<Self> {
        let options = PostgresOptions::new(server.url()).schema(server.fresh_schema());
        let store = Arc::new(options.open().await?);
        let bed = Bed::start_on(Arc::clone(&store) as _, None).await?;
        Ok(Self { bed, store })
    }

    /// Ends it, and its connections.
    ///
    /// # Errors
    /// If it cannot stop.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.bed.control.stop().await?;
        self.store.close().await;
        Ok(())
    }
}

/// Queues jobs, each in a call of its own, and has them taken and ended, `slots` at once.
///
/// # Errors
/// If anything is refused, fenced or lost.
pub async fn burn_down(server: &TestServer, slots: usize, jobs: u64) -> anyhow::Result<Burned> {
    let ours = Ours::start(server).await?;
    let each = share_of(jobs, slots);
    let travellers = ours.bed.travellers(slots).await?;
    let filling = (0..slots).map(|_| {
        let user = ours.bed.user();
        async move {
            for _ in 0..each {
                submit(&user, 1).await?;
            }
            Ok(ended(each))
        }
    });
    let filled = Sample::together(filling).await?;
    let emptying = travellers.into_iter().map(|mut slot| async move { slot.drain(each).await });
    let emptied = Sample::together(emptying).await?;
    ours.stop().await?;
    Ok(Burned::of(&filled, &emptied))
}

/// Lets jobs travel, `slots` at once: the next is submitted when one has ended.
///
/// # Errors
/// If anything is refused, fenced or lost.
pub async fn paced(server: &TestServer, slots: usize, span: Duration) -> anyhow::Result<Sample> {
    let ours = Ours::start(server).await?;
    let sample = journey::travel(ours.bed.travellers(slots).await?, span).await?;
    ours.stop().await?;
    Ok(sample)
}

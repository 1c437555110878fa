//! The conformance suite of the store seam, on a real server, and what it says of itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![cfg(unix)]

use runners_core::{MemoryStore, store::Store};
use runners_store_postgres::{PostgresOptions, testing::TestServer};
use std::sync::Arc;

/// A store in a schema of its own. Where there is no PostgreSQL the suite is tried on what is there.
async fn store(options: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Arc<dyn Store> {
    match TestServer::shared() {
        Ok(server) => {
            let chosen = PostgresOptions::new(server.url()).schema(server.fresh_schema());
            Arc::new(options(chosen).open().await.unwrap())
        }
        Err(why) => {
            println!("\nskipped: {why}");
            Arc::new(MemoryStore::default())
        }
    }
}

mod as_usual {
    use super::*;

    runners_core::store_suite!(store(|options| options).await);
}

mod behind_a_pooler {
    use super::*;

    runners_core::store_suite!(store(|options| options.without_listening().connections(4).writers(1)).await);
}

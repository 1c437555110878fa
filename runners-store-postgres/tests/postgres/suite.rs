//! The conformance suite of the store seam, on a real server, straight and behind a pooler.

use runners_core::{MemoryStore, store::Store};
use runners_store_postgres::{PostgresOptions, testing::TestServer};
use std::sync::{Arc, OnceLock};

/// A store in a schema of its own. Where there is none, the suite is tried on what is there.
async fn store(options: Result<PostgresOptions, String>) -> Arc<dyn Store> {
    match options {
        Ok(options) => Arc::new(options.open().await.unwrap()),
        Err(why) => {
            println!("\nskipped: {why}");
            Arc::new(MemoryStore::default())
        }
    }
}

mod as_usual {
    use super::*;

    fn straight() -> Result<PostgresOptions, String> {
        TestServer::shared().map(crate::stage::options)
    }

    runners_core::store_suite!(store(straight()).await);
}

mod behind_a_pooler {
    use super::*;

    /// PgBouncer before the shared server: nothing is kept from one transaction to the next, and nobody
    /// can listen.
    fn pooled() -> Result<PostgresOptions, String> {
        static URL: OnceLock<Result<String, String>> = OnceLock::new();
        let server = TestServer::shared()?;
        let url = URL.get_or_init(|| server.start_pooler()).clone()?;
        let options = PostgresOptions::new(url).schema(server.fresh_schema());
        Ok(options.without_listening().connections(4).writers(1))
    }

    runners_core::store_suite!(store(pooled()).await);
}

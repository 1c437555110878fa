//! The conformance suite of the store seam, on a file and in memory.

use runners_store_sqlite::SqliteStore;

mod on_file {
    use super::*;

    runners_core::store_suite!({
        let directory = tempfile::tempdir().unwrap();
        (SqliteStore::open(directory.path().join("queue.db")).await.unwrap(), directory)
    });
}

mod in_memory {
    use super::*;

    runners_core::store_suite!(SqliteStore::in_memory().await.unwrap());
}

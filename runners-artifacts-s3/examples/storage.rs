//! A storage to try things with: it lies in a temporary directory, and is gone when this ends.
//!
//! ```sh
//! cargo run -p runners-artifacts-s3 --features testing --example storage
//! ```

use runners_artifacts_s3::testing::TestStorage;
use std::{future::pending, io};

#[tokio::main]
async fn main() -> io::Result<()> {
    let storage = TestStorage::start().await?;
    println!("objects are files in {}; try:\n", storage.files().display());
    println!("  export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}", TestStorage::KEY, TestStorage::SECRET);
    println!("  runners dev --artifacts s3://{} \\", TestStorage::BUCKET);
    println!("    --artifacts-endpoint {}", storage.endpoint());
    pending().await
}

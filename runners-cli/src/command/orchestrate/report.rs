//! The reports of a run for others: JUnit, CTRF, and a page for people with what checks left beside it.

use super::place::Place;
use crate::{args::ResultArgs, terminal};
use anyhow::{Context as _, Error, Result};
use futures::TryStreamExt as _;
use runners_core::{
    ArtifactKey, TenantId,
    orchestration::{ResultArtifact, RunSummary},
    report::{ArtifactReport, RunReport},
};
use runners_report::Html;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The largest number of artifacts that are fetched, and the largest one in bytes.
const ARTIFACTS_MAX: usize = 1_000;
const ARTIFACT_BYTES_MAX: u64 = 64 << 20;

/// Writes what was asked for.
pub(super) async fn write(place: &Place, summary: &RunSummary, arguments: &ResultArgs) -> Result<()> {
    let mut run = summary.report();
    // They are nowhere beside a report unless they were put there.
    run.jobs.iter_mut().flat_map(|job| &mut job.artifacts).for_each(|artifact| artifact.path = None);
    if let Some(path) = &arguments.html {
        let beside = Beside::new(path);
        beside.fetch(place, summary, &mut run).await;
        let read = |artifact: &ArtifactReport| beside.read(artifact);
        put(path, &Html::of(&run).with_artifacts(&read).render())?;
    }
    if let Some(path) = &arguments.junit {
        put(path, &runners_report::junit(&run))?;
    }
    if let Some(path) = &arguments.ctrf {
        put(path, &runners_report::ctrf(&run))?;
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<()> {
    let told = || format!("could not write {}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(told)?;
    }
    fs::write(path, text).with_context(told)
}

fn told(artifact: &ResultArtifact, path: Option<String>) -> ArtifactReport {
    ArtifactReport::new(&*artifact.name, path, &*artifact.media_type, artifact.length)
}

/// The directory beside a page, for what checks left.
struct Beside {
    parent: PathBuf,
    name: String,
}

impl Beside {
    fn new(page: &Path) -> Self {
        let stem = page.file_stem().unwrap_or_default().to_string_lossy();
        let parent = page.parent().unwrap_or(Path::new("")).to_owned();
        Self { parent, name: format!("{stem}-artifacts") }
    }

    /// Fetches what can be fetched, and names the rest.
    async fn fetch(&self, place: &Place, summary: &RunSummary, run: &mut RunReport) {
        let results = summary.jobs.iter().flat_map(|job| &job.results);
        let mut left = ARTIFACTS_MAX;
        for (result, job) in results.zip(&mut run.jobs) {
            job.artifacts.clear();
            for artifact in &result.artifacts {
                if left == 0 || artifact.length > ARTIFACT_BYTES_MAX {
                    job.missing.push(format!("{}: not fetched, for the limits of a report", artifact.name));
                    continue;
                }
                left -= 1;
                match self.fetch_one(place, artifact).await {
                    Ok(path) => job.artifacts.push(told(artifact, Some(path))),
                    Err(error) => job.missing.push(format!("{}: {}", artifact.name, terminal::chain(&error))),
                }
            }
        }
    }

    async fn fetch_one(&self, place: &Place, artifact: &ResultArtifact) -> Result<String> {
        // Named by their bytes: what a region calls them leads nowhere.
        let ending = Path::new(&artifact.name).extension().and_then(|ending| ending.to_str());
        let ending = ending.filter(|ending| ending.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let name = format!("{}.{}", artifact.digest, ending.unwrap_or("bin"));
        let directory = self.parent.join(&self.name);
        let path = directory.join(&name);
        if !path.exists() {
            let key = ArtifactKey { tenant: TenantId::DEFAULT, digest: artifact.digest };
            let bytes = place.artifacts.get(key, None).await.context("could not be fetched")?;
            let pieces: Vec<bytes::Bytes> =
                bytes.try_collect().await.map_err(Error::from_boxed).context("it broke off")?;
            let told = || format!("could not write {}", path.display());
            fs::create_dir_all(&directory).with_context(told)?;
            fs::write(&path, pieces.concat()).with_context(told)?;
        }
        Ok(format!("{}/{name}", self.name))
    }

    fn read(&self, artifact: &ArtifactReport) -> Option<Vec<u8>> {
        fs::read(self.parent.join(artifact.path.as_ref()?)).ok()
    }
}

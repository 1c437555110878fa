//! The output directory: the reports, and what each flow left in a directory of its name.
//!
//! The names of artifacts come from runners, so they are only used where they stay inside.

use crate::{
    report::{self, Report},
    terminal,
};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use runners_core::{
    ArtifactSource, Digest,
    report::{ArtifactReport, RunReport},
};
use runners_report::Html;
use serde_json::Value;
use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};
use tokio::io::AsyncWriteExt as _;

/// The name of the report.
const REPORT: &str = "report.json";
/// Its page, and that of each flow in the flow's own directory.
const PAGE: &str = "report.html";
const JUNIT: &str = "junit.xml";
const CTRF: &str = "ctrf.json";

/// The largest report of an earlier time that is read to clean up after it.
const REPORT_BYTES_MAX: u64 = 256 << 20;

/// Where everything goes that flows leave.
#[derive(Clone, Debug)]
pub(crate) struct OutputDirectory(PathBuf);

impl OutputDirectory {
    /// A directory that is made once something is written to it. Whatever is there stays.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes the directory, and removes what an earlier report in it lists, so that nothing old
    /// passes for new. Other files are left alone.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path)
            .with_context(|| format!("could not make {}: choose another --output", path.display()))?;
        let directory = Self(path.to_owned());
        directory.remove_earlier();
        Ok(directory)
    }

    /// The file of the report.
    pub(crate) fn report(&self) -> PathBuf {
        self.0.join(REPORT)
    }

    /// Writes an artifact of a flow. `part` sets earlier attempts apart.
    pub(crate) async fn write(
        &self,
        flow: &str,
        part: Option<&str>,
        name: &str,
        media_type: &str,
        bytes: impl futures::Stream<Item = Result<Bytes, ArtifactSource>> + Send,
    ) -> Result<report::ArtifactReport> {
        let inside = Path::new(flow).join(part.unwrap_or_default()).join(inside(name));
        let path = self.0.join(&inside);
        let told = || format!("could not write {}", path.display());
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent).await.with_context(told)?;
        }
        let partial = partial(&path);
        let (mut length, mut digest) = (0, Digest::stream());
        let mut file = tokio::fs::File::create(&partial).await.with_context(told)?;
        let mut bytes = std::pin::pin!(bytes);
        while let Some(piece) = bytes.next().await {
            let piece = piece.map_err(anyhow::Error::from_boxed).context("it broke off")?;
            length += piece.len() as u64;
            digest.update(&piece);
            file.write_all(&piece).await.with_context(told)?;
        }
        file.flush().await.with_context(told)?;
        drop(file);
        tokio::fs::rename(&partial, &path).await.with_context(told)?;
        Ok(report::ArtifactReport {
            name: name.to_owned(),
            path: inside,
            media_type: media_type.to_owned(),
            bytes: length,
            sha256: digest.finish().to_string(),
        })
    }

    /// Writes an artifact that is in memory.
    pub(crate) async fn write_all(
        &self,
        flow: &str,
        name: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<report::ArtifactReport> {
        self.write(flow, None, name, media_type, stream::iter([Ok(bytes)])).await
    }

    /// Reads what the last attempt at a flow has left.
    pub(crate) fn read(&self, flow: &str, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(flow).join(inside(name)))
    }

    /// The page of the report.
    pub(crate) fn page(&self) -> PathBuf {
        self.0.join(PAGE)
    }

    /// Writes the report, as JSON and in the forms that others read.
    pub(crate) fn finish(&self, report: &Report) -> Result<()> {
        let mut text = serde_json::to_string_pretty(report).expect("invariant: a report is plain data");
        text.push('\n');
        // It comes first: it lists what the next time removes.
        self.write_report(&self.report(), &text)?;
        let run = report.to_run();
        self.write_report(&self.0.join(JUNIT), &runners_report::junit(&run))?;
        self.write_report(&self.0.join(CTRF), &runners_report::ctrf(&run))?;
        let read = |artifact: &ArtifactReport| self.picture(artifact);
        self.write_report(&self.page(), &Html::of(&run).with_artifacts(&read).render())?;
        for job in &run.jobs {
            let mut alone = RunReport::new(&*job.title, run.started_at, job.duration);
            alone.jobs.push(job.clone());
            let page = Html::of(&alone).with_prefix("../").with_artifacts(&read).render();
            fs::create_dir_all(self.0.join(&job.name))
                .with_context(|| format!("could not make {}", self.0.join(&job.name).display()))?;
            self.write_report(&self.0.join(&job.name).join(PAGE), &page)?;
        }
        Ok(())
    }

    /// The bytes of an artifact that was written here.
    fn picture(&self, artifact: &ArtifactReport) -> Option<Vec<u8>> {
        fs::read(self.0.join(artifact.path.as_ref()?)).ok()
    }

    fn write_report(&self, path: &Path, text: &str) -> Result<()> {
        let partial = partial(path);
        fs::write(&partial, text)
            .and_then(|()| fs::rename(&partial, path))
            .with_context(|| format!("could not write {}", path.display()))
    }

    fn remove_earlier(&self) {
        let path = self.report();
        if fs::metadata(&path).map_or(true, |found| found.len() > REPORT_BYTES_MAX) {
            return;
        }
        let earlier = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let Some(earlier) = earlier.filter(|report| report["version"].is_number()) else { return };
        for artifact in listed(&earlier) {
            let kept = Path::new(artifact);
            if kept.components().all(|part| matches!(part, Component::Normal(_))) {
                // What is not there any more is removed already.
                let _ = fs::remove_file(self.0.join(kept));
            }
        }
        for page in pages(&earlier) {
            let _ = fs::remove_file(self.0.join(page));
        }
        if let Err(error) = fs::remove_file(&path) {
            terminal::note(format!("an earlier {} could not be removed: {error}", path.display()));
        }
    }
}

fn listed(report: &Value) -> impl Iterator<Item = &str> {
    let flows = report["flows"].as_array().into_iter().flatten();
    flows
        .flat_map(|flow| flow["artifacts"].as_array().into_iter().flatten())
        .filter_map(|one| one["path"].as_str())
}

/// What was written beside an earlier report. Names of flows are directories of ours.
fn pages(report: &Value) -> impl Iterator<Item = PathBuf> {
    let flows = report["flows"].as_array().into_iter().flatten();
    let names = flows.filter_map(|flow| flow["name"].as_str());
    let plain =
        |name: &&str| matches!(&*Path::new(name).components().collect::<Vec<_>>(), [Component::Normal(_)]);
    let pages = names.filter(plain).map(|name| Path::new(name).join(PAGE));
    [PAGE, JUNIT, CTRF].into_iter().map(PathBuf::from).chain(pages)
}

/// The name of an artifact as a path that stays where it is put.
fn inside(name: &str) -> PathBuf {
    let parts = name.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | ".."));
    let plain = |part: &str| part.replace(|c: char| c.is_control() || c == ':', "_");
    let path: PathBuf = parts.map(plain).collect();
    if path.as_os_str().is_empty() { PathBuf::from("unnamed") } else { path }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_name_of_an_artifact_leads_nowhere_else() {
        for (name, path) in [
            ("steps/03-failed.png", "steps/03-failed.png"),
            ("../../etc/passwd", "etc/passwd"),
            ("/etc/passwd", "etc/passwd"),
            ("C:\\x", "C_/x"),
            ("a/./b//c", "a/b/c"),
            ("..", "unnamed"),
        ] {
            assert_eq!(inside(name), Path::new(path), "{name}");
        }
    }

    #[test]
    fn only_what_an_earlier_report_lists_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let outer = directory.path();
        let root = outer.join("output");
        fs::create_dir_all(root.join("shop")).unwrap();
        for file in [
            "output/shop/old.png",
            "output/shop/mine.txt",
            "output/shop/report.html",
            "output/junit.xml",
            "outside.txt",
            "report.html",
        ] {
            fs::write(outer.join(file), "x").unwrap();
        }
        let listed = json!([{ "path": "shop/old.png" }, { "path": "../outside.txt" }]);
        let report =
            json!({ "version": 1, "flows": [{ "name": "shop", "artifacts": listed }, { "name": ".." }] });
        fs::write(root.join(REPORT), report.to_string()).unwrap();
        OutputDirectory::open(&root).unwrap();
        let there = |file: &str| outer.join(file).exists();
        assert!(!there("output/shop/old.png") && !there("output/report.json"));
        assert!(!there("output/shop/report.html") && !there("output/junit.xml"));
        assert!(there("report.html"), "a name that leads out is not followed");
        assert!(there("output/shop/mine.txt") && there("outside.txt"));
    }
}

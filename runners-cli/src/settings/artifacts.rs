//! Where artifacts are kept: below the data directory, in another one, or in a bucket. No setting is a
//! secret: the key to a bucket is in the environment, or in a file.

use super::Settings;
use anyhow::{Context as _, Result, bail};
use runners_artifacts_s3::{S3Credentials, S3Options};
use runners_core::{ArtifactStore, DirectoryArtifacts};
use std::{fs::File, io::Read as _, path::Path, sync::Arc};

/// How a bucket begins.
const BUCKET: &str = "s3://";

/// The largest file that is read as certificates.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where artifacts are kept.
#[derive(Clone, Debug)]
pub(crate) enum ArtifactSettings<'s> {
    /// Below the data directory.
    Usual,
    Directory(&'s Path),
    Bucket(Box<S3Options>, &'s Settings),
}

impl Settings {
    /// Where artifacts are kept.
    pub(crate) fn artifacts(&self) -> Result<ArtifactSettings<'_>> {
        let layer = &self.layer;
        let url = layer.artifacts.as_deref().filter(|place| place.starts_with(BUCKET));
        let Some(url) = url else {
            let given = [
                ("artifacts-endpoint", layer.artifacts_endpoint.is_some()),
                ("artifacts-region", layer.artifacts_region.is_some()),
                ("artifacts-credentials-file", layer.artifacts_credentials_file.is_some()),
                ("artifacts-ca-file", layer.artifacts_ca_file.is_some()),
                ("artifacts-virtual-host", layer.artifacts_virtual_host.unwrap_or_default()),
                ("no-direct-uploads", layer.no_direct_uploads.unwrap_or_default()),
                ("direct-reads", layer.direct_reads.unwrap_or_default()),
            ];
            if let Some((name, _)) = given.iter().find(|(_, given)| *given) {
                bail!(
                    "--{name} is for artifacts in a bucket: give --artifacts s3://BUCKET too, or leave it out"
                );
            }
            return match layer.artifacts.as_deref() {
                Some(other) if other.contains("://") => {
                    bail!(
                        "--artifacts is neither a bucket nor a directory: write s3://BUCKET/PREFIX, or a path"
                    )
                }
                Some(path) => Ok(ArtifactSettings::Directory(Path::new(path))),
                None => Ok(ArtifactSettings::Usual),
            };
        };
        let mut options = S3Options::new(url)
            .grant_uploads(!layer.no_direct_uploads.unwrap_or_default())
            .grant_reads(layer.direct_reads.unwrap_or_default());
        if let Some(endpoint) = &layer.artifacts_endpoint {
            options = options.endpoint(endpoint);
        }
        if let Some(region) = &layer.artifacts_region {
            options = options.region(region);
        }
        if layer.artifacts_virtual_host.unwrap_or_default() {
            options = options.path_style(false);
        }
        if let Some(path) = &layer.artifacts_credentials_file {
            options = options.credentials(S3Credentials::from_file(path));
        }
        Ok(ArtifactSettings::Bucket(Box::new(options), self))
    }
}

impl ArtifactSettings<'_> {
    /// Opens the place; `usual` is where artifacts are if nobody says otherwise.
    pub(crate) async fn open(&self, usual: &Path) -> Result<Arc<dyn ArtifactStore>> {
        let directory = match self {
            Self::Usual => usual,
            Self::Directory(path) => path,
            Self::Bucket(options, settings) => {
                let mut options = (**options).clone();
                if let Some(path) = &settings.layer.artifacts_ca_file {
                    options = options.certificates(read(path).context("--artifacts-ca-file")?);
                }
                return Ok(Arc::new(options.open().await.context("--artifacts")?));
            }
        };
        let opened = DirectoryArtifacts::open(directory).await;
        Ok(Arc::new(opened.with_context(|| format!("could not open {}", directory.display()))?))
    }

    /// Whether it is in the data directory of one server.
    pub(crate) const fn is_usual(&self) -> bool {
        matches!(self, Self::Usual)
    }

    /// Where it is, for people.
    pub(crate) fn name(&self, usual: &Path) -> String {
        match self {
            Self::Usual => usual.display().to_string(),
            Self::Directory(path) => path.display().to_string(),
            Self::Bucket(_, settings) => {
                let layer = &settings.layer;
                let at = layer.artifacts_endpoint.as_deref().unwrap_or("AWS");
                format!("{} at {at}", layer.artifacts.as_deref().unwrap_or_default())
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    read.with_context(|| format!("could not read {}", path.display()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::layer::Layer;

    fn settings(layer: Layer) -> Settings {
        Settings { layer, ..Settings::default() }
    }

    #[test]
    fn artifacts_lie_below_the_data_in_a_directory_or_in_a_bucket() {
        let of = |place: Option<&str>| Layer { artifacts: place.map(str::to_owned), ..Layer::default() };
        let usual = Path::new("runners-data/artifacts");
        let name = |layer: Layer| settings(layer).artifacts().unwrap().name(usual);
        assert_eq!(name(of(None)), "runners-data/artifacts");
        assert_eq!(name(of(Some("/mnt/shared"))), "/mnt/shared");
        assert_eq!(name(of(Some("s3://ci/runners"))), "s3://ci/runners at AWS");
        let refused = settings(of(Some("https://storage/ci"))).artifacts().unwrap_err().to_string();
        assert!(refused.contains("s3://BUCKET/PREFIX"), "{refused}");
    }

    #[test]
    fn what_belongs_to_a_bucket_needs_one() {
        let endpoint = Some("https://storage.example".to_owned());
        let layer = Layer { artifacts_endpoint: endpoint, ..Layer::default() };
        let refused = settings(layer).artifacts().unwrap_err().to_string();
        assert!(refused.contains("--artifacts-endpoint"), "{refused}");
    }
}

//! Images: pulled as the operator says, with progress in the log of the attempt, and looked at before
//! anything is made of them.

use crate::{
    compatibility::{self, Fit},
    credentials::RegistryCredentials,
    engine::Engine,
    error::EngineError,
    image::ImageReference,
    policy::{Policy, PullPolicy},
    within::within,
};
use bollard::{
    errors::Error as Met,
    models::{CreateImageInfo, ImageInspect},
    query_parameters::CreateImageOptionsBuilder,
};
use futures::StreamExt as _;
use runners_core::Fault;
use std::{collections::BTreeSet, pin::pin};

/// The most lines that are told of one pull.
const LINES_MAX: usize = 400;

/// An image that is there and fits.
#[derive(Debug, Default)]
pub(crate) struct Provided {
    /// By its content: nobody can put another in its place.
    pub(crate) id: String,
    /// Its name with its digest in the registry, if it is of one.
    pub(crate) digest: Option<String>,
    /// As whom it runs, unless that is root.
    pub(crate) user: Option<String>,
    /// What is to be told of it.
    pub(crate) warning: Option<String>,
}

/// Sees to it that the engine has an image, and that it fits.
pub(crate) async fn provide(
    engine: &Engine,
    policy: &Policy,
    credentials: &RegistryCredentials,
    image: &ImageReference,
    told: &(dyn Fn(String) + Send + Sync),
) -> Result<Provided, Fault> {
    let found = inspect(engine, image).await?;
    let found = match (policy.pull, found) {
        (PullPolicy::Never | PullPolicy::IfMissing, Some(found)) => found,
        (PullPolicy::Never, None) => {
            let message = format!("the image {image} is not on this runner, which pulls none");
            return Err(Fault::retryable("image_missing", message));
        }
        (PullPolicy::Always | PullPolicy::IfMissing, _) => {
            pull(engine, policy, credentials, image, told).await?;
            inspect(engine, image).await?.ok_or_else(|| {
                Fault::retryable("image_missing", format!("the image {image} was pulled and is not there"))
            })?
        }
    };
    let config = found.config.unwrap_or_default();
    let user = config.user.filter(|user| !is_root(user));
    let labels = config.labels.unwrap_or_default();
    let digest = digest_of(image, found.repo_digests.unwrap_or_default());
    let warning = match compatibility::fit(&labels) {
        Fit::Good => None,
        Fit::OtherLine(told) => Some(format!("the image {image} {told}")),
        Fit::Bad(told) => {
            let message = format!("the image {image} does not fit: {told}");
            return Err(Fault::permanent("image_incompatible", message));
        }
    };
    Ok(Provided { id: found.id.unwrap_or_else(|| image.to_string()), digest, user, warning })
}

/// Whether the user of an image is root, or has root's group.
fn is_root(user: &str) -> bool {
    user.is_empty() || user.split(':').any(|part| matches!(part, "0" | "root"))
}

/// The digest of an image in its own registry, of those that an engine knows of it.
fn digest_of(image: &ImageReference, digests: Vec<String>) -> Option<String> {
    let registry =
        |digest: &String| digest.parse::<ImageReference>().ok().map(|found| found.registry().to_owned());
    digests.into_iter().find(|digest| registry(digest).as_deref() == Some(image.registry()))
}

async fn inspect(engine: &Engine, image: &ImageReference) -> Result<Option<ImageInspect>, EngineError> {
    match engine.call("look at an image", engine.docker.inspect_image(image.as_str())).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn pull(
    engine: &Engine,
    policy: &Policy,
    credentials: &RegistryCredentials,
    image: &ImageReference,
    told: &(dyn Fn(String) + Send + Sync),
) -> Result<(), Fault> {
    told(format!("pulling {image} from {}\n", image.registry()));
    let options = CreateImageOptionsBuilder::new().from_image(image.as_str()).build();
    let credentials = credentials.of(image.registry());
    let mut news = pin!(engine.docker.create_image(Some(options), None, credentials));
    let pulling = async {
        let mut progress = Progress::default();
        while let Some(info) = news.next().await {
            progress.take(&info?).into_iter().for_each(told);
        }
        Ok::<_, Met>(())
    };
    let failed = |why: String| {
        let message = format!("the image {image} could not be pulled from {}: {why}", image.registry());
        Fault::retryable("pull_failed", message)
    };
    match within(&*engine.clock, policy.pull_within, pulling).await {
        None => Err(failed(format!("it took longer than {} seconds", policy.pull_within.as_secs()))),
        Some(Err(error)) => match engine.error("pull an image", error) {
            EngineError::Refused { message, .. } => Err(failed(message)),
            error => Err(failed(error.told())),
        },
        Some(Ok(())) => {
            told(format!("pulled {image}\n"));
            Ok(())
        }
    }
}

/// What is told of a pull: each step of each layer once, and no bytes.
#[derive(Debug, Default)]
struct Progress {
    told: BTreeSet<(String, String)>,
}

impl Progress {
    fn take(&mut self, info: &CreateImageInfo) -> Option<String> {
        let (text, layer) = (info.status.as_deref()?, info.id.as_deref().unwrap_or_default());
        let is_step = info.progress_detail.as_ref().is_none_or(|detail| detail.current.is_none());
        let is_news =
            is_step && self.told.len() < LINES_MAX && self.told.insert((layer.to_owned(), text.to_owned()));
        let before = if layer.is_empty() { String::new() } else { format!("{layer}: ") };
        is_news.then(|| format!("{before}{text}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    #[test]
    fn a_layer_is_told_of_once_a_step() {
        let info = |id: &str, text: &str, current| CreateImageInfo {
            id: Some(id.into()),
            status: Some(text.into()),
            progress_detail: Some(ProgressDetail { current, total: None }),
            ..CreateImageInfo::default()
        };
        let mut progress = Progress::default();
        assert_eq!(
            progress.take(&info("a1", "Pulling fs layer", None)),
            Some("a1: Pulling fs layer\n".into())
        );
        assert_eq!(progress.take(&info("a1", "Downloading", Some(3))), None);
        assert_eq!(progress.take(&info("a1", "Pull complete", None)), Some("a1: Pull complete\n".into()));
        assert_eq!(progress.take(&info("a1", "Pull complete", None)), None);
    }
}

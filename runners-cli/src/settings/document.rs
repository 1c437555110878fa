//! The file of settings: TOML, or JSON by its ending. A key that is not known is refused, with the
//! nearest one that is.

use super::layer::{self, Layer};
use crate::tokens;
use anyhow::{Context as _, Result, anyhow, bail};
use runners_region_http::RegionSettings;
use serde::Deserialize as _;
use serde_json::Value;
use std::{fs::File, io::Read as _, path::Path};

/// The largest file that is read: 1 MiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The section of regions, whose names are chosen by whoever writes them.
pub(super) const REGIONS: &str = "regions";

/// Where the token of a region is, if it is not written down itself.
pub(super) const TOKEN_FILE: &str = "token-file";

/// How alike two keys are, from 0 to 1, before one is taken for the other.
const LIKENESS_MIN: f64 = 0.7;

/// Reads a file of settings, and the regions in it.
pub(super) fn read(path: &Path) -> Result<(Layer, RegionSettings)> {
    let mut text = String::new();
    let bytes = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    let bytes = bytes.with_context(|| format!("could not read --config {}", path.display()))?;
    if bytes as u64 > FILE_BYTES_MAX {
        bail!("--config {} is over the limit of {FILE_BYTES_MAX} bytes", path.display());
    }
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    parse(&text, is_json).with_context(|| format!("--config {}", path.display()))
}

pub(super) fn parse(text: &str, is_json: bool) -> Result<(Layer, RegionSettings)> {
    let mut value: Value = if is_json {
        serde_json::from_str(text).context("is not JSON")?
    } else {
        toml::from_str(text).map_err(|error| anyhow!("is not TOML: {}", error.to_string().trim_end()))?
    };
    // They may hold secrets, so they go no way on which values are told.
    let regions = match value.as_object_mut().and_then(|map| map.remove(REGIONS)) {
        Some(regions) => regions_of(regions)?,
        None => RegionSettings::default(),
    };
    refuse_unknown(&value)?;
    let layer = serde_path_to_error::deserialize(value).map_err(|error| {
        let (path, cause) = (error.path().to_string(), error.into_inner());
        anyhow!("{path}: {cause}")
    })?;
    Ok((layer, regions))
}

fn regions_of(mut value: Value) -> Result<RegionSettings> {
    let Some(regions) = value.as_object_mut() else {
        bail!(
            "{REGIONS}: write a section [{REGIONS}] with a line such as `eu = \"https://eu.example/api/runner\"`"
        );
    };
    for (name, region) in regions {
        let Some(region) = region.as_object_mut() else { continue };
        let Some(file) = region.remove(TOKEN_FILE) else { continue };
        let place = || format!("{REGIONS}: the region {name:?}: {TOKEN_FILE}");
        let Some(file) = file.as_str() else { bail!("{}: expected the path of a file", place()) };
        if region.contains_key("token") {
            bail!("{}: there is a token beside it: leave one of them out", place());
        }
        let token = tokens::read(Path::new(file)).with_context(place)?;
        region.insert("token".to_owned(), token.expose().into());
    }
    RegionSettings::deserialize(value).map_err(|error| anyhow!("{REGIONS}: {error}"))
}

fn refuse_unknown(value: &Value) -> Result<()> {
    let Value::Object(map) = value else {
        bail!("holds no settings: write lines such as `listen = \"127.0.0.1:7878\"`");
    };
    let mut known = layer::keys();
    known.push(REGIONS.to_owned());
    for (key, value) in map {
        let below = format!("{key}.");
        match value {
            Value::Object(map) if known.iter().any(|known| known.starts_with(&below)) => {
                for name in map.keys() {
                    refuse_unless_known(&format!("{below}{name}"), &known)?;
                }
            }
            _ => refuse_unless_known(key, &known)?,
        }
    }
    Ok(())
}

fn refuse_unless_known(key: &str, known: &[String]) -> Result<()> {
    if known.iter().any(|known| known == key || known.starts_with(&format!("{key}."))) {
        return Ok(());
    }
    // Somebody may have put it into another section, or written it as a variable.
    let plain = |text: &str| text.to_lowercase().replace('_', "-");
    let likeness = |known: &String| {
        let name = known.rsplit('.').next().unwrap_or(known);
        let same = [known.as_str(), name].map(|known| strsim::jaro_winkler(&plain(key), &plain(known)));
        same[0].max(same[1])
    };
    let nearest = known.iter().map(|known| (likeness(known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest.filter(|(likeness, _)| *likeness >= LIKENESS_MIN) {
        Some((_, nearest)) => bail!("{key}: there is no such setting; did you mean {nearest}?"),
        None => bail!("{key}: there is no such setting; `runners server --print-config` shows all"),
    }
}

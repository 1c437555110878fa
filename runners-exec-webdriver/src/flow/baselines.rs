//! The pictures of before that a flow brings along, so that it is compared with the same ones wherever it
//! is replayed: `runners.baselines`, by the path of each, and `runners.updateBaselines`.

use super::{BrowserFlow, Flow, problem::Problem, problem::Problems, reader::Reader};
use crate::visual::{BaselineError, BaselineKey, BaselineMode, Baselines};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json, value::RawValue};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// How a PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What is brought along.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pictures: BTreeMap<String, Bytes>,
    /// Whether what differs, or is new, is left for whoever has sent the flow to keep.
    update: bool,
}

impl Flow {
    /// The most baselines that a flow brings along.
    pub const BASELINES_MAX: usize = 200;
}

impl BrowserFlow {
    /// The flow with its baselines, each by its [path](BaselineKey::path), in its document: it is compared
    /// with them wherever it is replayed, and only where it brings none with those that are there. To
    /// update them, its comparisons pass whatever they see; the pictures are among its artifacts, and
    /// [`StepResult::baseline`](crate::StepResult::baseline) tells the path of each.
    ///
    /// # Errors
    /// A problem for each that is no PNG, and for more than [`Flow::BASELINES_MAX`] or documents of more
    /// than [`Flow::BYTES_MAX`] bytes.
    pub fn with_baselines(
        self,
        pictures: &BTreeMap<String, Bytes>,
        mode: BaselineMode,
    ) -> Result<Self, Problems> {
        let mut document: Value =
            serde_json::from_str(self.document()).expect("invariant: it was read before");
        if document.get("runners").is_none() {
            // To have this member would mean another mode.
            document["runners"] = json!({ "mode": self.flow.mode.name() });
        }
        for (path, picture) in pictures {
            document["runners"]["baselines"][path] = json!(STANDARD.encode(picture));
        }
        if mode == BaselineMode::Update {
            document["runners"]["updateBaselines"] = json!(true);
        }
        let text = document.to_string();
        if text.len() > Flow::BYTES_MAX {
            let (bytes, limit) = (text.len(), Flow::BYTES_MAX);
            let message = format!("with its baselines it has {bytes} bytes, more than the limit of {limit}");
            let hint = "make fewer comparisons in one flow";
            return Err(Problems::new(vec![Problem::new("/runners/baselines", message, hint)]));
        }
        let raw = RawValue::from_string(text).expect("invariant: it was just written");
        Ok(Self::validate(raw)?.with_mode(self.flow.mode))
    }
}

/// Reads them; there are none if they are absent.
pub(super) fn baselines(runners: Option<&Reader<'_>>, problems: &mut Vec<Problem>) -> Carried {
    let Some(runners) = runners else { return Carried::default() };
    let update = runners.bool("updateBaselines", problems).unwrap_or_default();
    let mut pictures = BTreeMap::new();
    let Some(given) = runners.get("baselines") else { return Carried { pictures, update } };
    let Some(members) = given.as_object() else {
        runners.wrong("baselines", "an object", problems);
        return Carried::default();
    };
    if members.len() > Flow::BASELINES_MAX {
        let (given, limit) = (members.len(), Flow::BASELINES_MAX);
        let message = format!("{given} baselines are more than the limit of {limit}");
        problems.push(Problem::new(runners.at("baselines"), message, "split the flow"));
        return Carried::default();
    }
    let each = Reader::new(members, runners.at("baselines"));
    for (path, written) in members {
        let decoded = written.as_str().and_then(|text| STANDARD.decode(text).ok());
        match decoded.filter(|bytes| bytes.starts_with(PNG)) {
            Some(bytes) => drop(pictures.insert(path.clone(), bytes.into())),
            None => {
                let hint = "take it out, and give it as a file: --baselines DIR";
                problems.push(Problem::new(each.at(path), "a baseline is a PNG in base64", hint));
            }
        }
    }
    Carried { pictures, update }
}

impl Carried {
    /// What a replay compares with: these before those that are there anyway.
    pub(crate) fn before(
        &self,
        given: Option<(Arc<dyn Baselines>, BaselineMode)>,
    ) -> Option<(Arc<dyn Baselines>, BaselineMode)> {
        if *self == Self::default() {
            return given;
        }
        let (others, mode) = given.unzip();
        let mode = if self.update { BaselineMode::Update } else { mode.unwrap_or_default() };
        Some((Arc::new(Both { carried: self.clone(), others }), mode))
    }
}

/// Those of the flow, and those of whoever replays it.
#[derive(Debug)]
struct Both {
    carried: Carried,
    others: Option<Arc<dyn Baselines>>,
}

#[async_trait]
impl Baselines for Both {
    async fn get(&self, key: &BaselineKey) -> Result<Option<Bytes>, BaselineError> {
        match (self.carried.pictures.get(&key.path()), &self.others) {
            (Some(picture), _) => Ok(Some(picture.clone())),
            (None, Some(others)) => others.get(key).await,
            (None, None) => Ok(None),
        }
    }

    async fn put(&self, key: &BaselineKey, picture: Bytes) -> Result<(), BaselineError> {
        match &self.others {
            Some(others) if !self.carried.update => others.put(key, picture).await,
            // It is an artifact, for whoever has sent the flow.
            _ => Ok(()),
        }
    }
}

/// How many there are says enough.
impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried")
            .field("pictures", &self.pictures.len())
            .field("update", &self.update)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    fn flow(document: &Value) -> BrowserFlow {
        BrowserFlow::parse(&document.to_string()).unwrap()
    }

    #[test]
    fn baselines_travel_in_the_document_and_change_nothing_else_of_it() {
        let pictures = BTreeMap::from([("t/cart-chrome-1x1.png".to_owned(), Bytes::from_static(PNG))]);
        let compat = flow(&json!({ "title": "t", "steps": [] }));
        let carrying = compat.with_baselines(&pictures, BaselineMode::Compare).unwrap();
        let read = BrowserFlow::parse(carrying.document()).unwrap();
        assert_eq!((read.flow().mode, &read.flow().baselines.pictures), (Mode::Compat, &pictures));
        assert!(!read.flow().baselines.update);
        let strict = flow(&json!({ "title": "t", "steps": [], "runners": { "capture": ["frames"] } }));
        let updating = strict.with_baselines(&BTreeMap::new(), BaselineMode::Update).unwrap();
        let read = BrowserFlow::parse(updating.document()).unwrap();
        assert!(read.flow().baselines.update && read.flow().capture.frames);
        assert_eq!(read.flow().mode, Mode::Strict);
    }

    #[test]
    fn what_is_no_picture_and_what_is_too_much_are_told() {
        let told = |pictures: &BTreeMap<String, Bytes>| {
            let plain = flow(&json!({ "title": "t", "steps": [] }));
            plain.with_baselines(pictures, BaselineMode::Compare).unwrap_err().to_string()
        };
        let text = told(&BTreeMap::from([("t/a.png".to_owned(), Bytes::from_static(b"GIF"))]));
        assert!(text.contains("/runners/baselines/t~1a.png: a baseline is a PNG in base64"), "{text}");
        let large = Bytes::from([PNG, &vec![0; Flow::BYTES_MAX]].concat());
        let text = told(&BTreeMap::from([("t/a.png".to_owned(), large)]));
        assert!(text.contains("more than the limit of 4194304"), "{text}");
        let many = (0..=Flow::BASELINES_MAX).map(|n| (format!("t/{n}.png"), Bytes::from_static(PNG)));
        let text = told(&many.collect());
        assert!(text.contains("201 baselines are more than the limit of 200"), "{text}");
    }
}

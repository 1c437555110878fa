//! A step that compares a picture of the page with the one of before: it is taken until it is as it was,
//! or the step's time is over.

use super::{
    element::in_order,
    evidence::Keeper,
    scope::{Look, Scope},
    trouble::Trouble,
};
use crate::{
    browser::{BrowserError, script::Script},
    flow::Comparison,
    visual::{BaselineError, BaselineKey, BaselineMode, Baselines, Picture, PictureError, Rectangle},
};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const MASKS: Script = Script::new(
    "masks",
    concat!(
        include_str!("../scripts/find.js"),
        include_str!("../scripts/names.js"),
        include_str!("../scripts/masks.js")
    ),
);
const SCALE: &str = "const [, done] = arguments; done(devicePixelRatio);";

/// What pictures are compared with, if there is something, and what became of the last one.
#[derive(Debug, Default)]
pub(super) struct Visual {
    baselines: Option<Arc<dyn Baselines>>,
    mode: BaselineMode,
    flow: String,
    left: Mutex<Option<Left>>,
}

/// Where a picture is not compared, and what is to be known of that.
type Masks = (Vec<Rectangle>, Option<String>);

/// What is to be kept of a comparison.
#[derive(Clone, Debug)]
pub(super) struct Left {
    name: String,
    baseline: Option<String>,
    now: Bytes,
    before: Option<Bytes>,
    difference: Option<Bytes>,
    /// What is to be known of it besides, whatever it came to.
    note: Option<String>,
}

/// What was kept of a comparison.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The path of its baseline.
    pub(super) baseline: Option<String>,
    pub(super) pictures: Vec<String>,
    pub(super) note: Option<String>,
}

impl Visual {
    pub(super) fn new(given: Option<(Arc<dyn Baselines>, BaselineMode)>, flow: &str) -> Self {
        let (baselines, mode) = given.unzip();
        Self { baselines, mode: mode.unwrap_or_default(), flow: flow.to_owned(), left: Mutex::default() }
    }

    /// Keeps what the last comparison left.
    pub(super) async fn keep(&self, keeper: Keeper<'_>) -> Kept {
        let Some(left) = self.left().take() else { return Kept::default() };
        let mut names = Vec::new();
        let pictures = match left.difference {
            Some(difference) => {
                vec![("-baseline", left.before), ("-now", Some(left.now)), ("-difference", Some(difference))]
            }
            None => vec![("", Some(left.now))],
        };
        for (part, bytes) in pictures {
            if let Some(bytes) = bytes {
                names.push(keeper.keep_picture(&format!("screenshots/{}{part}.png", left.name), bytes).await);
            }
        }
        Kept { baseline: left.baseline, pictures: names, note: left.note }
    }

    fn left(&self) -> MutexGuard<'_, Option<Left>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope<'_> {
    /// Takes a picture of the page until it is as its baseline.
    pub(super) async fn compare(&self, wanted: &Comparison) -> Result<(), Trouble> {
        if !self.frames().is_empty() {
            let why = "a picture is of the whole page: leave `frame` and a `target` that is a frame out";
            return Err(Trouble::Failed(why.to_owned()));
        }
        let last = Mutex::new(None);
        self.until(|| self.compare_once(wanted, &last)).await
    }

    async fn compare_once(
        &self,
        wanted: &Comparison,
        last: &Mutex<Option<Bytes>>,
    ) -> Result<Look<()>, BrowserError> {
        let (masks, note) = match self.masks(wanted).await? {
            Ok(found) => found,
            Err(look) => return Ok(look),
        };
        let scale: f64 = self.page.ask(SCALE, &json!({})).await?;
        let now = Bytes::from(self.page.screenshot().await?);
        let is_still =
            last.lock().unwrap_or_else(PoisonError::into_inner).replace(now.clone()).as_ref() == Some(&now);
        let (name, before, difference) = (wanted.name.clone(), None, None);
        *self.visual.left() = Some(Left { name, baseline: None, now: now.clone(), before, difference, note });
        let picture = match Picture::read(&now) {
            Ok(picture) => picture,
            Err(error) => return Ok(Look::Again(chain(&error))),
        };
        let engine = self.page.engine();
        let key = BaselineKey::new(&self.visual.flow, &wanted.name, &engine, picture.size());
        if let Some(left) = &mut *self.visual.left() {
            left.baseline = Some(key.path());
        }
        let baselines = self.visual.baselines.as_deref();
        let before = match self.visual.before(&key).await {
            Ok(before) => before,
            Err(error) => return Ok(Look::Hopeless(chain(&error))),
        };
        let Some(before) = before else {
            return Ok(self.without_baseline(&key, now, is_still).await);
        };
        let looked = match against(&picture, &before, &masks, scale, wanted) {
            Ok(None) => return Ok(Look::Done(())),
            Ok(Some(difference)) => difference,
            Err(error) => return Ok(Look::Hopeless(format!("the baseline {key}: {}", chain(&error)))),
        };
        let (why, difference) = looked;
        if let Some(left) = &mut *self.visual.left() {
            (left.before, left.difference) = (Some(before), Some(difference));
        }
        if baselines.is_some() && self.visual.mode == BaselineMode::Update {
            return Ok(self.without_baseline(&key, now, is_still).await);
        }
        Ok(Look::Again(format!("{why} from the baseline {key}")))
    }

    /// A picture that stands still becomes the baseline if that is wanted; else it has none.
    async fn without_baseline(&self, key: &BaselineKey, now: Bytes, is_still: bool) -> Look<()> {
        if !is_still {
            return Look::Again("the page does not stand still".to_owned());
        }
        match (&self.visual.baselines, self.visual.mode) {
            (Some(baselines), BaselineMode::Update) => match baselines.put(key, now).await {
                Ok(()) => Look::Done(()),
                Err(error) => Look::Hopeless(chain(&error)),
            },
            (Some(_), BaselineMode::Compare) => Look::Hopeless(format!(
                "there is no baseline {key}; look at the picture, and update the baselines if it is right"
            )),
            (None, _) => Look::Hopeless(format!("there is no baseline {key}: no baselines were given")),
        }
    }

    /// Where the masked elements are, and which masks are of none; or why that is not known.
    async fn masks(&self, wanted: &Comparison) -> Result<Result<Masks, Look<()>>, BrowserError> {
        let (mut all, mut vain) = (Vec::new(), Vec::new());
        for selectors in &wanted.masks {
            let answer = self.look(&MASKS, &in_order(selectors), Map::<String, Value>::new()).await?;
            all.extend_from_slice(&answer.rectangles);
            let is_vain = answer.rectangles.is_empty();
            if let look @ (Look::Again(_) | Look::Hopeless(_)) = answer.ended(|why| why) {
                return Ok(Err(look));
            }
            if is_vain {
                vain.push(format!("no element matches the mask {selectors}"));
            }
        }
        Ok(Ok((all, (!vain.is_empty()).then(|| vain.join(", and ")))))
    }
}

impl Visual {
    async fn before(&self, key: &BaselineKey) -> Result<Option<Bytes>, BaselineError> {
        match &self.baselines {
            Some(baselines) => baselines.get(key).await,
            None => Ok(None),
        }
    }
}

/// In what a picture differs more than it may, in words and as a picture.
fn against(
    picture: &Picture,
    before: &[u8],
    masks: &[Rectangle],
    scale: f64,
    wanted: &Comparison,
) -> Result<Option<(String, Bytes)>, PictureError> {
    let compared = picture.compare(&Picture::read(before)?, masks, scale, wanted.threshold);
    let (different, looked_at) = (compared.different, compared.looked_at);
    let share = ratio(different, looked_at);
    if share <= wanted.tolerance {
        return Ok(None);
    }
    let (percent, allowed) = (share * 100.0, wanted.tolerance * 100.0);
    let why = format!("{different} of {looked_at} pixels ({percent:.2} %, of at most {allowed:.2} %) differ");
    Ok(Some((why, compared.difference.written()?)))
}

#[expect(clippy::cast_precision_loss, reason = "pictures have far fewer pixels")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

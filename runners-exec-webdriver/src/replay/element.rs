//! Steps on elements: one script finds and checks, one command acts. Also the two steps that only
//! wait.

use super::{
    aria::{self, AriaWanted},
    navigation::Mark,
    place::Spot,
    scope::{Look, SLICE_MILLIS, Scope},
    trouble::Trouble,
};
use crate::{
    browser::{
        BrowserError,
        page::{Point, Press},
        script::Script,
    },
    flow::{Chain, Click, Device, Devtools, Mode, Selector, Selectors, WaitForElement, typed},
    visual::Rectangle,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::atomic::Ordering;

const ACT: Script = Script::new(
    "act",
    concat!(
        include_str!("../scripts/find.js"),
        include_str!("../scripts/names.js"),
        include_str!("../scripts/fill.js"),
        include_str!("../scripts/act.js")
    ),
);
const FILLED: Script = Script::new(
    "filled",
    concat!(
        include_str!("../scripts/find.js"),
        include_str!("../scripts/fill.js"),
        include_str!("../scripts/filled.js")
    ),
);
const COUNT: Script = Script::new(
    "count",
    concat!(
        include_str!("../scripts/find.js"),
        include_str!("../scripts/names.js"),
        include_str!("../scripts/count.js")
    ),
);
/// The expression stands outside of the script, whose names it does not see.
const EXPRESSION: Script = Script::new(
    "expression",
    concat!(include_str!("../scripts/find.js"), include_str!("../scripts/expression.js")),
);

/// From this many characters on, a value is assigned instead of typed.
const TYPED_CHARACTERS_MAX: usize = 100;
/// How often one look may ask for the accessibility tree.
const ARIA_LOOKUPS_MAX: usize = 100;

/// What is done to an element.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act<'s> {
    /// So many times.
    Click(&'s Click, u8),
    /// The same in its middle, with the first button.
    Press(u8),
    Hover,
    /// Nothing; it is only seen where it is, and scrolled into view as a whole or just a bit of it.
    Aim {
        fit: bool,
    },
    Fill(&'s str),
    Scroll {
        x: f64,
        y: f64,
    },
}

/// What a script answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    again: Option<String>,
    hopeless: bool,
    hidden: bool,
    unfocused: bool,
    aria: Option<AriaWanted>,
    spot: Option<Spot>,
    #[serde(rename = "type")]
    left_to_type: Option<String>,
    before: Option<Mark>,
    /// Where elements are.
    pub(super) rectangles: Vec<Rectangle>,
}

/// An element that is ready to be acted on.
#[derive(Debug)]
pub(super) struct Aimed {
    answer: Answer,
    point: Option<Point>,
    is_scrolled: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Alternative<'s> {
    name: String,
    selectors: &'s [Selector],
}

impl Scope<'_> {
    /// Acts on the first element that the selectors find, once it is ready for it. Answers where
    /// the page was just before.
    pub(super) async fn act(&self, selectors: &Selectors, act: Act<'_>) -> Result<Mark, Trouble> {
        let alternatives = raced(selectors);
        self.until(|| self.act_once(&alternatives, act)).await
    }

    /// What the script is asked for.
    fn wish(&self, act: Act<'_>) -> Map<String, Value> {
        let can_show = self.page.abilities().can_show() && !self.was_shown.load(Ordering::Relaxed);
        let mut request = act.request();
        request.insert("canShow".to_owned(), json!(can_show));
        if let Act::Fill(value) = act {
            let can_focus =
                self.page.devtools() == Devtools::Spoken && !self.was_focused.load(Ordering::Relaxed);
            request.insert("canFocus".to_owned(), json!(can_focus));
            request.insert("secret".to_owned(), json!(self.holds_secret(value)));
        }
        request.insert("visible".to_owned(), json!(self.place.visible()));
        if self.was_cut.load(Ordering::Relaxed) {
            request.remove("fit");
        }
        request
    }

    async fn act_once(
        &self,
        alternatives: &[Alternative<'_>],
        act: Act<'_>,
    ) -> Result<Look<Mark>, BrowserError> {
        let Aimed { answer, point, .. } = match self.aim_once(alternatives, act).await? {
            Look::Done(aimed) => aimed,
            Look::Again(why) => return Ok(Look::Again(why)),
            Look::Hopeless(why) => return Ok(Look::Hopeless(why)),
        };
        let (is_pointed, is_typed) = (point.is_some(), answer.left_to_type.is_some());
        let acted = match (act, point, answer.left_to_type) {
            (Act::Click(click, times), Some(at), _) => {
                let device = if self.mode == Mode::Strict { click.device } else { Device::Mouse };
                let press = Press { device, button: click.button, held: click.duration };
                self.click(at, press, times).await
            }
            (Act::Press(times), Some(at), _) => self.click(at, Press::default(), times).await,
            (Act::Hover, Some(at), _) => self.page.point_at(at).await,
            (Act::Fill(_), Some(at), _) => self.click(at, Press::default(), 1).await,
            (Act::Fill(_), None, Some(text)) => self.page.type_points(text.chars().map(typed)).await,
            _ => Ok(()),
        };
        match acted {
            // What it did has opened a dialog. Whether that is in the way, the next step finds out.
            Err(BrowserError::Dialog { .. }) => {}
            acted => acted?,
        }
        if let (Act::Fill(value), true, Mode::Strict) = (act, is_pointed || is_typed, self.mode) {
            match self.read_back(value, is_pointed).await? {
                Look::Done(()) => {}
                Look::Again(why) => return Ok(Look::Again(why)),
                Look::Hopeless(why) => return Ok(Look::Hopeless(why)),
            }
        }
        let before = answer.before.ok_or_else(|| BrowserError::Refused {
            code: "javascript error".to_owned(),
            message: "the page changed an answer of the script".to_owned(),
        })?;
        Ok(Look::Done(before))
    }

    /// Whether the control has what was typed, or is as a click, made from the surface, should have made it.
    async fn read_back(&self, value: &str, from_surface: bool) -> Result<Look<()>, BrowserError> {
        // What the key Enter does with a text is the page's.
        if value.ends_with(['\n', '\r']) {
            return Ok(Look::Done(()));
        }
        let request = json!({ "value": value, "secret": self.holds_secret(value) });
        let read = async {
            if from_surface && self.descend().await?.is_some() {
                return Ok(Answer::default());
            }
            self.page.run::<Answer>(&FILLED, &request).await
        };
        match read.await {
            Ok(answer) => Ok(answer.ended(|why| why)),
            // A page that went away, or asks something, has heard of the value.
            Err(BrowserError::Refused { .. } | BrowserError::Closed | BrowserError::Dialog { .. }) => {
                Ok(Look::Done(()))
            }
            Err(error) => Err(error),
        }
    }

    /// Looks whether an element is ready, and where in the page it is then.
    pub(super) async fn aim_once(
        &self,
        alternatives: &[Alternative<'_>],
        act: Act<'_>,
    ) -> Result<Look<Aimed>, BrowserError> {
        let answer = self.look(&ACT, alternatives, self.wish(act)).await?;
        if answer.hidden {
            // A page in the background has no frames, and a click on it takes seconds.
            self.was_shown.store(true, Ordering::Relaxed);
            self.page.come_to_front().await?;
            return Ok(Look::Again("the page is in the background".to_owned()));
        }
        if answer.unfocused {
            self.was_focused.store(true, Ordering::Relaxed);
            self.page.devtools_call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await?;
            return Ok(Look::Again("the page has no focus".to_owned()));
        }
        if let Some(why) = answer.again {
            return Ok(if answer.hopeless { Look::Hopeless(why) } else { Look::Again(why) });
        }
        let (mut point, mut is_scrolled) = (None, false);
        if let Some(spot) = answer.spot {
            is_scrolled = spot.is_scrolled();
            point = match self.surface(spot).await? {
                Look::Done(at) => Some(at),
                Look::Again(why) => return Ok(Look::Again(why)),
                Look::Hopeless(why) => return Ok(Look::Hopeless(why)),
            };
        }
        Ok(Look::Done(Aimed { answer, point, is_scrolled }))
    }

    pub(super) async fn wait_for_element(&self, wait: &WaitForElement) -> Result<(), Trouble> {
        let alternatives = in_order(&wait.selectors);
        let request = json!({
            "operator": wait.operator.sign(),
            "count": wait.count,
            "visible": wait.visible,
            "properties": wait.properties,
            "attributes": wait.attributes,
        });
        let request = request.as_object().expect("just made").clone();
        let wanted = format!(
            "{} {} of {}{}",
            wait.operator.sign(),
            wait.count,
            wait.selectors,
            match (wait.visible, self.mode) {
                (true, Mode::Compat) => "",
                (false, Mode::Compat) => " not to be there",
                (true, Mode::Strict) => " to be seen",
                (false, Mode::Strict) => " not to be seen",
            }
        );
        self.until(|| async {
            let answer = self.look(&COUNT, &alternatives, request.clone()).await?;
            Ok(answer.ended(|why| format!("waited for {wanted}: {why}")))
        })
        .await
    }

    /// Presses at a point and releases, so often: past the driver where that is possible, for it is faster.
    async fn click(&self, at: Point, press: Press, times: u8) -> Result<(), BrowserError> {
        let Press { device, button, held } = press;
        if device == Device::Mouse
            && held.is_zero()
            && self.clicks.click(self.page, self.place, self.clock, (at, button, times)).await?
        {
            return Ok(());
        }
        self.page.click(at, press, times).await
    }

    pub(super) async fn wait_for_expression(&self, expression: &str) -> Result<(), Trouble> {
        let this = format!("{{ expression: () => (\n{expression}\n) }}");
        let request = json!({ "token": self.token(), "sliceMillis": SLICE_MILLIS });
        self.until(|| async {
            match self.page.run_on::<Answer>(&EXPRESSION, &this, &request).await {
                Ok(Answer { again: None, .. }) => Ok(Look::Done(())),
                Ok(Answer { again: Some(why), .. }) => {
                    Ok(Look::Again(format!("{expression:?} is not true: {why}")))
                }
                Err(BrowserError::Refused { message, .. }) if is_syntax_error(&message) => {
                    Ok(Look::Hopeless(format!("{expression:?} is no expression: {message}")))
                }
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Runs a script, with the accessibility tree at hand if it needs it.
    pub(super) async fn look(
        &self,
        script: &Script,
        alternatives: &[Alternative<'_>],
        mut request: Map<String, Value>,
    ) -> Result<Answer, BrowserError> {
        let token = self.token();
        request.insert("token".to_owned(), json!(token));
        request.insert("rootsMax".to_owned(), json!(aria::ROOTS_MAX));
        // The first look answers at once, so that there is something to say of a step that is late.
        let slice = if self.has_seen() { SLICE_MILLIS } else { 0 };
        request.insert("sliceMillis".to_owned(), json!(slice));
        // The accessibility tree of a child frame may be in another process, out of reach.
        let has_tree = self.page.devtools() == Devtools::Spoken && self.frames().is_empty();
        request.insert("tree".to_owned(), json!(has_tree));
        request.insert("strict".to_owned(), json!(self.mode == Mode::Strict));
        request.insert("alternatives".to_owned(), json!(alternatives));
        for _ in 0..ARIA_LOOKUPS_MAX {
            let answer: Answer = self.page.run(script, &request).await?;
            let Some(wanted) = answer.aria else {
                return Ok(answer);
            };
            let selector = alternatives
                .get(wanted.alternative)
                .and_then(|alternative| alternative.selectors.get(wanted.position));
            let Some(Selector::Aria { name, role }) = selector else {
                break;
            };
            aria::find(self.page, &token, wanted, name.as_deref(), role.as_deref()).await?;
        }
        let again = format!("the accessibility tree was asked for {ARIA_LOOKUPS_MAX} times in vain");
        Ok(Answer { again: Some(again), ..Answer::default() })
    }
}

/// The alternatives in the order in which they are raced: those first that need no second look.
pub(super) fn raced(selectors: &Selectors) -> Vec<Alternative<'_>> {
    let mut alternatives: Vec<&Chain> = selectors.alternatives().iter().collect();
    alternatives.sort_by_key(|chain| chain.has_aria());
    alternatives.into_iter().map(alternative).collect()
}

pub(super) fn in_order(selectors: &Selectors) -> Vec<Alternative<'_>> {
    selectors.alternatives().iter().map(alternative).collect()
}

impl Answer {
    /// What an answer means that says no more than whether it is so.
    pub(super) fn ended(self, why: impl FnOnce(String) -> String) -> Look<()> {
        match self.again {
            None => Look::Done(()),
            Some(again) if self.hopeless => Look::Hopeless(again),
            Some(again) => Look::Again(why(again)),
        }
    }
}

impl Aimed {
    /// Where it is, and whether the page was scrolled to see it.
    pub(super) fn at(&self) -> Option<(Point, bool)> {
        self.point.map(|point| (point, self.is_scrolled))
    }
}

impl Act<'_> {
    fn request(self) -> Map<String, Value> {
        let request = match self {
            Self::Click(click, _) => {
                let offset = json!({ "x": click.offset_x, "y": click.offset_y });
                json!({ "enabled": true, "fit": true, "offset": offset })
            }
            Self::Aim { fit } => json!({ "enabled": false, "fit": fit }),
            Self::Press(_) | Self::Hover => json!({ "enabled": false, "fit": true }),
            Self::Fill(value) => {
                let most = TYPED_CHARACTERS_MAX;
                json!({ "action": "fill", "enabled": true, "fit": true, "value": value, "typedMax": most })
            }
            Self::Scroll { x, y } => json!({ "action": "scroll", "enabled": false, "x": x, "y": y }),
        };
        request.as_object().expect("just made").clone()
    }
}

/// Whether a message is about the text of a script: what a script throws never gets here, and a
/// page that goes away says something else.
fn is_syntax_error(message: &str) -> bool {
    let said = message.trim_start_matches("javascript error: ");
    ["SyntaxError", "Unexpected ", "Invalid ", "Missing ", "missing ", "Illegal "]
        .iter()
        .any(|start| said.starts_with(start))
}

fn alternative(chain: &Chain) -> Alternative<'_> {
    Alternative { name: chain.to_string(), selectors: chain.selectors() }
}

//! Dialogs: commands that look at one and commands that answer it become one step, which does both. Old
//! projects say before the click how its dialog is to be answered, and many say it again behind it.

use serde_json::{Value, json};

/// What a command says of a dialog.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// How the next one is to be answered.
    Next(Answer),
    /// What the open one says.
    Message,
    /// How the open one is answered.
    Now(Answer),
}

/// How a dialog is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    Accept,
    Dismiss,
    /// It is accepted with the text of the command.
    Text,
}

/// What was said of dialogs so far.
#[derive(Debug, Default)]
pub(super) struct Dialogs {
    /// The parameters of the step that is to come behind what opens the next dialog.
    next: Option<Value>,
    /// What can still be said of the dialog of the step before.
    last: Option<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// Whether it is known what it says.
    is_told: bool,
}

/// What becomes of a command.
#[derive(Debug, PartialEq)]
pub(super) enum Becomes {
    Nothing,
    /// A step with these parameters.
    Step(Value),
    /// More parameters of the step before.
    More(Value),
}

impl Said {
    /// What a command of this name says, if it is one for dialogs.
    pub(super) fn by(name: &str) -> Option<Self> {
        Some(match name {
            "chooseOkOnNextConfirmation" => Self::Next(Answer::Accept),
            "chooseCancelOnNextConfirmation" | "chooseCancelOnNextPrompt" => Self::Next(Answer::Dismiss),
            "answerOnNextPrompt" => Self::Next(Answer::Text),
            "assertAlert" | "assertConfirmation" | "assertPrompt" | "verifyAlert" | "verifyConfirmation"
            | "verifyPrompt" => Self::Message,
            "acceptAlert" | "acceptConfirmation" | "webdriverChooseOkOnVisibleConfirmation" => {
                Self::Now(Answer::Accept)
            }
            "dismissConfirmation"
            | "dismissPrompt"
            | "webdriverChooseCancelOnVisibleConfirmation"
            | "webdriverChooseCancelOnVisiblePrompt" => Self::Now(Answer::Dismiss),
            "answerPrompt" | "webdriverAnswerOnVisiblePrompt" => Self::Now(Answer::Text),
            _ => return None,
        })
    }

    /// Whether its text is typed.
    pub(super) const fn is_typed(&self) -> bool {
        matches!(self, Self::Next(Answer::Text) | Self::Now(Answer::Text))
    }
}

impl Dialogs {
    /// Takes what a command says, with its text.
    pub(super) fn take(&mut self, said: &Said, text: &str) -> Becomes {
        match said {
            Said::Next(answer) => {
                (self.next, self.last) = (Some(answer.parameters(text)), None);
                Becomes::Nothing
            }
            Said::Message => match &mut self.last {
                Some(open) if !open.is_told => {
                    open.is_told = true;
                    Becomes::More(json!({ "message": text }))
                }
                _ => {
                    let mut parameters = self.next.take().unwrap_or_else(|| Answer::Accept.parameters(""));
                    parameters["message"] = json!(text);
                    self.last = Some(Open { is_told: true });
                    Becomes::Step(parameters)
                }
            },
            Said::Now(answer) => {
                self.next = None;
                let parameters = answer.parameters(text);
                if self.last.take().is_some() { Becomes::More(parameters) } else { Becomes::Step(parameters) }
            }
        }
    }

    /// Another command comes: what was said of the dialog before is all.
    pub(super) fn pass(&mut self) {
        self.last = None;
    }

    /// The parameters of the step for the dialog that a command opens, if one was announced.
    pub(super) fn opened(&mut self) -> Option<Value> {
        let parameters = self.next.take()?;
        self.last = Some(Open::default());
        Some(parameters)
    }

    /// What was to open the dialog was left out.
    pub(super) fn forget(&mut self) {
        self.next = None;
    }
}

impl Answer {
    fn parameters(self, text: &str) -> Value {
        match self {
            Self::Accept => json!({ "accept": true }),
            Self::Dismiss => json!({ "accept": false }),
            Self::Text => json!({ "accept": true, "value": text }),
        }
    }
}

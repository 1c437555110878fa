//! What somebody at the terminal tells a recording elsewhere, a line each. Sending it is left to `elsewhere`.

use runners_exec_webdriver::{Aim, Asserted, SteerRecording};
use std::io::BufRead as _;
use tokio::sync::mpsc;

/// What is said to somebody who asks.
pub(super) const HELP: &str = "  stop                 ends the recording and keeps the flow; so does Ctrl-C
  undo                 takes back what changed the steps last
  list                 shows the steps
  delete 4             takes step 4 out
  move 4 2             puts step 4 at place 2
  visible SELECTOR     asserts that an element is to be seen
  text SELECTOR        asserts that an element says what it says now
  url                  asserts that the page is where it is now
  picture NAME         has a picture taken
  accept [TEXT]        accepts the dialog that is open
  dismiss              dismisses it";

/// The longest line that is taken, in bytes; what is longer is cut.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// How many lines wait at most.
const LINES_MAX: usize = 64;

/// Something that is wanted of a recording.
#[derive(Debug, PartialEq)]
pub(super) enum Wish {
    /// A command as it is sent.
    Steer(SteerRecording),
    /// A step is taken out, by its number from 1.
    Delete(usize),
    /// A step is put elsewhere, by its number and its next one.
    Move(usize, usize),
    /// To be told what can be said.
    Help,
}

impl Wish {
    /// Reads a line. The error says what is wrong with it.
    pub(super) fn read(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let aim = || match rest {
            "" => Err(format!("{verb} needs a selector, such as {verb} #total, or {verb} text/Thank you")),
            selector => Ok(Some(Aim::Selector(selector.to_owned()))),
        };
        let number = |text: &str| match text.parse::<usize>() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("{text:?} is not the number of a step: `list` shows them")),
        };
        let steer = match verb {
            "stop" => SteerRecording::Stop,
            "list" => SteerRecording::List,
            "undo" => SteerRecording::Undo,
            "delete" => return number(rest).map(Self::Delete),
            "move" => {
                let (step, to) = rest.split_once(' ').ok_or("move needs two numbers, such as move 4 2")?;
                return Ok(Self::Move(number(step)?, number(to.trim())?));
            }
            "visible" => SteerRecording::Assert { what: Asserted::Visible, aim: aim()? },
            "text" => SteerRecording::Assert { what: Asserted::Text(None), aim: aim()? },
            "url" => SteerRecording::Assert { what: Asserted::Url, aim: None },
            "picture" if rest.is_empty() => return Err("picture needs a name: picture cart".to_owned()),
            "picture" => SteerRecording::Screenshot { name: rest.to_owned() },
            "accept" => {
                let value = Some(rest.to_owned()).filter(|text| !text.is_empty());
                SteerRecording::Dialog { accept: true, value }
            }
            "dismiss" => SteerRecording::Dialog { accept: false, value: None },
            "help" | "?" => return Ok(Self::Help),
            other => {
                return Err(format!("{other:?} is nothing that a recording is told: `help` shows what is"));
            }
        };
        Ok(Self::Steer(steer))
    }
}

/// The lines that somebody writes, until there are no more.
pub(super) fn lines() -> mpsc::Receiver<String> {
    let (told, lines) = mpsc::channel(LINES_MAX);
    // A read of a terminal cannot be taken back, so nobody waits for this thread: it ends with the process.
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            match stdin.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            line.truncate(LINE_BYTES_MAX);
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            if !text.is_empty() && told.blocking_send(text).is_err() {
                return;
            }
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_wish_or_says_what_is_wrong() {
        assert_eq!(Wish::read(" stop "), Ok(Wish::Steer(SteerRecording::Stop)));
        assert_eq!(Wish::read("delete 4"), Ok(Wish::Delete(4)));
        assert_eq!(Wish::read("move 4 2"), Ok(Wish::Move(4, 2)));
        let aim = Some(Aim::Selector("text/Thank you".into()));
        let visible = SteerRecording::Assert { what: Asserted::Visible, aim };
        assert_eq!(Wish::read("visible text/Thank you"), Ok(Wish::Steer(visible)));
        let accept = SteerRecording::Dialog { accept: true, value: Some("Ada Lovelace".into()) };
        assert_eq!(Wish::read("accept Ada Lovelace"), Ok(Wish::Steer(accept)));
        assert_eq!(Wish::read("?"), Ok(Wish::Help));
        for bad in ["", "delete", "delete 0", "delete x", "move 4", "visible", "picture", "format c:"] {
            assert!(Wish::read(bad).is_err(), "{bad}");
        }
    }
}

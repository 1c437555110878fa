//! Asks a person for a secret at the terminal, without showing it.

use crate::{connection::TokenSource, terminal, tokens};
use anyhow::{Context as _, Result};
use runners_core::Token;
use std::io::IsTerminal as _;

/// The longest secret that is read.
const BYTES_MAX: usize = 4096;

/// Asks for a token, if somebody is there to answer. `None` if nobody is, or nothing was written.
pub(crate) async fn token(source: &TokenSource<'_>) -> Result<Option<Token>> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let question = format!("{} for {}: ", source.kinds[0], source.server);
    let read = tokio::task::spawn_blocking(move || secret(&question)).await?;
    let text = read.context("could not read from the terminal")?;
    let token = Token::from_text(text.trim());
    if text.trim().is_empty() {
        return Ok(None);
    }
    tokens::check_kind(&token, source.kinds)?;
    Ok(Some(token))
}

#[cfg(unix)]
fn secret(question: &str) -> std::io::Result<String> {
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
    use std::io::{BufRead as _, Error, ErrorKind, Read as _, Write as _};

    /// Shows again what is typed, however this ends.
    struct Hidden(Termios);

    impl Drop for Hidden {
        fn drop(&mut self) {
            // The terminal may have gone away.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
            terminal::note("");
        }
    }

    let shown = tcgetattr(std::io::stdin())?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    // Ctrl-C is read here, so that what is typed afterwards is shown again.
    hidden.local_modes.remove(LocalModes::ISIG);
    tcsetattr(std::io::stdin(), OptionalActions::Now, &hidden)?;
    let _restore = Hidden(shown);
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question}").and_then(|()| stderr.flush())?;
    drop(stderr);
    let mut text = String::new();
    std::io::stdin().lock().take(BYTES_MAX as u64).read_line(&mut text)?;
    if text.contains('\u{3}') {
        return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
    }
    Ok(text)
}

#[cfg(not(unix))]
fn secret(question: &str) -> std::io::Result<String> {
    let _ = (question, BYTES_MAX);
    terminal::note("the terminal of this system would show what is typed: use --token-file");
    Ok(String::new())
}

//! The data directory of a control plane, and the tokens in it: made at the first start, written
//! where only their owner can read them, read again by commands on the same machine.

use anyhow::{Context as _, Result, bail};
use runners_core::{Random as _, SystemRandom, Token, TokenKind};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// The data directory unless said otherwise, below the current one.
pub(crate) const DATA: &str = "runners-data";

/// The file of the operator's credential in a data directory.
const OPERATOR: &str = "operator-token";

/// The largest file that is read as a token.
const FILE_BYTES_MAX: u64 = 4096;

/// Where a control plane keeps everything.
#[derive(Clone, Debug)]
pub(crate) struct DataDirectory(PathBuf);

impl DataDirectory {
    /// Makes the directory if it is not there, for this user alone.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        make_private(path)
            .with_context(|| format!("could not make the directory {}: choose another", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("runners.db")
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.0.join("artifacts")
    }

    /// The state of the runner in the same process.
    pub(crate) fn runner(&self) -> PathBuf {
        self.0.join("runner")
    }

    /// The file of a token.
    pub(crate) fn token_file(&self, kind: TokenKind) -> PathBuf {
        self.0.join(file_name(kind))
    }

    /// The file of the operator's credential.
    pub(crate) fn operator_file(&self) -> PathBuf {
        self.0.join(OPERATOR)
    }

    /// The same in the data directory of a server that was started here.
    pub(crate) fn operator_file_here() -> PathBuf {
        Path::new(DATA).join(OPERATOR)
    }

    /// The token of a kind: the one in its file, or a new one that is written there first. Call it
    /// once the database is open: its lock keeps a second process out.
    pub(crate) fn token(&self, kind: TokenKind) -> Result<Token> {
        kept(&self.token_file(kind), kind)
    }

    /// The operator's credential, made as the other tokens are.
    pub(crate) fn operator(&self) -> Result<Token> {
        kept(&self.operator_file(), TokenKind::Api)
    }
}

/// The token in a file, or a new one that is written there first.
fn kept(path: &Path, kind: TokenKind) -> Result<Token> {
    if path.exists() {
        let token = read(path)?;
        check_kind(&token, &[kind]).with_context(|| format!("wrong text in {}", path.display()))?;
        return Ok(token);
    }
    let token = draw(kind);
    write_private(path, token.expose())
        .with_context(|| format!("could not write {}: free the disk or its rights", path.display()))?;
    Ok(token)
}

/// Draws a token.
pub(crate) fn draw(kind: TokenKind) -> Token {
    let mut random = [0; Token::RANDOM_BYTES];
    SystemRandom::default().fill(&mut random);
    Token::new(kind, random)
}

/// The file of a token in a data directory.
pub(crate) const fn file_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Registration => "registration-token",
        _ => "api-token",
    }
}

/// Reads the token in a file. Blanks and ends of lines around it do not count.
pub(crate) fn read(path: &Path) -> Result<Token> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
        .with_context(|| format!("could not read the token file {}", path.display()))?;
    let text = text.trim();
    if text.is_empty() {
        bail!("the token file {} is empty", path.display());
    }
    Ok(Token::from_text(text))
}

/// Says so when a token is, by its own prefix, for something else.
pub(crate) fn check_kind(token: &Token, wanted: &[TokenKind]) -> Result<()> {
    match token.kind() {
        Some(given) if !wanted.contains(&given) => {
            let named: Vec<_> = wanted.iter().map(|kind| format!("{kind} ({}…)", kind.prefix())).collect();
            bail!(
                "this takes the {}, and what was given is the {given} ({}…): \
                 the server has written the right one to the file `{}` in its data directory",
                named.join(" or the "),
                given.prefix(),
                file_name(wanted[0])
            )
        }
        _ => Ok(()),
    }
}

/// Makes a directory, and those above it, for their owner alone.
pub(crate) fn make_private(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file that is there whole or not at all, and never readable by others.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let partial = path.with_extension("new");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&partial)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&directory.path().join("a/b")).unwrap();
        let first = data.token(TokenKind::Api).unwrap();
        assert_eq!(data.token(TokenKind::Api).unwrap().expose(), first.expose());
        assert_ne!(data.token(TokenKind::Registration).unwrap().expose(), first.expose());
        assert_ne!(data.operator().unwrap().expose(), first.expose());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&data.token_file(TokenKind::Api)), 0o600);
            assert_eq!(mode(&data.operator_file()), 0o600);
            assert_eq!(mode(&directory.path().join("a/b")), 0o700);
        }
    }

    #[test]
    fn a_token_of_another_kind_is_named_without_its_text() {
        let token = Token::new(TokenKind::Api, [0xab; 32]);
        let told = check_kind(&token, &[TokenKind::Registration]).unwrap_err().to_string();
        assert!(told.contains("registration token (rreg_…)") && told.contains("API credential"), "{told}");
        assert!(!told.contains("abab"), "{told}");
        check_kind(&Token::from_text("of-the-host"), &[TokenKind::Registration]).unwrap();
    }
}

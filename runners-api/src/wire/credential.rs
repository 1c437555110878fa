//! The credential of a request: read strictly, never logged.

use super::problem::{Code, Problem};
use http::{HeaderMap, HeaderName, header};
use runners_core::{
    Authenticate, AuthenticateError, Clock, FailedAttempts, Peer, Principal, Token, TokenKind,
};

/// The other header that a token may stand in.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The largest number of bytes in a token.
const TOKEN_BYTES_MAX: usize = 512;

/// Reads the token of a request: `Authorization: Bearer`, or else `X-API-Key`.
pub(crate) fn token(headers: &HeaderMap) -> Result<Token, Problem> {
    if let Some(value) = only(headers, &header::AUTHORIZATION)? {
        let malformed = || {
            let detail = "the header Authorization is malformed: send `Bearer`, one space, and a token";
            Problem::unauthorized(detail)
        };
        let (scheme, text) = value.split_once(' ').ok_or_else(malformed)?;
        let well_formed = scheme.eq_ignore_ascii_case("bearer") && is_token(text);
        return if well_formed { Ok(Token::from_text(text)) } else { Err(malformed()) };
    }
    match only(headers, &API_KEY)? {
        Some(text) if is_token(text) => Ok(Token::from_text(text)),
        Some(_) => Err(Problem::unauthorized("the header X-API-Key is malformed: send a token and no more")),
        None => Err(Problem::unauthorized("send `Authorization: Bearer` and a token, or `X-API-Key`")),
    }
}

/// The value of a header that may be there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let malformed = || Problem::unauthorized(format!("send one header {name}, of plain characters"));
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| malformed()),
        _ => Err(malformed()),
    }
}

/// Whether it has the characters of RFC 6750, section 2.1.
fn is_token(text: &str) -> bool {
    let unpadded = text.trim_end_matches('=');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !unpadded.is_empty() && text.len() <= TOKEN_BYTES_MAX && unpadded.bytes().all(plain)
}

/// Refuses a token that by its own prefix is for something else, before anybody looks it up.
pub(crate) fn check_kind(token: &Token) -> Result<(), Problem> {
    match token.kind().filter(|kind| *kind != TokenKind::Api) {
        None => Ok(()),
        Some(kind) => {
            let wanted = TokenKind::Api.prefix();
            let detail = format!("management needs an API credential ({wanted}…), and a {kind} was given");
            Err(Problem::new(Code::WrongToken, detail))
        }
    }
}

/// For whom a token speaks.
pub(crate) async fn principal(
    authenticator: &dyn Authenticate,
    attempts: &FailedAttempts,
    clock: &dyn Clock,
    token: &Token,
    peer: Option<Peer>,
) -> Result<Principal, Problem> {
    let authenticated = attempts.authenticate(authenticator, token, peer, clock).await;
    authenticated.map_err(|error| match error {
        AuthenticateError::Limited { retry_after } => {
            let detail = "there were too many failed attempts from here: try again later";
            Problem::new(Code::Limited, detail).retry_after(retry_after)
        }
        AuthenticateError::Unavailable(source) => {
            tracing::warn!(error = &*source as &dyn std::error::Error, "tokens cannot be looked up");
            Problem::unavailable("tokens cannot be looked up now: try again later")
        }
        _ => Problem::unauthorized("the token is not known, or no longer good: get another one"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(headers: &[(&HeaderName, &'static str)]) -> Option<String> {
        let map = headers.iter().map(|(name, value)| ((*name).clone(), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in map {
            headers.append(name, value);
        }
        token(&headers).ok().map(|token| token.expose().to_owned())
    }

    #[test]
    fn either_header_is_read_and_the_standard_one_first() {
        let bearer = &header::AUTHORIZATION;
        assert_eq!(read(&[(bearer, "Bearer rapi_1")]), Some("rapi_1".into()));
        assert_eq!(read(&[(&API_KEY, "rapi_2")]), Some("rapi_2".into()));
        assert_eq!(read(&[(&API_KEY, "rapi_2"), (bearer, "bearer rapi_1")]), Some("rapi_1".into()));
        assert_eq!(read(&[(&API_KEY, "rapi_2"), (bearer, "Basic x")]), None);
        assert_eq!(read(&[(&API_KEY, "a"), (&API_KEY, "a")]), None);
        assert_eq!(read(&[(&API_KEY, "a b")]), None);
        assert_eq!(read(&[]), None);
    }
}

//! Whose request it is: the bearer token (RFC 6750), read strictly, never logged.

use crate::{
    server::{Inner, refusal::Refusal},
    wire::{
        TENANT, TOKEN_BYTES_MAX,
        problem::{Code, Problem},
    },
};
use http::{HeaderMap, header};
use runners_core::{
    AuthenticateError, Peer, Principal, TenantId, Token, TokenKind, Transport, WithinError,
    protocol::{RefusalCode, Refused},
};
use std::sync::Arc;

/// Reads the token of a request. There must be exactly one `Authorization` header, with the
/// scheme `Bearer`, one space, and characters of RFC 6750, section 2.1.
pub(super) fn token(headers: &HeaderMap) -> Result<Token, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::unauthorized("send one header `Authorization: Bearer` and a token"));
    };
    let malformed = || {
        Refusal::unauthorized(format!(
            "the Authorization header is malformed: send `Bearer`, one space, and a token of at most \
             {TOKEN_BYTES_MAX} bytes"
        ))
    };
    let (scheme, text) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
    let unpadded = text.trim_end_matches('=');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let well_formed = scheme.eq_ignore_ascii_case("bearer")
        && !unpadded.is_empty()
        && text.len() <= TOKEN_BYTES_MAX
        && unpadded.bytes().all(plain);
    if well_formed { Ok(Token::from_text(text)) } else { Err(malformed()) }
}

/// Refuses a token that by its own prefix is for something else, before anybody looks it up.
/// Hosts whose tokens have no such prefix are left alone.
pub(super) fn check_kind(token: &Token, wanted: &[TokenKind], what: &str) -> Result<(), Refusal> {
    let Some(given) = token.kind().filter(|given| !wanted.contains(given)) else { return Ok(()) };
    let wanted: Vec<String> =
        wanted.iter().map(|kind| format!("{} ({}…)", named(*kind), kind.prefix())).collect();
    let detail =
        format!("{what} needs {}, but {} ({}…) was given", wanted.join(" or "), named(given), given.prefix());
    Err(Refusal::new(Code::WrongToken, detail))
}

/// The id or the name of the tenant that a request is about, if it names one.
pub(super) fn tenant(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(TENANT).iter();
    let text = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        // The name may have any letters.
        (Some(value), None) => std::str::from_utf8(value.as_bytes()).ok().filter(|text| !text.is_empty()),
        _ => None,
    };
    let detail = "Runners-Tenant: send it once, with the id of a tenant or its name";
    text.map(Some).ok_or_else(|| Refusal::new(Code::Invalid, detail).path("Runners-Tenant"))
}

/// What speaks about the tenant that is named, if `caller` may.
pub(super) async fn within(
    caller: &dyn Transport,
    named: &str,
) -> Result<(TenantId, Arc<dyn Transport>), Denied> {
    caller.within(named).await.map_err(|error| match error {
        WithinError::Refused(refused) => Denied::Told(refused),
        error => {
            tracing::warn!(error = &error as &dyn std::error::Error, "tenants cannot be looked up");
            Refusal::unavailable("tenants cannot be looked up now: try again later").into()
        }
    })
}

/// Why a token does not speak for anybody, or not about whom is asked.
#[derive(Debug)]
pub(super) enum Denied {
    /// Its runner was removed, or there is no such tenant, which a call is answered as any other reply.
    Told(Refused),
    /// For this reason.
    Refused(Refusal),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Told(Refused { code: RefusalCode::Removed, detail }) => Self::unauthorized(detail),
            Denied::Told(Refused { code, detail }) => Problem::rejected(code.to_string(), detail).into(),
            Denied::Refused(refusal) => refusal,
        }
    }
}

/// Tells for whom a token speaks.
pub(super) async fn principal(face: &Inner, token: &Token, peer: Option<Peer>) -> Result<Principal, Denied> {
    let authenticated = face.attempts.authenticate(&*face.authenticate, token, peer, &*face.clock).await;
    authenticated.map_err(|error| match error {
        AuthenticateError::Removed => Denied::Told(Refused::removed()),
        error => Denied::Refused(refusal(error)),
    })
}

fn refusal(error: AuthenticateError) -> Refusal {
    match error {
        AuthenticateError::Limited { retry_after } => {
            let detail = "there were too many failed attempts from here: try again later";
            Refusal::new(Code::Limited, detail).retry_after(retry_after)
        }
        AuthenticateError::Unavailable(source) => {
            tracing::warn!(error = &*source as &dyn std::error::Error, "tokens cannot be looked up");
            Refusal::unavailable("tokens cannot be looked up now: try again later")
        }
        _ => Refusal::unauthorized("the token is not known, or no longer good: get another one"),
    }
}

fn named(kind: TokenKind) -> String {
    let article = if kind == TokenKind::Api { "an" } else { "a" };
    format!("{article} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        token(&headers).ok().map(|token| token.expose().to_owned())
    }

    #[test]
    fn a_bearer_token_is_read() {
        assert_eq!(read(&["Bearer rapi_00ff"]), Some("rapi_00ff".into()));
        assert_eq!(read(&["bEARER a-._~+/9=="]), Some("a-._~+/9==".into()));
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("Bearer {}", "a".repeat(TOKEN_BYTES_MAX + 1));
        let bad =
            ["", "Bearer", "Bearer ", "Bearer  a", "Bearer a b", "Basic YTpi", "Bearer =", "Bearer a=b"];
        for value in bad.into_iter().chain(["Bearer é", "Bearera", "\tBearer a", &long]) {
            assert_eq!(read(&[value]), None, "{value:?}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["Bearer a", "Bearer a"]), None);
    }

    #[test]
    fn a_wrong_kind_is_named_beside_the_right_one() {
        let given = Token::new(TokenKind::Registration, [0; 32]);
        let refusal = check_kind(&given, &[TokenKind::Api], "submit").unwrap_err();
        let told = format!("{refusal:?}");
        assert!(told.contains("submit needs an API credential (rapi_…), but a registration token"), "{told}");
        assert!(!told.contains("0000"), "{told}");
        assert!(check_kind(&given, &[TokenKind::Registration], "enrol").is_ok());
        assert!(check_kind(&Token::from_text("of-the-host"), &[TokenKind::Api], "submit").is_ok());
    }
}

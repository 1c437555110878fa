//! Who may come in: sign-in by a pasted credential, or the host's own; and that every form was sent
//! by a page of ours, with the text that only our pages hold.

use crate::{
    dashboard::Site,
    failure::Failure,
    form::{self, FORM_TOKEN, Form},
    layout,
    origin::{self, Origin},
    pages,
    session::Session,
    visitor::{May, Place, SignedIn, Visitor},
};
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use futures::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use runners_core::{AuthenticateError, Peer, Principal, TenantId, Token, TokenKind};
use subtle::ConstantTimeEq as _;

/// What the browser holds of a session. It has no `Path`, so that it is sent wherever the dashboard
/// is mounted, and nowhere else.
const COOKIE: &str = "runners_session";

/// Asks for a page without its frame.
pub(crate) const PART: HeaderName = HeaderName::from_static("runners-part");

/// The largest number of bytes in a credential.
const CREDENTIAL_BYTES_MAX: usize = 512;

/// Finds out who comes, and refuses forms that are not ours, before any page is made.
pub(crate) async fn admit(State(site): State<Site>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_part = parts.headers.contains_key(PART);
    let place = Place::new(parts.uri.path(), parts.uri.query(), is_part);
    let is_form = parts.method == Method::POST;
    let visitor = match visitor(&site, &parts, place.clone()).await {
        Ok(visitor) => visitor,
        Err(Stranger::Refused(failure)) => return layout::bare(&place, &failure),
        Err(Stranger::Unknown) if is_form || is_part || site.authenticate.is_none() => {
            let failure =
                Failure::new(StatusCode::UNAUTHORIZED, "Signed out", "Sign in again, and send it once more.");
            return layout::bare(&place, &failure);
        }
        Err(Stranger::Unknown) => return to_sign_in(&place),
    };
    let body = if is_form {
        match checked_form(&site, &visitor, &parts, body).await {
            Ok(form) => drop(parts.extensions.insert(form)),
            Err(failure) => return layout::failed(&visitor, &failure),
        }
        Body::empty()
    } else {
        body
    };
    parts.extensions.insert(visitor.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    match response.extensions().get::<Failure>() {
        Some(failure) => layout::failed(&visitor, failure),
        // Pages say what is wrong with a form: this is an address with a malformed id in it.
        None if response.status() == StatusCode::BAD_REQUEST => {
            layout::failed(&visitor, &Failure::not_found("There is nothing of that id."))
        }
        None => response,
    }
}

/// Shows where a credential is pasted.
pub(crate) async fn show_sign_in(State(site): State<Site>, form: Form) -> Response {
    if site.authenticate.is_none() {
        return layout::bare(
            &Place::new("/sign-in", None, false),
            &Failure::not_found("There is no sign-in here."),
        );
    }
    pages::sign_in::page(form.text("next"), None)
}

/// Takes a credential, and opens a session.
pub(crate) async fn sign_in(State(site): State<Site>, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let headers = request.headers().clone();
    if origin::of(&headers) == Origin::Others {
        return pages::sign_in::page("", Some("This form was sent from another site. Sign in here."));
    }
    // Nobody knows yet who sends it.
    let form = match Form::read(request.into_body(), form::STRANGER_BYTES_MAX, &*site.clock).await {
        Ok(form) => form,
        Err(failure) => return pages::sign_in::page("", Some(&failure.detail)),
    };
    let next = form.text("next");
    let credential = Token::from_text(form.text("credential"));
    if let Err(problem) = check(&site, &credential, peer).await {
        return pages::sign_in::page(next, Some(&problem));
    }
    let text = site.draw_text();
    site.sessions.open(&text, credential, site.draw_text(), site.clock.boot());
    let mut response = layout::redirect(&pages::sign_in::safe_next(next));
    set_cookie(&mut response, &text, origin::is_https(&headers));
    response
}

/// Ends the session.
pub(crate) async fn sign_out(State(site): State<Site>, headers: HeaderMap) -> Response {
    if let Some(text) = cookie(&headers) {
        site.sessions.end(text);
    }
    let mut response = layout::redirect("./sign-in");
    let gone = format!("{COOKIE}=; HttpOnly; SameSite=Lax; Max-Age=0");
    let gone = HeaderValue::try_from(gone).expect("invariant: it is plain ASCII");
    response.headers_mut().insert(header::SET_COOKIE, gone);
    response
}

/// The text of the session that a browser holds.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, text)| text)
}

/// Why somebody is not let in.
enum Stranger {
    /// Nobody knows them: they may sign in.
    Unknown,
    Refused(Failure),
}

async fn visitor(site: &Site, parts: &Parts, place: Place) -> Result<Visitor, Stranger> {
    let Some(authenticate) = &site.authenticate else {
        let SignedIn { name, principal, tenant } =
            parts.extensions.get::<SignedIn>().cloned().ok_or(Stranger::Unknown)?;
        let ended = futures::future::pending().boxed().shared();
        let credentials = Credentials {
            name,
            principal,
            token: None,
            tenant,
            form_token: String::new(),
            has_session: false,
        };
        return welcome(site, credentials, ended, place).await;
    };
    let session = cookie(&parts.headers).and_then(|text| site.sessions.find(text, site.clock.boot()));
    let Session { credential, form_token, tenant, .. } = session.ok_or(Stranger::Unknown)?;
    let peer = parts.extensions.get::<Peer>().copied();
    let known = site.attempts.authenticate(&**authenticate, &credential, peer, &*site.clock).await;
    let principal = known.map_err(|error| match error {
        AuthenticateError::Limited { .. } | AuthenticateError::Unavailable(_) => {
            Stranger::Refused(Failure::unavailable())
        }
        _ => Stranger::Unknown,
    })?;
    let ended = authenticate.ended(credential.expose()).shared();
    let credentials = Credentials {
        name: String::new(),
        principal,
        token: Some(credential),
        tenant,
        form_token,
        has_session: true,
    };
    welcome(site, credentials, ended, place).await
}

struct Credentials {
    name: String,
    principal: Principal,
    /// What they signed in with, where that is ours.
    token: Option<Token>,
    tenant: Option<TenantId>,
    form_token: String,
    has_session: bool,
}

async fn welcome(
    site: &Site,
    credentials: Credentials,
    ended: crate::visitor::Ended,
    place: Place,
) -> Result<Visitor, Stranger> {
    let Credentials { name, principal, token, tenant, form_token, has_session } = credentials;
    let may = May::of(&principal);
    let management = site.control.management(principal);
    let mut management = match &token {
        Some(token) => management.made_with(token.expose()),
        None => management.made_by(&name),
    };
    if let Some(tenant) = tenant.filter(|_| may.operate) {
        management = management.within(tenant).map_err(|error| Stranger::Refused(error.into()))?;
    }
    let tenant = match management.tenant() {
        TenantId::OPERATOR => Some("operator".to_owned()),
        TenantId::DEFAULT => Some("default".to_owned()),
        id if may.read => {
            Some(management.own_tenant().await.map_or_else(|_| id.to_string(), |tenant| tenant.name))
        }
        _ => None,
    };
    let name = if name.is_empty() { may.words() } else { name };
    Ok(Visitor {
        management,
        may,
        name,
        tenant,
        form_token,
        has_session,
        has_regions: site.has_regions(),
        place,
        ended,
    })
}

/// Reads a form that was sent by a page of ours.
async fn checked_form(site: &Site, visitor: &Visitor, parts: &Parts, body: Body) -> Result<Form, Failure> {
    let refused = || {
        let detail = "This form was not sent by a page of this dashboard, or an old one. Open the page again, and send it from there.";
        Failure::forbidden(detail)
    };
    let origin = origin::of(&parts.headers);
    // Without a text of ours in it, a form must say that it comes from here.
    if origin == Origin::Others || (!visitor.has_session && origin == Origin::Unsaid) {
        return Err(refused());
    }
    let has_document = parts.uri.path() == "/flows";
    let bytes_max = if has_document { form::DOCUMENT_BYTES_MAX } else { form::BYTES_MAX };
    let form = Form::read(body, bytes_max, &*site.clock).await?;
    if visitor.has_session {
        let held: bool = form.text(FORM_TOKEN).as_bytes().ct_eq(visitor.form_token.as_bytes()).into();
        return if held { Ok(form) } else { Err(refused()) };
    }
    Ok(form)
}

/// Whether a credential lets somebody in, or what to tell them.
async fn check(site: &Site, credential: &Token, peer: Option<Peer>) -> Result<(), String> {
    let Some(authenticate) = &site.authenticate else { return Err("There is no sign-in here.".into()) };
    let text = credential.expose();
    if text.is_empty() || text.len() > CREDENTIAL_BYTES_MAX {
        return Err("Paste an API credential: it begins with rapi_.".into());
    }
    if let Some(kind) = credential.kind().filter(|kind| *kind != TokenKind::Api) {
        return Err(format!(
            "That is a {kind}. Signing in takes an API credential, which begins with rapi_."
        ));
    }
    match site.attempts.authenticate(&**authenticate, credential, peer, &*site.clock).await {
        Ok(Principal::Api { .. } | Principal::Operator) => Ok(()),
        Ok(_) => Err("That credential is not for people. Paste an API credential.".into()),
        Err(AuthenticateError::Limited { retry_after }) => {
            Err(format!("Too many attempts failed. Try again in {} seconds.", retry_after.as_secs().max(1)))
        }
        Err(AuthenticateError::Unavailable(error)) => {
            tracing::warn!(error = &*error as &dyn std::error::Error, "credentials cannot be looked up");
            Err("Credentials cannot be looked up now. Try again in a moment.".into())
        }
        Err(_) => Err("That credential is not known, expired or revoked.".into()),
    }
}

/// Leads to the sign-in, and back from there.
fn to_sign_in(place: &Place) -> Response {
    let next: String = form_urlencoded::byte_serialize(place.path.as_bytes()).collect();
    layout::redirect(&place.to(format_args!("sign-in?next={next}")))
}

fn set_cookie(response: &mut Response, text: &str, is_https: bool) {
    let secure = if is_https { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={text}; HttpOnly; SameSite=Lax{secure}");
    let cookie = HeaderValue::try_from(cookie).expect("invariant: hex digits are good in a header");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; runners_session=x1; c=d"));
        assert_eq!(cookie(&headers), Some("x1"));
        headers.insert(header::COOKIE, HeaderValue::from_static("not_runners_session=x1"));
        assert_eq!(cookie(&headers), None);
    }
}

//! Whether a form was sent by a page of ours. A browser says of every form where it comes from; a
//! page of another site cannot make it say otherwise.

use http::{HeaderMap, HeaderName, Uri, header};

/// Where a request comes from, in the words of Fetch Metadata.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a proxy in front was asked for.
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// From where a form comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A page of this host.
    Ours,
    /// A page of somebody else.
    Others,
    /// It is not said: no browser of these years sent it.
    Unsaid,
}

/// Tells from the headers of a request where it comes from.
pub(crate) fn of(headers: &HeaderMap) -> Origin {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return if site == "same-origin" { Origin::Ours } else { Origin::Others };
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Origin::Unsaid };
    let origin = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
    let Some(authority) = origin.as_ref().and_then(Uri::authority) else { return Origin::Others };
    let asked = [header::HOST, X_FORWARDED_HOST].into_iter().filter_map(|name| headers.get(name));
    let is_ours =
        asked.into_iter().any(|host| host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()));
    if is_ours { Origin::Ours } else { Origin::Others }
}

/// Whether the browser speaks https, as far as the origin of its form tells.
pub(crate) fn is_https(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn told(headers: &[(HeaderName, &'static str)]) -> Origin {
        let headers = headers.iter().cloned().map(|(name, value)| (name, HeaderValue::from_static(value)));
        of(&headers.collect())
    }

    #[test]
    fn only_a_page_of_this_host_is_ours() {
        let host = (header::HOST, "runners.example:8443");
        assert_eq!(told(&[(SEC_FETCH_SITE, "same-origin")]), Origin::Ours);
        for site in ["cross-site", "same-site", "none"] {
            assert_eq!(told(&[(SEC_FETCH_SITE, site)]), Origin::Others, "{site}");
        }
        assert_eq!(told(&[host.clone(), (header::ORIGIN, "https://runners.example:8443")]), Origin::Ours);
        let behind = [
            (header::HOST, "upstream"),
            (X_FORWARDED_HOST, "runners.example"),
            (header::ORIGIN, "https://runners.example"),
        ];
        assert_eq!(told(&behind), Origin::Ours);
        for origin in
            ["null", "https://runners.example", "https://evil.example", "https://runners.example:8443.evil"]
        {
            assert_eq!(told(&[host.clone(), (header::ORIGIN, origin)]), Origin::Others, "{origin}");
        }
        assert_eq!(told(&[host]), Origin::Unsaid);
    }
}

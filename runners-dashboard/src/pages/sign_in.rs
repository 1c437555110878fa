//! Where a credential is pasted.

use crate::{layout, visitor::Place};
use axum::response::Response;
use http::StatusCode;
use maud::html;

/// The longest address that a sign-in leads back to.
const NEXT_BYTES_MAX: usize = 1_000;

/// The page, and why the last try did not succeed.
pub(crate) fn page(next: &str, problem: Option<&str>) -> Response {
    let place = Place::new("/sign-in", None, false);
    let body = html! {
        h1 { "Sign in" }
        @if let Some(problem) = problem { p.notice.bad role="alert" #problem { (problem) } }
        form.sign-in method="post" action="sign-in" {
            input type="hidden" name="next" value=(next);
            label for="credential" { "API credential" }
            input #credential type="password" name="credential" autocomplete="current-password" required autofocus
                spellcheck="false" placeholder="rapi_…" aria-describedby="hint" aria-invalid=[problem.map(|_| "true")];
            p.faint #hint {
                "It decides what you see and may do. " code { "runners credentials create" } " makes one; a server of the program keeps its first in " code { "runners-data/api-token" } "."
            }
            button.primary type="submit" { "Sign in" }
        }
    };
    let mut response = layout::alone(&place, "Sign in", &body);
    if problem.is_some() {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

/// Where a sign-in leads: to the page that was asked for, as far as it is one of this site.
pub(crate) fn safe_next(next: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/?=&.%+".contains(&byte);
    let is_safe = next.len() <= NEXT_BYTES_MAX
        && next.bytes().all(plain)
        && !next.contains("..")
        && !next.to_ascii_lowercase().contains("%2e")
        && !next.contains("//");
    let next = next.trim_start_matches('/');
    if is_safe && !next.is_empty() { format!("./{next}") } else { "./queue".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_this_site_and_nowhere_else() {
        assert_eq!(safe_next("jobs/job_1?after=x"), "./jobs/job_1?after=x");
        for evil in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil",
            "../../x",
            "%2e%2e/%2E%2E/x",
            "javascript:alert(1)",
            "a\r\nb",
        ] {
            assert_eq!(safe_next(evil), "./queue", "{evil:?}");
        }
    }
}

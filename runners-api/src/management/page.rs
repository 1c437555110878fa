//! Pages of listings: what is asked for, and how the next one is told.

use crate::wire::{
    json::Json,
    path::Query,
    problem::{Code, Problem},
};
use axum::{
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, header, request::Parts};
use runners_core::{Cursor, Listing, Paging};
use serde::{Deserialize, Serialize};

/// The largest number of items in a list that is asked for as a whole.
const WHOLE_MAX: usize = 10_000;

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Where the page begins: what the page before named as its `next`.
    #[param(max_length = 400)]
    pub(crate) after: Option<String>,
    /// How many items there are at most.
    #[param(minimum = 1, maximum = 500)]
    pub(crate) limit: Option<u32>,
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<String>,
}

/// Which page of a list, read.
#[derive(Clone, Debug)]
pub(crate) struct Paged(pub(crate) Paging);

impl<S: Send + Sync> FromRequestParts<S> for Paged {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(query): Query<PageQuery> = Query::from_request_parts(parts, state).await?;
        paging(query.after.as_deref(), query.limit).map(Self)
    }
}

impl<T: From<U>, U> From<Listing<U>> for Json<Page<T>> {
    fn from(listing: Listing<U>) -> Self {
        let next = listing.next.map(|next| next.to_string());
        Self(Page { items: listing.items.into_iter().map(T::from).collect(), next })
    }
}

/// Reads where a page begins and how long it is.
pub(crate) fn paging(after: Option<&str>, limit: Option<u32>) -> Result<Paging, Problem> {
    let not_ours =
        |error: runners_core::CursorError| Problem::new(Code::Invalid, format!("after: {error}")).at("after");
    let after = after.map(str::parse::<Cursor>).transpose().map_err(not_ours)?;
    let limit = limit.unwrap_or(Paging::default().limit);
    if !(1..=Paging::LIMIT_MAX).contains(&limit) {
        let detail = format!("limit: must be from 1 to {}", Paging::LIMIT_MAX);
        return Err(Problem::new(Code::Invalid, detail).at("limit").limit(Paging::LIMIT_MAX.into()));
    }
    Ok(Paging { after, limit })
}

/// Answers a list as a plain array: all of it, or the page that was asked for. Where more follows,
/// the header `Link` leads there.
pub(crate) async fn array<T, U, F>(
    query: &PageQuery,
    list: impl Fn(Paging) -> F,
    each: impl Fn(T) -> U,
) -> Result<Response, Problem>
where
    U: Serialize,
    F: Future<Output = Result<Listing<T>, runners_core::Error>>,
{
    let whole = query.limit.is_none();
    let limit = query.limit.or(whole.then_some(Paging::LIMIT_MAX));
    let mut paging = paging(query.after.as_deref(), limit)?;
    let mut items = Vec::new();
    loop {
        let Listing { items: more, next } = list(paging.clone()).await?;
        items.extend(more.into_iter().map(&each));
        paging.after = next;
        if paging.after.is_none() || !whole || items.len() >= WHOLE_MAX {
            break;
        }
    }
    let mut response = Json(items).into_response();
    if let Some(next) = paging.after {
        let link = match query.limit {
            Some(limit) => format!("<?after={next}&limit={limit}>; rel=\"next\""),
            None => format!("<?after={next}>; rel=\"next\""),
        };
        let link = HeaderValue::try_from(link).expect("invariant: a cursor is base64");
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

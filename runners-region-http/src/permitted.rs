//! Looks names up, and gives only addresses that the operator allows: a connection is made to nothing
//! else, whatever a name led to before.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use runners_core::{Egress, EgressError};
use std::{error::Error, sync::Arc};

/// The resolver of a client whose connections are all allowed.
pub(crate) struct Permitted(pub(crate) Arc<Egress>);

impl Resolve for Permitted {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let mut refused = None;
            let mut permitted = Vec::new();
            for address in found {
                match egress.check_address(address.ip()) {
                    Ok(()) => permitted.push(address),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            match refused {
                Some(error) if permitted.is_empty() => Err(error.into()),
                _ => Ok(Box::new(permitted.into_iter()) as Addrs),
            }
        })
    }
}

/// What the operator does not allow, if that is why a call failed.
pub(crate) fn refusal(error: &(dyn Error + 'static)) -> Option<EgressError> {
    let mut cause = Some(error);
    while let Some(next) = cause {
        if let Some(refused) = next.downcast_ref::<EgressError>() {
            return Some(refused.clone());
        }
        cause = next.source();
    }
    None
}

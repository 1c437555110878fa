//! Management: what an operator, or an administrator of a tenant, does with the fleet.
//!
//! A [`Management`] is one principal's view. It checks the scope of every call and works only
//! within the principal's tenant: another tenant's id is answered as one that does not exist, by
//! the same reads.

mod artifacts;
mod audit;
mod credentials;
mod environments;
mod events;
mod flows;
mod jobs;
mod live;
mod pools;
mod presence;
mod registrations;
mod repeat;
mod retention;
mod rollout;
mod runners;
mod runs;
mod summary;
mod tenants;
mod webhooks;

use crate::{
    actors::{
        control_plane::{Caller, ControlPlane, Plane},
        error::Error,
        records::{Versioned, read},
    },
    rules::record::Record,
    seams::store::Query,
    values::{
        fleet::listing::{Cursor, Listing, Paging},
        id::TenantId,
        key::Index,
        principal::{Principal, Scope},
        reply::{RefusalCode, Refused},
    },
};
use bytes::Bytes;
use std::{fmt, sync::Arc};

/// How often a change is tried again when it conflicts with others'.
const ROUNDS_MAX: usize = 16;

/// One principal's view of the fleet, and what it may change there. Clones are the same view.
///
/// Reading takes [`Scope::Read`], everything else [`Scope::Admin`], except where a method says
/// otherwise. Every method may answer [`Error::Refused`] for a principal without the scope
/// (`forbidden`), for what is not there or belongs to another tenant (`not_found`) and for a field
/// that is malformed (`invalid`), and [`Error::Store`] when the store cannot be used. A change whose answer
/// was lost may be repeated.
#[derive(Clone)]
pub struct Management {
    pub(crate) plane: Arc<Plane>,
    principal: Principal,
    tenant: TenantId,
    /// The idempotency key under which a request comes.
    named: Option<repeat::Named>,
    /// As whom changes are noted.
    signature: audit::Signature,
}

impl ControlPlane {
    /// What `principal` may see and change of the fleet, whoever calls it.
    ///
    /// For the operator this is the operator's own tenant; [`Management::within`] gives the view of another.
    #[must_use]
    pub fn management(&self, principal: Principal) -> Management {
        Management::of(&self.plane, principal)
    }
}

impl Management {
    /// What `principal` may see and change at a control plane.
    pub(crate) fn of(plane: &Arc<Plane>, principal: Principal) -> Self {
        let tenant = match &principal {
            Principal::Runner { tenant, .. }
            | Principal::Api { tenant, .. }
            | Principal::Registrant { tenant, .. } => *tenant,
            Principal::Operator => TenantId::OPERATOR,
        };
        Self {
            plane: Arc::clone(plane),
            principal,
            tenant,
            named: None,
            signature: audit::Signature::default(),
        }
    }

    /// The same view of another tenant, which only the operator may have.
    ///
    /// # Errors
    /// [`Error::Refused`] (`not_found`) for anybody else who names another tenant than their own.
    pub fn within(&self, tenant: TenantId) -> Result<Self, Error> {
        if tenant != self.tenant && self.principal != Principal::Operator {
            return Err(not_found("tenant", tenant));
        }
        Ok(Self { tenant, ..self.clone() })
    }

    /// A transport that speaks for the same principal, about the tenant that is managed.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller::new(&self.plane, self.principal.clone(), self.tenant).signed(self.signature.clone())
    }

    /// The tenant that is managed.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The tenant that is managed, if the principal has the scope.
    pub(crate) fn with(&self, needed: Scope) -> Result<TenantId, Error> {
        if self.principal != Principal::Operator {
            self.plane.may_ask(self.tenant)?;
        }
        match &self.principal {
            Principal::Operator => Ok(self.tenant),
            Principal::Api { scopes, .. } if scopes.contains(&needed) => Ok(self.tenant),
            _ => {
                let detail = format!("this takes an API credential with the scope {:?}", needed.as_str());
                Err(refused(RefusalCode::Forbidden, detail))
            }
        }
    }

    /// One page of a listing. `parts` name it: what is listed, and by which filter.
    pub(crate) async fn list<R: Record>(
        &self,
        index: Index,
        prefix: Bytes,
        parts: &[&str],
        paging: &Paging,
    ) -> Result<Listing<Versioned<R>>, Error> {
        self.list_page(index, prefix, parts, paging, false).await
    }

    /// The same, the last entry of the index first.
    pub(crate) async fn list_newest<R: Record>(
        &self,
        index: Index,
        prefix: Bytes,
        parts: &[&str],
        paging: &Paging,
    ) -> Result<Listing<Versioned<R>>, Error> {
        self.list_page(index, prefix, parts, paging, true).await
    }

    async fn list_page<R: Record>(
        &self,
        index: Index,
        prefix: Bytes,
        parts: &[&str],
        paging: &Paging,
        newest_first: bool,
    ) -> Result<Listing<Versioned<R>>, Error> {
        let limit = paging.checked()?;
        let tenant = self.tenant.to_string();
        let parts: Vec<&str> = parts.iter().copied().chain([tenant.as_str()]).collect();
        let after = paging.place(&parts)?;
        let query = Query::Range { index, prefix, after, until: None, newest_first, limit };
        let (rows, more) = self.plane.records.page(query).await.map_err(Error::Store)?;
        let next = rows.last().filter(|_| more).map(|(at, _)| Cursor::new(&parts, at.clone()));
        let items = rows.iter().filter(|(_, row)| row.key.kind == R::KIND).map(|(_, row)| read(row));
        Ok(Listing { items: items.collect::<Result<_, _>>().map_err(Error::Store)?, next })
    }
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { principal, tenant, .. } = self;
        f.debug_struct("Management")
            .field("principal", principal)
            .field("tenant", tenant)
            .finish_non_exhaustive()
    }
}

pub(crate) fn refused(code: RefusalCode, detail: impl Into<String>) -> Error {
    Error::Refused(Refused::new(code, detail))
}

/// The answer for an id that does not exist, and for one that belongs to somebody else.
pub(crate) fn not_found(what: &str, id: impl fmt::Display) -> Error {
    refused(RefusalCode::NotFound, format!("{what}: there is no {what} {id}"))
}

//! What can go wrong for those who use the actors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("refused: {0}")]
    Refused(crate::values::reply::Refused),
    #[error("store")]
    Store(#[source] crate::seams::store::StoreError),
}

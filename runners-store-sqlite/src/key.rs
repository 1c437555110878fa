//! A [`Key`] as the bytes of one column: tenant, kind, id. They sort as keys of one kind do, and
//! the start of an id is the start of its bytes.

use runners_core::{
    Kind, TenantId,
    store::{Span, StoreSource},
};
use rusqlite::types::{FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

pub(crate) use runners_core::Key;

const TENANT: usize = 16;
const HEAD: usize = TENANT + 2;

/// Bytes of a key on the stack.
pub(crate) struct KeyBytes {
    bytes: [u8; HEAD + Key::ID_MAX],
    length: usize,
}

impl KeyBytes {
    /// None if the id is longer than any that is stored.
    pub(crate) fn new(key: &Key) -> Option<Self> {
        let length = HEAD + key.id.len();
        let mut bytes = [0; HEAD + Key::ID_MAX];
        bytes[..TENANT].copy_from_slice(key.tenant.as_bytes());
        bytes[TENANT..HEAD].copy_from_slice(&key.kind.number().to_be_bytes());
        bytes.get_mut(HEAD..length)?.copy_from_slice(&key.id);
        Some(Self { bytes, length })
    }

    /// Of a key in a batch that was checked.
    pub(crate) fn checked(key: &Key) -> Self {
        Self::new(key).expect("a checked batch has no id above the limit")
    }

    /// Everything that begins with these bytes.
    pub(crate) fn span(&self) -> Span {
        Span::below_prefix(self.bytes[..self.length].to_vec().into())
    }
}

impl rusqlite::ToSql for KeyBytes {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.bytes[..self.length])))
    }
}

/// A key as it is read back: none of a kind that a later version has added.
pub(crate) struct StoredKey(pub(crate) Option<Key>);

impl rusqlite::types::FromSql for StoredKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let (tenant, rest) = bytes.split_first_chunk::<TENANT>().ok_or_else(|| malformed(bytes))?;
        let (kind, id) = rest.split_first_chunk::<2>().ok_or_else(|| malformed(bytes))?;
        let kind = Kind::from_number(u16::from_be_bytes(*kind));
        Ok(Self(kind.map(|kind| Key::new(TenantId::from_bytes(*tenant), kind, id.to_vec()))))
    }
}

fn malformed(bytes: &[u8]) -> FromSqlError {
    let cause = format!("{bytes:02x?} is no key");
    FromSqlError::Other(StoreSource::from(cause))
}

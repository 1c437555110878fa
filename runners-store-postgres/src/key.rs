//! A [`Key`] as the bytes of one column: tenant, kind, id. They sort as keys of one kind do, and
//! the start of an id is the start of its bytes.

use runners_core::{Kind, TenantId, store::Span};

pub(crate) use runners_core::Key;

const TENANT: usize = 16;
const HEAD: usize = TENANT + 2;

/// The bytes that stand for a key.
pub(crate) fn bytes_of(key: &Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + key.id.len());
    bytes.extend_from_slice(key.tenant.as_bytes());
    bytes.extend_from_slice(&key.kind.number().to_be_bytes());
    bytes.extend_from_slice(&key.id);
    bytes
}

/// The key that bytes stand for, unless its kind is of a later version.
pub(crate) fn key_of(bytes: &[u8]) -> Option<Key> {
    let (tenant, rest) = bytes.split_first_chunk::<TENANT>()?;
    let (kind, id) = rest.split_first_chunk::<2>()?;
    let kind = Kind::from_number(u16::from_be_bytes(*kind))?;
    Some(Key::new(TenantId::from_bytes(*tenant), kind, id.to_vec()))
}

/// Whether bytes stand for a key of a kind that this version does not know.
pub(crate) fn is_of_later_kind(bytes: &[u8]) -> bool {
    bytes.len() >= HEAD && key_of(bytes).is_none()
}

/// Every key that begins as this one does.
pub(crate) fn span_of(prefix: &Key) -> Span {
    Span::below_prefix(bytes_of(prefix).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_lead_back_to_their_key() {
        let key = Key::new(TenantId::DEFAULT, Kind::Job, vec![0, 255, 7]);
        assert_eq!(key_of(&bytes_of(&key)), Some(key.clone()));
        assert_eq!(key_of(&[0; 17]), None);
        assert_eq!(key_of(&[0; 18]), None, "there is no kind 0");
        assert!(
            is_of_later_kind(&[0; 18]) && !is_of_later_kind(&[0; 17]) && !is_of_later_kind(&bytes_of(&key))
        );
    }
}

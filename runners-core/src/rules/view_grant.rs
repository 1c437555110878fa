//! Grants of live views: what one says, and how it is signed. Whether somebody may have one is left to the actors.

use crate::values::{
    id::TenantId,
    lease::FencingToken,
    reply::{RefusalCode, Refused},
    time::Timestamp,
    view::LiveAccess,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// With what the text of a grant begins.
const PREFIX: &str = "view_";
/// What is signed before the claims, so that no other signature by this key is one.
const CONTEXT: &[u8] = b"runners/view/v1\0";
/// The longest text of a grant in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// What a grant says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) tenant: TenantId,
    pub(crate) token: FencingToken,
    pub(crate) attempt: u32,
    pub(crate) access: LiveAccess,
    pub(crate) until: Timestamp,
}

impl Claims {
    /// Writes them down, signed by `key`.
    pub(crate) fn sign(&self, key: &[u8]) -> String {
        let claims = serde_json::to_vec(self).expect("claims are plain data");
        let proof = mac(key, &claims).finalize().into_bytes();
        format!("{PREFIX}{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(proof))
    }

    /// Reads them, if they were signed by `key` and are good at `now`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn verify(text: &str, key: &[u8], now: Timestamp) -> Result<Self, Refused> {
        let bad = || {
            Refused::new(RefusalCode::Forbidden, "grant: is not one of this control plane: ask for another")
        };
        let decode = |text| URL_SAFE_NO_PAD.decode(text).map_err(|_| bad());
        let short = Some(text).filter(|text| text.len() <= TEXT_BYTES_MAX);
        let parts = short.and_then(|text| text.strip_prefix(PREFIX)).and_then(|text| text.split_once('.'));
        let (claims, proof) = parts.ok_or_else(bad)?;
        let (claims, proof) = (decode(claims)?, decode(proof)?);
        mac(key, &claims).verify_slice(&proof).map_err(|_| bad())?;
        let claims: Self = serde_json::from_slice(&claims).map_err(|_| bad())?;
        if claims.until <= now {
            return Err(Refused::new(RefusalCode::Expired, "grant: is over: ask for another"));
        }
        Ok(claims)
    }
}

fn mac(key: &[u8], claims: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is good for an HMAC");
    mac.update(CONTEXT);
    mac.update(claims);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::id::JobId;

    fn claims() -> Claims {
        Claims {
            tenant: TenantId::DEFAULT,
            token: FencingToken { job: JobId::from_bytes([7; 16]), grant: 3 },
            attempt: 2,
            access: LiveAccess::View,
            until: Timestamp::from_millis(100),
        }
    }

    #[test]
    fn a_grant_is_good_for_what_was_signed_until_it_is_over() {
        let (text, before) = (claims().sign(b"key"), Timestamp::from_millis(99));
        assert_eq!(Claims::verify(&text, b"key", before), Ok(claims()));
        let code = |text: &str, key: &[u8], at| Claims::verify(text, key, at).unwrap_err().code;
        assert_eq!(code(&text, b"key", Timestamp::from_millis(100)), RefusalCode::Expired);
        assert_eq!(code(&text, b"another", before), RefusalCode::Forbidden);
        let (claimed, proof) = text.rsplit_once('.').unwrap();
        let more = Claims { access: LiveAccess::Control, ..claims() }.sign(b"another");
        let forged = format!("{}.{proof}", more.rsplit_once('.').unwrap().0);
        for bad in [&*forged, claimed, "", "view_", "view_.", &format!("{text}A"), &"view_a.a".repeat(999)] {
            assert_eq!(code(bad, b"key", before), RefusalCode::Forbidden, "{bad}");
        }
    }
}

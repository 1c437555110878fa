//! Grants of live views, and passes by which one control plane leads a runner to another: what they say, and how they
//! are signed. Whether somebody may have one is left to the actors.

use crate::values::{
    id::{RunnerId, StreamId, TenantId},
    lease::FencingToken,
    reply::{RefusalCode, Refused},
    time::Timestamp,
    view::LiveAccess,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;

/// With what the text of a grant begins.
const GRANT: &str = "view_";
/// With what the text of a pass begins.
const PASS: &str = "pass_";
/// The longest text of either in bytes.
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
        seal(GRANT, self, key)
    }

    /// Reads them, if they were signed by `key` and are good at `now`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn verify(text: &str, key: &[u8], now: Timestamp) -> Result<Self, Refused> {
        let bad = || {
            Refused::new(RefusalCode::Forbidden, "grant: is not one of this control plane: ask for another")
        };
        let claims: Self = unseal(GRANT, text, key).ok_or_else(bad)?;
        if claims.until <= now {
            return Err(Refused::new(RefusalCode::Expired, "grant: is over: ask for another"));
        }
        Ok(claims)
    }
}

/// Who comes in at one control plane to show at another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourcePass {
    pub(crate) stream: StreamId,
    /// The owner of the runner.
    pub(crate) host: TenantId,
    pub(crate) runner: RunnerId,
    pub(crate) until: Timestamp,
}

impl SourcePass {
    /// Writes it down, signed by `key`.
    pub(crate) fn sign(&self, key: &[u8]) -> String {
        seal(PASS, self, key)
    }

    /// Reads it, if it was signed by `key` and is good at `now`.
    pub(crate) fn verify(text: &str, key: &[u8], now: Timestamp) -> Option<Self> {
        unseal(PASS, text, key).filter(|pass: &Self| pass.until > now)
    }
}

fn seal(prefix: &str, claims: &impl Serialize, key: &[u8]) -> String {
    let claims = serde_json::to_vec(claims).expect("claims are plain data");
    let proof = mac(prefix, key, &claims).finalize().into_bytes();
    format!("{prefix}{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(proof))
}

fn unseal<T: DeserializeOwned>(prefix: &str, text: &str, key: &[u8]) -> Option<T> {
    let short = Some(text).filter(|text| text.len() <= TEXT_BYTES_MAX);
    let (claims, proof) = short?.strip_prefix(prefix)?.split_once('.')?;
    let decode = |text| URL_SAFE_NO_PAD.decode(text).ok();
    let (claims, proof) = (decode(claims)?, decode(proof)?);
    mac(prefix, key, &claims).verify_slice(&proof).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// What is signed before the claims tells for what they are, so that no signature is good for anything else.
fn mac(prefix: &str, key: &[u8], claims: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is good for an HMAC");
    mac.update(b"runners/");
    mac.update(prefix.trim_end_matches('_').as_bytes());
    mac.update(b"/v1\0");
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

    #[test]
    fn a_pass_is_no_grant_and_is_over_when_it_says() {
        let pass = SourcePass {
            stream: StreamId::from_bytes([1; 16]),
            host: TenantId::DEFAULT,
            runner: RunnerId::from_bytes([2; 16]),
            until: Timestamp::from_millis(100),
        };
        let (text, before) = (pass.sign(b"key"), Timestamp::from_millis(99));
        assert_eq!(SourcePass::verify(&text, b"key", before), Some(pass.clone()));
        assert_eq!(SourcePass::verify(&text, b"key", pass.until), None);
        assert_eq!(SourcePass::verify(&text, b"another", before), None);
        // Neither stands for the other, whatever it is called.
        let called = |text: &str, from, to| text.replacen(from, to, 1);
        assert!(Claims::verify(&called(&text, PASS, GRANT), b"key", before).is_err());
        let grant = called(&claims().sign(b"key"), GRANT, PASS);
        assert_eq!(unseal::<serde_json::Value>(PASS, &grant, b"key"), None);
    }
}

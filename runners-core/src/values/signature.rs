//! Ed25519 keys and signatures of jobs (RFC 8032). What a signature must say before a runner
//! believes it is left to the rules.

use super::secret::Secret;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{
    Signer as _,
    pkcs8::{
        DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _,
        KeypairBytes, spki::der::pem::LineEnding,
    },
};
use std::{error::Error, fmt};
use zeroize::Zeroize as _;

/// What is signed beside the bytes of a specification, so that the same key's signature of anything
/// else is none of a job.
const PAYLOAD_TYPE: &str = "runners/job/v1";

/// The private key of a submitter. It is wiped from memory when it is dropped, and nothing prints it.
///
/// What it signs is the pre-authentication encoding of DSSE (`DSSEv1`) with the payload type
/// `runners/job/v1`, over the exact bytes of a serialised [`JobSpec`](crate::JobSpec).
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// The public key of a submitter, which runners trust for a tenant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl SigningKey {
    /// Takes 32 bytes drawn at random, which are wiped.
    #[must_use]
    pub fn from_seed(mut seed: [u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        seed.zeroize();
        Self(key)
    }

    /// Reads a key in PKCS #8 PEM (`-----BEGIN PRIVATE KEY-----`), such as
    /// `openssl genpkey -algorithm ed25519` writes.
    ///
    /// # Errors
    /// [`KeyError`] when it is not an Ed25519 private key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(text.trim());
        key.map(Self).map_err(|error| KeyError { expected: "a private", source: Box::new(error) })
    }

    /// The key in PKCS #8 PEM, for its owner alone.
    #[must_use]
    pub fn to_pem(&self) -> Secret {
        let key = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let text = key.to_pkcs8_pem(LineEnding::LF).expect("32 bytes always fit");
        Secret::from_text(text.as_str())
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// Signs the exact bytes of a serialised specification. The signature is in base64.
    #[must_use]
    pub fn sign(&self, spec: &[u8]) -> String {
        STANDARD.encode(self.0.sign(&encoded(spec)).to_bytes())
    }
}

impl VerifyingKey {
    /// Reads a key in PEM (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    /// [`KeyError`] when it is not an Ed25519 public key, or one that everything verifies under.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let error = |source| KeyError { expected: "a public", source };
        let key = ed25519_dalek::VerifyingKey::from_public_key_pem(text.trim());
        let key = key.map_err(|source| error(Box::new(source)))?;
        if key.is_weak() {
            return Err(error("the key is weak".into()));
        }
        Ok(Self(key))
    }

    /// The key in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("32 bytes always fit")
    }

    /// Whether `signature` was made with the key's other half over exactly these bytes.
    #[must_use]
    pub fn verifies(&self, spec: &[u8], signature: &str) -> bool {
        let signature = STANDARD.decode(signature).ok();
        let signature = signature.and_then(|bytes| ed25519_dalek::Signature::from_slice(&bytes).ok());
        signature.is_some_and(|signature| self.0.verify_strict(&encoded(spec), &signature).is_ok())
    }
}

impl fmt::Debug for SigningKey {
    /// Only the other half, which is no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey of {:?}", self.verifying_key())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", STANDARD.encode(self.0.as_bytes()))
    }
}

/// Why a text is not a key. Give another file.
#[derive(Debug, thiserror::Error)]
#[error("text is not {expected} Ed25519 key in PEM")]
#[non_exhaustive]
pub struct KeyError {
    /// Which half was to be read.
    expected: &'static str,
    /// What is wrong with it.
    source: Box<dyn Error + Send + Sync>,
}

/// The pre-authentication encoding of DSSE: lengths before texts, so that no other pair of type and
/// bytes gives the same.
fn encoded(spec: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), spec.len()).into_bytes();
    bytes.extend_from_slice(spec);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_pem_and_is_not_taken_for_its_other_half() {
        let key = SigningKey::from_seed([7; 32]);
        let (private, public) = (key.to_pem(), key.verifying_key().to_pem());
        assert!(private.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(public.starts_with("-----BEGIN PUBLIC KEY-----\n"));
        assert_eq!(SigningKey::from_pem(private.expose()).unwrap().verifying_key(), key.verifying_key());
        assert_eq!(VerifyingKey::from_pem(&public).unwrap(), key.verifying_key());
        let told = VerifyingKey::from_pem(private.expose()).unwrap_err().to_string();
        assert_eq!(told, "text is not a public Ed25519 key in PEM");
        assert!(SigningKey::from_pem(&public).is_err());
    }

    /// As `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them; the key is that
    /// of RFC 8410, section 10.3.
    #[test]
    fn keys_of_openssl_are_read() {
        let private = "-----BEGIN PRIVATE KEY-----\n\
                       MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                       -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
                      MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                      -----END PUBLIC KEY-----\n";
        let key = SigningKey::from_pem(private).unwrap();
        assert_eq!(key.verifying_key(), VerifyingKey::from_pem(public).unwrap());
        assert_eq!(key.to_pem().expose(), private);
    }

    #[test]
    fn a_signature_holds_for_exactly_the_bytes_that_were_signed_as_a_job() {
        let (key, other) = (SigningKey::from_seed([7; 32]), SigningKey::from_seed([8; 32]));
        let signature = key.sign(b"{\"a\":1}");
        assert!(key.verifying_key().verifies(b"{\"a\":1}", &signature));
        assert!(!key.verifying_key().verifies(b"{\"a\": 1}", &signature));
        assert!(!other.verifying_key().verifies(b"{\"a\":1}", &signature));
        let bare = STANDARD.encode(key.0.sign(b"{\"a\":1}").to_bytes());
        assert!(!key.verifying_key().verifies(b"{\"a\":1}", &bare));
        for malformed in ["", "x", "AAAA", &signature[4..]] {
            assert!(!key.verifying_key().verifies(b"{\"a\":1}", malformed), "{malformed:?}");
        }
    }

    #[test]
    fn nothing_prints_a_private_key() {
        let key = SigningKey::from_seed([0xab; 32]);
        let shown = format!("{key:?}");
        assert!(!shown.contains(&STANDARD.encode([0xab; 32])) && !shown.contains("171, 171"), "{shown}");
    }
}

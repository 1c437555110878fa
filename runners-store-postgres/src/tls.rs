//! TLS, if the feature is on: which authorities are believed, and what speaks it. A certificate is
//! always checked, whatever `sslmode` says of whether there must be one.

use crate::{OpenError, PostgresOptions, address::Address};
use tokio_postgres::config::SslMode;

/// What a connection is made with.
#[derive(Clone)]
pub(crate) enum Tls {
    Without,
    #[cfg(feature = "tls")]
    Rustls(tokio_postgres_rustls::MakeRustlsConnect),
}

impl Tls {
    #[cfg(not(feature = "tls"))]
    pub(crate) fn of(_: &PostgresOptions, address: &Address) -> Result<Self, OpenError> {
        if address.config.get_ssl_mode() == SslMode::Require {
            return Err(OpenError::Tls {
                database: address.name.clone(),
                advice: "this program was built without the feature `tls` of runners-store-postgres",
                source: "sslmode=require".into(),
            });
        }
        Ok(Self::Without)
    }

    #[cfg(feature = "tls")]
    pub(crate) fn of(options: &PostgresOptions, address: &Address) -> Result<Self, OpenError> {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::CertificateDer};
        use std::sync::Arc;

        let mode = address.config.get_ssl_mode();
        if mode == SslMode::Disable {
            return Ok(Self::Without);
        }
        let refused = |advice, source| OpenError::Tls { database: address.name.clone(), advice, source };
        let mut roots = RootCertStore::empty();
        match &options.root_certificates {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate =
                        certificate.map_err(|error| refused(UNREADABLE, error.to_string().into()))?;
                    roots.add(certificate).map_err(|error| refused(UNREADABLE, Box::new(error)))?;
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
            }
        }
        if roots.is_empty() && mode == SslMode::Require {
            let advice = "there is no authority to check the server's certificate against: name one";
            return Err(refused(advice, "no root certificates".into()));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| refused("no version of TLS is left", Box::new(error)))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::Rustls(tokio_postgres_rustls::MakeRustlsConnect::new(config)))
    }
}

#[cfg(feature = "tls")]
const UNREADABLE: &str = "the root certificates cannot be read: give certificates in PEM";

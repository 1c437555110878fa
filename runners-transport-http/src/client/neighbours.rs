//! The way to other control planes on the same store: a WebSocket to the HTTP face of each.

use crate::{
    client::{HttpTransport, builder::BuildError, relay::HttpRelay},
    wire::RELAY,
};
use async_trait::async_trait;
use runners_core::{
    Token, TokenKind,
    live::{Neighbours, RelayError, Socket},
};
use std::fmt;

/// Leads runners and those who look to the control plane that has their live view, at the HTTP face that it has said
/// it is reached at.
#[derive(Clone, Default)]
pub struct HttpNeighbours {
    certificates: Vec<u8>,
    insecure_http: bool,
}

impl HttpNeighbours {
    /// Checks an address that others are to reach this control plane at: the prefix of its HTTP face, as
    /// `https://10.0.0.5:7878`.
    ///
    /// # Errors
    /// What is wrong with it, or with the [certificates](Self::certificates).
    pub fn check(&self, address: &str) -> Result<(), BuildError> {
        self.transport(address, Token::new(TokenKind::Runner, [0; Token::RANDOM_BYTES])).map(drop)
    }

    /// Trusts these certificates of authorities too, beside those that the system trusts: PEM, one or several.
    #[must_use]
    pub fn certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates = pem.into();
        self
    }

    /// Whether others may be spoken to over plain HTTP beyond this machine. They may not unless said otherwise:
    /// whoever listens could look on.
    #[must_use]
    pub const fn insecure_http(mut self, allowed: bool) -> Self {
        self.insecure_http = allowed;
        self
    }

    fn transport(&self, address: &str, token: Token) -> Result<HttpTransport, BuildError> {
        let builder = HttpTransport::builder(address).token(token).certificates(self.certificates.clone());
        builder.insecure_http(self.insecure_http).build()
    }
}

#[async_trait]
impl Neighbours for HttpNeighbours {
    async fn connect(&self, address: &str, pass: &Token) -> Result<Socket, RelayError> {
        let transport = self.transport(address, pass.clone());
        let transport = transport.map_err(|error| RelayError::Unreachable(error.into()))?;
        HttpRelay::new(&transport).reach(RELAY).await
    }
}

impl fmt::Debug for HttpNeighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpNeighbours").field("insecure_http", &self.insecure_http).finish_non_exhaustive()
    }
}

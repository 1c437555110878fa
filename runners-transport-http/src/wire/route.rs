//! Which request stands at which path, how large it may be, and whose token it needs.

use runners_core::{
    TokenKind,
    protocol::{Request, SignalRequest, SubmitRequest, SyncRequest},
};
use serde::{Deserialize, Serialize};

/// The largest body of a request that carries no bytes of its sender: 8 KiB.
const SMALL_BYTES_MAX: usize = 8 << 10;

/// The largest body of a signal: JSON may need six bytes for one of the payload.
const SIGNAL_BYTES_MAX: usize = 6 * SignalRequest::PAYLOAD_BYTES_MAX + SMALL_BYTES_MAX;

macro_rules! routes {
    ($($variant:ident at $name:literal up to $bytes_max:expr, by $($kind:ident)|+;)*) => {
        /// One kind of request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Route {
            $($variant,)*
        }

        impl Route {
            #[cfg(any(test, feature = "openapi"))]
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The route at `name`, the last segment of a path.
            pub(crate) fn at(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The last segment of its path.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The largest number of bytes in a body.
            pub(crate) const fn bytes_max(self) -> usize {
                match self {
                    $(Self::$variant => $bytes_max,)*
                }
            }

            /// The kinds of token that may be used here.
            pub(crate) const fn token_kinds(self) -> &'static [TokenKind] {
                match self {
                    $(Self::$variant => &[$(TokenKind::$kind),+],)*
                }
            }

            /// Reads the fields of a request.
            pub(crate) fn decode<'de, D>(self, fields: D) -> Result<Request, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                Ok(match self {
                    $(Self::$variant => Request::$variant(Deserialize::deserialize(fields)?),)*
                })
            }

            /// The route of a request and its fields as a JSON object; nothing for a kind of request
            /// that is newer than this crate.
            pub(crate) fn encode(request: &Request) -> Option<(Self, Vec<u8>)> {
                match request {
                    $(Request::$variant(fields) => Some((Self::$variant, json(fields))),)*
                    _ => None,
                }
            }
        }
    };
}

routes! {
    Deregister at "deregister" up to SMALL_BYTES_MAX, by Runner;
    Enrol at "enrol" up to SMALL_BYTES_MAX, by Registration | Runner;
    Rotate at "rotate" up to SMALL_BYTES_MAX, by Runner;
    Sync at "sync" up to SyncRequest::BYTES_MAX, by Runner;
    Submit at "submit" up to SubmitRequest::BYTES_MAX, by Api;
    Inspect at "inspect" up to SMALL_BYTES_MAX, by Api;
    Explain at "explain" up to SMALL_BYTES_MAX, by Api;
    Wait at "wait" up to SMALL_BYTES_MAX, by Api;
    Cancel at "cancel" up to SMALL_BYTES_MAX, by Api;
    Signal at "signal" up to SIGNAL_BYTES_MAX, by Api;
    Answer at "answer" up to SMALL_BYTES_MAX, by Api;
    ReadLog at "read-log" up to SMALL_BYTES_MAX, by Api;
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("invariant: messages are plain data with string keys")
}

#[cfg(test)]
mod tests {
    use super::*;
    use runners_core::testing::samples;

    #[test]
    fn every_request_has_a_route_by_its_own_name() {
        for (name, request) in samples::requests() {
            let (route, fields) = Route::encode(&request).expect(name);
            assert_eq!(route.name(), request.name());
            assert_eq!(Route::at(request.name()), Some(route));
            let decoded = route.decode(&mut serde_json::Deserializer::from_slice(&fields));
            assert_eq!(decoded.expect(name), request);
        }
    }

    #[test]
    fn every_route_is_tried_by_a_sample() {
        for route in Route::ALL {
            assert!(
                samples::requests().iter().any(|(_, request)| request.name() == route.name()),
                "{route:?}"
            );
        }
    }
}

//! What the texts of ids, times and digests look like, for the description of the API.

use runners_core::JobOptions;
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
    },
};

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $pattern:literal, $example:literal, $description:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some($pattern))
                    .examples([$example])
                    .description(Some($description))
                    .into()
            }
        }

        impl ToSchema for $name {
            // The things themselves have the plain names.
            fn name() -> Cow<'static, str> {
                concat!(stringify!($name), "Text").into()
            }
        }
    )*};
}

texts! {
    /// The text of a tenant's id.
    Tenant, "^tenant_[0-9a-f]{32}$", "tenant_00000000000000000000000000000001", "The id of a tenant.";
    /// The text of a pool's id.
    Pool, "^pool_[0-9a-f]{32}$", "pool_00000000000000000000000000000001", "The id of a pool.";
    /// The text of a runner's id.
    Runner, "^runner_[0-9a-f]{32}$", "runner_019a00000000700080000000000000ab", "The id of a runner.";
    /// The text of a job's id.
    Job, "^job_[0-9a-f]{32}$", "job_019a00000000700080000000000000ab", "The id of a job.";
    /// The text of a run's id.
    Run, "^run_[0-9a-f]{32}$", "run_019a00000000700080000000000000ab", "The id of a run.";
    /// The text of a signal's id.
    Signal, "^signal_[0-9a-f]{32}$", "signal_019a00000000700080000000000000ab", "The id of a signal.";
    /// The text of a webhook's id.
    Webhook, "^webhook_[0-9a-f]{32}$", "webhook_019a00000000700080000000000000ab", "The id of a webhook.";
    /// The text of a delivery's id.
    Delivery, "^delivery_[0-9a-f]{32}$", "delivery_019a00000000700080000000000000ab", "The id of a delivery.";
    /// The text of a token's id.
    Token, "^token_[0-9a-f]{32}$", "token_00112233445566778899aabbccddeeff", "The id of a token, which is no secret.";
    /// The text of a trace's parent.
    Trace, "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "A `traceparent` of W3C trace context.";
    /// A SHA-256 in hex digits.
    Sha256, "^[0-9a-f]{64}$", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "A SHA-256 in hex digits.";
}

/// The text of a time.
#[derive(Debug)]
pub(crate) enum Time {}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("A time, UTC, as of RFC 3339."))
            .examples(["2026-01-31T12:00:00.000Z"])
            .into()
    }
}

impl ToSchema for Time {}

/// The text of a name.
#[derive(Debug)]
pub(crate) enum Name {}

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(JobOptions::NAME_BYTES_MAX))
            .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]*$"))
            .description(Some("A name: at most 100 bytes, and no control characters."))
            .examples(["eu-1"])
            .into()
    }
}

impl ToSchema for Name {}

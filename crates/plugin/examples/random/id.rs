//! `example_id`: a random identifier.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use planton_plugin::{
    ApplyResponse, Attribute, AttributePath, AttributeType, Context, CreateRequest, DeleteRequest,
    DeleteResponse, Diagnostic, Diagnostics, PlanRequest, PlanResponse, ReadRequest, ReadResponse,
    Resource, Schema, UpdateRequest, Value, proposed_with_computed_unknown,
};

/// The most bytes of an identifier, so that its decimal form fits 128 bits.
const MAX_BYTES: u64 = 16;

/// A random identifier.
#[derive(Debug)]
pub(super) struct Id;

#[async_trait]
impl Resource for Id {
    fn type_name(&self) -> &str {
        "example_id"
    }

    fn schema(&self) -> Schema {
        let computed = |name| Attribute::string(name).computed();
        Schema::new([
            computed("b64_std").describe("Identifier in base64."),
            computed("b64_url").describe("Identifier in base64 without padding, for URLs."),
            Attribute::number("byte_length")
                .required()
                .describe("Length of the identifier, 1 to 16 bytes. A change replaces it."),
            computed("dec").describe("Identifier as a decimal number."),
            computed("hex").describe("Identifier in hexadecimal digits."),
            computed("id").describe("Identifier in base64 without padding, for URLs."),
            Attribute::map("keepers", AttributeType::String)
                .optional()
                .describe("Any values. A change replaces the identifier."),
            Attribute::string("prefix")
                .optional()
                .describe("Text before each form of the identifier. A change replaces it."),
        ])
    }

    async fn validate_config(&self, _: &Context, config: &Value) -> Diagnostics {
        let length = config.attribute("byte_length");
        let allowed = length
            .as_u64()
            .is_some_and(|length| (1..=MAX_BYTES).contains(&length));
        if length.is_unknown() || allowed {
            return Diagnostics::new();
        }
        Diagnostic::error(
            "Invalid Identifier Length",
            "An identifier has 1 to 16 bytes.\n\nSet byte_length to a number in that range.",
        )
        .at(AttributePath::attribute("byte_length"))
        .into()
    }

    async fn read(&self, _: &Context, request: ReadRequest) -> Result<ReadResponse, Diagnostics> {
        Ok(ReadResponse::current(request.state))
    }

    async fn plan(&self, _: &Context, request: PlanRequest) -> Result<PlanResponse, Diagnostics> {
        let PlanRequest {
            config,
            prior_state,
            proposed_state,
            ..
        } = request;
        if prior_state.is_null() {
            let planned = proposed_with_computed_unknown(&self.schema(), &config, proposed_state);
            return Ok(PlanResponse::planned(planned));
        }
        let arguments = ["byte_length", "keepers", "prefix"];
        let changed = arguments.into_iter().filter(|name| {
            let (before, after) = (prior_state.attribute(name), proposed_state.attribute(name));
            before != after
        });
        let requires_replace = changed.map(AttributePath::attribute).collect();
        Ok(PlanResponse {
            requires_replace,
            ..PlanResponse::planned(proposed_state)
        })
    }

    async fn create(
        &self,
        _: &Context,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        let length = request.config.attribute("byte_length").as_u64();
        let length = usize::try_from(length.unwrap_or(MAX_BYTES)).unwrap_or_default();
        let mut bytes = [0; MAX_BYTES as usize];
        let bytes = bytes.get_mut(..length).unwrap_or_default();
        getrandom::fill(bytes).map_err(|error| no_randomness(&error))?;
        let prefix = request.config.attribute("prefix");
        let prefix = prefix.as_str().unwrap_or_default();
        let number = bytes
            .iter()
            .fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        let form = |text: String| Value::string(format!("{prefix}{text}"));
        let state = request
            .planned_state
            .with("b64_std", form(STANDARD.encode(&bytes)))
            .with("b64_url", form(URL_SAFE_NO_PAD.encode(&bytes)))
            .with("dec", form(number.to_string()))
            .with("hex", form(hex::encode(&bytes)))
            .with("id", Value::string(URL_SAFE_NO_PAD.encode(bytes)));
        Ok(ApplyResponse::applied(state))
    }

    async fn update(
        &self,
        _: &Context,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        Ok(ApplyResponse::applied(request.planned_state))
    }

    async fn delete(&self, _: &Context, _: DeleteRequest) -> Result<DeleteResponse, Diagnostics> {
        Ok(DeleteResponse::default())
    }
}

fn no_randomness(error: &getrandom::Error) -> Diagnostics {
    Diagnostic::error(
        "No Random Bytes",
        format!("The operating system returned no random bytes.\n\nOriginal error: {error}"),
    )
    .into()
}

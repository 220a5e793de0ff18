//! `example_wide`: a resource with the arguments and attributes of `planton_secret`.
//!
//! It keeps what the configuration says. An empty plan of it shows what the size of a schema
//! costs Terraform.

use std::collections::BTreeMap;

use async_trait::async_trait;
use planton_plugin::{
    ApplyResponse, Attribute, AttributeType, Context, CreateRequest, DeleteRequest, DeleteResponse,
    Diagnostics, PlanRequest, PlanResponse, ReadRequest, ReadResponse, Resource, Schema,
    UpdateRequest, Value, proposed_with_computed_unknown,
};

/// A resource with many attributes.
#[derive(Debug)]
pub(super) struct Wide;

fn arguments() -> Vec<Attribute> {
    let labels = || Attribute::map("labels", AttributeType::String);
    vec![
        Attribute::string("name").required(),
        Attribute::string("environment").optional_computed(),
        Attribute::string("description").optional(),
        labels().optional(),
        Attribute::string("backend").optional_computed(),
        Attribute::string("value_wo").optional().write_only(),
        Attribute::map("data_wo", AttributeType::String)
            .optional()
            .write_only(),
        Attribute::object("generate", generate()).optional(),
        Attribute::object("copy_from", copy_from()).optional(),
        Attribute::string("value_wo_version").optional(),
        Attribute::bool("deletion_protection").optional_computed(),
        Attribute::string("on_destroy").optional_computed(),
        Attribute::number("keep_versions").optional_computed(),
        Attribute::string("takes_over").optional(),
        Attribute::object("timeouts", timeouts()).optional(),
    ]
}

fn generate() -> Vec<Attribute> {
    let numbers = [
        "length",
        "min_lower",
        "min_upper",
        "min_numeric",
        "min_special",
    ];
    let classes = ["lower", "upper", "numeric", "special"];
    let numbers = numbers.map(|name| Attribute::number(name).optional_computed());
    let classes = classes.map(|name| Attribute::bool(name).optional_computed());
    let special = Attribute::string("override_special").optional();
    numbers
        .into_iter()
        .chain(classes)
        .chain([special])
        .collect()
}

fn copy_from() -> [Attribute; 3] {
    [
        Attribute::string("backend").required(),
        Attribute::string("remote_name").required(),
        Attribute::bool("delete_source").optional_computed(),
    ]
}

fn timeouts() -> [Attribute; 4] {
    ["create", "read", "update", "delete"].map(|name| Attribute::string(name).optional())
}

fn computed() -> [Attribute; 4] {
    [
        Attribute::string("id").computed(),
        Attribute::map("labels_all", AttributeType::String).computed(),
        Attribute::number("version").computed(),
        Attribute::number("revision").computed(),
    ]
}

#[async_trait]
impl Resource for Wide {
    fn type_name(&self) -> &str {
        "example_wide"
    }

    fn schema(&self) -> Schema {
        Schema::new(arguments().into_iter().chain(computed()))
    }

    async fn validate_config(&self, _: &Context, _: &Value) -> Diagnostics {
        Diagnostics::new()
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
        let planned = match prior_state.is_null() {
            true => proposed_with_computed_unknown(&self.schema(), &config, proposed_state),
            false => proposed_state,
        };
        Ok(PlanResponse::planned(planned))
    }

    async fn create(
        &self,
        _: &Context,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        let name = request.config.attribute("name").clone();
        let defaults = [
            ("environment", Value::Null),
            ("backend", Value::string("platform")),
            ("deletion_protection", Value::Bool(false)),
            ("on_destroy", Value::string("delete")),
            ("keep_versions", Value::from(10_u64)),
            ("id", name),
            ("labels_all", Value::Map(BTreeMap::new())),
            ("version", Value::from(1_u64)),
            ("revision", Value::from(1_700_000_000_000_u64)),
        ];
        let state = defaults
            .into_iter()
            .filter(|(name, _)| request.planned_state.attribute(name).is_unknown())
            .fold(request.planned_state.clone(), |state, (name, value)| {
                state.with(name, value)
            });
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

//! The probe's resource.

use async_trait::async_trait;
use planton_plugin::*;

use super::SECRET;

/// A resource that returns every value that it gets, write-only ones included, and
/// misbehaves as `mode` asks it to.
#[derive(Debug)]
pub(super) struct Thing;

fn keep_everything(config: &Value, state: Value) -> Value {
    // An author's mistake: the runtime must remove these values from the response.
    let mut state = state;
    for name in ["secret_wo", "credentials", "keys"] {
        state.set(name, config.attribute(name).clone());
    }
    state
}

/// Plans like a resource whose creation needs to know which object it replaces.
fn remember(schema: &Schema, cx: &Context, request: PlanRequest) -> PlanResponse {
    let replaced = (!request.prior_state.is_null())
        .then(|| request.prior_state.attribute("serial").as_str())
        .flatten()
        .map(str::to_owned);
    let mut response = PlanResponse::planned(proposed_with_computed_unknown(
        schema,
        &request.config,
        request.proposed_state,
    ));
    if let (Some(serial), true) = (replaced, cx.keeps_planned_private) {
        response.private = Some(PrivateData::new().with("replaces", serial));
        response.requires_replace = vec!["name".into()];
    } else if let Some(planned) = request.planned_private {
        let again = planned.text("plans").map_or(0, |n| n.parse().unwrap()) + 1;
        response.private = Some(planned.with("plans", again.to_string()));
    }
    response
}

fn identity(state: &Value) -> Option<Value> {
    Some(Value::object([("name", state.attribute("name").clone())]))
}

#[async_trait]
impl Resource for Thing {
    fn type_name(&self) -> &str {
        "probe_thing"
    }

    fn schema(&self) -> Schema {
        let secret = || {
            [
                Attribute::string("key_wo").write_only(),
                Attribute::string("label"),
            ]
        };
        Schema::new([
            Attribute::string("name").required(),
            Attribute::string("mode"),
            Attribute::string("secret_wo").write_only(),
            Attribute::string("secret_wo_version"),
            Attribute::object("credentials", secret()),
            Attribute::nested("keys", Nesting::List, secret()),
            Attribute::number("number"),
            Attribute::bool("flag"),
            Attribute::list("list", AttributeType::String),
            Attribute::set("set", AttributeType::Number),
            Attribute::map("map", AttributeType::String),
            Attribute::new("any", AttributeType::Dynamic),
            Attribute::string("id").computed(),
            Attribute::number("secret_length").computed(),
            Attribute::string("serial").computed(),
        ])
        .version(1)
        .describe("A thing.")
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        Some(IdentitySchema::new([IdentityAttribute::required("name")]))
    }

    async fn validate_config(&self, _: &Context, config: &Value) -> Diagnostics {
        if config.attribute("mode").as_str() == Some("bad") {
            return Diagnostic::error("Bad Mode", "Choose another mode.")
                .at("mode")
                .into();
        }
        match config.attribute("credentials").attribute("label").as_str() {
            Some("bad") => {
                let path = AttributePath::attribute("credentials").then("label");
                Diagnostic::error("Bad Label", "Choose another label.")
                    .at(path)
                    .into()
            }
            _ => Diagnostics::new(),
        }
    }

    fn prior_type(&self, version: i64) -> Option<AttributeType> {
        (version == 0).then(|| AttributeType::object([("title", AttributeType::String)]))
    }

    async fn upgrade_state(
        &self,
        _: &Context,
        request: UpgradeRequest,
    ) -> Result<Value, Diagnostics> {
        let mut old = request.value;
        Ok(Value::object([
            ("name", old.take("title")),
            ("secret_wo", SECRET.into()),
        ]))
    }

    async fn read(&self, cx: &Context, request: ReadRequest) -> Result<ReadResponse, Diagnostics> {
        match request.state.attribute("mode").as_str() {
            Some("gone") => return Ok(ReadResponse::gone()),
            Some("unreadable") => return Err(Diagnostic::error("Read Denied", "Ask.").into()),
            Some("cancelled?") if cx.is_cancelled() => {
                return Err(Diagnostic::error("Stopped", "The host asked.").into());
            }
            _ => {}
        }
        let state = request.state.with("secret_wo", SECRET);
        Ok(ReadResponse {
            identity: identity(&state),
            ..ReadResponse::current(state)
        })
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Result<PlanResponse, Diagnostics> {
        match request.config.attribute("mode").as_str() {
            Some("remember") => return Ok(remember(&self.schema(), cx, request)),
            Some("silent") => return Ok(PlanResponse::planned(request.proposed_state)),
            _ => {}
        }
        if request.config.attribute("mode").as_str() == Some("panic") {
            panic!(
                "{} is in this message",
                request.config.attribute("secret_wo").as_str().unwrap()
            );
        }
        let creating = request.prior_state.is_null();
        let proposed = if creating {
            proposed_with_computed_unknown(&self.schema(), &request.config, request.proposed_state)
        } else {
            let mut proposed = request.proposed_state;
            if write_only_as_null(&self.schema(), proposed.clone()) != request.prior_state {
                proposed.mark_unknown(&["serial", "secret_length"]);
            }
            proposed
        };
        let renamed =
            !creating && request.prior_state.attribute("name") != request.config.attribute("name");
        Ok(PlanResponse {
            requires_replace: renamed.then(|| "name".into()).into_iter().collect(),
            private: Some(request.prior_private.with("planned", "yes")),
            ..PlanResponse::planned(keep_everything(&request.config, proposed))
        })
    }

    async fn create(
        &self,
        cx: &Context,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        tracing::info!(
            name = request.config.attribute("name").as_str(),
            "creating\nit"
        );
        let config = &request.config;
        let mut state = keep_everything(config, request.planned_state)
            .with("id", "id-1")
            .with("serial", "1");
        match config.attribute("mode").as_str() {
            Some("wait") => {
                tracing::info!("waiting for the token");
                cx.cancellation.cancelled().await;
                tracing::info!("the token was cancelled");
                return Err(Diagnostic::error("Create Stopped", "The host asked.").into());
            }
            Some("deaf") => {
                tracing::info!("waiting for nothing");
                std::future::pending::<()>().await;
            }
            Some("half") => {
                return Ok(ApplyResponse {
                    diagnostics: Diagnostic::error("Half Created", "The rest failed.").into(),
                    ..ApplyResponse::applied(state)
                });
            }
            _ => {}
        }
        let length = config
            .attribute("secret_wo")
            .as_str()
            .map(|text| text.len() as u64);
        state.set("secret_length", length);
        Ok(ApplyResponse {
            private: Some(request.planned_private.with("serial", "1")),
            identity: identity(&state),
            ..ApplyResponse::applied(state)
        })
    }

    async fn update(
        &self,
        _: &Context,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostics> {
        if request.config.attribute("mode").as_str() == Some("panic in apply") {
            panic!("{SECRET}");
        }
        let serial: u64 = request
            .planned_private
            .text("serial")
            .unwrap()
            .parse()
            .unwrap();
        let serial = (serial + 1).to_string();
        let length = request
            .config
            .attribute("secret_wo")
            .as_str()
            .map(|text| text.len() as u64);
        let state = keep_everything(&request.config, request.planned_state)
            .with("serial", serial.as_str())
            .with("secret_length", length);
        Ok(ApplyResponse {
            private: Some(request.planned_private.with("serial", serial)),
            ..ApplyResponse::applied(state)
        })
    }

    async fn delete(
        &self,
        _: &Context,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostics> {
        match request.prior_state.attribute("mode").as_str() {
            Some("keep") => Err(Diagnostic::error("Delete Denied", "It stays.").into()),
            _ => Ok(DeleteResponse::default()),
        }
    }

    async fn import(
        &self,
        _: &Context,
        request: ImportRequest,
    ) -> Result<ImportResponse, Diagnostics> {
        let name = match request.target {
            ImportTarget::Id(id) => Value::from(id),
            ImportTarget::Identity(mut identity) => identity.take("name"),
        };
        let state = Value::object([
            ("name", name),
            ("secret_wo", SECRET.into()),
            ("id", "id-1".into()),
            ("serial", "1".into()),
        ]);
        Ok(ImportResponse {
            identity: identity(&state),
            private: PrivateData::new().with("serial", "1"),
            ..ImportResponse::imported(state)
        })
    }

    async fn move_state(
        &self,
        _: &Context,
        request: MoveRequest,
    ) -> Result<ImportResponse, Diagnostics> {
        let text = String::from_utf8(request.source_state.expose().to_vec()).unwrap();
        let state = Value::object([("name", Value::from(text)), ("secret_wo", SECRET.into())]);
        Ok(ImportResponse::imported(state))
    }
}

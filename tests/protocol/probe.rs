//! A small provider that shows what the runtime does, and a way to start it.

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use planton_plugin::protocol::{self, HandshakeError, ServeError, ServeMode, ServeOptions};
use planton_plugin::*;

/// The value that must never be seen anywhere.
pub(crate) const SECRET: &str = "hunter2-hunter2";

const ENTRY: &str = "probe::serves_a_host_and_nobody_else";

/// Serves, in a process of its own, when a script of [`script`] starts this
/// very test binary; elsewhere it shows that no one but a host is served.
#[test]
fn serves_a_host_and_nobody_else() {
    let mut options = ServeOptions::new(["registry.terraform.io/test/probe"]);
    options.log_targets.push("protocol");
    let mode = std::env::var("PROBE");
    if mode.as_deref() == Ok("debug") {
        options.mode = ServeMode::Debug;
    }
    if mode.is_ok() {
        // Stdout is the test harness's: the script moved the host's away.
        options.output = Box::new(OpenOptions::new().write(true).open("/dev/fd/3").unwrap());
    }
    match protocol::serve(Arc::new(Probe), options) {
        Ok(()) => {}
        Err(ServeError::Handshake(HandshakeError::NotStartedByHost)) if mode.is_err() => {}
        Err(error) => {
            eprintln!("refused: {error}");
            std::process::exit(3);
        }
    }
}

/// Writes a program that is the probe, as far as a host can tell.
pub(crate) fn script(folder: &Path) -> PathBuf {
    let path = folder.join("terraform-provider-probe");
    let binary = std::env::current_exe().unwrap();
    let text = format!(
        "#!/bin/sh\nPROBE=1 exec '{}' --exact {ENTRY} --nocapture 3>&1 1>/dev/null\n",
        binary.display()
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// A command that becomes the probe.
pub(crate) fn command() -> Command {
    shell("exec \"$0\"")
}

/// A command that starts the probe as a child of its own.
pub(crate) fn parent_command() -> Command {
    shell(":; \"$0\"")
}

fn shell(start: &str) -> Command {
    let binary = std::env::current_exe().unwrap();
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(format!(
            "{start} --exact {ENTRY} --nocapture 3>&1 1>/dev/null; exit $?"
        ))
        .arg(binary)
        .env("PROBE", "1")
        .env_remove("TF_LOG")
        .env_remove("TF_LOG_PROVIDER");
    command
}

#[derive(Debug)]
struct Probe;

#[async_trait]
impl Provider for Probe {
    fn schema(&self) -> Schema {
        Schema::new([Attribute::string("greeting")])
    }

    async fn configure(&self, _: &Context, request: ConfigureRequest) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        if request.config.attribute("greeting").as_str() == Some("bad") {
            diagnostics.push(Diagnostic::error("Bad Greeting", "Say it better.").at("greeting"));
        }
        diagnostics
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        vec![Arc::new(Thing)]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        vec![Arc::new(Length)]
    }

    fn ephemeral_resources(&self) -> Vec<Arc<dyn EphemeralResource>> {
        vec![Arc::new(Token)]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(Shout)]
    }
}

/// A resource that gives back all that it is told, write-only values included,
/// and misbehaves where `mode` says so.
#[derive(Debug)]
struct Thing;

fn keep_everything(config: &Value, state: Value) -> Value {
    // What an author might do by mistake: the runtime must not let it out.
    let mut state = state;
    for name in ["secret_wo", "credentials", "keys"] {
        state.set(name, config.attribute(name).clone());
    }
    state
}

/// Plans as a resource that wants to know in its creation what it replaces.
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

#[derive(Debug)]
struct Length;

#[async_trait]
impl DataSource for Length {
    fn type_name(&self) -> &str {
        "probe_length"
    }

    fn schema(&self) -> Schema {
        Schema::new([
            Attribute::string("text").required(),
            Attribute::number("length").computed(),
        ])
    }

    async fn read(
        &self,
        _: &Context,
        request: ReadDataRequest,
    ) -> Result<ReadDataResponse, Diagnostics> {
        let length = request
            .config
            .attribute("text")
            .as_str()
            .map(|text| text.len() as u64);
        Ok(ReadDataResponse::found(
            request.config.with("length", length),
        ))
    }
}

#[derive(Debug)]
struct Token;

#[async_trait]
impl EphemeralResource for Token {
    fn type_name(&self) -> &str {
        "probe_token"
    }

    fn schema(&self) -> Schema {
        Schema::new([
            Attribute::string("name").required(),
            Attribute::string("token").computed().sensitive(),
        ])
    }

    async fn open(&self, _: &Context, request: OpenRequest) -> Result<OpenResponse, Diagnostics> {
        tracing::info!("opened");
        Ok(OpenResponse {
            private: PrivateData::new().with("lease", "1"),
            renew_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)),
            ..OpenResponse::opened(request.config.with("token", SECRET))
        })
    }

    async fn renew(
        &self,
        _: &Context,
        request: RenewRequest,
    ) -> Result<RenewResponse, Diagnostics> {
        let lease: u32 = request.private.text("lease").unwrap().parse().unwrap();
        Ok(RenewResponse {
            private: Some(PrivateData::new().with("lease", (lease + 1).to_string())),
            ..RenewResponse::default()
        })
    }

    async fn close(&self, _: &Context, private: PrivateData) -> Diagnostics {
        tracing::info!(lease = private.text("lease"), "closed");
        Diagnostic::warning("Closed", private.text("lease").unwrap()).into()
    }
}

#[derive(Debug)]
struct Shout;

#[async_trait]
impl Function for Shout {
    fn name(&self) -> &str {
        "shout"
    }

    fn signature(&self) -> Signature {
        Signature::returning(AttributeType::String)
            .parameter(Parameter::new("text", AttributeType::String))
            .variadic(Parameter::new("more", AttributeType::String))
            .describe("Shouts.", "In capitals.")
    }

    async fn call(&self, _: &Context, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let texts: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
        match texts.iter().position(|text| text.is_empty()) {
            Some(index) => Err(FunctionError::argument(index, "Nothing to shout.")),
            None => Ok(texts.join(" ").to_uppercase().into()),
        }
    }
}

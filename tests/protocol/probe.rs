//! A small provider that exercises the runtime, and functions that start it.

mod thing;
mod waiting;

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use planton_plugin::protocol::{self, HandshakeError, ServeError, ServeMode, ServeOptions};
use planton_plugin::*;

use thing::Thing;
use waiting::Waiting;

/// The value that must never appear anywhere.
pub(crate) const SECRET: &str = "hunter2-hunter2";

const ENTRY: &str = "probe::serves_a_host_and_nobody_else";

/// Serves if a script of [`script`] started this test binary. Otherwise shows that only a
/// host is served.
#[test]
fn serves_a_host_and_nobody_else() {
    let mut options = ServeOptions::new(["registry.terraform.io/test/probe"]);
    options.log_targets.push("protocol");
    let mode = std::env::var("PROBE");
    if mode.as_deref() == Ok("debug") {
        options.mode = ServeMode::Debug;
    }
    if mode.is_ok() {
        // The test harness uses stdout, so the script moved the host's pipe.
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

/// Writes a program that a host can start as the probe.
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

/// Returns a command that replaces itself with the probe.
pub(crate) fn command() -> Command {
    shell("exec \"$0\"")
}

/// Returns a command that starts the probe as its child.
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

    /// Continues for a while after the end was requested, or forever.
    async fn finish(&self) {
        struct Dropped;
        impl Drop for Dropped {
            fn drop(&mut self) {
                tracing::info!("the finish was dropped");
            }
        }
        let dropped = Dropped;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        if std::env::var_os("PROBE_NEVER_FINISHES").is_some() {
            std::future::pending::<()>().await;
        }
        std::mem::forget(dropped);
        tracing::info!("the finish has ended");
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        vec![Arc::new(Thing), Arc::new(Waiting)]
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

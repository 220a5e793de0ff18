//! A run of a host, and its calls.

use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};
use tonic::transport::Channel;

use crate::binary::{binary, config};
use test_support::plugin_client::Plugin;
use test_support::plugin_client::value::{decode, encode, unknown};
use test_support::plugin_client::wire::provider_client::ProviderClient;
use test_support::plugin_client::wire::*;

pub(super) const SECRET: &str = "planton_secret";
pub(super) const DEFAULT: &str = "planton_default_backend";

/// A run of a host. Its provider process has a parent of its own.
pub(super) struct Run {
    client: ProviderClient<Channel>,
    type_name: &'static str,
    schema: Schema,
    keeps_planned_private: bool,
    _plugin: Plugin,
}

/// A resource in a state.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) state: Json,
    pub(super) private: Vec<u8>,
}

/// The input of a plan besides the configuration.
pub(super) struct Prior<'a> {
    pub(super) state: &'a Json,
    pub(super) private: &'a [u8],
    pub(super) planned: &'a [u8],
}

impl Run {
    pub(super) async fn start(folder: &Path, keeps_planned_private: bool) -> Self {
        Self::resuming(folder, keeps_planned_private, None).await
    }

    /// Starts a run, with `PLANTON_RESUME` if given.
    pub(super) async fn resuming(
        folder: &Path,
        keeps_planned_private: bool,
        resume: Option<&str>,
    ) -> Self {
        Self::of(SECRET, folder, keeps_planned_private, resume).await
    }

    /// Starts a run whose calls are about this resource type.
    pub(super) async fn of(
        type_name: &'static str,
        folder: &Path,
        keeps_planned_private: bool,
        resume: Option<&str>,
    ) -> Self {
        // The parent process identifies the run.
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "\"$0\"; exit $?"])
            .arg(binary().get_program());
        if let Some(resume) = resume {
            command.env("PLANTON_RESUME", resume);
        }
        let plugin = Plugin::start(command);
        let mut client = plugin.client().await;
        let schemas = client
            .get_provider_schema(GetProviderSchemaRequest {})
            .await;
        let schemas = schemas.unwrap().into_inner();
        let embedded = json!({ "path": folder.join("platform") });
        let provider = config(
            schemas.provider.as_ref().unwrap(),
            &[("organization", "acme".into()), ("embedded", embedded)],
        );
        let configure = ConfigureProviderRequest {
            terraform_version: "1.16.0".to_owned(),
            config: encode(&provider),
            ..Default::default()
        };
        let configured = client.configure_provider(configure).await.unwrap();
        let diagnostics = configured.into_inner().diagnostics;
        assert!(errors(&diagnostics).is_empty(), "{diagnostics:?}");
        Self {
            client,
            type_name,
            schema: schemas.resource_schemas[type_name].clone(),
            keeps_planned_private,
            _plugin: plugin,
        }
    }

    pub(super) fn config(&self, value: &str) -> Json {
        self.config_of(&[
            ("name", "db".into()),
            ("value_wo", value.into()),
            ("value_wo_version", "1".into()),
        ])
    }

    pub(super) fn config_of(&self, arguments: &[(&str, Json)]) -> Json {
        config(&self.schema, arguments)
    }

    pub(super) async fn plan(
        &mut self,
        config: &Json,
        prior: Prior<'_>,
    ) -> PlanResourceChangeResponse {
        let mut proposed = config.clone();
        if let Some(value) = proposed.get_mut("value_wo") {
            *value = Json::Null;
        }
        if !prior.state.is_null() {
            for attribute in self.schema.block.clone().unwrap().attributes {
                if attribute.computed && proposed[&attribute.name].is_null() {
                    proposed[&attribute.name] = prior.state[&attribute.name].clone();
                }
            }
        }
        let request = PlanResourceChangeRequest {
            type_name: self.type_name.to_owned(),
            prior_state: encode(prior.state),
            proposed_new_state: encode(&proposed),
            config: encode(config),
            prior_private: prior.private.to_vec(),
            planned_private: if self.keeps_planned_private {
                prior.planned.to_vec()
            } else {
                Vec::new()
            },
            client_capabilities: Some(ClientCapabilities {
                write_only_attributes_allowed: true,
                store_planned_private: self.keeps_planned_private,
                ..Default::default()
            }),
            ..Default::default()
        };
        let planned = self.client.plan_resource_change(request).await.unwrap();
        planned.into_inner()
    }

    /// Applies. Returns the object, or the texts of the errors.
    pub(super) async fn apply(
        &mut self,
        prior: &Json,
        config: &Json,
        planned: PlanResourceChangeResponse,
    ) -> Result<Option<Object>, String> {
        let request = ApplyResourceChangeRequest {
            type_name: self.type_name.to_owned(),
            prior_state: encode(prior),
            planned_state: planned.planned_state,
            config: encode(config),
            planned_private: planned.planned_private,
            planned_identity: planned.planned_identity,
        };
        let applied = self.client.apply_resource_change(request).await.unwrap();
        let applied = applied.into_inner();
        let told = errors(&applied.diagnostics);
        if !told.is_empty() {
            return Err(told);
        }
        let state = decode(applied.new_state.as_ref());
        Ok((!state.is_null()).then_some(Object {
            state,
            private: applied.private,
        }))
    }

    pub(super) async fn create(&mut self, value: &str) -> Object {
        let config = self.config(value);
        self.create_by(&config).await.unwrap()
    }

    /// Plans and applies a creation. Returns the texts of the errors if it fails.
    pub(super) async fn create_by(&mut self, config: &Json) -> Result<Object, String> {
        let nothing = Prior {
            state: &Json::Null,
            private: &[],
            planned: &[],
        };
        let planned = self.plan(config, nothing).await;
        assert_eq!(errors(&planned.diagnostics), "");
        let created = self.apply(&Json::Null, config, planned).await;
        created.map(|object| object.unwrap())
    }

    /// Plans and applies an update. Returns the texts of the errors if it fails.
    pub(super) async fn update(
        &mut self,
        config: &Json,
        object: &Object,
    ) -> Result<Object, String> {
        let prior = Prior {
            state: &object.state,
            private: &object.private,
            planned: &[],
        };
        let planned = self.plan(config, prior).await;
        assert_eq!(errors(&planned.diagnostics), "");
        let updated = self.apply(&object.state, config, planned).await;
        updated.map(|object| object.unwrap())
    }

    /// Makes the two plans of a forced replacement: an update and a creation.
    pub(super) async fn plan_replacement(&mut self, value: &str, old: &Object) -> Vec<u8> {
        let config = self.config(value);
        self.plan_replacement_by(&config, old).await.unwrap()
    }

    /// Does so with this configuration. Returns the texts of the errors if it is
    /// rejected.
    pub(super) async fn plan_replacement_by(
        &mut self,
        config: &Json,
        old: &Object,
    ) -> Result<Vec<u8>, String> {
        let current = Prior {
            state: &old.state,
            private: &old.private,
            planned: &[],
        };
        let first = self.plan(config, current).await;
        assert_eq!(errors(&first.diagnostics), "");
        let nothing = Prior {
            state: &Json::Null,
            private: &first.planned_private,
            planned: &[],
        };
        let second = self.plan(config, nothing).await;
        let refused = errors(&second.diagnostics);
        if !refused.is_empty() {
            return Err(refused);
        }
        assert_eq!(decode(second.planned_state.as_ref())["id"], unknown());
        Ok(second.planned_private)
    }

    /// Makes the creation of the following apply, in which the old object is deposed.
    pub(super) async fn create_planned(
        &mut self,
        value: &str,
        planned: &[u8],
    ) -> Result<Object, String> {
        let config = self.config(value);
        self.create_planned_by(&config, planned).await
    }

    pub(super) async fn create_planned_by(
        &mut self,
        config: &Json,
        planned: &[u8],
    ) -> Result<Object, String> {
        let deposed = Prior {
            state: &Json::Null,
            private: &[],
            planned,
        };
        let again = self.plan(config, deposed).await;
        assert_eq!(errors(&again.diagnostics), "");
        let created = self.apply(&Json::Null, config, again).await;
        created.map(|object| object.unwrap())
    }

    pub(super) async fn destroy(&mut self, object: &Object) -> Result<(), String> {
        let request = PlanResourceChangeRequest {
            type_name: self.type_name.to_owned(),
            prior_state: encode(&object.state),
            proposed_new_state: encode(&Json::Null),
            config: encode(&Json::Null),
            prior_private: object.private.clone(),
            ..Default::default()
        };
        let planned = self.client.plan_resource_change(request).await.unwrap();
        let planned = planned.into_inner();
        let refused = errors(&planned.diagnostics);
        if !refused.is_empty() {
            return Err(refused);
        }
        let gone = self.apply(&object.state, &Json::Null, planned).await?;
        assert!(gone.is_none());
        Ok(())
    }

    /// Reads as a refresh does. Returns `None` if the object is gone.
    pub(super) async fn read(&mut self, object: &Object) -> Option<Json> {
        self.refreshed(object).await.map(|object| object.state)
    }

    pub(super) async fn refreshed(&mut self, object: &Object) -> Option<Object> {
        let request = ReadResourceRequest {
            type_name: self.type_name.to_owned(),
            current_state: encode(&object.state),
            private: object.private.clone(),
            ..Default::default()
        };
        let read = self
            .client
            .read_resource(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(errors(&read.diagnostics), "");
        let state = decode(read.new_state.as_ref());
        (!state.is_null()).then_some(Object {
            state,
            private: read.private,
        })
    }

    /// Opens the secret with the fixed name.
    pub(super) async fn open(&mut self) -> String {
        let schemas = self
            .client
            .get_provider_schema(GetProviderSchemaRequest {})
            .await;
        let schema = schemas.unwrap().into_inner().ephemeral_resource_schemas[SECRET].clone();
        let open = OpenEphemeralResourceRequest {
            type_name: SECRET.to_owned(),
            config: encode(&config(&schema, &[("name", "db".into())])),
            ..Default::default()
        };
        let opened = self.client.open_ephemeral_resource(open).await.unwrap();
        let opened = opened.into_inner();
        assert_eq!(errors(&opened.diagnostics), "");
        decode(opened.result.as_ref())["value"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

pub(super) fn errors(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics
        .iter()
        .filter(|one| one.severity == i32::from(diagnostic::Severity::Error));
    let texts = errors.map(|one| format!("{}: {}", one.summary, one.detail));
    texts.collect::<Vec<_>>().join("\n")
}

//! A replacement under `create_before_destroy`, as hosts of protocol 6.11 do it
//! and as earlier ones do.

use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};
use tonic::transport::Channel;

use crate::binary::{binary, config};
use test_support::plugin_client::Plugin;
use test_support::plugin_client::value::{decode, encode, unknown};
use test_support::plugin_client::wire::provider_client::ProviderClient;
use test_support::plugin_client::wire::*;

const SECRET: &str = "planton_secret";

/// One run of a host: a provider process of its own, with its own parent.
struct Run {
    client: ProviderClient<Channel>,
    schema: Schema,
    keeps_planned_private: bool,
    _plugin: Plugin,
}

/// What a state holds of a resource.
#[derive(Clone)]
struct Object {
    state: Json,
    private: Vec<u8>,
}

/// What a plan starts from.
struct Prior<'a> {
    state: &'a Json,
    private: &'a [u8],
    planned: &'a [u8],
}

impl Run {
    async fn start(folder: &Path, keeps_planned_private: bool) -> Self {
        Self::resuming(folder, keeps_planned_private, None).await
    }

    /// Starts a run with `PLANTON_RESUME` set to this.
    async fn resuming(folder: &Path, keeps_planned_private: bool, resume: Option<&str>) -> Self {
        // A parent of its own: runs are told apart by it.
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
            schema: schemas.resource_schemas[SECRET].clone(),
            keeps_planned_private,
            _plugin: plugin,
        }
    }

    fn config(&self, value: &str) -> Json {
        config(
            &self.schema,
            &[
                ("name", "db".into()),
                ("value_wo", value.into()),
                ("value_wo_version", "1".into()),
            ],
        )
    }

    async fn plan(&mut self, config: &Json, prior: Prior<'_>) -> PlanResourceChangeResponse {
        let mut proposed = config.clone();
        proposed["value_wo"] = Json::Null;
        if !prior.state.is_null() {
            for attribute in self.schema.block.clone().unwrap().attributes {
                if attribute.computed && proposed[&attribute.name].is_null() {
                    proposed[&attribute.name] = prior.state[&attribute.name].clone();
                }
            }
        }
        let request = PlanResourceChangeRequest {
            type_name: SECRET.to_owned(),
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

    /// Applies; the object, or the errors' texts.
    async fn apply(
        &mut self,
        prior: &Json,
        config: &Json,
        planned: PlanResourceChangeResponse,
    ) -> Result<Option<Object>, String> {
        let request = ApplyResourceChangeRequest {
            type_name: SECRET.to_owned(),
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

    async fn create(&mut self, value: &str) -> Object {
        let config = self.config(value);
        self.create_by(&config).await.unwrap()
    }

    /// Plans and applies a creation; the errors' texts where it fails.
    async fn create_by(&mut self, config: &Json) -> Result<Object, String> {
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

    /// Plans and applies an update; the errors' texts where it fails.
    async fn update(&mut self, config: &Json, object: &Object) -> Result<Object, String> {
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

    /// The plans of a forced replacement: of an update, and of a creation.
    async fn plan_replacement(&mut self, value: &str, old: &Object) -> Vec<u8> {
        let config = self.config(value);
        self.plan_replacement_by(&config, old).await.unwrap()
    }

    /// The same by this configuration; the errors' texts where it is refused.
    async fn plan_replacement_by(
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

    /// The creation of the apply that follows, in which the old object is deposed.
    async fn create_planned(&mut self, value: &str, planned: &[u8]) -> Result<Object, String> {
        let config = self.config(value);
        self.create_planned_by(&config, planned).await
    }

    async fn create_planned_by(&mut self, config: &Json, planned: &[u8]) -> Result<Object, String> {
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

    async fn destroy(&mut self, object: &Object) -> Result<(), String> {
        let request = PlanResourceChangeRequest {
            type_name: SECRET.to_owned(),
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

    /// Reads, as a refresh does; `None` where it is gone.
    async fn read(&mut self, object: &Object) -> Option<Json> {
        self.refreshed(object).await.map(|object| object.state)
    }

    async fn refreshed(&mut self, object: &Object) -> Option<Object> {
        let request = ReadResourceRequest {
            type_name: SECRET.to_owned(),
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

    /// Opens the secret of this name.
    async fn open(&mut self) -> String {
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

fn errors(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics
        .iter()
        .filter(|one| one.severity == i32::from(diagnostic::Severity::Error));
    let texts = errors.map(|one| format!("{}: {}", one.summary, one.detail));
    texts.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_replacement_takes_its_own_name_over_where_the_host_keeps_planned_private_data() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), true).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), true).await;
        plan.plan_replacement("new", &old).await
    };
    let mut apply = Run::start(folder.path(), true).await;
    let new = apply.create_planned("new", &planned).await.unwrap();
    assert_ne!(new.state["id"], old.state["id"]);
    assert_eq!(apply.open().await, "new");
    // The old one stands until it is destroyed, and then alone is gone.
    assert!(apply.read(&old).await.is_some());
    apply.destroy(&old).await.unwrap();
    assert!(apply.read(&old).await.is_none());
    assert_eq!(apply.read(&new).await.unwrap()["id"], new.state["id"]);
    assert_eq!(apply.open().await, "new");
    apply.destroy(&new).await.unwrap();
}

#[tokio::test]
async fn a_replacement_is_refused_its_own_name_by_a_host_that_forgets() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), false).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), false).await;
        plan.plan_replacement("new", &old).await
    };
    let mut run = Run::start(folder.path(), false).await;
    let told = run.create_planned("new", &planned).await.err().unwrap();
    assert!(told.contains("Secret Already Exists"), "{told}");
    assert_eq!(run.open().await, "old");
    assert!(run.read(&old).await.is_some());
}

#[tokio::test]
async fn a_replacement_does_not_take_a_name_that_another_state_has_by_now() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), true).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), true).await;
        plan.plan_replacement("new", &old).await
    };
    // Between the plan and the apply, the name gets another secret.
    let theirs = {
        let mut other = Run::start(folder.path(), true).await;
        other.destroy(&old).await.unwrap();
        other.create("theirs").await
    };
    let mut apply = Run::start(folder.path(), true).await;
    let told = apply.create_planned("new", &planned).await.err().unwrap();
    assert!(told.contains("Secret Already Exists"), "{told}");
    assert_eq!(apply.open().await, "theirs");
    assert_eq!(apply.read(&theirs).await.unwrap()["id"], theirs.state["id"]);
}

/// The value of `PLANTON_RESUME` that an error prints.
fn resume_in(told: &str) -> String {
    let (_, after) = told.split_once("PLANTON_RESUME=").unwrap();
    after.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_replacement_leaves_what_another_state_has_adopted_since_its_plan() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), true).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), true).await;
        plan.plan_replacement("new", &old).await
    };
    let told = {
        let mut other = Run::start(folder.path(), true).await;
        let config = other.config("old");
        other.create_by(&config).await.err().unwrap()
    };
    let adopted = {
        let resume = resume_in(&told);
        let mut other = Run::resuming(folder.path(), true, Some(&resume)).await;
        other.create("old").await
    };
    assert_eq!(adopted.state["id"], old.state["id"]);

    let mut apply = Run::start(folder.path(), true).await;
    let told = apply.create_planned("new", &planned).await.err().unwrap();
    assert!(told.contains("Secret Already Exists"), "{told}");
    // Terraform restores what it had deposed; a destroy of it hits nobody either.
    apply.destroy(&old).await.unwrap();
    assert_eq!(apply.open().await, "old");
    let theirs = apply.read(&adopted).await.unwrap();
    assert_eq!(theirs["id"], adopted.state["id"]);
}

#[tokio::test]
async fn a_replacement_takes_its_name_over_beside_a_takes_over_that_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let first = Run::start(folder.path(), false).await.create("one").await;
    let taking = |run: &Run, value: &str| {
        let mut config = run.config(value);
        config["takes_over"] = first.state["id"].clone();
        config
    };
    // By a host that forgets, and so by takes_over.
    let second = {
        let mut run = Run::start(folder.path(), false).await;
        let config = taking(&run, "two");
        let planned = run.plan_replacement_by(&config, &first).await.unwrap();
        let second = run.create_planned_by(&config, &planned).await.unwrap();
        run.destroy(&first).await.unwrap();
        second
    };
    let mut run = Run::start(folder.path(), true).await;
    let config = taking(&run, "three");
    let planned = run.plan_replacement_by(&config, &second).await.unwrap();
    let mut run = Run::start(folder.path(), true).await;
    run.create_planned_by(&config, &planned).await.unwrap();
    run.destroy(&second).await.unwrap();
    assert_eq!(run.open().await, "three");
}

#[tokio::test]
async fn a_plan_of_a_host_that_keeps_is_refused_by_one_that_forgets() {
    let folder = tempfile::tempdir().unwrap();
    let old = Run::start(folder.path(), true).await.create("old").await;
    let planned = {
        let mut plan = Run::start(folder.path(), true).await;
        plan.plan_replacement("new", &old).await
    };
    let mut apply = Run::start(folder.path(), false).await;
    let told = apply.create_planned("new", &planned).await.err().unwrap();
    for part in ["Secret Already Exists", "takes_over"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(apply.open().await, "old");
}

#[tokio::test]
async fn a_protected_secret_keeps_its_name_whatever_the_host_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), true).await;
    let mut config = run.config("old");
    config["deletion_protection"] = true.into();
    let old = run.create_by(&config).await.unwrap();
    let told = run.plan_replacement_by(&config, &old).await.err().unwrap();
    assert!(told.contains("Secret Deletion Protected"), "{told}");

    // Protected after the plan, so that only the record says so.
    config["deletion_protection"] = false.into();
    let open = run.update(&config, &old).await.unwrap();
    let planned = run.plan_replacement_by(&config, &open).await.unwrap();
    let mut protecting = config.clone();
    protecting["deletion_protection"] = true.into();
    run.update(&protecting, &open).await.unwrap();
    let mut apply = Run::start(folder.path(), true).await;
    let told = apply.create_planned_by(&config, &planned).await;
    let told = told.err().unwrap();
    assert!(told.contains("Secret Deletion Protected"), "{told}");
    assert_eq!(apply.open().await, "old");
}

/// The run is killed once the successor is committed: its state never learns of it.
#[tokio::test]
async fn a_replacement_that_was_killed_is_repeated_or_taken_back_by_the_run_to_resume() {
    for keeps_successor in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let old = Run::start(folder.path(), true).await.create("old").await;
        let lost = {
            let mut killed = Run::start(folder.path(), true).await;
            let planned = killed.plan_replacement("new", &old).await;
            killed.create_planned("new", &planned).await.unwrap()
        };
        let mut next = Run::start(folder.path(), true).await;
        let seen = next.refreshed(&old).await.unwrap();
        let config = next.config("old");
        let told = next.update(&config, &seen).await.err().unwrap();
        for part in ["Secret Displaced", lost.state["id"].as_str().unwrap()] {
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(next.open().await, "new");
        let resume = resume_in(&told);

        let mut resumed = Run::resuming(folder.path(), true, Some(&resume)).await;
        let seen = resumed.refreshed(&old).await.unwrap();
        if keeps_successor {
            let planned = resumed.plan_replacement("new", &seen).await;
            let new = resumed.create_planned("new", &planned).await.unwrap();
            assert_eq!(new.state["id"], lost.state["id"]);
            resumed.destroy(&seen).await.unwrap();
            assert!(resumed.read(&old).await.is_none());
            assert_eq!(resumed.open().await, "new");
            let mut later = Run::start(folder.path(), true).await;
            later.destroy(&new).await.unwrap();
        } else {
            let back = resumed.update(&config, &seen).await.unwrap();
            assert_eq!(back.state["id"], old.state["id"]);
            assert_eq!(resumed.open().await, "old");
        }
    }
}

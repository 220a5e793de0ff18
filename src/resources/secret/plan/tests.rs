use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::deletion_protection::plan_destroy;
use super::*;
use crate::resources::private_state::Anchor;
use crate::resources::private_state::tests::session;
use crate::resources::secret::schema::schema;
use planton_core::operations::{
    BackendArguments, BackendOnDestroy, DeclaredKeys, Interrupt, OrganizationFingerprint,
    RegisterBackend, SeenBackend, SeenDigest, StoreCredential, StoreSettings,
};
use planton_plugin::{PlanDestroyRequest, PrivateData};

/// A configuration with these attributes, and null for all others.
fn config(attributes: &[(&str, Value)]) -> Value {
    let all = schema().attributes;
    let mut config = Value::object(all.iter().map(|a| (a.name.clone(), Value::Null)));
    for (name, value) in attributes {
        config.set(*name, value.clone());
    }
    config
}

fn secret() -> Value {
    config(&[
        ("name", "db".into()),
        ("value_wo", "x".into()),
        ("value_wo_version", "1".into()),
    ])
}

/// The state of that secret.
fn state(protection: bool, on_destroy: &str) -> Value {
    secret()
        .with("value_wo", Value::Null)
        .with("id", "1b4e4c9e-0000-8000-8000-000000000001")
        .with("backend", "platform")
        .with("deletion_protection", protection)
        .with("on_destroy", on_destroy)
        .with("keep_versions", 10)
        .with("labels_all", Value::map::<&str>([]))
        .with("version", 1)
        .with("revision", 1)
}

fn private() -> PrivateData {
    Private {
        anchor: Anchor {
            generation: 7,
            ..Anchor::default()
        },
        ..Private::default()
    }
    .write()
}

fn no_defaults() -> PartlyKnown {
    PartlyKnown {
        default_environment: Setting::Absent,
        default_labels: Setting::Absent,
    }
}

async fn planned(request: PlanRequest) -> Result<PlanResponse, Diagnostic> {
    let planning = Planning {
        defaults: no_defaults(),
        session: None,
    };
    SecretResource.plan(&planning, request).await
}

fn request(prior_state: Value, prior_private: PrivateData) -> PlanRequest {
    PlanRequest {
        config: secret(),
        proposed_state: match prior_state.is_null() {
            true => secret(),
            false => prior_state.clone(),
        },
        prior_state,
        prior_private,
        planned_private: None,
        prior_identity: Value::Null,
    }
}

/// Plans a requested replacement as Terraform does: twice.
async fn replaced(state: Value) -> Result<PlanResponse, Diagnostic> {
    let first = planned(request(state, private())).await?;
    assert!(first.requires_replace.is_empty());
    planned(request(Value::Null, first.private.expect("a mark"))).await
}

#[tokio::test]
async fn the_second_plan_of_a_replacement_rejects_a_protected_or_retained_secret() {
    for (state, summary) in [
        (state(true, "delete"), "Secret Deletion Protected"),
        (state(false, "retain"), "Retained Secret Not Replaceable"),
    ] {
        let refused = replaced(state).await.expect_err("it is refused");
        assert_eq!(refused.summary, summary);
    }
    let allowed = replaced(state(false, "delete")).await.expect("a plan");
    let kept = allowed.private.expect("what the deletion goes by");
    assert_eq!(Private::read(&kept).map(|it| it.anchor.generation), Ok(7));
    assert!(matches!(Mark::of(&kept), Some(Mark::Existing(_))));
}

/// A host that keeps the private data of a plan sends nothing else with the plan before the
/// apply.
#[tokio::test]
async fn a_repeated_plan_uses_the_private_data_of_the_first() {
    let allowed = replaced(state(false, "delete")).await.expect("a plan");
    let again = PlanRequest {
        planned_private: allowed.private.clone(),
        ..request(Value::Null, PrivateData::new())
    };
    let again = planned(again).await.expect("a plan");
    assert_eq!(again.private, allowed.private);
}

#[tokio::test]
async fn a_creation_is_distinguished_from_a_replacement() {
    let created = planned(request(Value::Null, PrivateData::new())).await;
    let private = created.expect("a plan").private.expect("a mark");
    assert_eq!(Mark::of(&private), Some(Mark::Creation));
    // A repeated plan, and the plan of a tainted secret, stay creations.
    let again = planned(request(Value::Null, private)).await;
    let private = again.expect("a plan").private.expect("a mark");
    assert_eq!(Mark::of(&private), Some(Mark::Creation));
}

#[tokio::test]
async fn a_destruction_drops_the_mark_of_a_plan_that_failed() {
    let first = planned(request(state(false, "retain"), private())).await;
    let destroy = PlanDestroyRequest {
        prior_state: state(false, "retain"),
        prior_private: first.expect("a plan").private.expect("a mark"),
        prior_identity: Value::Null,
    };
    let planned = plan_destroy(destroy, None).await;
    let kept = planned.expect("a plan").private.expect("private data");
    assert_eq!(Mark::of(&kept), None);
    assert_eq!(Private::read(&kept).map(|it| it.anchor.generation), Ok(7));
}

/// All resources of a process go by what a state has seen of a backend, so that must be of the
/// catalog at hand.
#[tokio::test]
async fn a_plan_remembers_no_backend_of_another_catalog_or_mac_key() {
    let vault = Slug::parse("vault").expect("a slug");
    let seen = SeenBackend {
        name: vault.clone(),
        uuid: Uuid::from_u128(7),
        generation: 99,
        digest: SeenDigest::of("place"),
        keys_digest: None,
        is_static: false,
    };
    let other_catalog = Anchor {
        catalog: Some(Uuid::from_u128(7)),
        ..Anchor::default()
    };
    let other_key = Anchor {
        mac_key: Some(OrganizationFingerprint::from_bytes([0; 16])),
        ..Anchor::default()
    };
    let bare = secret().with("value_wo_version", Value::Null);
    for (anchor, summary) in [
        (other_catalog, "Different Platform"),
        (other_key, "Catalog Key Replaced"),
    ] {
        let session = Arc::new(session().await);
        let private = Private {
            anchor,
            backend: Some(seen.clone()),
            ..Private::default()
        };
        let prior = state(false, "delete").with("value_wo_version", Value::Null);
        let request = PlanRequest {
            config: bare.clone(),
            ..request(prior, private.write())
        };
        let planning = Planning {
            defaults: no_defaults(),
            session: Some(Arc::clone(&session)),
        };
        let refused = SecretResource.plan(&planning, request).await;
        assert_eq!(refused.expect_err("another catalog").summary, summary);

        // The backend of that name in this catalog is at an early generation.
        let folder = tempfile::tempdir().expect("a folder");
        declare(&session, &vault, folder.path()).await;
        let (keys, interrupt) = (session.organization.keys(), Interrupt::default());
        let rewrapped = keys.rewrap(&vault, &|_| {}, &interrupt).await;
        rewrapped.expect("nothing older was seen");
    }
}

/// Declares a backend in a folder.
async fn declare(session: &Configured, name: &Slug, folder: &Path) {
    let path = folder.to_str().expect("a path");
    let register = RegisterBackend {
        name: name.clone(),
        description: None,
        settings: StoreSettings {
            kind: "toy_folder".to_owned(),
            name_prefix: "planton".to_owned(),
            configuration: BTreeMap::from([("path".to_owned(), path.into())]),
        },
        fixed: Vec::new(),
        credential: StoreCredential::new(),
        keys: DeclaredKeys::default(),
        arguments: BackendArguments {
            credentials_wo_version: None,
            verify_connection: false,
            on_destroy: BackendOnDestroy::Delete,
        },
    };
    let interrupt = Interrupt::default();
    let backends = session.organization.backends();
    let registered = backends.register(register, &interrupt).await;
    registered.expect("a backend");
}

/// If a part is null, Terraform proposes the prior value, but the apply sets the default.
#[tokio::test]
async fn a_default_is_planned_beside_an_unknown_part() {
    let spec = |length: Value, special: Value| {
        let names = [
            "length",
            "lower",
            "upper",
            "numeric",
            "special",
            "override_special",
        ];
        let minima = ["min_lower", "min_upper", "min_numeric", "min_special"];
        let all = names.into_iter().chain(minima);
        Value::object(all.map(|name| (name, Value::Null)))
            .with("length", length)
            .with("special", special)
    };
    let prior = state(false, "delete").with("generate", spec(20.into(), false.into()));
    let config = secret()
        .with("value_wo", Value::Null)
        .with("generate", spec(Value::Unknown, Value::Null));
    let request = PlanRequest {
        config,
        proposed_state: prior
            .clone()
            .with("generate", spec(Value::Unknown, false.into())),
        ..request(prior, private())
    };
    let response = planned(request).await.expect("a plan");
    let state = response.planned_state;
    let generate = state.attribute("generate");
    assert!(generate.attribute("length").is_unknown());
    assert_eq!(generate.attribute("special").as_bool(), Some(true));
}

use tokio_util::sync::CancellationToken;

use super::super::destruction::plan_destroy;
use super::*;
use crate::resources::private_state::Anchor;
use crate::resources::secret::schema::schema;
use planton_core::operations::Interrupt;
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
        .with("kind", "text")
        .with("version", 1)
        .with("revision", 1)
        .with("reference", "$secret/db")
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

async fn planned(request: PlanRequest) -> Result<PlanResponse, Diagnostic> {
    let defaults = PartlyKnown {
        default_environment: Setting::Absent,
        default_labels: Setting::Absent,
    };
    let planning = Planning {
        defaults,
        session: None,
        interrupt: Interrupt::new(CancellationToken::new(), None),
    };
    plan(&schema(), request, &planning).await
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

/// As Terraform plans a replacement that it was asked for.
async fn replaced(state: Value) -> Result<PlanResponse, Diagnostic> {
    let first = planned(request(state, private())).await?;
    assert!(first.requires_replace.is_empty());
    planned(request(Value::Null, first.private.expect("a mark"))).await
}

#[tokio::test]
async fn the_second_plan_of_a_replacement_refuses_what_is_protected_or_retained() {
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

/// Where the host keeps what a plan gave, the plan before the apply has nothing but
/// that.
#[tokio::test]
async fn a_repeated_plan_goes_by_what_the_plan_gave() {
    let allowed = replaced(state(false, "delete")).await.expect("a plan");
    let again = PlanRequest {
        planned_private: allowed.private.clone(),
        ..request(Value::Null, PrivateData::new())
    };
    let again = planned(again).await.expect("a plan");
    assert_eq!(again.private, allowed.private);
}

#[tokio::test]
async fn a_creation_is_told_from_a_replacement() {
    let created = planned(request(Value::Null, PrivateData::new())).await;
    let private = created.expect("a plan").private.expect("a mark");
    assert_eq!(Mark::of(&private), Some(Mark::Creation));
    // Repeated, and for a tainted secret, it stays one.
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

/// A part that is null leaves the prior value in what Terraform proposes, though the
/// apply fills in the default.
#[tokio::test]
async fn a_default_is_planned_beside_what_is_unknown() {
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

//! Handlers of managed resources.

use std::sync::Arc;

use super::{Inner, private_data};
use crate::protocol::registry::ResourceEntry;
use crate::protocol::{convert, guard, wire};
use crate::{
    ApplyResponse, Context, CreateRequest, DeleteRequest, Diagnostic, Diagnostics,
    PlanDestroyRequest, PlanRequest, PrivateData, ReadOutcome, ReadRequest, UpdateRequest, Value,
    write_only_paths,
};

pub(super) async fn validate(
    inner: Arc<Inner>,
    request: wire::ValidateResourceConfigRequest,
) -> Result<wire::ValidateResourceConfigResponse, Diagnostics> {
    let entry = inner.registry().resource(&request.type_name)?;
    let config = entry.typed.incoming(request.config)?;
    let cx = inner.context(request.client_capabilities);
    refuse_write_only(&cx, entry, &config)?;
    let diagnostics = entry.it.validate_config(&cx, &config).await;
    Ok(wire::ValidateResourceConfigResponse {
        diagnostics: convert::diagnostics(diagnostics),
    })
}

/// A host that doesn't know write-only attributes would store their values.
fn refuse_write_only(
    cx: &Context,
    entry: &ResourceEntry,
    config: &Value,
) -> Result<(), Diagnostics> {
    if cx.write_only_allowed {
        return Ok(());
    }
    let refused: Diagnostics = write_only_paths(&entry.typed.schema, config)
        .into_iter()
        .map(|path| {
            Diagnostic::error(
                "Write-Only Attributes Not Supported",
                format!(
                    "The attribute {path} is write-only, and this version would store its value \
                     in the state. Use Terraform 1.11 or OpenTofu 1.11, or later."
                ),
            )
            .at(path)
        })
        .collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(refused)
    }
}

pub(super) async fn read(
    inner: Arc<Inner>,
    request: wire::ReadResourceRequest,
) -> Result<wire::ReadResourceResponse, Diagnostics> {
    let entry = inner.registry().resource(&request.type_name)?;
    let state = entry.typed.incoming(request.current_state)?;
    let private = private_data(&request.private)?;
    let identity = entry.incoming_identity(request.current_identity)?;
    let cx = inner.context(request.client_capabilities);
    let read = ReadRequest {
        state: state.clone(),
        private: private.clone(),
        identity: identity.clone(),
    };
    let mut response = entry.it.read(&cx, read).await;
    let state = match response.outcome {
        ReadOutcome::Current(state) => state,
        ReadOutcome::Gone => Value::Null,
        ReadOutcome::Failed => {
            if !response.diagnostics.has_errors() {
                response
                    .diagnostics
                    .push(Diagnostic::bug("A read failed without an error."));
            }
            state
        }
    };
    Ok(wire::ReadResourceResponse {
        new_state: Some(entry.typed.outgoing(state)?),
        private: response.private.unwrap_or(private).encode(),
        new_identity: entry.outgoing_identity(&response.identity.unwrap_or(identity))?,
        diagnostics: convert::diagnostics(response.diagnostics),
    })
}

pub(super) async fn plan(
    inner: Arc<Inner>,
    request: wire::PlanResourceChangeRequest,
) -> Result<wire::PlanResourceChangeResponse, Diagnostics> {
    let entry = inner.registry().resource(&request.type_name)?;
    let cx = inner.context(request.client_capabilities);
    let prior_state = entry.typed.incoming(request.prior_state)?;
    let proposed_state = entry.typed.incoming(request.proposed_new_state)?;
    let prior_private = private_data(&request.prior_private)?;
    let prior_identity = entry.incoming_identity(request.prior_identity)?;
    if proposed_state.is_null() {
        let destroy = PlanDestroyRequest {
            prior_state,
            prior_private: prior_private.clone(),
            prior_identity: prior_identity.clone(),
        };
        let response = entry.it.plan_destroy(&cx, destroy).await;
        return Ok(wire::PlanResourceChangeResponse {
            planned_state: Some(entry.typed.outgoing(Value::Null)?),
            requires_replace: Vec::new(),
            planned_private: response.private.unwrap_or(prior_private).encode(),
            planned_identity: entry.outgoing_identity(&prior_identity)?,
            diagnostics: convert::diagnostics(response.diagnostics),
        });
    }
    let planned_private = match private_data(&request.planned_private)? {
        // A host that has none, and one that doesn't know it, send the same.
        none if none.is_empty() => None,
        some => Some(some),
    };
    let private = planned_private.clone().unwrap_or(prior_private.clone());
    let plan = PlanRequest {
        config: entry.typed.incoming(request.config)?,
        prior_state,
        proposed_state,
        prior_private,
        planned_private,
        prior_identity: prior_identity.clone(),
    };
    let mut response = entry.it.plan(&cx, plan).await;
    if response.planned_state.is_none() && !response.diagnostics.has_errors() {
        response
            .diagnostics
            .push(Diagnostic::bug("A plan gave neither a state nor an error."));
    }
    let planned = response
        .planned_state
        .map(|state| entry.typed.outgoing(state))
        .transpose()?;
    Ok(wire::PlanResourceChangeResponse {
        planned_state: planned,
        requires_replace: response
            .requires_replace
            .iter()
            .map(convert::path)
            .collect(),
        planned_private: response.private.unwrap_or(private).encode(),
        planned_identity: entry.outgoing_identity(&response.identity.unwrap_or(prior_identity))?,
        diagnostics: convert::diagnostics(response.diagnostics),
    })
}

/// What an apply starts from.
struct Apply {
    config: Value,
    prior_state: Value,
    planned_state: Value,
    private: PrivateData,
    identity: Value,
}

pub(super) async fn apply(
    inner: Arc<Inner>,
    request: wire::ApplyResourceChangeRequest,
) -> Result<wire::ApplyResourceChangeResponse, Diagnostics> {
    let entry = inner.registry().resource(&request.type_name)?;
    let apply = Apply {
        config: entry.typed.incoming(request.config)?,
        prior_state: entry.typed.incoming(request.prior_state)?,
        planned_state: entry.typed.incoming(request.planned_state)?,
        private: private_data(&request.planned_private)?,
        identity: entry.incoming_identity(request.planned_identity)?,
    };
    let prior_state = apply.prior_state.clone();
    let private = apply.private.clone();
    let identity = apply.identity.clone();
    let deleting = apply.planned_state.is_null();

    // A panic inside keeps the prior state, as any other failure does.
    let response = match guard::catch(run(&inner, entry, apply)).await {
        Ok(response) => response,
        Err(defect) => Diagnostic::from(defect).into(),
    };
    let ApplyResponse {
        new_state,
        private: new_private,
        identity: new_identity,
        mut diagnostics,
    } = response;

    let failed = diagnostics.has_errors();
    if new_state.is_none() && !failed {
        diagnostics.push(Diagnostic::bug(
            "An apply gave neither a state nor an error.",
        ));
    }
    let new_state = match new_state {
        Some(state) if failed => state.unknown_as_null(),
        Some(state) => state,
        None => prior_state.clone(),
    };
    let gone = new_state.is_null();
    let state = match entry.typed.outgoing(new_state) {
        Ok(state) => state,
        Err(more) => {
            diagnostics.extend(more);
            entry.typed.outgoing(prior_state)?
        }
    };
    let identity = if deleting && gone {
        Value::Null
    } else {
        new_identity.unwrap_or(identity)
    };
    Ok(wire::ApplyResourceChangeResponse {
        new_state: Some(state),
        private: if gone {
            Vec::new()
        } else {
            new_private.unwrap_or(private).encode()
        },
        new_identity: entry.outgoing_identity(&identity)?,
        diagnostics: convert::diagnostics(diagnostics),
    })
}

async fn run(inner: &Inner, entry: &ResourceEntry, apply: Apply) -> ApplyResponse {
    let cx = inner.context(None);
    match (apply.prior_state.is_null(), apply.planned_state.is_null()) {
        (true, true) => ApplyResponse::applied(Value::Null),
        (true, false) => {
            let create = CreateRequest {
                config: apply.config,
                planned_state: apply.planned_state,
                planned_private: apply.private,
                planned_identity: apply.identity,
            };
            entry.it.create(&cx, create).await
        }
        (false, false) => {
            let update = UpdateRequest {
                config: apply.config,
                prior_state: apply.prior_state,
                planned_state: apply.planned_state,
                planned_private: apply.private,
                planned_identity: apply.identity,
            };
            entry.it.update(&cx, update).await
        }
        (false, true) => {
            let prior_state = apply.prior_state.clone();
            let delete = DeleteRequest {
                prior_state: apply.prior_state,
                planned_private: apply.private,
                prior_identity: apply.identity,
            };
            let response = entry.it.delete(&cx, delete).await;
            let kept = response.diagnostics.has_errors();
            ApplyResponse {
                new_state: Some(if kept {
                    response.remaining_state.unwrap_or(prior_state)
                } else {
                    Value::Null
                }),
                private: response.private,
                identity: None,
                diagnostics: response.diagnostics,
            }
        }
    }
}

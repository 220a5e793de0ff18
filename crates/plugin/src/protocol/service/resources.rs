//! Handlers of managed resources.

use std::sync::Arc;

use super::{Inner, failure, private_data};
use crate::protocol::deadline::bound_read;
use crate::protocol::registry::ResourceEntry;
use crate::protocol::{convert, panics, wire};
use crate::timeouts::Operation;
use crate::{
    ApplyResponse, Context, CreateRequest, DeleteRequest, Diagnostic, Diagnostics,
    PlanDestroyRequest, PlanRequest, PrivateData, ReadOutcome, ReadRequest, ReadResponse,
    UpdateRequest, Value, write_only_paths,
};

pub(super) async fn validate(
    inner: Arc<Inner>,
    request: wire::ValidateResourceConfigRequest,
) -> Result<wire::ValidateResourceConfigResponse, Diagnostics> {
    let entry = inner.registry().resource(&request.type_name)?;
    let config = entry.typed.config(request.config)?;
    let cx = inner.context(request.client_capabilities);
    refuse_write_only(&cx, entry, &config)?;
    let mut diagnostics = entry.it.validate_config(&cx, &config).await;
    if let Some(timeouts) = entry.it.timeouts() {
        timeouts.validate(&config, &mut diagnostics);
    }
    Ok(wire::ValidateResourceConfigResponse {
        diagnostics: convert::diagnostics(diagnostics),
    })
}

/// Rejects write-only values from a host that would store them.
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
    let cx = cx.within(entry.limit(Operation::Read, &state));
    let step = ("read", entry.it.noun());
    let response = match bound_read(&cx, step, entry.it.read(&cx, read)).await {
        Ok(response) => response,
        // The host keeps its state.
        Err(diagnostics) => ReadResponse {
            diagnostics: failure(diagnostics),
            ..ReadResponse::current(state)
        },
    };
    let state = match response.outcome {
        ReadOutcome::Current(state) => state,
        ReadOutcome::Gone => Value::Null,
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
        let cx = cx.within(entry.limit(Operation::Read, &prior_state));
        let destroy = PlanDestroyRequest {
            prior_state,
            prior_private: prior_private.clone(),
            prior_identity: prior_identity.clone(),
        };
        let step = ("plan the destruction of", entry.it.noun());
        let destroy = entry.it.plan_destroy(&cx, destroy);
        let response = bound_read(&cx, step, destroy).await?;
        return Ok(wire::PlanResourceChangeResponse {
            planned_state: Some(entry.typed.outgoing(Value::Null)?),
            requires_replace: Vec::new(),
            planned_private: response.private.unwrap_or(prior_private).encode(),
            planned_identity: entry.outgoing_identity(&prior_identity)?,
            diagnostics: convert::diagnostics(response.diagnostics),
        });
    }
    let planned_private = match private_data(&request.planned_private)? {
        // A host without planned private data, and one that does not support it, send the same.
        none if none.is_empty() => None,
        some => Some(some),
    };
    let private = planned_private.clone().unwrap_or(prior_private.clone());
    let cx = cx.within(entry.limit(Operation::Read, &proposed_state));
    let plan = PlanRequest {
        config: entry.typed.incoming(request.config)?,
        prior_state,
        proposed_state,
        prior_private,
        planned_private,
        prior_identity: prior_identity.clone(),
    };
    let step = ("plan", entry.it.noun());
    let response = bound_read(&cx, step, entry.it.plan(&cx, plan)).await?;
    Ok(wire::PlanResourceChangeResponse {
        planned_state: Some(entry.typed.outgoing(response.planned_state)?),
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

/// Input of an apply.
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

    // A panic keeps the prior state, like any other failure.
    let response = match panics::catch(run(&inner, entry, apply)).await {
        Ok(response) => response,
        Err(defect) => Err(Diagnostic::from(defect).into()),
    };
    let ApplyResponse {
        new_state,
        private: new_private,
        identity: new_identity,
        mut diagnostics,
    } = response.unwrap_or_else(|diagnostics| ApplyResponse {
        diagnostics: failure(diagnostics),
        ..ApplyResponse::applied(prior_state.clone())
    });

    let new_state = if diagnostics.has_errors() {
        new_state.unknown_as_null()
    } else {
        new_state
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

/// Runs the operation that follows from the two states. It is never dropped, since it may be
/// inside a commit. The operation checks the deadline and the token itself.
async fn run(
    inner: &Inner,
    entry: &ResourceEntry,
    apply: Apply,
) -> Result<ApplyResponse, Diagnostics> {
    let within = |operation, configured: &Value| {
        let limit = entry.limit(operation, configured);
        inner.context(None).within(limit)
    };
    match (apply.prior_state.is_null(), apply.planned_state.is_null()) {
        (true, true) => Ok(ApplyResponse::applied(Value::Null)),
        (true, false) => {
            let cx = within(Operation::Create, &apply.planned_state);
            let create = CreateRequest {
                config: apply.config,
                planned_state: apply.planned_state,
                planned_private: apply.private,
                planned_identity: apply.identity,
            };
            entry.it.create(&cx, create).await
        }
        (false, false) => {
            let cx = within(Operation::Update, &apply.planned_state);
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
            let cx = within(Operation::Delete, &apply.prior_state);
            let prior_state = apply.prior_state.clone();
            let delete = DeleteRequest {
                prior_state: apply.prior_state,
                planned_private: apply.private,
                prior_identity: apply.identity,
            };
            let response = entry.it.delete(&cx, delete).await?;
            let kept = response.diagnostics.has_errors();
            Ok(ApplyResponse {
                new_state: if kept {
                    response.remaining_state.unwrap_or(prior_state)
                } else {
                    Value::Null
                },
                private: response.private,
                identity: None,
                diagnostics: response.diagnostics,
            })
        }
    }
}

//! Credential of a backend after a plan: the sealed one while `credentials_wo_version` is
//! unchanged, and the configured one after a change.

use super::plan::located;
use super::settings::{
    AMBIENT, STATIC, TRIGGER, chosen, credential, credential_source, known_credential,
    store_settings,
};
use super::state::Identity;
use crate::session::Configured;
use crate::setting::Setting;
use planton_core::operations::{PlannedConnection, StoreCredential};
use planton_plugin::{Diagnostic, PlanRequest, PrivateData, UpdateRequest, Value};
use planton_vendors::{BACKEND_TYPES, Change, Field, Holds};

/// Change of the trigger, `credentials_wo_version`, since the last apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Unchanged,
    Changed,
    Unknown,
}

impl Trigger {
    fn between(prior: &Value, now: &Value) -> Self {
        match now.attribute(TRIGGER) {
            now if now.is_unknown() => Self::Unknown,
            now if now == prior.attribute(TRIGGER) => Self::Unchanged,
            _ => Self::Changed,
        }
    }
}

fn is_static(state: &Value) -> bool {
    state.attribute("credential_source").as_str() == Some(STATIC)
}

/// Returns the planned `credential_source`; `prior` is absent for a creation. It is unknown
/// if the apply saves a credential, since the apply may get another one than the plan.
pub(super) fn planned_source(config: &Value, prior: Option<&Value>) -> Value {
    let Some(prior) = prior else {
        return Value::Unknown;
    };
    match Trigger::between(prior, config) {
        // The sealed credential stays, even if another one is configured.
        Trigger::Unchanged if is_static(prior) => STATIC.into(),
        // Known only if the plan changes nothing: see `decided_by_the_apply`.
        Trigger::Unchanged if sees_none(config) => AMBIENT.into(),
        // Only one of plan and apply may get a credential: an ephemeral value may differ, and
        // only the configuration of the apply contains values under `ignore_changes`.
        Trigger::Unchanged | Trigger::Changed | Trigger::Unknown => Value::Unknown,
    }
}

/// Returns true if the configuration has no credential.
fn sees_none(config: &Value) -> bool {
    credential_source(config).set().map(String::as_str) == Some(AMBIENT)
}

/// Returns true if an update that was planned without a credential saves one that only the
/// apply gets, such as an ephemeral value.
pub(super) fn decided_by_the_apply(planned: &Value) -> bool {
    !is_static(planned)
}

/// Key of private data under which a plan stores whether it saw a credential. The
/// configuration of the apply contains credentials under `ignore_changes` as well.
const SEEN: &str = "credential_seen";

/// Stores for the apply whether this plan saw a credential.
pub(super) fn with_seen_credential(private: PrivateData, config: &Value) -> PrivateData {
    let is_seen = !credential(config).is_empty();
    private.with(SEEN, is_seen.to_string())
}

/// Returns true if a plan cannot check a credential with its settings, since only the apply
/// may get one.
pub(super) fn may_be_hidden(prior: &Value, planned: &Value, config: &Value) -> bool {
    planned.attribute("credential_source").is_unknown()
        && is_static(prior)
        && match credential_source(config) {
            Setting::Unknown => true,
            Setting::Set(source) => {
                source == AMBIENT
                    && (Trigger::between(prior, config) == Trigger::Unknown
                        || has_same_blocks(prior, config))
            }
            Setting::Absent => false,
        }
}

/// Returns true if the blocks of `config` equal those of the state, write-only values aside,
/// as they do under `ignore_changes`.
fn has_same_blocks(prior: &Value, config: &Value) -> bool {
    BACKEND_TYPES.iter().all(|block| {
        let (before, now) = (
            prior.attribute(block.name()),
            config.attribute(block.name()),
        );
        before == now
    })
}

/// Returns true if an update saves the configured credential: the trigger changes, the
/// backend has none yet, or another part of its block changes, such as an identity that comes
/// with its own secret.
pub(super) fn takes_credential(prior: &Value, planned: &Value, config: &Value) -> bool {
    let changes = |name: &str| planned.attribute(name) != prior.attribute(name);
    let is_given = known_credential(config).is_none_or(|given| !given.is_empty());
    let has_room = !is_static(prior) || BACKEND_TYPES.iter().any(|block| changes(block.name()));
    changes(TRIGGER) || (is_given && has_room)
}

/// Returns the credential that an update saves, or `None` to keep the sealed one.
pub(super) fn credential_to_save(request: &UpdateRequest) -> Option<StoreCredential> {
    let (prior, planned) = (&request.prior_state, &request.planned_state);
    let config = &request.config;
    // A credential under `ignore_changes` is saved only if the trigger changes.
    let is_held_back = planned.attribute(TRIGGER) == prior.attribute(TRIGGER)
        && !is_static(prior)
        && request.planned_private.bytes(SEEN) != Some(b"true".as_slice());
    (!is_held_back && takes_credential(prior, planned, config)).then(|| credential(config))
}

/// Lets the refreshes and the ephemeral reads of this plan use the credential that it saves, with
/// the settings beside it: the present one may have expired. A plan that saves none leaves them
/// the present one.
pub(super) fn use_planned(
    takes_credential: bool,
    identity: &Identity,
    request: &PlanRequest,
    session: &Configured,
) {
    let given = || {
        let settings = store_settings(&request.config)?;
        let credential = known_credential(&request.config)?;
        (!credential.is_empty()).then_some(PlannedConnection {
            uuid: identity.uuid,
            settings,
            credential,
        })
    };
    let planned = takes_credential.then(given).flatten();
    let backends = session.organization.backends();
    backends.plan_connection(&identity.name, planned);
}

/// Rejects a credential that does not match its settings, if both are known.
pub(super) fn check_credential(
    config: &Value,
    session: Option<&Configured>,
) -> Result<(), Diagnostic> {
    let (Some(session), Some(settings), Some(credential)) =
        (session, store_settings(config), known_credential(config))
    else {
        return Ok(());
    };
    let organization = &session.organization;
    let checked = organization
        .backends()
        .check_settings(&settings, Some(&credential));
    checked.map_err(|error| located(config, &error))
}

/// Rejects settings that do not match the sealed credential while it stays in use, such as
/// another login. The credential itself is not opened.
pub(super) fn check_kept(
    prior: &Value,
    config: &Value,
    session: Option<&Configured>,
) -> Result<(), Diagnostic> {
    let (Some(session), Some(before), Some(now), Some(kept)) = (
        session,
        store_settings(prior),
        store_settings(config),
        kept_part(prior),
    ) else {
        return Ok(());
    };
    let organization = &session.organization;
    let placeholder = StoreCredential::from([(kept.to_owned(), "kept".into())]);
    // Some credentials have a format, which no placeholder has.
    if before == now
        || organization
            .backends()
            .check_settings(&before, Some(&placeholder))
            .is_err()
    {
        return Ok(());
    }
    let checked = organization
        .backends()
        .check_settings(&now, Some(&placeholder));
    checked.map_err(|error| {
        let mut diagnostic = located(config, &error);
        diagnostic.detail.push_str(
            "\n\nThe backend keeps its sealed credential, because credentials_wo_version is \
             unchanged. To replace the credential, or to use ambient credentials instead, change \
             credentials_wo_version in the same apply.",
        );
        diagnostic
    })
}

/// Returns a part that the sealed credential of a state certainly has.
fn kept_part(state: &Value) -> Option<&'static str> {
    if !is_static(state) {
        return None;
    }
    let block = chosen(state)?;
    part_of(block.fields, state.attribute(block.name()))
}

fn part_of(fields: &[Field], block: &Value) -> Option<&'static str> {
    let nested = fields.iter().find_map(|field| match field.holds {
        Holds::Block(inner) if block.attribute(field.name).is_set() => {
            part_of(inner, block.attribute(field.name))
        }
        _ => None,
    });
    nested.or_else(|| {
        fields.iter().find_map(|field| match field.change {
            Change::Credential(part) => Some(part),
            Change::InPlace | Change::Replaces => None,
        })
    })
}

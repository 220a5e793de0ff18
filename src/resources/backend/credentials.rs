//! Which credential a backend has after a plan: the sealed one for as long as its
//! trigger is unchanged, another one once that changes.

use super::plan::located;
use super::settings::{
    AMBIENT, STATIC, TRIGGER, chosen, credential, credential_source, known_credential,
    store_settings,
};
use crate::session::Configured;
use crate::setting::Setting;
use planton_core::operations::StoreCredential;
use planton_plugin::{Diagnostic, PrivateData, UpdateRequest, Value};
use planton_vendors::{BACKEND_TYPES, Change, Field, Holds};

/// What has become of the trigger since the last apply.
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

/// Returns the `credential_source` to plan; `prior` is absent for a creation. A plan
/// that saves a credential does not know it: the one of the apply counts.
pub(super) fn planned_source(config: &Value, prior: Option<&Value>) -> Value {
    let Some(prior) = prior else {
        return Value::Unknown;
    };
    match Trigger::between(prior, config) {
        // The sealed credential stays, whatever is given by now.
        Trigger::Unchanged if is_static(prior) => STATIC.into(),
        // Known only for a plan that changes nothing: see `decided_by_the_apply`.
        Trigger::Unchanged if sees_none(config) => AMBIENT.into(),
        // The apply may be given one that the plan was not, or the other way round: by
        // an ephemeral value, or because the configuration of a plan is without what
        // `ignore_changes` names, and that of the apply is whole.
        Trigger::Unchanged | Trigger::Changed | Trigger::Unknown => Value::Unknown,
    }
}

/// Returns true where no credential is given.
fn sees_none(config: &Value) -> bool {
    credential_source(config).set().map(String::as_str) == Some(AMBIENT)
}

/// Returns true where an update that is planned without a credential saves one if the
/// apply is given it: an ephemeral value may differ between the two.
pub(super) fn decided_by_the_apply(planned: &Value) -> bool {
    !is_static(planned)
}

/// Where a plan notes in private data that it saw a credential. The configuration of
/// the apply has those as well that `ignore_changes` holds back.
const SEEN: &str = "credential_seen";

/// Notes for the apply whether this plan saw a credential.
pub(super) fn with_seen_credential(private: PrivateData, config: &Value) -> PrivateData {
    let is_seen = !credential(config).is_empty();
    private.with(SEEN, is_seen.to_string())
}

/// Returns true where a plan cannot tell whether a credential goes with its settings:
/// none is seen, and one may be given to the apply.
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

/// Refuses a replacement that would go over to ambient credentials unasked: the
/// sealed one stays with the backend that goes.
pub(super) fn check_replaced(prior: &Value, config: &Value) -> Result<(), Diagnostic> {
    let (Setting::Set(source), Some(block)) = (credential_source(config), chosen(config)) else {
        return Ok(());
    };
    let unasked = Trigger::between(prior, config) == Trigger::Unchanged;
    if !is_static(prior) || source != AMBIENT || !unasked {
        return Ok(());
    }
    Err(Diagnostic::error(
        "Backend Credential Missing",
        "This change replaces the backend, whose sealed credential is not carried over to the new \
         one, and no credential is given.\n\nGive the credential again. To use ambient credentials \
         from now on, change credentials_wo_version as well.",
    )
    .at(block.name()))
}

/// Returns true where `config` has the blocks of the state but for what is
/// write-only, as it has under `ignore_changes`.
fn has_same_blocks(prior: &Value, config: &Value) -> bool {
    BACKEND_TYPES.iter().all(|block| {
        let (before, now) = (
            prior.attribute(block.name()),
            config.attribute(block.name()),
        );
        before == now
    })
}

/// Returns true where an update saves a credential: its trigger changes; or one is
/// given to a backend that has none, or together with another change of its block: a
/// new identity comes with its own secret.
pub(super) fn takes_credential(prior: &Value, planned: &Value, config: &Value) -> bool {
    let changes = |name: &str| planned.attribute(name) != prior.attribute(name);
    let is_given = known_credential(config).is_none_or(|given| !given.is_empty());
    let has_room = !is_static(prior) || BACKEND_TYPES.iter().any(|block| changes(block.name()));
    changes(TRIGGER) || (is_given && has_room)
}

/// Returns the credential that an update saves; `None` to keep the sealed one.
pub(super) fn credential_to_save(request: &UpdateRequest) -> Option<StoreCredential> {
    let (prior, planned) = (&request.prior_state, &request.planned_state);
    let config = &request.config;
    // Only a changed trigger asks for one that `ignore_changes` holds back.
    let is_held_back = planned.attribute(TRIGGER) == prior.attribute(TRIGGER)
        && !is_static(prior)
        && request.planned_private.bytes(SEEN) != Some(b"true".as_slice());
    (!is_held_back && takes_credential(prior, planned, config)).then(|| credential(config))
}

/// Refuses a credential that does not go with its settings, where both are
/// known.
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

/// Refuses settings that the sealed credential does not go with, while it is to
/// stay: another login, say. The credential itself is not opened.
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
    let stand_in = StoreCredential::from([(kept.to_owned(), "kept".into())]);
    // A credential of a form of its own cannot be stood in for.
    if before == now
        || organization
            .backends()
            .check_settings(&before, Some(&stand_in))
            .is_err()
    {
        return Ok(());
    }
    let checked = organization
        .backends()
        .check_settings(&now, Some(&stand_in));
    checked.map_err(|error| {
        let mut diagnostic = located(config, &error);
        diagnostic.detail.push_str(
            "\n\nThe backend keeps its sealed credential, because credentials_wo_version is \
             unchanged. To replace it, or to use ambient credentials from now on, change \
             credentials_wo_version in the same apply.",
        );
        diagnostic
    })
}

/// Returns the part that the sealed credential of a state has for certain.
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

//! Applies the plan of a secret.

use async_trait::async_trait;

use super::SecretResource;
use super::plan::{NOT_SEEN, compare_failed, value_missing};
use super::replacement::{Existing, Mark};
use super::settings::Settings;
use super::source::Source;
use super::state::{Identity, Private, computed, identity};
use crate::diagnostics::{About, Named, explain, explain_at, invalid_slug};
use crate::resources::private_state::PrivateState;
use crate::session::{Apply, Call, Configured};
use crate::setting::Setting;
use planton_core::names::SecretName;
use planton_core::operations::{
    CreateSecret, DeleteSecret, DeletedSecret, OperationError, RemoteName, Replaces, SecretView,
    UpdateSecret,
};
use planton_plugin::{
    ApplyResponse, AttributePath, CreateRequest, DeleteRequest, DeleteResponse, Diagnostic,
    UpdateRequest, Value,
};

#[async_trait]
impl Apply for SecretResource {
    async fn create(
        &self,
        call: &Call,
        request: CreateRequest,
    ) -> Result<ApplyResponse, Diagnostic> {
        let Call { session, interrupt } = call;
        let planned = &request.planned_state;
        let settings = Settings::planned(planned, &request.config, true);
        let name = settings.secret_name()?;
        let backend = match &settings.backend {
            Setting::Set(text) => Some(
                text.parse()
                    .map_err(|_| invalid_slug("The backend", text, "backend"))?,
            ),
            Setting::Absent | Setting::Unknown => None,
        };
        let metadata = settings.metadata(planned, &session.defaults)?;
        let arguments = settings.arguments();
        let path = settings.source.argument();
        let replaced = match Mark::of(&request.planned_private) {
            Some(Mark::Existing(existing)) => existing.as_replaced(),
            Some(Mark::Creation) | None => None,
        };
        // takes_over may stay in the configuration after it took effect, so it may name a secret
        // that is gone.
        let named = settings.takes_over().map(Replaces::Named);
        let replaces = named.into_iter().chain(replaced).collect();
        let source = settings.source.into_source();
        let source = source.ok_or_else(|| value_missing("A new secret needs a value", ""))?;
        let by_default = backend.is_none();
        let create = CreateSecret {
            name,
            backend,
            source,
            metadata,
            arguments,
            replaces,
        };
        let view = session
            .organization
            .secrets()
            .create(create, interrupt)
            .await
            .map_err(|error| {
                also_exists(&error, session).unwrap_or_else(|| located(&error, path))
            })?;
        if by_default {
            session.create_by_default(view.name.to_string(), view.backend.clone());
        }
        let seen = Private::of(&view);
        applied(request.planned_state, (&view, seen), session).await
    }

    async fn update(
        &self,
        call: &Call,
        request: UpdateRequest,
    ) -> Result<ApplyResponse, Diagnostic> {
        let Call { session, interrupt } = call;
        let private = Private::read(&request.planned_private)?;
        let Identity { uuid, name, .. } = Identity::read(&request.prior_state)?;
        let organization = &session.organization;
        let planned = &request.planned_state;
        private.expect_same(session).await?;
        let settings = Settings::planned(planned, &request.config, private.given);
        let metadata = settings.metadata(planned, &session.defaults)?;
        let arguments = settings.arguments();
        let path = settings.source.argument();
        let mut write = planned.attribute("version").is_unknown();
        if write && private.compare {
            write = differs(&settings, &request.prior_state, session).await?;
        }
        let source = if write {
            let source = settings.source.into_source();
            Some(source.ok_or_else(|| value_missing("A new version needs a value", NOT_SEEN))?)
        } else {
            None
        };
        let generation = private.anchor.generation;
        let heals = request.prior_state.attribute("version").is_null()
            && request.planned_state.attribute("value_wo_version")
                == request.prior_state.attribute("value_wo_version");
        let update = UpdateSecret {
            name,
            uuid,
            generation,
            stamp: private.anchor.stamp,
            source,
            current: private.current_version(),
            heals,
            metadata,
            arguments,
        };
        let updated = organization.secrets().update(update, interrupt).await;
        let view = updated.map_err(|error| located(&error, path))?;
        let seen = private.updated(&view);
        applied(request.planned_state, (&view, seen), session).await
    }

    /// Deletes the secret, or only removes it from the state.
    async fn delete(
        &self,
        call: &Call,
        request: DeleteRequest,
    ) -> Result<DeleteResponse, Diagnostic> {
        let Call { session, interrupt } = call;
        let state = &request.prior_state;
        let private = Private::read(&request.planned_private)?;
        let existing = Existing::of(state, &private);
        let refused = match Mark::of(&request.planned_private) {
            // The plan of the creation did not see the secret that it replaces: that one is tainted.
            Some(Mark::Creation) => existing.refuses_replacement_of_tainted(),
            Some(Mark::Existing(_)) => existing.refuses_replacement(),
            None => existing.refuses_destruction(),
        };
        if let Some(refused) = refused {
            return Ok(DeleteResponse::refused(refused));
        }
        if existing.is_retained() {
            return Ok(DeleteResponse::default());
        }
        let Identity { uuid, name, .. } = Identity::read(state)?;
        private.expect_authentic(session).await?;
        let delete = DeleteSecret {
            name,
            uuid,
            // A secret was not seen at any generation right after its import.
            generation: match private.anchor.generation {
                0 => u64::MAX,
                generation => generation,
            },
            stamp: private.anchor.stamp,
        };
        let deleted = session
            .organization
            .secrets()
            .delete(&delete, interrupt)
            .await;
        let deleted = deleted.map_err(|error| explain(&error))?;
        Ok(DeleteResponse {
            diagnostics: not_destroyed(&delete.name, &deleted).into_iter().collect(),
            ..DeleteResponse::default()
        })
    }
}

/// Warns about a secret that was removed from the state and may still exist.
fn not_destroyed(name: &SecretName, deleted: &DeletedSecret) -> Option<Diagnostic> {
    let named = Named::secret(name);
    match deleted {
        DeletedSecret::OwnedByAnotherState(owner) => Some(named.left_to_owner(owner)),
        DeletedSecret::ReturnedToOwner(owner) => Some(named.returned_to_owner(owner)),
        DeletedSecret::RecordMissing => Some(Diagnostic::warning(
            "Secret Record Missing",
            format!(
                "The catalog has no record of secret {:?}, so nothing was deleted in its backend. \
                 Sealed versions may remain there.",
                name.to_string()
            ),
        )),
        DeletedSecret::Forgotten { backend, objects } => {
            let objects: Vec<&str> = objects.iter().map(RemoteName::as_str).collect();
            Some(Diagnostic::warning(
                "Secret Forgotten",
                format!(
                    "The record of secret {:?} was removed from the catalog without a request to \
                     backend {:?}. These sealed objects may remain there: {}.",
                    name.to_string(),
                    backend.as_str(),
                    objects.join(", ")
                ),
            ))
        }
        _ => None,
    }
}

/// Returns whether a value or trigger that was unknown in the plan requires a new version.
async fn differs(
    settings: &Settings,
    prior: &Value,
    session: &Configured,
) -> Result<bool, Diagnostic> {
    let before = prior.attribute("value_wo_version").as_str();
    if let (Setting::Set(now), Some(before)) = (&settings.trigger, before) {
        return Ok(now != before);
    }
    match &settings.source {
        Source::Given(value) => {
            let uuid = Identity::read(prior)?.uuid;
            let same = session
                .organization
                .secrets()
                .is_current_value(uuid, value)
                .await;
            Ok(!same.map_err(|error| compare_failed(&error))?)
        }
        Source::Absent | Source::Unknown(_) | Source::Generate(_) | Source::Copy(_) => Ok(false),
    }
}

async fn applied(
    planned: Value,
    (view, mut private): (&SecretView, Private),
    session: &Configured,
) -> Result<ApplyResponse, Diagnostic> {
    let organization = &session.organization;
    let identity = identity(organization.slug().as_str(), &view.name);
    private.anchor = private.anchor.authenticated(session).await?;
    let mut response = ApplyResponse {
        private: Some(private.write()),
        identity: Some(identity),
        ..ApplyResponse::applied(computed(planned, view))
    };
    if let Some(former) = view.owner.former().filter(|_| view.is_adopted) {
        let named = Named::secret(&view.name);
        response.diagnostics.push(named.adopted(&former));
    }
    if let Some(left) = &view.source_left {
        response.diagnostics.push(
            Diagnostic::warning(
                "Copied Object Left Behind",
                format!(
                    "The secret was written, but the object that it was copied from could not be \
                     deleted: {left}.\n\nThat object still contains the plaintext. Delete it by \
                     hand."
                ),
            )
            .at(AttributePath::attribute("copy_from").then("delete_source")),
        );
    }
    Ok(response)
}

/// Returns the short error about an existing secret, if another error of this apply
/// describes its run.
fn also_exists(error: &OperationError, session: &Configured) -> Option<Diagnostic> {
    let OperationError::AlreadyExists { name, existing, .. } = error else {
        return None;
    };
    if session.must_show("planton_secret", existing) {
        return None;
    }
    let told = Named::secret(name).also_exists(existing);
    Some(Diagnostic::error("Secret Already Exists", told).at("name"))
}

fn located(error: &OperationError, value: &'static str) -> Diagnostic {
    explain_at(error, |about| match about {
        About::Name => Some("name".into()),
        About::Backend => Some("backend".into()),
        About::Value => Some(value.into()),
        About::CopySource => Some(AttributePath::attribute("copy_from").then("remote_name")),
        // A setting belongs to the resource of the secret's backend.
        About::Nothing
        | About::Selector
        | About::Version
        | About::Setting(_)
        | About::Address
        | About::Key(..)
        | About::Escrow
        | About::AllowedKeys
        | About::Fingerprint => None,
    })
}

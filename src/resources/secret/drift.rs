//! Drift: a secret as a refresh finds it in the catalog and in its backend.

use async_trait::async_trait;

use super::SecretResource;
use super::state::{self, Identity, Private};
use crate::diagnostics::{Named, explain};
use crate::resources::private_state::PrivateState;
use crate::session::{Configured, Refresh};
use planton_core::operations::{Refreshed, SecretView};
use planton_plugin::{Diagnostic, Diagnostics, ReadRequest, ReadResponse, Value};

#[async_trait]
impl Refresh for SecretResource {
    /// Reads the secret's record, and checks that the backend has the current version.
    async fn read(
        &self,
        session: &Configured,
        request: ReadRequest,
    ) -> Result<ReadResponse, Diagnostic> {
        let identity = Identity::read(&request.state)?;
        let private = Private::read(&request.private)?;
        private.expect_catalog(session).await?;
        session.planned_names.refresh(identity.uuid);
        let refresh = identity.refresh(&private);
        let refreshed = session.organization.secrets().refresh(&refresh).await;
        let refreshed = refreshed.map_err(|error| explain(&error))?;
        let mut warnings = Diagnostics::new();
        let mut is_lost = false;
        let mut is_deleting = false;
        let view = match refreshed {
            Refreshed::Unchanged => {
                return Ok(unchanged(request, &identity, (private, session)).await);
            }
            Refreshed::Gone => return Ok(ReadResponse::gone()),
            Refreshed::RecordMissing => {
                return Ok(record_missing(request, &identity, private));
            }
            Refreshed::Present(view) => view,
            Refreshed::VersionLost(view) => {
                is_lost = true;
                view
            }
            Refreshed::Unchecked(view, reason) => {
                warnings.push(not_checked(&view, &reason));
                view
            }
            Refreshed::Unreachable(view, reason) => {
                warnings.push(not_reached(&view, &reason));
                view
            }
            Refreshed::Deleting(view) => {
                is_deleting = true;
                view
            }
        };
        let mut private = private.found(&view);
        private.anchor.deleting |= is_deleting;
        private.anchor = private.anchor.with_newer_keys(session).await;
        let mut state = state::whole(&view, request.state.attribute("timeouts").clone());
        if is_lost {
            state.set("version", Value::Null);
        }
        warnings.extend(Named::secret(&view.name).finding(private.anchor.finding, &view.owner));
        let organization = session.organization.slug().as_str();
        Ok(ReadResponse {
            private: Some(private.write()),
            identity: Some(state::identity(organization, &identity.name)),
            diagnostics: warnings,
            ..ReadResponse::current(state)
        })
    }
}

/// Keeps a resource whose secret is as the state has it. Its private data still takes newer
/// escrow keys, as after any other read: the state of another resource may have brought them.
async fn unchanged(
    request: ReadRequest,
    identity: &Identity,
    (private, session): (Private, &Configured),
) -> ReadResponse {
    let organization = session.organization.slug().as_str();
    let anchor = private.anchor.clone().with_newer_keys(session).await;
    let is_newer = anchor != private.anchor;
    ReadResponse {
        private: is_newer.then(|| Private { anchor, ..private }.write()),
        identity: Some(state::identity(organization, &identity.name)),
        ..ReadResponse::current(request.state)
    }
}

/// Keeps a resource whose record is missing: a missing record never proves a deletion.
fn record_missing(request: ReadRequest, identity: &Identity, private: Private) -> ReadResponse {
    let private = Private {
        anchor: private.anchor.missing(),
        marks: None,
        ..private
    };
    let warning = Named::secret(&identity.name)
        .record_missing()
        .into_warning();
    ReadResponse {
        private: Some(private.write()),
        identity: Some(request.identity).filter(|identity| !identity.is_null()),
        diagnostics: warning.into(),
        ..ReadResponse::current(request.state)
    }
}

/// Warns that the backend of a secret with `on_destroy = "forget"` is unreachable.
fn not_reached(view: &SecretView, reason: &str) -> Diagnostic {
    Diagnostic::warning(
        "Secret Backend Unreachable",
        format!(
            "Backend {:?} of secret {:?} is unreachable, so the state shows the catalog's record \
             only.\n\nThe secret has on_destroy = \"forget\": a destroy removes its record without \
             a request to the backend.\n\nOriginal error: {reason}",
            view.backend.as_str(),
            view.name.to_string(),
        ),
    )
}

/// Warns that the existence of a secret was not checked, and is assumed.
fn not_checked(view: &SecretView, reason: &str) -> Diagnostic {
    Diagnostic::warning(
        "Secret Backend Not Checked",
        format!(
            "The provider did not check whether backend {:?} still contains secret {:?}, because \
             the credentials in use may not open the backend's sealed credential. The state shows \
             the catalog's record only.\n\nFor a role that only plans, declare the backend without \
             static credentials, so that the vendor's default credential chain applies; or grant \
             the role decryption.\n\nOriginal error: {reason}",
            view.backend.as_str(),
            view.name.to_string(),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::private_state::Anchor;
    use crate::resources::private_state::tests::session;
    use planton_core::operations::{SeenDigest, SeenKeys};
    use planton_plugin::PrivateData;

    /// The state of another resource may have brought them.
    #[tokio::test]
    async fn an_unchanged_secret_takes_newer_escrow_keys_and_nothing_else() {
        let session = session().await;
        let keys = |generation| SeenKeys {
            generation,
            digest: Some(SeenDigest::of("keys")),
        };
        let private = Private {
            anchor: Anchor {
                keys: Some(keys(3)),
                ..Anchor::default()
            },
            ..Private::default()
        };
        let state = Value::object([
            ("id", Value::from("00000000-0000-8000-8000-000000000000")),
            ("name", Value::from("db")),
        ]);
        let identity = Identity::read(&state).expect("an identity");
        let read = async || {
            let request = ReadRequest {
                state: state.clone(),
                private: PrivateData::new(),
                identity: Value::Null,
            };
            let response = unchanged(request, &identity, (private.clone(), &session)).await;
            let private = response.private.as_ref().map(Private::read);
            private.map(|private| private.expect("private data"))
        };
        session.organization.keys().remember(keys(3));
        assert_eq!(read().await, None);
        session.organization.keys().remember(keys(4));
        let mut newer = private.clone();
        newer.anchor.keys = Some(keys(4));
        assert_eq!(read().await, Some(newer));
    }
}

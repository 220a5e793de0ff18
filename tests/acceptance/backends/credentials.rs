//! Replaces the credential of a backend by others, and revokes it.

use xtask::terraform::Workspace;

use super::Place;
use crate::scene::Scene;
use crate::steps::{Steps, has};

/// A credential for a place.
pub(super) struct Credential {
    pub(super) secret: String,
    /// The name of the first credential in the block, and the name of this one.
    names: Option<(&'static str, String)>,
}

impl Credential {
    /// Returns a credential that the block does not name.
    pub(super) fn of(secret: String) -> Self {
        let names = None;
        Self { secret, names }
    }

    /// Sets the name that replaces `first`, the name of the first credential.
    pub(super) fn in_place_of(self, first: &'static str, name: String) -> Self {
        let names = Some((first, name));
        Self { names, ..self }
    }

    /// Returns `block`, which names the first credential, with this one.
    pub(super) fn named_in(&self, block: &str) -> String {
        match &self.names {
            Some((first, name)) => block.replace(first, name),
            None => block.to_owned(),
        }
    }
}

impl Place {
    /// Takes a credential that can be revoked.
    pub(super) fn with_revocable_secret(self) -> Self {
        match self.fixture.revocable_secret() {
            Some(secret) => self.with_secret(secret),
            None => self,
        }
    }

    /// Creates a further credential for the same place.
    pub(super) fn credential(&self, number: usize) -> Credential {
        self.fixture.credential(number)
    }

    /// Returns the credential with which the place was started.
    pub(super) fn first_credential(&self) -> Credential {
        Credential::of(self.secret.clone())
    }

    /// Revokes a credential.
    pub(super) fn revoke(&self, credential: &Credential) {
        self.fixture.revoke(credential);
    }
}

/// Replaces the credential of the backend `own`, which has the secret `db`, by a second
/// and then by a third. Each credential is revoked after its successor exists.
///
/// `write` writes a configuration with a backend's declaration and further parts.
/// `declared` has the trigger at "1".
pub(super) fn give_way_to_others(
    scene: &Scene,
    place: &Place,
    workspace: &Workspace,
    declared: &str,
    write: impl Fn(&str, &str),
) {
    let [first, second, third] = [
        place.first_credential(),
        place.credential(2),
        place.credential(3),
    ];
    let with = |credential: &Credential, trigger: &str| {
        let trigger = format!("version = {trigger:?}");
        let declared = declared.replace("version = \"1\"", &trigger);
        credential.named_in(&declared)
    };

    // The trigger saves the second credential. The first is then not needed, and the
    // provider ignores the variable's value.
    write(&with(&second, "2"), "");
    workspace.settled(&[("backend_secret", second.secret.as_str())]);
    place.revoke(&first);
    write(&with(&second, "2"), LATER);
    let rotated = [
        ("backend_secret", "no credential"),
        ("rotation", "2"),
        ("value", "second value"),
    ];
    workspace.settled(&rotated);
    assert_eq!(workspace.secret("db")["version"], 2);
    for name in ["db", "later"] {
        assert_eq!(place.read(scene, name), "second value", "{name}");
    }

    // Without the trigger, the provider keeps the sealed credential, although the
    // variable has a valid one. A secret that cannot be checked does not count as gone.
    place.revoke(&second);
    let rescued = [
        ("backend_secret", third.secret.as_str()),
        rotated[1],
        rotated[2],
    ];
    let refused = workspace.refused(&rescued);
    has(&refused, &["Secret Backend Login Failed"]);
    assert_eq!(workspace.secret("db")["version"], 2);

    // With the trigger. The same plan reads by the new credential.
    write(&with(&third, "3"), &format!("{LATER}{READ_BY_THE_PLAN}"));
    workspace.settled(&rescued);
    workspace.unchanged(&rotated);
    assert_eq!(place.read(scene, "copy"), "second value");
}

const LATER: &str = "resource \"planton_secret\" \"later\" {\n  name = \"later\"\n  backend = \
                     planton_secret_backend.own.name\n  value_wo = var.value\n  value_wo_version = \
                     \"1\"\n}\n";

/// An ephemeral resource of known arguments is opened by the plan.
const READ_BY_THE_PLAN: &str = "ephemeral \"planton_secret\" \"db\" {\n  id = \
                                planton_secret.db.id\n}\nresource \"planton_secret\" \"copy\" {\n  \
                                name = \"copy\"\n  value_wo = \
                                ephemeral.planton_secret.db.value\n  value_wo_version = \
                                planton_secret.db.revision\n}\n";

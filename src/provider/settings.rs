//! What block and environment say, checked without any I/O.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::diagnostics::invalid_slug;
use planton_core::names::Slug;
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, Value};
use planton_vendors::http::Roots;
use planton_vendors::openbao::client::{
    InvalidAddress, InvalidMountPath, InvalidPath, MountPath, OpenBaoAddress, check_path,
};

/// The ways to log in to an OpenBAO.
pub(super) const LOGINS: [&str; 5] = ["token", "token_file", "approle", "jwt", "kubernetes"];

/// Environment variables, as the provider reads them.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A token may be among them.
        f.write_str("Environment(redacted)")
    }
}

impl Environment {
    /// Takes the variables of this process that the provider reads; the others
    /// may hold credentials that are none of its business.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of_all(std::env::vars_os())
    }

    /// Takes these variables and no others.
    pub fn of<K: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    fn of_all(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self::of(variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            is_read(&name).then_some((name, value))
        }))
    }

    /// Returns a variable; an empty one counts as absent.
    #[must_use]
    pub fn os(&self, name: &str) -> Option<OsString> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Returns the provider's variables that are not text, though they have to be.
    #[must_use]
    pub fn not_text(&self) -> Vec<&str> {
        let own = |name: &&String| name.starts_with("PLANTON_") || name.starts_with("BAO_");
        let all = self.0.iter().filter(|(name, value)| {
            own(name) && *name != "PLANTON_DATA_DIR" && value.to_str().is_none()
        });
        all.map(|(name, _)| name.as_str()).collect()
    }

    /// Returns the first of these variables that is set to text.
    #[must_use]
    pub fn first(&self, names: &[&str]) -> Option<String> {
        names
            .iter()
            .find_map(|name| self.os(name)?.into_string().ok())
    }
}

/// Returns true for variables that the provider reads.
fn is_read(name: &str) -> bool {
    ["PLANTON_", "BAO_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || [
            "TF_IN_AUTOMATION",
            "TF_WORKSPACE",
            "TF_DATA_DIR",
            "HOME",
            "XDG_DATA_HOME",
            "LOCALAPPDATA",
        ]
        .contains(&name)
}

/// Checks what of the block is known.
pub(super) fn validate(config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for (what, name) in [
        ("The organization", "organization"),
        ("The environment", "default_environment"),
    ] {
        if let Some(text) = config.attribute(name).as_str()
            && Slug::parse(text).is_err()
        {
            diagnostics.push(invalid_slug(what, text, name));
        }
    }
    if let Some(labels) = config.attribute("default_labels").entries() {
        for (key, _) in labels
            .iter()
            .filter(|(key, value)| key.is_empty() || value.is_null())
        {
            diagnostics.push(
                Diagnostic::error(
                    "Invalid Label",
                    "A default label needs a key, and a value that is not null.",
                )
                .at(AttributePath::attribute("default_labels").key(key.clone())),
            );
        }
    }
    path(
        config.attribute("embedded"),
        &AttributePath::attribute("embedded"),
        "path",
        &mut diagnostics,
    );
    let openbao = config.attribute("openbao");
    if openbao.is_set() && config.attribute("embedded").is_set() {
        diagnostics.push(
            Diagnostic::error(
                "Conflicting Platforms",
                "Both openbao and embedded are set; an organization lives on one platform.\n\n\
                 Remove one of the two blocks.",
            )
            .at("embedded"),
        );
    }
    if openbao.is_set() {
        formats(openbao, &mut diagnostics);
        exclusive(openbao, &["ca_cert_pem", "ca_cert_file"], &mut diagnostics);
        certificates(openbao, &mut diagnostics);
        exclusive(openbao, &LOGINS, &mut diagnostics);
        together(
            openbao,
            "client_cert_file",
            "client_key_file",
            &mut diagnostics,
        );
        let jwt = openbao.attribute("jwt");
        if jwt.is_set() {
            let given = ["token", "token_file"].map(|name| !jwt.attribute(name).is_null());
            if given == [true, true] || given == [false, false] {
                diagnostics.push(
                    Diagnostic::error(
                        "Invalid Login Configuration",
                        "The jwt block needs exactly one of token and token_file.",
                    )
                    .at(AttributePath::attribute("openbao").then("jwt")),
                );
            }
        }
    }
    diagnostics
}

/// Checks each attribute of the openbao block by itself.
fn formats(openbao: &Value, diagnostics: &mut Diagnostics) {
    let at = AttributePath::attribute("openbao");
    if let Some(Err(error)) = openbao
        .attribute("address")
        .as_str()
        .map(OpenBaoAddress::parse)
    {
        diagnostics.push(invalid_address(&error));
    }
    for name in ["kv_mount_path", "transit_mount_path"] {
        mount(openbao, &at, name, diagnostics);
    }
    for name in [
        "ca_cert_file",
        "client_cert_file",
        "client_key_file",
        "token_file",
    ] {
        path(openbao, &at, name, diagnostics);
    }
    filled(openbao, &at, "token", diagnostics);
    for (login, texts) in [
        ("approle", &["role_id", "secret_id"][..]),
        ("jwt", &["role", "token"]),
        ("kubernetes", &["role"]),
    ] {
        let (block, at) = (openbao.attribute(login), at.clone().then(login));
        mount(block, &at, "mount_path", diagnostics);
        path(block, &at, "token_file", diagnostics);
        for name in texts {
            filled(block, &at, name, diagnostics);
        }
    }
}

/// Refuses a text that is empty, as that of a variable which nobody has set.
fn filled(block: &Value, at: &AttributePath, name: &str, diagnostics: &mut Diagnostics) {
    let value = block.attribute(name);
    let length = value.as_secret().map(|secret| secret.expose().trim().len());
    if length == Some(0) {
        diagnostics.push(
            Diagnostic::error(
                "Empty Platform Credential",
                format!(
                    "{name} is set, and is empty.\n\nGive it a value: often the variable that it \
                     comes from is not set here. Use null to leave it out."
                ),
            )
            .at(at.clone().then(name)),
        );
    }
}

fn mount(block: &Value, at: &AttributePath, name: &str, diagnostics: &mut Diagnostics) {
    if let Some(Err(error)) = block.attribute(name).as_str().map(MountPath::parse) {
        diagnostics.push(invalid_mount(&error, at.clone().then(name)));
    }
}

fn path(block: &Value, at: &AttributePath, name: &str, diagnostics: &mut Diagnostics) {
    let text = block.attribute(name).as_str();
    if let Some(Err(error)) = text.map(check_path) {
        diagnostics.push(invalid_path(name, &error, at.clone().then(name)));
    }
}

/// Says that an address is none. It is not repeated: it may hold a password.
pub(super) fn invalid_address(error: &InvalidAddress) -> Diagnostic {
    Diagnostic::error("Invalid Platform Address", format!("The address {error}."))
        .at(AttributePath::attribute("openbao").then("address"))
}

/// Says that a mount path is none. It is not repeated: it may be a credential.
pub(super) fn invalid_mount(error: &InvalidMountPath, at: AttributePath) -> Diagnostic {
    Diagnostic::error("Invalid Mount Path", format!("The mount path {error}.")).at(at)
}

/// Says that `what`, an attribute or a variable, holds no path that can be used.
pub(super) fn invalid_path(what: &str, error: &InvalidPath, at: AttributePath) -> Diagnostic {
    Diagnostic::error("Invalid Path", format!("{what} {error}.")).at(at)
}

fn exclusive(block: &Value, names: &[&str], diagnostics: &mut Diagnostics) {
    let set: Vec<_> = names
        .iter()
        .filter(|name| block.attribute(name).is_set())
        .collect();
    if let [_, second, ..] = set.as_slice() {
        let listed: Vec<&str> = set.iter().map(|name| **name).collect();
        diagnostics.push(
            Diagnostic::error(
                "Conflicting Platform Settings",
                format!(
                    "At most one of {} may be set; here {} are.\n\nRemove all but one.",
                    names.join(", "),
                    listed.join(" and ")
                ),
            )
            .at(AttributePath::attribute("openbao").then(**second)),
        );
    }
}

/// Refuses a text that holds no certificates.
fn certificates(openbao: &Value, diagnostics: &mut Diagnostics) {
    let pem = openbao.attribute("ca_cert_pem").as_str();
    let is_alone = openbao.attribute("ca_cert_file").is_null();
    let Some(pem) = pem.filter(|pem| is_alone && !pem.is_empty()) else {
        return;
    };
    if let Err(error) = Roots::Pem(pem.to_owned()).check() {
        diagnostics.push(
            Diagnostic::error(
                "Invalid CA Certificate",
                format!(
                    "ca_cert_pem must hold certificates in PEM form, which begin with -----BEGIN \
                     CERTIFICATE-----.\n\nOriginal error: {error}"
                ),
            )
            .at(AttributePath::attribute("openbao").then("ca_cert_pem")),
        );
    }
}

fn together(block: &Value, one: &str, other: &str, diagnostics: &mut Diagnostics) {
    for (set, missing) in [(one, other), (other, one)] {
        if block.attribute(set).is_set() && block.attribute(missing).is_null() {
            diagnostics.push(
                Diagnostic::error(
                    "Incomplete Client Certificate",
                    format!("{set} is set without {missing}; a certificate needs its key."),
                )
                .at(AttributePath::attribute("openbao").then(set)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_providers_own_variables_are_kept() {
        let kept = [
            "PLANTON_TOKEN",
            "BAO_ADDR",
            "TF_IN_AUTOMATION",
            "HOME",
            "XDG_DATA_HOME",
            "LOCALAPPDATA",
        ];
        let others = [
            "AWS_SECRET_ACCESS_KEY",
            "VAULT_TOKEN",
            "TF_VAR_x",
            "MY_HOME",
        ];
        let all = kept.iter().chain(&others);
        let environment = Environment::of_all(all.map(|name| (name.into(), "hunter2".into())));
        for name in kept {
            assert!(environment.os(name).is_some(), "{name}");
        }
        for name in others {
            assert!(environment.os(name).is_none(), "{name}");
        }
    }
}

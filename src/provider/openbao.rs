//! Opens OpenBAO or HashiCorp Vault as the platform.

mod block;
mod login;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::settings::Environment;
use crate::diagnostics::no_randomness;
use block::variables_of;
pub(super) use block::{Block, unusable_argument};
use planton_core::names::Slug;
use planton_core::operations::{NAME_PREFIX, Platform};
use planton_plugin::{AttributePath, Diagnostic, Diagnostics, Value};
use planton_vendors::openbao::OpenBaoCatalog;
use planton_vendors::openbao::OpenBaoStore;
use planton_vendors::openbao::TransitKek;
use planton_vendors::openbao::client::{
    OpenBaoClient, OpenBaoConfig, OpenBaoError, PolicyRole, PolicyScope, UnreadableFile, fence_slot,
};
use planton_vendors::openbao::connection::{Connection, ConnectionBlock};
use planton_vendors::{Connector, KekConnector};

/// Opens the platform. Sends no request.
pub(super) fn open(
    config: &Value,
    environment: &Environment,
    organization: &Slug,
    diagnostics: &mut Diagnostics,
) -> Result<Platform, Diagnostic> {
    let block = Block {
        value: config.attribute("openbao"),
        environment: Some(environment),
    };
    let connection = block.connection()?;
    let config = block.config(&connection)?;
    if config.address.is_exposed() {
        diagnostics.push(
            Diagnostic::warning(
                "Platform Connection Not Encrypted",
                format!(
                    "The connection to {} has no TLS. Anybody who can read the traffic gets the \
                     token and the unwrapped data keys.\n\nUse an https address.",
                    config.address
                ),
            )
            .at(at("address")),
        );
    }
    let scope = PolicyScope {
        kv_mount_path: config.kv_mount_path.clone(),
        transit_mount_path: config.transit_mount_path.clone(),
        organization: organization.clone(),
        name_prefix: NAME_PREFIX.to_owned(),
    };
    let slot = fence_slot().map_err(|_| no_randomness())?;
    let fence_path = scope.fence_path(&slot);
    let client = OpenBaoClient::new(&config, Some(&fence_path)).map_err(unusable)?;
    let period = connection.key_rotation_period();
    Ok(Platform {
        catalog: Arc::new(OpenBaoCatalog::new(&client, &scope, PolicyRole::Apply)),
        kek: Arc::new(TransitKek::platform(&client, &scope).rotated_every(period)),
        mac_kek: Arc::new(TransitKek::platform_mac(&client, &scope).rotated_every(period)),
        former_keks: Vec::new(),
        kek_connector: Arc::new(KekConnector::default()),
        store: Arc::new(OpenBaoStore::platform(&client, &scope)),
        connector: Arc::new(Connector::default()),
    })
}

/// Returns the arguments that environment variables set, without those of a login.
pub(super) fn arguments_of(environment: &Environment) -> BTreeMap<String, Json> {
    let names = [
        "address",
        "namespace",
        "kv_mount_path",
        "transit_mount_path",
    ];
    let set = names.iter().filter_map(|name| {
        let text = environment.first(variables_of(name))?;
        Some(((*name).to_owned(), text.into()))
    });
    set.collect()
}

/// Reports certificates or a namespace that the client rejects.
fn unusable(error: OpenBaoError) -> Diagnostic {
    let parts = error.into_parts();
    let remedy = parts.remedy.unwrap_or_else(|| {
        "Check the namespace, the CA certificate, and the client certificate with its key."
            .to_owned()
    });
    let original = parts.source.map_or_else(String::new, |source| {
        format!("\n\nOriginal error: {source}")
    });
    Diagnostic::error(
        "Invalid Platform Configuration",
        format!(
            "The openbao block is invalid ({}: {}).\n\n{remedy}{original}",
            parts.operation, parts.path
        ),
    )
    .at(AttributePath::attribute("openbao"))
}

impl Block<'_> {
    fn connection(&self) -> Result<Connection, Diagnostic> {
        Connection::read(ConnectionBlock::Platform, self)
            .map_err(|problem| unusable_argument(&problem))
    }

    fn config(&self, connection: &Connection) -> Result<OpenBaoConfig, Diagnostic> {
        let auth = self.auth(connection)?;
        // The block is named after OpenBAO, and a Vault server works as well.
        connection
            .config(auth, None)
            .map_err(|error| unreadable(&error))
    }
}

fn unreadable(error: &UnreadableFile) -> Diagnostic {
    let what = error.to_string();
    Diagnostic::error(
        "File Not Readable",
        format!("T{}.\n\n{}", &what[1..], error.remedy()),
    )
    .at(at(error.setting()))
}

fn at(attribute: &str) -> AttributePath {
    AttributePath::attribute("openbao").then(attribute)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn refused(block: &Value) -> String {
        let environment = Environment::default();
        let block = Block {
            value: block,
            environment: Some(&environment),
        };
        let read = block.connection();
        let read = read.and_then(|connection| block.config(&connection).map(drop));
        format!("{:?}", read.unwrap_err())
    }

    fn block(more: &[(&'static str, &str)]) -> Value {
        let given = [("address", "https://bao.example.com"), ("token", "t")];
        Value::object(
            given
                .iter()
                .chain(more)
                .map(|(name, text)| (*name, (*text).into())),
        )
    }

    #[test]
    fn a_credential_in_place_of_a_path_is_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = folder.path().join("cert.pem");
        std::fs::write(&certificate, "").unwrap();
        let certificate = certificate.to_str().unwrap();
        let pem = "-----BEGIN PRIVATE KEY-----hunter2/.";
        let lines = "a/b.c\nhunter2";
        let long = format!("./hunter2{}", "x".repeat(255));
        for bad in [pem, lines, &long, "hunter2"] {
            for told in [
                refused(&block(&[("ca_cert_file", bad)])),
                refused(&block(&[
                    ("client_cert_file", bad),
                    ("client_key_file", "k"),
                ])),
            ] {
                assert!(told.contains("cert_file"), "{told}");
                assert!(!told.contains("hunter2"), "{told}");
            }
        }
        for bad in [pem, lines, &long, "hunter2", "/run/hunter2.pem"] {
            let key = [("client_cert_file", certificate), ("client_key_file", bad)];
            let told = refused(&block(&key));
            assert!(told.contains("that client_key_file names"), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
        let told = refused(&block(&[("ca_cert_file", "/nowhere/ca.pem")]));
        assert!(told.contains("/nowhere/ca.pem"), "{told}");
    }

    #[test]
    fn an_address_and_a_mount_that_may_contain_a_credential_are_not_quoted() {
        for address in [
            "https://user:hunter2@bao",
            "https://bao?token=hunter2",
            "hunter2",
        ] {
            let told = refused(&Value::object([("address", address.into())]));
            assert!(told.contains("Invalid Platform Address"), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
        let told = refused(&block(&[("kv_mount_path", "hunter2!=")]));
        assert!(told.contains("Invalid Mount Path"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

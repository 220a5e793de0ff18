//! A user's own server, as a backend's record and credential describe it.

use planton_core::store::{StoreCredential, StoreError, StoreSettings};
use planton_vendors::http::HttpSettings;
use planton_vendors::openbao::{AmbientTokens, ConnectOptions, OpenBaoStore, VaultConfig};
use serde_json::{Value, json};

use super::hasty;

#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) settings: StoreSettings,
    pub(crate) credential: StoreCredential,
    ambient: AmbientTokens,
}

impl Own {
    pub(crate) fn new(kind: &str, address: &str, kv: &str) -> Self {
        let configuration = json!({"address": address, "kv_mount_path": kv});
        Self {
            settings: StoreSettings {
                kind: kind.to_owned(),
                name_prefix: "planton".to_owned(),
                configuration: serde_json::from_value(configuration).unwrap(),
            },
            credential: StoreCredential::new(),
            ambient: AmbientTokens::default(),
        }
    }

    /// Sets a setting.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let configuration = &mut self.settings.configuration;
        configuration.insert(name.to_owned(), value.into());
        self
    }

    /// Sets a field of the credential.
    pub(crate) fn given(mut self, name: &str, secret: &str) -> Self {
        self.credential.insert(name.to_owned(), secret.into());
        self
    }

    /// Sets environment variables of the process.
    pub(crate) fn in_environment(mut self, variables: &[(&str, &str)]) -> Self {
        self.ambient = AmbientTokens::of(|name| {
            let mut all = variables.iter();
            let (_, value) = all.find(|(known, _)| *known == name)?;
            Some((*value).into())
        });
        self
    }

    /// Connects as a new process does.
    pub(crate) fn connect(&self) -> Result<OpenBaoStore, StoreError> {
        self.connect_with(HttpSettings {
            retry: hasty(),
            request_log: None,
            ..HttpSettings::default()
        })
    }

    /// As [`connect`](Self::connect), with these timeouts and retries.
    pub(crate) fn connect_with(&self, http: HttpSettings) -> Result<OpenBaoStore, StoreError> {
        let options = ConnectOptions {
            http,
            ambient: self.ambient.clone(),
        };
        OpenBaoStore::connect(
            VaultConfig::from_settings(&self.settings)?,
            &self.credential,
            options,
        )
    }

    pub(crate) fn store(&self) -> OpenBaoStore {
        self.connect().unwrap()
    }
}

//! What a backend's record says of a server of one's own, parsed once.

use std::path::PathBuf;

use crate::http::{ClientIdentity, Roots};
use crate::openbao::client::{
    DEFAULT_KUBERNETES_TOKEN_FILE, MountPath, OpenBaoAddress, ServerVendor, read_certificate,
    read_private_key,
};
use planton_core::store::{StoreError, StoreSettings};

/// Where KV version 2 is mounted unless a practitioner says otherwise.
const DEFAULT_KV_MOUNT: &str = "secret";

/// Whose server it is: they speak the same protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultKind {
    /// `hashicorp_vault`.
    HashiCorpVault,
    /// `openbao`.
    OpenBao,
}

/// A server of one's own as a secret backend. Nothing in it is secret.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    kind: VaultKind,
    name_prefix: String,
    address: OpenBaoAddress,
    namespace: Option<String>,
    kv_mount_path: MountPath,
    authorities: Authorities,
    /// Certificate and key.
    client_files: Option<(String, String)>,
    login: Option<Login>,
}

/// Whom to trust.
#[derive(Clone, Debug)]
enum Authorities {
    System,
    Pem(String),
    File(String),
}

/// The parts of a login that are not secret.
#[derive(Clone, Debug)]
pub(super) enum Login {
    AppRole {
        mount_path: MountPath,
        role_id: String,
    },
    Jwt {
        mount_path: MountPath,
        role: String,
        token_file: Option<PathBuf>,
    },
    Kubernetes {
        mount_path: MountPath,
        role: String,
        token_file: PathBuf,
    },
}

impl VaultKind {
    /// Parses the type as a practitioner names it; `None` for another one.
    #[must_use]
    pub fn parse(kind: &str) -> Option<Self> {
        [Self::HashiCorpVault, Self::OpenBao]
            .into_iter()
            .find(|known| known.name() == kind)
    }

    /// Returns the type as a practitioner names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HashiCorpVault => "hashicorp_vault",
            Self::OpenBao => "openbao",
        }
    }

    /// Returns the vendor's name in messages.
    #[must_use]
    pub const fn vendor(self) -> &'static str {
        match self {
            Self::HashiCorpVault => "HashiCorp Vault",
            Self::OpenBao => "OpenBAO",
        }
    }
}

impl From<VaultKind> for ServerVendor {
    fn from(kind: VaultKind) -> Self {
        match kind {
            VaultKind::HashiCorpVault => Self::Vault,
            VaultKind::OpenBao => Self::OpenBao,
        }
    }
}

impl VaultConfig {
    /// Reads the settings of the types `hashicorp_vault` and `openbao`; no I/O.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, at the setting to edit. No message repeats one: a
    /// credential may have been given in its place.
    pub fn from_settings(settings: &StoreSettings) -> Result<Self, StoreError> {
        let Some(kind) = VaultKind::parse(&settings.kind) else {
            return Err(misconfigured(
                "kind",
                "This type of secret backend is no server of Vault's protocol.",
            ));
        };
        let reader = Reader { kind, settings };
        Ok(Self {
            kind,
            name_prefix: reader.name_prefix()?,
            address: reader.address()?,
            namespace: reader.namespace()?,
            kv_mount_path: reader.mount(
                settings.text("kv_mount_path"),
                "kv_mount_path",
                DEFAULT_KV_MOUNT,
            )?,
            authorities: reader.authorities()?,
            client_files: reader.client_files()?,
            login: reader.login()?,
        })
    }

    /// Returns whose server it is.
    #[must_use]
    pub fn kind(&self) -> VaultKind {
        self.kind
    }

    /// Returns the server's address.
    #[must_use]
    pub fn address(&self) -> &OpenBaoAddress {
        &self.address
    }

    /// Returns the namespace; absent for the root.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Returns where KV version 2 is mounted.
    #[must_use]
    pub fn kv_mount_path(&self) -> &MountPath {
        &self.kv_mount_path
    }

    /// Returns the first part of every object's name.
    #[must_use]
    pub fn name_prefix(&self) -> &str {
        &self.name_prefix
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Returns the certificate authorities in PEM; `None` for the system's.
    pub(super) fn read_authorities(&self) -> Result<Option<String>, StoreError> {
        match &self.authorities {
            Authorities::System => Ok(None),
            Authorities::Pem(pem) => Ok(Some(pem.clone())),
            Authorities::File(file) => read_certificate("ca_cert_file", file)
                .map(Some)
                .map_err(|error| self.unreadable(&error)),
        }
    }

    /// Returns the certificate to show, if any.
    pub(super) fn read_identity(&self) -> Result<Option<ClientIdentity>, StoreError> {
        let Some((certificate, key)) = &self.client_files else {
            return Ok(None);
        };
        let unreadable = |error| self.unreadable(&error);
        Ok(Some(ClientIdentity {
            cert_pem: read_certificate("client_cert_file", certificate).map_err(unreadable)?,
            key_pem: read_private_key("client_key_file", key).map_err(unreadable)?,
        }))
    }

    /// Describes what keeps `setting` from being used.
    pub(super) fn misconfigured(&self, setting: &str, remedy: impl Into<String>) -> StoreError {
        misconfigured(&at(self.kind, setting), remedy)
    }

    fn unreadable(&self, error: &crate::openbao::client::UnreadableFile) -> StoreError {
        let what = error.to_string();
        let remedy = format!("T{}. {}", &what[1..], error.remedy());
        self.misconfigured(error.setting(), remedy)
    }
}

/// Reads settings, and names the one that is wrong.
struct Reader<'a> {
    kind: VaultKind,
    settings: &'a StoreSettings,
}

impl Reader<'_> {
    /// Returns a setting that is text; empty text counts as absent.
    fn text(&self, name: &str) -> Option<&str> {
        self.settings.text(name).filter(|text| !text.is_empty())
    }

    fn error(&self, setting: &str, remedy: impl Into<String>) -> StoreError {
        misconfigured(&at(self.kind, setting), remedy)
    }

    fn name_prefix(&self) -> Result<String, StoreError> {
        let prefix = MountPath::parse(&self.settings.name_prefix).map_err(|_| {
            misconfigured(
                "name_prefix",
                "name_prefix must be one or more segments of letters, digits, _ . and -, joined \
                 by /.",
            )
        })?;
        Ok(prefix.as_str().to_owned())
    }

    fn address(&self) -> Result<OpenBaoAddress, StoreError> {
        let Some(text) = self.text("address") else {
            return Err(self.error(
                "address",
                "Set address. It is never taken from the environment: the secrets would move with \
                 a variable.",
            ));
        };
        OpenBaoAddress::parse(text)
            .map_err(|error| self.error("address", format!("address {error}.")))
    }

    fn namespace(&self) -> Result<Option<String>, StoreError> {
        let text = self.text("namespace").map(|text| text.trim_matches('/'));
        // What servers themselves call having none.
        let Some(text) = text.filter(|text| !matches!(*text, "" | "root")) else {
            return Ok(None);
        };
        MountPath::parse(text)
            .map(|path| Some(path.as_str().to_owned()))
            .map_err(|_| {
                self.error(
                    "namespace",
                    "namespace must be a path, as team or team/a: letters, digits, _ . - and /.",
                )
            })
    }

    fn mount(
        &self,
        text: Option<&str>,
        setting: &str,
        default: &str,
    ) -> Result<MountPath, StoreError> {
        let text = text.filter(|text| !text.is_empty()).unwrap_or(default);
        MountPath::parse(text).map_err(|error| self.error(setting, format!("{setting} {error}.")))
    }

    fn authorities(&self) -> Result<Authorities, StoreError> {
        match (self.text("ca_cert_pem"), self.text("ca_cert_file")) {
            (Some(_), Some(_)) => Err(self.error(
                "ca_cert_file",
                "Set at most one of ca_cert_pem and ca_cert_file.",
            )),
            (Some(pem), None) if pem.contains("PRIVATE KEY-----") => Err(self.error(
                "ca_cert_pem",
                "ca_cert_pem holds a private key, which would stand in the state. Give the \
                 certificates alone.",
            )),
            (Some(pem), None) => match Roots::Pem(pem.to_owned()).check() {
                Ok(()) => Ok(Authorities::Pem(pem.to_owned())),
                Err(error) => Err(self
                    .error(
                        "ca_cert_pem",
                        "ca_cert_pem must hold certificates in PEM form, which begin with \
                         -----BEGIN CERTIFICATE-----.",
                    )
                    .with_source(error)),
            },
            (None, Some(file)) => Ok(Authorities::File(self.path("ca_cert_file", file)?)),
            (None, None) => Ok(Authorities::System),
        }
    }

    /// Returns `text` where it is a path, and not what a file holds: PEM, or a JSON
    /// Web Token.
    fn path(&self, setting: &str, text: &str) -> Result<String, StoreError> {
        let is_token = text.trim().starts_with("eyJ") && text.matches('.').count() == 2;
        if is_token || text.contains("-----BEGIN") || text.contains(char::is_control) {
            let remedy = format!(
                "{setting} takes a path, and not what the file holds: that would stand in the \
                 state."
            );
            return Err(self.error(setting, remedy));
        }
        crate::openbao::client::check_path(text)
            .map_err(|error| self.error(setting, format!("{setting} {error}.")))?;
        Ok(text.to_owned())
    }

    fn client_files(&self) -> Result<Option<(String, String)>, StoreError> {
        match (self.text("client_cert_file"), self.text("client_key_file")) {
            (Some(certificate), Some(key)) => Ok(Some((
                self.path("client_cert_file", certificate)?,
                self.path("client_key_file", key)?,
            ))),
            (Some(_), None) => {
                Err(self.error("client_key_file", "A certificate needs its key: set both."))
            }
            (None, Some(_)) => {
                Err(self.error("client_cert_file", "A key needs its certificate: set both."))
            }
            (None, None) => Ok(None),
        }
    }

    fn login(&self) -> Result<Option<Login>, StoreError> {
        const LOGINS: [&str; 3] = ["approle", "jwt", "kubernetes"];
        let mut set = LOGINS.into_iter().filter(|name| self.settings.has(name));
        let Some(chosen) = set.next() else {
            return Ok(None);
        };
        if let Some(second) = set.next() {
            let remedy = "Set at most one of approle, jwt and kubernetes.";
            return Err(self.error(second, remedy));
        }
        let nested = |name: &str| {
            let text = self.settings.nested(chosen, name);
            text.filter(|text| !text.is_empty())
        };
        let required = |name: &str| {
            let setting = format!("{chosen}.{name}");
            let text = nested(name).map(str::to_owned);
            text.ok_or_else(|| self.error(&setting, format!("Set {setting}.")))
        };
        let token_file = nested("token_file")
            .map(|file| self.path(&format!("{chosen}.token_file"), file))
            .transpose()?
            .map(PathBuf::from);
        let setting = format!("{chosen}.mount_path");
        let mount_path = self.mount(nested("mount_path"), &setting, chosen)?;
        Ok(Some(match chosen {
            "approle" => Login::AppRole {
                mount_path,
                role_id: required("role_id")?,
            },
            "jwt" => Login::Jwt {
                mount_path,
                role: required("role")?,
                token_file,
            },
            _ => Login::Kubernetes {
                mount_path,
                role: required("role")?,
                token_file: token_file.unwrap_or_else(|| DEFAULT_KUBERNETES_TOKEN_FILE.into()),
            },
        }))
    }
}

fn at(kind: VaultKind, setting: &str) -> String {
    format!("{}.{setting}", kind.name())
}

fn misconfigured(setting: &str, remedy: impl Into<String>) -> StoreError {
    StoreError::unusable_setting(setting, remedy)
}

#[cfg(test)]
mod tests;

//! The key of an organization in a bucket: the block `encryption`, or the variable
//! `PLANTON_BUCKET_KEY`.
//!
//! The blocks are those of `planton_secret_backend`, except that the parts of a credential are
//! sensitive arguments: no state contains a provider block.

use std::path::{Path, PathBuf};

use super::super::settings::{Environment, invalid_path};
use super::{BUCKET, sensitive};
use crate::diagnostics::explain;
use crate::fields::{
    Checked, CredentialFields, attribute_name, check_key, collect, field_attribute, innermost,
    report_mistakes, settings_of,
};
use crate::key_argument;
use planton_core::kek::KekError;
use planton_core::operations::{ConnectKek, KekSettings, OperationError, StoreCredential};
use planton_plugin::{Attribute, AttributePath, Diagnostic, Diagnostics, Value};
use planton_vendors::openbao::client::check_path;
use planton_vendors::{Field, Holds, KEY_TYPES, KeyType, KeyUsage, MacKeyGuard};
use serde_json::{Value as Json, json};

pub(super) const ENCRYPTION: &str = "encryption";
const KEY_FILE: &str = "key_file";
const MAC_KEY_NAME: &str = "mac_key_name";
pub(super) const VARIABLE: &str = "PLANTON_BUCKET_KEY";

/// The key of an organization, as configured.
#[derive(Debug)]
pub(super) enum OrganizationKey {
    /// In a service.
    Service(ServiceKey),
    /// In a file on this machine.
    File(PathBuf),
}

impl OrganizationKey {
    /// Returns the block `encryption`, without a credential.
    pub(super) fn as_argument(&self) -> Json {
        match self {
            Self::File(path) => json!({ KEY_FILE: { "path": path } }),
            Self::Service(key) => {
                let mut settings = key.main.configuration.clone();
                let of = KeyType::of(&key.main.kind).map(|of| of.mac_key);
                if let (Some(mac), Some(MacKeyGuard::SecondKey(field))) = (&key.mac, of)
                    && let Some(name) = mac.configuration.get(field)
                {
                    settings.insert(MAC_KEY_NAME.to_owned(), name.clone());
                }
                json!({ key.main.kind.as_str(): settings })
            }
        }
    }
}

/// Keys in a service, with one credential.
#[derive(Debug)]
pub(super) struct ServiceKey {
    pub(super) main: KekSettings,
    /// The key of the MAC key, if it is another one.
    pub(super) mac: Option<KekSettings>,
    pub(super) credential: StoreCredential,
}

impl ServiceKey {
    /// Returns whether whoever may encrypt with the main key can replace the MAC key.
    pub(super) fn leaves_mac_key_open(&self) -> bool {
        self.mac.is_none()
    }

    /// Returns whether the main key may have a second one beside it.
    pub(super) fn takes_second(&self) -> bool {
        let of = KeyType::of(&self.main.kind);
        of.is_some_and(|of| matches!(of.mac_key, MacKeyGuard::SecondKey(_)))
    }

    fn new(of: &KeyType, main: KekSettings, mac_key_name: Option<&str>) -> Self {
        let mac = mac_key_name.and_then(|name| match of.mac_key {
            MacKeyGuard::SecondKey(field) => {
                let mut mac = main.clone();
                mac.configuration.insert(field.to_owned(), name.into());
                Some(mac)
            }
            MacKeyGuard::Nothing => None,
        });
        Self {
            main,
            mac,
            credential: StoreCredential::new(),
        }
    }
}

fn key_types() -> impl Iterator<Item = &'static KeyType> {
    let all = KEY_TYPES.iter().copied();
    all.filter(|known| known.usage == KeyUsage::Any)
}

fn names() -> String {
    let names: Vec<_> = key_types().map(|known| known.name).collect();
    format!("{}, {KEY_FILE}", names.join(", "))
}

/// Returns the attribute `encryption`.
pub(super) fn attribute() -> Attribute {
    let types = key_types().map(|of| {
        let fields = of.fields.iter();
        let mut fields: Vec<_> = fields
            .map(|field| field_attribute(field, CredentialFields::Sensitive))
            .collect();
        if matches!(of.mac_key, MacKeyGuard::SecondKey(_)) {
            fields.push(Attribute::string(MAC_KEY_NAME).optional().describe(
                "Name of a second key, in the form of `key_name`, which encrypts nothing but the \
                 organization's MAC key. Only `platform init` and `rewrap` have to encrypt with \
                 it. Without it, `organization_fingerprint` is required.",
            ));
        }
        Attribute::object(of.name, fields)
            .optional()
            .describe(of.description)
    });
    let file = Attribute::object(
        KEY_FILE,
        [Attribute::string("path").required().describe(
            "Absolute path of the key file. The first use of the organization creates it, except \
             in automation (`TF_IN_AUTOMATION`, `CI` or `TFC_RUN_ID` is set) or with \
             `allowed_key_ids`. Back it up. Every other machine needs a copy.",
        )],
    )
    .optional()
    .describe("Key file on this machine, for a team without a key service.");
    Attribute::object(ENCRYPTION, types.chain([file]))
        .optional()
        .describe(format!(
            "Key that encrypts the data keys and the MAC key of the organization: exactly one \
             block. The provider never creates a key in a service. Can also be set with \
             `{VARIABLE}`, as `<type>:<setting>=<value>,…` or `{KEY_FILE}:<path>`."
        ))
}

/// Returns the path of the block of a key.
pub(super) fn path_of(of: &str) -> AttributePath {
    AttributePath::attribute(BUCKET).then(ENCRYPTION).then(of)
}

/// Reads the key. The block takes precedence over the variable.
pub(super) fn read(
    block: &Value,
    environment: &Environment,
) -> Result<OrganizationKey, Diagnostic> {
    let encryption = block.attribute(ENCRYPTION);
    if encryption.is_set() {
        return read_block(encryption);
    }
    match environment.first(&[VARIABLE]) {
        Some(text) => read_variable(&text),
        None => Err(missing()),
    }
}

fn missing() -> Diagnostic {
    Diagnostic::error(
        "Encryption Key Missing",
        format!(
            "The bucket block names no key, and a bucket has none of its own.\n\nSet exactly one \
             of {} in encryption, or the environment variable {VARIABLE}.",
            names()
        ),
    )
    .at(AttributePath::attribute(BUCKET).then(ENCRYPTION))
}

fn read_block(encryption: &Value) -> Result<OrganizationKey, Diagnostic> {
    let file = encryption.attribute(KEY_FILE);
    if file.is_set() {
        let path = file.attribute("path").as_str().unwrap_or_default();
        return Ok(OrganizationKey::File(PathBuf::from(path)));
    }
    let of = key_types().find(|known| encryption.attribute(known.name).is_set());
    let of = of.ok_or_else(missing)?;
    let block = encryption.attribute(of.name);
    let inner = write_only(of.fields, block);
    let configuration = settings_of(of.fields, &inner).unwrap_or_default();
    let settings = KekSettings {
        kind: of.name.to_owned(),
        configuration,
    };
    let mac_key_name = block.attribute(MAC_KEY_NAME).as_str();
    let mut key = ServiceKey::new(of, settings, mac_key_name);
    collect(of.fields, &inner, &mut key.credential);
    Ok(OrganizationKey::Service(key))
}

fn read_variable(text: &str) -> Result<OrganizationKey, Diagnostic> {
    let invalid = |reason: &str| {
        Diagnostic::error(
            "Invalid Key Variable",
            format!(
                "The environment variable {VARIABLE} names no key. {reason}\n\nSet it to \
                 <type>:<setting>=<value>,… with the settings of that type's block in encryption, \
                 or to {KEY_FILE}:<path>. The types are: {}.",
                names()
            ),
        )
        .at(AttributePath::attribute(BUCKET).then(ENCRYPTION))
    };
    if let Some(path) = text.strip_prefix("key_file:") {
        let path = path.strip_prefix("path=").unwrap_or(path);
        check_path(path).map_err(|error| {
            let what = format!("The environment variable {VARIABLE}");
            invalid_path(&what, &error, path_of(KEY_FILE).then("path"))
        })?;
        if !Path::new(path).is_absolute() {
            return Err(invalid(NOT_ABSOLUTE));
        }
        return Ok(OrganizationKey::File(PathBuf::from(path)));
    }
    let kind = text.split_once(':').map(|(kind, _)| kind);
    if !KEY_TYPES.iter().any(|known| Some(known.name) == kind) {
        return Err(invalid("A key begins with its type and a colon."));
    }
    let (rest, mac_key_name) = without_mac_key(text).map_err(invalid)?;
    let settings = key_argument::settings(&rest).map_err(|reason| invalid(&reason))?;
    let of = key_types().find(|known| known.name == settings.kind);
    let of = of.ok_or_else(|| invalid("Keys of this type are for escrow only."))?;
    if mac_key_name.is_some() && !matches!(of.mac_key, MacKeyGuard::SecondKey(_)) {
        return Err(invalid("A key of that type takes no mac_key_name."));
    }
    let key = ServiceKey::new(of, settings, mac_key_name.as_deref());
    if key.mac.as_ref() == Some(&key.main) {
        return Err(invalid(
            "mac_key_name names the main key. It protects the MAC key only if it is another one.",
        ));
    }
    Ok(OrganizationKey::Service(key))
}

/// Splits `mac_key_name=…` off the settings of a key.
fn without_mac_key(text: &str) -> Result<(String, Option<String>), &'static str> {
    let Some((kind, settings)) = text.split_once(':') else {
        return Ok((text.to_owned(), None));
    };
    let is_mac = |part: &&str| part.starts_with("mac_key_name=");
    let (mac, rest): (Vec<_>, Vec<_>) = settings.split(',').partition(is_mac);
    let mac_key_name = match mac.as_slice() {
        [] => None,
        [one] => one.strip_prefix("mac_key_name=").map(str::to_owned),
        _ => return Err("The setting mac_key_name is given twice."),
    };
    Ok((format!("{kind}:{}", rest.join(",")), mac_key_name))
}

const NOT_ABSOLUTE: &str = "The path of a key file is absolute. A relative one would name another \
                            file in each working directory, and often one in a Git repository.";

/// Checks the known part of the block.
pub(super) fn validate(
    encryption: &Value,
    connector: &dyn ConnectKek,
    diagnostics: &mut Diagnostics,
) {
    if !encryption.is_set() {
        return;
    }
    let all: Vec<_> = key_types().map(|of| of.name).chain([KEY_FILE]).collect();
    let is_set = |name: &&&str| encryption.attribute(name).is_set();
    let set: Vec<_> = all.iter().filter(is_set).collect();
    let at = AttributePath::attribute(BUCKET).then(ENCRYPTION);
    if all.iter().all(|name| encryption.attribute(name).is_null()) {
        diagnostics.push(missing());
    } else if let [_, second, ..] = set.as_slice() {
        diagnostics.push(
            Diagnostic::error(
                "Conflicting Encryption Keys",
                format!(
                    "The encryption block names several keys, and an organization has one.\n\nSet \
                     exactly one of {}.",
                    names()
                ),
            )
            .at(at.then(**second)),
        );
    }
    let path = encryption.attribute(KEY_FILE).attribute("path");
    if let Some(text) = path.as_str() {
        let at = path_of(KEY_FILE).then("path");
        match check_path(text) {
            Err(error) => diagnostics.push(invalid_path("path", &error, at)),
            Ok(_) if Path::new(text).is_absolute() => {}
            Ok(_) => diagnostics.push(
                Diagnostic::error("Key File Path Not Absolute", format!("{NOT_ABSOLUTE}\n\nSet path to an absolute path, such as \"${{pathexpand(\"~/.config/planton/acme.key\")}}\"."))
                    .at(at),
            ),
        }
    }
    for of in key_types() {
        let block = encryption.attribute(of.name);
        if block.is_set() {
            validate_key(of, block, connector, diagnostics);
        }
    }
}

fn validate_key(
    of: &'static KeyType,
    block: &Value,
    connector: &dyn ConnectKek,
    diagnostics: &mut Diagnostics,
) {
    let inner = write_only(of.fields, block);
    let mut found = Diagnostics::new();
    let checked = Checked {
        path: path_of(of.name),
        name: of.name,
        fields: of.fields,
        check: &|configuration, credential| check_key(of, connector, configuration, credential),
    };
    report_mistakes(&inner, &checked, &mut found);
    diagnostics.extend(found.iter().map(sensitive));
    let (MacKeyGuard::SecondKey(field), Some(name)) =
        (of.mac_key, block.attribute(MAC_KEY_NAME).as_str())
    else {
        return;
    };
    let second = inner.with(field, Value::from(name));
    let mut of_second = Diagnostics::new();
    report_mistakes(&second, &checked, &mut of_second);
    let at = path_of(of.name).then(field);
    let of_name = of_second.iter().filter(|one| one.path == at);
    diagnostics.extend(of_name.map(|one| Diagnostic {
        path: path_of(of.name).then(MAC_KEY_NAME),
        ..sensitive(one)
    }));
    if block.attribute(field).as_str() == Some(name) {
        diagnostics.push(
            Diagnostic::error(
                "Encryption Key Declared Twice",
                format!(
                    "{MAC_KEY_NAME} names the same key as {field}. It protects the MAC key only if \
                     it is another one.\n\nName another key, or omit {MAC_KEY_NAME}."
                ),
            )
            .at(path_of(of.name).then(MAC_KEY_NAME)),
        );
    }
}

/// Returns the diagnostic of settings or a credential that the key's type rejects.
pub(super) fn unusable(settings: &KekSettings, error: KekError) -> Diagnostic {
    let named = error.path().to_owned();
    let told = explain(&OperationError::Kek(error));
    let path = match KeyType::of(&settings.kind) {
        Some(of) => innermost(path_of(of.name), of.name, of.fields, &named),
        None => AttributePath::attribute(BUCKET).then(ENCRYPTION),
    };
    sensitive(&told.at(path))
}

/// Returns a block of the provider with the names that the fields of a backend have.
fn write_only(fields: &[Field], block: &Value) -> Value {
    if !block.is_set() {
        return block.clone();
    }
    Value::object(fields.iter().map(|field| {
        let name = attribute_name(field.name, CredentialFields::Sensitive);
        let value = block.attribute(name);
        let value = match field.holds {
            Holds::Block(inner) => write_only(inner, value),
            Holds::Text | Holds::Flag | Holds::Number | Holds::Texts => value.clone(),
        };
        (field.name, value)
    }))
}

/// Returns the type and the name of a key, for a message.
pub(super) fn key_of(settings: &KekSettings) -> String {
    let names = ["key_id", "key_name", "key_url"];
    let value = names
        .iter()
        .find_map(|name| settings.configuration.get(*name));
    let value = value.and_then(Json::as_str).unwrap_or_default();
    format!("{} {value}", settings.kind)
}

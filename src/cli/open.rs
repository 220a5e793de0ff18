//! `open` opens one envelope with a key at hand, without a platform: break glass.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::key_argument;
use super::operator::{self, Failure, Form, Report};
use planton_core::names::{SecretName, Slug};
use planton_core::operations::{
    ConnectKek as _, KeyEncryptionKey, KeyPurpose, LocalKek, OperationError, StoreCredential,
    WrapNames, WrapObject, pin_of,
};
use planton_envelope::{Context, DataKey, Envelope, KekId, Purpose, SecretKind, SecretValue};
use planton_plugin::Diagnostic;
use planton_vendors::age::AgeIdentityFile;
use planton_vendors::embedded::LocalKeyFile;
use planton_vendors::{KekConnector, open_regular_file};

/// The longest envelope that is read. No backend stores a longer one.
const MAX_ENVELOPE_BYTES: u64 = 64 << 20;

/// Arguments of `open`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Open {
    /// File with the envelope, in binary or text form. Default: stdin.
    envelope: Option<PathBuf>,
    #[command(flatten)]
    key: Key,
    /// Name of the organization, for a key whose service logs or checks it.
    #[arg(long, value_parser = Slug::parse)]
    organization: Option<Slug>,
    /// Name of the secret, for a key whose service logs or checks it.
    #[arg(long, value_parser = Slug::parse)]
    secret: Option<Slug>,
    /// Environment of the secret.
    #[arg(long, value_parser = Slug::parse)]
    environment: Option<Slug>,
    /// Write the value to stdout, and everything else to stderr. Without it, the value is not
    /// printed.
    #[arg(long, conflicts_with = "json")]
    reveal: bool,
    /// Print the result, without the value, as one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// The key to open with.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
struct Key {
    /// Key file of an embedded platform.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// File with identities of age, as age-keygen writes it.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Key in a service.
    // Rustdoc would take <type> for a tag.
    #[arg(long, value_name = "KEY", help = KEY_HELP, requires_all = ["organization", "secret"])]
    key: Option<String>,
}

const KEY_HELP: &str = "Key in a service: <type>:<setting>=<value>,… with the settings of that \
    type's block. The credential comes from the vendor's ambient chain. Requires --organization \
    and --secret";

/// Result of the command. It never contains the value.
#[derive(Debug, Serialize)]
struct Opened {
    organization: String,
    secret: String,
    backend: String,
    version: u64,
    kind: &'static str,
    payload_sha256: String,
    opened_with: String,
    wrapped_for: Vec<String>,
    /// Whether anybody who has the public key could have sealed the envelope.
    public_key: bool,
}

impl Report for Opened {
    fn text(&self) -> String {
        let Self {
            organization,
            secret,
            backend,
            version,
            kind,
            payload_sha256,
            opened_with,
            wrapped_for,
            public_key,
        } = self;
        let mut text = format!(
            "The envelope opens.\n\n  organization    {organization}\n  secret          {secret}\n  \
             backend         {backend}\n  version         {version}\n  kind            {kind}\n  \
             payload sha256  {payload_sha256}\n  opened with     {opened_with}"
        );
        for other in wrapped_for.iter().filter(|other| *other != opened_with) {
            let _ = write!(text, "\n  wrapped for     {other}");
        }
        let sealer = match public_key {
            true => "somebody who has the public key, which anybody may have,",
            false => "somebody who may encrypt with the key",
        };
        let _ = write!(
            text,
            "\n\nThis proves that {sealer} sealed the value for these identifiers, and that neither \
             was changed since. It does not prove that the version is the current one, nor that the \
             organization sealed it. Only the record in the catalog proves that: its payload_sha256 \
             must be the one above."
        );
        text
    }
}

/// Opens the envelope that the arguments name.
#[must_use]
pub(super) fn run(open: Open) -> ExitCode {
    let form = if open.json { Form::Json } else { Form::Text };
    let reveal = open.reveal;
    operator::run_alone(form, reveal, async move {
        let (report, value) = opened(&open).await?;
        if reveal {
            // The kind byte is no part of the value.
            let plaintext = value.to_plaintext();
            let mut stdout = std::io::stdout().lock();
            let content = plaintext.expose().get(1..).unwrap_or_default();
            let written = stdout.write_all(content).and_then(|()| stdout.flush());
            written.map_err(|error| failed("Value Not Written", format!("{error}.")))?;
        }
        Ok(report)
    })
}

async fn opened(open: &Open) -> Result<(Opened, SecretValue), Failure> {
    let envelope = read(open.envelope.as_deref())?;
    let context = envelope.context().clone();
    if context.purpose != Purpose::Secret {
        return Err(failed(
            "Envelope Of Another Purpose",
            "The envelope contains a credential, or a value sealed for a name. It opens only \
             together with the settings or the name that it is for, which it does not contain.\n\n\
             Pass the envelope of a secret's version."
                .to_owned(),
        ));
    }
    let (id, data_key) = unwrapped(open, &envelope, &context).await?;
    let plaintext = envelope.open(&data_key, &context).map_err(|_| refused())?;
    let value = SecretValue::from_plaintext(&plaintext.plaintext).map_err(|_| refused())?;
    let report = Opened {
        organization: context.organization.to_string(),
        secret: context.object.to_string(),
        backend: context.backend.to_string(),
        version: context.version,
        kind: match value.kind() {
            SecretKind::Text => "text",
            SecretKind::KeyValue => "key-value",
            SecretKind::Binary => "binary",
        },
        payload_sha256: hex(&envelope.payload_digest()),
        public_key: ["age", "azure_key_vault_key"].contains(&id.provider.as_str()),
        opened_with: pin_of(&id),
        wrapped_for: wrapped_for(&envelope),
    };
    Ok((report, value))
}

/// Reads a file or stdin.
fn read(path: Option<&Path>) -> Result<Envelope, Failure> {
    let mut bytes = Vec::new();
    let read = match path {
        Some(path) => open_regular_file(path)
            .and_then(|file| file.take(MAX_ENVELOPE_BYTES).read_to_end(&mut bytes)),
        None => {
            let stdin = std::io::stdin().lock();
            stdin.take(MAX_ENVELOPE_BYTES).read_to_end(&mut bytes)
        }
    };
    read.map_err(|error| {
        failed(
            "Envelope Not Readable",
            format!(
                "The envelope could not be read: {error}.\n\nPass a file, or the envelope on stdin."
            ),
        )
    })?;
    // An editor or a shell ends a text with a line end.
    let stored = match bytes.starts_with(b"pse1.") {
        true => bytes.trim_ascii_end(),
        false => &bytes,
    };
    Envelope::parse_stored(stored).map_err(|error| {
        failed(
            "Not An Envelope",
            format!(
                "The input is not an envelope of format 1: {error}.\n\nPass what the backend \
                 stores, in binary form or as text that begins with pse1."
            ),
        )
    })
}

/// Unwraps the data key with the key of the arguments.
async fn unwrapped(
    open: &Open,
    envelope: &Envelope,
    context: &Context,
) -> Result<(KekId, DataKey), Failure> {
    let keys = keys(open, envelope).await?;
    for (id, wrapped) in envelope.wrapped_keys() {
        if let Some((key, organization)) = keys.iter().find(|(key, _)| key.id() == id) {
            let names = names(open, organization.as_ref());
            let binding = envelope.binding_in(context, id);
            let data_key = key.unwrap(wrapped, names.bound(binding)).await;
            let data_key = data_key.map_err(|error| Failure::from(OperationError::from(error)))?;
            return Ok((id.clone(), data_key));
        }
    }
    Err(failed(
        "No Wrap For This Key",
        format!(
            "The envelope is not wrapped for the given key. It is wrapped for:\n  {}\n\nPass one of \
             these keys.",
            wrapped_for(envelope).join("\n  ")
        ),
    ))
}

type OpenKey = (Arc<dyn KeyEncryptionKey>, Option<Slug>);

/// Opens the key of the arguments: each root key of a file, each identity.
async fn keys(open: &Open, envelope: &Envelope) -> Result<Vec<OpenKey>, Failure> {
    let failed = |error| Failure::from(OperationError::Kek(error));
    if let Some(path) = &open.key.key_file {
        let file = LocalKeyFile::open(path).map_err(failed)?;
        return Ok(local_keys(&file, envelope));
    }
    if let Some(path) = &open.key.identity {
        let identities = AgeIdentityFile::open(path).map_err(failed)?;
        let identities = identities.into_identities().into_iter();
        return Ok(identities.map(|key| (Arc::new(key) as _, None)).collect());
    }
    let text = open.key.key.as_deref().unwrap_or_default();
    let settings = key_argument::parse(text)?.settings;
    let connector = KekConnector::default();
    let ambient = StoreCredential::new();
    let resolved = connector.resolve(&settings, &ambient).await;
    let resolved = resolved.map_err(failed)?;
    let mut keys: Vec<OpenKey> = Vec::new();
    for (id, _) in envelope.wrapped_keys() {
        // Another version of the same key, where the identifier contains the version.
        if pin_of(id) == pin_of(&resolved.id) {
            let key = connector.open(&settings, &ambient, id).map_err(failed)?;
            keys.push((key, None));
        }
    }
    Ok(keys)
}

/// Derives the keys that a file has for the organizations of the envelope's wraps.
fn local_keys(file: &LocalKeyFile, envelope: &Envelope) -> Vec<OpenKey> {
    let roots = std::iter::once(file.root_key()).chain(file.former_root_keys());
    let roots: Vec<_> = roots.collect();
    let mut keys: Vec<OpenKey> = Vec::new();
    for (id, _) in envelope.wrapped_keys() {
        let organization = id.id.rsplit_once('/').map(|(_, slug)| slug.parse::<Slug>());
        let Some(Ok(organization)) = organization else {
            continue;
        };
        for root in &roots {
            let key = Arc::new(LocalKek::new(root, &organization));
            keys.push((key, Some(organization.clone())));
        }
    }
    keys
}

/// Returns the names that a service logs. A key file and an identity use none.
fn names(open: &Open, of_key: Option<&Slug>) -> WrapNames {
    let organization = open.organization.as_ref().or(of_key).cloned();
    let object = open.secret.clone().map(|name| {
        WrapObject::Secret(SecretName {
            environment: open.environment.clone(),
            name,
        })
    });
    WrapNames {
        organization: organization.unwrap_or_else(Slug::platform_backend),
        object,
        purpose: KeyPurpose::Secret,
    }
}

fn wrapped_for(envelope: &Envelope) -> Vec<String> {
    let wraps = envelope.wrapped_keys().iter();
    wraps.map(|(id, _)| pin_of(id)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn refused() -> Failure {
    failed(
        "Envelope Rejected",
        "The key unwraps a data key, and the envelope does not open with it: the envelope was \
         altered, or was put together from parts of others.\n\nPass the envelope as the backend \
         stores it."
            .to_owned(),
    )
}

fn failed(summary: &'static str, detail: String) -> Failure {
    Diagnostic::error(summary, detail).into()
}

//! `open` opens one envelope with a key at hand: break glass. It needs the platform only to
//! fetch the envelope, or for the platform's own key.

mod keys;
mod source;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use serde::Serialize;

use self::keys::unwrapped;
use super::identities;
use super::operator::{self, Failure, Form, Report};
use crate::provider::{self, Caller, Environment};
use planton_core::names::Slug;
use planton_core::operations::{Organization, pin_of};
use planton_envelope::{Envelope, Purpose, SecretKind, SecretValue};
use planton_plugin::Diagnostic;

/// Arguments of `open`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(group = ArgGroup::new("names").args(["organization", "from_backend"]).multiple(true))]
pub struct Open {
    /// File with the envelope, in binary or text form. Default: stdin.
    envelope: Option<PathBuf>,
    /// Fetch the envelope of --secret from its backend. Reads the platform from the environment
    /// variables of the provider block. For a secret of the built-in backend, read access to
    /// the catalog and the store suffices.
    #[arg(long, requires = "secret", conflicts_with = "envelope")]
    from_backend: bool,
    /// Number of the version to fetch. Default: the current one.
    #[arg(long, value_name = "NUMBER", requires = "from_backend")]
    secret_version: Option<u64>,
    #[command(flatten)]
    key: Key,
    /// Name of the organization, for a key whose service logs or checks it.
    #[arg(long, value_parser = Slug::parse)]
    organization: Option<Slug>,
    /// Name of the secret to fetch, or for a key whose service logs or checks it.
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
    #[arg(long, value_name = "KEY", help = KEY_HELP, requires_all = ["names", "secret"])]
    key: Option<String>,
    /// The organization's own key, on the platform that the environment variables name.
    #[arg(long)]
    platform_key: bool,
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
    /// Whether the MAC of the record that names the envelope was verified; absent for an
    /// envelope that was not fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    record_verified: Option<bool>,
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
            record_verified,
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
             was changed since. "
        );
        text.push_str(match record_verified {
            Some(true) => {
                "The record that names this version is the organization's: its authentication code \
                 verifies. It may be an older record, if somebody restored one."
            }
            Some(false) => {
                "It does not prove that the record which names it is the organization's: no key at \
                 hand verifies its authentication code."
            }
            None => {
                "It does not prove that the version is the current one, nor that the organization \
                 sealed it. Only the record in the catalog proves that: its payload_sha256 must be \
                 the one above."
            }
        });
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
    let organization = organization(open).await?;
    let found = source::find(open, organization.as_ref()).await?;
    let (envelope, context) = (&found.envelope, &found.context);
    if context.purpose != Purpose::Secret {
        return Err(failed(
            "Envelope Of Another Purpose",
            "The envelope contains a credential, or a value sealed for a name. It opens only \
             together with the settings or the name that it is for, which it does not contain.\n\n\
             Pass the envelope of a secret's version."
                .to_owned(),
        ));
    }
    let (id, data_key) = unwrapped(&open.key, &found, organization.as_ref()).await?;
    let plaintext = envelope.open(&data_key, context).map_err(|_| refused())?;
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
        wrapped_for: wrapped_for(envelope),
        record_verified: found.is_verified,
    };
    Ok((report, value))
}

/// Opens the organization, if an argument needs it. An identity opens what the platform's
/// key may be lost for.
async fn organization(open: &Open) -> Result<Option<Organization>, Failure> {
    if !open.from_backend && !open.key.platform_key {
        return Ok(None);
    }
    let opened = provider::operated(&Environment::of_process(), Caller::Inspection).await;
    let (configured, warnings) = opened?;
    let organization = configured.organization;
    for warning in &warnings {
        operator::print(warning);
    }
    Ok(Some(match &open.key.identity {
        Some(path) => organization.with_rescue(identities::open(path)?),
        None => organization,
    }))
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

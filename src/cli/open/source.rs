//! Where `open` gets the envelope: a file, stdin, or the backend that stores it.

use std::io::Read as _;
use std::path::Path;

use super::{Open, failed};
use crate::cli::operator::{self, Failure};
use planton_core::names::{SecretName, Slug};
use planton_core::operations::{KeyPurpose, Organization, StoredEnvelope, WrapNames, WrapObject};
use planton_envelope::{Context, Envelope, KekId};
use planton_vendors::open_regular_file;

/// The longest envelope that is read. No backend stores a longer one.
const MAX_ENVELOPE_BYTES: u64 = 64 << 20;

/// An envelope, and what is known of it beside its own claims.
pub(super) struct Found {
    pub(super) envelope: Envelope,
    /// Of the record, or as the envelope claims.
    pub(super) context: Context,
    /// Of the record, or as the arguments say.
    pub(super) names: WrapNames,
    /// The keys that the record names; absent without a record.
    keks: Option<Vec<KekId>>,
    /// Whether the MAC of the record was verified; absent without a record.
    pub(super) is_verified: Option<bool>,
}

impl Found {
    /// Returns whether a wrap of the key `id` may be used.
    pub(super) fn allows(&self, id: &KekId) -> bool {
        self.keks.as_ref().is_none_or(|keks| keks.contains(id))
    }
}

/// Fetches the envelope from its backend, or reads it.
pub(super) async fn find(
    open: &Open,
    organization: Option<&Organization>,
) -> Result<Found, Failure> {
    if let (true, Some(organization), Some(name)) = (open.from_backend, organization, name(open)) {
        let interrupt = operator::bounds();
        let keys = organization.keys();
        let stored = keys.stored_envelope(&name, open.secret_version);
        let stored = interrupt.bound(stored).await?;
        let StoredEnvelope {
            envelope,
            context,
            names,
            keks,
            is_verified,
        } = stored;
        return Ok(Found {
            envelope,
            context,
            names,
            keks: Some(keks),
            is_verified: Some(is_verified),
        });
    }
    let envelope = read(open.envelope.as_deref())?;
    Ok(Found {
        context: envelope.context().clone(),
        names: names(open, organization),
        envelope,
        keks: None,
        is_verified: None,
    })
}

fn name(open: &Open) -> Option<SecretName> {
    Some(SecretName {
        environment: open.environment.clone(),
        name: open.secret.clone()?,
    })
}

/// Returns the names that a service logs. A key file and an identity use none.
fn names(open: &Open, organization: Option<&Organization>) -> WrapNames {
    let named = open.organization.as_ref();
    let organization = named
        .or_else(|| organization.map(Organization::slug))
        .cloned();
    WrapNames {
        organization: organization.unwrap_or_else(Slug::platform_backend),
        object: name(open).map(WrapObject::Secret),
        purpose: KeyPurpose::Secret,
    }
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

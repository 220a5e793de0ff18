//! Sealed versions as files: `<folder>/<object>/<version>-<attempt>-<digest>.<extension>`.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::settings::ToyConfig;
use planton_core::store::{
    Deletion, DescribeOptions, ForeignObjects, NameRules, NativeVersionId, PayloadEncoding,
    PutOptions, RemoteName, SecretStore, StoreCapability, StoreCredential, StoreError,
    StoreErrorKind, VersionStatus,
};
use planton_secret::SecretString;

const MAX_PAYLOAD_BYTES: usize = 30_000;

/// Below what file systems take for one step of a path, which is 255.
const MAX_NAME_BYTES: usize = 200;

/// Stores each version in a file of its own, whose name has the digest of its content.
#[derive(Debug)]
pub(super) struct ToyStore {
    config: ToyConfig,
    password: Option<SecretString>,
    capability: StoreCapability,
}

impl ToyStore {
    /// Takes a folder; no I/O. Without a static credential, the environment has the
    /// password.
    pub(super) fn new(config: ToyConfig, credential: &StoreCredential) -> Self {
        let ambient = || {
            std::env::var("TOY_FOLDER_PASSWORD")
                .ok()
                .map(SecretString::new)
        };
        Self {
            config,
            password: credential.get("password").cloned().or_else(ambient),
            capability: Self::capability_of(),
        }
    }

    /// Returns what every folder can do.
    pub(super) const fn capability_of() -> StoreCapability {
        StoreCapability {
            kind: "toy_folder",
            vendor: "a folder",
            encoding: PayloadEncoding::Binary,
            max_payload_bytes: MAX_PAYLOAD_BYTES,
            name: NameRules {
                separator: "--",
                max_bytes: MAX_NAME_BYTES,
            },
            max_versions: None,
            deletes_versions: true,
        }
    }

    /// Returns the path of an object, once name and password are accepted.
    pub(super) fn path_of(
        &self,
        name: &RemoteName,
        operation: &'static str,
    ) -> Result<PathBuf, StoreError> {
        let error = |kind| StoreError::new(kind, operation, name.as_str());
        let is_known = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let text = name.as_str();
        if !(1..=MAX_NAME_BYTES).contains(&text.len()) || !text.bytes().all(is_known) {
            return Err(error(StoreErrorKind::InvalidName));
        }
        // A folder that is not mounted is no proof that its objects are gone.
        if !self.config.folder.is_dir() {
            return Err(error(StoreErrorKind::Unavailable)
                .with_setting("path")
                .with_remedy("Create the folder, or mount it."));
        }
        let accepted = match std::fs::read(self.config.folder.join(".passwords")) {
            Ok(accepted) => accepted,
            Err(missing) if missing.kind() == ErrorKind::NotFound => {
                return Ok(self.config.folder.join(text));
            }
            Err(failed) => return Err(error(of_io(&failed)).with_source(failed)),
        };
        let given = self.password.as_ref().map_or("", SecretString::expose);
        let mut lines = accepted.split(|b| *b == b'\n');
        if !given.is_empty() && lines.any(|line| line.ct_eq(given.as_bytes()).into()) {
            return Ok(self.config.folder.join(text));
        }
        Err(error(StoreErrorKind::Unauthenticated)
            .with_setting("password")
            .with_remedy("Set password_wo to a password of the folder."))
    }

    fn file(&self, id: &str) -> String {
        format!("{id}.{}", self.config.extension)
    }
}

#[async_trait]
impl SecretStore for ToyStore {
    fn capability(&self) -> &StoreCapability {
        &self.capability
    }

    fn foreign(&self) -> Option<&dyn ForeignObjects> {
        Some(self)
    }

    async fn put(
        &self,
        name: &RemoteName,
        payload: &[u8],
        options: PutOptions,
    ) -> Result<NativeVersionId, StoreError> {
        const OPERATION: &str = "write file";
        let error = |kind| StoreError::new(kind, OPERATION, name.as_str());
        let object = self.path_of(name, OPERATION)?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(error(StoreErrorKind::TooLarge));
        }
        let failed = |source: io::Error| error(of_io(&source)).with_source(source);
        if options.keep.is_empty() {
            std::fs::create_dir_all(&object).map_err(failed)?;
        }
        let attempt = format!("{}-{}-", options.version, options.attempt.simple());
        let id = format!("{attempt}{}", hex::encode(Sha256::digest(payload)));
        let path = object.join(self.file(&id));
        // The same attempt with another payload has another digest in its name.
        for entry in std::fs::read_dir(&object).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let is_same = entry.file_name().to_string_lossy().starts_with(&attempt);
            if is_same && entry.path() != path {
                return Err(error(StoreErrorKind::Conflict));
            }
        }
        std::fs::write(&path, payload).map_err(failed)?;
        Ok(NativeVersionId::new(id))
    }

    async fn get(
        &self,
        name: &RemoteName,
        version: &NativeVersionId,
    ) -> Result<Vec<u8>, StoreError> {
        const OPERATION: &str = "read file";
        let error = |kind| StoreError::new(kind, OPERATION, name.as_str());
        let object = self.path_of(name, OPERATION)?;
        let path = object.join(self.file(version.as_str()));
        let payload =
            std::fs::read(path).map_err(|source| error(of_io(&source)).with_source(source))?;
        let digest = hex::encode(Sha256::digest(&payload));
        if version.as_str().ends_with(&format!("-{digest}")) {
            Ok(payload)
        } else {
            Err(error(StoreErrorKind::Corrupt))
        }
    }

    async fn describe(
        &self,
        name: &RemoteName,
        options: DescribeOptions,
    ) -> Result<VersionStatus, StoreError> {
        const OPERATION: &str = "read metadata";
        if !self.path_of(name, OPERATION)?.is_dir() {
            let kind = StoreErrorKind::NotFound;
            return Err(StoreError::new(kind, OPERATION, name.as_str()));
        }
        match self.get(name, &options.version).await {
            Ok(_) => Ok(VersionStatus::Present),
            Err(error) => match error.kind() {
                StoreErrorKind::NotFound => Ok(VersionStatus::Missing),
                StoreErrorKind::Corrupt => Ok(VersionStatus::Replaced),
                _ => Err(error),
            },
        }
    }

    async fn delete(&self, name: &RemoteName, what: Deletion) -> Result<(), StoreError> {
        const OPERATION: &str = "delete file";
        let object = self.path_of(name, OPERATION)?;
        let removed = match what {
            Deletion::Versions(versions) => versions.iter().try_for_each(|version| {
                absent_is_removed(std::fs::remove_file(
                    object.join(self.file(version.as_str())),
                ))
            }),
            Deletion::Object { .. } | Deletion::Purge { .. } => {
                absent_is_removed(std::fs::remove_dir_all(object))
            }
        };
        removed.map_err(|source| {
            StoreError::new(of_io(&source), OPERATION, name.as_str()).with_source(source)
        })
    }
}

pub(super) fn absent_is_removed(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

pub(super) fn of_io(error: &io::Error) -> StoreErrorKind {
    match error.kind() {
        ErrorKind::NotFound => StoreErrorKind::NotFound,
        ErrorKind::PermissionDenied => StoreErrorKind::PermissionDenied,
        _ => StoreErrorKind::Unavailable,
    }
}

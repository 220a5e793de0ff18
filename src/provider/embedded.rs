//! Opens an embedded platform.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::caller::Caller;
use super::first_key::FirstKey;
use super::missing_key::MissingKey;
use crate::diagnostics::embedded_not_usable;
use planton_core::kek::{KekError, KekErrorKind, KeyEncryptionKey, LocalKek, ProvisionKek};
use planton_core::names::Slug;
use planton_core::operations::Platform;
use planton_plugin::Diagnostic;
use planton_vendors::embedded::sqlite::{
    DATABASE_FILE, DatabaseError, DatabaseErrorKind, DatabaseOptions, EmbeddedDatabase, KEY_FILE,
    KeyFileRule, open_with_key,
};
use planton_vendors::embedded::{EmbeddedCatalog, EmbeddedStore, LocalKeyFile};
use planton_vendors::{Connector, KekConnector};

/// Opens the platform in `directory`. If there is none, the first write of a caller that may
/// create an organization creates it: a plan, and a command that only reads, leave no files where
/// the path has a typing error.
pub(super) async fn open(
    directory: &Path,
    organization: &Slug,
    caller: Caller,
) -> Result<Platform, Diagnostic> {
    let failed = |error: EmbeddedError| error.diagnostic(directory);
    let exists = EmbeddedDatabase::exists(directory).map_err(|error| failed(error.into()))?;
    if exists {
        return present(directory, organization, caller)
            .await
            .map_err(failed);
    }
    if !caller.may_create() {
        return Err(not_found(directory));
    }
    awaited(directory, organization).map_err(failed)
}

/// Opens a platform that exists. Only a run of Terraform opens one without its key file: a
/// command, such as a migration to it, would begin what the key is needed to end.
async fn present(
    directory: &Path,
    organization: &Slug,
    caller: Caller,
) -> Result<Platform, EmbeddedError> {
    let opened = open_with_key(directory, DatabaseOptions::default(), |path, rule| {
        Ok(open_key(path, rule)?)
    })
    .await;
    let (database, key_file) = match opened {
        Err(EmbeddedError::Database(error))
            if error.kind() == DatabaseErrorKind::KeyMissing && caller == Caller::Run =>
        {
            return Ok(without_key(directory, organization, &error).await?);
        }
        opened => opened?,
    };
    Ok(with_key(database, organization, &key_file))
}

/// Opens the platform for what needs no key. The first use of the key reports that its file is
/// missing.
async fn without_key(
    directory: &Path,
    organization: &Slug,
    missing: &DatabaseError,
) -> Result<Platform, DatabaseError> {
    let database = EmbeddedDatabase::open(directory, DatabaseOptions::default()).await?;
    let remedy = missing.remedy().unwrap_or_default();
    let kek = MissingKey::at(&directory.join(KEY_FILE), remedy);
    Ok(platform_in(
        database,
        organization,
        Arc::new(kek),
        Vec::new(),
    ))
}

/// Opens a platform without a database, which the first write creates. A key file that a former
/// process or a person has put there stays the key.
fn awaited(directory: &Path, organization: &Slug) -> Result<Platform, EmbeddedError> {
    let options = DatabaseOptions::default();
    match LocalKeyFile::open(&directory.join(KEY_FILE)) {
        Ok(key_file) => {
            let id = |key_file: &LocalKeyFile, slug: &Slug| {
                LocalKek::new(key_file.root_key(), slug).id().clone()
            };
            let (expected, slug) = (id(&key_file, organization), organization.clone());
            let key = move |path: &Path, rule| {
                let opened = open_key(path, rule).map_err(of_key)?;
                match id(&opened, &slug) == expected {
                    true => Ok(()),
                    false => Err(replaced_meanwhile(path)),
                }
            };
            let database = EmbeddedDatabase::awaited(directory, options, Arc::new(key))?;
            Ok(with_key(database, organization, &key_file))
        }
        Err(error) if error.kind() == KekErrorKind::NotFound => {
            let (created, slug) = (Arc::new(OnceLock::new()), organization.clone());
            let kept = Arc::clone(&created);
            let key = move |path: &Path, rule| {
                let opened = open_key(path, rule).map_err(of_key)?;
                // Nothing replaces the file between two tries of this process.
                let _first_wins = kept.set(LocalKek::new(opened.root_key(), &slug));
                Ok(())
            };
            let database = EmbeddedDatabase::awaited(directory, options, Arc::new(key))?;
            let kek = Arc::new(FirstKey::new(created, database.clone()));
            Ok(platform_in(database, organization, kek, Vec::new()))
        }
        Err(error) => Err(error.into()),
    }
}

fn with_key(database: EmbeddedDatabase, organization: &Slug, key_file: &LocalKeyFile) -> Platform {
    let kek = Arc::new(LocalKek::new(key_file.root_key(), organization));
    let former = key_file.former_root_keys().iter();
    let former = former.map(|root| Arc::new(LocalKek::new(root, organization)) as _);
    platform_in(database, organization, kek, former.collect())
}

fn platform_in(
    database: EmbeddedDatabase,
    organization: &Slug,
    kek: Arc<dyn ProvisionKek>,
    former_keks: Vec<Arc<dyn KeyEncryptionKey>>,
) -> Platform {
    Platform {
        catalog: Arc::new(EmbeddedCatalog::new(database.clone(), organization.clone())),
        // Anybody who can use a key of the file can use any, so a second key protects
        // nothing.
        mac_kek: kek.clone(),
        kek,
        former_keks,
        kek_connector: Arc::new(KekConnector::default()),
        store: Arc::new(EmbeddedStore::new(database)),
        connector: Arc::new(Connector::default()),
    }
}

fn open_key(path: &Path, rule: KeyFileRule) -> Result<LocalKeyFile, KekError> {
    match LocalKeyFile::open(path) {
        Err(error)
            if error.kind() == KekErrorKind::NotFound && rule == KeyFileRule::CreateIfAbsent =>
        {
            // If another process created the file at the same time, this loads that file.
            LocalKeyFile::create(path).or_else(|_| LocalKeyFile::open(path))
        }
        opened => opened,
    }
}

/// This process would go on with the former key, which no file has any more.
fn replaced_meanwhile(path: &Path) -> DatabaseError {
    let path = path.display().to_string();
    let error = DatabaseError::new(DatabaseErrorKind::Misconfigured, "open the key file", path);
    error.with_remedy("The key file was replaced during this command. Run the command again.")
}

/// Puts a failure of the key file into the words of the database that is created with it.
fn of_key(error: KekError) -> DatabaseError {
    let kind = match error.kind() {
        KekErrorKind::PermissionDenied => DatabaseErrorKind::PermissionDenied,
        KekErrorKind::Unavailable => DatabaseErrorKind::Unavailable,
        KekErrorKind::NotFound => DatabaseErrorKind::KeyMissing,
        _ => DatabaseErrorKind::Misconfigured,
    };
    let (operation, path) = (error.operation(), error.path().to_owned());
    let remedy = error.remedy().map(str::to_owned);
    let outer = DatabaseError::new(kind, operation, path).with_source(error);
    match remedy {
        Some(remedy) => outer.with_remedy(remedy),
        None => outer,
    }
}

/// Reports that a command has no platform to work on.
fn not_found(directory: &Path) -> Diagnostic {
    Diagnostic::error(
        "Embedded Platform Not Found",
        format!(
            "The directory {} contains no database ({DATABASE_FILE}), so there is no platform. \
             Nothing was created.\n\nCheck PLANTON_DATA_DIR. For a platform in OpenBAO or in a \
             bucket, set PLANTON_ADDR or PLANTON_BUCKET_URL. For a new organization, run \
             terraform-provider-planton platform init, or apply a planton_secret.",
            directory.display()
        ),
    )
}

/// Failure to open the embedded platform.
#[derive(Debug)]
enum EmbeddedError {
    Database(DatabaseError),
    Key(KekError),
}

impl From<DatabaseError> for EmbeddedError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<KekError> for EmbeddedError {
    fn from(error: KekError) -> Self {
        Self::Key(error)
    }
}

impl EmbeddedError {
    fn diagnostic(&self, directory: &Path) -> Diagnostic {
        let directory = directory.display().to_string();
        match self {
            Self::Database(error) => embedded_not_usable(&directory, error),
            Self::Key(error) => embedded_not_usable(&directory, error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use planton_core::operations::{Interrupt, OperationError, Organization};

    fn acme() -> Slug {
        "acme".parse().unwrap()
    }

    async fn organization(directory: &Path, caller: Caller) -> Result<Organization, Diagnostic> {
        let platform = open(directory, &acme(), caller).await?;
        Ok(Organization::new(acme(), platform))
    }

    #[tokio::test]
    async fn a_platform_that_is_only_read_is_not_created() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("mistyped");
        for caller in [Caller::Ordinary, Caller::Inspection] {
            let refused = organization(&directory, caller).await.unwrap_err();
            assert_eq!(refused.summary, "Embedded Platform Not Found");
        }
        for caller in [Caller::Run, Caller::Restoration, Caller::Creation] {
            let organization = organization(&directory, caller).await.unwrap();
            let missing = organization.keys().fingerprint().await.unwrap_err();
            assert!(
                matches!(missing, OperationError::OrganizationMissing { .. }),
                "{missing:?}"
            );
        }
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn first_use_creates_the_platform_and_a_process_that_waited_finds_it() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("new");
        let waiting = organization(&directory, Caller::Run).await.unwrap();
        let first = organization(&directory, Caller::Run).await.unwrap();
        let interrupt = Interrupt::default();
        let created = first.keys().initialize(&[], &interrupt).await.unwrap();
        assert!(created.is_new);
        let fingerprint = first.keys().fingerprint().await.unwrap();
        assert_eq!(waiting.keys().fingerprint().await.unwrap(), fingerprint);
        let later = organization(&directory, Caller::Inspection).await.unwrap();
        assert_eq!(later.keys().fingerprint().await.unwrap(), fingerprint);
        let found = waiting.keys().initialize(&[], &interrupt).await.unwrap();
        assert!(!found.is_new);
    }

    #[tokio::test]
    async fn a_key_file_without_a_database_stays_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let key_file = LocalKeyFile::create(&directory.path().join(KEY_FILE)).unwrap();
        let organization = organization(directory.path(), Caller::Run).await.unwrap();
        let keys = organization.keys();
        let created = keys.initialize(&[], &Interrupt::default()).await.unwrap();
        let expected = LocalKek::new(key_file.root_key(), &acme());
        assert_eq!(&created.status.main.id, expected.id());
    }

    #[tokio::test]
    async fn a_key_file_that_is_replaced_before_the_first_write_wraps_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(KEY_FILE);
        LocalKeyFile::create(&path).unwrap();
        for is_replaced in [false, true] {
            let organization = organization(directory.path(), Caller::Run).await.unwrap();
            std::fs::remove_file(&path).unwrap();
            if is_replaced {
                LocalKeyFile::create(&path).unwrap();
            }
            let keys = organization.keys();
            let failed = keys.initialize(&[], &Interrupt::default()).await;
            let told = crate::diagnostics::explain(&failed.unwrap_err());
            assert!(told.detail.contains("was replaced"), "{}", told.detail);
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_directory_that_cannot_be_created_is_the_failure_of_first_use() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("link");
        std::os::unix::fs::symlink(parent.path().join("nowhere/at/all"), &directory).unwrap();
        let organization = organization(&directory, Caller::Run).await.unwrap();
        let keys = organization.keys();
        let failed = keys.initialize(&[], &Interrupt::default()).await;
        let told = crate::diagnostics::explain(&failed.unwrap_err());
        assert_eq!(told.summary, "Embedded Platform Not Usable");
        assert!(
            told.detail.contains("Failed to create the folder"),
            "{}",
            told.detail
        );
    }
}

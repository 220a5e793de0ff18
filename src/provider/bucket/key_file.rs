//! A key file as the key of an organization in a bucket.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use planton_core::kek::{
    KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, LocalKek, ProvisionKek, Rewrap,
    WrapContext,
};
use planton_core::names::Slug;
use planton_envelope::{DataKey, KekId, WrappedKey};
use planton_vendors::embedded::LocalKeyFile;

/// The provider of every key of a key file.
const LOCAL: &str = "local";

/// Whether first use may create a key file on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Creation {
    Allowed,
    /// The machine of an automation is often deleted after its run.
    RefusedInAutomation,
}

/// The KEK of an organization from a key file, which exists or is created by first use.
///
/// First use creates the file before the organization's record, which names the key: another
/// machine then finds a key that it does not have, and creates none. A file that lost the race
/// stays, since another organization may use it by now.
#[derive(Debug)]
pub(super) struct KeyFileKek {
    path: PathBuf,
    organization: Slug,
    creation: Creation,
    /// The identifier before the key is known. No wrap has it.
    unknown: KekId,
    opened: OnceLock<OpenedFile>,
}

#[derive(Debug)]
struct OpenedFile {
    kek: LocalKek,
    former: Vec<Arc<LocalKek>>,
}

impl KeyFileKek {
    /// Opens the file, unless it does not exist yet.
    pub(super) fn open(
        path: &Path,
        organization: &Slug,
        creation: Creation,
    ) -> Result<Self, KekError> {
        let kek = Self {
            path: path.to_owned(),
            organization: organization.clone(),
            creation,
            unknown: KekId {
                provider: LOCAL.to_owned(),
                id: String::new(),
            },
            opened: OnceLock::new(),
        };
        match LocalKeyFile::open(path) {
            Ok(file) => kek.keep(&file),
            Err(error) if error.kind() == KekErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(kek)
    }

    /// Returns the keys that only unwrap.
    pub(super) fn former(&self) -> Vec<Arc<dyn KeyEncryptionKey>> {
        let opened = self.opened.get().into_iter();
        let former = opened.flat_map(|opened| &opened.former);
        former.map(|kek| Arc::clone(kek) as _).collect()
    }

    fn keep(&self, file: &LocalKeyFile) {
        let former = file.former_root_keys().iter();
        let former = former.map(|root| Arc::new(LocalKek::new(root, &self.organization)));
        let opened = OpenedFile {
            kek: LocalKek::new(file.root_key(), &self.organization),
            former: former.collect(),
        };
        // Another task may have been first. A file does not change while it is created.
        let _first_wins = self.opened.set(opened);
    }

    fn current(&self) -> Result<&LocalKek, KekError> {
        let opened = self.opened.get().map(|opened| &opened.kek);
        opened.ok_or_else(|| self.error(KekErrorKind::NotFound, COPY))
    }

    fn error(&self, kind: KekErrorKind, remedy: impl Into<String>) -> KekError {
        KekError::new(kind, "open key file", self.path.display().to_string()).with_remedy(remedy)
    }
}

const COPY: &str = "The organization's key is in a key file that this machine does not have. Copy \
                    the file from the machine that created the organization, or from a backup, \
                    with mode 0600. No other file opens the organization's secrets, so none was \
                    created.";

#[async_trait]
impl KeyEncryptionKey for KeyFileKek {
    fn id(&self) -> &KekId {
        self.opened
            .get()
            .map_or(&self.unknown, |opened| opened.kek.id())
    }

    async fn wrap(&self, dek: &DataKey, context: WrapContext<'_>) -> Result<WrappedKey, KekError> {
        self.current()?.wrap(dek, context).await
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: WrapContext<'_>,
    ) -> Result<DataKey, KekError> {
        self.current()?.unwrap(wrapped, context).await
    }

    async fn rewrap(&self, wraps: &[Rewrap<'_>]) -> Vec<Result<WrappedKey, KekError>> {
        match self.current() {
            Ok(kek) => kek.rewrap(wraps).await,
            Err(_) => {
                let failed = |_| Err(self.error(KekErrorKind::NotFound, COPY));
                wraps.iter().map(failed).collect()
            }
        }
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        self.opened.get()?.kek.is_newest(wrapped, description)
    }

    fn max_wrapped_bytes(&self) -> usize {
        planton_envelope::LocalKey::WRAPPED_BYTES
    }

    async fn describe(&self) -> Result<KeyDescription, KekError> {
        self.current()?.describe().await
    }
}

#[async_trait]
impl ProvisionKek for KeyFileKek {
    /// Does nothing: [`resolve`](ProvisionKek::resolve) has created the file.
    async fn provision(&self) -> Result<(), KekError> {
        self.current().map(drop)
    }

    fn is_recorded(&self) -> bool {
        true
    }

    async fn resolve(&self) -> Result<(), KekError> {
        if self.opened.get().is_some() {
            return Ok(());
        }
        let file = match LocalKeyFile::open(&self.path) {
            Err(error) if error.kind() == KekErrorKind::NotFound => {
                if self.creation == Creation::RefusedInAutomation {
                    return Err(self.error(KekErrorKind::NotFound, IN_AUTOMATION));
                }
                // If another process created the file at the same time, this loads that one.
                let created = LocalKeyFile::create(&self.path);
                created.or_else(|failed| LocalKeyFile::open(&self.path).map_err(|_| failed))?
            }
            opened => opened?,
        };
        self.keep(&file);
        Ok(())
    }

    /// Accepts a former key of the file as well: the record names it until the next rewrap.
    fn expect_recorded(&self, id: &KekId) -> Result<(), KekError> {
        if self.opened.get().is_none() {
            // Another process may have created the file since this one was configured.
            match LocalKeyFile::open(&self.path) {
                Ok(file) => self.keep(&file),
                Err(error) if error.kind() == KekErrorKind::NotFound => {
                    return Err(self.error(KekErrorKind::NotFound, COPY));
                }
                Err(error) => return Err(error),
            }
        }
        let is_known = self.opened.get().is_some_and(|opened| {
            opened.kek.id() == id || opened.former.iter().any(|former| former.id() == id)
        });
        match is_known {
            true => Ok(()),
            false => Err(self.error(
                KekErrorKind::Misconfigured,
                format!(
                    "The organization's key is {}:{}, and this key file does not contain it. \
                     Perhaps another machine created the organization at the same time. Move this \
                     file away, unless another organization uses it, and copy the file from that \
                     machine, with mode 0600.",
                    id.provider, id.id
                ),
            )),
        }
    }
}

const IN_AUTOMATION: &str = "The organization does not exist yet, and its first use would create \
                             the key file. TF_IN_AUTOMATION is set, so it was not created: it may \
                             be deleted with the machine of this run, and nothing else opens the \
                             organization's secrets. Run terraform-provider-planton platform init \
                             on a machine of yours, back up the file, and give a copy to the \
                             automation.";

//! A key file as the key of an organization in a bucket.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use planton_core::kek::{
    KekError, KekErrorKind, KeyDescription, KeyEncryptionKey, LocalKek, ProvisionKek, Rewrap,
    WrapContext, failed_for_all,
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
    /// The machine of an automated run is often deleted after it. Names the variable that says
    /// so.
    RefusedInAutomation(&'static str),
    /// No new key is among the pinned ones.
    RefusedByPins,
}

/// The KEK of an organization from a key file, which exists or is created by first use.
///
/// First use creates the file before the organization's record, which names the key: another
/// machine then finds a key that it does not have, and creates none. A file that lost the race
/// stays, since another organization may use it by now.
///
/// Each machine has a copy of the file, which may have been rotated without the others. So the
/// key is the one that the record names, wherever it is in the file: an apply never wraps under a
/// root key that only this machine has. [`resolve_newest`](ProvisionKek::resolve_newest) moves to
/// the file's newest root key.
#[derive(Debug)]
pub(super) struct KeyFileKek {
    path: PathBuf,
    organization: Slug,
    creation: Creation,
    /// The identifier before the key is known. No wrap has it.
    unknown: KekId,
    /// The keys of the file, the newest first.
    file: OnceLock<Vec<Arc<LocalKek>>>,
    /// The key that the record names.
    recorded: OnceLock<KekId>,
    /// Whether the newest key takes its place.
    is_newest: AtomicBool,
}

impl KeyFileKek {
    /// Opens the file, if it can be read. The first use of the key reports why it cannot: a
    /// refresh needs no key.
    pub(super) fn open(path: &Path, organization: &Slug, creation: Creation) -> Self {
        let kek = Self {
            path: path.to_owned(),
            organization: organization.clone(),
            creation,
            unknown: KekId {
                provider: LOCAL.to_owned(),
                id: String::new(),
            },
            file: OnceLock::new(),
            recorded: OnceLock::new(),
            is_newest: AtomicBool::new(false),
        };
        if let Ok(file) = LocalKeyFile::open(path) {
            kek.keep(&file);
        }
        kek
    }

    /// Returns all keys of the file, to unwrap: any may be a former one of the organization.
    pub(super) fn all(&self) -> Vec<Arc<dyn KeyEncryptionKey>> {
        let all = self.file.get().into_iter().flatten();
        all.map(|kek| Arc::clone(kek) as _).collect()
    }

    fn keep(&self, file: &LocalKeyFile) {
        let roots = std::iter::once(file.root_key()).chain(file.former_root_keys());
        let keks = roots.map(|root| Arc::new(LocalKek::new(root, &self.organization)));
        // Another task may have been first. A file does not change while it is created.
        let _first_wins = self.file.set(keks.collect());
    }

    /// Returns the keys of the file. Reads it unless it was read.
    fn keys(&self) -> Result<&[Arc<LocalKek>], KekError> {
        if self.file.get().is_none() {
            // Another process may have created the file since this one was configured.
            match LocalKeyFile::open(&self.path) {
                Ok(file) => self.keep(&file),
                Err(error) if error.kind() == KekErrorKind::NotFound => {
                    return Err(self.error(KekErrorKind::NotFound, COPY));
                }
                Err(error) => return Err(error),
            }
        }
        let keys = self.file.get().map(Vec::as_slice);
        keys.ok_or_else(|| self.error(KekErrorKind::NotFound, COPY))
    }

    /// Returns the key that wraps and unwraps.
    fn current(&self) -> Result<&LocalKek, KekError> {
        let keys = self.keys()?;
        let kek = match self.recorded() {
            Some(id) => {
                let kek = keys.iter().find(|kek| kek.id() == id);
                kek.ok_or_else(|| self.lacks(id))?
            }
            None => keys
                .first()
                .ok_or_else(|| self.error(KekErrorKind::NotFound, COPY))?,
        };
        Ok(kek)
    }

    /// Returns the key that the record names, unless the newest key takes its place.
    fn recorded(&self) -> Option<&KekId> {
        let recorded = self.recorded.get();
        recorded.filter(|_| !self.is_newest.load(Ordering::Acquire))
    }

    fn lacks(&self, id: &KekId) -> KekError {
        self.error(
            KekErrorKind::Misconfigured,
            format!(
                "The organization's key is {}:{}, and this key file does not contain it. Another \
                 machine has rotated its copy of the file, or created the organization with a file \
                 of its own. Copy the file from that machine, with mode 0600. Keep this one under \
                 another name: other organizations may need its root keys.",
                id.provider, id.id
            ),
        )
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
        self.recorded().unwrap_or_else(|| {
            let newest = self.file.get().and_then(|keys| keys.first());
            newest.map_or(&self.unknown, |kek| kek.id())
        })
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
            Err(error) => failed_for_all(error, wraps.len()),
        }
    }

    fn is_newest(&self, wrapped: &WrappedKey, description: &KeyDescription) -> Option<bool> {
        self.current().ok()?.is_newest(wrapped, description)
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
    /// Does nothing: [`generate`](ProvisionKek::generate) has created the file.
    async fn provision(&self) -> Result<(), KekError> {
        self.current().map(drop)
    }

    fn is_recorded(&self) -> bool {
        true
    }

    /// Creates no file: [`generate`](ProvisionKek::generate) does.
    async fn resolve(&self) -> Result<(), KekError> {
        if self.recorded.get().is_some() {
            return self.current().map(drop);
        }
        match self.keys() {
            Err(error) if error.kind() == KekErrorKind::NotFound => match self.creation {
                Creation::Allowed => Ok(()),
                Creation::RefusedInAutomation(variable) => {
                    Err(self.error(KekErrorKind::NotFound, in_automation(variable)))
                }
                Creation::RefusedByPins => Err(self.error(KekErrorKind::NotFound, PINNED)),
            },
            opened => opened.map(drop),
        }
    }

    async fn generate(&self) -> Result<(), KekError> {
        if self.file.get().is_none() {
            // If another process created the file at the same time, this loads that one.
            let created = LocalKeyFile::create(&self.path);
            let opened =
                created.or_else(|failed| LocalKeyFile::open(&self.path).map_err(|_| failed));
            self.keep(&opened?);
        }
        Ok(())
    }

    async fn resolve_anew(&self) -> Result<(), KekError> {
        let opened = self.keys().map_err(|error| match error.kind() {
            KekErrorKind::NotFound => self.error(KekErrorKind::NotFound, CREATE),
            _ => error,
        });
        opened?;
        self.is_newest.store(true, Ordering::Release);
        Ok(())
    }

    async fn resolve_newest(&self) -> Result<(), KekError> {
        // The newest key takes the place of one that the same file has.
        self.current()?;
        self.is_newest.store(true, Ordering::Release);
        Ok(())
    }

    /// Accepts any key of the file. Without the file, the first wrap or unwrap fails.
    fn expect_recorded(&self, id: &KekId) -> Result<(), KekError> {
        if id.provider != LOCAL {
            return Err(self.error(
                KekErrorKind::Misconfigured,
                format!(
                    "The organization's key is {}:{}, and the settings name a key file. Configure \
                     that key.",
                    id.provider, id.id
                ),
            ));
        }
        match self.keys() {
            Ok(keys) if keys.iter().all(|kek| kek.id() != id) => return Err(self.lacks(id)),
            // The first use of the key reports it.
            Ok(_) | Err(_) => {}
        }
        let recorded = self.recorded.get_or_init(|| id.clone());
        match recorded == id {
            true => Ok(()),
            false => Err(self.lacks(id)),
        }
    }
}

fn in_automation(variable: &str) -> String {
    format!(
        "The organization does not exist yet, and its first use would create the key file. \
         {variable} is set, so it was not created: it may be deleted with the machine of this run, \
         and nothing else opens the organization's secrets. Run terraform-provider-planton \
         platform init on a machine of yours, back up the file, and give the automated runs a copy."
    )
}

const PINNED: &str = "The organization does not exist yet, and its first use would create the key \
                      file. allowed_key_ids pins other keys, so it was not created. Copy the file \
                      with the pinned key to this path. For a new organization, remove \
                      allowed_key_ids (and PLANTON_ALLOWED_KEY_IDS) until it is created.";

const CREATE: &str = "The key file does not exist. Create it with terraform-provider-planton \
                      platform key-file create, and add the key that it prints to \
                      allowed_key_ids.";

//! The requests to a bucket: one function each, with one meaning of each answer.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use object_store::list::PaginatedListOptions;
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, GetOptions, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion,
};
use std::sync::Arc;

use super::exchange::{Answer, observed};
use super::fault::{Fault, FaultKind};
use super::open::Credentials;
use super::{Client, OpenBucket};
use crate::bucket::location::BucketVendor;

/// Identifies the content of an object: the ETag, or the generation in Google's store.
#[derive(Clone, Debug)]
pub(in crate::bucket) struct Tag {
    /// What a condition compares.
    version: UpdateVersion,
    /// The ETag as a listing has it.
    listed: Option<String>,
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Eq for Tag {}

/// The condition of a write.
#[derive(Clone, Debug)]
pub(in crate::bucket) enum Condition {
    /// There is no such object.
    Absent,
    /// The object has this content.
    Matches(Tag),
}

/// A conditional write of one object.
#[derive(Clone, Debug)]
pub(in crate::bucket) struct Write {
    pub(in crate::bucket) path: Path,
    pub(in crate::bucket) body: Bytes,
    pub(in crate::bucket) condition: Condition,
    pub(in crate::bucket) content_type: &'static str,
    /// Names of letters and digits only: Azure rejects hyphens, and proxies drop underscores.
    pub(in crate::bucket) metadata: Vec<(&'static str, String)>,
}

/// An object with its content.
#[derive(Debug)]
pub(in crate::bucket) struct Object {
    pub(in crate::bucket) body: Bytes,
    pub(in crate::bucket) tag: Tag,
    attributes: Attributes,
}

/// An object without its content.
#[derive(Debug)]
pub(in crate::bucket) struct Stat {
    pub(in crate::bucket) tag: Tag,
    pub(in crate::bucket) size: u64,
    attributes: Attributes,
}

/// An object of a listing.
#[derive(Debug)]
pub(in crate::bucket) struct Listed {
    pub(in crate::bucket) path: Path,
    pub(in crate::bucket) written_at: Timestamp,
}

/// An object of a listing, and its ETag without quotes.
#[derive(Debug)]
pub(in crate::bucket) struct ListedTag {
    pub(in crate::bucket) path: Path,
    pub(in crate::bucket) e_tag: String,
}

/// A page of a listing.
#[derive(Debug)]
pub(in crate::bucket) struct ListedPage {
    pub(in crate::bucket) objects: Vec<ListedTag>,
    /// Token of the next page.
    pub(in crate::bucket) next: Option<String>,
}

/// The objects and the folders directly in a folder.
#[derive(Debug)]
pub(in crate::bucket) struct Folder {
    pub(in crate::bucket) objects: Vec<Listed>,
    pub(in crate::bucket) folders: Vec<Path>,
}

impl Tag {
    /// Keeps what a condition compares. A version identifier changes without the content, once
    /// a bucket keeps versions.
    fn new(vendor: BucketVendor, found: UpdateVersion) -> Self {
        let listed = found.e_tag.as_deref().map(listed_form);
        let version = match vendor {
            BucketVendor::Gcs => UpdateVersion {
                e_tag: None,
                ..found
            },
            BucketVendor::S3 | BucketVendor::Azure => UpdateVersion {
                version: None,
                ..found
            },
        };
        Self { version, listed }
    }

    /// Returns the ETag in the form of [`ListedTag`].
    pub(in crate::bucket) fn listed(&self) -> Option<&str> {
        self.listed.as_deref()
    }
}

impl Stat {
    /// Returns a value of the metadata.
    pub(in crate::bucket) fn metadata(&self, name: &'static str) -> Option<&str> {
        let name = Attribute::Metadata(name.into());
        self.attributes.get(&name).map(|value| &**value)
    }
}

impl Client {
    /// Writes an object once.
    pub(in crate::bucket) async fn put_once(&self, write: &Write) -> Result<Tag, Fault> {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, write.content_type.into());
        // A cache in front of a public bucket would serve old records:
        // https://cloud.google.com/storage/docs/caching
        attributes.insert(Attribute::CacheControl, "no-store".into());
        for (name, value) in &write.metadata {
            let value = AttributeValue::from(value.clone());
            attributes.insert(Attribute::Metadata((*name).into()), value);
        }
        let mode = match &write.condition {
            Condition::Absent => PutMode::Create,
            Condition::Matches(tag) => PutMode::Update(tag.version.clone()),
        };
        let put = self.call(|store| {
            let (path, body) = (write.path.clone(), write.body.clone());
            let options = PutOptions {
                mode: mode.clone(),
                attributes: attributes.clone(),
                ..PutOptions::default()
            };
            async move { store.put_opts(&path, body.into(), options).await }
        });
        let vendor = self.settings().location().vendor();
        Ok(Tag::new(vendor, put.await?.into()))
    }

    /// Returns an object with its content.
    pub(in crate::bucket) async fn get(&self, path: &Path) -> Result<Object, Fault> {
        self.get_opts(path, GetOptions::default()).await
    }

    /// Returns whether an earlier generation of an object is still readable, in Google's
    /// store.
    pub(in crate::bucket) async fn keeps(&self, path: &Path, tag: &Tag) -> Result<bool, Fault> {
        let options = GetOptions {
            version: tag.version.version.clone(),
            ..GetOptions::default()
        };
        match self.get_opts(path, options).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<Object, Fault> {
        let vendor = self.settings().location().vendor();
        self.call(|store| {
            let (path, options) = (path.clone(), options.clone());
            async move {
                let found = store.get_opts(&path, options).await?;
                let tag = tag(vendor, &found.meta)?;
                let attributes = found.attributes.clone();
                let body = found.bytes().await?;
                Ok(Object {
                    body,
                    tag,
                    attributes,
                })
            }
        })
        .await
    }

    /// Returns an object without its content.
    ///
    /// S3 and Google answer a HEAD without a body, and so without a code. A failure that could
    /// be several is read again with a GET, for its code. If the deadline leaves no time for
    /// that, the failure of the HEAD says more than the deadline.
    pub(in crate::bucket) async fn head(&self, path: &Path) -> Result<Stat, Fault> {
        match self.head_alone(path).await {
            Err(fault) if fault.is_ambiguous() => {
                let found = match self.get(path).await {
                    Err(second) if second.kind == FaultKind::Ended => return Err(fault),
                    found => found?,
                };
                Ok(Stat {
                    tag: found.tag,
                    size: found.body.len() as u64,
                    attributes: found.attributes,
                })
            }
            other => other,
        }
    }

    async fn head_alone(&self, path: &Path) -> Result<Stat, Fault> {
        let vendor = self.settings().location().vendor();
        self.call(|store| {
            let path = path.clone();
            let options = GetOptions {
                head: true,
                ..GetOptions::default()
            };
            async move {
                let found = store.get_opts(&path, options).await?;
                Ok(Stat {
                    tag: tag(vendor, &found.meta)?,
                    size: found.meta.size,
                    attributes: found.attributes,
                })
            }
        })
        .await
    }

    /// Returns all objects in a folder, at any depth.
    ///
    /// A listing with an object of another folder fails: its paths are deleted by callers.
    pub(in crate::bucket) async fn list(&self, folder: &Path) -> Result<Vec<Listed>, Fault> {
        let listed: Vec<ObjectMeta> = self
            .call(|store| {
                let folder = folder.clone();
                async move { store.list(Some(&folder)).try_collect().await }
            })
            .await?;
        let within = listed.into_iter().filter_map(|meta| {
            let rest = within(folder, &meta.location);
            let is_within = rest.map(|rest| rest.map(|_| ())).transpose()?;
            Some(is_within.and_then(|()| listed_object(meta)))
        });
        within.collect()
    }

    /// Returns one page of the objects in a folder, at any depth, with their ETags.
    ///
    /// A listing with an object of another folder fails, as in [`list`](Self::list).
    pub(in crate::bucket) async fn list_page(
        &self,
        folder: &Path,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ListedPage, Fault> {
        let prefix = format!("{folder}/");
        let page = self.call_opened(|opened| {
            let (pages, prefix) = (Arc::clone(&opened.pages), prefix.clone());
            let options = PaginatedListOptions {
                max_keys: Some(limit),
                page_token: after.map(str::to_owned),
                ..PaginatedListOptions::default()
            };
            async move { pages.list_paginated(Some(&prefix), options).await }
        });
        let page = page.await?;
        let objects = page.result.objects.into_iter().filter_map(|meta| {
            let is_within = within(folder, &meta.location).map(|rest| rest.map(|_| ()));
            let is_within = is_within.transpose()?;
            let e_tag = meta.e_tag.as_deref().map(listed_form)?;
            Some(is_within.map(|()| ListedTag {
                path: meta.location,
                e_tag,
            }))
        });
        Ok(ListedPage {
            objects: objects.collect::<Result<_, _>>()?,
            next: page.page_token,
        })
    }

    /// Returns the objects and the folders directly in a folder.
    ///
    /// A listing with an object of another folder fails: its paths are deleted by callers.
    pub(in crate::bucket) async fn list_folder(&self, folder: &Path) -> Result<Folder, Fault> {
        let found = self
            .call(|store| {
                let folder = folder.clone();
                async move { store.list_with_delimiter(Some(&folder)).await }
            })
            .await?;
        let objects = found.objects.into_iter().filter_map(|meta| {
            let leaf = directly_within(folder, &meta.location).transpose()?;
            Some(leaf.and_then(|()| listed_object(meta)))
        });
        let folders = found.common_prefixes.into_iter().filter_map(|path| {
            let leaf = directly_within(folder, &path).transpose()?;
            Some(leaf.map(|()| path))
        });
        Ok(Folder {
            objects: objects.collect::<Result<_, _>>()?,
            folders: folders.collect::<Result<_, _>>()?,
        })
    }

    /// Deletes an object. An absent one counts as deleted.
    pub(in crate::bucket) async fn delete(&self, path: &Path) -> Result<(), Fault> {
        let deleted = match &self.opened().await?.credentials {
            Credentials::S3(_) | Credentials::Gcs(_) => {
                self.call(|store| {
                    let path = path.clone();
                    async move { store.delete(&path).await }
                })
                .await
            }
            Credentials::Azure(_) => self.delete_blob(path).await,
        };
        match deleted {
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Calls the vendor's client. If the server rejects the credential, calls it once more
    /// with another.
    async fn call<T, F>(&self, request: impl Fn(Arc<dyn ObjectStore>) -> F) -> Result<T, Fault>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        self.call_opened(|opened| request(Arc::clone(&opened.store)))
            .await
    }

    pub(super) async fn call_opened<T, F>(
        &self,
        request: impl Fn(&OpenBucket) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let opened = self.opened().await?;
        let mut renewed = false;
        loop {
            let (output, answer) = observed(request(opened)).await;
            if let Some(Answer::Response(response)) = &answer {
                self.observations().note(response);
            }
            let fault = match output {
                Ok(output) => return Ok(output),
                Err(_) => Fault::of(self.settings().location().vendor(), answer),
            };
            if !self.may_renew(opened, &fault, &mut renewed).await {
                return Err(fault);
            }
        }
    }

    async fn may_renew(&self, opened: &OpenBucket, fault: &Fault, renewed: &mut bool) -> bool {
        let first = !std::mem::replace(renewed, true);
        first && fault.kind == FaultKind::Expired && opened.credentials.renews().await
    }
}

/// Returns the tag of a read. All three vendors send an ETag, and `object_store` does not
/// require it of S3. A response without one is not the vendor's, such as the page of a gateway.
fn tag(vendor: BucketVendor, meta: &ObjectMeta) -> object_store::Result<Tag> {
    if meta.e_tag.is_none() {
        return Err(object_store::Error::Generic {
            store: "bucket",
            source: "no ETag".into(),
        });
    }
    let found = UpdateVersion {
        e_tag: meta.e_tag.clone(),
        version: meta.version.clone(),
    };
    Ok(Tag::new(vendor, found))
}

/// Returns an ETag without quotes. Azure omits them in a listing:
/// <https://learn.microsoft.com/rest/api/storageservices/list-blobs>
fn listed_form(e_tag: &str) -> String {
    e_tag.trim_matches('"').to_owned()
}

/// Returns the part of a listed path below `folder`; `None` for the folder's own placeholder,
/// which consoles create.
fn within<'a>(folder: &Path, listed: &'a Path) -> Result<Option<&'a str>, Fault> {
    if folder.as_ref().is_empty() {
        return Ok(Some(listed.as_ref()));
    }
    let Some(rest) = listed.as_ref().strip_prefix(folder.as_ref()) else {
        return Err(foreign());
    };
    match rest.strip_prefix('/') {
        Some(rest) => Ok(Some(rest)),
        None if rest.is_empty() => Ok(None),
        None => Err(foreign()),
    }
}

/// Checks that a listed path is directly in `folder`; `None` as for [`within`].
fn directly_within(folder: &Path, listed: &Path) -> Result<Option<()>, Fault> {
    match within(folder, listed)? {
        Some(rest) if rest.contains('/') => Err(foreign()),
        rest => Ok(rest.map(|_| ())),
    }
}

/// The store ignores the prefix or the delimiter of a listing, or a gateway answers for it.
fn foreign() -> Fault {
    let said = "the listing contains an object of another folder";
    Fault::new(FaultKind::Unexpected, said)
}

fn listed_object(meta: ObjectMeta) -> Result<Listed, Fault> {
    let at = meta.last_modified;
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(0);
    let written_at = Timestamp::new(at.timestamp(), nanos.min(999_999_999));
    Ok(Listed {
        written_at: written_at
            .map_err(|_| Fault::new(FaultKind::Unexpected, "a time out of range"))?,
        path: meta.location,
    })
}

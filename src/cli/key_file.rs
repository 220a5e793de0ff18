//! The key file of the embedded platform or of a bucket: its creation after a loss, its
//! rotation, and the removal of its former root keys.

mod remove_former;

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::count::count;
use super::operator::{self, Failure, Form, Report, STATUSES};
use crate::provider::{self, Environment, KeyPlace};
use planton_core::names::Slug;
use planton_core::operations::{KeyEncryptionKey as _, LocalKek, OperationError, pin_of};
use planton_plugin::Diagnostic;
use planton_vendors::embedded::sqlite::{DatabaseError, EmbeddedDatabase, KEY_FILE};
use planton_vendors::embedded::{
    LocalKeyFile, NeededRootKey, Retire, RetireError, RetiredRootKeys, retire_root_keys,
};

/// Arguments of `platform key-file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(super) struct KeyFile {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
enum What {
    /// Add a new root key to the key file. The present one stays, to open with.
    ///
    /// Affects every organization of this platform. Afterwards run `rewrap` for each of them.
    /// An apply that runs meanwhile may fail, and is repeated.
    #[command(after_help = STATUSES)]
    Rotate(How),
    /// Create a key file in the place of a lost one, for `rewrap --with`.
    ///
    /// It opens nothing that exists. If the lost file may still be found, restore it instead.
    #[command(after_help = STATUSES)]
    Create(How),
    /// Say which former root keys no record needs. Remove them with --apply.
    ///
    /// Reads the records of every organization of the platform: of the embedded one, or below
    /// the prefix of the bucket. In a bucket, copy the rotated file to every machine and run
    /// `rewrap` for every organization before --apply: a machine with the former file goes on
    /// writing under a former root key. Only if no apply, rewrap or reseal that began before the
    /// rotation still runs: it would write versions under a former root key, which nothing could
    /// open. Other buckets and prefixes that use the file, and backups of records, may need the
    /// root keys as well; the command cannot see them.
    #[command(after_help = remove_former::STATUSES)]
    RemoveFormer(remove_former::RemoveFormer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
struct How {
    /// Print the result as one JSON object to stdout.
    #[arg(long)]
    json: bool,
}

/// Result of a change.
#[derive(Debug, Serialize)]
struct Changed {
    key_file: String,
    /// The key of this organization that wraps from now on, to be pinned.
    key_id: String,
    /// Its keys that only open.
    former_key_ids: Vec<String>,
    /// Whether machines have copies of the file.
    #[serde(skip)]
    is_copied: bool,
}

impl Report for Changed {
    fn text(&self) -> String {
        let Self {
            key_file,
            key_id,
            former_key_ids,
            is_copied,
        } = self;
        let mut text = format!("Changed the key file {key_file}.\n\n  main key    {key_id}");
        for id in former_key_ids {
            let _ = write!(text, "\n  opens only  {id}");
        }
        if *is_copied && !former_key_ids.is_empty() {
            text.push_str(
                "\n\nBack up the file now, and copy it to every other machine. Add the main key to \
                 allowed_key_ids and PLANTON_ALLOWED_KEY_IDS. Nothing is encrypted under the new \
                 root key before the next step: run terraform-provider-planton rewrap for every \
                 organization that uses the file. From then on, a machine with the former file \
                 opens and writes nothing.",
            );
            return text;
        }
        text.push_str(
            "\n\nBack up the file now: values that are written from now on open with its new root \
             key only. Add the main key to allowed_key_ids and PLANTON_ALLOWED_KEY_IDS. ",
        );
        text.push_str(match former_key_ids.is_empty() {
            true => "Then run terraform-provider-planton rewrap --with <escrow identity file>.",
            false => {
                "Then run terraform-provider-planton rewrap for every organization of this \
                 platform, and rewrap --remove-former-keys once no apply from before still runs."
            }
        });
        text
    }
}

/// A change of the key file at a path. Returns the file as it is afterwards.
type Change = fn(&Path) -> Result<LocalKeyFile, Failure>;

/// Runs the command that the arguments name.
#[must_use]
pub(super) fn run(key_file: KeyFile) -> ExitCode {
    let (how, change): (How, Change) = match key_file.what {
        What::Rotate(how) => (how, rotate),
        What::Create(how) => (how, create),
        What::RemoveFormer(removal) => return remove_former::run(removal),
    };
    let form = if how.json { Form::Json } else { Form::Text };
    operator::run_alone(form, false, async move {
        let environment = Environment::of_process();
        let organization = provider::organization_of(&environment)?;
        let place = provider::key_place(&environment)?;
        let is_copied = matches!(place, KeyPlace::File(_));
        let path = match place {
            KeyPlace::File(path) => path,
            KeyPlace::Service => return Err(no_key_file()),
            KeyPlace::Embedded(directory) => {
                if !EmbeddedDatabase::exists(&directory).map_err(database_failed)? {
                    return Err(no_database(&directory));
                }
                directory.join(KEY_FILE)
            }
        };
        Ok(changed(&change(&path)?, &organization, is_copied))
    })
}

fn rotate(path: &Path) -> Result<LocalKeyFile, Failure> {
    LocalKeyFile::rotate(path).map_err(|error| OperationError::Kek(error).into())
}

fn create(path: &Path) -> Result<LocalKeyFile, Failure> {
    if path.exists() {
        return Err(Failure::not_confirmed(Diagnostic::error(
            "Key File Exists",
            format!(
                "The key file {} exists. Nothing was changed.\n\nTo give it a new root key, run \
                 terraform-provider-planton platform key-file rotate.",
                path.display()
            ),
        )));
    }
    LocalKeyFile::create(path).map_err(|error| OperationError::Kek(error).into())
}

fn changed(file: &LocalKeyFile, organization: &Slug, is_copied: bool) -> Changed {
    let id = |root| pin_of(LocalKek::new(root, organization).id());
    Changed {
        key_file: file.path().display().to_string(),
        key_id: id(file.root_key()),
        former_key_ids: file.former_root_keys().iter().map(id).collect(),
        is_copied,
    }
}

/// Former root keys of the key file, after an attempt to remove them.
#[derive(Debug, Serialize)]
pub(super) struct Retired {
    removed: Vec<String>,
    needed_by: Vec<NeededBy>,
}

#[derive(Debug, Serialize)]
struct NeededBy {
    root_key: String,
    organization: String,
    record: String,
}

impl From<NeededRootKey> for NeededBy {
    fn from(needed: NeededRootKey) -> Self {
        Self {
            root_key: needed.id.to_string(),
            organization: needed.organization,
            record: needed.record,
        }
    }
}

impl NeededBy {
    fn text(&self) -> String {
        let Self {
            root_key,
            organization,
            record,
        } = self;
        format!(
            "The former root key {root_key} stays: {record} of organization {organization} needs it"
        )
    }
}

impl Retired {
    /// Returns whether a record still needs a former root key.
    pub(super) fn is_needed(&self) -> bool {
        !self.needed_by.is_empty()
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "Key file: {} removed.",
            count(self.removed.len(), "former root key", "former root keys")
        );
        for id in &self.removed {
            let _ = write!(text, "\n  Former root key removed: {id}");
        }
        for needed in &self.needed_by {
            let _ = write!(text, "\n  {}", needed.text());
        }
        text
    }
}

/// Removes the former root keys that nothing needs; `None` where the platform has no key file.
/// Keeps all of a bucket: other organizations may use the file, in buckets that nothing lists.
pub(super) async fn retire() -> Result<Option<Retired>, Failure> {
    let directory = match provider::key_place(&Environment::of_process())? {
        KeyPlace::Service => return Ok(None),
        KeyPlace::File(path) => {
            operator::print(&kept(&path));
            return Ok(None);
        }
        KeyPlace::Embedded(directory) => directory,
    };
    let retired = retired(&directory, Retire::Remove).await?;
    Ok(Some(Retired {
        removed: retired.removed.iter().map(ToString::to_string).collect(),
        needed_by: retired.needed.into_iter().map(NeededBy::from).collect(),
    }))
}

async fn retired(directory: &Path, what: Retire) -> Result<RetiredRootKeys, Failure> {
    match retire_root_keys(directory, what).await {
        Ok(retired) => Ok(retired),
        Err(RetireError::KeyFile(error)) => Err(OperationError::Kek(error).into()),
        Err(RetireError::Database(error)) => Err(database_failed(error)),
    }
}

fn kept(path: &Path) -> Diagnostic {
    Diagnostic::warning(
        "Former Root Keys Kept",
        format!(
            "The key file {} keeps its former root keys: other organizations of the bucket may need \
             them, and so may other buckets, which the provider cannot see.\n\nTo remove those that \
             no record below the prefix of this bucket needs, run terraform-provider-planton \
             platform key-file remove-former.",
            path.display()
        ),
    )
}

fn no_key_file() -> Failure {
    Failure::not_confirmed(Diagnostic::error(
        "Platform Without Key File",
        "The environment variables name a platform whose key is in a service. Nothing was \
         changed.\n\nOn OpenBAO, rotate it with bao write -f transit/keys/<key>/rotate. Rotate a \
         key in a KMS with the tools of its vendor. Then run terraform-provider-planton rewrap.",
    ))
}

fn no_database(directory: &Path) -> Failure {
    Failure::no_such_record(Diagnostic::error(
        "Embedded Platform Not Found",
        format!(
            "The directory {} contains no database. Nothing was changed.\n\nSet PLANTON_DATA_DIR \
             to the directory of the embedded platform.",
            directory.display()
        ),
    ))
}

fn database_failed(error: DatabaseError) -> Failure {
    let remedy = error
        .remedy()
        .unwrap_or("Check that the directory can be read and written.");
    Diagnostic::error(
        "Embedded Platform Not Usable",
        format!("{error}.\n\n{remedy}"),
    )
    .into()
}

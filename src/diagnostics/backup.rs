//! Diagnostics of backups of a catalog.

use planton_core::operations::BackupFileError;
use planton_plugin::Diagnostic;

pub(super) fn unusable(error: &BackupFileError) -> Diagnostic {
    use BackupFileError as E;
    let (summary, detail) = match error {
        E::Io(error) => (
            "Backup File Not Accessible",
            format!(
                "The backup cannot be read or written.\n\nCheck the path, its permissions and the \
                 free space.\n\nOriginal error: {error}"
            ),
        ),
        E::NotABackup => (
            "Backup Not Recognized",
            "The file is no backup of a catalog.\n\nPass a file that terraform-provider-planton \
             platform backup has written."
                .to_owned(),
        ),
        E::Version(version) => (
            "Backup Version Unknown",
            format!(
                "The backup has version {version} of its format, which this release cannot read. \
                 Nothing was changed.\n\nUse the release that wrote it, or a later one."
            ),
        ),
        E::CutOff(_) | E::Line(_) | E::Digest => (
            "Backup Damaged",
            format!(
                "The backup is incomplete or damaged: {error}. Nothing was changed.\n\nCopy the \
                 file again, or use another backup."
            ),
        ),
        E::Mac(subject) => (
            "Backup Not Authentic",
            format!(
                "The MAC of {subject} does not verify under the organization's MAC key. Somebody \
                 has changed the backup, or it is of an organization that was created anew. \
                 Nothing more was written.\n\nUse another backup, and find out who can write to \
                 the place of this one."
            ),
        ),
        E::OfAnother {
            organization,
            catalog,
        } => (
            "Backup Of Another Catalog",
            format!(
                "The backup is of organization \"{organization}\", catalog {catalog}, which is \
                 not the configured one. Nothing was changed.\n\nCheck PLANTON_ORG and the \
                 platform's variables, or use a backup of this catalog. A backup is restored only \
                 to the catalog that it was taken of."
            ),
        ),
    };
    Diagnostic::error(summary, detail)
}

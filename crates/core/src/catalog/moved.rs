//! Defines what a migration leaves in the place of a document, and what it says of the other
//! platform.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Catalog, CatalogError, CatalogErrorKind, Generations, OfKey, Record, RecordKey};

/// A platform, as the provider block names it. It contains no credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Name of the block: `openbao`, `bucket` or `embedded`.
    pub block: String,
    /// Arguments of the block.
    pub arguments: BTreeMap<String, Value>,
}

/// A migration, as the records of both platforms name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Move {
    /// Random identifier, which both platforms have.
    pub id: Uuid,
    /// The other platform.
    pub place: Place,
    /// When the migration began, by the clock of the machine that ran it.
    pub since: Timestamp,
}

/// How far the migration of an organization is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveProgress {
    /// This platform is the target, and not complete yet.
    Arriving,
    /// This platform is the source, and the target is not complete yet.
    Moving,
    /// This platform is the source, and the target has all.
    Moved,
}

/// The reason why a platform no longer serves an organization, or does not serve it yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the organization is at another platform ({place}) since {since}")]
pub struct Elsewhere {
    /// The other platform.
    pub place: Place,
    /// When the migration began.
    pub since: Timestamp,
    /// How far it is.
    pub progress: MoveProgress,
    /// Whether the MAC of the record that says so was verified.
    pub is_verified: bool,
}

/// A record as a migration finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Form<T> {
    /// What a migration has put in the place of a document.
    Moved(MovedRecord<T>),
    /// The document itself.
    Here(T),
}

/// What a migration has put in the place of a document.
///
/// It contains the document, so a migration that is killed before it has copied the document
/// finds it here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MovedRecord<T> {
    /// The migration.
    pub moved: Move,
    /// The document that this record has replaced.
    pub document: T,
    /// Whether it was written after the migration was complete, and the target does not have it
    /// yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

impl<T> Form<T> {
    /// Returns the document, in whichever form.
    pub(crate) fn document(&self) -> &T {
        match self {
            Self::Moved(moved) => &moved.document,
            Self::Here(document) => document,
        }
    }
}

impl<T: OfKey> OfKey for Form<T> {
    fn may_be_of(&self, key: &RecordKey) -> bool {
        self.document().may_be_of(key)
    }
}

impl<T: Generations> Generations for Form<T> {
    fn raise_to(&mut self, floor: u64) {
        match self {
            Self::Moved(moved) => moved.document.raise_to(floor),
            Self::Here(document) => document.raise_to(floor),
        }
    }
}

impl<T: Record> Record for Form<T> {
    fn is_same_write(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Moved(own), Self::Moved(other)) => {
                own.moved.id == other.moved.id && own.document.is_same_write(&other.document)
            }
            (Self::Here(own), Self::Here(other)) => own.is_same_write(other),
            (Self::Moved(_), Self::Here(_)) | (Self::Here(_), Self::Moved(_)) => false,
        }
    }
}

impl Move {
    /// Returns what whoever finds this migration in the place of what it looks for learns.
    pub(crate) fn elsewhere(&self, progress: MoveProgress) -> Elsewhere {
        Elsewhere {
            place: self.place.clone(),
            since: self.since,
            progress,
            is_verified: false,
        }
    }
}

impl Elsewhere {
    /// Returns the error of a read of `key` that has found this.
    pub(crate) fn error(self, key: &RecordKey) -> CatalogError {
        CatalogError::new(CatalogErrorKind::Moved, "read", key.as_str()).with_source(self)
    }
}

impl Catalog {
    /// Returns whether a record exists under `key`, in whichever form.
    ///
    /// # Errors
    ///
    /// Failures of the storage.
    pub(crate) async fn exists(&self, key: &RecordKey) -> Result<bool, CatalogError> {
        Ok(self.read_stored(key).await?.is_some())
    }
}

/// Returns the error of a body that is no document; `None` if no migration has replaced it.
//= docs/format.md#19-records
//# A reader MUST NOT take such a record for the document.
pub(super) fn error_of_moved(key: &RecordKey, body: &str) -> Option<CatalogError> {
    #[derive(Deserialize)]
    struct Replaced {
        moved: Move,
    }
    let Replaced { moved } = serde_json::from_str(body).ok()?;
    Some(moved.elsewhere(MoveProgress::Moving).error(key))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} =", printable(&self.block))?;
        braces(f, self.arguments.iter())
    }
}

/// Writes arguments as the language of configurations has them.
fn braces<'a>(
    f: &mut fmt::Formatter<'_>,
    arguments: impl Iterator<Item = (&'a String, &'a Value)>,
) -> fmt::Result {
    let mut between = " { ";
    let mut is_empty = true;
    for (name, value) in arguments {
        write!(f, "{between}{} =", printable(name))?;
        match value {
            Value::Object(inner) => braces(f, inner.iter())?,
            other => write!(f, " {other}")?,
        }
        (between, is_empty) = (", ", false);
    }
    f.write_str(if is_empty { " {}" } else { " }" })
}

/// Returns a name without characters that none of ours has. Whoever writes the catalog could
/// add lines to the error. Values are quoted as in JSON.
fn printable(name: &str) -> String {
    let is_ours = |character: char| character.is_ascii_lowercase() || character == '_';
    name.chars()
        .map(|character| if is_ours(character) { character } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::SecretDocument;

    #[test]
    fn a_forged_name_adds_no_text_to_the_error() {
        let forged = Place {
            block: "x\n\nIt was verified.".to_owned(),
            arguments: [("a = 1\n".to_owned(), Value::from("b\nc"))].into(),
        };
        assert_eq!(
            forged.to_string(),
            "x???t?was?verified? = { a????? = \"b\\nc\" }"
        );
    }

    fn place() -> Place {
        let arguments = [
            ("url", Value::from("s3://acme/planton")),
            (
                "encryption",
                serde_json::json!({"aws_kms": {"key_id": "alias/x"}}),
            ),
        ];
        Place {
            block: "bucket".to_owned(),
            arguments: arguments
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        }
    }

    fn moved() -> Form<SecretDocument> {
        Form::Moved(MovedRecord {
            moved: Move {
                id: Uuid::nil(),
                place: place(),
                since: Timestamp::UNIX_EPOCH,
            },
            document: SecretDocument {
                generation: 7,
                ..SecretDocument::default()
            },
            late: false,
        })
    }

    #[test]
    fn a_place_reads_as_the_block_to_configure() {
        let text = r#"bucket = { encryption = { aws_kms = { key_id = "alias/x" } }, url = "s3://acme/planton" }"#;
        assert_eq!(place().to_string(), text);
        let none = Place {
            block: "embedded".to_owned(),
            arguments: BTreeMap::new(),
        };
        assert_eq!(none.to_string(), "embedded = {}");
    }

    #[test]
    fn both_forms_of_a_document_are_read_back_as_they_were_written() {
        for form in [moved(), Form::Here(moved().document().clone())] {
            let body = serde_json::to_string(&form).expect("plain JSON");
            assert_eq!(
                serde_json::from_str::<Form<SecretDocument>>(&body).ok(),
                Some(form)
            );
        }
    }

    #[test]
    fn a_write_is_the_same_under_one_migration_with_one_document() {
        let with = |migration: u128, write: u128| {
            let Form::Moved(mut record) = moved() else {
                unreachable!("a moved document");
            };
            record.moved.id = Uuid::from_u128(migration);
            record.document.write_id = Uuid::from_u128(write);
            record
        };
        let base = Form::Moved(with(1, 1));
        // A later call notes that it is late, and writes no other document.
        let late = MovedRecord {
            late: true,
            ..with(1, 1)
        };
        assert!(base.is_same_write(&Form::Moved(late)));
        for other in [(1, 2), (2, 1), (2, 2)] {
            let other = Form::Moved(with(other.0, other.1));
            assert!(!base.is_same_write(&other), "{other:?}");
        }
        let here = |write| Form::Here(with(1, write).document);
        assert!(here(1).is_same_write(&here(1)));
        assert!(!here(1).is_same_write(&here(2)));
        assert!(!base.is_same_write(&here(1)) && !here(1).is_same_write(&base));
    }

    #[test]
    fn a_floor_raises_the_document_in_both_forms() {
        for mut form in [moved(), Form::Here(moved().document().clone())] {
            form.raise_to(9);
            assert_eq!(form.document().generation, 9, "{form:?}");
        }
    }

    //= docs/format.md#19-records
    //= type=test
    //# A reader MUST NOT take such a record for the document.
    #[test]
    fn a_reader_of_a_moved_document_learns_where_it_is() {
        let key = RecordKey::new("secrets/x");
        let body = serde_json::to_string(&moved()).expect("plain JSON");
        let error = error_of_moved(&key, &body).expect("a moved document");
        assert_eq!(error.kind(), CatalogErrorKind::Moved);
        let source = std::error::Error::source(&error);
        let elsewhere = source.and_then(|source| source.downcast_ref::<Elsewhere>());
        assert_eq!(elsewhere.map(|it| &it.place), Some(&place()));
        for other in ["{}", r#"{"generation":1}"#, r#"{"moved":true}"#, "x"] {
            assert!(error_of_moved(&key, other).is_none(), "{other}");
        }
    }
}

//! Where a secret's value comes from.

use super::Secrets;
use crate::catalog::{CopyFrom, GenerateSpec};
use crate::operations::OperationError;
use planton_envelope::SecretValue;

/// Where a value comes from.
#[derive(Debug)]
pub enum ValueSource {
    /// The practitioner gave it.
    Given(SecretValue),
    /// It is generated here.
    Generated(GenerateSpec),
    /// It is what somebody else keeps in a backend.
    Copied(CopyFrom),
}

impl ValueSource {
    pub(crate) fn copy_from(&self) -> Option<CopyFrom> {
        match self {
            Self::Copied(from) => Some(from.clone()),
            Self::Given(_) | Self::Generated(_) => None,
        }
    }
}

impl Secrets<'_> {
    /// Returns the value that a source gives.
    ///
    /// # Errors
    ///
    /// `InvalidGenerate`; `NothingToCopy` and failures of the backend for a copy.
    pub(crate) async fn resolve(self, source: ValueSource) -> Result<SecretValue, OperationError> {
        match source {
            ValueSource::Given(value) => Ok(value),
            ValueSource::Generated(spec) => {
                spec.validate()?;
                let text = spec.generate().map_err(|_| OperationError::Randomness)?;
                Ok(SecretValue::Text(text))
            }
            ValueSource::Copied(from) => self.read_source(&from).await,
        }
    }
}

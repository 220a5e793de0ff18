//! `terraform_data` resources with as much state as a secret has.
//!
//! Terraform rewrites the whole state after each resource, so bytes of state are time.

use std::path::Path;

use anyhow::{Result, ensure};
use xtask::terraform::{Terraform, Workspace};

/// The number of resources that the calibration applies.
const SAMPLE: usize = 100;

/// The length of their input in the calibration.
const SAMPLE_LENGTH: usize = 100;

/// A configuration of `terraform_data` resources with equal state.
#[derive(Clone, Debug)]
pub(super) struct Weighty {
    /// The configuration, with the variable `size`.
    pub(super) configuration: String,
}

impl Weighty {
    /// Finds the input for which a resource has `bytes` of state.
    ///
    /// # Errors
    ///
    /// If Terraform fails, or a resource with the shortest input has more state.
    pub(super) fn with_state_of(
        terraform: &Terraform,
        binary: &Path,
        bytes: usize,
    ) -> Result<Self> {
        let sample = Self::of_length(SAMPLE_LENGTH);
        let workspace = Workspace::new(terraform, binary)?;
        workspace.write("main.tf", &sample.configuration)?;
        let size = SAMPLE.to_string();
        workspace.apply(&[("size", &size)])?.ok()?;
        let length = length_for(bytes, state_bytes(&workspace, SAMPLE)?);
        ensure!(length > 0, "a secret has less state than a terraform_data");
        Ok(Self::of_length(length))
    }

    fn of_length(length: usize) -> Self {
        // A literal, since Terraform would evaluate an expression again for each resource.
        let input = "x".repeat(length);
        Self {
            configuration: format!(
                r#"
variable "size" {{ type = number }}

resource "terraform_data" "many" {{
  count = var.size
  input = {input:?}
}}
"#
            ),
        }
    }
}

/// The state contains the input twice: as the input and as the output.
fn length_for(bytes: usize, sampled: usize) -> usize {
    (bytes + 2 * SAMPLE_LENGTH).saturating_sub(sampled) / 2
}

/// Returns the size of the stored state for each of `size` resources, in bytes.
///
/// # Errors
///
/// If no state is stored.
pub(super) fn state_bytes(workspace: &Workspace, size: usize) -> Result<usize> {
    ensure!(size > 0, "no resource");
    Ok(workspace.state_text()?.len() / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_makes_up_for_the_difference() {
        assert_eq!(length_for(1_000, 600), 300);
        assert_eq!(length_for(400, 600), 0);
        assert_eq!(length_for(0, 600), 0);
    }
}

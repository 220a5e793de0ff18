//! A platform as the provider block names it, without a credential.

use super::platform::{Choice, choose};
use super::settings::Environment;
use super::{bucket, openbao};
use planton_core::operations::Place;
use planton_plugin::{Diagnostic, Value};

/// Describes the platform that the environment variables name.
///
/// # Errors
///
/// `Platform Missing` if they name none; those of the variables.
pub(crate) fn place_of(environment: &Environment) -> Result<Place, Diagnostic> {
    let (block, arguments) = match choose(&Value::Null, environment)? {
        Choice::OpenBao => ("openbao", openbao::arguments_of(environment)),
        Choice::Bucket => (bucket::BUCKET, bucket::arguments_of(environment)?),
        Choice::Embedded(directory) => {
            // Whoever reads it works in another directory.
            let directory = std::path::absolute(&directory).unwrap_or(directory);
            let path = directory.to_string_lossy().into_owned();
            ("embedded", [("path".to_owned(), path.into())].into())
        }
        Choice::Default => {
            return Err(Diagnostic::error(
                "Platform Missing",
                "A migration takes no platform by default.\n\nSet PLANTON_ADDR, PLANTON_DATA_DIR \
                 or PLANTON_BUCKET_URL for the platform that has the organization, and \
                 PLANTON_TARGET_ADDR, PLANTON_TARGET_DATA_DIR or PLANTON_TARGET_BUCKET_URL for the \
                 one that is to have it.",
            ));
        }
    };
    Ok(Place {
        block: block.to_owned(),
        arguments,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(variables: &[(&str, &str)]) -> String {
        let variables = variables.iter().copied();
        let place = place_of(&Environment::of(variables)).expect("a platform");
        place.to_string()
    }

    #[test]
    fn each_platform_is_described_as_its_block_and_without_a_credential() {
        let bao = [
            ("PLANTON_ADDR", "https://bao.example.com"),
            ("PLANTON_NAMESPACE", "team"),
            ("PLANTON_TOKEN", "hunter2"),
        ];
        assert_eq!(
            described(&bao),
            r#"openbao = { address = "https://bao.example.com", namespace = "team" }"#
        );
        let bucket = [
            ("PLANTON_BUCKET_URL", "gs://acme/planton"),
            (
                "PLANTON_BUCKET_KEY",
                "gcp_kms:key_name=projects/p/x,mac_key_name=projects/p/y",
            ),
        ];
        assert_eq!(
            described(&bucket),
            "bucket = { encryption = { gcp_kms = { key_name = \"projects/p/x\", mac_key_name = \
             \"projects/p/y\" } }, url = \"gs://acme/planton\" }"
        );
        let file = [
            ("PLANTON_BUCKET_URL", "s3://acme"),
            ("PLANTON_BUCKET_KEY", "key_file:/etc/key"),
        ];
        assert_eq!(
            described(&file),
            r#"bucket = { encryption = { key_file = { path = "/etc/key" } }, url = "s3://acme" }"#
        );
        let embedded = [("PLANTON_DATA_DIR", "/var/planton")];
        assert_eq!(
            described(&embedded),
            r#"embedded = { path = "/var/planton" }"#
        );
    }

    #[test]
    fn a_migration_takes_no_platform_by_default() {
        let none = Environment::of([("HOME", "/home/x")]);
        let refused = place_of(&none).expect_err("no platform");
        assert_eq!(refused.summary, "Platform Missing");
    }
}

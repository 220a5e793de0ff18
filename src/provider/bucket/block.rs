//! The arguments of the block `bucket`, and the variables that set them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::super::settings::Environment;
use super::{BUCKET, encryption, unusable};
use crate::fields::{
    Checked, CredentialFields, Mistake, collect, field_attribute, report_mistakes, settings_of,
};
use planton_core::operations::StoreCredential;
use planton_plugin::{Attribute, AttributePath, Diagnostic, Diagnostics, Value};
use planton_vendors::Field;
use planton_vendors::bucket::{BUCKET_FIELDS, BucketSettings, example_urls};

const URL: &str = "url";

/// Returns the attribute `bucket`. An argument that a variable may set is optional.
pub(super) fn attribute() -> Attribute {
    let fields = BUCKET_FIELDS.iter().map(|field| {
        let optional = Field {
            required: field.required && field.variables.is_empty(),
            ..*field
        };
        field_attribute(&optional, CredentialFields::Sensitive)
    });
    Attribute::object(BUCKET, fields.chain([encryption::attribute()]))
        .optional()
        .describe(
            "Bucket of Amazon S3, Google Cloud Storage or Azure Blob Storage that serves as the \
             organization's platform: it contains the catalog and the sealed secrets. At most one \
             of `openbao`, `embedded` and `bucket`.",
        )
}

/// Returns the environment variable of an argument.
pub(super) fn variable_of(argument: &str) -> Option<&'static str> {
    let field = BUCKET_FIELDS.iter().find(|field| field.name == argument)?;
    field.variables.first().copied()
}

/// Returns the arguments that environment variables set.
pub(super) fn arguments_of(environment: &Environment) -> BTreeMap<String, Json> {
    let set = BUCKET_FIELDS.iter().filter_map(|field| {
        let text = environment.first(field.variables)?;
        Some((field.name.to_owned(), text.into()))
    });
    set.collect()
}

/// Reads the settings. The block takes precedence over the variables. Those of the Region and of
/// the endpoint belong to the URL of the variables: beside the URL of the block, they would send its
/// credential to a host that somebody has set for another bucket.
pub(super) fn read(block: &Value, environment: &Environment) -> Result<BucketSettings, Diagnostic> {
    let mut configuration = settings_of(BUCKET_FIELDS, block).unwrap_or_default();
    let is_placed = configuration.contains_key(URL);
    for field in BUCKET_FIELDS.iter().filter(|_| !is_placed) {
        if let (false, Some(text)) = (
            configuration.contains_key(field.name),
            environment.first(field.variables),
        ) {
            configuration.insert(field.name.to_owned(), text.into());
        }
    }
    let mut credential = StoreCredential::new();
    collect(BUCKET_FIELDS, block, &mut credential);
    BucketSettings::read(&configuration, &credential).map_err(|problem| unusable(&problem))
}

/// Checks the known part of the block. A variable may set the URL that it omits. Without a known
/// URL, reports what is wrong with a bucket of each vendor that takes the arguments.
pub(super) fn validate(block: &Value, diagnostics: &mut Diagnostics) {
    let url = block.attribute(URL);
    let urls = match url.is_set() {
        true => vec![url.clone()],
        false => {
            let examples = example_urls(&set_arguments(block)).into_iter();
            examples.map(Value::from).collect()
        }
    };
    let mut common: Option<Vec<Diagnostic>> = None;
    for url in urls {
        let mut found = Diagnostics::new();
        let checked = Checked {
            path: AttributePath::attribute(BUCKET),
            name: BUCKET,
            fields: BUCKET_FIELDS,
            check: &check,
        };
        report_mistakes(&block.clone().with(URL, url), &checked, &mut found);
        common = Some(match common {
            None => found.iter().cloned().collect(),
            Some(mut so_far) => {
                so_far.retain(|one| found.iter().any(|other| other == one));
                so_far
            }
        });
    }
    diagnostics.extend(common.into_iter().flatten());
}

/// Returns the arguments that have an effect, whatever the unknown ones become.
fn set_arguments(block: &Value) -> Vec<&'static str> {
    let is_set = |name: &str| {
        let value = block.attribute(name);
        value.is_set() && value.as_bool() != Some(false)
    };
    let names = BUCKET_FIELDS.iter().map(|field| field.name);
    names.filter(|name| is_set(name)).collect()
}

fn check(
    configuration: BTreeMap<String, Json>,
    credential: Option<&StoreCredential>,
) -> Option<Mistake> {
    let none = StoreCredential::new();
    let problem = BucketSettings::read(&configuration, credential.unwrap_or(&none)).err()?;
    Some((problem.argument().to_owned(), unusable(&problem)))
}

//! The type `toy_folder`.

use std::sync::Arc;

use super::settings::ToyConfig;
use super::store::ToyStore;
use crate::registration::{BackendType, Field, never_exposed};

pub(crate) static REGISTRATION: BackendType = BackendType {
    description: "A folder on this machine, for tests.",
    fields: &FIELDS,
    address: "path",
    capability: ToyStore::capability_of(),
    is_exposed: never_exposed,
    check: |settings| ToyConfig::from_settings(settings).map(drop),
    open: |settings, credential, _| {
        let config = ToyConfig::from_settings(settings)?;
        Ok(Arc::new(ToyStore::new(config, credential)))
    },
};

const FIELDS: [Field; 3] = [
    Field::text("path", "Absolute path of the folder, which must exist.")
        .required()
        .example("/example"),
    Field::text("file_extension", "Extension of the files.")
        .default("sealed")
        .replaces(),
    Field::credential(
        "password_wo",
        "password",
        "Password of the folder: a line of its file `.passwords`. Default: the variable \
         `TOY_FOLDER_PASSWORD`.",
    ),
];

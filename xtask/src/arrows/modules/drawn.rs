//! The permitted dependencies between the modules of each crate, as in ARCHITECTURE.md.

use super::{Modules, Unlisted};

pub(super) const MODULES: &[Modules] = &[PROVIDER, CORE, OPERATIONS, VENDORS, PLUGIN];

pub(super) const PROVIDER: Modules = Modules {
    folder: "src",
    paths: &["crate::", "terraform_provider_planton::"],
    arrows: &[
        ("main", &["cli", "provider"]),
        ("cli", &["diagnostics", "key_argument", "provider"]),
        (
            "provider",
            &[
                "data_sources",
                "diagnostics",
                "ephemeral",
                "fields",
                "functions",
                "key_argument",
                "metadata",
                "resources",
                "session",
            ],
        ),
        (
            "resources",
            &[
                "diagnostics",
                "fields",
                "metadata",
                "session",
                "setting",
                "timestamp",
            ],
        ),
        ("data_sources", &["diagnostics", "session", "timestamp"]),
        ("ephemeral", &["diagnostics", "session", "setting"]),
        ("functions", &[]),
        ("key_argument", &[]),
        ("metadata", &["diagnostics"]),
        ("session", &["diagnostics", "setting"]),
        ("diagnostics", &[]),
        ("fields", &["diagnostics"]),
        ("setting", &[]),
        ("timestamp", &[]),
    ],
    unlisted: Unlisted::Refused,
};

pub(super) const CORE: Modules = Modules {
    folder: "crates/core/src",
    paths: &["crate::"],
    arrows: &[
        (
            "operations",
            &[
                "boot_time",
                "catalog",
                "deadline",
                "kek",
                "marks",
                "names",
                "store",
            ],
        ),
        // Uses types of stores and keys only: docs/adr/0005-record-layout.md.
        (
            "catalog",
            &[
                "boot_time",
                "deadline",
                "error",
                "kek",
                "marks",
                "names",
                "store",
            ],
        ),
        // Uses the store's type of a credential only.
        ("kek", &["error", "names", "store"]),
        ("store", &["deadline", "error", "marks"]),
        ("marks", &[]),
        ("boot_time", &[]),
        ("deadline", &["boot_time"]),
        ("error", &[]),
        ("names", &[]),
    ],
    unlisted: Unlisted::Refused,
};

pub(super) const OPERATIONS: Modules = Modules {
    folder: "crates/core/src/operations",
    paths: &["crate::operations::"],
    arrows: &[
        ("secrets", &["backends"]),
        ("default_backend", &["backends"]),
        ("gc", &["backends", "secrets"]),
        ("rewrap", &["secrets"]),
        ("migration", &["backends", "secrets"]),
        ("stored_envelope", &["backends", "secrets"]),
        ("verify", &["backends", "secrets"]),
        // The marker's name and the lookup options are the same as for a secret's object.
        ("backends", &["secrets"]),
        // The error type contains the errors of all use cases.
        ("error", &["secrets"]),
    ],
    unlisted: Unlisted::Shared,
};

pub(super) const VENDORS: Modules = Modules {
    folder: "crates/vendors/src",
    paths: &["crate::"],
    arrows: &[
        (
            "registry",
            &[
                "aws",
                "azure",
                "gcp",
                "http",
                "openbao",
                "registration",
                "toy",
            ],
        ),
        (
            "key_registry",
            &[
                "age",
                "aws",
                "azure",
                "gcp",
                "http",
                "openbao",
                "registration",
            ],
        ),
        ("age", &["http", "registration", "regular_file"]),
        ("aws", &["http", "registration"]),
        ("azure", &["http", "registration"]),
        ("bucket", &["aws", "azure", "gcp", "http", "registration"]),
        ("gcp", &["http", "registration"]),
        ("openbao", &["http", "registration"]),
        ("toy", &["registration"]),
        ("embedded", &[]),
        ("registration", &["http"]),
        ("http", &[]),
        ("regular_file", &[]),
    ],
    unlisted: Unlisted::Refused,
};

/// The author's API does not depend on the protocol that serves it.
pub(super) const PLUGIN: Modules = Modules {
    folder: "crates/plugin/src",
    paths: &["crate::"],
    arrows: &[("protocol", &[])],
    unlisted: Unlisted::Shared,
};

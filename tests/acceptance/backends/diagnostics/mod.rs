//! Tests the diagnostics of registered backends: what failed, the likely cause, and the
//! remedy, at the attribute to edit.

mod absent;
mod aws;
mod azure;
mod clouds;
mod gcp;
mod grants;
mod servers;
mod settings;
mod uses;
mod validation;

use xtask::terraform::Workspace;

use crate::scene::{On, Scene, terraform_1_15};

/// Terraform 1.15 shows the whole block where an argument in it is missing.
fn embedded() -> Scene {
    Scene::new(&terraform_1_15(), On::Embedded)
}

/// Declares a backend with `lines`.
fn declared(name: &str, lines: &str) -> String {
    let slug = name.replace('_', "-");
    format!("resource \"planton_secret_backend\" \"{name}\" {{\n  name = \"{slug}\"\n{lines}\n}}\n")
}

/// Writes a configuration with backends, each with its own lines.
fn write(workspace: &Workspace, backends: &[(&str, String)]) {
    let declared = backends.iter().map(|(name, lines)| declared(name, lines));
    let whole = format!("{SECRET}{}", declared.collect::<String>());
    workspace.write("main.tf", &whole).unwrap();
}

/// The credential of a place.
const SECRET: &str = "variable \"backend_secret\" {\n  type      = string\n  ephemeral = true\n  \
                      default   = \"hunter2\"\n}\n";

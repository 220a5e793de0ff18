//! What a practitioner reads when a backend of their own is wrong: what failed,
//! the likely cause, the remedy, at the attribute to edit.

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

/// Earlier ones of Terraform show no attribute within a block.
fn embedded() -> Scene {
    Scene::new(&terraform_1_15(), On::Embedded)
}

/// Declares a backend with these lines.
fn declared(name: &str, lines: &str) -> String {
    let slug = name.replace('_', "-");
    format!("resource \"planton_secret_backend\" \"{name}\" {{\n  name = \"{slug}\"\n{lines}\n}}\n")
}

/// Writes a configuration with backends, each with its lines.
fn write(workspace: &Workspace, backends: &[(&str, String)]) {
    let declared = backends.iter().map(|(name, lines)| declared(name, lines));
    let whole = format!("{SECRET}{}", declared.collect::<String>());
    workspace.write("main.tf", &whole).unwrap();
}

/// The credential of a place.
const SECRET: &str = "variable \"backend_secret\" {\n  type      = string\n  ephemeral = true\n  \
                      default   = \"hunter2\"\n}\n";

//! Tests of the keys of a backend and of the pins in the provider block, with the real
//! Terraform.

mod aws_kms;
mod canary;
pub(crate) mod customers;
mod escrow;
mod pins;
pub(crate) mod recovery;
pub(crate) mod reseal;
mod rollback;
pub(crate) mod service;
mod states;

use crate::backends::Place;

/// An age recipient: its identity is in age's documentation.
pub(crate) const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
pub(crate) const IDENTITY: &str =
    "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
/// Another recipient.
const OTHER: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

/// The variable of a key's credential.
const KEY_SECRET: &str =
    "variable \"key_secret\" {\n  type      = string\n  ephemeral = true\n  default   = null\n}\n";

/// Declares the backend `own` at `place`, with lines of keys.
fn backend(place: &Place, keys: &str) -> String {
    format!(
        "resource \"planton_secret_backend\" \"own\" {{\n  name = \"own\"\n{}  \
         credentials_wo_version = var.credentials\n  {keys}\n}}\n",
        place.block()
    )
}

/// Returns the lines of these escrow recipients.
fn escrow(recipients: &[&str]) -> String {
    let blocks: Vec<_> = recipients
        .iter()
        .map(|recipient| format!("{{ age = {{ recipient = {recipient:?} }} }}"))
        .collect();
    format!("escrow = [{}]", blocks.join(", "))
}

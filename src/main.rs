//! A plugin when Terraform starts it, an operator CLI when a person does.

fn main() {}

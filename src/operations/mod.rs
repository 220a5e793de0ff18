//! The use cases: create, rotate, read and delete a secret.

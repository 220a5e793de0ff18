//! The type `toy_folder`: files on disk. It shows everything that a new backend needs,
//! and exists in tests only.

mod registration;
mod settings;
mod store;

#[cfg(test)]
mod tests;

pub(crate) use registration::REGISTRATION;

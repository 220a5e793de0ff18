//! The type `toy_folder`: files on disk. It shows everything that a new backend needs,
//! and no release offers it.

mod foreign;
mod registration;
mod settings;
mod store;

#[cfg(test)]
mod tests;

pub(crate) use registration::REGISTRATION;

//! An exhaustive model of the commit protocol, described in `README.md`.

mod backend;
mod checker;
mod clean;
mod create;
mod design;
mod destroy;
mod invariants;
mod loosened;
mod process;
mod promise;
mod put;
mod recovery;
mod rules;
mod scenario;
mod step;
mod update;
mod world;
mod write;

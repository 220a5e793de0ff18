//! Tests with a real Terraform, on the embedded platform, on a real OpenBAO and on a bucket,
//! with every installed Terraform.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answering;
mod apply_time_values;
mod audit;
mod backends;
mod backup;
mod bucket;
mod canary;
mod certificates;
mod cluster;
mod crash;
mod diagnostics;
mod drift;
mod ephemeral;
mod gc;
mod gone;
mod guide;
mod healing;
mod ignore_changes;
mod import;
mod inside;
mod interrupts;
mod keys;
mod lifecycle;
mod logins;
mod migration;
mod operator;
mod ownership;
mod policies;
mod provider;
mod quickstart;
mod races;
mod reading;
mod refresh;
mod refresh_listing;
mod replace;
mod replacing;
mod requests;
mod revision;
mod scene;
mod servers;
mod stages;
mod state_size;
mod steps;
mod taken_names;
mod threat_model;
mod unknown_configuration;
mod validating;
mod values;
mod workflows;

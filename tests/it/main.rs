//! The one integration-test binary: each module drives the program as a user has it. Nothing here reaches into its insides,
//! except to read a dataset back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a failure here is a message for a developer"
)]

mod acceptance;
mod airgap;
mod answers;
mod bad;
mod cli;
mod compare;
mod dates;
mod dice;
mod each;
mod faults;
mod good;
mod house;
mod indices;
mod kill;
mod lean;
mod links;
mod made;
mod mapping;
mod metadata;
mod mutated;
mod namespaces;
mod overview;
mod plan;
mod promote;
mod properties;
mod resize;
mod resume;
mod searches;
mod several;
mod snapshot;
mod tables;
mod tool;
mod update;
mod verify;

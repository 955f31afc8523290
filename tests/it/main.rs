//! The one integration-test binary: each module drives the program as a user has it. Nothing here reaches into its insides,
//! except to read a dataset back.

mod acceptance;
mod airgap;
mod bad;
mod cli;
mod good;
mod house;
mod kill;
mod mutated;
mod properties;
mod snapshot;
mod tool;

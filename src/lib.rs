//! lib
pub mod check;
pub mod cli;
pub mod dataset;
pub mod dedupe;
pub mod error;
pub mod formats;
pub mod frame;
pub mod manifest;
pub mod pipeline;
pub mod plan;
pub mod reject;
pub mod report;
pub mod seal;
pub mod source;

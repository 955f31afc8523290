//! What the fuzz targets do with bytes that nobody vouches for: no panic, and the invariants of each parser hold.
//!
//! Shared with `tests/it/mutated.rs`, which runs the same checks on mutated fixtures with every `cargo test`; so these files
//! name nothing but the library and crates that both depend on. No check stands here: each has its file in `bodies/`.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::naive_bytecount,
    unreachable_pub,
    reason = "a check that fails is a panic with its reason; inputs are small; the fuzz crate shows the checks to its targets"
)]

#[path = "bodies/again.rs"]
mod again;
#[path = "bodies/check.rs"]
mod check;
#[path = "bodies/columns.rs"]
mod columns;
#[path = "bodies/decode.rs"]
mod decode;
#[path = "bodies/document.rs"]
mod document;
#[path = "bodies/lines.rs"]
mod lines;
#[path = "bodies/numbers.rs"]
mod numbers;
#[path = "bodies/pieces.rs"]
mod pieces;
#[path = "bodies/settings.rs"]
mod settings;
#[path = "bodies/whole.rs"]
mod whole;
#[path = "bodies/wrapped.rs"]
mod wrapped;

pub use again::rejects;
pub use columns::{parquet, rows};
pub use decode::record;
pub use document::elements;
pub use lines::split;
pub use numbers::{number, numbers};
pub use pieces::{arrays, pages, table};
pub use settings::{manifest, spec};
pub use whole::decoders;
pub use wrapped::container;

/// A check: it panics if what it is about does not hold for these bytes.
pub type Check = fn(&[u8]);

/// Each target's name and what it runs, so that files which are kept can be replayed by the name of their folder.
pub const TARGETS: [(&str, Check); 15] = [
    ("record", record),
    ("decoders", decoders),
    ("rejects", rejects),
    ("rows", rows),
    ("split", split),
    ("elements", elements),
    ("number", number),
    ("numbers", numbers),
    ("spec", spec),
    ("manifest", manifest),
    ("container", container),
    ("parquet", parquet),
    ("pages", pages),
    ("table", table),
    ("arrays", arrays),
];

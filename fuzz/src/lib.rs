//! The program's parsers without the program: the rooms that read bytes which nobody vouches for, compiled from their own files.
//!
//! Not a copy: each module is the file in `../src`. Left out is what knows Lance, threads or the command line, none of which the
//! parsers name, so no stub stands in for anything. The crate has the program's name, so that `bodies.rs` compiles here as it
//! does in `tests/it/mutated.rs`.

// `bodies.rs` calls the library by its name.
extern crate self as vec2lance;

#[path = "../../src/error.rs"]
pub mod error;
#[path = "../../src/formats/mod.rs"]
pub mod formats;
#[path = "../../src/frame/mod.rs"]
pub mod frame;
#[path = "../../src/manifest.rs"]
pub mod manifest;
#[path = "../../src/reject.rs"]
pub mod reject;
#[path = "../../src/source/mod.rs"]
pub mod source;

#[path = "../bodies.rs"]
pub mod bodies;

/// Lets the program catch panics of the Parquet reader, as it does in a run, and keeps them quiet.
///
/// libFuzzer's own hook ends the process at every panic, caught or not. With this one, a panic that nobody catches still ends
/// it, because the runner unwinds into an abort. Only panics in our own files are printed: those of the reader come by the
/// thousand.
pub fn let_panics_be_caught() {
    std::panic::set_hook(Box::new(|info| {
        if info.location().is_some_and(|place| !place.file().starts_with('/')) {
            eprintln!("{info}");
        }
    }));
}

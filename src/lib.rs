//! vec2lance: dumps of vector databases become one indexed Lance dataset that ContextFrame opens, with nothing lost.
//!
//! The map of the house. Data flows one way only:
//!
//! ```text
//! shard → chunk → Decoder → records → RecordBatch → fragment → one commit → indices → verify → report
//!                    └────────── reject ───────────────────────────────────────────────────────┘
//! ```
//!
//! | Room | Is | Must not |
//! |---|---|---|
//! | [`cli`] | the command line as types | touch files or threads |
//! | [`plan`] | every choice, with the sentence that says by what it was made | write anything |
//! | [`source`] | bytes: shards, compression, maps, lines | know JSON, Arrow, Lance |
//! | [`formats`] | meaning: layouts as TOML, one trait with one method | open files, start threads, print |
//! | [`frame`] | columns: ContextFrame's 27 and ours; records to Arrow | know any format's name |
//! | [`dataset`] | Lance: fragments, commit, indices; alone knows lance and tokio | know where a batch came from |
//! | [`pipeline`] | the only place that knows the whole order | |
//! | [`check`] | `inspect --check`: a snapshot against its manifest | write anything |
//! | [`verify`] | both sides read again, row against record | write anything |
//! | [`exact`] | the true nearest rows, by comparing every query with every vector | use an index |
//! | [`compare`] | the dataset's answers against the source's, and what is to blame | write anything |
//! | [`tune`] | settings, or an index, that find enough | change a dataset but through [`dataset`] |
//! | [`mod@bench`] | how long searches take | judge an answer |
//! | [`look`] | one search from the terminal | write anything |
//! | [`overview`] | all that is known of a finished dataset, as one value | write anything |
//! | [`dedupe`], [`sorted`] | records that share an id; more entries than memory holds, in order | read a record |
//! | [`links`] | the second pass over references: is every target there | write anything |
//! | [`rejects`] | a rejects file read back | decode a record |
//! | [`report`] | the only printer | decide anything |
//! | [`error`], [`reject`], [`manifest`] | the run cannot go on; one record is refused; the snapshot contract | use another room |
//! | [`seal`] | the air gap: internet sockets are given up before the first byte is read | |
//!
//! `tests/it/house.rs` holds this table.

pub mod bench;
pub mod check;
pub mod cli;
pub mod compare;
pub mod dataset;
pub mod dedupe;
pub mod error;
pub mod exact;
pub mod formats;
pub mod frame;
pub mod heap;
pub mod links;
pub mod look;
pub mod manifest;
pub mod overview;
pub mod pipeline;
pub mod plan;
pub mod reject;
pub mod rejects;
pub mod report;
pub mod seal;
pub mod sorted;
pub mod source;
pub mod tune;
pub mod verify;

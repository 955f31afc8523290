//! Compressed files: what is inside, in bounded memory, or an error that says how they end badly.
//!
//! Not Parquet (`columns.rs`), and not lines (`lines.rs`).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use vec2lance::source::find::shard;
use vec2lance::source::magic::Encoding;
use vec2lance::source::stream::Stream;

use super::check::{file, said};

/// The largest zstd window: 1 MiB.
const WINDOW_LOG: u32 = 20;
/// Plain bytes after which a bomb is left alone.
const ENOUGH: usize = 4 << 20;

/// Any bytes as a file, told by its first bytes: an error or its contents, the same at every step and from every offset, and
/// never more at once than was asked for. And any bytes as contents: packed, they come out again, and a packed file that is cut
/// off is an error.
pub fn container(data: &[u8]) {
    if let Some(contents) = unpack(data, 1 << 16) {
        assert_eq!(unpack(data, 1000).as_ref(), Some(&contents), "another step gives other bytes");
        skipped(data, &contents);
    }
    for packed in [zstd(data), gzip(data)] {
        assert_eq!(unpack(&packed, 1 << 16).as_deref(), Some(data), "what was packed does not come out");
        // Of the first bytes alone nobody can tell that they were a beginning.
        let cut = 4 + data.iter().fold(7usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % (packed.len() - 4);
        assert_eq!(unpack(&packed[..cut], 1 << 16), None, "a file that is cut off at {cut} of {} is taken for whole", packed.len());
    }
}

/// The contents, or nothing where they end badly.
fn unpack(data: &[u8], step: usize) -> Option<Vec<u8>> {
    let file = file(data);
    let shard = said(shard(file.path().into(), "fuzz".into(), None)).filter(|shard| shard.encoding != Encoding::Parquet)?;
    let mut stream = said(Stream::open(&shard, WINDOW_LOG))?;
    assert_eq!(stream.encoding(), shard.encoding);
    let (mut contents, mut ended) = (Vec::new(), false);
    while !ended && contents.len() < ENOUGH {
        let before = contents.len();
        ended = said(stream.fill(&mut contents, step))?;
        assert!(contents.len() - before <= step, "more than was asked for");
        assert!(ended || contents.len() - before == step, "less than was asked for before the end");
    }
    contents.truncate(ENOUGH);
    if ended {
        let length = contents.len();
        assert!(said(stream.fill(&mut contents, step))? && contents.len() == length, "something comes after the end");
    }
    Some(contents)
}

fn skipped(data: &[u8], contents: &[u8]) {
    let file = file(data);
    let shard = said(shard(file.path().into(), "fuzz".into(), None)).expect("it was read before");
    let open = || said(Stream::open(&shard, WINDOW_LOG)).expect("it was read before");
    let from = contents.len() / 2;
    let (mut stream, mut rest) = (open(), Vec::new());
    let ended = said(stream.skip(from as u64)).expect("there are so many");
    assert!(!ended || from == contents.len());
    said(stream.fill(&mut rest, 1 << 12)).expect("it was read before");
    assert_eq!(rest, contents[from..][..rest.len()]);
    assert!(contents.len() >= ENOUGH || said(open().skip(contents.len() as u64 + 1)).is_none(), "passed over more than there is");
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(data, 1).expect("memory for a few bytes")
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).and_then(|()| encoder.finish()).expect("a vector takes everything")
}

//! Any bytes as a file: plain, zstd, gzip or Parquet, told by its first bytes. An error or records, no panic, bounded memory.
#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use vec2lance::source::find::shard;
use vec2lance::source::magic::Encoding;
use vec2lance::source::stream::Stream;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(data).expect("room for it");
    let Ok(shard) = shard(file.path().into(), "fuzz".into(), None) else { return };
    if shard.encoding == Encoding::Parquet {
        let open = || std::fs::File::open(file.path()).expect("it was just written");
        if vec2lance::formats::parquet::footer(open(), "fuzz").is_ok()
            && let Ok(mut rows) = vec2lance::formats::parquet::Rows::open(open(), "fuzz", 64)
        {
            while let Ok(Some(_)) = rows.next_chunk() {}
        }
        return;
    }
    let Ok(mut stream) = Stream::open(&shard, 20) else { return };
    let mut buffer = Vec::new();
    while let Ok(false) = stream.fill(&mut buffer, 1 << 16) {
        buffer.clear();
    }
});

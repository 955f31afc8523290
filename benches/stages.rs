//! Each stage of a run by itself, on one thread where it is one: split, number arrays, payload, batch, write, k-means, encode.
//! Side by side with other programs: `benches/compare/`. Made-up data; `cargo bench --bench stages [-- NAME]`.

#![expect(clippy::expect_used, reason = "a bench that cannot run should say so")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use vec2lance::dataset::Engine;
use vec2lance::dataset::kernel::{Blocks, Centroids, LANES};
use vec2lance::dataset::kmeans::{Space, partitions, sub_vector};
use vec2lance::dataset::write::{Compression, FragmentWriter};
use vec2lance::formats::json::Cursor;
use vec2lance::formats::jsonl::{Context, TextDecoder};
use vec2lance::formats::number::f32_array;
use vec2lance::formats::spec::Spec;
use vec2lance::formats::{Chunk, Decoder};
use vec2lance::frame::builder::Membership;
use vec2lance::frame::identity::Collection;
use vec2lance::frame::mapping::Mapping;
use vec2lance::frame::vectors::Layout;
use vec2lance::source::chunk::{ChunkData, Limits, LineChunk, LineChunks};
use vec2lance::source::find::shard;

fn main() {
    divan::main();
}

const DIMENSION: usize = 384;

/// SplitMix64, and from it values like an embedding's.
struct Values(u64);

impl Values {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^= z >> 27;
        f32::from(i16::from_ne_bytes([z.to_le_bytes()[2], z.to_le_bytes()[3]])) / 300_000.0 + f32::from(z.to_le_bytes()[4]) * 1e-7
    }

    fn array(&mut self, values: usize, long: bool) -> String {
        let mut text = "[".to_owned();
        for at in 0..values {
            let value = self.next();
            let comma = if at > 0 { "," } else { "" };
            let written = if long { write!(text, "{comma}{}", f64::from(value)) } else { write!(text, "{comma}{value}") };
            written.expect("a string takes everything");
        }
        text + "]"
    }
}

/// Records of Qdrant's shape.
fn records(count: usize, dimension: usize) -> String {
    let mut values = Values(7);
    (0..count).fold(String::new(), |mut text, id| {
        let vector = values.array(dimension, false);
        let line = writeln!(
            text,
            r#"{{"id":{id},"vector":{vector},"payload":{{"title":"Record {id}","text":"{}","section":"misc","tags":["a","b"],"size":{{"installed":{id}}},"score":0.{id}}}}}"#,
            "Some text that somebody may want to find. ".repeat(10)
        );
        line.expect("a string takes everything");
        text
    })
}

/// A file's bytes to chunks of whole lines.
#[divan::bench(args = [true, false])]
fn split_mapped(bencher: Bencher, map: bool) {
    let text = records(2000, DIMENSION);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    let shard = shard(file.path().into(), "records".into(), None).expect("it is there");
    bencher.counter(BytesCount::of_str(&text)).bench_local(|| {
        let limits = Limits { chunk: 4 << 20, line: 64 << 20, rows: 1 << 20 };
        let mut chunks = LineChunks::open(&shard, limits, map, 27).expect("it opens");
        let mut newlines = 0;
        while let Some(chunk) = chunks.next_chunk().expect("it reads") {
            newlines += chunk.newlines;
        }
        newlines
    });
}

const NUMBERS: usize = 100_000;

/// Text of numbers to floats. Long: a float32 as Python writes it, as a double.
#[divan::bench(args = ["short", "long"])]
fn numbers_ours(bencher: Bencher, digits: &str) {
    let array = Values(3).array(NUMBERS, digits == "long");
    // Something before and after it, as in a record.
    let text = format!("{}{array}{}", " ".repeat(64), " ".repeat(64));
    let mut out = Vec::with_capacity(NUMBERS);
    bencher.counter(ItemsCount::new(NUMBERS)).counter(BytesCount::of_str(&array)).bench_local(|| {
        out.clear();
        let mut cursor = Cursor::new(&text);
        cursor.set_position(64);
        f32_array(&mut cursor, &mut out).expect("numbers")
    });
}

#[divan::bench(args = ["short", "long"])]
fn numbers_str_parse(bencher: Bencher, digits: &str) {
    let array = Values(3).array(NUMBERS, digits == "long");
    bencher.counter(ItemsCount::new(NUMBERS)).counter(BytesCount::of_str(&array)).bench_local(|| {
        let inside = &array[1..array.len() - 1];
        inside.split(',').map(|t| t.parse::<f32>().expect("a number")).fold(0, |n, v| n ^ v.to_bits())
    });
}

#[divan::bench(args = ["short", "long"])]
fn numbers_serde_json(bencher: Bencher, digits: &str) {
    let array = Values(3).array(NUMBERS, digits == "long");
    bencher.counter(ItemsCount::new(NUMBERS)).counter(BytesCount::of_str(&array)).bench_local(|| serde_json::from_str::<Vec<f32>>(&array).expect("numbers"));
}

fn decoder() -> TextDecoder {
    let collection = Collection { source: "qdrant".into(), name: "bench".into(), namespace: String::new() };
    let context = Context {
        spec: Arc::new(Spec::built_in("qdrant").expect("it is built in")),
        mapping: Arc::new(Mapping::default()),
        membership: Arc::new(Membership { collection, relationship: "member_of", vector_type: None }),
        shard: 0,
        foreign: Arc::default(),
        plain: false,
        resize: None,
    };
    TextDecoder::new(context).expect("the layout is consistent")
}

fn chunk(text: &str) -> Chunk {
    Chunk::Lines(LineChunk { offset: 0, data: ChunkData::Owned(text.as_bytes().to_vec()), newlines: 0, last: true, oversize: None })
}

/// Text to batch. With two dimensions nearly all of it is payload.
#[divan::bench(args = [2, DIMENSION])]
fn decode_dimensions(bencher: Bencher, dimension: usize) {
    let text = records(1000, dimension);
    let (decoder, layout) = (decoder(), Layout { main: None, dimension, ..Layout::default() });
    let chunk = chunk(&text);
    bencher.counter(ItemsCount::new(1000usize)).counter(BytesCount::of_str(&text)).bench_local(|| decoder.decode(&chunk, &layout).expect("records"));
}

/// A batch to a file of Lance's.
#[divan::bench(args = ["none", "fsst", "lz4", "zstd"], sample_count = 20)]
fn write(bencher: Bencher, compression: &str) {
    let compression = <Compression as clap::ValueEnum>::from_str(compression, false).expect("a codec");
    let layout = Layout { main: None, dimension: DIMENSION, ..Layout::default() };
    let batch = decoder().decode(&chunk(&records(4000, DIMENSION)), &layout).expect("records").batch.expect("rows");
    let engine = Arc::new(Engine::new(2).expect("threads"));
    bencher.counter(BytesCount::new(batch.get_array_memory_size())).with_inputs(|| tempfile::tempdir().expect("a folder")).bench_local_values(|folder| {
        let uri = vec2lance::dataset::uri(&folder.path().join("out.lance")).expect("a path");
        let mut writer = FragmentWriter::new(Arc::clone(&engine), &uri, 64 << 20, compression);
        writer.write(&batch).expect("written");
        (writer.finish().expect("written"), folder)
    });
}

fn blocks(rows: usize, width: usize) -> Blocks {
    let (mut values, mut blocks, mut row) = (Values(5), Blocks::new(rows, width), vec![0.0; width]);
    for at in 0..rows {
        row.fill_with(|| values.next());
        blocks.set(at, &row);
    }
    blocks
}

/// One round for 64 partitions, on all threads.
#[divan::bench(sample_count = 20)]
fn kmeans_partitions(bencher: Bencher) {
    let rows = blocks(8192, DIMENSION);
    bencher.counter(ItemsCount::new(8192usize)).bench_local(|| partitions(&rows, 64, 1, Space::Euclidean, 7));
}

/// Ten rounds for the 256 centroids of one sub-vector of so many dimensions.
#[divan::bench(args = [2, 8, 16], sample_count = 20)]
fn kmeans_sub_vector(bencher: Bencher, width: usize) {
    let rows = blocks(8192, DIMENSION);
    bencher.counter(ItemsCount::new(8192usize)).bench_local(|| sub_vector(&rows, 0, width, 256, 10, 7));
}

/// Codes of rows, in sub-vectors of so many dimensions.
#[divan::bench(args = [2, 8, 16], sample_count = 20)]
fn encode(bencher: Bencher, width: usize) {
    let rows = blocks(2048, DIMENSION);
    let codebook: Vec<Centroids> = (0..DIMENSION / width).map(|m| sub_vector(&rows, m * width, width, 256, 1, 7)).collect();
    bencher.counter(ItemsCount::new(2048usize)).bench_local(|| {
        for (m, centroids) in codebook.iter().enumerate() {
            for (_, _, block) in rows.parts(m * width, width) {
                black_box::<[u32; LANES]>(centroids.nearest(block));
            }
        }
    });
}

//! A file on its whole way: compression, framing, layout and vectors told by its contents, then every record decoded.
//!
//! What the plan and the pipeline do, without threads and without Lance; each step's own check stands in its own file.

use std::collections::BTreeMap;
use std::fs::File;

use vec2lance::formats::detect::{self, Framing};
use vec2lance::formats::elements::Elements;
use vec2lance::formats::milvus;
use vec2lance::formats::parquet::{Rows, footer};
use vec2lance::formats::pieces::{Pieces, Values};
use vec2lance::formats::{Chunk, Decoder};
use vec2lance::frame::mapping::Mapping;
use vec2lance::frame::vectors::{Layout, VectorKind};
use vec2lance::source::chunk::{Limits, LineChunks};
use vec2lance::source::find::{Shard, shard};
use vec2lance::source::magic::Encoding;
use vec2lance::source::stream::Stream;

use super::check::{file, said, settle, texts_of};
use super::decode::{Decoders, KNOWN, foreign};

/// Plain bytes after which a file is left alone, and rows of Parquet.
const ENOUGH: usize = 1 << 20;

/// How a file is read.
#[derive(Clone, Copy)]
struct Way {
    map: bool,
    chunk: usize,
    rows: usize,
    plain: bool,
}

/// Any bytes as a dump of one file: an error, or rows and rejects that do not depend on how it is read: mapped or streamed, in
/// large or small chunks, numbers by one parser or the other.
pub fn decoders(data: &[u8]) {
    let file = file(data);
    let Some(shard) = said(shard(file.path().into(), "fuzz".into(), None)) else { return };
    let usual = Way { map: true, chunk: ENOUGH, rows: 1000, plain: false };
    let Some((framing, decoders)) = look(&shard, usual) else { return };
    let one = convert(&shard, framing, &decoders, usual);
    let other = Way { map: false, chunk: 40, rows: 3, plain: true };
    let another = convert(&shard, framing, &decoders, other);
    // Of a damaged page of Parquet, one size of batches may meet what another passes over; then it is an error.
    assert!(one == another || (framing == Framing::Parquet && (one.is_none() || another.is_none())), "{one:?}\n{another:?}");
}

/// The chunks, and the fields beside the records.
fn chunks(shard: &Shard, framing: Framing, way: Way) -> Option<(Vec<Chunk>, BTreeMap<String, String>)> {
    let mut out = Vec::new();
    match framing {
        // Whole folders, which no single input is.
        Framing::Arrays | Framing::Table => return None,
        Framing::Parquet => {
            said(footer(File::open(&shard.path).expect("it was just written"), "fuzz"))?;
            let mut rows = said(Rows::open(File::open(&shard.path).expect("it was just written"), "fuzz", way.rows))?;
            while let Some(chunk) = said(rows.next_chunk())? {
                out.push(chunk);
                if out.len() * way.rows > 2000 {
                    return None;
                }
            }
        }
        Framing::Lines => {
            let limits = Limits { chunk: way.chunk, line: ENOUGH, rows: way.rows };
            let mut lines = said(LineChunks::open(shard, limits, way.map, 20))?;
            while let Some(chunk) = said(lines.next_chunk())? {
                out.push(Chunk::Lines(chunk));
            }
        }
        Framing::Values | Framing::Csv(_) => {
            let mut stream = said(Stream::open(shard, 20))?;
            let fill = move |buffer: &mut Vec<u8>, target: usize| stream.fill(buffer, target.min(way.chunk));
            let mut pieces = said(Pieces::open(Box::new(fill), Box::new(Values::default()), "fuzz", ENOUGH, way.rows))?;
            while let Some(chunk) = said(pieces.next_chunk(way.chunk))? {
                out.push(Chunk::Elements(chunk));
            }
        }
        Framing::Document => {
            let mut stream = said(Stream::open(shard, 20))?;
            let keys: Vec<String> = KNOWN.iter().flat_map(|spec| spec.records.clone()).collect();
            let fill = move |buffer: &mut Vec<u8>, target: usize| stream.fill(buffer, target.min(way.chunk));
            let mut elements = said(Elements::open(Box::new(fill), "fuzz", &keys, ENOUGH))?.with_rows(way.rows);
            while let Some(chunk) = said(elements.next_chunk(way.chunk))? {
                out.push(Chunk::Elements(chunk));
            }
            return Some((out, elements.info));
        }
    }
    Some((out, BTreeMap::new()))
}

/// What the plan does: framing by the first bytes, layout by the first records or a package's schema.
fn look(shard: &Shard, way: Way) -> Option<(Framing, Decoders)> {
    let framing = if shard.encoding == Encoding::Parquet {
        Framing::Parquet
    } else {
        let mut head = Vec::new();
        if !said(said(Stream::open(shard, 20))?.fill(&mut head, ENOUGH))? {
            return None;
        }
        let keys: Vec<String> = KNOWN.iter().flat_map(|spec| spec.records.clone()).collect();
        detect::framing(&head, &keys)
    };
    let (chunks, info) = chunks(shard, framing, way)?;
    let first = chunks.first()?;
    let package = KNOWN.iter().find(|spec| spec.package).expect("a layout of packages");
    let told = if info.contains_key("schema") { None } else { detect::layout(&detect::keys_of(first), &KNOWN).map(|(spec, _)| spec) };
    let mut spec = told.unwrap_or_else(|| package.clone());
    if spec.id.is_none() {
        let fields = info.get("schema").map_or(Some(vec![]), |schema| said(milvus::schema(schema, "fuzz")))?;
        let named = if fields.is_empty() { Some(said(detect::entity_fields(first, None, None, "fuzz"))?) } else { None };
        let (id, vector) = (named.as_ref().map(|n| n.0.as_str()), named.as_ref().map(|n| n.1.as_str()));
        said(milvus::complete(&mut spec, &fields, id, vector, "fuzz"))?;
    }
    let mut mapping = Mapping::default();
    said(mapping.extend(&spec.map, "fuzz"))?;
    let foreign = foreign(&spec);
    Some((framing, said(Decoders::of(spec, mapping, foreign))?))
}

/// Rows and rejects as text, and the layout that has come of them.
fn convert(shard: &Shard, framing: Framing, decoders: &Decoders, way: Way) -> Option<(Vec<String>, Vec<String>, Layout)> {
    let decoder: &dyn Decoder = match framing {
        Framing::Parquet => &decoders.parquet,
        _ if way.plain => &decoders.plain,
        _ => &decoders.text,
    };
    let (chunks, _) = chunks(shard, framing, way)?;
    // Under a layout that knows no vector, each one is reported.
    let probe = Layout { main: Some("\0".to_owned()), dimension: 1, ..Layout::default() };
    let mut met = Vec::new();
    for chunk in &chunks {
        met.extend(decoder.decode(chunk, &probe).ok()?.unknown);
    }
    let main = met.iter().find_map(|(name, kind)| if let VectorKind::Dense(dimension, _) = kind { Some((name.clone(), *dimension)) } else { None });
    let (main, dimension) = main.map_or((None, 1), |(name, dimension)| (Some(name), dimension));
    let mut layout = Layout { main, dimension, ..Layout::default() };
    for chunk in &chunks {
        settle(decoder, chunk, &mut layout);
    }
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    for chunk in &chunks {
        let decoded = settle(decoder, chunk, &mut layout);
        rows.extend(decoded.batch.iter().flat_map(texts_of));
        // Lines and records are counted from the chunk until the pipeline adds what came before.
        let rejected = decoded.rejects.into_iter().map(|r| format!("{:?} {:?} {:?} {:?}", r.place.byte, r.id, r.refusal, String::from_utf8_lossy(&r.original)));
        rejects.extend(rejected);
    }
    Some((rows, rejects, layout))
}

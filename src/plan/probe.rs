//! Looks into the shards of one input: framing, layout, schema, vectors. Reads as little as that takes.
//!
//! What it finds is found by decoding real records with the real decoder, under a layout that knows no vector: every vector
//! is then reported with its name, kind and dimension.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::sync::{Arc, Mutex};

use super::reader::{Opened, ShardReader, open};
use super::{Budget, Draft, Input, PlannedShard};
use crate::cli::{Reading, Relationship};
use crate::error::{Error, Result};
use crate::formats::Chunk;
use crate::formats::detect::{self, Framing};
use crate::formats::jsonl::{Context, TextDecoder};
use crate::formats::parquet::{ParquetDecoder, footer};
use crate::formats::spec::{Namespace, Spec};
use crate::formats::{Decoder, milvus};
use crate::frame::builder::Membership;
use crate::frame::identity::Collection;
use crate::frame::mapping::Mapping;
use crate::frame::vectors::{Layout, VectorKind};
use crate::reject::{excerpt, printable};
use crate::source::find::Shard;
use crate::source::magic::Encoding;
use crate::source::stream::Stream;

/// Bytes looked at to tell lines from a document.
const HEAD: usize = 1 << 16;
/// Bytes of a pipe looked at: all that the plan will ever see of it.
const PIPE_HEAD: usize = 4 << 20;
/// Bytes of the chunks that the plan decodes.
const SAMPLE: usize = 1 << 20;

/// Completes a draft.
pub(super) fn input(
    draft: Draft,
    reading: &Reading,
    relationship: Relationship,
    budget: &Budget,
    mapping: &dyn Fn(&Spec) -> Result<Mapping>,
    vectors: &mut Vectors,
) -> Result<Input> {
    let known = Spec::all()?;
    let keys: Vec<String> = match &draft.spec {
        Some((spec, _)) => spec.records.clone(),
        None => known.iter().flat_map(|s| s.records.clone()).collect(),
    };
    let budget = &Budget { limits: crate::source::chunk::Limits { chunk: SAMPLE.min(budget.limits.chunk), ..budget.limits }, ..*budget };
    let mut looked: Vec<Looked> = Vec::new();
    for (shard, promise) in draft.shards {
        looked.push(look(shard, promise, &keys, budget)?);
    }
    let shown = printable(&draft.dump);
    let first = first_chunk(&mut looked, &keys, budget)?;
    let (mut spec, mut told_by) = match (draft.spec, &first) {
        (Some(chosen), _) => chosen,
        (None, Some(first)) => tell(first, &known, reading, &shown)?,
        (None, None) => return Err(no_records(&shown)),
    };
    let mut schema = draft.schema;
    let mut package_name = None;
    if let Some(first) = &first {
        let named = reading.collection.is_some() || draft.given.is_some();
        let info = package_info(first, &looked, &spec, named, &keys, budget)?;
        if let Some(text) = info.get("schema").filter(|_| spec.package) {
            schema = Some(text.clone());
        }
        package_name = info.get("collection_name").and_then(|t| serde_json::from_str::<String>(t).ok()).filter(|n| !n.is_empty());
        if spec.payload == "*" && spec.id.is_none() {
            complete(&mut spec, &mut told_by, schema.as_deref(), first, reading, &shown)?;
        } else {
            rename_fields(&mut spec, reading);
        }
    } else if draft.promised.is_none() {
        return Err(no_records(&shown));
    }
    let name = reading.collection.clone().or(draft.given).or(package_name).unwrap_or(draft.name);
    let collection = Collection { source: spec.source.clone(), name, namespace: String::new() };
    if collection.name.contains('\'') {
        tracing::warn!("The collection's name holds a quote, which ContextFrame's helpers do not escape; use SQL filters instead.");
    }
    let spec = Arc::new(spec);
    let mapping = Arc::new(mapping(&spec)?);
    let shards: Vec<PlannedShard> = looked
        .into_iter()
        .map(|l| {
            let folder = l.shard.folder.clone().filter(|_| spec.namespace == Namespace::Folder);
            let namespace = draft.namespace.clone().or(folder).unwrap_or_default();
            let membership = Membership { collection: Collection { namespace, ..collection.clone() }, relationship: relationship.name(), vector_type: None };
            PlannedShard {
                shard: l.shard,
                framing: l.framing,
                membership: Arc::new(membership),
                promise: l.promise,
                batch_rows: l.batch_rows,
                held: Mutex::new(l.opened),
            }
        })
        .collect();
    let mut input = Input {
        dump: draft.dump,
        spec,
        told_by,
        collection,
        mapping,
        shards,
        schema,
        facts: draft.facts,
        promised: draft.promised,
        sampled: 0,
        foreign: Arc::default(),
        records_keys: keys,
    };
    input.foreign = Arc::new(foreign(&input.spec, &known));
    survey(&mut input, first, draft.vectors, budget, vectors)?;
    Ok(input)
}

fn no_records(shown: &str) -> Error {
    Error::new(format!("{shown}: no records: the input is empty")).help("check that the export has run to its end")
}

/// A shard at which somebody has looked.
struct Looked {
    shard: Shard,
    promise: Option<crate::manifest::Part>,
    framing: Framing,
    batch_rows: usize,
    opened: Option<Opened>,
}

fn look(mut shard: Shard, promise: Option<crate::manifest::Part>, keys: &[String], budget: &Budget) -> Result<Looked> {
    if shard.encoding == Encoding::Parquet {
        let file = File::open(&shard.path).map_err(|e| Error::io("open", &shard.path, &e))?;
        let footer = footer(file, &shard.name)?;
        let row = footer.bytes.checked_div(footer.rows).unwrap_or(0).max(64);
        let rows = (budget.in_flight / 4 / (budget.threads as u64 + 2) / 4 / row).clamp(1, 8192);
        return Ok(Looked { shard, promise, framing: Framing::Parquet, batch_rows: usize::try_from(rows).unwrap_or(1024), opened: None });
    }
    let mut stream = Stream::open(&shard, budget.window_log)?;
    shard.encoding = stream.encoding();
    let mut head = Vec::new();
    let wanted = if shard.regular { HEAD } else { PIPE_HEAD };
    let mut ended = stream.fill(&mut head, wanted)?;
    while !shard.regular && !ended && !head.contains(&b'\n') && head.len() < budget.limits.line {
        ended = stream.fill(&mut head, wanted)?;
    }
    let framing = detect::framing(&head, keys);
    let opened = (!shard.regular).then_some(Opened { stream, head, ended });
    Ok(Looked { shard, promise, framing, batch_rows: 0, opened })
}

/// The first records of an input, and which shard they stand in.
struct First {
    chunk: Chunk,
    info: BTreeMap<String, String>,
    at: usize,
}

fn first_chunk(looked: &mut [Looked], keys: &[String], budget: &Budget) -> Result<Option<First>> {
    for (at, l) in looked.iter_mut().enumerate() {
        if let Some(opened) = &l.opened {
            // A pipe cannot be read twice: a copy of its head stands in for it.
            if let Some(chunk) = chunk_of_head(opened, l.framing, &l.shard, keys, budget)? {
                return Ok(Some(First { at, ..chunk }));
            }
            continue;
        }
        let mut reader = open(&l.shard, l.framing, l.batch_rows.min(1024), keys, budget, None)?;
        while let Some(chunk) = reader.next_chunk()? {
            if holds_records(&chunk) {
                return Ok(Some(First { chunk, info: reader.info(), at }));
            }
        }
    }
    Ok(None)
}

fn holds_records(chunk: &Chunk) -> bool {
    match chunk {
        Chunk::Lines(lines) => lines.data.bytes().iter().any(|b| !b.is_ascii_whitespace() && !matches!(b, 0xEF | 0xBB | 0xBF)),
        Chunk::Elements(elements) => !elements.elements.is_empty(),
        Chunk::Rows { batch, .. } => batch.num_rows() > 0,
    }
}

fn chunk_of_head(opened: &Opened, framing: Framing, shard: &Shard, keys: &[String], budget: &Budget) -> Result<Option<First>> {
    let mut head = opened.head.clone();
    let ended = opened.ended;
    if framing == Framing::Lines {
        if !ended && let Some(end) = memchr::memrchr(b'\n', &head) {
            head.truncate(end + 1);
        }
        let data = crate::source::chunk::ChunkData::Owned(head);
        let chunk = Chunk::Lines(crate::source::chunk::LineChunk {
            offset: 0,
            newlines: memchr::memchr_iter(b'\n', data.bytes()).count(),
            data,
            last: ended,
            oversize: None,
        });
        return Ok(holds_records(&chunk).then_some(First { chunk, info: BTreeMap::new(), at: 0 }));
    }
    let mut given = false;
    let fill = move |buffer: &mut Vec<u8>, _: usize| {
        if !given {
            buffer.append(&mut head);
            given = true;
        }
        Ok(true)
    };
    let mut elements = crate::formats::elements::Elements::open(Box::new(fill), &shard.name, keys, budget.limits.line)?;
    // The head may end inside of a record: take what is whole.
    let mut target = SAMPLE;
    loop {
        match elements.next_chunk(target) {
            Ok(Some(chunk)) => return Ok(Some(First { info: elements.info.clone(), chunk: Chunk::Elements(chunk), at: 0 })),
            Ok(None) => return Ok(None),
            Err(error) if target <= 1 || ended => return Err(error),
            Err(_) => {
                target = 1;
                let mut again = opened.head.clone();
                let fill = move |buffer: &mut Vec<u8>, _: usize| {
                    buffer.append(&mut again);
                    Ok(true)
                };
                elements = crate::formats::elements::Elements::open(Box::new(fill), &shard.name, keys, budget.limits.line)?;
            }
        }
    }
}

/// Tells the layout by the records' keys, by a package's schema, or by the user's field names.
fn tell(first: &First, known: &[Spec], reading: &Reading, shown: &str) -> Result<(Spec, String)> {
    if let Some(spec) = known.iter().find(|s| s.package)
        && (first.info.contains_key("schema") || first.info.contains_key("total_entities") || reading.vector_field.is_some())
    {
        let keys: Vec<&str> = first.info.keys().map(String::as_str).collect();
        let by = if reading.vector_field.is_some() { "asked for: --vector-field".to_owned() } else { format!("keys {} beside the records", keys.join(", ")) };
        return Ok((spec.clone(), by));
    }
    let records = detect::keys_of(&first.chunk);
    if let Some(told) = detect::layout(&records, known) {
        return Ok(told);
    }
    let names: Vec<&str> = known.iter().map(|s| s.name.as_str()).collect();
    let help = format!("name the database with --from {}", names.join("|"));
    let Some(keys) = records.first() else {
        let first = detect::texts(&first.chunk).first().map(|t| excerpt(t, 60)).unwrap_or_default();
        return Err(Error::new(format!("{shown}: cannot tell what this is: no record is a JSON object; the first begins `{first}`")).help(help));
    };
    let met = keys.iter().take(12).map(|k| excerpt(k, 30)).collect::<Vec<_>>().join(", ");
    let cannot = || Error::new(format!("{shown}: cannot tell which database this is from; the first record has the keys {met}")).help(help.clone());
    let spec = known.iter().find(|s| s.payload == "*").ok_or_else(cannot)?;
    // A bare id and vector could be anyone's.
    if keys.len() < 3 || detect::entity_fields(&first.chunk, reading.id_field.as_deref(), None, shown).is_err() {
        return Err(cannot());
    }
    Ok((spec.clone(), "no other layout's keys".to_owned()))
}

/// Fields beside a package's records; reads the whole shard if what is wanted of them comes after the records.
fn package_info(first: &First, looked: &[Looked], spec: &Spec, named: bool, keys: &[String], budget: &Budget) -> Result<BTreeMap<String, String>> {
    let l = &looked[first.at];
    let known = first.info.contains_key("schema") && (named || first.info.contains_key("collection_name"));
    // Keys have no order: the name usually comes after the records. A pipe cannot be read ahead.
    if !spec.package || l.framing != Framing::Document || known || l.opened.is_some() {
        return Ok(first.info.clone());
    }
    let mut reader = open(&l.shard, l.framing, 0, keys, budget, None)?;
    while reader.next_chunk()?.is_some() {}
    Ok(reader.info())
}

/// Completes a layout without fixed fields: from the schema, from flags, or by looking.
fn complete(spec: &mut Spec, told_by: &mut String, schema: Option<&str>, first: &First, reading: &Reading, shown: &str) -> Result<()> {
    let (id, vector) = (reading.id_field.as_deref(), reading.vector_field.as_deref());
    if let Some(schema) = schema {
        let fields = milvus::schema(schema, shown)?;
        return milvus::complete(spec, &fields, id, vector, shown);
    }
    let (id, vector, looked) = detect::entity_fields(&first.chunk, id, vector, shown)?;
    if looked {
        let _ =
            write!(told_by, "; key `{}` and vector `{}` told by their values, --id-field and --vector-field set them", excerpt(&id, 40), excerpt(&vector, 40));
    }
    milvus::complete(spec, &[], Some(&id), Some(&vector), shown)
}

/// `--id-field` and `--vector-field` on a layout that has its own.
fn rename_fields(spec: &mut Spec, reading: &Reading) {
    if let (Some(field), Some(id)) = (&reading.id_field, &mut spec.id) {
        id.at = milvus::pointer(field);
    }
    if let (Some(field), Some(vector)) = (&reading.vector_field, &mut spec.vector) {
        vector.at = milvus::pointer(field);
    }
}

/// Keys that only records of other layouts have.
fn foreign(spec: &Spec, known: &[Spec]) -> Vec<String> {
    if spec.payload == "*" {
        return vec![];
    }
    let own: Vec<&str> = spec.top_keys().collect();
    let mut keys: Vec<String> =
        known.iter().flat_map(Spec::top_keys).filter(|k| !own.contains(k) && !["id", "document"].contains(k)).map(str::to_owned).collect();
    keys.sort();
    keys.dedup();
    keys
}

impl Input {
    /// The decoder of one shard; `index` is its number in the plan.
    ///
    /// # Errors
    /// The layout contradicts itself.
    pub fn decoder(&self, shard: &PlannedShard, index: u32) -> Result<Arc<dyn Decoder>> {
        let context = Context {
            spec: Arc::clone(&self.spec),
            mapping: Arc::clone(&self.mapping),
            membership: Arc::clone(&shard.membership),
            shard: index,
            foreign: Arc::clone(&self.foreign),
        };
        Ok(match shard.framing {
            Framing::Parquet => Arc::new(ParquetDecoder::new(context)?),
            _ => Arc::new(TextDecoder::new(context)?),
        })
    }
}

/// Decodes samples until a dense vector is found, and notes every vector met on the way.
fn survey(input: &mut Input, first: Option<First>, promised: Vec<(String, VectorKind)>, budget: &Budget, vectors: &mut Vectors) -> Result<()> {
    // No vector has this name, so each one is reported as unknown.
    let probe = Layout { main: Some("\0".to_owned()), dimension: 1, others: vec![] };
    let mut met: Vec<Met> = promised.into_iter().map(|(name, kind)| (name, kind, u64::MAX / 2)).collect();
    let mut note = |decoded: crate::formats::Decoded, sampled: &mut u64| {
        *sampled += decoded.records;
        for (name, kind) in decoded.unknown {
            match met.iter_mut().find(|(n, k, _)| *n == name && *k == kind) {
                Some((.., count)) => *count = count.saturating_add(1),
                None => met.push((name, kind, 1)),
            }
        }
        met.iter().any(|(_, kind, _)| matches!(kind, VectorKind::Dense(_)))
    };
    let failed = |e: arrow_schema::ArrowError| Error::new(format!("{}: cannot be decoded: {e}", printable(&input.dump)));
    let mut sampled = 0;
    if let Some(first) = first {
        let at = first.at;
        let decoder = input.decoder(&input.shards[at], u32::try_from(at).unwrap_or(0))?;
        let mut found = note(decoder.decode(&first.chunk, &probe).map_err(failed)?, &mut sampled);
        for (index, shard) in input.shards.iter().enumerate().skip(at) {
            if found || !shard.shard.regular {
                break;
            }
            let decoder = input.decoder(shard, u32::try_from(index).unwrap_or(0))?;
            let mut reader = ShardReader::open(shard, &input.records_keys, budget)?;
            let mut seen = index != at;
            while let Some(chunk) = reader.next_chunk()? {
                // The first chunk of the first shard was decoded above.
                if std::mem::replace(&mut seen, true) {
                    found = note(decoder.decode(&chunk, &probe).map_err(failed)?, &mut sampled);
                }
                if found {
                    break;
                }
            }
        }
    }
    input.sampled = sampled;
    vectors.inputs.push((printable(&input.dump), met));
    Ok(())
}

/// A vector that samples hold: name, kind, and how many records have it so.
type Met = (String, VectorKind, u64);

/// What all inputs hold, until the layout is made of it.
#[derive(Debug)]
pub(super) struct Vectors {
    asked: Option<String>,
    inputs: Vec<(String, Vec<Met>)>,
}

impl Vectors {
    pub(super) fn new(asked: Option<String>) -> Self {
        Self { asked, inputs: vec![] }
    }

    /// Main vector and others. The kind that most of the sampled records have wins; other records are rejects later.
    pub(super) fn layout(self, notes: &mut Vec<String>) -> Result<Layout> {
        let mut decided: Vec<(String, VectorKind, String)> = Vec::new();
        for (dump, met) in &self.inputs {
            let mut names: Vec<(&String, bool)> = Vec::new();
            for (name, kind, _) in met {
                let sparse = *kind == VectorKind::Sparse;
                if !names.contains(&(name, sparse)) {
                    names.push((name, sparse));
                }
            }
            for (name, sparse) in names {
                let same = met.iter().filter(|(n, k, _)| n == name && (*k == VectorKind::Sparse) == sparse);
                // The first of the most frequent ones, so that ties do not depend on anything but the records' order.
                let best = same.clone().map(|(.., count)| *count).max().unwrap_or(0);
                let Some((_, kind, _)) = same.clone().find(|(.., count)| *count == best) else { continue };
                let before = decided.iter().find(|(n, k, _)| n == name && (*k == VectorKind::Sparse) == sparse);
                match before {
                    Some((_, k, _)) if k == kind => {}
                    Some((_, k, other)) => {
                        return Err(Error::new(format!(
                            "vector \"{}\" is {} in {other} and {} in {dump}; one column cannot hold both",
                            excerpt(name, 40),
                            k.describe(),
                            kind.describe()
                        ))
                        .help("convert the dumps into two datasets"));
                    }
                    None => decided.push((name.clone(), *kind, dump.clone())),
                }
            }
        }
        let dense = |name: &str| decided.iter().find_map(|(n, k, _)| if n == name { if let VectorKind::Dense(d) = k { Some(*d) } else { None } } else { None });
        let first = decided.iter().find(|(_, k, _)| matches!(k, VectorKind::Dense(_))).map(|(n, ..)| n.clone());
        let main = match &self.asked {
            Some(name) if dense(name).is_none() => {
                let names: Vec<String> = decided.iter().map(|(n, k, _)| format!("{} ({})", excerpt(n, 40), k.describe())).collect();
                return Err(Error::new(format!("--vector {}: no dense vector has this name; found: {}", excerpt(name, 40), names.join(", "))));
            }
            Some(name) => Some(name.clone()),
            None if dense("default").is_some() => Some("default".to_owned()),
            None => first,
        };
        let Some(main) = main else {
            notes.push("no record has a dense vector: the column vector has dimension 1 and holds only the NaN placeholder".to_owned());
            let mut layout = Layout { main: None, dimension: 1, others: vec![] };
            for (name, kind, _) in &decided {
                layout.add(name, *kind);
            }
            return Ok(layout);
        };
        let dimension = dense(&main).unwrap_or(1);
        if dimension > 1 << 20 {
            return Err(Error::new(format!("the vectors have {dimension} dimensions, more than 2^20")));
        }
        let mut layout = Layout { main: (main != "default").then_some(main.clone()), dimension, others: vec![] };
        for (name, kind, _) in decided.iter().filter(|(n, k, _)| !(*n == main && matches!(k, VectorKind::Dense(_)))) {
            layout.add(name, *kind);
        }
        Ok(layout)
    }
}

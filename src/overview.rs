//! Everything that is known about a finished dataset, as one value: what `report` prints as JSON and shows as a page.
//!
//! Reads the dataset twice (once everything, once the vectors) in bounded memory, and the reports that other commands have left beside
//! it. Writes nothing, and shows nothing: `report/` does.

mod beside;
mod checks;
mod columns;
mod fields;
mod histogram;
mod map;
mod near;
mod opening;
mod pass;
mod rows;
mod sample;
mod vectors;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use crate::dataset::Engine;
use crate::dataset::commit::Opened;
use crate::dataset::read::IndexFacts;
use crate::error::{Error, Result};
use crate::frame::vectors::VectorColumn;
use crate::rejects;

pub use beside::{Absent, Beside, Duplicates};
pub use checks::{Check, State};
pub use columns::Column;
pub use fields::Fields;
pub use histogram::Bin;
pub use map::Map;
pub use near::Near;
pub use opening::Opening;
pub use pass::Place;
pub use vectors::Vectors;

/// Vectors that are sampled: all points of the map, and those whose nearest neighbours are looked for.
pub const SAMPLE: usize = 3000;
/// Collections and namespaces that are listed.
const LISTED: usize = 1000;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The dataset.
    pub dataset: std::path::PathBuf,
    /// The field that colours the map; by default the collection.
    pub color_by: Option<String>,
    /// Examples of each code of rejects.
    pub examples: usize,
}

/// The overview. Only `made` and `seconds` differ between two runs on the same files.
#[derive(Debug, Serialize)]
pub struct Overview {
    /// Version of the program.
    pub vec2lance: &'static str,
    /// When this was made: RFC 3339, UTC.
    pub made: String,
    /// Seconds that it took.
    pub seconds: f64,
    /// What was checked, and how that came out.
    pub checks: Vec<Check>,
    /// The dataset.
    pub dataset: Facts,
    /// What is not known, and how to get it.
    pub absent: Vec<Absent>,
    /// The report of `convert`; null if it is not there.
    pub convert: Option<Value>,
    /// Rejects by code; null if there is no rejects file.
    pub rejects: Option<rejects::Summary>,
    /// Duplicates; null if there is no list of them.
    pub duplicates: Option<Duplicates>,
    /// The report of `verify`; null if it is not there.
    pub verify: Option<Value>,
    /// Collections and namespaces.
    pub collections: Collections,
    /// The columns, in the dataset's order.
    pub columns: Vec<Column>,
    /// The fields of the sources' payloads; null if they are not kept.
    pub fields: Option<Fields>,
    /// The main vectors; null if there is no such column.
    pub vectors: Option<Vectors>,
    /// The vectors beside the main one.
    pub other_vectors: Vec<Other>,
    /// Near-duplicates; null where there are not two vectors.
    pub near: Option<Near>,
    /// The map; null where there are not two directions.
    pub map: Option<Map>,
    /// All indices.
    pub indices: Vec<IndexFacts>,
    /// The report of `tune`; null if it is not there.
    pub tune: Option<Value>,
    /// The report of `compare`; null if it is not there.
    pub compare: Option<Value>,
    /// The report of `bench`; null if it is not there.
    pub bench: Option<Value>,
    /// What the dataset itself remembers of how it was made.
    pub settings: BTreeMap<String, Value>,
    /// How the dataset is opened.
    pub opening: Vec<Opening>,
}

/// The dataset in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// Its path, as given.
    pub path: String,
    /// The last part of it.
    pub name: String,
    /// Its version in Lance's own counting.
    pub version: u64,
    /// When that version was written: RFC 3339, UTC.
    pub written: String,
    /// Versions with a name.
    pub tags: BTreeMap<String, u64>,
    /// Lance's file format.
    pub storage: String,
    /// What wrote that version, as it says.
    pub writer: Option<String>,
    /// Rows.
    pub rows: u64,
    /// Rows that describe a collection.
    pub headers: u64,
    /// Rows that are records.
    pub records: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Number of its files.
    pub files: u64,
}

/// Collections and namespaces.
#[derive(Debug, Clone, Serialize)]
pub struct Collections {
    /// How many were met.
    pub count: u64,
    /// Records that belong to none of those that are listed.
    pub unlisted: u64,
    /// The largest first.
    pub listed: Vec<Place>,
}

/// A vector beside the main one.
#[derive(Debug, Clone, Serialize)]
pub struct Other {
    /// The source's name for it.
    pub name: String,
    /// The dataset's column.
    pub column: String,
    /// `dense, 384 dimensions`
    pub kind: String,
    /// Records that have it.
    pub filled: u64,
}

/// Gathers everything.
///
/// # Errors
/// The dataset or a file beside it cannot be read.
pub fn overview(engine: &Engine, opened: &Opened, asked: &Asked, stage: &dyn Fn(&str)) -> Result<Overview> {
    let started = Instant::now();
    let beside = Beside::of(&asked.dataset, asked.examples)?;
    let schema = opened.schema();
    let reading = pass::Reading::of(&schema);
    let mut sample = sample::Sample::new(SAMPLE);
    stage("reading all rows");
    let counted = pass::pass(engine, opened, &reading, &mut sample)?;
    let records = counted.records();
    let usual = counted.vectors.as_ref().map_or(0, vectors::Tally::usual);
    let (near, map) = match reading.dimension {
        None => (None, None),
        Some(dimension) => {
            stage("looking for near-duplicates");
            let near = near::near(engine, opened, &sample, usual, dimension)?;
            stage("drawing the map");
            (near, map::map(engine, opened, &sample, usual, dimension, asked.color_by.as_deref())?)
        }
    };
    stage("checking the indices");
    let indices = opened.indices(engine)?;
    let (columns, other_vectors) = columns_of(engine, opened, &reading, &counted)?;
    let places = counted.places();
    let listed: Vec<Place> = places.iter().take(LISTED).cloned().collect();
    let unlisted = records - listed.iter().map(|p| p.records).sum::<u64>();
    let (bytes, files) = size(&asked.dataset)?;
    let path = asked.dataset.display().to_string();
    let written = opened.written();
    let dataset = Facts {
        name: asked.dataset.file_name().map_or_else(|| path.clone(), |n| n.to_string_lossy().into_owned()),
        version: opened.version(),
        written: written.at,
        tags: opened.tags(engine)?,
        storage: opened.storage(),
        writer: written.by,
        rows: counted.rows,
        headers: counted.headers,
        records,
        bytes,
        files,
        path,
    };
    let mut all = Overview {
        vec2lance: env!("CARGO_PKG_VERSION"),
        made: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        seconds: 0.0,
        checks: vec![],
        collections: Collections { count: places.len() as u64, unlisted, listed },
        columns,
        fields: schema.column_with_name(crate::frame::schema::SOURCE_PAYLOAD).map(|_| counted.fields.fields(records)),
        vectors: counted.vectors.map(|v| v.vectors(&sample)),
        other_vectors,
        near,
        map,
        indices,
        settings: settings(opened),
        opening: opening::ways(&dataset.path, reading.dimension, beside.tune.as_ref()),
        dataset,
        absent: beside.absent,
        convert: beside.convert,
        rejects: beside.rejects,
        duplicates: beside.duplicates,
        verify: beside.verify,
        tune: beside.tune,
        compare: beside.compare,
        bench: beside.bench,
    };
    all.checks = checks::all(&all);
    all.seconds = started.elapsed().as_secs_f64();
    Ok(all)
}

fn columns_of(engine: &Engine, opened: &Opened, reading: &pass::Reading, counted: &pass::Counted) -> Result<(Vec<Column>, Vec<Other>)> {
    let records = counted.records();
    let mut fills: BTreeMap<&str, columns::Fill> = reading.columns.iter().map(|f| f.name().as_str()).zip(counted.fills().iter().copied()).collect();
    if let Some(vectors) = &counted.vectors {
        fills.insert("vector", columns::Fill::counted(vectors.present()));
    }
    let mut others = Vec::new();
    for field in &reading.counted {
        let filled = opened.filled(engine, field.name())?;
        fills.insert(field.name(), columns::Fill::counted(filled));
        if let Some(vector) = VectorColumn::of(field) {
            others.push(Other { kind: vector.kind.describe(), name: vector.name, column: vector.column, filled });
        }
    }
    let schema = opened.schema();
    let column = |field: &arrow_schema::FieldRef| fills.get(field.name().as_str()).map(|fill| fill.column(field.name(), field.data_type(), records));
    Ok((schema.fields().iter().filter_map(column).collect(), others))
}

/// The dataset's own pairs; texts that are JSON are taken apart.
fn settings(opened: &Opened) -> BTreeMap<String, Value> {
    let value = |text: &String| serde_json::from_str::<Value>(text).ok().filter(|v| v.is_object() || v.is_array()).unwrap_or_else(|| text.as_str().into());
    opened.config().iter().map(|(key, text)| (key.clone(), value(text))).collect()
}

/// Bytes and number of the files below a folder.
fn size(folder: &Path) -> Result<(u64, u64)> {
    let failed = |e: std::io::Error| Error::io("list the folder", folder, &e);
    let (mut bytes, mut files) = (0, 0);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let meta = entry.metadata().map_err(failed)?;
        let (more, number) = if meta.is_dir() { size(&entry.path())? } else { (meta.len(), 1) };
        bytes += more;
        files += number;
    }
    Ok((bytes, files))
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, and rows are far fewer")]
fn real(n: u64) -> f64 {
    n as f64
}

/// A part of a whole, from 0 to 1; 0 of nothing.
fn part(n: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { real(n) / real(of) }
}

//! The dataset's own shape against ContextFrame's contract: columns and types, storage version, header records, indices.
//!
//! Not the rows' content, which is held against the dump (`verify.rs`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::Groups;
use crate::dataset::choose::IndexKind;
use crate::dataset::index::{FULL_TEXT, SCALAR};
use crate::dataset::read::{ADDRESS, IndexFacts};
use crate::frame::element::Element;
use crate::frame::header::header_text;
use crate::frame::identity::Collection;
use crate::frame::schema::{NAMESPACE, VECTOR_NAME, schema};
use crate::frame::vectors::{Layout, VectorColumn, VectorKind};
use crate::reject::{excerpt, printable};

/// Findings about the columns. `layout` is the dump's, with the promoted columns that the dataset was made with.
pub(super) fn columns(met: &Schema, layout: &Layout, storage: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let wanted = schema(&Layout { main: None, others: vec![], ..layout.clone() });
    for vector in &layout.others {
        let named = |f: &&Arc<Field>| *f.name() == vector.column && f.metadata().get(VECTOR_NAME).is_none_or(|name| *name == vector.name);
        if let Some(found) = met.fields().iter().find(named)
            && !kin(found.data_type(), vector.kind)
        {
            findings.push(format!("the column {} has the type {}, expected {}", vector.column, found.data_type(), vector.field().data_type()));
        }
    }
    for field in wanted.fields() {
        match met.field_with_name(field.name()) {
            Err(_) if field.name() == NAMESPACE => {
                findings.push(format!("the column {NAMESPACE} is missing: an older version has written the dataset; convert its dumps into a new one"));
            }
            Err(_) => findings.push(format!("the column {} is missing", field.name())),
            Ok(found) if !same(found.data_type(), field.data_type()) => {
                findings.push(format!("the column {} has the type {}, expected {}", field.name(), found.data_type(), field.data_type()));
            }
            Ok(found) if field.metadata().iter().any(|(key, value)| found.metadata().get(key) != Some(value)) => {
                findings.push(format!("the column {} has lost its field metadata", field.name()));
            }
            Ok(_) => {}
        }
    }
    for field in met.fields() {
        let name = field.name();
        let kinds = match name {
            _ if name.starts_with("x_vector_") => Element::ALL.iter().flat_map(|e| [VectorKind::Dense(8, *e), VectorKind::Multi(8, *e)]).collect(),
            _ if name.starts_with("x_sparse_") => vec![VectorKind::Sparse],
            _ => continue,
        };
        let told = layout.others.iter().any(|v| v.column == *name);
        if !told && !kinds.into_iter().any(|kind| kin(field.data_type(), kind)) {
            findings.push(format!("the column {} has the type {}, which is none of a vector", excerpt(name, 60), field.data_type()));
        }
    }
    for field in met.fields().iter().filter(|f| !f.name().starts_with("x_") && wanted.field_with_name(f.name()).is_err()) {
        findings.push(format!("the column {} is none of ContextFrame's and does not start with x_", excerpt(field.name(), 60)));
    }
    if storage != "2.1" {
        findings.push(format!("the storage version is {storage}, expected 2.1"));
    }
    findings
}

/// Whether rows cannot be read as this program writes them.
pub(super) fn is_foreign(met: &Schema, layout: &Layout) -> bool {
    let dimension = layout.dimension;
    let wanted = schema(&Layout { main: None, dimension, ..Layout::default() });
    let fits = |f: &Arc<Field>| {
        // Another dimension can be compared, and every row differs; raw bytes are not compared.
        let vectors = |found: &Field| f.name() == "vector" && kin(found.data_type(), VectorKind::Dense(dimension, Element::Float32));
        f.name() == "raw_data" || met.field_with_name(f.name()).is_ok_and(|found| vectors(found) || same(found.data_type(), f.data_type()))
    };
    !wanted.fields().iter().all(fits)
        || columns(met, &Layout { promoted: vec![], ..layout.clone() }, "2.1").iter().any(|f| f.starts_with("the column x_vector_"))
}

/// Whether a type is that of such a vector, whatever its dimension.
fn kin(met: &DataType, kind: VectorKind) -> bool {
    fn alike(met: &DataType, wanted: &DataType) -> bool {
        match (met, wanted) {
            (DataType::FixedSizeList(a, _), DataType::FixedSizeList(b, _)) => a.data_type() == b.data_type(),
            (DataType::List(a), DataType::List(b)) => alike(a.data_type(), b.data_type()),
            (a, b) => same(a, b),
        }
    }
    alike(met, VectorColumn { name: String::new(), column: String::new(), kind }.field().data_type())
}

/// The same type, whatever the metadata of inner fields say about how they are stored.
fn same(met: &DataType, wanted: &DataType) -> bool {
    let fields = |a: &Field, b: &Field| a.name() == b.name() && same(a.data_type(), b.data_type());
    match (met, wanted) {
        (DataType::List(a), DataType::List(b)) => fields(a, b),
        (DataType::FixedSizeList(a, n), DataType::FixedSizeList(b, m)) => n == m && fields(a, b),
        (DataType::Struct(a), DataType::Struct(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| fields(a, b)),
        (a, b) => a == b,
    }
}

/// One header record.
#[derive(Debug)]
pub(crate) struct HeaderRow {
    pub(super) uuid: String,
    title: String,
    pub(super) collection: String,
    /// The collection's header, in that of a namespace.
    parent: String,
    pub(super) source: String,
    text: String,
    /// Whether its vector is the placeholder; `None` where it was not read.
    placeholder: Option<bool>,
    /// The row's address.
    pub(super) address: u64,
    pub(super) pairs: HashMap<String, String>,
}

impl HeaderRow {
    /// Whose header it is.
    pub(super) fn place(&self) -> Collection {
        let of = |key: &str| self.pairs.get(key).cloned();
        let namespace = of("namespace").unwrap_or_default();
        let name = of("collection_name").filter(|_| !namespace.is_empty()).unwrap_or_else(|| self.collection.clone());
        Collection { source: self.source.clone(), name, namespace }
    }
}

/// The columns that [`headers_of`] reads.
pub(super) const HEADER_COLUMNS: [&str; 8] = ["uuid", "text_content", "title", "collection", "collection_id", "source_type", "record_type", "custom_metadata"];

/// The header records of a batch of [`HEADER_COLUMNS`].
pub(super) fn headers_of(batch: &RecordBatch) -> Vec<HeaderRow> {
    let column = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let text = |name: &str, row: usize| column(name).filter(|c| c.is_valid(row)).map_or_else(String::new, |c| c.value(row).to_owned());
    let addresses = batch.column_by_name(ADDRESS).and_then(|c| c.as_primitive_opt::<UInt64Type>());
    let header = |row: usize| HeaderRow {
        uuid: text("uuid", row),
        title: text("title", row),
        collection: text("collection", row),
        parent: text("collection_id", row),
        source: text("source_type", row),
        text: text("text_content", row),
        placeholder: batch.column_by_name("vector").and_then(|v| all_nan(v, row)),
        pairs: pairs_of(batch, row),
        address: addresses.map_or(0, |a| a.value(row)),
    };
    (0..batch.num_rows()).filter(|row| text("record_type", *row) == "collection_header").map(header).collect()
}

fn all_nan(vectors: &ArrayRef, row: usize) -> Option<bool> {
    let list = vectors.as_fixed_size_list_opt().filter(|l| l.is_valid(row))?.value(row);
    Some(list.as_primitive_opt::<Float32Type>()?.values().iter().all(|v| v.is_nan()))
}

/// The pairs of `custom_metadata` of one row.
pub(super) fn pairs_of(batch: &RecordBatch, row: usize) -> HashMap<String, String> {
    let Some(lists) = batch.column_by_name("custom_metadata").and_then(|c| c.as_list_opt::<i32>()).filter(|l| l.is_valid(row)) else {
        return HashMap::new();
    };
    let items = lists.value(row);
    let Some(pairs) = items.as_struct_opt().filter(|s| s.num_columns() == 2) else { return HashMap::new() };
    let (Some(keys), Some(values)) = (pairs.column(0).as_string_opt::<i32>(), pairs.column(1).as_string_opt::<i32>()) else { return HashMap::new() };
    (0..pairs.len()).filter(|i| keys.is_valid(*i) && values.is_valid(*i)).map(|i| (keys.value(i).to_owned(), values.value(i).to_owned())).collect()
}

/// Findings about the headers of the dump's collections and namespaces: exactly one of each that has members, with the right uuid, title,
/// parent and number of members, and vectors that the dataset has.
pub(super) fn headers(met: &[HeaderRow], groups: &Groups, schema: &Schema) -> Vec<String> {
    let mut findings = Vec::new();
    let mut members: BTreeMap<Collection, u64> = BTreeMap::new();
    for group in groups.all().iter().filter(|g| g.in_dump && g.expected + g.dataset > 0) {
        members.insert(group.place().within(""), 0);
    }
    for group in groups.all() {
        let place = group.place();
        let Some(count) = members.get_mut(&place.within("")) else { continue };
        *count += group.dataset;
        if !place.namespace.is_empty() && group.dataset > 0 {
            members.insert(place, group.dataset);
        }
    }
    let mut own: BTreeMap<Collection, Vec<&HeaderRow>> = BTreeMap::new();
    for header in met {
        own.entry(header.place()).or_default().push(header);
    }
    for (place, rows) in &own {
        if !place.namespace.is_empty() && members.contains_key(&place.within("")) && !members.contains_key(place) {
            findings.push(format!("{}: {} header records, but no members", shown(place), rows.len()));
        }
    }
    for (place, count) in &members {
        match own.get(place).map(Vec::as_slice) {
            Some([header]) => {
                let whole = if place.namespace.is_empty() { listed_vectors(&header.pairs, schema) } else { None };
                findings.extend(
                    one(header, place, *count).into_iter().chain(whole.map(|w| format!(" {w}"))).map(|what| format!("{}: the header{what}", shown(place))),
                );
            }
            rows => findings.push(format!("{}: {} header records, expected 1", shown(place), rows.map_or(0, <[_]>::len))),
        }
    }
    findings
}

/// `collection points, namespace a`
fn shown(place: &Collection) -> String {
    let namespace = if place.namespace.is_empty() { String::new() } else { format!(", namespace {}", printable(&place.namespace)) };
    format!("collection {}{namespace}", printable(&place.name))
}

/// What is wrong with the header of `place`, which has `count` members.
fn one(header: &HeaderRow, place: &Collection, count: u64) -> Vec<String> {
    let mut wrong = Vec::new();
    let (uuid, title, name, parent) = if place.namespace.is_empty() {
        (place.header_uuid(), place.header_title(), place.name.clone(), String::new())
    } else {
        (place.namespace_uuid(), place.namespace_title(), place.namespace_name(), place.header_uuid().to_string())
    };
    if header.placeholder == Some(false) {
        wrong.push(" has a vector, expected the NaN placeholder".to_owned());
    }
    for (what, met, wanted) in [
        ("uuid", &header.uuid, &uuid.to_string()),
        ("title", &header.title, &title),
        ("collection", &header.collection, &name),
        ("collection_id", &header.parent, &parent),
        ("text", &header.text, &header_text(place)),
    ] {
        if met != wanted {
            wrong.push(format!("'s {what} is \"{}\", expected \"{}\"", excerpt(met, 60), excerpt(wanted, 60)));
        }
    }
    for key in ["item_count", "collection_member_count"] {
        let value = header.pairs.get(key).map_or("missing", String::as_str);
        if value != count.to_string() {
            wrong.push(format!("'s {key} is {}, but the dataset has {count} members", excerpt(value, 24)));
        }
    }
    wrong
}

/// What is wrong with a header's list of vectors: one that no column is, or of another name or dimension.
fn listed_vectors(pairs: &HashMap<String, String>, schema: &Schema) -> Option<String> {
    let Some(text) = pairs.get("vectors") else { return Some("lists no vectors".to_owned()) };
    let list: Vec<serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    let text_of = |entry: &serde_json::Value, key: &str| entry.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    if !list.iter().any(|entry| text_of(entry, "column") == "vector") {
        return Some("does not list the column vector".to_owned());
    }
    list.iter().find_map(|entry| {
        let column = text_of(entry, "column");
        let shown = excerpt(&column, 60);
        let Ok(field) = schema.field_with_name(&column) else { return Some(format!("lists a vector in {shown}, which is no column")) };
        if field.metadata().get(VECTOR_NAME).is_some_and(|name| *name != text_of(entry, "name")) {
            return Some(format!("lists {shown} under another name than the column has"));
        }
        let dimension = entry.get("dimension").and_then(serde_json::Value::as_u64);
        let own = match VectorColumn::of(field) {
            Some(vector) => vector.kind.dimension(),
            None if column == "vector" => {
                if let DataType::FixedSizeList(_, d) = field.data_type() {
                    usize::try_from(*d).ok()
                } else {
                    None
                }
            }
            None => None,
        };
        match own {
            Some(own) if dimension != u64::try_from(own).ok() => Some(format!("lists {shown} with another dimension than the column has")),
            _ => None,
        }
    })
}

/// Findings about the indices. `layout` has the promoted columns, `kind` is what the dataset was converted with; `usable` whether there
/// are vectors to index; `named` are the indices of other vectors that should be there.
pub(super) fn indices(met: &[IndexFacts], layout: &Layout, kind: IndexKind, usable: bool, metric: Option<&str>, named: &[String]) -> Vec<String> {
    let mut findings = Vec::new();
    if kind != IndexKind::None {
        let mut wanted: Vec<String> = FULL_TEXT.iter().copied().chain(SCALAR.iter().map(|(column, _)| *column)).map(|c| format!("{c}_idx")).collect();
        wanted.extend(layout.promoted.iter().map(|c| format!("{}_idx", c.column)));
        if usable && kind != IndexKind::NoVector {
            wanted.push("vector_idx".to_owned());
        }
        wanted.extend_from_slice(named);
        wanted.retain(|name| !met.iter().any(|i| i.name == *name));
        findings.extend(wanted.iter().map(|name| format!("the index {name} is missing")));
    }
    for index in met {
        if let Some(why) = &index.broken {
            findings.push(format!("the index {}: {why}", printable(&index.name)));
        } else if index.unindexed > 0 {
            findings.push(format!("the index {} does not cover {} rows", printable(&index.name), index.unindexed));
        }
        let wanted = metric.filter(|_| index.name == "vector_idx");
        if let (Some(met), Some(wanted)) = (&index.metric, wanted)
            && met != wanted
        {
            findings.push(format!("the vector index measures {}, but the header says {wanted}", excerpt(met, 20)));
        }
    }
    findings
}

/// The metric that the headers name.
pub(super) fn metric(met: &[HeaderRow]) -> Option<&str> {
    met.iter().find_map(|h| h.pairs.get("metric")).map(String::as_str)
}

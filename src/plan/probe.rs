//! Looks into the shards of one input: framing, layout, schema, vectors. Reads as little as that takes.
//!
//! What it finds is found by decoding real records with the real decoder, under a layout that knows no vector: every vector
//! is then reported with its name, kind and dimension.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use super::answers::{self, Answers};
use super::fields;
use super::look::{First, Looked, Looking};
use super::reader::{ShardReader, open};
use super::vectors::{Met, Seen, Vectors};
use super::{Budget, Draft, Input, PlannedShard};
use crate::cli::{Reading, Relationship};
use crate::error::{Error, Result};
use crate::formats::detect::{self, Framing};
use crate::formats::milvus;
use crate::formats::pages::Pages;
use crate::formats::spec::Spec;
use crate::frame::builder::Membership;
use crate::frame::element::Element;
use crate::frame::identity::Collection;
use crate::frame::mapping::Mapping;
use crate::frame::vectors::{Layout, VectorKind};
use crate::reject::{excerpt, printable};

/// Bytes of the chunks that the plan decodes.
pub(super) const SAMPLE: usize = 1 << 20;

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
    let chosen = draft.spec.as_ref().filter(|_| draft.rejects.is_none());
    let mut looking = Looking { keys: &keys, pages: Answers::new(chosen, &known), chosen, rejects: draft.rejects.is_some(), reading, budget };
    let mut looked: Vec<Looked> = Vec::new();
    for (shard, promise) in draft.shards {
        looked.push(looking.look(shard, promise)?);
    }
    let shown = printable(&draft.dump);
    let paged = looking.pages.spec();
    if paged.is_some() {
        looked.iter_mut().for_each(Looked::make_values);
    }
    let pages = paged.as_ref().and_then(Pages::of);
    let first = looking.first_chunk(&looked, pages.as_ref())?;
    let described = draft.described.as_deref().zip(draft.schema.as_deref());
    let (mut spec, mut told_by) = match (draft.spec, &first) {
        (chosen, _) if let Some(spec) = paged => answers::told(spec, chosen),
        (Some(chosen), _) => chosen,
        (None, Some(first)) if let Some(by) = described.and_then(|(file, schema)| describes(file, schema, first)) => (Spec::built_in("milvus")?, by),
        (None, Some(first)) if looked[first.at].framing == Framing::Table => (Spec::built_in("lancedb")?, "a Lance table".to_owned()),
        (None, Some(first)) if first.is_table(&looked) => fields::table(&known)?,
        (None, Some(first)) => tell(first, &known, reading, &shown)?,
        (None, None) => return Err(no_records(&shown)),
    };
    // A description that happened to lie beside a dump of another database says nothing of it.
    let strange = draft.described.is_some() && spec.source != "milvus";
    let mut promised = draft.vectors;
    let mut schema = draft.schema.filter(|_| !strange);
    let mut package_name = None;
    let lacks_fields = spec.payload == "*" && spec.vector.is_none() && spec.dense.is_empty() && spec.sparse.is_empty();
    if let Some(first) = first.as_ref().filter(|_| draft.rejects.is_none() || lacks_fields) {
        let named = reading.collection.is_some() || draft.given.is_some();
        let info = if schema.is_some() { first.info.clone() } else { package_info(first, &looked, &spec, named, &keys, budget)? };
        if let Some(text) = info.get("schema").filter(|_| spec.package) {
            schema = Some(text.clone());
        }
        package_name = info.get("collection_name").and_then(|t| serde_json::from_str::<String>(t).ok()).filter(|n| !n.is_empty());
        let before = spec.vector.clone();
        if lacks_fields && spec.find_vectors {
            fields::find(&mut spec, &mut told_by, first.records(), reading, &shown)?;
        } else if lacks_fields {
            complete(&mut spec, &mut told_by, schema.as_deref(), first, reading, &shown)?;
            promised.extend(described_main(&spec, schema.as_deref().filter(|_| draft.described.is_some()), first));
        } else {
            fields::rename(&mut spec, first.records(), reading);
        }
        if before != spec.vector {
            vectors.asked_is_field |= reading.vector.is_some();
        }
        if draft.rejects.is_none() {
            fields::metadata(&mut spec, reading);
            fields::text(&mut spec, first.records(), reading);
        }
    } else if draft.promised.is_none() && draft.stated.is_none() && draft.losses.is_empty() && draft.rejects.is_none() {
        return Err(no_records(&shown));
    }
    // What a rejects file says of its records is not overruled by a flag that was meant for the first dump.
    let asked = reading.collection.clone().filter(|_| draft.rejects.is_none());
    let name = asked.or(draft.given.filter(|_| !strange)).or(package_name).unwrap_or(draft.name);
    let collection = Collection { source: spec.source.clone(), name, namespace: String::new() };
    if collection.name.contains('\'') {
        tracing::warn!("The collection's name holds a quote, which ContextFrame's helpers do not escape; use SQL filters instead.");
    }
    let spec = Arc::new(spec);
    let mapping = Arc::new(mapping(&spec)?);
    let shards: Vec<PlannedShard> = looked
        .into_iter()
        .map(|l| {
            // What bulk import calls the namespace without a name.
            let default = |folder: &String| spec.source == "pinecone" && folder == "__default__";
            let folder = l.shard.folder.clone().filter(|f| spec.namespace.is_folder() && !default(f));
            let namespace = draft.namespace.clone().or(folder).unwrap_or_default();
            let membership = Membership { collection: Collection { namespace, ..collection.clone() }, relationship: relationship.name(), vector_type: None };
            PlannedShard {
                shard: l.shard,
                framing: l.framing,
                columns: l.columns,
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
        stated: draft.stated,
        losses: draft.losses,
        sampled: 0,
        foreign: Arc::default(),
        records_keys: keys,
        plain: false,
        rejects: draft.rejects,
        resize: None,
        main: None,
        only: None,
        says_namespaces: false,
    };
    input.foreign = Arc::new(foreign(&input.spec, &known));
    survey(&mut input, first.as_ref(), promised, budget, vectors)?;
    Ok(input)
}

fn no_records(shown: &str) -> Error {
    Error::new(format!("{shown}: no records: the input is empty")).help("check that the export has run to its end")
}

/// The first float vector of a description that the records have: it is the main one, whatever the order of the fields in a file.
fn described_main(spec: &Spec, schema: Option<&str>, first: &First) -> Option<(String, VectorKind)> {
    let fields = milvus::schema(schema?, "").ok()?;
    let records = detect::keys_of(first.records());
    let field = fields.iter().find(|f| f.data_type == "FLOAT_VECTOR" && records.iter().flatten().any(|k| *k == f.name))?;
    spec.dense.contains_key(&field.name).then_some((field.name.clone(), VectorKind::Dense(field.dimension?, Element::Float32)))
}

/// By what a Milvus collection's description is told to be that of these records: they have one of its vectors.
fn describes(file: &str, schema: &str, first: &First) -> Option<String> {
    let fields = milvus::schema(schema, file).ok()?;
    let records = detect::keys_of(first.records());
    let vector = |name: &String| fields.iter().any(|f| f.name == *name && f.data_type.ends_with("VECTOR"));
    let met = records.iter().flatten().any(vector);
    met.then(|| format!("the fields of {}", excerpt(file, 60)))
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
    if let Some(told) = fields::plain(first.records(), known, reading, shown) {
        return Ok(told);
    }
    if let Some(told) = records.iter().find_map(|keys| answers::search(keys)) {
        return Err(Error::new(format!("{shown}: this is an answer of a search (it has {told}), which holds the nearest records and not all of them"))
            .help("export with fetch, scroll, get or query by id; README.md, \"Formats\", lists the answers that are read"));
    }
    let names: Vec<&str> = known.iter().filter(|s| s.page.is_none()).map(|s| s.name.as_str()).collect();
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
    let named = fields::vector(first.records(), reading);
    let (id, vector) = (reading.id_field.as_deref(), named.as_deref());
    if let Some(schema) = schema {
        let fields = milvus::schema(schema, shown)?;
        let records = detect::keys_of(&first.chunk);
        if let Some(key) = fields.iter().find(|f| f.automatic && id.is_none()).filter(|f| !records.iter().flatten().any(|k| *k == f.name)) {
            return Err(Error::new(format!(
                "{shown}: the records have no key: `{}` is made by the server (autoID), so the files do not hold it",
                excerpt(&key.name, 40)
            ))
            .help("name a field whose values are unique with --id-field"));
        }
        spec.json = milvus::json_fields(&fields);
        return milvus::complete(spec, &fields, id, vector, shown);
    }
    if let Some(bytes) = detect::untold_bytes(first.records()).filter(|_| spec.name == "milvus") {
        return Err(Error::new(format!(
            "{shown}: the field `{}` is lists of bytes, and nothing says of what: binary, float16, bfloat16 or uint8 values",
            excerpt(&bytes, 40)
        ))
        .help("give the collection's schema with --schema FILE (what Milvus' collections/describe answers), or put it beside the data as schema.json"));
    }
    let (id, vector, looked) = detect::entity_fields(first.records(), id, vector, shown)?;
    if looked {
        let _ =
            write!(told_by, "; key `{}` and vector `{}` told by their values, --id-field and --vector-field set them", excerpt(&id, 40), excerpt(&vector, 40));
    }
    milvus::complete(spec, &[], Some(&id), Some(&vector), shown)
}

/// Keys that only records of other layouts have.
fn foreign(spec: &Spec, known: &[Spec]) -> Vec<String> {
    if spec.payload == "*" || spec.csv || spec.name == "plain" {
        return vec![];
    }
    let own: Vec<&str> = spec.top_keys().collect();
    let mut keys: Vec<String> =
        known.iter().flat_map(Spec::top_keys).filter(|k| !own.contains(k) && !["id", "document"].contains(k)).map(str::to_owned).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The survey of an input that is a part of another one.
pub(super) fn survey_again(input: &mut Input, own: Option<String>, budget: &Budget, vectors: &mut Vectors) -> Result<()> {
    survey(input, None, vec![], budget, vectors)?;
    if let Some(seen) = vectors.inputs.last_mut() {
        seen.own = own;
    }
    Ok(())
}

/// Decodes samples until a dense vector is found, and notes every vector met on the way.
fn survey(input: &mut Input, first: Option<&First>, promised: Vec<(String, VectorKind)>, budget: &Budget, vectors: &mut Vectors) -> Result<()> {
    // No vector has this name, so each one is reported as unknown.
    let probe = Layout { main: Some("\0".to_owned()), dimension: 1, ..Layout::default() };
    let mut met: Vec<Met> = promised.into_iter().map(|(name, kind)| (name, kind, u64::MAX / 2)).collect();
    let mut says_namespaces = false;
    let mut note = |decoded: crate::formats::Decoded, sampled: &mut u64| {
        *sampled += decoded.records;
        says_namespaces |= decoded.origins.iter().any(|origin| origin.space != 0);
        for (name, kind) in decoded.unknown {
            match met.iter_mut().find(|(n, k, _)| *n == name && *k == kind) {
                Some((.., count)) => *count = count.saturating_add(1),
                None => met.push((name, kind, 1)),
            }
        }
        met.iter().any(|(_, kind, _)| kind.can_be_main())
    };
    let failed = |e: arrow_schema::ArrowError| Error::new(format!("{}: cannot be decoded: {e}", printable(&input.dump)));
    let mut sampled = 0;
    if first.is_some() || input.only.is_some() {
        let at = first.map_or(0, |first| first.at);
        let mut found = false;
        if let Some(first) = first {
            let decoder = input.decoder(&input.shards[at], u32::try_from(at).unwrap_or(0))?;
            found = note(decoder.decode(&first.chunk, &probe).map_err(failed)?, &mut sampled);
        }
        for (index, shard) in input.shards.iter().enumerate().skip(at) {
            if found || !shard.shard.regular {
                break;
            }
            let decoder = input.decoder(shard, u32::try_from(index).unwrap_or(0))?;
            let mut reader = ShardReader::open(shard, &input.records_keys, budget)?;
            let mut seen = index != at || first.is_none();
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
    (input.sampled, input.says_namespaces) = (sampled, says_namespaces);
    let collection = (input.collection.source.clone(), input.collection.name.clone());
    vectors.inputs.push(Seen { dump: printable(&input.dump), collection, own: input.spec.main.clone(), met });
    Ok(())
}

//! The fields that the user has named: `--id`, `--vector`, `--text`, `--metadata`, and layouts that are told by such names alone.
//!
//! Not the layouts of databases: those are told by the keys of their records ([`crate::formats::detect`]).

use crate::cli::Reading;
use crate::error::{Error, Result};
use crate::formats::Chunk;
use crate::formats::detect;
use crate::formats::milvus::pointer;
use crate::formats::spec::Spec;
use crate::reject::excerpt;

/// Names that a field with the id usually has where no database says it.
const IDS: [&str; 2] = ["id", "_id"];
/// And a field with the vector.
const VECTORS: [&str; 4] = ["vector", "embedding", "embeddings", "values"];

/// The field that holds the main vector, if the user has named it: `--vector-field`, or `--vector` where the records have such a field.
pub(super) fn vector(records: &Chunk, reading: &Reading) -> Option<String> {
    let named = || reading.vector.clone().filter(|name| detect::keys_of(records).iter().any(|keys| keys.contains(name)));
    reading.vector_field.clone().or_else(named)
}

/// `--id` and `--vector` on a layout that has its own.
pub(super) fn rename(spec: &mut Spec, records: &Chunk, reading: &Reading) {
    if let (Some(field), Some(id)) = (&reading.id_field, &mut spec.id) {
        id.at = pointer(field);
    }
    if let Some(vector) = &mut spec.vector {
        // Where vectors have names, `--vector` is one of those.
        let field = if vector.named { reading.vector_field.clone() } else { self::vector(records, reading) };
        if let Some(field) = field {
            vector.at = pointer(&field);
        }
    }
}

/// `--text` on a layout that has its own: a field beside the payload. A field of the payload is found without this.
pub(super) fn text(spec: &mut Spec, records: &Chunk, reading: &Reading) {
    let Some(field) = reading.text_fields.as_ref().and_then(|fields| fields.first()) else { return };
    let beside = spec.payload != "*" && detect::keys_of(records).iter().any(|keys| keys.contains(field));
    let taken = [spec.id.as_ref().map(|id| &id.at), spec.vector.as_ref().map(|v| &v.at), Some(&spec.payload)];
    if beside && !taken.into_iter().flatten().any(|at| *at == pointer(field)) {
        spec.text = Some(pointer(field));
    }
}

/// `--metadata`.
pub(super) fn metadata(spec: &mut Spec, reading: &Reading) {
    if let Some(field) = &reading.metadata {
        spec.payload = pointer(field);
    }
}

/// Completes a layout in which every array of numbers is a vector.
pub(super) fn find(spec: &mut Spec, told_by: &mut String, records: &Chunk, reading: &Reading, shown: &str) -> Result<()> {
    let own = spec.id.as_ref().map(|id| id.at[1..].to_owned());
    let id = reading.id_field.as_deref().or(own.as_deref());
    let vector = vector(records, reading).or_else(|| reading.vector.clone());
    let told = crate::formats::fields::complete(spec, records, id, vector.as_deref(), shown)?;
    told_by.push_str("; ");
    told_by.push_str(&told);
    Ok(())
}

/// Whether the user calls columns by their numbers, because the first row does not name them.
pub(super) fn numbered(reading: &Reading, names: &[String]) -> bool {
    let number = |field: &Option<String>| field.as_ref().is_some_and(|f| f.parse::<u16>().is_ok() && !names.contains(f));
    number(&reading.id_field) || number(&reading.vector_field) || number(&reading.vector)
}

/// The layout of rows, and by what it was told.
pub(super) fn table(known: &[Spec]) -> Result<(Spec, String)> {
    let spec = known.iter().find(|spec| spec.csv).cloned().ok_or_else(|| Error::new("no layout of rows is built in"))?;
    Ok((spec, "rows and columns".to_owned()))
}

/// Records of no database, with an id and a vector under usual names, or with a vector that the user has named.
pub(super) fn plain(records: &Chunk, known: &[Spec], reading: &Reading, shown: &str) -> Option<(Spec, String)> {
    let spec = known.iter().find(|spec| spec.name == "plain")?;
    if reading.vector_field.is_none()
        && let Some(name) = vector(records, reading)
    {
        return Some((spec.clone(), format!("asked for: --vector {}", excerpt(&name, 40))));
    }
    let all = detect::keys_of(records);
    let keys = all.first()?;
    let usual = |names: &[&str], asked: Option<&str>| -> Option<String> {
        let mut met = keys.iter().filter(|k| asked.map_or_else(|| names.contains(&k.as_str()), |a| a == k.as_str()));
        met.next().filter(|_| met.next().is_none()).cloned()
    };
    let id = usual(&IDS, reading.id_field.as_deref())?;
    let vector = usual(&VECTORS, None)?;
    detect::entity_fields(records, Some(&id), None, shown).ok().filter(|(_, found, _)| *found == vector)?;
    Some((spec.clone(), format!("keys {}, {}, and no database's", excerpt(&id, 40), excerpt(&vector, 40))))
}

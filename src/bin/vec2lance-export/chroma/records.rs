//! What `collection.get` answers, as one line of JSON for each record. Numbers keep the digits of the answer.
//!
//! The answer is a set of parallel arrays; nothing of it is asked for here.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::{Answer, Failure};

/// The answer, with its values uncut.
#[derive(Deserialize)]
struct Got<'a> {
    ids: Vec<String>,
    #[serde(borrow, default)]
    embeddings: Option<Vec<Option<&'a RawValue>>>,
    #[serde(borrow, default)]
    documents: Option<Vec<Option<&'a RawValue>>>,
    #[serde(borrow, default)]
    uris: Option<Vec<Option<&'a RawValue>>>,
    // The server gives the keys of metadata in another order each time; sorted, the same records give the same bytes.
    #[serde(borrow, default)]
    metadatas: Option<Vec<Option<BTreeMap<String, &'a RawValue>>>>,
}

/// The records of one answer.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// In the order of the ids that were asked for; none where the answer does not have it.
    pub(super) lines: Vec<Option<String>>,
    /// Ids of those that have no embedding.
    pub(super) without: Vec<String>,
}

/// Makes one line of each record of `answer`. `vectors`: embeddings were asked for.
///
/// # Errors
/// The arrays are not there, differ in length, or hold an id that was not asked for, or twice.
pub(super) fn lines(answer: &Answer, asked: &[String], vectors: bool) -> Result<Lines, Failure> {
    let got: Got = answer.parse()?;
    let records = got.ids.len();
    let same = |name: &str, length: Option<usize>| match length {
        Some(length) if length == records => Ok(()),
        None if records == 0 => Ok(()),
        None => Err(answer.malformed(&format!("{name} were asked for and are not in it"))),
        Some(length) => Err(answer.malformed(&format!("{records} ids, but {length} {name}"))),
    };
    // A server that has no vector at all may leave them out altogether.
    if got.embeddings.is_some() && vectors {
        same("embeddings", got.embeddings.as_ref().map(Vec::len))?;
    }
    same("documents", got.documents.as_ref().map(Vec::len))?;
    same("uris", got.uris.as_ref().map(Vec::len))?;
    same("metadatas", got.metadatas.as_ref().map(Vec::len))?;
    let places: HashMap<&str, usize> = asked.iter().enumerate().map(|(place, id)| (id.as_str(), place)).collect();
    let mut made = Lines { lines: vec![None; asked.len()], without: Vec::new() };
    for (at, id) in got.ids.iter().enumerate() {
        let Some(place) = places.get(id.as_str()) else {
            return Err(answer.malformed(&format!("it holds the id {id:?}, which was not asked for")));
        };
        if made.lines[*place].is_some() {
            return Err(answer.malformed(&format!("it holds the id {id:?} twice")));
        }
        let embedding = if vectors { value(got.embeddings.as_ref(), at) } else { "null" };
        if embedding == "null" {
            made.without.push(id.clone());
        }
        let mut line = String::with_capacity(embedding.len() + 512);
        for (key, value) in [("{\"id\":", text(id).as_str()), (",\"embedding\":", embedding), (",\"document\":", value(got.documents.as_ref(), at))] {
            line.push_str(key);
            line.push_str(value);
        }
        line.push_str(",\"metadata\":");
        match got.metadatas.as_ref().and_then(|l| l.get(at)).and_then(Option::as_ref) {
            None => line.push_str("null"),
            Some(values) => {
                for (number, (key, value)) in values.iter().enumerate() {
                    line.push(if number == 0 { '{' } else { ',' });
                    line.push_str(&text(key));
                    line.push(':');
                    line.push_str(value.get());
                }
                line.push_str(if values.is_empty() { "{}" } else { "}" });
            }
        }
        line.push_str(",\"uri\":");
        line.push_str(value(got.uris.as_ref(), at));
        line.push('}');
        // Between values, where a proxy has laid the JSON out anew; inside of a string it cannot stand.
        if line.contains(['\n', '\r']) {
            line = line.replace(['\n', '\r'], " ");
        }
        made.lines[*place] = Some(line);
    }
    Ok(made)
}

/// One value of an array, in the answer's own digits.
fn value<'a>(list: Option<&Vec<Option<&'a RawValue>>>, at: usize) -> &'a str {
    list.and_then(|l| l.get(at).copied().flatten()).map_or("null", RawValue::get)
}

/// A string as JSON.
fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

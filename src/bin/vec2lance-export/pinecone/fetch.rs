//! Records by their ids, in the order of the file of ids: as many at once as fit into an address.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use vec2lance::error::{Error, Result};

use super::control::{Kind, Private};
use super::lines;
use super::list::{IDS, RECORDS};
use super::notes::{self, Met};
use super::{Pagination, Pinecone, Usage, VERSION};
use crate::http::{Answer, Failure, Request, segment};
use crate::source::{Page, Range, Record, Unit};

/// Ids of a call.
pub(super) const MOST: usize = 100;
/// Bytes of the address that ids may fill; servers and proxies on the way stop at about 8 KiB.
const ADDRESS: usize = 6000;

/// The answer of `vectors/fetch`, `vectors/fetch_by_metadata` and `documents/fetch`.
#[derive(Deserialize)]
pub(super) struct Fetched<'a> {
    /// May be left out where it is empty.
    #[serde(borrow, alias = "documents", default)]
    vectors: Option<BTreeMap<String, &'a RawValue>>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    pub(super) pagination: Option<Pagination>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(alias = "_id")]
    id: String,
}

impl<'a> Fetched<'a> {
    /// Its records by id.
    ///
    /// # Errors
    /// It has none at all, or a record under another's id.
    pub(super) fn records(&self, answer: &Answer) -> Result<BTreeMap<String, &'a RawValue>, Failure> {
        if self.vectors.is_none() && self.namespace.is_none() {
            return Err(answer.malformed("it has neither records nor a namespace"));
        }
        let records = self.vectors.clone().unwrap_or_default();
        for (id, raw) in &records {
            let named: Named = serde_json::from_str(raw.get()).map_err(|e| answer.malformed(&format!("the record {id} cannot be read: {e}")))?;
            if named.id != *id {
                return Err(answer.malformed(&format!("the record under {id} says that it is {}", named.id)));
            }
        }
        Ok(records)
    }
}

impl Pinecone {
    /// See [`crate::source::Source::page`].
    pub(super) async fn records(
        &self,
        unit: &Unit,
        private: &Private,
        workdir: &Path,
        range: &Range,
        after: Option<&Value>,
        limit: usize,
    ) -> Result<Page, Failure> {
        let mut from = after.unwrap_or(&range.from).as_u64().unwrap_or(0);
        let to = range.to.as_u64();
        let mut page = Page::default();
        if self.selects(private) {
            let path = workdir.join(RECORDS);
            let read = lines::read(&path, from, to, limit)?;
            page.last = read.len() < limit;
            page.records = read.into_iter().map(|(line, next)| Record { line, key: json!(next) }).collect();
        } else {
            let path = workdir.join(IDS);
            // Where all of them are gone, the next ones are asked for.
            while page.records.is_empty() && !page.last {
                let read = lines::read(&path, from, to, limit.min(MOST))?;
                page.last = read.len() < limit.min(MOST);
                let (ids, next) = fitting(&read, from)?;
                page.last &= ids.len() == read.len();
                from = next;
                if !ids.is_empty() {
                    let mut met = Vec::new();
                    self.fetch(unit, private, &ids, &mut page, &mut met).await?;
                    notes::keep(workdir, &met)?;
                }
                if let Some(record) = page.records.last_mut() {
                    // What has vanished behind it is not asked for a second time.
                    record.key = json!(next);
                }
            }
        }
        if page.last {
            page.notes = self.notes(private, workdir, range)?;
        }
        Ok(page)
    }

    async fn fetch(&self, unit: &Unit, private: &Private, ids: &[(String, u64)], page: &mut Page, met: &mut Vec<Met>) -> Result<(), Failure> {
        let client = self.data(&private.host)?;
        let version = private.kind.api().version();
        let request = if private.kind == Kind::Documents {
            let ids: Vec<&str> = ids.iter().map(|(id, _)| id.as_str()).collect();
            // Without include_fields, all of them come.
            Request::post(super::documents(unit, "fetch"), json!({ "ids": ids }))
        } else {
            let mut request = Request::get("/vectors/fetch");
            for (id, _) in ids {
                request = request.query("ids", id);
            }
            match &unit.namespace {
                Some(namespace) => request.query("namespace", namespace),
                None => request,
            }
        };
        let what = format!("fetch {} records of {}", ids.len(), super::place(unit));
        let answer = client.json(request.header(VERSION, version).what(what)).await?;
        let fetched: Fetched<'_> = answer.parse()?;
        let mut records = fetched.records(&answer)?;
        met.push(Met::Spent(fetched.usage.as_ref().map_or(0, |usage| usage.read_units)));
        for (id, next) in ids {
            match records.remove(id) {
                Some(raw) => page.records.push(Record { line: line(private.kind, id, raw), key: json!(next) }),
                None if private.kind != Kind::Documents && id.contains(' ') => match self.by_query(unit, private, id, met).await? {
                    Some(line) => page.records.push(Record { line, key: json!(next) }),
                    None => self.gone(*next, page, met),
                },
                None => self.gone(*next, page, met),
            }
        }
        match records.keys().next() {
            Some(other) => Err(answer.malformed(&format!("it has the record {other}, which was not asked for"))),
            None => Ok(()),
        }
    }

    /// An id without a record: deleted since it was listed, or never there if the user named it.
    fn gone(&self, next: u64, page: &mut Page, met: &mut Vec<Met>) {
        if self.ids.is_some() { met.push(Met::Absent(next)) } else { page.vanished += 1 }
    }

    /// A record whose id has spaces, which fetch does not accept: the nearest neighbour of itself.
    async fn by_query(&self, unit: &Unit, private: &Private, id: &str, met: &mut Vec<Met>) -> Result<Option<String>, Failure> {
        #[derive(Deserialize)]
        struct Matches<'a> {
            #[serde(borrow, default)]
            matches: Vec<&'a RawValue>,
            #[serde(default)]
            usage: Option<Usage>,
        }
        let mut body = json!({ "id": id, "topK": 1, "includeValues": true, "includeMetadata": true });
        if let Some(namespace) = &unit.namespace {
            body["namespace"] = json!(namespace);
        }
        let request = Request::post("/query", body).header(VERSION, private.kind.api().version());
        let answer = match self.data(&private.host)?.json(request.what(format!("read the record {id} of {}", super::place(unit)))).await {
            Ok(answer) => answer,
            Err(Failure::Missing { .. }) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let matches: Matches<'_> = answer.parse()?;
        met.push(Met::Spent(matches.usage.as_ref().map_or(0, |usage| usage.read_units)));
        let Some(raw) = matches.matches.first() else { return Ok(None) };
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get()).map_err(|e| answer.malformed(&e.to_string()))?;
        fields.remove("score");
        let same = fields.get("id").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok()).is_some_and(|found| found == id);
        if !same {
            return Ok(None);
        }
        serde_json::to_string(&fields).map(Some).map_err(|e| answer.malformed(&e.to_string()))
    }
}

/// The ids of the lines that fit into one address, each with the byte behind it; and the byte behind the last one.
fn fitting(read: &[(String, u64)], from: u64) -> Result<(Vec<(String, u64)>, u64)> {
    let (mut ids, mut bytes, mut at) = (Vec::new(), 0, from);
    for (line, next) in read {
        let id = text(line)?;
        bytes += segment(&id).len() + "&ids=".len();
        if bytes > ADDRESS && !ids.is_empty() {
            break;
        }
        ids.push((id, *next));
        at = *next;
    }
    Ok((ids, at))
}

/// The id that a line of the file of ids holds.
///
/// # Errors
/// The file was changed by others.
pub(super) fn text(line: &str) -> Result<String> {
    serde_json::from_str(line).map_err(|e| Error::new(format!("the list of ids in the work folder is damaged: {e}")).help("give --restart"))
}

/// A record as its line. Documents lie in a page of one (`formats/pinecone-documents.toml`), because nothing else tells them apart.
pub(super) fn line(kind: Kind, id: &str, raw: &RawValue) -> String {
    let text = Record::of(raw, Value::Null).line;
    if kind == Kind::Documents { format!("{{\"documents\":{{{}:{text}}}}}", json!(id)) } else { text }
}

/// The id of such a line.
///
/// # Errors
/// The file was changed by others.
pub(super) fn id_of(kind: Kind, line: &str) -> Result<String> {
    let damaged = |e: serde_json::Error| Error::new(format!("the records in the work folder are damaged: {e}")).help("give --restart");
    if kind == Kind::Documents {
        let fetched: Fetched<'_> = serde_json::from_str(line).map_err(damaged)?;
        return Ok(fetched.vectors.unwrap_or_default().into_keys().next().unwrap_or_default());
    }
    serde_json::from_str::<Named>(line).map(|named| named.id).map_err(damaged)
}

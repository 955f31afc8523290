//! Objects page by page by their ids, and the second look at those that came without a named vector.

use std::collections::BTreeMap;

use futures::StreamExt;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use vec2lance::manifest::VectorEntry;

use super::Weaviate;
use super::ids;
use super::schema::{Class, Seen};
use crate::http::{Answer, Failure, Request, segment};
use crate::source::{Page, Range, Record, Unit};

/// Objects asked for again at the same time; the client's own limit holds beside it.
const AGAIN: usize = 8;
/// Objects that are looked at for their vectors' dimensions: a few, and more where these do not have them all.
const SAMPLES: &[usize] = &[5, 100];
/// What the server says to a `limit` above its `QUERY_MAXIMUM_RESULTS`.
const TOO_MANY: &[&str] = &["query maximum results exceeded"];

/// The answer of `/v1/objects`.
#[derive(Deserialize)]
struct Listing<'a> {
    /// A list, or null for an empty one; an answer without it is none.
    #[serde(borrow)]
    objects: &'a RawValue,
}

impl<'a> Listing<'a> {
    fn of(answer: &'a Answer) -> Result<Vec<&'a RawValue>, Failure> {
        let listing: Self = answer.parse()?;
        let objects: Option<Vec<&RawValue>> = serde_json::from_str(listing.objects.get()).map_err(|e| answer.malformed(&format!("objects: {e}")))?;
        Ok(objects.unwrap_or_default())
    }
}

/// An object on its way to its record.
struct Object {
    id: u128,
    /// None for one that was deleted meanwhile.
    record: Option<Record>,
    /// Named vectors of the class that it came without.
    lacks: Vec<String>,
}

impl Weaviate {
    /// See [`crate::source::Source::page`]. A short page says nothing about what follows: only an empty one is the last.
    pub(super) async fn objects(&self, unit: &Unit, range: &Range, after: Option<&Value>, limit: usize) -> Result<Page, Failure> {
        let bound = |value: &Value| value.as_str().and_then(ids::number);
        let end = bound(&range.to);
        let named = named(unit);
        let mut begin = match after {
            Some(Value::String(id)) => id.clone(),
            _ => bound(&range.from).map(ids::just_before).unwrap_or_default(),
        };
        let mut page = Page::default();
        loop {
            let answer = self.listing(unit, &begin, limit, true).await?;
            let mut behind = ids::number(&begin);
            let mut objects = Vec::new();
            for raw in Listing::of(&answer)? {
                let object = read(&answer, raw, &named)?;
                if let Some(last) = behind.filter(|last| object.id <= *last) {
                    let (id, last) = (ids::text(object.id), ids::text(last));
                    return Err(answer.malformed(&format!("the object {id} comes after {last}, so that pages by id would leave gaps")));
                }
                behind = Some(object.id);
                if end.is_some_and(|end| object.id >= end) {
                    page.last = true;
                    break;
                }
                objects.push(object);
            }
            let Some(key) = objects.last().map(|object| ids::text(object.id)) else {
                page.last = true;
                page.notes = self.notes(unit);
                return Ok(page);
            };
            self.complete(unit, &named, &mut objects, &mut page).await?;
            page.records = objects.into_iter().filter_map(|object| object.record).collect();
            if let Some(record) = page.records.last_mut() {
                // What was deleted behind it is not asked for a second time.
                record.key = Value::String(key.clone());
            }
            if page.last {
                page.notes = self.notes(unit);
            }
            if page.last || !page.records.is_empty() {
                return Ok(page);
            }
            begin = key;
        }
    }

    /// The call that lists, with or without vectors.
    pub(super) async fn listing(&self, unit: &Unit, after: &str, limit: usize, vectors: bool) -> Result<Answer, Failure> {
        let mut request = Request::get("/v1/objects")
            .query("class", &unit.collection)
            .query("limit", limit)
            .query("after", after)
            .too_large_when(TOO_MANY)
            .what(format!("list objects of {}", place(unit)));
        if vectors {
            request = request.query("include", "vector");
        }
        if let Some(tenant) = &unit.namespace {
            request = request.query("tenant", tenant);
        }
        self.client.json(request).await
    }

    /// The first id behind `after`.
    pub(super) async fn first_behind(&self, unit: &Unit, after: &str) -> Result<Option<u128>, Failure> {
        let answer = self.listing(unit, after, 1, false).await?;
        Listing::of(&answer)?.first().map(|raw| read(&answer, raw, &[]).map(|object| object.id)).transpose()
    }

    /// Vectors of a class or tenant, their dimensions by some of its objects. One that none of them has is left out: nothing is known of it.
    pub(super) async fn vectors(&self, class: &Class, unit: &Unit) -> Result<Vec<VectorEntry>, Failure> {
        let known = |vectors: &[VectorEntry]| vectors.iter().all(|vector| vector.dimension.is_some());
        let (mut vectors, mut ids) = (Vec::new(), Vec::new());
        for objects in SAMPLES {
            let answer = self.listing(unit, "", *objects, true).await?;
            let seen: Vec<Seen<'_>> = Listing::of(&answer)?.into_iter().map(|raw| look(&answer, raw)).collect::<Result<_, _>>()?;
            vectors = class.vectors(&seen);
            ids = seen.iter().take(AGAIN).filter_map(|object| ids::number(&object.id)).collect();
            if known(&vectors) || ids.is_empty() {
                break;
            }
        }
        // As in `complete`: a listing may lack what the object has.
        for id in ids {
            if known(&vectors) {
                break;
            }
            let answer = match self.single(unit, id).await {
                Err(Failure::Missing { .. }) => continue,
                answer => answer?,
            };
            let whole = class.vectors(&[look(&answer, answer.parse()?)?]);
            for vector in &mut vectors {
                let other = whole.iter().find(|other| other.name == vector.name && other.dimension.is_some());
                *vector = other.filter(|_| vector.dimension.is_none()).unwrap_or(vector).clone();
            }
        }
        vectors.retain(|vector| vector.dimension.is_some());
        Ok(vectors)
    }

    /// Asks once more for each object that lacks a named vector: servers before 1.39 leave out those of shards on other nodes.
    async fn complete(&self, unit: &Unit, named: &[String], objects: &mut [Object], page: &mut Page) -> Result<(), Failure> {
        let lacking: Vec<usize> = (0..objects.len()).filter(|at| !objects[*at].lacks.is_empty()).collect();
        let asked: Vec<(usize, u128)> = lacking.iter().map(|at| (*at, objects[*at].id)).collect();
        let mut answers = futures::stream::iter(asked.into_iter().map(|(at, id)| async move { (at, self.single(unit, id).await) })).buffered(AGAIN);
        while let Some((at, answer)) = answers.next().await {
            let object = &mut objects[at];
            let answer = match answer {
                Ok(answer) => answer,
                Err(Failure::Missing { .. }) => {
                    page.vanished += 1;
                    object.record = None;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let raw: &RawValue = answer.parse()?;
            let again = read(&answer, raw, named)?;
            if again.id != object.id {
                return Err(answer.malformed(&format!("asked for {}, it gives {}", ids::text(object.id), ids::text(again.id))));
            }
            self.tally(unit, |tally| {
                tally.again += 1;
                tally.mended += u64::from(again.lacks.len() < object.lacks.len());
                for name in &again.lacks {
                    *tally.without.entry(name.clone()).or_default() += 1;
                }
            });
            *object = again;
        }
        Ok(())
    }

    /// What was met in a unit since this was last asked for; said at the end of each range.
    fn notes(&self, unit: &Unit) -> Vec<String> {
        let mut met = Tally::default();
        self.tally(unit, |tally| met = std::mem::take(tally));
        met.notes()
    }

    async fn single(&self, unit: &Unit, id: u128) -> Result<Answer, Failure> {
        let mut request = Request::get(format!("/v1/objects/{}/{}", segment(&unit.collection), ids::text(id))).query("include", "vector").what(format!(
            "read the object {} of {}",
            ids::text(id),
            place(unit)
        ));
        if let Some(tenant) = &unit.namespace {
            request = request.query("tenant", tenant);
        }
        self.client.json(request).await
    }
}

/// What was met in a unit and belongs in the manifest.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    again: u64,
    mended: u64,
    without: BTreeMap<String, u64>,
}

impl Tally {
    /// One sentence each.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.again > 0 {
            notes
                .push(format!("{} objects came without a named vector of their class and were asked for again; {} then had one more", self.again, self.mended));
        }
        notes.extend(self.without.iter().map(|(name, count)| format!("{count} objects have no vector {name}")));
        notes
    }
}

/// `Class`, or `Class (tenant t)`.
pub(super) fn place(unit: &Unit) -> String {
    unit.namespace.as_ref().map_or_else(|| unit.collection.clone(), |tenant| format!("{} (tenant {tenant})", unit.collection))
}

/// The named vectors that the class has by its schema.
fn named(unit: &Unit) -> Vec<String> {
    let names = unit.private.get("named").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn look<'a>(answer: &Answer, raw: &'a RawValue) -> Result<Seen<'a>, Failure> {
    serde_json::from_str(raw.get()).map_err(|e| answer.malformed(&format!("an object cannot be read: {e}")))
}

fn read(answer: &Answer, raw: &RawValue, named: &[String]) -> Result<Object, Failure> {
    let seen = look(answer, raw)?;
    let id = ids::number(&seen.id).ok_or_else(|| answer.malformed(&format!("the id {} is no UUID", seen.id)))?;
    let has = |name: &String| seen.vectors.as_ref().and_then(|vectors| vectors.get(name)).is_some_and(|vector| !matches!(vector.get(), "null" | "[]"));
    let lacks = named.iter().filter(|name| !has(name)).cloned().collect();
    Ok(Object { id, record: Some(Record::of(raw, Value::String(ids::text(id)))), lacks })
}

//! Chroma, by its HTTP interface v2: ids first, then the records of those ids. No client library is used: the official ones hold
//! vectors as numbers, and the digits would be made anew.
//!
//! The command line is in `chroma/access.rs`, how ids are listed without gaps in `chroma/listing.rs`, where they are kept in
//! `chroma/ids.rs`, what there is in `chroma/catalogue.rs`, and a record as a line in `chroma/records.rs`.

mod access;
mod catalogue;
mod ids;
mod listing;
mod records;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vec2lance::error::{Error, Result};

use crate::http::{Client, Failure, Request};
use crate::source::{Count, Hit, LeftOut, Page, PageSize, Query, Range, Record, Selection, Source, Unit};
pub(crate) use access::{Args, open};
use catalogue::Place;
use listing::{Listed, Pages};

/// Bytes of a page of records that we aim at: several are in memory at once.
const AIM: usize = 2 << 20;
/// Bytes of a page of records that are read at most.
const LIMIT: usize = 32 << 20;
/// Listings until as many ids were found as are counted.
const LISTINGS: u32 = 4;
/// How long a vector that is not there is waited for, and how often in a run.
const WAIT: Duration = Duration::from_millis(250);
const WAITS: usize = 40;
/// The local server's words where the index has no vector for a record that it lists, or not any more.
const NO_VECTOR: &str = "Error finding id";
/// Chroma Cloud's words where the answer would hold more records than it gives at once.
const QUOTA: &str = "'Limit value' exceeded quota";
/// Words that mean: ask for fewer.
const TOO_LARGE: &[&str] = &[NO_VECTOR, QUOTA, "too many SQL variables"];

/// A Chroma server.
#[derive(Debug)]
pub(crate) struct Chroma {
    client: Client,
    databases: Vec<String>,
    filter: Option<Value>,
    documents: Option<Value>,
    /// Records that the server gives at once, as far as we know.
    cap: AtomicUsize,
    /// Pauses before a record was taken for one without a vector.
    waited: AtomicUsize,
}

/// Ids alone, page by page.
struct Asked<'a> {
    chroma: &'a Chroma,
    place: &'a Place,
    name: &'a str,
    /// Only those that match the filters.
    filtered: bool,
}

impl Pages for Asked<'_> {
    async fn page(&self, offset: u64, limit: usize) -> Result<Vec<String>, Failure> {
        #[derive(serde::Deserialize)]
        struct Ids {
            ids: Vec<String>,
        }
        let limit = limit.min(self.chroma.cap.load(Ordering::Relaxed));
        let mut body = json!({ "include": [], "limit": limit, "offset": offset });
        if self.filtered {
            self.chroma.narrow(&mut body);
        }
        let request = Request::post(self.place.path("get"), body).what(format!("list the ids of {}", self.name)).too_large_when(TOO_LARGE);
        let answer = self.chroma.client.json(request).await.inspect_err(|failure| self.chroma.heed(failure))?;
        Ok(answer.parse::<Ids>()?.ids)
    }
}

impl Chroma {
    /// Adds the filters to a request.
    fn narrow(&self, body: &mut Value) {
        for (key, condition) in [("where", &self.filter), ("where_document", &self.documents)] {
            if let Some(condition) = condition {
                body[key] = condition.clone();
            }
        }
    }

    /// Whether only a part of each collection is read.
    fn filtered(&self) -> bool {
        self.filter.is_some() || self.documents.is_some()
    }

    /// Remembers the server's own limit, where it names it.
    fn heed(&self, failure: &Failure) {
        let Failure::TooLarge { message, .. } = failure else { return };
        let number = message.split("exceeds limit of ").nth(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        if let Some(cap) = number.and_then(|n| n.parse().ok()).filter(|n| *n > 0 && message.contains(QUOTA)) {
            self.cap.fetch_min(cap, Ordering::Relaxed);
        }
    }

    /// All ids to `each`.
    async fn list<F: FnMut(&str) -> Result<(), Failure> + Send>(&self, unit: &Unit, place: &Place, each: F) -> Result<Listed> {
        let most = listing::MOST.min(self.cap.load(Ordering::Relaxed));
        Ok(listing::list(&Asked { chroma: self, place, name: &unit.collection, filtered: true }, most, each).await?)
    }

    async fn counted(&self, unit: &Unit, place: &Place) -> Result<u64> {
        let answer = self.client.json(Request::get(place.path("count")).what(format!("count {}", unit.collection))).await?;
        Ok(answer.parse()?)
    }

    /// One answer for `asked`.
    async fn ask(&self, unit: &Unit, place: &Place, asked: &[String], vectors: bool) -> Result<records::Lines, Failure> {
        let include: &[&str] = if vectors { &["embeddings", "documents", "metadatas", "uris"] } else { &["documents", "metadatas", "uris"] };
        // Without a limit of its own, the request counts as one for all.
        let body = json!({ "ids": asked, "include": include, "limit": asked.len() });
        let request = Request::post(place.path("get"), body).what(format!("get records of {}", unit.collection)).too_large_when(TOO_LARGE).limit(LIMIT);
        let answer = self.client.json(request).await.inspect_err(|failure| self.heed(failure))?;
        records::lines(&answer, asked, vectors)
    }

    /// The records of `asked`, in that order. One vector that the index has lost makes the whole answer fail: then it is asked for
    /// halves, down to that record, which is read without its vector.
    async fn get(&self, unit: &Unit, place: &Place, asked: &[String]) -> Result<records::Lines, Failure> {
        let mut all = records::Lines { lines: vec![None; asked.len()], without: Vec::new() };
        // Ids by their places in `asked`.
        let mut left: Vec<Vec<usize>> = vec![(0..asked.len()).collect()];
        while let Some(some) = left.pop() {
            let ids: Vec<String> = some.iter().map(|at| asked[*at].clone()).collect();
            let got = match self.ask(unit, place, &ids, true).await {
                Err(Failure::TooLarge { message, .. }) if some.len() > 1 && (message.contains(NO_VECTOR) || message.contains(QUOTA)) => {
                    let (first, second) = some.split_at(some.len() / 2);
                    left.extend([second.to_vec(), first.to_vec()]);
                    continue;
                }
                Err(Failure::TooLarge { message, .. }) if message.contains(NO_VECTOR) => self.lost(unit, place, &ids).await?,
                got => got?,
            };
            all.without.extend(got.without);
            let (mut met, mut missing) = (false, Vec::new());
            for (at, line) in some.into_iter().zip(got.lines) {
                if line.is_none() {
                    missing.push(at);
                } else {
                    (all.lines[at], met) = (line, true);
                }
            }
            // A server with a limit of its own gives fewer than it has: only an answer without any of them says that they are gone.
            if met && !missing.is_empty() {
                left.push(missing);
            }
        }
        Ok(all)
    }

    /// One record whose vector the index does not have. It may be written just now, so it is asked for once more a little later; an
    /// index that has lost many is not waited for. One that was deleted meanwhile is not there without its vector either.
    async fn lost(&self, unit: &Unit, place: &Place, one: &[String]) -> Result<records::Lines, Failure> {
        if self.waited.fetch_add(1, Ordering::Relaxed) < WAITS {
            tokio::time::sleep(WAIT).await;
        }
        match self.ask(unit, place, one, true).await {
            Err(Failure::TooLarge { message, .. }) if message.contains(NO_VECTOR) => self.ask(unit, place, one, false).await,
            got => got,
        }
    }

    /// Ids of a page of records: no more than asked for, than the server gives, and than fit into memory.
    fn fitting(&self, unit: &Unit, limit: usize) -> usize {
        let dimension = unit.vectors.first().and_then(|v| v.dimension).unwrap_or_default();
        // A float32 has up to 13 characters with its comma; the rest of a record is a guess.
        let fits = AIM / (dimension * 13 + 1024);
        limit.min(self.cap.load(Ordering::Relaxed)).min(fits).max(1)
    }
}

/// Where the unit is.
fn place(unit: &Unit) -> Result<Place> {
    serde_json::from_value(unit.private.clone()).map_err(|e| Error::new(format!("the journal does not say where {} is: {e}", unit.collection)))
}

/// A place in the list of ids.
fn byte(value: &Value) -> Result<u64> {
    value
        .as_u64()
        .ok_or_else(|| Error::new(format!("the journal holds {value} where a place in the list of ids is expected")).help("begin anew with --restart"))
}

impl Source for Chroma {
    fn name(&self) -> &'static str {
        "chroma"
    }

    fn options(&self) -> BTreeMap<String, Value> {
        let databases = (!self.databases.is_empty()).then(|| ("database", json!(self.databases)));
        let documents = self.documents.clone().map(|condition| ("where-document", condition));
        databases.into_iter().chain(documents).map(|(flag, value)| (flag.to_owned(), value)).collect()
    }

    fn page_size(&self) -> PageSize {
        PageSize { records: 1000, bytes: AIM }
    }

    async fn version(&self) -> Result<Option<String>> {
        let answer = self.client.json(Request::get("/api/v2/version").what("ask for the version")).await?;
        let said: Value = answer.parse()?;
        Ok(said.as_str().map(str::to_owned))
    }

    async fn units(&self, chosen: &Selection) -> Result<(Vec<Unit>, Vec<LeftOut>)> {
        Ok((catalogue::units(self, chosen).await?, Vec::new()))
    }

    async fn count(&self, unit: &Unit) -> Result<Option<Count>> {
        let place = place(unit)?;
        if self.filtered() {
            // Its counting call knows no filter.
            let listed = self.list(unit, &place, |_| Ok(())).await?;
            return Ok(Some(Count { value: listed.ids, by: "get (ids that match the filter)".to_owned(), exact: listed.at_once }));
        }
        Ok(Some(Count { value: self.counted(unit, &place).await?, by: "count".to_owned(), exact: true }))
    }

    async fn marker(&self, unit: &Unit) -> Result<Value> {
        let place = place(unit)?;
        let versions = catalogue::versions(self, &place, &unit.collection).await?;
        // A self-hosted server leaves both at 0; there at least the last id shows what was inserted, or added again.
        let asked = Asked { chroma: self, place: &place, name: &unit.collection, filtered: false };
        let last = match self.counted(unit, &place).await? {
            0 => None,
            count => asked.page(count - 1, 1).await?.pop(),
        };
        let mut marker = serde_json::to_value(versions).map_err(|e| Error::new(format!("cannot note the version of {}: {e}", unit.collection)))?;
        marker["last_id"] = json!(last);
        Ok(marker)
    }

    async fn ranges(&self, unit: &Unit, workdir: &Path, parallel: usize) -> Result<Vec<Range>> {
        let place = place(unit)?;
        let mut file = ids::Writer::create(workdir)?;
        let (mut found, mut listings) = (None, 0);
        let ids = loop {
            let listed = self.list(unit, &place, |id| Ok(file.push(id)?)).await?;
            listings += 1;
            let unique = file.unique()?;
            // A listing that had to begin again, or that has fewer ids than are counted, is repeated until that brings nothing more.
            let fewer = !self.filtered() && self.counted(unit, &place).await? > unique;
            if !(fewer || listed.restarted) || found == Some(unique) || listings >= LISTINGS {
                break unique;
            }
            found = Some(unique);
        };
        Ok(file.finish(ids, parallel)?.into_iter().map(|(from, to)| Range { from: json!(from), to: json!(to) }).collect())
    }

    async fn page(&self, unit: &Unit, workdir: &Path, range: &Range, after: Option<&Value>, limit: usize) -> Result<Page, Failure> {
        let place = place(unit)?;
        let (mut at, to) = (byte(after.unwrap_or(&range.from))?, byte(&range.to)?);
        let mut page = Page::default();
        loop {
            let listed = ids::read(workdir, at, to, self.fitting(unit, limit))?;
            at = listed.last().map_or(to, |(_, next)| *next);
            page.last = at >= to;
            let (asked, next): (Vec<String>, Vec<u64>) = listed.into_iter().unzip();
            if !asked.is_empty() {
                let got = self.get(unit, &place, &asked).await?;
                if let Some(first) = got.without.first() {
                    page.notes.push(format!("{} records without an embedding in the source, such as the id {first:?}: it is null here.", got.without.len()));
                }
                for (line, next) in got.lines.into_iter().zip(next) {
                    match line {
                        Some(line) => page.records.push(Record { line, key: json!(next) }),
                        None => page.vanished += 1,
                    }
                }
            }
            if page.last || !page.records.is_empty() {
                return Ok(page);
            }
        }
    }

    async fn search(&self, unit: &Unit, query: &Query) -> Result<Option<Vec<Hit>>> {
        #[derive(serde::Deserialize)]
        struct Found {
            ids: Vec<Vec<String>>,
            distances: Option<Vec<Vec<Option<f64>>>>,
        }
        let place = place(unit)?;
        let mut body = json!({ "query_embeddings": [query.vector], "n_results": query.k, "include": ["distances"] });
        self.narrow(&mut body);
        let request = Request::post(place.path("query"), body).what(format!("search {}", unit.collection));
        let answer = self.client.json(request).await?;
        let found: Found = answer.parse()?;
        let (Some(ids), Some(distances)) = (found.ids.into_iter().next(), found.distances.and_then(|d| d.into_iter().next())) else {
            return Err(answer.malformed("it holds no ids or no distances").into());
        };
        if ids.len() != distances.len() {
            return Err(answer.malformed(&format!("{} ids, but {} distances", ids.len(), distances.len())).into());
        }
        Ok(Some(ids.into_iter().zip(distances).map(|(id, score)| Hit { id, score }).collect()))
    }
}

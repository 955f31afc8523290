//! Where the ids of a namespace come from: its own listing, the user's file, or a filter's pages, which bring the records along.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use vec2lance::error::{Error, Result};

use super::control::{Kind, Private};
use super::lines::Lines;
use super::{Pagination, Pinecone, Usage, VERSION};
use crate::http::{Failure, Request};
use crate::source::Unit;

/// The file of ids in a unit's work folder.
pub(super) const IDS: &str = "ids";
/// The file of records that a filter gave.
pub(super) const RECORDS: &str = "records";
/// Ids of a page: the most that the interface allows.
const PAGE: usize = 100;
/// Pages between two checkpoints.
const EVERY: u64 = 20;

#[derive(Deserialize)]
struct Listing {
    /// May be left out where it is empty.
    #[serde(default, alias = "documents")]
    vectors: Option<Vec<Listed>>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    pagination: Option<Pagination>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(alias = "_id")]
    id: String,
}

/// Ids that were met, as hashes: 64 bits each, so that ten million need about 160 MiB at most.
#[derive(Default)]
pub(super) struct Met(HashSet<u64>);

impl Met {
    /// Whether it is met for the first time.
    pub(super) fn first_time(&mut self, id: &str) -> bool {
        // Its keys are fixed, so that a resumed run hashes alike.
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        self.0.insert(hasher.finish())
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

impl Pinecone {
    /// Lists the ids of a namespace into [`IDS`].
    pub(super) async fn list(&self, unit: &Unit, private: &Private, workdir: &Path) -> Result<()> {
        let client = self.data(&private.host)?;
        let mut lines = Lines::open(workdir, IDS)?;
        let mut pages = 0;
        while !lines.at.done {
            let request = listing(unit, private, lines.at.token.as_deref());
            let answer = match client.json(request.what(format!("list the ids of {}", super::place(unit)))).await {
                Ok(answer) => answer,
                // The token of a run that died long ago may have expired.
                Err(Failure::Refused { status: 400, .. }) if pages == 0 && lines.at.token.is_some() => {
                    lines.clear()?;
                    continue;
                }
                Err(failure) => return Err(failure.into()),
            };
            let page: Listing = answer.parse()?;
            if page.vectors.is_none() && page.namespace.is_none() {
                return Err(answer.malformed("it has neither ids nor a namespace").into());
            }
            for listed in page.vectors.iter().flatten() {
                lines.push(&json!(listed.id).to_string())?;
            }
            lines.at.read_units += page.usage.map_or(0, |usage| usage.read_units);
            lines.at.token = super::next(page.pagination, lines.at.token.as_deref(), "list ids")?;
            // A dry run needs some only.
            lines.at.done = lines.at.token.is_none() || self.args.common.dry_run;
            pages += 1;
            if pages % EVERY == 0 || lines.at.done {
                lines.save()?;
            }
        }
        Ok(())
    }

    /// Takes the ids of the user's file: one a line, or `{"id": …, "namespace": …}`.
    pub(super) fn take_ids(unit: &Unit, file: &Path, workdir: &Path) -> Result<()> {
        let failed = |e: std::io::Error| Error::io("read", file, &e);
        let mut lines = Lines::open(workdir, IDS)?;
        lines.clear()?;
        let mut met = Met::default();
        for (number, line) in BufReader::new(std::fs::File::open(file).map_err(failed)?).lines().enumerate() {
            let line = line.map_err(failed)?;
            let Some((id, namespace)) = id_of(&line).map_err(|why| Error::new(format!("{}:{}: {why}", file.display(), number + 1)))? else { continue };
            let here = namespace.is_none_or(|named| named == unit.namespace.as_deref().unwrap_or_default());
            if here && met.first_time(&id) {
                lines.push(&json!(id).to_string())?;
            }
        }
        lines.at.done = true;
        lines.save()
    }

    /// Reads the records that the filter selects into [`RECORDS`].
    pub(super) async fn select(&self, unit: &Unit, private: &Private, filter: &Value, workdir: &Path) -> Result<()> {
        let client = self.data(&private.host)?;
        let mut lines = Lines::open(workdir, RECORDS)?;
        let (mut met, mut limit, mut pages) = (Met::default(), PAGE, 0);
        for id in ids_of(lines.path(), lines.at.bytes, private.kind)? {
            met.first_time(&id);
        }
        while !lines.at.done {
            let request = selecting(unit, private, filter, lines.at.token.as_deref(), limit);
            let answer = match client.json(request.what(format!("select records of {}", super::place(unit)))).await {
                Ok(answer) => answer,
                Err(Failure::TooLarge { .. }) if limit > 1 => {
                    limit /= 2;
                    continue;
                }
                Err(Failure::Refused { status: 400, .. }) if pages == 0 && lines.at.token.is_some() => {
                    (met, pages) = (Met::default(), 0);
                    lines.clear()?;
                    continue;
                }
                Err(failure) => return Err(failure.into()),
            };
            let page: super::fetch::Fetched<'_> = answer.parse()?;
            let found = page.records(&answer)?;
            for (id, raw) in &found {
                // Pages of a filter are no snapshot: an update in between can bring a record twice.
                if met.first_time(id) {
                    lines.push(&super::fetch::line(private.kind, id, raw))?;
                }
            }
            lines.at.read_units += page.usage.map_or(0, |usage| usage.read_units);
            lines.at.token = super::next(page.pagination, lines.at.token.as_deref(), "select records")?;
            // A dry run needs some only.
            lines.at.done = lines.at.token.is_none() || self.args.common.dry_run;
            pages += 1;
            if pages % EVERY == 0 || lines.at.done {
                lines.save()?;
            }
        }
        Ok(())
    }
}

fn listing(unit: &Unit, private: &Private, token: Option<&str>) -> Request {
    if private.kind == Kind::Documents {
        let mut body = Map::from_iter([("limit".to_owned(), json!(PAGE))]);
        if let Some(token) = token {
            body.insert("pagination_token".to_owned(), json!(token));
        }
        return Request::post(super::documents(unit, "list"), body).header(VERSION, private.kind.api().version());
    }
    let mut request = Request::get("/vectors/list").query("limit", PAGE).header(VERSION, private.kind.api().version());
    if let Some(namespace) = &unit.namespace {
        request = request.query("namespace", namespace);
    }
    if let Some(token) = token {
        request = request.query("paginationToken", token);
    }
    request
}

fn selecting(unit: &Unit, private: &Private, filter: &Value, token: Option<&str>, limit: usize) -> Request {
    let documents = private.kind == Kind::Documents;
    let mut body = Map::from_iter([("filter".to_owned(), filter.clone()), ("limit".to_owned(), json!(limit))]);
    if let Some(token) = token {
        body.insert(if documents { "pagination_token" } else { "paginationToken" }.to_owned(), json!(token));
    }
    let path = if documents {
        super::documents(unit, "fetch")
    } else {
        if let Some(namespace) = &unit.namespace {
            body.insert("namespace".to_owned(), json!(namespace));
        }
        "/vectors/fetch_by_metadata".to_owned()
    };
    Request::post(path, body).header(VERSION, private.kind.api().version())
}

/// The id of a line of the user's file, and its namespace if the line says one; none for an empty line.
fn id_of(line: &str) -> Result<Option<(String, Option<String>)>, String> {
    #[derive(Deserialize)]
    struct Given {
        #[serde(alias = "_id")]
        id: String,
        #[serde(default)]
        namespace: Option<String>,
    }
    let text = line.trim_end_matches('\r');
    if text.trim().is_empty() {
        return Ok(None);
    }
    if text.starts_with('{') {
        let given: Given = serde_json::from_str(text).map_err(|e| format!("expected an id or {{\"id\": …, \"namespace\": …}}: {e}"))?;
        let namespace = given.namespace.map(|name| if name == super::DEFAULT { String::new() } else { name });
        return Ok(Some((given.id, namespace)));
    }
    if text.starts_with('"') {
        return serde_json::from_str(text).map(|id| Some((id, None))).map_err(|e| format!("expected an id: {e}"));
    }
    Ok(Some((text.to_owned(), None)))
}

/// SHA-256 of the user's file.
///
/// # Errors
/// It cannot be read.
pub(super) fn checksum(file: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Error::io("read", file, &e);
    let mut sum = Sha256::new();
    let mut reader = BufReader::new(std::fs::File::open(file).map_err(failed)?);
    loop {
        let piece = reader.fill_buf().map_err(failed)?;
        if piece.is_empty() {
            return Ok(crate::writer::hex(&sum.finalize()));
        }
        sum.update(piece);
        let length = piece.len();
        reader.consume(length);
    }
}

/// Ids of the records that a file holds already.
fn ids_of(path: &Path, bytes: u64, kind: Kind) -> Result<Vec<String>> {
    let (mut ids, mut at) = (Vec::new(), 0);
    while at < bytes {
        for (line, next) in super::lines::read(path, at, Some(bytes), 100)? {
            at = next;
            ids.push(super::fetch::id_of(kind, &line)?);
        }
    }
    Ok(ids)
}

//! The first bytes of each shard of an input: its framing, the columns of a table, and the first records.
//!
//! Not the layout: that is told by what is found here ([`super::probe`]).

use std::collections::BTreeMap;
use std::fs::File;

use super::answers::{self, Answers};
use super::probe::SAMPLE;
use super::reader::{Opened, open};
use super::{Budget, fields};
use crate::cli::Reading;
use crate::error::{Error, Result};
use crate::formats::Chunk;
use crate::formats::csv::{self, Dialect};
use crate::formats::detect::Framing;
use crate::formats::pages::Pages;
use crate::formats::parquet::footer;
use crate::formats::spec::Spec;
use crate::formats::unpack::Unpack as _;
use crate::frame::mapping::Mapping;
use crate::source::find::Shard;
use crate::source::magic::Encoding;
use crate::source::stream::Stream;

/// Bytes looked at to tell lines from a document.
const HEAD: usize = 1 << 16;
/// Bytes of a pipe looked at: all that the plan will ever see of it.
const PIPE_HEAD: usize = 4 << 20;

/// What is known before the first shard is looked at.
pub(super) struct Looking<'a> {
    pub(super) keys: &'a [String],
    pub(super) pages: Answers<'a>,
    pub(super) chosen: Option<&'a (Spec, String)>,
    pub(super) rejects: bool,
    pub(super) reading: &'a Reading,
    pub(super) budget: &'a Budget,
}

/// A shard at which somebody has looked.
pub(super) struct Looked {
    pub(super) shard: Shard,
    pub(super) promise: Option<crate::manifest::Part>,
    pub(super) framing: Framing,
    pub(super) batch_rows: usize,
    pub(super) opened: Option<Opened>,
    /// Names of the columns, where it is a table that begins with them.
    pub(super) columns: Option<Vec<String>>,
    /// It begins with an array.
    array: bool,
}

impl Looked {
    /// An object over several lines, which beside pages is one of them.
    pub(super) fn make_values(&mut self) {
        if self.framing == Framing::Document && !self.array {
            self.framing = Framing::Values;
        }
    }
}

impl Looking<'_> {
    pub(super) fn look(&mut self, mut shard: Shard, promise: Option<crate::manifest::Part>) -> Result<Looked> {
        let budget = self.budget;
        if let Some((framing, row)) = rows_of(&shard)? {
            let rows = usize::try_from(rows_of_batch(row, budget)).unwrap_or(1024);
            return Ok(Looked { shard, promise, framing, batch_rows: rows, opened: None, columns: None, array: false });
        }
        if shard.encoding == Encoding::Parquet {
            let file = File::open(&shard.path).map_err(|e| Error::io("open", &shard.path, &e))?;
            let footer = footer(file, &shard.name)?;
            let row = footer.bytes.checked_div(footer.rows).unwrap_or(0).max(64);
            let rows = rows_of_batch(row, budget);
            return Ok(Looked {
                shard,
                promise,
                framing: Framing::Parquet,
                batch_rows: usize::try_from(rows).unwrap_or(1024),
                opened: None,
                columns: None,
                array: false,
            });
        }
        let mut stream = Stream::open(&shard, budget.window_log)?;
        shard.encoding = stream.encoding();
        let mut head = Vec::new();
        let wanted = if shard.regular { HEAD } else { PIPE_HEAD };
        let mut ended = stream.fill(&mut head, wanted)?;
        while !shard.regular && !ended && !head.contains(&b'\n') && head.len() < budget.limits.line {
            ended = stream.fill(&mut head, wanted)?;
        }
        if let Some(dialect) = self.table(&head, &shard.name) {
            let columns = csv::header(&head, dialect).filter(|names| !fields::numbered(self.reading, names));
            let opened = (!shard.regular).then_some(Opened { stream, head, ended });
            return Ok(Looked { shard, promise, framing: Framing::Csv(dialect), batch_rows: 0, opened, columns, array: false });
        }
        let framing = self.pages.framing(&mut head, &mut ended, self.keys, &mut |head| stream.fill(head, head.len().max(HEAD)))?;
        let array = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head).trim_ascii_start().starts_with(b"[");
        let opened = (!shard.regular).then_some(Opened { stream, head, ended });
        Ok(Looked { shard, promise, framing, batch_rows: 0, opened, columns: None, array })
    }

    /// How the cells of a table are set apart, if the shard is one: by its content, or because its name or the layout says so.
    fn table(&self, head: &[u8], name: &str) -> Option<Dialect> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        let named = [".csv", ".tsv"].iter().any(|ending| name.ends_with(ending));
        let wanted = match self.chosen {
            _ if self.rejects => return None,
            Some((spec, _)) => spec.csv || named,
            None => named,
        };
        if wanted || self.chosen.is_none() { csv::dialect(head, wanted) } else { None }
    }
}

/// The first records of an input, and which shard they stand in.
pub(super) struct First {
    pub(super) chunk: Chunk,
    /// What is unpacked of it, if it is not records itself.
    records: Option<Chunk>,
    pub(super) info: BTreeMap<String, String>,
    pub(super) at: usize,
}

impl First {
    /// The records themselves.
    pub(super) fn records(&self) -> &Chunk {
        self.records.as_ref().unwrap_or(&self.chunk)
    }

    /// Whether they are rows of a table.
    pub(super) fn is_table(&self, looked: &[Looked]) -> bool {
        looked.get(self.at).is_some_and(|l| matches!(l.framing, Framing::Csv(_)))
    }
}

impl Looking<'_> {
    /// The first chunk that holds a record; `pages` are those of the layout, if it has any.
    pub(super) fn first_chunk(&self, looked: &[Looked], pages: Option<&Pages>) -> Result<Option<First>> {
        let (keys, budget) = (self.keys, self.budget);
        let unpacked = |l: &Looked, chunk: &Chunk| -> Option<Chunk> {
            if let Framing::Csv(dialect) = l.framing {
                // Which columns are vectors is not known yet; what looks like one comes out as it is.
                let spec = Spec::built_in("pgvector").ok()?;
                let spec = self.chosen.map_or(&spec, |(spec, _)| spec);
                let rows = csv::Rows::new(dialect, l.columns.as_deref(), spec, &Mapping::default());
                return Some(Chunk::Elements(rows.unpack(chunk, 0).texts));
            }
            pages.map(|pages| Chunk::Elements(pages.unpack(chunk, 0).texts))
        };
        for (at, l) in looked.iter().enumerate() {
            if let Some(opened) = &l.opened {
                // A pipe cannot be read twice: a copy of its head stands in for it.
                if let Some(chunk) = chunk_of_head(opened, l.framing, &l.shard, keys, budget)? {
                    return Ok(Some(First { at, records: unpacked(l, &chunk.chunk), ..chunk }));
                }
                continue;
            }
            let mut reader = open(&l.shard, l.framing, l.batch_rows.min(1024), keys, budget, None)?;
            while let Some(chunk) = reader.next_chunk()? {
                let records = unpacked(l, &chunk);
                if holds_records(records.as_ref().unwrap_or(&chunk)) {
                    return Ok(Some(First { chunk, records, info: reader.info(), at }));
                }
            }
        }
        Ok(None)
    }
}

/// Rows of a batch, by the bytes of one.
fn rows_of_batch(row: u64, budget: &Budget) -> u64 {
    (budget.in_flight / 4 / (budget.threads as u64 + 2) / 4 / row.max(1)).clamp(1, 8192)
}

/// The framing of a shard that is rows in another form than Parquet, and the bytes of a row.
fn rows_of(shard: &Shard) -> Result<Option<(Framing, u64)>> {
    Ok(match shard.encoding {
        Encoding::Arrays => Some((Framing::Arrays, super::reader::arrays(shard, 1, 0)?.row_bytes())),
        Encoding::Table => {
            let folder = shard.path.ancestors().nth(2).unwrap_or(&shard.path);
            let rows = crate::dataset::table::TableReader::size(folder)?;
            Some((Framing::Table, shard.size.checked_div(rows).unwrap_or(0).max(64)))
        }
        _ => None,
    })
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
        return Ok(holds_records(&chunk).then_some(First { chunk, records: None, info: BTreeMap::new(), at: 0 }));
    }
    if matches!(framing, Framing::Values | Framing::Csv(_)) {
        return Ok(answers::whole(head, ended, framing, &shard.name, budget)?.map(|chunk| First { chunk, records: None, info: BTreeMap::new(), at: 0 }));
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
            Ok(Some(chunk)) => return Ok(Some(First { info: elements.info.clone(), chunk: Chunk::Elements(chunk), records: None, at: 0 })),
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

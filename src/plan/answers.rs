//! Whether the shards of an input hold pages of answers, of which layout, and how those are set apart.
//!
//! Not their content: [`crate::formats::pages`] takes the records out.

use crate::error::Result;
use crate::formats::Chunk;
use crate::formats::detect::{self, Framing};
use crate::formats::pages;
use crate::formats::pieces::Pieces;
use crate::formats::spec::Spec;

use super::Budget;

/// How much of a file is looked at to see where its first page ends.
const MOST: usize = 32 << 20;

/// The layouts of pages that an input may have, and the one that it has.
pub(super) struct Answers<'k> {
    specs: Vec<Spec>,
    known: &'k [Spec],
    found: Option<usize>,
}

impl<'k> Answers<'k> {
    /// `chosen` is the layout that was asked for: it may be one of pages, or that of the same database's records.
    pub(super) fn new(chosen: Option<&(Spec, String)>, known: &'k [Spec]) -> Self {
        let paged = || known.iter().filter(|s| s.page.is_some());
        let (specs, found) = match chosen {
            None => (paged().cloned().collect(), None),
            Some((spec, _)) if spec.page.is_some() => (vec![spec.clone()], Some(0)),
            Some((spec, by)) if by.ends_with("--from") => (paged().filter(|s| s.source == spec.name).cloned().collect(), None),
            Some(_) => (vec![], None),
        };
        Self { specs, known, found }
    }

    /// The layout of the pages, if any shard has some or it was asked for.
    pub(super) fn spec(&self) -> Option<Spec> {
        self.specs.get(self.found?).cloned()
    }

    /// How the records or pages of a shard are set apart. Reads on while its first page has not ended.
    pub(super) fn framing(
        &mut self,
        head: &mut Vec<u8>,
        ended: &mut bool,
        keys: &[String],
        more: &mut dyn FnMut(&mut Vec<u8>) -> Result<bool>,
    ) -> Result<Framing> {
        let plain = detect::framing(head, keys);
        let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
        if let Some(inside) = text.strip_prefix(b"[") {
            // Pages that somebody has put into one array.
            self.found = pages::start(inside, &self.specs).map(|start| start.spec).or(self.found);
            return Ok(plain);
        }
        loop {
            let Some(start) = pages::start(head, &self.specs) else { return Ok(plain) };
            let wrapped = plain == Framing::Document && !start.whole && !start.lines;
            if (start.open || wrapped) && !*ended && head.len() < MOST {
                *ended = more(head)?;
                continue;
            }
            // What is larger than a page, and can be read without holding it whole, is a dump in one object.
            if wrapped && !*ended && self.found.is_none() && self.streams(start.spec) {
                return Ok(plain);
            }
            self.found = Some(start.spec);
            let one = start.open && *ended;
            return Ok(if start.lines || one { Framing::Lines } else { Framing::Values });
        }
    }

    /// Whether the layout's records can be read out of an object by another layout of the same database.
    fn streams(&self, spec: usize) -> bool {
        let spec = &self.specs[spec];
        let at = spec.page.as_ref().map_or("", |page| &page.at[1..]);
        self.known.iter().any(|other| other.page.is_none() && other.source == spec.source && other.records.iter().any(|key| key == at))
    }
}

/// The layout of pages, and the sentence that says by what it was told.
pub(super) fn told(spec: Spec, chosen: Option<(Spec, String)>) -> (Spec, String) {
    let at = spec.page.as_ref().map_or("", |page| &page.at).to_owned();
    let by = match chosen {
        Some((chosen, by)) if chosen.name == spec.name => by,
        Some((_, by)) => format!("{by}, and answers with {at}"),
        None => format!("answers with {at}"),
    };
    (spec, by)
}

/// The pages or rows that are whole in the first bytes of a pipe.
pub(super) fn whole(mut head: Vec<u8>, ended: bool, framing: Framing, name: &str, budget: &Budget) -> Result<Option<Chunk>> {
    let fill = move |buffer: &mut Vec<u8>, _: usize| {
        buffer.append(&mut head);
        Ok(true)
    };
    let mut pieces = Pieces::open(Box::new(fill), super::reader::cut(framing), name, budget.limits.line, usize::MAX)?;
    let Some(mut chunk) = pieces.next_chunk(usize::MAX)? else { return Ok(None) };
    if !ended {
        chunk.elements.pop();
    }
    Ok((!chunk.elements.is_empty()).then_some(Chunk::Elements(chunk)))
}

/// What an answer of a search has and no dump, if these keys are of one.
pub(super) fn search(keys: &[String]) -> Option<&'static str> {
    let has = |key: &str| keys.iter().any(|k| k == key);
    if has("matches") {
        return Some("matches");
    }
    (has("ids") && has("distances")).then_some("distances")
}

//! `--promote`: which payload fields become typed columns. Types that the user does not give are decided by a pass over the whole input,
//! never by its first records; memory is bounded by the number of fields, not of records.
//!
//! Writes nothing. The values are put into the columns by `frame::promote`, record by record.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;

use super::Progress;
use super::feed::Work;
use super::read::{Event, Shared, read};
use crate::error::{Error, Result};
use crate::formats::Decoded;
use crate::formats::json::{Cursor, JsonError, Kind};
use crate::frame::dates::is_date;
use crate::frame::infer::{Decision, Fields};
use crate::frame::mapping::Target;
use crate::frame::promote::{Keys, PromotedType, Scalar};
use crate::frame::schema::{Column, SOURCE_PAYLOAD};
use crate::frame::vectors::Layout;
use crate::plan::{Plan, Position};
use crate::reject::{Place, excerpt, place_text, printable};

/// Columns that `auto` makes at most.
const COLUMNS: usize = 64;
/// Fields that the pass keeps in mind at most.
const FIELDS: usize = 4096;
/// Sentences about fields that stay JSON, at most.
const SENTENCES: usize = 40;

/// What the user asked for.
#[derive(Debug, Default, PartialEq)]
struct Wishes {
    auto: bool,
    named: Vec<(String, Option<PromotedType>)>,
}

impl Wishes {
    fn parse(asked: &[String]) -> Result<Self> {
        let mut wishes = Self::default();
        for word in asked {
            let (field, kind) = match word.rsplit_once(':') {
                None if word == "auto" => {
                    wishes.auto = true;
                    continue;
                }
                None => (word.as_str(), None),
                Some((field, kind)) => {
                    let known = PromotedType::parse(kind.trim());
                    let known = known.ok_or_else(|| {
                        Error::new(format!("--promote {}: \"{}\" is no type", excerpt(word, 60), excerpt(kind, 30)))
                            .help("types are int64, uint64, float64, bool, string, timestamp, and list<…> of each; without a type, all values decide")
                    })?;
                    (field, Some(known))
                }
            };
            if field.is_empty() {
                return Err(Error::new(format!("--promote {}: no field is named", excerpt(word, 60))).help("name fields as FIELD or FIELD:TYPE"));
            }
            if wishes.named.iter().any(|(known, _)| known == field) {
                return Err(Error::new(format!("--promote names the field \"{}\" twice", excerpt(field, 60))));
            }
            wishes.named.push((field.to_owned(), kind));
        }
        Ok(wishes)
    }
}

/// Gives the plan's layout its promoted columns.
///
/// # Errors
/// A wish that is none, input that cannot be read twice and would have to be, or the input cannot be read.
pub fn promote(plan: &mut Plan, asked: &[String], stop: &AtomicBool, progress: &dyn Progress) -> Result<()> {
    let wishes = Wishes::parse(asked)?;
    let untyped: Vec<&str> = wishes.named.iter().filter(|(_, kind)| kind.is_none()).map(|(field, _)| field.as_str()).collect();
    let fields = if wishes.auto || !untyped.is_empty() {
        if let Some((_, pipe)) = plan.shards().find(|(_, s)| !s.shard.regular) {
            return Err(Error::new(format!("{}: --promote reads the input twice to find types, which a pipe does not allow", printable(&pipe.shard.name)))
                .help("save it to a file first, or give the types: --promote FIELD:TYPE"));
        }
        progress.stage("looking at the fields");
        look(plan, wishes.auto, &untyped, stop)?
    } else {
        Fields::new(0)
    };
    let mut chosen = Chosen { plan: &*plan, layout: plan.layout.clone(), stays: vec![] };
    for (field, kind) in &wishes.named {
        match kind {
            Some(kind) => chosen.layout.promote(field, *kind),
            None => match fields.all().iter().find(|(name, _)| name == field) {
                Some((_, seen)) => chosen.decide(field, seen.decide(false)),
                None => chosen.stays.push(format!("--promote {}: no record has this field", excerpt(field, 60))),
            },
        }
    }
    if wishes.auto {
        chosen.auto(&fields, &wishes.named);
    }
    let Chosen { layout, stays, .. } = chosen;
    plan.layout = layout;
    let more = stays.len().saturating_sub(SENTENCES);
    plan.notes.extend(stays.into_iter().take(SENTENCES));
    if more > 0 {
        plan.notes.push(format!("and {more} more fields stay JSON"));
    }
    if fields.left_out > 0 {
        plan.notes.push(format!("there are more than {FIELDS} different fields; those met later stay JSON"));
    }
    Ok(())
}

/// Whether the dataset has what the command line asks for: columns are decided when a dataset is made.
///
/// # Errors
/// It has no such column.
pub fn held(layout: &Layout, asked: &[String]) -> Result<()> {
    for (field, kind) in Wishes::parse(asked)?.named {
        let there = layout.promoted.iter().find(|c| c.field == field);
        if there.is_none_or(|c| kind.is_some_and(|kind| kind != c.kind)) {
            let has = there.map_or("it has no column for this field".to_owned(), |c| format!("it has {}", c.line()));
            return Err(Error::new(format!("--promote {}: columns are decided when a dataset is made, and {has}", excerpt(&field, 60)))
                .help("leave --promote away, or convert all dumps into a new dataset"));
        }
    }
    Ok(())
}

struct Chosen<'p> {
    plan: &'p Plan,
    layout: Layout,
    stays: Vec<String>,
}

impl Chosen<'_> {
    fn decide(&mut self, field: &str, decision: Decision<Place>) {
        match decision {
            Decision::Column(kind) => self.layout.promote(field, kind),
            Decision::Json(why, at) => {
                let name = |place: &Place| self.plan.shards().nth(place.shard as usize).map_or("?", |(_, s)| s.shard.name.as_str());
                let place = at.map(|place| format!(" at {}", place_text(&place, name(&place)))).unwrap_or_default();
                self.stays.push(format!("the field \"{}\" stays JSON: {why}{place}", excerpt(field, 60)));
            }
        }
    }

    /// All other fields; if there are too many, those that most records have.
    fn auto(&mut self, fields: &Fields<Place>, named: &[(String, Option<PromotedType>)]) {
        let mut typed: Vec<(usize, &str, u64, PromotedType)> = Vec::new();
        for (at, (field, seen)) in fields.all().iter().enumerate().filter(|(_, (f, _))| !named.iter().any(|(n, _)| n == f)) {
            if self.is_text(field) {
                continue;
            }
            match seen.decide(true) {
                Decision::Column(kind) if !self.has_column(field, kind) => typed.push((at, field, seen.values, kind)),
                Decision::Column(_) => {}
                json @ Decision::Json(..) => self.decide(field, json),
            }
        }
        typed.sort_by_key(|(at, _, values, _)| (std::cmp::Reverse(*values), *at));
        let left: Vec<String> = typed.split_off(typed.len().min(COLUMNS)).iter().map(|(_, field, ..)| excerpt(field, 40)).collect();
        if !left.is_empty() {
            let names = left.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
            let more = if left.len() > 10 { ", …" } else { "" };
            self.stays.push(format!(
                "--promote auto makes {COLUMNS} columns at most, for the fields that most records have; {} stay JSON: {names}{more}; --promote auto,FIELD adds one",
                left.len()
            ));
        }
        typed.sort_by_key(|(at, ..)| *at);
        for (_, field, _, kind) in typed {
            self.layout.promote(field, kind);
        }
    }

    /// Whether it is searched as text.
    fn is_text(&self, field: &str) -> bool {
        self.plan.inputs.iter().all(|input| input.mapping.text_order().iter().any(|name| name == field))
    }

    /// Whether a column of ContextFrame's holds the same already.
    fn has_column(&self, field: &str, kind: PromotedType) -> bool {
        if self.plan.lean.is_some() {
            return false;
        }
        self.plan.inputs.iter().all(|input| {
            let mapping = &input.mapping;
            let same = match mapping.target(field) {
                Some(Target::Column(Column::Tags | Column::Contributors)) => kind == PromotedType { list: true, scalar: Scalar::String },
                Some(Target::Column(Column::Version | Column::Position) | Target::Custom(_)) | None => false,
                Some(Target::Column(_)) => !kind.list && kind.scalar == Scalar::String,
            };
            same || is_date(field, mapping)
        })
    }
}

/// Looks at every payload.
fn look(plan: &Plan, auto: bool, named: &[&str], stop: &AtomicBool) -> Result<Fields<Place>> {
    let layout: Shared = Arc::new(RwLock::new(Arc::new(plan.layout.clone())));
    let names: Vec<String> = named.iter().map(|n| (*n).to_owned()).collect();
    let keys = Keys::new(named.iter().copied());
    let work: Work<Fields<u32>> =
        Arc::new(move |decoded: &mut Decoded| Ok(decoded.batch.take().map_or_else(|| Fields::new(0), |b| of_batch(&b, auto, &names, &keys))));
    let mut fields: Fields<Place> = Fields::new(FIELDS);
    read(plan, &layout, Position::default(), stop, &work, &mut |event| {
        if let Event::Part(part) = event {
            let origins = &part.decoded.origins;
            fields.merge(part.made, &|row: u32| origins.get(row as usize).map(|o| o.place).unwrap_or_default());
        }
        Ok(true)
    })?;
    Ok(fields)
}

/// What one chunk's payloads hold.
fn of_batch(batch: &RecordBatch, auto: bool, names: &[String], keys: &Keys) -> Fields<u32> {
    let mut fields = Fields::new(FIELDS);
    let Some(payloads) = batch.column_by_name(SOURCE_PAYLOAD).and_then(|c| c.as_string_opt::<i32>()) else { return fields };
    let of_names: HashSet<&str> = names.iter().map(String::as_str).collect();
    for (row, payload) in (0u32..).zip(payloads.iter()) {
        let mut met: Vec<(std::borrow::Cow<'_, str>, Kind, &str)> = Vec::new();
        // The decoder has read it: it is an object, or null.
        let _ = payload.map(|text| {
            Cursor::new(text).object(|key, cursor| -> std::result::Result<(), JsonError> {
                let value = cursor.value()?;
                met.push((key.value(), value.kind, value.raw));
                Ok(())
            })
        });
        if !names.is_empty() {
            let found = keys.find(met.iter().map(|(key, kind, raw)| (key.as_ref(), *kind, *raw)));
            for (name, value) in names.iter().zip(found) {
                if let Some((kind, raw)) = value
                    && let Some(seen) = fields.of(name)
                {
                    seen.add(kind, raw, row);
                }
            }
        }
        for (key, kind, raw) in met.iter().filter(|(key, ..)| auto && !of_names.contains(key.as_ref())) {
            if let Some(seen) = fields.of(key) {
                seen.add(*kind, raw, row);
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_as_they_are_written() {
        let parse = |words: &[&str]| Wishes::parse(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        let wishes = parse(&["auto", "n:int64", "a.b", "x:y:list<string>"]).unwrap();
        let names: Vec<_> = wishes.named.iter().map(|(f, kind)| (f.as_str(), kind.map(PromotedType::name))).collect();
        assert!(wishes.auto);
        assert_eq!(names, [("n", Some("int64".to_owned())), ("a.b", None), ("x:y", Some("list<string>".to_owned()))]);
        assert!(parse(&["n:int"]).unwrap_err().to_string().contains("\"int\" is no type"));
        assert!(parse(&["n", "n:int64"]).unwrap_err().to_string().contains("twice"));
        assert!(parse(&[":int64"]).is_err());
    }
}

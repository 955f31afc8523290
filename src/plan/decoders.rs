//! The decoder of each shard of an input, by its framing and its layout.
//!
//! Chooses only; what is decoded, and how, is the business of [`crate::formats`].

use std::sync::Arc;

use super::{Input, PlannedShard};
use crate::error::Result;
use crate::formats::apart::Apart;
use crate::formats::detect::Framing;
use crate::formats::jsonl::{Context, TextDecoder};
use crate::formats::pages::Pages;
use crate::formats::parquet::ParquetDecoder;
use crate::formats::rejects::RejectsDecoder;
use crate::formats::unpack::{Unpack, UnpackDecoder};
use crate::formats::{Decoder, csv};

impl Input {
    /// The decoder of one shard; `index` is its number in the plan.
    ///
    /// # Errors
    /// The layout contradicts itself.
    pub fn decoder(&self, shard: &PlannedShard, index: u32) -> Result<Arc<dyn Decoder>> {
        Ok(match shard.framing {
            Framing::Parquet | Framing::Arrays | Framing::Table => Arc::new(ParquetDecoder::new(self.context(shard, index))?),
            _ if self.rejects.is_some() => {
                let (origin, first) = self.rejects.clone().unwrap_or_else(|| unreachable!("it was just looked at"));
                Arc::new(RejectsDecoder::new(self.text_decoder(shard, index)?, origin, index, first, &self.spec.payload))
            }
            _ => match self.unpacker(shard) {
                Some(how) => Arc::new(UnpackDecoder::new(self.text_decoder(shard, index)?, how, index)),
                None => Arc::new(self.text_decoder(shard, index)?),
            },
        })
    }

    /// What takes the records out of a shard's chunks, where these do not hold them as they are.
    #[must_use]
    pub fn unpacker(&self, shard: &PlannedShard) -> Option<Box<dyn Unpack>> {
        if self.rejects.is_some() {
            return None;
        }
        if let Framing::Csv(dialect) = shard.framing {
            return Some(Box::new(csv::Rows::new(dialect, shard.columns.as_deref(), &self.spec, &self.mapping)));
        }
        let pages = Pages::of(&self.spec).map(|pages| Box::new(pages) as Box<dyn Unpack>);
        match (&self.only, &self.spec.collection) {
            (Some((name, rest)), Some(path)) => Some(Box::new(Apart::new(pages, &path[1..], name, *rest))),
            _ => pages,
        }
    }

    /// The decoder of records of one shard that are given as text, whatever the shard is.
    ///
    /// # Errors
    /// The layout contradicts itself.
    pub fn text_decoder(&self, shard: &PlannedShard, index: u32) -> Result<TextDecoder> {
        TextDecoder::new(self.context(shard, index))
    }

    fn context(&self, shard: &PlannedShard, index: u32) -> Context {
        Context {
            spec: Arc::clone(&self.spec),
            mapping: Arc::clone(&self.mapping),
            membership: Arc::clone(&shard.membership),
            shard: index,
            resize: self.resize.clone(),
            foreign: Arc::clone(&self.foreign),
            plain: self.plain,
        }
    }
}

//! Chunks whose pieces are not records yet (pages of answers, rows of CSV) to records as JSON text, and those to a batch.
//!
//! What a piece holds is said by an [`Unpack`]; the records themselves are read by [`super::jsonl`], as those of every other layout.

use arrow_schema::ArrowError;

use super::elements::{Element, ElementChunk};
use super::jsonl::TextDecoder;
use super::{Chunk, Decoded, Decoder, PageEnd};
use crate::frame::vectors::Layout;
use crate::reject::{Place, Refusal, Reject};

/// The records of a chunk.
#[derive(Debug)]
pub struct Records {
    /// Their JSON text; the lines count as in the chunk.
    pub texts: ElementChunk,
    /// Where each came from.
    pub places: Vec<Place>,
    /// Pieces that hold no record.
    pub broken: Vec<Reject>,
    /// Lines that end in the chunk, if it is one of lines.
    pub lines: u64,
    /// Whether the last page goes on.
    pub end: Option<PageEnd>,
    shard: u32,
}

impl Records {
    /// None yet.
    #[must_use]
    pub fn of(shard: u32) -> Self {
        let texts = ElementChunk { offset: 0, data: vec![], elements: vec![] };
        Self { texts, places: vec![], broken: vec![], lines: 0, end: None, shard }
    }

    /// A place in the shard; `record` is the number of the next one in this chunk, from 1.
    #[must_use]
    pub fn place(&self, line: u64, byte: u64, length: usize) -> Place {
        let record = (self.places.len() + self.broken.len()) as u64 + 1;
        Place { shard: self.shard, line: Some(line), byte: Some(byte), length: length as u64, record }
    }

    /// Adds the record whose text `write` appends.
    pub fn add(&mut self, place: Place, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.texts.data.len();
        write(&mut self.texts.data);
        self.texts.elements.push(Element { start, length: self.texts.data.len() - start, line: place.line.unwrap_or(0) });
        self.places.push(place);
    }

    /// Adds a piece that is refused.
    pub fn refuse(&mut self, place: Place, refusal: Refusal, original: &[u8]) {
        self.broken.push(Reject { place, id: None, namespace: None, refusal, original: original.to_vec() });
    }

    /// The text of one record.
    #[must_use]
    pub fn text(&self, at: usize) -> &[u8] {
        self.texts.elements.get(at).map_or(&[], |e| &self.texts.data[e.start..e.start + e.length])
    }
}

/// Takes the records out of a chunk.
pub trait Unpack: Send + Sync {
    /// The records of `chunk`, in its order. Pure, as [`Decoder::decode`].
    fn unpack(&self, chunk: &Chunk, shard: u32) -> Records;
}

/// Decodes what is unpacked.
pub struct UnpackDecoder {
    inner: TextDecoder,
    how: Box<dyn Unpack>,
    shard: u32,
}

impl UnpackDecoder {
    /// A decoder of one shard.
    #[must_use]
    pub fn new(inner: TextDecoder, how: Box<dyn Unpack>, shard: u32) -> Self {
        Self { inner, how, shard }
    }
}

impl Decoder for UnpackDecoder {
    fn decode(&self, chunk: &Chunk, layout: &Layout) -> Result<Decoded, ArrowError> {
        let Records { texts, places, mut broken, lines, end, .. } = self.how.unpack(chunk, self.shard);
        let mut decoded = self.inner.decode(&Chunk::Elements(texts), layout)?;
        let settle = |place: &mut Place| {
            if let Some(own) = usize::try_from(place.record).ok().and_then(|n| places.get(n.wrapping_sub(1))) {
                *place = *own;
            }
        };
        decoded.origins.iter_mut().for_each(|o| settle(&mut o.place));
        decoded.rejects.iter_mut().for_each(|r| settle(&mut r.place));
        decoded.records += broken.len() as u64;
        if !broken.is_empty() {
            decoded.rejects.append(&mut broken);
            decoded.rejects.sort_by_key(|r| r.place.record);
        }
        decoded.lines = lines;
        decoded.end = end;
        Ok(decoded)
    }
}

//! Text records, one JSON object each, to a batch: the decoder of every layout that a TOML can say.
//!
//! Not the cutting into records: lines come from [`crate::source::chunk`], array elements from [`super::elements`].

use std::sync::Arc;

use arrow_schema::ArrowError;

use super::reader::RecordReader;
use super::spec::Spec;
use super::walk::Node;
use super::{Chunk, Decoded, Decoder, RowOrigin};
use crate::error::Result;
use crate::frame::builder::{FrameBuilder, Membership};
use crate::frame::mapping::Mapping;
use crate::frame::resize::Resize;
use crate::frame::vectors::Layout;
use crate::reject::{Code, Place, Refusal, Reject};

/// What a decoder of any encoding needs to know.
#[derive(Clone)]
pub struct Context {
    /// The layout's TOML, with what a schema or flags have added.
    pub spec: Arc<Spec>,
    /// Fields to columns.
    pub mapping: Arc<Mapping>,
    /// The collection.
    pub membership: Arc<Membership>,
    /// Index of the shard.
    pub shard: u32,
    /// Keys that records of other layouts have and this one's do not.
    pub foreign: Arc<Vec<String>>,
    /// Read numbers by the standard library's parser instead of our own.
    pub plain: bool,
    /// What becomes of main vectors that have another number of values; `None`: they are refused.
    pub resize: Option<Arc<Resize>>,
}

/// Decodes text records.
pub struct TextDecoder {
    context: Context,
    root: Node,
}

impl TextDecoder {
    /// A decoder for one shard.
    ///
    /// # Errors
    /// The layout contradicts itself.
    pub fn new(context: Context) -> Result<Self> {
        let root = Node::of(&context.spec)?;
        Ok(Self { context, root })
    }
}

impl Decoder for TextDecoder {
    fn decode(&self, chunk: &Chunk, layout: &Layout) -> std::result::Result<Decoded, ArrowError> {
        let mut pass = Pass {
            builder: FrameBuilder::new(&self.context.membership, &self.context.mapping, layout),
            reader: RecordReader::new(&self.context, &self.root, layout),
            out: Decoded::default(),
            shard: self.context.shard,
        };
        match chunk {
            Chunk::Lines(lines) => pass.lines(lines),
            Chunk::Elements(elements) => {
                for element in &elements.elements {
                    let bytes = &elements.data[element.start..element.start + element.length];
                    pass.record(bytes, element.line, elements.offset + element.start as u64, false);
                }
            }
            Chunk::Rows { .. } => {}
        }
        pass.finish()
    }
}

/// One pass over a chunk.
struct Pass<'a> {
    builder: FrameBuilder<'a>,
    reader: RecordReader<'a>,
    out: Decoded,
    shard: u32,
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

impl<'a> Pass<'a> {
    fn lines(&mut self, chunk: &'a crate::source::chunk::LineChunk) {
        let bytes = chunk.data.bytes();
        if let Some(length) = chunk.oversize {
            self.out.lines = 1;
            self.out.records = 1;
            let place = Place { shard: self.shard, line: Some(1), byte: Some(chunk.offset), length, record: 1 };
            let refusal = Refusal::new(
                Code::LineTooLong,
                format!("the line is {length} bytes long, over the limit that --memory allows; only its beginning is kept here"),
            );
            self.out.rejects.push(Reject { place, id: None, namespace: None, refusal, original: bytes.to_vec() });
            return;
        }
        let mut at = 0;
        while at < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |e| at + e);
            self.out.lines += 1;
            let mut line = &bytes[at..end];
            // A byte-order mark may start the file, or any file that was appended to it.
            line = line.strip_prefix(BOM).unwrap_or(line).trim_ascii();
            if !line.is_empty() {
                let cut = chunk.last && end == bytes.len();
                // The place is the record's, not that of the white space before it.
                let start = at + (line.as_ptr() as usize - bytes[at..].as_ptr() as usize);
                self.record(line, self.out.lines, chunk.offset + start as u64, cut);
            }
            at = end + 1;
        }
    }

    /// `cut`: the input ends with this record, without a line end.
    fn record(&mut self, bytes: &'a [u8], line: u64, byte: u64, cut: bool) {
        self.out.records += 1;
        let place = Place { shard: self.shard, line: Some(line), byte: Some(byte), length: bytes.len() as u64, record: self.out.records };
        let refused = match std::str::from_utf8(bytes) {
            Err(e) => {
                let at = e.valid_up_to();
                let met = bytes.get(at).copied().unwrap_or_default();
                Err(Refusal::new(Code::InvalidUtf8, format!("byte 0x{met:02x} at byte {at} of this record is not UTF-8")))
            }
            Ok(text) => self.reader.read(text, cut),
        };
        match refused {
            Ok(()) => {
                let record = &self.reader.record;
                match &record.main {
                    None => self.out.without_vector += 1,
                    Some(range) if record.floats[range.clone()].iter().all(|v| *v == 0.0) => self.out.zero_vectors += 1,
                    Some(_) => {}
                }
                self.out.rounded += u64::from(record.rounded);
                self.out.unknown.append(&mut self.reader.unknown);
                let (uuid, space) = self.builder.append(record);
                self.out.origins.push(RowOrigin { uuid: uuid.into_bytes(), space, place });
            }
            Err(refusal) => {
                let (id, namespace) = std::str::from_utf8(bytes).map_or((None, None), |text| self.reader.find_id(text));
                self.out.rejects.push(Reject { place, id, namespace, refusal, original: bytes.to_vec() });
            }
        }
    }

    fn finish(mut self) -> std::result::Result<Decoded, ArrowError> {
        self.out.spaces = self.builder.spaces();
        if self.builder.rows() > 0 && self.out.unknown.is_empty() {
            self.out.unseen = self.builder.take_unseen();
            self.out.unfit = self.builder.unfit();
            self.out.batch = Some(self.builder.finish()?);
        }
        Ok(self.out)
    }
}

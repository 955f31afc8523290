//! One pass over the column `vector` that gives every usable row its partition and its code, as a small Lance dataset from
//! which Lance builds the index without looking at the vectors again (`IvfBuildParams::precomputed_shuffle_buffers`).
//!
//! Columns and their names are Lance's: `row_id` (uint64, the row's address), `__ivf_part_id` (uint32) and `__pq_code`
//! (`fixed_size_list<uint8>`; two codes of 4 bits share a byte, the first in its low half). Rows without a finite vector, and
//! all-zero ones under cosine, are left out, as Lance itself does. Not the training (`train.rs`).

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt64Type};
use arrow_array::{Array, FixedSizeListArray, RecordBatch, UInt8Array, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt;

use super::choose::Metric;
use super::commit::{Opened, commit};
use super::kernel::{Blocks, LANES};
use super::kmeans::normalise;
use super::sample::{IO_BUFFER, batch_rows, usable};
use super::train::Models;
use super::write::{Compression, FragmentWriter};
use super::{Engine, lance_error, uri};
use crate::error::{Error, Result};

/// Blocks of sixteen rows that are encoded together: one sub-vector's centroids stay in the nearest cache meanwhile.
const BLOCKS: usize = 8;

/// Writes the codes of all rows (of these fragments) into a new dataset at `folder`, and gives their number.
///
/// # Errors
/// The dataset cannot be read, or the disk is full.
pub(super) fn encode(engine: &Arc<Engine>, opened: &Opened, models: &Arc<Models>, dimension: usize, fragments: Option<&[u32]>, folder: &Path) -> Result<u64> {
    let failed = |e: lance::Error| lance_error("read the vectors back", &e);
    let schema = schema(models);
    let mut writer = FragmentWriter::new(Arc::clone(engine), &uri(folder)?, 4 << 20, Compression::None);
    let mut scanner = opened.dataset.scan();
    scanner.project(&["vector"]).map_err(failed)?;
    scanner.with_row_id().batch_size(batch_rows(dimension)).batch_readahead(2).fragment_readahead(1).io_buffer_size(IO_BUFFER);
    if let Some(ids) = fragments {
        let all = opened.dataset.get_fragments().into_iter();
        scanner.with_fragments(all.filter(|f| ids.iter().any(|id| *id as usize == f.id())).map(|f| f.metadata().clone()).collect());
    }
    let stream = engine.block_on(scanner.try_into_stream()).map_err(failed)?;
    let mut stream = stream
        .map(|batch| {
            let (models, schema) = (Arc::clone(models), Arc::clone(&schema));
            engine.spawn(async move { codes(&batch.map_err(|e| lance_error("read the vectors back", &e))?, &models, &schema) })
        })
        .buffered(rayon::current_num_threads());
    let mut rows = 0;
    // The runtime is left between two batches, because the writer enters it itself.
    while let Some(batch) = engine.block_on(stream.next()) {
        let batch = batch.map_err(|e| Error::new(format!("encoding the vectors died: {e}")))??;
        rows += batch.num_rows() as u64;
        if batch.num_rows() > 0 {
            writer.write(&batch)?;
        }
    }
    commit(engine, folder, &schema, writer.finish()?)?;
    Ok(rows)
}

fn schema(models: &Models) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("row_id", DataType::UInt64, false),
        Field::new("__ivf_part_id", DataType::UInt32, false),
        Field::new("__pq_code", DataType::FixedSizeList(code_item(), code_bytes(models)), false),
    ]))
}

fn code_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::UInt8, true))
}

fn code_bytes(models: &Models) -> i32 {
    i32::try_from(models.codebook.len() * models.bits / 8).unwrap_or(i32::MAX)
}

/// The rows of a batch of `vector` and `_rowid` that can be indexed, encoded.
fn codes(batch: &RecordBatch, models: &Models, schema: &SchemaRef) -> Result<RecordBatch> {
    let wrong = || Error::new("the column vector is no fixed_size_list of float32");
    let lists = batch.column_by_name("vector").and_then(|c| c.as_fixed_size_list_opt()).ok_or_else(wrong)?;
    let values = lists.values().as_primitive_opt::<Float32Type>().ok_or_else(wrong)?.values();
    let ids = batch.column_by_name("_rowid").and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(wrong)?;
    let dimension = usize::try_from(lists.value_length()).unwrap_or(1).max(1);

    let mut kept = Vec::with_capacity(batch.num_rows());
    let mut rows: Vec<&[f32]> = Vec::with_capacity(batch.num_rows());
    for (at, (vector, id)) in values.chunks_exact(dimension).zip(ids.values()).enumerate() {
        if lists.is_null(at) {
            continue;
        }
        let (finite, zero) = usable(vector);
        if finite && !(zero && models.metric == Metric::Cosine) {
            kept.push(*id);
            rows.push(vector);
        }
    }
    let (parts, codes) = encode_rows(&rows, dimension, models);
    let codes = FixedSizeListArray::try_new(code_item(), code_bytes(models), Arc::new(UInt8Array::from(codes)), None);
    let columns = codes.map(|codes| vec![Arc::new(UInt64Array::from(kept)) as _, Arc::new(UInt32Array::from(parts)) as _, Arc::new(codes) as _]);
    columns.and_then(|columns| RecordBatch::try_new(Arc::clone(schema), columns)).map_err(|e| Error::new(format!("the codes do not fit their dataset: {e}")))
}

/// Partition of each row, and the codes one row after the other.
fn encode_rows(rows: &[&[f32]], dimension: usize, models: &Models) -> (Vec<u32>, Vec<u8>) {
    let sub_vectors = models.codebook.len();
    let width = dimension / sub_vectors.max(1);
    let bytes = sub_vectors * models.bits / 8;
    let mut parts = Vec::with_capacity(rows.len());
    let mut codes = vec![0u8; rows.len() * bytes];
    let mut row = vec![0f32; dimension];
    for (group, codes) in rows.chunks(BLOCKS * LANES).zip(codes.chunks_mut((BLOCKS * LANES * bytes).max(1))) {
        let mut blocks = Blocks::new(group.len(), dimension);
        for (at, vector) in group.iter().enumerate() {
            row.copy_from_slice(vector);
            if models.metric == Metric::Cosine {
                normalise(&mut row);
            }
            blocks.set(at, &row);
        }
        for at in 0..group.len().div_ceil(LANES) {
            let rows = LANES.min(group.len() - at * LANES);
            let block = blocks.block_mut(at);
            let nearest = models.partitions.nearest(block);
            parts.extend_from_slice(&nearest[..rows]);
            if models.metric != Metric::Dot {
                for (lane, nearest) in nearest.iter().enumerate().take(rows) {
                    for (lanes, value) in block.chunks_exact_mut(LANES).zip(models.partitions.get(*nearest as usize)) {
                        lanes[lane] -= value;
                    }
                }
            }
        }
        for (m, centroids) in models.codebook.iter().enumerate() {
            for (first, rows, block) in blocks.parts(m * width, width) {
                let nearest = centroids.nearest(block);
                for (lane, nearest) in nearest.iter().enumerate().take(rows) {
                    // At most 256 centroids: the number fits a byte.
                    let code = u8::try_from(*nearest).unwrap_or(u8::MAX);
                    let codes = &mut codes[(first + lane) * bytes..][..bytes];
                    if models.bits == 8 {
                        codes[m] = code;
                    } else {
                        codes[m / 2] |= code << (4 * (m % 2));
                    }
                }
            }
        }
    }
    (parts, codes)
}

#[cfg(test)]
mod tests {
    use super::super::kernel::Centroids;
    use super::*;

    /// Two partitions at 0 and 100, codes of 4 bits that count from −8 to 7.
    fn models(bits: usize) -> Models {
        let steps: Vec<f32> = (0..1i16 << bits).map(|i| f32::from(i - (1 << bits) / 2)).collect();
        Models {
            partitions: Centroids::l2(vec![0.0, 0.0, 100.0, 100.0], 2),
            codebook: vec![Centroids::l2(steps.clone(), 1), Centroids::l2(steps, 1)],
            bits,
            metric: Metric::L2,
        }
    }

    #[test]
    fn codes_are_of_residuals_and_two_share_a_byte() {
        let rows: Vec<[f32; 2]> = (0..300).map(|i| if i % 2 == 0 { [-8.0, 7.0] } else { [101.0, 98.0] }).collect();
        let rows: Vec<&[f32]> = rows.iter().map(<[f32; 2]>::as_slice).collect();
        let (parts, codes) = encode_rows(&rows, 2, &models(4));
        assert_eq!(parts.iter().copied().take(3).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!((codes[0], codes[1], codes[298], codes[299]), (0xF0, 0x69, 0xF0, 0x69));
        let (_, codes) = encode_rows(&rows, 2, &models(8));
        assert_eq!(codes[..4], [120, 135, 129, 126]);
    }
}

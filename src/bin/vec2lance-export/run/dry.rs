//! `--dry-run`: what would be read, with counts and an estimate of the size. Asks for a page of each unit, and writes nothing.

use vec2lance::error::{Error, Result};

use crate::cli::Common;
use crate::source::{Count, LeftOut, Source, Unit};

/// Records of the page by which sizes are estimated.
const SAMPLE: usize = 50;

/// What there is.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The database's name, and its version.
    pub(crate) source: (&'static str, Option<String>),
    /// Its units.
    pub(crate) units: Vec<Estimate>,
    /// What would be left out.
    pub(crate) left_out: Vec<LeftOut>,
}

/// One unit.
#[derive(Debug)]
pub(crate) struct Estimate {
    pub(crate) unit: Unit,
    pub(crate) count: Option<Count>,
    /// Bytes of all of its records before compression, by those of a page; none where there is no count.
    pub(crate) bytes: Option<u64>,
}

/// Looks at what `common` chooses.
pub(super) async fn look<S: Source>(source: &S, common: &Common) -> Result<Looked> {
    let version = source.version().await?;
    let (units, left_out) = source.units(&common.selection()).await?;
    // Outside of the snapshot's folder, which a dry run does not make.
    let scratch = std::env::temp_dir().join(format!("vec2lance-export-{}-{:08x}", std::process::id(), fastrand::u32(..)));
    let mut looked = Vec::new();
    let done = async {
        for unit in units {
            let count = source.count(&unit).await?;
            let bytes = match &count {
                Some(count) if count.value > 0 && count.value < u64::MAX => sample(source, &unit, &scratch).await?.map(|each| each.saturating_mul(count.value)),
                Some(_) => Some(0),
                None => None,
            };
            looked.push(Estimate { unit, count, bytes });
        }
        Ok(())
    }
    .await;
    let _ = std::fs::remove_dir_all(&scratch);
    done.map(|()| Looked { source: (source.name(), version), units: looked, left_out })
}

/// Mean bytes of a record.
async fn sample<S: Source>(source: &S, unit: &Unit, scratch: &std::path::Path) -> Result<Option<u64>> {
    std::fs::create_dir_all(scratch).map_err(|e| Error::io("create the folder", scratch, &e))?;
    let mut ranges = source.ranges(unit, scratch, 1).await?;
    let Some(range) = ranges.pop() else { return Ok(None) };
    let page = source.page(unit, scratch, &range, None, SAMPLE).await?;
    let bytes: usize = page.records.iter().map(|r| r.line.len() + 1).sum();
    Ok((!page.records.is_empty()).then(|| (bytes / page.records.len()) as u64))
}

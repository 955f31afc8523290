//! The order of an export: what there is, counts, ranges, parts, counts again, queries, manifest. What one page is and means is the
//! source's business, what a request survives `http.rs`'s.

mod dry;
mod folder;
mod judge;
mod range;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vec2lance::error::{Error, Result, Status};
use vec2lance::manifest::Manifest;

use crate::cli::Common;
use crate::journal::{Event, Journal};
use crate::progress::Progress;
use crate::source::{Source, Unit};
pub(crate) use dry::Looked;

/// What a command came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// `--dry-run`.
    Looked(Looked),
    /// An export that is whole.
    Sealed(Box<Sealed>),
}

/// An export that is whole.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// The snapshot's folder.
    pub(crate) folder: PathBuf,
    /// What was sealed.
    pub(crate) manifest: Manifest,
    /// Records, and bytes of records before compression, that this run has written; earlier ones may have written others.
    pub(crate) written: (u64, u64),
    /// Seconds of this run.
    pub(crate) seconds: f64,
    /// Requests of this run, and how many of them were further tries.
    pub(crate) requests: (u64, u64),
    /// Whether an earlier run had begun it.
    pub(crate) resumed: bool,
}

impl Outcome {
    /// What the process answers.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Sealed(sealed) if sealed.manifest.collections.iter().any(|c| !c.findings.is_empty()) => Status::Findings,
            _ => Status::Clean,
        }
    }
}

/// What all tasks of a run share.
struct Shared<S> {
    source: S,
    folder: PathBuf,
    journal: Journal,
    /// Ranges that are read at the same time.
    ranges: Semaphore,
    progress: Progress,
    batch: usize,
    part_size: u64,
    parquet: bool,
    concurrency: usize,
}

/// Exports what `common` chooses.
///
/// # Errors
/// The database cannot be reached or refuses; the folder cannot be written, or holds something else; the user interrupted it.
pub(crate) async fn export<S: Source>(source: S, common: &Common) -> Result<Outcome> {
    let stopped = folder::interrupts()?;
    tokio::select! {
        done = whole(source, common) => done,
        () = stopped => Err(Error::interrupted().help("the same command goes on from the last finished part; until then there is no manifest")),
    }
}

async fn whole<S: Source>(source: S, common: &Common) -> Result<Outcome> {
    let started = Instant::now();
    if common.dry_run {
        return dry::look(&source, common).await.map(Outcome::Looked);
    }
    // Before the first request: what is wrong with the folder is known without one.
    let entry = folder::enter(&source, common)?;
    let version = source.version().await?;
    let (journal, resumed) = match entry {
        folder::Entry::Sealed(manifest) => {
            let (folder, manifest) = (common.snapshot.clone(), *manifest);
            return Ok(Outcome::Sealed(Box::new(Sealed { folder, manifest, written: (0, 0), seconds: 0.0, requests: (0, 0), resumed: true })));
        }
        folder::Entry::Left(lock, state) => (Journal::go_on(&common.snapshot, lock, *state)?, true),
        folder::Entry::Empty(lock) => {
            let (units, left_out) = source.units(&common.selection()).await?;
            (Journal::begin(&common.snapshot, lock, folder::begun(&source, common, version, units, left_out))?, false)
        }
    };
    let begun = journal.begun();
    let shared = Arc::new(Shared {
        batch: common.batch.unwrap_or(source.page_size().records),
        source,
        folder: common.snapshot.clone(),
        journal,
        ranges: Semaphore::new(common.concurrency),
        progress: Progress::new(common.quiet),
        part_size: common.part_size,
        parquet: common.parquet,
        concurrency: common.concurrency,
    });
    let done = futures::stream::iter(begun.units.iter().cloned().enumerate())
        .map(|(number, unit)| one(Arc::clone(&shared), number, Arc::new(unit)))
        .buffer_unordered(common.concurrency)
        .try_for_each(|()| async { Ok(()) })
        .await;
    shared.progress.finish();
    done?;
    let queries = match &common.record_queries {
        Some(wanted) => crate::queries::record(&shared.source, &shared.folder, &shared.journal, wanted).await?,
        None => None,
    };
    let files = shared.source.files(&begun.units, &shared.folder).await?;
    let manifest = judge::manifest(&shared.journal, queries, files);
    folder::seal(&shared.folder, &manifest)?;
    let requests = crate::http::requests();
    let (written, seconds) = (shared.progress.written(), started.elapsed().as_secs_f64());
    Ok(Outcome::Sealed(Box::new(Sealed { folder: shared.folder.clone(), manifest, written, seconds, requests, resumed })))
}

/// One unit, from where the journal says.
async fn one<S: Source>(shared: Arc<Shared<S>>, number: usize, unit: Arc<Unit>) -> Result<()> {
    let mut state = shared.journal.unit(number);
    let workdir = folder::workdir(&shared.folder, number);
    if !state.prepared {
        // What a run has left that died before this was in the journal.
        if shared.source.resumes_lists() {
            folder::make(&workdir)?;
        } else {
            folder::make_anew(&workdir)?;
        }
        let (count, marker) = (shared.source.count(&unit).await?, shared.source.marker(&unit).await?);
        let ranges = shared.source.ranges(&unit, &workdir, shared.concurrency).await?;
        folder::sync(&workdir)?;
        shared.journal.note(Event::Prepared { unit: number, ranges, count, marker })?;
        state = shared.journal.unit(number);
    }
    let done = state.ranges.iter().flat_map(|(_, r)| &r.parts).map(|p| p.rows).sum();
    shared.progress.expect(state.before.as_ref().map_or(done, |c| c.value), done);
    let mut tasks = JoinSet::new();
    for (index, (range, left)) in state.ranges.into_iter().enumerate().filter(|(_, (_, left))| !left.done) {
        tasks.spawn(range::read(Arc::clone(&shared), (number, index), Arc::clone(&unit), range, left));
    }
    while let Some(joined) = tasks.join_next().await {
        // The first error ends the others: the set is dropped with them.
        joined.map_err(|e| Error::new(format!("a thread of the export died; this is a defect: please report it ({e})")))??;
    }
    if !state.closed {
        let (count, marker) = (shared.source.count(&unit).await?, shared.source.marker(&unit).await?);
        shared.journal.note(Event::Closed { unit: number, count, marker })?;
    }
    Ok(())
}

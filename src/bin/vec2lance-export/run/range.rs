//! One range: pages are asked for here and written there, so that the server and the compressor work at the same time.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use vec2lance::error::{Error, Result};

use super::{Shared, folder};
use crate::http::Failure;
use crate::journal::{Event, RangeState};
use crate::source::{Page, Range, Source, Unit};
use crate::writer::{Columns, Finished, Parts, prefix};

/// Good pages after which a page that the server found too large may grow again.
const GROW: u32 = 16;
/// Ranges for which the source's page size is meant; more of them share the memory.
const USUAL: usize = 4;

/// What is handed from the asking to the writing half.
enum Message {
    Page(Page),
    /// The range is at its end. Without this, the asking half has died.
    End,
}

/// Reads what is left of a range.
///
/// # Errors
/// The source's, the disk's.
pub(super) async fn read<S: Source>(shared: Arc<Shared<S>>, place: (usize, usize), unit: Arc<Unit>, range: Range, left: RangeState) -> Result<()> {
    // Only closing it makes this fail, and nobody does.
    let _permit = shared.ranges.acquire().await;
    shared.progress.stage(&unit.collection);
    let (sender, receiver) = channel(1);
    let after = left.key.clone();
    let writing = {
        let (shared, unit) = (Arc::clone(&shared), Arc::clone(&unit));
        tokio::task::spawn_blocking(move || write(&shared, place, &unit, &left, receiver))
    };
    let asked = ask(&shared, place.0, &unit, &range, after, sender).await;
    let written = writing.await.map_err(|e| Error::new(format!("a thread of the export died; this is a defect: please report it ({e})")))?;
    // A disk that is full closes the channel, which is what the asking half then sees.
    written?;
    asked
}

async fn ask<S: Source>(shared: &Shared<S>, number: usize, unit: &Unit, range: &Range, mut after: Option<Value>, pages: Sender<Message>) -> Result<()> {
    let workdir = folder::workdir(&shared.folder, number);
    let target = shared.source.page_size().bytes * USUAL / shared.concurrency.max(USUAL);
    // What the server takes, and what is asked for.
    let (mut most, mut good) = (shared.batch, 0);
    let mut limit = most.min(shared.source.first_page());
    loop {
        let page = match shared.source.page(unit, &workdir, range, after.as_ref(), limit).await {
            Err(Failure::TooLarge { .. }) if limit > 1 => {
                (most, good) = (limit / 2, 0);
                limit = most;
                continue;
            }
            page => page?,
        };
        let last = page.last;
        let Some(end) = page.records.last() else {
            if last {
                // Its notes still count.
                let _ = pages.send(Message::Page(page)).await;
                break;
            }
            return Err(Error::new(format!("collection {}: a page without records that is not the last one", unit.collection))
                .help("this is a defect of the exporter or of the server: please report it"));
        };
        if after.as_ref() == Some(&end.key) {
            return Err(Error::new(format!("collection {}: the server gives the same page again and again", unit.collection)));
        }
        after = Some(end.key.clone());
        let (rows, bytes) = (page.records.len(), page.records.iter().map(|r| r.line.len()).sum::<usize>());
        if pages.send(Message::Page(page)).await.is_err() || last {
            break;
        }
        good += 1;
        if good >= GROW {
            (most, good) = ((most * 2).min(shared.batch), 0);
        }
        limit = (rows * target / bytes.max(1)).clamp(1, most).min(limit * 4);
    }
    // Where the writing half has died, it says why.
    let _ = pages.send(Message::End).await;
    Ok(())
}

fn write<S: Source>(shared: &Shared<S>, (number, index): (usize, usize), unit: &Unit, left: &RangeState, mut pages: Receiver<Message>) -> Result<()> {
    let columns = if shared.parquet { Some(Columns::of(unit)?) } else { None };
    let mut parts = Parts::new(&shared.folder, prefix(number, unit, index), left.parts.len(), shared.part_size, columns);
    let (mut vanished, mut notes) = (0, Vec::new());
    let note = |finished: Option<Finished>, last: bool, vanished: &mut u64, notes: &mut Vec<String>| {
        let (part, key) = finished.map_or((None, Value::Null), |f| (Some(f.part), f.key));
        let (vanished, notes) = (std::mem::take(vanished), std::mem::take(notes));
        shared.journal.note(Event::Written { unit: number, range: index, part, key, last, vanished, notes })
    };
    while let Some(message) = pages.blocking_recv() {
        let Message::Page(page) = message else {
            let rest = parts.finish()?;
            return note(rest, true, &mut vanished, &mut notes);
        };
        vanished += page.vanished;
        for text in page.notes {
            if !notes.contains(&text) && !left.notes.contains(&text) {
                notes.push(text);
            }
        }
        let (rows, mut bytes) = (page.records.len() as u64, 0);
        for record in page.records {
            bytes += record.line.len() as u64 + 1;
            if let Some(finished) = parts.add(record)? {
                note(Some(finished), false, &mut vanished, &mut notes)?;
            }
        }
        shared.progress.advance(rows, bytes);
    }
    Ok(())
}

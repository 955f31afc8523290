//! `--target-recall`: after the usual index was built, whether a search without settings finds enough by it; if not, others are built in its
//! place until one does.

use std::sync::Arc;

use super::alternatives::{candidates, described};
use super::trial::{Trial, sample};
use crate::dataset::Engine;
use crate::dataset::choose::IndexKind;
use crate::dataset::commit::Opened;
use crate::dataset::index::alone::build_vector;
use crate::dataset::index::{Built, Order};
use crate::dataset::nearest::How;
use crate::error::Result;

/// Stored vectors that are asked for.
const QUERIES: usize = 500;
/// Neighbours of each.
const K: usize = 10;

/// Holds the index that was built against the target, where there is one and the index was left to choose. Gives what was built in the end.
///
/// # Errors
/// The dataset cannot be read or written, or an index not be built.
pub fn reach(engine: &Arc<Engine>, opened: &mut Opened, order: &Order, built: Option<Built>) -> Result<Option<Built>> {
    let (Some(target), Some(mut built)) = (order.wishes.target_recall, built.clone()) else { return Ok(built) };
    if order.kind != IndexKind::Auto || built.vector.kind == IndexKind::NoVector {
        return Ok(Some(built));
    }
    let width = opened.layout()?.dimension;
    let probes = sample(engine, opened, QUERIES)?;
    let trial = Trial::new(engine, opened, probes, K, order.metric, order.memory, None)?;
    let said =
        |recall: f64| format!("a search without settings finds {recall:.4} of the true {K} nearest, measured with {} stored vectors", trial.probes.len());
    let first = trial.measure(engine, opened, &How::default())?.recall;
    if first >= target {
        built.vector.why.push(format!("{}, {target} were asked for", said(first)));
        return Ok(Some(built));
    }
    let present = opened.vector_index(engine)?.as_ref().map(described).unwrap_or_default();
    let mut why = vec![format!("{present} was not enough for --target-recall {target}: {}", said(first))];
    let mut last = None;
    for (kind, wishes) in candidates(width, order.memory) {
        let made = match build_vector(engine, opened, &Order { kind, wishes, ..*order }) {
            Ok(made) => made,
            Err(error) => {
                tracing::info!("{kind:?} could not be built: {error}");
                continue;
            }
        };
        let recall = trial.measure(engine, opened, &How::default())?.recall;
        let index = opened.vector_index(engine)?.as_ref().map(described).unwrap_or_default();
        let enough = recall >= target;
        why.push(format!("{index}: {}", said(recall)));
        last = Some(made);
        if enough {
            break;
        }
    }
    if let Some(made) = last {
        built.vector = made.vector;
        built.seconds.extend(made.seconds);
    }
    built.vector.why.extend(why);
    Ok(Some(built))
}

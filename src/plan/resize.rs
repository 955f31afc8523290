//! `--dimension N --resize …`: which collections have vectors of another number of values, and what becomes of those.
//!
//! Decides only; components are fitted by the pipeline, once for each collection and number of values.

use std::sync::{Arc, Mutex, OnceLock};

use super::{Input, Plan, PlannedShard};
use crate::cli::Reading;
use crate::error::{Error, Result};
use crate::frame::pca::Components;
use crate::frame::resize::{Method, Resize, Step};
use crate::frame::vectors::Layout;
use crate::reject::{excerpt, printable};

/// What to say where two numbers of values meet and nobody has decided.
pub(super) const FLAGS: &str = "bring both to one dimension with --dimension N --resize pca, truncate or pad (a list, such as pca,pad, says what becomes of longer and of shorter ones), or make a dataset of each collection with --per-collection OUT_DIR";

/// All that is resized in a run.
#[derive(Debug)]
pub struct Resizing {
    /// Values of the column `vector`.
    pub to: usize,
    /// By collection.
    pub collections: Vec<Resized>,
    /// Components of the dataset, of collections that this run does not read, too.
    pub known: Mutex<Vec<Arc<Components>>>,
}

/// One collection.
#[derive(Debug)]
pub struct Resized {
    /// The database.
    pub source: String,
    /// The collection.
    pub name: String,
    /// Numbers of values that its vectors have in dumps.
    pub dimensions: Vec<usize>,
    /// What becomes of them.
    pub resize: Arc<Resize>,
}

/// The key in a dataset's configuration of the numbers of values that a collection's vectors had in its dumps, as a JSON list.
#[must_use]
pub fn dimensions_key(source: &str, collection: &str) -> String {
    format!("{DIMENSIONS}{source}/{collection}")
}

/// What such keys begin with.
pub(super) const DIMENSIONS: &str = "vec2lance.dimensions.";

/// Makes the choice for each collection and tells it to the inputs. `met`: the values of the main vector in each input, where known.
pub(super) fn resizing(reading: &Reading, inputs: &mut [Input], met: &[Option<usize>]) -> Result<Option<Resizing>> {
    let Some(to) = reading.dimension else { return Ok(None) };
    if reading.resize.contains(&Method::Pca) && reading.resize.contains(&Method::Truncate) {
        return Err(Error::new("--resize pca,truncate: both are for vectors of more than --dimension values")
            .help("choose one of them; pad, for shorter vectors, may stand beside it"));
    }
    let mut collections: Vec<Resized> = Vec::new();
    for at in 0..inputs.len() {
        let (source, name) = (inputs[at].collection.source.clone(), inputs[at].collection.name.clone());
        if collections.iter().any(|c| c.source == source && c.name == name) {
            continue;
        }
        let own = |i: &Input| i.collection.source == source && i.collection.name == name;
        let key = dimensions_key(&source, &name);
        let remembered = reading.dimensions.get(&key).and_then(|text| serde_json::from_str::<Vec<usize>>(text).ok());
        let mut dimensions: Vec<usize> = remembered.clone().unwrap_or_default();
        for (input, met) in inputs.iter().zip(met).filter(|(i, _)| own(i)) {
            let Some(met) = *met else { continue };
            if dimensions.contains(&met) || remembered.is_some() && (met == to || input.rejects.is_some()) {
                continue;
            }
            if remembered.is_some() {
                let known: Vec<String> = dimensions.iter().map(usize::to_string).collect();
                return Err(Error::new(format!(
                    "{}: the vectors have {met} values, those of collection {} had {} when the dataset was made of them",
                    printable(&input.dump),
                    excerpt(&name, 60),
                    known.join(" or ")
                ))
                .help("convert it as another collection (--collection), or into a dataset of its own"));
            }
            dimensions.push(met);
        }
        let steps = dimensions.iter().filter(|from| **from != to).map(|from| step(&name, *from, to, &reading.resize)).collect::<Result<Vec<_>>>()?;
        let resize = Arc::new(Resize { to, steps });
        inputs.iter_mut().filter(|i| i.collection.source == source && i.collection.name == name).for_each(|i| i.resize = Some(Arc::clone(&resize)));
        collections.push(Resized { source, name, dimensions, resize });
    }
    Ok(Some(Resizing { to, collections, known: Mutex::default() }))
}

fn step(name: &str, from: usize, to: usize, methods: &[Method]) -> Result<Step> {
    let fits = |m: &&Method| (**m == Method::Pad) == (from < to);
    let Some(method) = methods.iter().find(fits) else {
        let shown: Vec<&str> = methods.iter().map(|m| m.name()).collect();
        let (what, why, add) = if from < to {
            ("fewer", "makes no vector longer: a projection has no more values than what is projected", "pad: --resize pad, or together with it: pca,pad")
        } else {
            ("more", "makes no vector shorter", "pca or truncate: --resize pca,pad or truncate,pad")
        };
        return Err(Error::new(format!(
            "collection {}: the vectors have {from} values, {what} than --dimension {to}, and --resize {} {why}",
            excerpt(name, 60),
            shown.join(",")
        ))
        .help(format!("say what becomes of these with {add}")));
    };
    Ok(Step { from, method: *method, components: OnceLock::new(), cosine: OnceLock::new() })
}

impl Resizing {
    /// Every collection and number of values that is changed.
    pub fn steps(&self) -> impl Iterator<Item = (&Resized, &Step)> {
        self.collections.iter().flat_map(|c| c.resize.steps.iter().map(move |step| (c, step)))
    }

    /// Gives components to the steps that they were made for, and remembers them.
    pub fn know(&self, components: &Arc<Components>) {
        for (collection, step) in self.steps().filter(|(_, s)| s.method == Method::Pca) {
            let same = components.source == collection.source && components.collection == collection.name;
            if same && components.from == step.from && components.to == self.to {
                // Those that were there first stay.
                let _ = step.components.set(Arc::clone(components));
            }
        }
        if let Ok(mut known) = self.known.lock() {
            let key = |c: &Components| (c.source.clone(), c.collection.clone(), c.from);
            if !known.iter().any(|k| key(k) == key(components)) {
                known.push(Arc::clone(components));
            }
        }
    }

    /// What is missing before a record can be written or compared.
    pub fn missing(&self) -> impl Iterator<Item = (&Resized, &Step)> {
        self.steps().filter(|(_, step)| step.method == Method::Pca && step.components.get().is_none())
    }
}

impl Plan {
    /// A plan that reads the vectors of one collection as the dump has them, `from` values each. Pipes, which cannot be read twice, are
    /// not in it.
    #[must_use]
    pub fn unresized(&self, collection: &Resized, from: usize) -> Self {
        let own = |i: &&Input| i.collection.source == collection.source && i.collection.name == collection.name;
        Self {
            inputs: self.inputs.iter().filter(own).map(again).collect(),
            layout: Layout { dimension: from, ..self.layout.clone() },
            main_from: self.main_from.clone(),
            lean: None,
            metric: self.metric,
            metric_from: self.metric_from.clone(),
            budget: self.budget,
            targets: self.targets.clone(),
            index: self.index,
            named_indices: self.named_indices,
            wishes: self.wishes,
            resizing: None,
            notes: vec![],
        }
    }
}

/// The same input, to be read before it is converted.
pub(super) fn again(input: &Input) -> Input {
    let shard = |s: &PlannedShard| PlannedShard {
        shard: s.shard.clone(),
        framing: s.framing,
        membership: Arc::clone(&s.membership),
        columns: s.columns.clone(),
        promise: None,
        batch_rows: s.batch_rows,
        held: Mutex::new(None),
    };
    Input {
        dump: input.dump.clone(),
        spec: Arc::clone(&input.spec),
        told_by: input.told_by.clone(),
        collection: input.collection.clone(),
        mapping: Arc::clone(&input.mapping),
        shards: input.shards.iter().filter(|s| s.shard.regular).map(shard).collect(),
        schema: None,
        facts: vec![],
        promised: None,
        stated: None,
        losses: vec![],
        sampled: 0,
        foreign: Arc::clone(&input.foreign),
        records_keys: input.records_keys.clone(),
        plain: input.plain,
        rejects: input.rejects.clone(),
        resize: None,
        main: input.main.clone(),
        only: input.only.clone(),
        says_namespaces: input.says_namespaces,
    }
}

//! Where components are: in the dataset's own folder, beside it for those who ask questions, and in the staging folder until then.
//!
//! Made once; whatever reads or changes the dataset later takes them from there. Not the making, which is [`super::fit`]'s.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::stage::{clean, sync_one};
use super::{Progress, fit, npz};
use crate::error::{Error, Result};
use crate::plan::resize::Resizing;
use crate::plan::{Mode, Output, Plan, unfinished};
use crate::reject::{excerpt, printable};

/// The folder inside of a dataset that Lance knows nothing of.
pub(super) const FOLDER: &str = "_vec2lance";

fn path(dataset: &Path) -> PathBuf {
    dataset.join(FOLDER).join("pca.npz")
}

/// Gives a plan the components that a dataset was made with.
///
/// # Errors
/// They cannot be read, or some that are needed are not there.
pub fn recall(plan: &Plan, dataset: &Path) -> Result<()> {
    let Some(resizing) = &plan.resizing else { return Ok(()) };
    load(resizing, dataset)?;
    match resizing.missing().next() {
        None => Ok(()),
        Some((collection, step)) => Err(Error::new(format!(
            "{}: no components for vectors of {} values of collection {}",
            printable(&path(dataset).display().to_string()),
            step.from,
            excerpt(&collection.name, 60)
        ))
        .help("they were made with the dataset; copy the file back, from OUT.pca.npz for example")),
    }
}

/// There need not be such a file.
fn load(resizing: &Resizing, dataset: &Path) -> Result<()> {
    let path = path(dataset);
    let mut bytes = Vec::new();
    match fs::File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io("read", &path, &e)),
    }
    let shown = || printable(&path.display().to_string());
    let all = npz::unpack(&bytes)
        .ok_or_else(|| Error::new(format!("{}: damaged, or not as vec2lance wrote it", shown())).help("copy the file back, from OUT.pca.npz for example"))?;
    for one in all {
        resizing.know(&Arc::new(one));
    }
    Ok(())
}

/// Finds or makes all components before the first record is converted, and measures what resizing costs. `resumed`: an interrupted run
/// may have made them already.
pub(super) fn prepare(plan: &Plan, output: &Output, resumed: bool, stop: &AtomicBool, progress: &dyn Progress) -> Result<()> {
    let Some(resizing) = &plan.resizing else { return Ok(()) };
    if output.mode != Mode::Fresh {
        load(resizing, &output.dataset)?;
    }
    if resumed {
        load(resizing, &output.staging)?;
    }
    if resizing.missing().next().is_some() {
        if output.mode != Mode::Fresh {
            check_new(resizing, output)?;
        }
        progress.stage("fitting principal components");
        fit::fit(plan, resizing, stop)?;
        if resizing.missing().next().is_some() {
            return Err(Error::new("components are missing after all were made; this is a defect: please report it"));
        }
        keep(plan, &output.staging)?;
    }
    fit::measure(plan, resizing, stop)
}

/// Nothing is fitted twice: what a dataset has rows of was projected once and for all.
fn check_new(resizing: &Resizing, output: &Output) -> Result<()> {
    let known = resizing.known.lock().map(|k| k.clone()).unwrap_or_default();
    for (collection, step) in resizing.missing() {
        if known.iter().any(|k| k.source == collection.source && k.collection == collection.name && k.from == step.from) {
            return Err(Error::new(format!(
                "collection {} was projected to another number of values than {}; its components are not made anew",
                excerpt(&collection.name, 60),
                resizing.to
            ))
            .help(format!("leave --dimension away: {} remembers it", printable(&output.dataset.display().to_string()))));
        }
    }
    Ok(())
}

/// Writes what is known into a dataset's folder.
pub(super) fn keep(plan: &Plan, dataset: &Path) -> Result<()> {
    let Some(known) = plan.resizing.as_ref().and_then(|r| r.known.lock().ok()) else { return Ok(()) };
    if known.is_empty() {
        return Ok(());
    }
    let path = path(dataset);
    let folder = dataset.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|e| Error::io("create the folder", &folder, &e))?;
    let bytes = npz::pack(&known)?;
    appear(&path, &|partial| fs::write(partial, &bytes))?;
    sync_one(&folder)
}

/// A file that is whole or not there. The old one, which may have a second name in another version of the dataset, is not changed.
fn appear(path: &Path, make: &dyn Fn(&Path) -> std::io::Result<()>) -> Result<()> {
    let partial = unfinished(path);
    let written = make(&partial).and_then(|()| fs::File::open(&partial)?.sync_all()).and_then(|()| fs::rename(&partial, path));
    written.map_err(|e| {
        clean(&partial);
        Error::io("write", path, &e)
    })
}

/// Puts a copy beside the dataset, or takes away that of one which was replaced.
pub(super) fn publish(output: &Output) -> Result<()> {
    let made = path(&output.dataset);
    if made.is_file() {
        return appear(&output.components, &|partial| fs::copy(&made, partial).map(|_| ()));
    }
    if output.overwrite && output.components.is_file() {
        fs::remove_file(&output.components).map_err(|e| Error::io("remove", &output.components, &e))?;
    }
    Ok(())
}

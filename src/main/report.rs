//! Runs `report`: gathers, then writes the page, prints the JSON, or both. What they say is decided elsewhere.

use std::path::{Path, PathBuf};

use vec2lance::cli::Report;
use vec2lance::dataset::{Engine, commit};
use vec2lance::error::{Error, Result, Status};
use vec2lance::overview::{Asked, overview};
use vec2lance::reject::printable;
use vec2lance::report;
use vec2lance::seal::seal;

/// Runs it.
pub(crate) fn run(args: &Report) -> Result<Status> {
    super::warn_unsealed(&seal());
    let threads = args.threads.map_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get), usize::from);
    let engine = Engine::new(threads)?;
    let opened = commit::open(&engine, &args.dataset)?;
    let output = output(args)?;
    let asked = Asked { dataset: args.dataset.clone(), color_by: args.color_by.clone(), examples: args.examples };
    let found = overview(&engine, &opened, &asked, &|stage| tracing::info!("{stage}"))?;
    let json = serde_json::to_value(&found).map_err(|e| Error::new(format!("cannot write the report as JSON: {e}")))?;
    let mut text = String::new();
    if let Some(path) = output {
        let page = report::page(&json);
        write(&path, &page)?;
        text = report::page_text(&found, &path, page.len() as u64);
    }
    super::print(&if args.json { report::json(&json) } else { text })
}

/// The page's path, checked before anything is read.
fn output(args: &Report) -> Result<Option<PathBuf>> {
    let path = match &args.output {
        None if args.json => return Ok(None),
        None => args.dataset.with_extension("report.html"),
        Some(path) => path.clone(),
    };
    let shown = printable(&path.display().to_string());
    if path.is_dir() {
        return Err(
            Error::new(format!("{shown}: is a folder, expected the name of a file")).help(format!("write to {}/report.html", shown.trim_end_matches('/')))
        );
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        let folder = printable(&parent.display().to_string());
        return Err(Error::new(format!("{shown}: the folder {folder} does not exist")).help("create it first: mkdir -p"));
    }
    let inside = |folder: &Path| Some(folder.canonicalize().ok()?.starts_with(args.dataset.canonicalize().ok()?));
    if inside(parent) == Some(true) {
        return Err(Error::new(format!("{shown}: lies inside of the dataset, which belongs to Lance")).help("write beside the dataset"));
    }
    Ok(Some(path))
}

/// Nobody ever sees half a page.
fn write(path: &Path, page: &str) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = std::fs::write(&partial, page).map_err(|e| Error::io("write", path, &e));
    let done = written.and_then(|()| std::fs::rename(&partial, path).map_err(|e| Error::io("write", path, &e)));
    if done.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    done
}

//! `convert`: one dataset from the command line's dumps, new or changed, and its verification where that is asked for.
//!
//! Which collections get one each is [`super::each`]'s.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use vec2lance::cli::{Convert, IndexKindArg, Verify};
use vec2lance::dataset::{Engine, commit};
use vec2lance::error::{Error, Result, Status};
use vec2lance::pipeline;
use vec2lance::plan::recorded::Recorded;
use vec2lance::plan::{Output, check_sizes, plan, sources};
use vec2lance::report::{self, ConvertReport, Table, TerminalProgress};
use vec2lance::seal::{Seal, seal};

use super::{UNFINISHED, WAITING, each, only_contextframe, print, verify_report, warn_unsealed, watch};

/// `convert`.
pub(super) fn run(convert: &Convert) -> Result<Status> {
    let seal = seal();
    warn_unsealed(&seal);
    let stop = watch()?;
    if let Some(folder) = &convert.per_collection {
        return each::run(convert, folder, &seal, &stop);
    }
    let done = one(convert, &seal, &stop)?;
    print(&done.text)?;
    done.error.map_or(Ok(done.status), Err)
}

/// What became of one dataset.
pub(super) struct Done {
    pub(super) status: Status,
    /// The report, as the command prints it.
    pub(super) text: String,
    /// The rows are whole and something after them is not.
    pub(super) error: Option<Error>,
}

/// Makes one dataset.
pub(super) fn one(convert: &Convert, seal: &Seal, stop: &AtomicBool) -> Result<Done> {
    let started = Instant::now();
    let mut convert = convert.clone();
    sources::open(&mut convert.dumps, &mut convert.reading)?;
    if convert.verify && convert.dumps.iter().any(|d| d.as_os_str() == "-") {
        return Err(Error::new("--verify reads the dump a second time, which standard input does not allow").help("save it to a file first"));
    }
    lean(&mut convert)?;
    let asked = convert.promote.clone();
    let there = if convert.append || convert.upsert { Some(remembered(&mut convert)?) } else { None };
    pipeline::sweep(&convert.out);
    let mut output = Output::of(&convert)?;
    if let Some(there) = &there {
        output.options.insert("the dataset's version".to_owned(), there.version().to_string());
    }
    check_sizes(&convert.dumps)?;
    let mut plan = plan(&convert.dumps, &convert.reading, &convert.indexing, convert.member_relationship)?;
    let engine = Arc::new(Engine::new(plan.budget.threads)?);
    if let Some(there) = &there {
        pipeline::adopt(&mut plan, &engine, there)?;
        pipeline::held(&plan.layout, &asked)?;
    }
    let progress = TerminalProgress::new(plan.shards().map(|(_, s)| s.shard.size).sum());
    if there.is_none() {
        pipeline::promote(&mut plan, &convert.promote, stop, &progress)?;
    }
    drop(there);
    if let Ok(mut unfinished) = UNFINISHED.lock() {
        *unfinished = output.unfinished();
    }
    WAITING.store(false, Ordering::Relaxed);
    let report_of = |outcome: &pipeline::Outcome| ConvertReport::of(&plan, &output, outcome, seal, started.elapsed().as_secs_f64());
    let made = std::cell::RefCell::new(None);
    let converted = pipeline::convert(&plan, &output, &engine, stop, &progress, &|outcome| {
        let report = report_of(outcome);
        let text = report::json(&report);
        made.replace(Some(report));
        text
    });
    if let Ok(mut unfinished) = UNFINISHED.lock() {
        unfinished.clear();
    }
    progress.finish();
    let outcome = match converted? {
        pipeline::Converted::Now(outcome) => outcome,
        pipeline::Converted::Before(text) => return finished_before(&convert, &output, &text, stop),
    };
    let report = made.take().unwrap_or_else(|| report_of(&outcome));
    let json = report::json(&report);
    if outcome.version.is_none() || report.unchanged() {
        std::fs::write(&output.report, &json).map_err(|e| Error::io("write", &output.report, &e))?;
    }
    let text = if convert.json { json } else { report.text() };
    if let Some(error) = outcome.index_error {
        let shown = vec2lance::reject::printable(&output.dataset.display().to_string());
        let error = Error::new(format!("all rows are in {shown}, but its indices could not be built: {error}"))
            .help(format!("mend the cause, then: vec2lance index {shown}"));
        return Ok(Done { status: Status::Failed, text, error: Some(error) });
    }
    let status = if outcome.findings.is_empty() { Status::Clean } else { Status::Findings };
    if !convert.verify || outcome.version.is_none() {
        return Ok(Done { status, text, error: None });
    }
    let text = if convert.json { String::new() } else { text };
    let value = serde_json::to_value(&report).unwrap_or_default();
    verified(&convert, &output, &text, value, status, stop)
}

/// What a lean table cannot be asked for, and what it is asked for without being told to.
fn lean(convert: &mut Convert) -> Result<()> {
    if !convert.reading.lean() {
        return Ok(());
    }
    let refused = [("--append", convert.append), ("--upsert", convert.upsert), ("--verify", convert.verify), ("--link", !convert.reading.link.is_empty())];
    if let Some((flag, _)) = refused.iter().find(|(_, given)| *given) {
        return Err(Error::new(format!("{flag} needs ContextFrame's columns, which --schema lancedb leaves away"))
            .help("leave one of the two away; a dataset in ContextFrame's schema is a LanceDB table, too"));
    }
    // A pipe cannot be read twice to find types.
    if convert.promote.is_empty() && !convert.dumps.iter().any(|d| d.as_os_str() == "-") {
        convert.promote.push("auto".to_owned());
    }
    Ok(())
}

/// What the dataset that is to be changed was made with, where the command line does not say otherwise.
fn remembered(convert: &mut Convert) -> Result<commit::Opened> {
    let engine = Engine::new(2)?;
    let opened = commit::open(&engine, &convert.out)?;
    only_contextframe(&opened, &convert.out, "cannot be changed")?;
    let recorded = Recorded::read(opened.config());
    recorded.fill(opened.config(), &mut convert.reading);
    sources::remember(&convert.dumps, &mut convert.reading, recorded.sources());
    if convert.indexing.index == IndexKindArg::Auto {
        convert.indexing.index = recorded.index();
    }
    convert.indexing.vector_indices |= recorded.vector_indices();
    if convert.on_duplicate.is_none() {
        convert.on_duplicate = recorded.asked_on_duplicate();
    }
    convert.member_relationship = recorded.relationship();
    if convert.promote.is_empty() {
        convert.promote = recorded.promote().to_vec();
    }
    convert.reading.main_there = Some(opened.main_vector(&engine)?.unwrap_or_else(|| "default".to_owned()));
    Ok(opened)
}

/// The run that made the dataset died before it could say so.
fn finished_before(convert: &Convert, output: &Output, text: &str, stop: &AtomicBool) -> Result<Done> {
    let report: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let status = match report.get("status").and_then(serde_json::Value::as_u64) {
        Some(0) => Status::Clean,
        Some(1) => Status::Findings,
        _ => Status::Failed,
    };
    let shown = |path: &std::path::Path| vec2lance::reject::printable(&path.display().to_string());
    let mut table = Table::default();
    table.row("dataset", &shown(&output.dataset));
    table.row("resumed", "everything was done when the run before was interrupted; its dataset has its name now");
    table.row("report", &shown(&output.report));
    if convert.verify {
        return verified(convert, output, &table.finish(), report, status, stop);
    }
    Ok(Done { status, text: if convert.json { text.to_owned() } else { table.finish() }, error: None })
}

/// `convert --verify`: both reports, the verification's last.
fn verified(convert: &Convert, output: &Output, text: &str, mut report: serde_json::Value, status: Status, stop: &AtomicBool) -> Result<Done> {
    let args = Verify {
        dataset: output.dataset.clone(),
        dumps: convert.dumps.clone(),
        sample: None,
        cosine: None,
        list: 20,
        on_duplicate: None,
        member_relationship: None,
        json: convert.json,
        reading: convert.reading.clone(),
    };
    let found = verify_report(&args, stop)?;
    // Where `report` looks for it.
    let path = output.dataset.with_extension("verify.json");
    std::fs::write(&path, report::json(&found)).map_err(|e| Error::io("write", &path, &e))?;
    let differs = found.status != 0;
    let text = if convert.json {
        report["verify"] = serde_json::to_value(&found).unwrap_or_default();
        report::json(&report)
    } else {
        format!("{text}{}", found.text())
    };
    Ok(Done { status: if differs { Status::Findings } else { status }, text, error: None })
}

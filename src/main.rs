//! The offline binary: parses the command line, prepares the process, runs one command, and answers with its status.
//!
//! No decision about data is made here.

#[path = "main/report.rs"]
mod page;
#[path = "main/searches.rs"]
mod searches;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[path = "main/convert.rs"]
mod convert;
#[path = "main/each.rs"]
mod each;

use clap::{CommandFactory, Parser};
use vec2lance::cli::{Cli, Command, Formats, Index, IndexKindArg, Indexing, Inspect, Rejects, Relationship, Verify};
use vec2lance::dataset::choose::{Metric, Wishes};
use vec2lance::dataset::index::Order;
use vec2lance::dataset::{Engine, commit, index};
use vec2lance::error::{Error, Result, Status};
use vec2lance::formats::spec::Spec;
use vec2lance::plan::recorded::Recorded;
use vec2lance::plan::{plan, report_path, sources, staging_path};
use vec2lance::report::{self, IndexReport, InspectReport, Table, TerminalProgress, VerifyReport};
use vec2lance::seal::{Seal, seal};
use vec2lance::{check, heap, pipeline, verify};

fn main() -> ExitCode {
    let cli = match Cli::try_parse().and_then(Cli::settled) {
        Ok(cli) => cli,
        Err(error) => {
            // Clap's own texts: help and version on stdout with 0, a wrong flag on stderr with 2.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * 2);
        }
    };
    prepare(&cli);
    match run(cli) {
        Ok(status) => ExitCode::from(status.code()),
        Err(error) => {
            report::print_error(&error);
            ExitCode::from(error.status().code())
        }
    }
}

/// What must happen before any thread starts.
fn prepare(cli: &Cli) {
    let (threads, temporary, memory) = match &cli.command {
        Command::Convert(c) => (c.reading.threads, Some(c.per_collection.as_deref().map_or_else(|| staging_path(&c.out), each::scratch)), c.reading.memory),
        Command::Index(i) => (i.threads, Some(pipeline::Scratch::path(&i.dataset)), i.memory),
        Command::Verify(v) => (v.reading.threads, None, v.reading.memory),
        Command::Compare(c) => (c.threads, None, c.memory),
        Command::Tune(t) => (t.threads, Some(pipeline::Scratch::path(&t.dataset)), t.memory),
        Command::Bench(b) => (b.threads, None, 1 << 30),
        Command::Report(r) => (r.threads, None, 1 << 30),
        _ => (None, None, 1 << 30),
    };
    let threads = threads.map_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get), usize::from);
    heap::tune(memory, threads);
    let mut variables = vec![
        // Lance keeps two cores back for I/O, which leaves one on a small machine.
        ("LANCE_CPU_THREADS", threads.to_string()),
        ("RAYON_NUM_THREADS", threads.to_string()),
        // By default half of the cores tokenise.
        ("LANCE_FTS_NUM_SHARDS", threads.to_string()),
        // Statistics and plans are of no use here, and they cost warnings.
        ("LANCE_INCLUDE_VECTOR_CENTROIDS", "false".to_owned()),
        ("LANCE_SHUFFLE_BATCH_BYTES", (memory / 32).clamp(4 << 20, 64 << 20).to_string()),
        ("LANCE_DEFAULT_IO_BUFFER_SIZE", (memory / 16).clamp(16 << 20, 256 << 20).to_string()),
        ("LANCE_DEFAULT_BATCH_SIZE", "2048".to_owned()),
    ];
    // Lance spills index building to TMPDIR, which may be small or in memory. Inside of the folder under construction it is on
    // the output's volume, and goes away with that folder if the run is killed.
    if let Some(folder) = temporary.and_then(|p| std::path::absolute(p).ok()) {
        variables.push(("TMPDIR", folder.display().to_string()));
    }
    for (name, value) in variables {
        if name == "TMPDIR" || std::env::var_os(name).is_none() {
            #[expect(unsafe_code, reason = "Lance reads these from the environment only, and no thread runs yet")]
            // SAFETY: called first thing in main, before any thread is started; nobody else reads or writes the environment.
            unsafe {
                std::env::set_var(name, value);
            }
        }
    }
    let level = match cli.verbose {
        0 => "warn,lance=error,lance_index=error,lance_core=error,lance_io=error,datafusion=error",
        1 => "warn,vec2lance=info,lance=error,lance_index=error,lance_core=error,lance_io=error,datafusion=error",
        _ => "info,vec2lance=debug,datafusion=warn",
    };
    let filter = tracing_subscriber::EnvFilter::try_new(level).unwrap_or_default();
    let ansi = std::env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        .with_target(false)
        .without_time()
        .log_internal_errors(false)
        .init();
    // A panic inside the Parquet reader on a damaged file, or inside of Lance when the system refuses it something, is caught and becomes an
    // error; its own text is for debugging.
    let default = std::panic::take_hook();
    let verbose = cli.verbose > 1;
    std::panic::set_hook(Box::new(move |info| {
        let foreign = info.location().is_some_and(|l| ["/parquet-", "/lance-"].iter().any(|name| l.file().contains(name)));
        if verbose || !foreign {
            default(info);
        }
    }));
}

fn run(cli: Cli) -> Result<Status> {
    match cli.command {
        Command::Convert(convert) => convert::run(&convert),
        Command::Inspect(inspect) => run_inspect(&inspect),
        Command::Verify(verify) => run_verify(&verify),
        Command::Index(index) => run_index(&index),
        Command::Search(args) => searches::search::run(&args),
        Command::Compare(args) => searches::compare::run(&args),
        Command::Tune(args) => searches::tune::run(&args),
        Command::Bench(args) => searches::bench::run(&args),
        Command::Rejects(rejects) => run_rejects(&rejects),
        Command::Report(args) => page::run(&args),
        Command::Formats(formats) => run_formats(&formats),
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "vec2lance", &mut out);
            print(&String::from_utf8_lossy(&out))
        }
        Command::Man => {
            let mut out = Vec::new();
            let mut root = Cli::command();
            root.build();
            let page = |command: clap::Command, out: &mut Vec<u8>| {
                clap_mangen::Man::new(command).render(out).map_err(|e| Error::new(format!("cannot make the manual: {e}")))
            };
            page(root.clone(), &mut out)?;
            for sub in root.get_subcommands().filter(|s| s.get_name() != "help") {
                page(sub.clone(), &mut out)?;
            }
            print(&String::from_utf8_lossy(&out))
        }
    }
}

fn print(text: &str) -> Result<Status> {
    report::print(text).map_err(|e| Error::new(format!("cannot write to stdout: {e}")))?;
    Ok(Status::Clean)
}

/// What an interrupt during a stage that cannot stop takes away.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Whether the run is still looking at its input, which a silent pipe can make it do for ever.
static WAITING: AtomicBool = AtomicBool::new(false);

/// Watches for Ctrl-C and SIGTERM: the first asks the run to stop; if it has not within two seconds, or at the second, the
/// process cleans up and ends.
fn watch() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    WAITING.store(true, Ordering::Relaxed);
    let failed = |e: std::io::Error| Error::new(format!("cannot watch for Ctrl-C: {e}"));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, i32::from(Status::Interrupted.code()), Arc::clone(&stop)).map_err(failed)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(failed)?;
    }
    let seen = Arc::clone(&stop);
    #[expect(clippy::disallowed_methods, reason = "a signal handler may only set a flag, so somebody has to look at it")]
    std::thread::spawn(move || {
        while !seen.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_secs(2));
        let unfinished = UNFINISHED.lock().map(|mut u| std::mem::take(&mut *u)).unwrap_or_default();
        if !unfinished.is_empty() || WAITING.load(Ordering::Relaxed) {
            // What a journal knows of is worth more than a clean folder.
            for path in unfinished.iter().filter(|_| !pipeline::kept()) {
                pipeline::clean(path);
            }
            let error = Error::interrupted();
            report::print_error(&if pipeline::kept() { error.and_help(pipeline::GOES_ON) } else { error });
            #[expect(clippy::exit, reason = "the stage under way cannot be asked to stop, and nothing of it is kept")]
            std::process::exit(i32::from(Status::Interrupted.code()));
        }
    });
    Ok(stop)
}

fn run_verify(args: &Verify) -> Result<Status> {
    warn_unsealed(&seal());
    let stop = watch()?;
    let report = verify_report(args, &stop)?;
    print(&if args.json { report::json(&report) } else { report.text() })?;
    Ok(if report.status == 0 { Status::Clean } else { Status::Findings })
}

/// Refuses a lean table, which lacks what a comparison needs.
fn only_contextframe(opened: &commit::Opened, path: &std::path::Path, what: &str) -> Result<()> {
    if !opened.is_lean() {
        return Ok(());
    }
    let shown = vec2lance::reject::printable(&path.display().to_string());
    Err(Error::new(format!("{shown}: a lean table (--schema lancedb) {what}: it has no columns that tell records apart"))
        .help("convert its dumps without --schema lancedb"))
}

/// Opens both sides anew, whatever this process has done before.
fn verify_report(args: &Verify, stop: &AtomicBool) -> Result<VerifyReport> {
    let threads = args.reading.threads.map_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get), usize::from);
    let engine = Arc::new(Engine::new(threads)?);
    let opened = commit::open(&engine, &args.dataset)?;
    only_contextframe(&opened, &args.dataset, "cannot be verified")?;
    let recorded = Recorded::read(opened.config());
    let (mut reading, mut dumps) = (args.reading.clone(), args.dumps.clone());
    sources::open(&mut dumps, &mut reading)?;
    sources::remember(&dumps, &mut reading, recorded.sources());
    let taken = recorded.fill(opened.config(), &mut reading);
    let notes = if taken.is_empty() { vec![] } else { vec![format!("the dump was read as the dataset was converted: {}", taken.join(" "))] };
    let indexing = Indexing {
        index: IndexKindArg::Auto,
        metric: Some(Metric::Cosine),
        partitions: None,
        sub_vectors: None,
        bits: None,
        target_recall: None,
        vector_indices: false,
    };
    let mut plan = plan(&dumps, &reading, &indexing, args.member_relationship.unwrap_or_else(|| recorded.relationship()))?;
    plan.layout.promoted = Recorded::promoted(opened.config());
    pipeline::recall(&plan, &args.dataset)?;
    let progress = TerminalProgress::new(plan.shards().map(|(_, s)| s.shard.size).sum());
    let asked = verify::Asked {
        sample: args.sample,
        cosine: args.cosine,
        rule: args.on_duplicate.unwrap_or_else(|| recorded.on_duplicate()),
        list: args.list,
        index: recorded.index().into(),
        named_indices: recorded.vector_indices(),
        report: report_path(&args.dataset),
        scratch: scratch_folder(&args.dataset),
    };
    let found = verify::verify(plan, &opened, &engine, &asked, stop, &progress);
    progress.finish();
    Ok(VerifyReport::of(found?, &args.dataset, opened.version(), notes))
}

/// Where lists are sorted that do not fit in memory: beside the dataset, because that volume has the room; where nothing can be
/// written there, in the system's folder for temporary files.
fn scratch_folder(dataset: &std::path::Path) -> PathBuf {
    let parent = dataset.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    let writable = std::fs::metadata(parent).is_ok_and(|m| !m.permissions().readonly());
    if writable { parent.to_owned() } else { std::env::temp_dir() }
}

fn warn_unsealed(seal: &Seal) {
    if let Seal::Off(why) = seal {
        tracing::info!("Internet sockets are not refused by the kernel: {why}.");
    }
}

fn run_inspect(inspect: &Inspect) -> Result<Status> {
    warn_unsealed(&seal());
    let stop = watch()?;
    let mut inspect = inspect.clone();
    sources::open(&mut inspect.dumps, &mut inspect.reading)?;
    let plan = match plan(&inspect.dumps, &inspect.reading, &inspect.indexing, Relationship::MemberOf) {
        Ok(plan) => plan,
        Err(why) if inspect.check && inspect.dumps.iter().any(|d| d.join(vec2lance::manifest::FILE).is_file()) => {
            let found = check::files(&inspect.dumps, &why)?;
            print(&if inspect.json { report::json(&serde_json::json!({ "check": found })) } else { found.text() })?;
            return Ok(Status::Findings);
        }
        Err(error) => return Err(error),
    };
    let checked = inspect.check.then(|| check::check(&plan, &stop)).transpose()?;
    let findings = checked.as_ref().is_some_and(|c| !c.findings.is_empty());
    let report = InspectReport::of(&plan, checked);
    print(&if inspect.json { report::json(&report) } else { report.text() })?;
    Ok(if findings { Status::Findings } else { Status::Clean })
}

fn run_index(args: &Index) -> Result<Status> {
    let started = Instant::now();
    warn_unsealed(&seal());
    let threads = args.threads.map_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get), usize::from);
    let engine = Arc::new(Engine::new(threads)?);
    let mut opened = commit::open(&engine, &args.dataset)?;
    let _stop = watch()?;
    WAITING.store(false, Ordering::Relaxed);
    let scratch = pipeline::Scratch::create(&args.dataset)?;
    if let Ok(mut unfinished) = UNFINISHED.lock() {
        unfinished.push(pipeline::Scratch::path(&args.dataset));
    }
    let (metric, metric_from) = match args.indexing.metric {
        Some(metric) => (metric, "asked for: --metric".to_owned()),
        None => match opened.metric(&engine)? {
            Some(metric) => (metric, "as before".to_owned()),
            None => (Metric::Cosine, "assumed: the dataset does not say, --metric sets it".to_owned()),
        },
    };
    let indexing = &args.indexing;
    let wishes = Wishes {
        partitions: indexing.partitions,
        sub_vectors: indexing.sub_vectors,
        bits: indexing.bits,
        memory: Some(args.memory),
        target_recall: indexing.target_recall,
    };
    let order = Order { kind: indexing.index.into(), wishes, metric, memory: args.memory, named: indexing.vector_indices };
    let built = index::build(&engine, &mut opened, &order)?;
    let built = vec2lance::tune::reach(&engine, &mut opened, &order, Some(built.clone()))?.unwrap_or(built);
    pipeline::flush(&args.dataset)?;
    if let Ok(mut unfinished) = UNFINISHED.lock() {
        unfinished.clear();
    }
    drop(scratch);
    let report = IndexReport::of(&built, metric.name());
    if args.json {
        return print(&report::json(&report));
    }
    let mut table = Table::default();
    table.row("index", &report.line());
    table.list("", &report.why);
    table.row("metric", &format!("{} ({metric_from})", metric.name()));
    table.row("indices", &report.names.join(", "));
    table.row("version", &opened.version().to_string());
    table.row("seconds", &format!("{:.2}", started.elapsed().as_secs_f64()));
    print(&table.finish())
}

fn run_rejects(args: &Rejects) -> Result<Status> {
    let summary = vec2lance::rejects::summary(&args.file, args.examples)?;
    print(&if args.json { report::json(&summary) } else { report::rejects_text(&summary) })
}

fn run_formats(args: &Formats) -> Result<Status> {
    if let Some(name) = &args.print {
        let spec = Spec::built_in(name)?;
        let text = vec2lance::formats::BUILT_IN.iter().find(|(n, _)| *n == spec.name).map_or("", |(_, text)| text);
        return print(text);
    }
    let specs = Spec::all()?;
    if args.json {
        let rows: Vec<_> = specs
            .iter()
            .map(|s| serde_json::json!({"name": s.name, "title": s.title, "about": s.about, "seen": s.seen, "id": s.id.as_ref().map(|i| &i.at), "vector": s.vector.as_ref().map(|v| &v.at), "payload": s.payload}))
            .collect();
        return print(&report::json(&rows));
    }
    let mut table = Table::default();
    for spec in specs {
        table.row(&spec.name, &format!("{} ({})", spec.about, spec.seen));
        let field = |path: Option<&String>| path.map_or("by schema or flag".to_owned(), Clone::clone);
        table.row(
            "",
            &format!("id {}, vector {}, payload {}", field(spec.id.as_ref().map(|i| &i.at)), field(spec.vector.as_ref().map(|v| &v.at)), spec.payload),
        );
    }
    table.row("", "");
    table.row("encodings", "JSON lines, a JSON array, or an object that holds one; plain, zstd or gzip, told by content; Parquet");
    print(&table.finish())
}

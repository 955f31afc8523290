//! Runs `search`.

use vec2lance::cli::Search;
use vec2lance::dataset::{Engine, commit};
use vec2lance::error::{Result, Status};
use vec2lance::look::{Asked, Question, look, look_all};
use vec2lance::report;
use vec2lance::seal::seal;

/// Runs it.
pub(crate) fn run(args: &Search) -> Result<Status> {
    crate::warn_unsealed(&seal());
    let question = match (&args.like, &args.vector, &args.text) {
        (Some(id), _, _) => Question::Like(id.clone()),
        (_, Some(path), _) => Question::Vector(path.clone()),
        (_, _, text) => Question::Text(text.clone().unwrap_or_default()),
    };
    let engine = Engine::new(2)?;
    let opened = commit::open(&engine, &args.dataset)?;
    let asked =
        Asked { question, k: args.k as usize, filter: args.filter.clone(), exact: args.exact, nprobes: args.nprobes, refine_factor: args.refine_factor };
    if let (Question::Vector(path), true) = (&asked.question, args.all) {
        let found = look_all(&engine, &opened, &asked, path)?;
        return crate::print(&if args.json { report::json(&found) } else { report::search_all_text(&found) });
    }
    let found = look(&engine, &opened, &asked)?;
    crate::print(&if args.json { report::json(&found) } else { report::search_text(&found) })
}

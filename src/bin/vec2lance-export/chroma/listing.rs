//! All ids of a collection, from an interface that has neither a cursor nor a snapshot: only `limit` and `offset`.
//!
//! Chroma keeps the order in which records were inserted: an update keeps its place, what is inserted or added again goes to the end,
//! what is deleted lets everything behind it move up. A page that begins where the one before ended therefore loses as many records as
//! were deleted meanwhile. So each page begins some places *before* that end, and must begin with ids that are known: a page is one
//! answer, in itself without gaps, so what follows a known id in it misses nothing. Where a page does not begin with known ids, more
//! was deleted than the pages overlap, and the next one begins further back; at place 0 at the latest, which needs no proof.
//!
//! The first page is as large as an answer may be: a collection of up to [`MOST`] ids comes in a single answer, hence as it was at one
//! moment. A record that is deleted and added again while it is listed can be given twice; `ids.rs` takes the second one out.

use std::collections::{HashMap, VecDeque};
use std::future::Future;

use vec2lance::error::Error;

use crate::http::Failure;

/// Ids of a page at most. At 40 bytes each they are 10 MB.
pub(super) const MOST: usize = 250_000;
/// Ids by which pages overlap, where they are large.
const OVERLAP: usize = 2_000;
/// Known ids that are held, and with that the length of a step back.
const KNOWN: usize = 16_384;
/// How often the listing begins again at place 0.
const RESTARTS: u32 = 1_000;

/// Gives one page of ids.
pub(super) trait Pages: Sync {
    /// Up to `limit` ids from the place `offset`, in the server's order; fewer also where the server has a limit of its own.
    fn page(&self, offset: u64, limit: usize) -> impl Future<Output = Result<Vec<String>, Failure>> + Send;
}

/// How a listing went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Ids that were given on; one may be given more than once.
    pub(super) ids: u64,
    /// Every id came in one answer.
    pub(super) at_once: bool,
    /// It had to begin again.
    pub(super) restarted: bool,
}

/// The ids that were met last, in the server's order of then.
#[derive(Debug, Default)]
struct Known {
    /// Oldest first. An id that was met again stands in it twice; only the later place counts.
    order: VecDeque<(u64, String)>,
    places: HashMap<String, u64>,
    next: u64,
}

impl Known {
    /// Notes an id at the end, wherever it was.
    fn meet(&mut self, id: String) {
        self.next += 1;
        self.places.insert(id.clone(), self.next);
        self.order.push_back((self.next, id));
        while self.order.len() > KNOWN {
            if let Some((place, id)) = self.order.pop_front()
                && self.places.get(&id) == Some(&place)
            {
                self.places.remove(&id);
            }
        }
    }

    /// Whether the page begins with ids that are known, in their order. A single one could be a record that was deleted and added
    /// again behind the gap.
    fn begin(&self, page: &[String]) -> bool {
        let [first, second, ..] = page else { return false };
        self.places.get(first).zip(self.places.get(second)).is_some_and(|(first, second)| first < second)
    }
}

/// Gives every id that was there from the beginning to the end of the listing to `each` at least once.
///
/// # Errors
/// A page cannot be had, `each` fails, or so much is deleted all the time that no page fits to the one before.
pub(super) async fn list<P: Pages, F>(pages: &P, most: usize, mut each: F) -> Result<Listed, Failure>
where
    F: FnMut(&str) -> Result<(), Failure> + Send,
{
    let mut limit = most.clamp(4, MOST);
    let mut known = Known::default();
    let mut done = Listed { at_once: true, ..Listed::default() };
    // The place behind the last id, as the last answer had it.
    let mut end: u64 = 0;
    let mut back: u64 = 0;
    let (mut restarts, mut stepped) = (0, false);
    // Length of the page before, where it was shorter than asked for: the end, or a limit of the server's own.
    let mut short: Option<usize> = None;
    loop {
        let from = end.saturating_sub(back);
        let page = match pages.page(from, limit).await {
            Err(Failure::TooLarge { .. }) if limit > 4 => {
                limit = (limit / 2).max(4);
                back = back.min(overlap(limit));
                continue;
            }
            page => page?,
        };
        if from > 0 && !known.begin(&page) {
            back += (KNOWN / 2) as u64;
            stepped = true;
            continue;
        }
        if std::mem::take(&mut stepped) && from == 0 {
            (restarts, done.restarted, done.at_once) = (restarts + 1, true, false);
            if restarts > RESTARTS {
                return Err(Error::new("the ids cannot be listed: more is deleted all the time than can be followed")
                    .help("export when less is deleted, or with a --filter that leaves the fleeting records out")
                    .passing()
                    .into());
            }
        }
        end = from + page.len() as u64;
        let was_short = page.len() < limit;
        let length = page.len();
        let mut new = 0;
        for id in page {
            if !known.places.contains_key(&id) {
                each(&id)?;
                new += 1;
            }
            known.meet(id);
        }
        done.ids += new;
        done.at_once &= from == 0 || new == 0;
        if new == 0 && was_short {
            return Ok(done);
        }
        // Two short pages that both brought something: the server gives no longer ones.
        if let Some(cap) = short.filter(|_| was_short && new > 0) {
            limit = limit.min(cap.max(length)).max(4);
        }
        short = was_short.then_some(length);
        back = overlap(limit.min(length)).min(end);
    }
}

/// Ids by which pages of this length overlap; two at least, see [`Known::begin`].
fn overlap(length: usize) -> u64 {
    (length / 8).clamp(2, OVERLAP) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    /// A server whose records change between two answers.
    struct Fleeting {
        rows: Mutex<Vec<String>>,
        changes: Mutex<VecDeque<Change>>,
        cap: usize,
    }

    #[derive(Debug, Clone)]
    enum Change {
        Delete(usize, usize),
        Insert(usize),
        AddAgain(usize),
    }

    impl Pages for Fleeting {
        async fn page(&self, offset: u64, limit: usize) -> Result<Vec<String>, Failure> {
            let mut rows = self.rows.lock().expect("whole");
            let from = usize::try_from(offset).expect("small").min(rows.len());
            let page = rows[from..].iter().take(limit.min(self.cap)).cloned().collect();
            let (change, next) = {
                let mut changes = self.changes.lock().expect("whole");
                (changes.pop_front(), changes.len())
            };
            match change {
                Some(Change::Delete(at, n)) if !rows.is_empty() => {
                    let at = at % rows.len();
                    let end = (at + n).min(rows.len());
                    rows.drain(at..end);
                }
                Some(Change::Insert(n)) => {
                    rows.extend((0..n).map(|i| format!("new-{next}-{i}")));
                }
                Some(Change::AddAgain(at)) if !rows.is_empty() => {
                    let at = at % rows.len();
                    let row = rows.remove(at);
                    rows.push(row);
                }
                _ => {}
            }
            Ok(page)
        }
    }

    fn run(server: &Fleeting, most: usize) -> (Listed, Vec<String>) {
        let mut got = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let listed = runtime.block_on(list(server, most, |id| {
            got.push(id.to_owned());
            Ok(())
        }));
        (listed.expect("it ends"), got)
    }

    fn server(rows: usize, cap: usize, changes: Vec<Change>) -> Fleeting {
        Fleeting { rows: Mutex::new((0..rows).map(|i| format!("r{i}")).collect()), changes: Mutex::new(changes.into()), cap }
    }

    #[test]
    fn nothing_changes() {
        for rows in [0, 1, 2, 3, 5, 99, 100, 101, 1000] {
            for cap in [usize::MAX, 40] {
                let (listed, got) = run(&server(rows, cap, vec![]), 100);
                assert_eq!(got.len(), rows, "{rows} rows, {cap} at once");
                assert_eq!(listed.at_once, rows <= cap.min(100), "{rows} rows, {cap} at once");
                assert!(!listed.restarted);
            }
        }
    }

    #[test]
    fn a_known_id_behind_the_gap_proves_nothing() {
        // r99 is known, and stands behind what was not listed yet once it was added again.
        let changes = vec![Change::AddAgain(99), Change::Delete(0, 90)];
        let (_, got) = run(&server(400, usize::MAX, changes), 100);
        let got: BTreeSet<_> = got.into_iter().collect();
        assert!((100..400).all(|i| got.contains(&format!("r{i}"))));
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            (0..2000_usize, 1..300_usize).prop_map(|(at, n)| Change::Delete(at, n)),
            (1..50_usize).prop_map(Change::Insert),
            (0..2000_usize).prop_map(Change::AddAgain),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_there_all_the_time_is_listed(rows in 0..2000_usize, cap in 8..400_usize, most in 4..300_usize, changes in prop::collection::vec(change(), 0..30)) {
            let server = server(rows, cap, changes);
            let (_, got) = run(&server, most);
            let listed: BTreeSet<&str> = got.iter().map(String::as_str).collect();
            for row in server.rows.lock().expect("whole").iter().filter(|r| r.starts_with('r')) {
                prop_assert!(listed.contains(row.as_str()), "{} is missing", row);
            }
        }
    }
}

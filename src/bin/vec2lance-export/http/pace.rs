//! How fast and how often: the rate, the number of requests at once, and the tries of one request. Shared by all clients of a run, and
//! by those that speak another protocol than HTTP.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep, sleep_until};

use super::failure::Failure;

/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause that we choose.
const LONGEST: Duration = Duration::from_mins(1);
/// The longest pause that a server may ask for.
const PATIENCE: Duration = Duration::from_mins(10);

/// Why one try failed.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// It may succeed later.
    Again {
        /// What happened, as words.
        reason: String,
        /// The pause that the server asks for.
        after: Option<Duration>,
    },
    /// It will not.
    Stop(Failure),
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self::Stop(failure)
    }
}

/// Rate, concurrency and retries of a run. Cheap to clone; clones share all of it.
#[derive(Debug, Clone)]
pub(crate) struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Time between two requests; zero without a limit.
    gap: Duration,
    /// When the next request may start.
    next: Mutex<Instant>,
    at_once: Semaphore,
    retries: u32,
    /// Pauses are multiplied by this, in thousandths: tests do not wait.
    scale: u64,
}

/// Requests of this process.
static REQUESTS: AtomicU64 = AtomicU64::new(0);
/// Those of them that were further tries.
static RETRIED: AtomicU64 = AtomicU64::new(0);

/// Requests of this process so far, and how many of them were further tries.
#[must_use]
pub(crate) fn requests() -> (u64, u64) {
    (REQUESTS.load(Ordering::Relaxed), RETRIED.load(Ordering::Relaxed))
}

impl Pace {
    /// `rate` requests a second (none: no limit), `at_once` of them at the same time, `retries` further tries of each.
    pub(crate) fn new(rate: Option<f64>, at_once: usize, retries: u32) -> Self {
        let gap = rate.filter(|r| *r > 0.0).and_then(|r| Duration::try_from_secs_f64(1.0 / r).ok()).unwrap_or_default();
        // Not documented: for the tests, which would wait for hours otherwise.
        let scale = std::env::var("VEC2LANCE_TEST_PAUSES").ok().and_then(|v| v.parse().ok()).unwrap_or(1000);
        Self(Arc::new(Inner { gap, next: Mutex::new(Instant::now()), at_once: Semaphore::new(at_once.max(1)), retries, scale }))
    }

    /// Tries `once` until it succeeds, gives a lasting failure, or the tries are used up.
    ///
    /// # Errors
    /// The lasting failure, or [`Failure::Exhausted`].
    pub(crate) async fn retry<T, F, W>(&self, what: &str, mut once: F) -> Result<T, Failure>
    where
        F: FnMut() -> W,
        W: Future<Output = Result<T, Attempt>>,
    {
        let mut tries = 0;
        loop {
            let answer = {
                // Only closing it makes this fail, and nobody does.
                let _permit = self.0.at_once.acquire().await;
                self.turn().await;
                REQUESTS.fetch_add(1, Ordering::Relaxed);
                once().await
            };
            tries += 1;
            let (reason, after) = match answer {
                Ok(value) => return Ok(value),
                Err(Attempt::Stop(failure)) => return Err(failure),
                Err(Attempt::Again { reason, after }) => (reason, after),
            };
            if tries > self.0.retries {
                return Err(Failure::Exhausted { what: what.to_owned(), tries, last: reason });
            }
            RETRIED.fetch_add(1, Ordering::Relaxed);
            match after {
                // The server speaks to all of us, not to this request alone.
                Some(asked) => self.hold(self.scaled(asked.min(PATIENCE))).await,
                None => sleep(self.scaled(pause(tries))).await,
            }
        }
    }

    fn scaled(&self, pause: Duration) -> Duration {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros.saturating_mul(self.0.scale) / 1000)
    }

    /// Waits for the moment at which the next request may start.
    async fn turn(&self) {
        let at = {
            let mut next = self.0.next.lock().await;
            let at = (*next).max(Instant::now());
            *next = at + self.0.gap;
            at
        };
        sleep_until(at).await;
    }

    /// Lets no request start before the pause is over.
    async fn hold(&self, pause: Duration) {
        let until = Instant::now() + pause;
        {
            let mut next = self.0.next.lock().await;
            *next = (*next).max(until);
        }
        sleep_until(until).await;
    }
}

/// The pause after so many tries: doubled each time, of which a random part from half to all is waited.
fn pause(tries: u32) -> Duration {
    let full = FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1))).min(LONGEST);
    full.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// The value of `Retry-After`: seconds, or a date.
#[must_use]
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some((until.to_utc() - chrono::Utc::now()).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_may_ask_for_seconds_or_until_a_date() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("-1"), None);
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let later = (chrono::Utc::now() + chrono::TimeDelta::seconds(100)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        assert!(retry_after(&later).is_some_and(|d| (98..=100).contains(&d.as_secs())));
    }

    #[test]
    fn pauses_grow_to_a_minute() {
        assert!((250..=500).contains(&pause(1).as_millis()));
        assert!((30..=60).contains(&pause(20).as_secs()));
    }
}

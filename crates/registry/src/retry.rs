//! Decides when a request is tried again, and how long to wait before. The
//! errors say what is worth another attempt.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::RegistryError;
use crate::under_way::Waits;

/// So many good answers to others show that a registry that is busy (429, 503) is
/// not down: of thousands of requests, some are refused several times in a row.
const ALIVE: u64 = 100;

/// That helps a request up to so many times the attempts that it has anyway.
const MOST: u32 = 4;

/// How often something is tried, and the pauses between: the first pause is
/// `delay`, each further one three times as long, plus up to a tenth so that
/// many clients do not come back at once. A registry's `Retry-After` is
/// honoured when it is longer. No pause is longer than `max_delay`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all; 1 means no second one.
    pub attempts: u32,
    /// The first pause.
    pub delay: Duration,
    /// The longest pause.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    /// Three attempts, after 1 and 3 seconds, as in ko; up to one minute when
    /// the registry asks for it.
    fn default() -> Self {
        Self { attempts: 3, delay: Duration::from_secs(1), max_delay: Duration::from_secs(60) }
    }
}

/// What was done before giving up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Attempts in all.
    pub attempts: u32,
    /// From the beginning of the first to the end of the last.
    pub elapsed: Duration,
    /// Where, as a URL names it.
    pub host: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (attempts, seconds) = (self.attempts, self.elapsed.as_secs_f64());
        write!(f, "{attempts} attempts in {seconds:.1}s at {}", self.host)
    }
}

/// The attempts made so far at one thing.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    policy: &'a RetryPolicy,
    waits: &'a Waits,
    /// The good answers of the run, to whatever request.
    good: &'a AtomicU64,
    /// How many there were when the attempts that count began.
    seen: u64,
    begun: Instant,
    /// All of them.
    all: u32,
    /// Those since the last one that came further.
    made: u32,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(policy: &'a RetryPolicy, waits: &'a Waits, good: &'a AtomicU64) -> Self {
        let seen = good.load(Ordering::Relaxed);
        Self { policy, waits, good, seen, begun: Instant::now(), all: 0, made: 0 }
    }

    /// The last attempt has come further than the one before, and counts as
    /// the first.
    pub(crate) fn progressed(&mut self) {
        self.made = 0;
    }

    /// Waits until the next attempt, or gives the error back if there is to
    /// be none.
    pub(crate) async fn pause(
        &mut self,
        error: RegistryError,
        transient: fn(&RegistryError) -> bool,
    ) -> Result<(), RegistryError> {
        self.made += 1;
        self.all += 1;
        if !transient(&error) {
            return Err(error);
        }
        let good = self.good.load(Ordering::Relaxed);
        if error.is_busy() && good - self.seen >= ALIVE && self.all / MOST < self.policy.attempts {
            (self.made, self.seen) = (1, good);
        }
        if self.made >= self.policy.attempts {
            return Err(error.after(self.all, self.begun.elapsed()));
        }
        let pause = self.wait(error.retry_after());
        let _wait = self.waits.enter(format!("the pause after {error}"));
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn wait(&self, asked: Option<Duration>) -> Duration {
        let factor = 3_u32.saturating_pow(self.made - 1);
        let backoff = self.policy.delay.saturating_mul(factor).min(self.policy.max_delay);
        let jitter = backoff.mul_f64(fastrand::f64() / 10.0);
        backoff.saturating_add(jitter).max(asked.unwrap_or_default()).min(self.policy.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;
    use reqwest::{Method, StatusCode};

    use super::*;
    use crate::answer::Failure;
    use crate::request_line::RequestLine;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let (policy, waits, good) =
            (RetryPolicy::default(), Waits::default(), AtomicU64::default());
        let wait = |made, asked: Option<u64>| {
            let attempts = Attempts { made, ..Attempts::new(&policy, &waits, &good) };
            attempts.wait(asked.map(Duration::from_secs)).as_secs_f64()
        };
        for (made, asked, low, high) in [
            (1, None, 1.0, 1.1),
            (2, None, 3.0, 3.3),
            (1, Some(10), 10.0, 10.0),
            (2, Some(1), 3.0, 3.3),
            (1, Some(100_000), 60.0, 60.0),
            (9, None, 60.0, 60.0),
            (90, None, 60.0, 60.0),
        ] {
            let got = wait(made, asked);
            assert!((low..=high).contains(&got), "{made} {asked:?}: {got}");
        }
    }

    fn refusal(status: u16) -> RegistryError {
        let url = "https://r.example/v2/".parse().unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        RegistryError::Status {
            request: RequestLine::new(&Method::GET, &url),
            failure: Box::new(Failure::new(status, &HeaderMap::new(), None)),
        }
    }

    #[tokio::test]
    async fn a_registry_that_answers_others_is_only_busy() {
        let policy = RetryPolicy { delay: Duration::ZERO, ..RetryPolicy::default() };
        for (status, answers, want) in
            [(503, ALIVE / 4, 3), (503, ALIVE, 13), (429, ALIVE, 13), (500, ALIVE, 3)]
        {
            // What was answered before says nothing of now.
            let (waits, good) = (Waits::default(), AtomicU64::new(ALIVE));
            let mut attempts = Attempts::new(&policy, &waits, &good);
            let mut made = 1;
            while attempts.pause(refusal(status), RegistryError::is_transient).await.is_ok() {
                good.fetch_add(answers, Ordering::Relaxed);
                made += 1;
            }
            assert_eq!(made, want, "{status} {answers}");
        }
    }
}

//! Decides when a request is tried again, and how long to wait before. The
//! errors say what is worth another attempt.

use std::time::Duration;

use crate::error::RegistryError;

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

impl RetryPolicy {
    pub(crate) fn start(&self) -> Attempts<'_> {
        Attempts { policy: self, made: 0 }
    }
}

/// The attempts made so far at one thing.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    policy: &'a RetryPolicy,
    made: u32,
}

impl Attempts<'_> {
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
        if self.made >= self.policy.attempts || !transient(&error) {
            return Err(error);
        }
        tokio::time::sleep(self.wait(error.retry_after())).await;
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
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let policy = RetryPolicy::default();
        let wait = |made, asked: Option<u64>| {
            Attempts { policy: &policy, made }.wait(asked.map(Duration::from_secs)).as_secs_f64()
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
}

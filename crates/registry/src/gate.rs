//! Bounds how much is under way at one registry. A registry that is asked too
//! much says so (429); the bound follows what it takes.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::{Semaphore, SemaphorePermit};

/// A bound that is halved when the registry refuses, and grows by one as soon as
/// everything that it lets through has been answered well.
#[derive(Debug)]
pub(crate) struct Gate {
    permits: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    most: usize,
    bound: usize,
    /// Permits that are out, and go when they come back.
    surplus: usize,
    /// How often the bound was lowered. What was sent before counts no more:
    /// many requests at once are refused for one reason.
    round: u64,
    /// Good answers since the bound has changed.
    answered: usize,
}

impl Gate {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        let state = State { most, bound: most, surplus: 0, round: 0, answered: 0 };
        Self { permits: Semaphore::new(most), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Waits until one more may be under way.
    pub(crate) async fn enter(&self) -> Permit<'_> {
        let inner = self.permits.acquire().await.expect("the semaphore is never closed");
        Permit { gate: self, inner: Some(inner), round: self.state().round }
    }

    /// Halves the bound.
    fn lower(&self) {
        let mut state = self.state();
        let bound = (state.bound / 2).max(1);
        let less = state.bound - bound;
        state.surplus += less - self.permits.forget_permits(less);
        (state.bound, state.answered) = (bound, 0);
        state.round += 1;
    }

    /// Lets one more through.
    fn raise(&self) {
        let mut state = self.state();
        if state.bound == state.most {
            return;
        }
        (state.bound, state.answered) = (state.bound + 1, 0);
        match state.surplus.checked_sub(1) {
            Some(left) => state.surplus = left,
            None => self.permits.add_permits(1),
        }
    }
}

/// One that is under way.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    gate: &'a Gate,
    inner: Option<SemaphorePermit<'a>>,
    round: u64,
}

impl Permit<'_> {
    /// The registry wants less.
    pub(crate) fn refused(&self) {
        if self.gate.state().round == self.round {
            self.gate.lower();
        }
    }

    /// The registry has answered.
    pub(crate) fn answered(&self) {
        let mut state = self.gate.state();
        if state.bound == state.most || state.round != self.round {
            return;
        }
        state.answered += 1;
        let is_enough = state.answered >= state.bound;
        drop(state);
        if is_enough {
            self.gate.raise();
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if let Some(left) = state.surplus.checked_sub(1)
            && let Some(inner) = self.inner.take()
        {
            state.surplus = left;
            inner.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// How many may enter now.
    fn free(gate: &Gate) -> usize {
        let mut inside = Vec::new();
        while let Some(permit) = gate.enter().now_or_never() {
            inside.push(permit);
        }
        inside.len()
    }

    #[test]
    fn the_bound_follows_the_answers() {
        let gate = Gate::new(8);
        let enter = || gate.enter().now_or_never().unwrap();
        let burst: Vec<_> = (0..8).map(|_| enter()).collect();
        // One reason, told eight times.
        burst.iter().for_each(Permit::refused);
        assert!(gate.enter().now_or_never().is_none());
        // What was sent before says nothing about the new bound.
        burst.iter().for_each(Permit::answered);
        drop(burst);
        for bound in [4, 5, 6, 7] {
            for _ in 0..bound {
                assert_eq!(free(&gate), bound);
                enter().answered();
            }
        }
        enter().answered();
        assert_eq!(free(&gate), 8);
    }

    #[test]
    fn one_is_always_let_through() {
        let gate = Gate::new(3);
        for _ in 0..3 {
            let permit = gate.enter().now_or_never().unwrap();
            permit.refused();
        }
        assert_eq!(free(&gate), 1);
        assert_eq!(free(&Gate::new(0)), 1);
    }

    #[test]
    fn a_bound_that_was_raised_again_takes_back_what_should_go() {
        let gate = Gate::new(4);
        let burst: Vec<_> = (0..4).map(|_| gate.enter().now_or_never().unwrap()).collect();
        gate.lower();
        gate.raise();
        drop(burst);
        assert_eq!(free(&gate), 3);
    }
}

//! The time between an edit and a run. People need longer for it than the clock
//! of a file system takes to tick; tests do not, and what was edited while a
//! build ran, or so shortly before that the clock cannot tell, is built again.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than the longest tick, and what a run takes to begin.
const PAUSE: Duration = Duration::from_millis(40);

thread_local! {
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Something was edited by this thread, for the next command that it runs.
pub fn edited() {
    LAST.set(Some(Instant::now()));
}

/// Waits as long as is left of the pause after the last edit.
pub(crate) fn settle() {
    if let Some(last) = LAST.take() {
        thread::sleep(PAUSE.saturating_sub(last.elapsed()));
    }
}

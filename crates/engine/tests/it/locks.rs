//! Two runs of one checkout: nobody waits for memory with the lock of an output
//! in hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use ko_engine::{Event, PlatformMatcher};

use crate::fixture::{Fixture, build_with};

#[test]
fn runs_with_opposite_arguments_do_not_wait_for_each_other() {
    let fixture = Fixture::new();
    let both = Arc::new(Barrier::new(2));
    let runs = [["./cmd/a", "./cmd/b"], ["./cmd/b", "./cmd/a"]].map(|words| {
        let mut options = fixture.options("cache", 2);
        options.platforms = PlatformMatcher::parse(&["linux/amd64"]).unwrap();
        options.destination.push = false;
        // One link at a time takes all there is.
        options.limits.memory = 64 << 20;
        let (both, first) = (Arc::clone(&both), AtomicBool::new(true));
        let look = move |event: &Event| {
            if matches!(event, Event::Building { .. }) && first.swap(false, Ordering::Relaxed) {
                both.wait();
            }
        };
        thread::spawn(move || build_with(options, &words, 512, look).0.unwrap().len())
    });
    assert_eq!(runs.map(|run| run.join().unwrap()), [2, 2]);
}

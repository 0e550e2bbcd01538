//! Explains a panic: either the system allows no further thread, or this program has a
//! fault. It then ends the process with an error's exit code; a panic alone would abort it.

use std::io::Write as _;
use std::panic::PanicHookInfo;

use crate::shown::shown;

/// The exit code of any error.
const FAILURE: i32 = 1;

/// Installs the hook for the panics of all threads.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(end));
}

#[allow(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "no thread that panics comes back to `main`"
)]
fn end(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let words = words(panic.payload_as_str().unwrap_or_default(), &place);
    // Nothing that another thread may hold is waited for.
    let _ = std::io::stderr().write_all(shown(&words).as_bytes());
    std::process::exit(FAILURE);
}

fn words(message: &str, place: &str) -> String {
    // std and tokio panic with these words. tokio cannot be told to return an error instead.
    if message.contains("spawn") && message.contains("thread") {
        let hint = "raise the limit of processes of this user (`ulimit -u`) or of this container";
        format!("Error: the system allows no further thread: {message}\nhint: {hint}\n")
    } else {
        let hint = "please report it, with the command and all that it has printed";
        format!("Error: ko has a fault: {message} ({place})\nhint: {hint}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn limits_are_no_fault() {
        for message in [
            "failed to spawn thread: Os { code: 11, kind: WouldBlock }",
            "OS can't spawn worker thread: Resource temporarily unavailable (os error 11)",
        ] {
            let words = words(message, "a.rs:1:2");
            assert!(words.starts_with("Error: the system allows no further thread: "), "{words}");
        }
        let want = "Error: ko has a fault: no such key (a.rs:1:2)\n\
                    hint: please report it, with the command and all that it has printed\n";
        assert_eq!(words("no such key", "a.rs:1:2"), want);
    }
}

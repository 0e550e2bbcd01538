//! Asks whoever is at the terminal. Where nobody is, nothing is asked.

use std::io::{self, BufRead as _, IsTerminal as _};

use crate::ui;

/// Whether somebody is there who reads and types.
pub(crate) fn is_answered() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question, and returns the line that is typed.
pub(crate) fn ask(question: &str) -> Option<String> {
    if !is_answered() {
        return None;
    }
    ui::print_stderr(question);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks for a secret, which is not shown while it is typed.
#[cfg(unix)]
pub(crate) fn ask_secret(question: &str) -> Option<String> {
    use crate::signals::Signals;
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

    let before = tcgetattr(io::stdin()).ok()?;
    let mut hidden = before.clone();
    hidden.local_modes -= LocalModes::ECHO;
    // Ctrl-C gives the terminal back as it was.
    let shown = before.clone();
    Signals::end_process_after(move || {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &shown);
        ui::print_stderr("\n");
    });
    tcsetattr(io::stdin(), OptionalActions::Flush, &hidden).ok()?;
    let answer = ask(question);
    let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
    if answer.is_some() {
        ui::print_stderr("\n");
    }
    answer
}

/// Elsewhere there is no way to hide it.
#[cfg(not(unix))]
pub(crate) fn ask_secret(_: &str) -> Option<String> {
    None
}

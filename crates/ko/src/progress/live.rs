//! Draws the view of a run on a terminal, ten times a second at most, and keeps it
//! below whatever else is written there.

use std::fmt::Write as _;
#[cfg(unix)]
use std::sync::Once;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use console::{Term, measure_text_width};
use engine::{Counters, Observer, Published};

use super::board::Board;
use crate::streams;

const PERIOD: Duration = Duration::from_millis(100);

type Counter = Box<dyn Fn() -> Counters + Send + Sync>;

/// How many bytes have left for a repository.
type MovedTo = Box<dyn Fn(&str) -> u64 + Send + Sync>;

/// There is one standard error, so there is one view.
static SCREEN: Mutex<Option<Screen>> = Mutex::new(None);

struct Screen {
    board: Board,
    counters: Option<(Counter, MovedTo)>,
    /// The lines that stand on the terminal.
    drawn: Vec<String>,
    /// Those who have the terminal for themselves.
    holds: usize,
    /// Whether something was written that ends in no line end.
    open: bool,
}

fn screen() -> MutexGuard<'static, Option<Screen>> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The view of a run.
#[derive(Debug)]
pub(super) struct Live {
    /// What is left when the view has ended.
    board: Mutex<Option<Board>>,
}

impl Live {
    pub(super) fn begin(color: bool) -> Self {
        let board = Board::new(Instant::now(), color);
        *screen() =
            Some(Screen { board, counters: None, drawn: Vec::new(), holds: 0, open: false });
        engine::when_lent(hold);
        Self { board: Mutex::new(None) }
    }

    /// An observer that keeps the view up to date, and shows what another shows.
    pub(super) fn observe(&self, observer: Observer) -> Observer {
        observer.after(|event| {
            if let Some(screen) = &mut *screen() {
                screen.board.note(event, Instant::now());
            }
        })
    }

    /// The run begins: from now on the view is drawn.
    pub(super) fn run(&self, counter: Counter, moved_to: MovedTo) {
        if let Some(screen) = &mut *screen() {
            screen.counters = Some((counter, moved_to));
        }
        let draw = || {
            loop {
                thread::sleep(PERIOD);
                let mut screen = screen();
                let Some(screen) = &mut *screen else { return };
                screen.draw();
            }
        };
        // Where no thread can be had, nothing is drawn. It has a name for those who
        // measure it.
        let _ = thread::Builder::new().name("view".to_owned()).spawn(draw);
        #[cfg(unix)]
        {
            static LISTENS: Once = Once::new();
            LISTENS.call_once(suspend);
        }
    }

    /// Takes the view off the terminal, for good.
    pub(super) fn end(&self) {
        let Some(mut screen) = screen().take() else { return };
        screen.clear();
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        *board = Some(screen.board);
    }

    /// What is left of the view.
    pub(super) fn summary(&self, published: &[Published], counted: Counters) -> String {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let summary = board.as_ref().map(|board| board.summary(published, counted, Instant::now()));
        summary.unwrap_or_default()
    }

    /// What is left of the view of a run that has failed.
    pub(super) fn rest(&self, counted: Counters) -> String {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = board.as_ref().map(|board| board.rest(counted, Instant::now()));
        rest.unwrap_or_default()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes a text above the view; gives it back if there is none.
pub(crate) fn print_above(text: String) -> Option<String> {
    let mut screen = screen();
    let Some(screen) = &mut *screen else { return Some(text) };
    screen.clear();
    screen.open = !text.ends_with('\n');
    streams::print_stderr(text);
    None
}

/// Somebody else has the terminal, or gives it back.
pub(crate) fn hold(held: bool) {
    let mut screen = screen();
    let Some(screen) = &mut *screen else { return };
    if held {
        screen.holds += 1;
        screen.clear();
    } else {
        screen.holds = screen.holds.saturating_sub(1);
    }
}

impl Screen {
    /// Draws the view anew.
    fn draw(&mut self) {
        // A terminal that stands still gets it when it moves again.
        let counters = self.counters.as_ref().filter(|_| self.holds == 0);
        let Some((counter, moved_to)) = counters else { return };
        if streams::is_slow() {
            return;
        }
        let (height, columns) = size();
        // The last column would begin a new line.
        let room = (columns.saturating_sub(1), height);
        let lines = self.board.lines(room, counter(), moved_to, Instant::now());
        if lines == self.drawn {
            return;
        }
        // Terminals that know it show the whole at once.
        let mut text = String::from("\x1b[?2026h");
        if std::mem::take(&mut self.open) {
            text.push('\n');
        }
        text.push_str(&up(&self.drawn, columns));
        for line in &lines {
            let _ = writeln!(text, "{line}\x1b[K");
        }
        text.push_str("\x1b[J\x1b[?2026l");
        streams::print_stderr(text);
        self.drawn = lines;
    }

    /// Takes the view away.
    fn clear(&mut self) {
        if !self.drawn.is_empty() {
            let (_, columns) = size();
            streams::print_stderr(format!("{}\x1b[J", up(&self.drawn, columns)));
            self.drawn.clear();
        }
    }
}

/// Lines and columns.
fn size() -> (usize, usize) {
    let (height, columns) = Term::stderr().size_checked().unwrap_or((24, 80));
    (usize::from(height), usize::from(columns))
}

/// Goes to the first of the lines that were drawn. A terminal that has become
/// narrower has broken them.
fn up(drawn: &[String], columns: usize) -> String {
    let rows = |line: &String| measure_text_width(line).div_ceil(columns.max(1)).max(1);
    match drawn.iter().map(rows).sum::<usize>() {
        0 => String::new(),
        rows => format!("\r\x1b[{rows}A"),
    }
}

/// Leaves the terminal to the shell when the user stops the process (Ctrl-Z), and
/// takes it back when it goes on. A terminal that is gone ends the run as SIGTERM does:
/// by itself, SIGHUP would end us and leave `go` behind. Once they are caught, the
/// signals do nothing by themselves, so this goes on as long as the process, also when
/// the view has ended. (`nohup` has standard error elsewhere, and so no view.)
#[cfg(unix)]
fn suspend() {
    use rustix::process::{Signal, getpid, kill_process};
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    let heard = {
        let _inside = runtime.enter();
        let stopped = signal(SignalKind::from_raw(Signal::TSTP.as_raw()));
        stopped.and_then(|stopped| Ok((stopped, signal(SignalKind::hangup())?)))
    };
    let Ok((mut stopped, mut hung_up)) = heard else { return };
    thread::spawn(move || {
        loop {
            let is_stopped = runtime.block_on(async {
                tokio::select! {
                    Some(()) = stopped.recv() => true,
                    Some(()) = hung_up.recv() => false,
                    else => std::future::pending().await,
                }
            });
            if !is_stopped {
                let _ = kill_process(getpid(), Signal::TERM);
                continue;
            }
            hold(true);
            let _ = kill_process(getpid(), Signal::STOP);
            hold(false);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::up;

    #[test]
    fn lines_that_a_narrower_terminal_has_broken_are_counted() {
        let drawn = ["0123456789", "\x1b[1mab\x1b[0m", ""].map(str::to_owned);
        assert_eq!(up(&drawn, 80), "\r\x1b[3A");
        assert_eq!(up(&drawn, 4), "\r\x1b[5A");
        assert_eq!(up(&[], 4), "");
    }
}

//! Ends a run that takes too long (`--timeout`), and says what it was doing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::{Edge, Event, Observer, Stage, UnderWay, Work};
use tokio::time::Instant;

use crate::error::CommandError;

/// How much of what goes on is told.
const TOLD: usize = 3;

/// When a run must be done.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    limit: Duration,
    end: Instant,
    /// The stages that go on.
    going: Arc<Mutex<Vec<Work>>>,
}

impl Deadline {
    /// The run begins now.
    pub(crate) fn begin(limit: Duration) -> Self {
        Self { limit, end: Instant::now() + limit, going: Arc::default() }
    }

    /// An observer that notes what another shows.
    pub(crate) fn observe(&self, observer: Observer) -> Observer {
        let deadline = self.clone();
        observer.after(move |event| deadline.note(event))
    }

    fn going(&self) -> MutexGuard<'_, Vec<Work>> {
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, event: &Event) {
        let Event::Stage { work, edge } = event else { return };
        let mut going = self.going();
        match edge {
            Edge::Begin => going.push(work.clone()),
            Edge::End => {
                if let Some(at) = going.iter().position(|other| other == work) {
                    going.remove(at);
                }
            }
        }
    }

    /// Ends when the time is up.
    pub(crate) async fn passed(&self) {
        tokio::time::sleep_until(self.end).await;
    }

    /// The error of a run that was ended. `waits` is what it was waiting for at
    /// registries.
    pub(crate) fn error(&self, waits: &[UnderWay]) -> CommandError {
        let wait =
            |wait: &UnderWay| format!("{} for {:.1}s", wait.what, wait.elapsed.as_secs_f64());
        let mut told: Vec<String> = waits.iter().map(wait).collect();
        // Those that wait for registries have been told of.
        let own = |work: &&Work| {
            !matches!(work.stage, Stage::Base | Stage::Upload | Stage::Publish | Stage::Wait)
        };
        told.extend(self.going().iter().filter(own).map(named));
        let more = told.len().saturating_sub(TOLD);
        told.truncate(TOLD);
        if more > 0 {
            told.push(format!("{more} more"));
        }
        let doing = if told.is_empty() { "nothing".to_owned() } else { told.join("; ") };
        let message = format!("timed out after {:?} with this under way: {doing}", self.limit);
        CommandError::new(message).hint(Some("--timeout gives a run more time".to_owned()))
    }
}

fn named(work: &Work) -> String {
    let mut text = work.stage.name().to_owned();
    let of = [work.import_path.clone(), work.platform.as_ref().map(ToString::to_string)];
    for part in of.into_iter().flatten() {
        text.push(' ');
        text.push_str(&part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(stage: Stage, import_path: &str) -> Work {
        Work { stage, import_path: Some(import_path.to_owned()), platform: None }
    }

    #[test]
    fn an_error_tells_what_goes_on() {
        let deadline = Deadline::begin(Duration::from_secs(90));
        let told = |waits: &[UnderWay]| deadline.error(waits).message().to_owned();
        assert_eq!(told(&[]), "timed out after 90s with this under way: nothing");
        let wait =
            UnderWay { what: "GET http://r/v2/".into(), elapsed: Duration::from_millis(1_250) };
        for (stage, path) in [(Stage::Compile, "a"), (Stage::Compile, "b"), (Stage::Upload, "c")] {
            deadline.note(&Event::Stage { work: work(stage, path), edge: Edge::Begin });
        }
        deadline.note(&Event::Stage { work: work(Stage::Compile, "a"), edge: Edge::End });
        assert_eq!(
            told(std::slice::from_ref(&wait)),
            "timed out after 90s with this under way: GET http://r/v2/ for 1.2s; compile b"
        );
        let all = told(&[wait.clone(), wait.clone(), wait]);
        assert!(all.ends_with("GET http://r/v2/ for 1.2s; 1 more"), "{all}");
    }
}

//! Asks registries: may images be pushed, are the bases there, do the others that the
//! configuration names answer; and compares the clock with theirs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use engine::probe::{RegistryProbe, RegistryProblem, Skew};
use engine::registries::Registries;
use engine::{
    BaseReference, DestinationOptions, Network, PlatformMatcher, Registry, Repository, keychain,
};
use report::Check;
use tokio::task::JoinSet;

use super::limited;
use crate::cli::PublishArgs;
use crate::environment::Process;
use crate::error::Result;
use crate::network;

/// With a clock that is further off than this many seconds, some registries refuse
/// tokens and signatures.
const OFF: u64 = 60;

/// With this, most do.
const FAR_OFF: u64 = 300;

/// What is said of registries that do not know how to cancel an upload.
const STAYS: &str = "; the upload that was opened to ask is not cancelled: the registry forgets \
                     it by itself";

/// What the clouds' keychains have said, by registry.
type Clouds = Arc<Mutex<HashMap<String, String>>>;

/// How registries are asked, and what is noted of those of clouds.
pub(super) struct Way {
    network: Network,
    clouds: Clouds,
}

pub(super) fn network(
    process: &Process,
    registries: Registries,
    publish: &PublishArgs,
) -> Result<Way> {
    let clouds = Clouds::default();
    let noted = Arc::clone(&clouds);
    let observer = keychain::Observer::new(move |answered| {
        let said = match &answered.source {
            Ok(source) => source.clone(),
            Err(problem) => format!("none: {} says {problem}", answered.cloud),
        };
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert(answered.registry.clone(), said);
    });
    let mut network = network::network(process, registries, publish, Some(observer))?;
    // Who asks what is wrong is told at once.
    network.retry.attempts = 1;
    Ok(Way { network, clouds })
}

/// Where images are pushed to.
pub(super) struct Destination {
    /// That of one image; `None` if what is said of it is no repository.
    pub(super) repository: Option<Repository>,
    pub(super) options: DestinationOptions,
}

/// Asks all registries at once.
pub(super) async fn ask(
    Way { network, clouds }: Way,
    destination: Option<Destination>,
    (bases, wanted): (Vec<BaseReference>, Option<PlatformMatcher>),
    hosts: Vec<Registry>,
) -> Vec<Check> {
    let asker = match RegistryProbe::new(&network) {
        Ok(probe) => Arc::new(Asker { probe, clouds }),
        Err(problem) => {
            return vec![Check::problem("registry", problem.to_string()).hint(problem.hint())];
        }
    };
    let mut asked = JoinSet::new();
    let mut count = 0;
    let mut next = || {
        count += 1;
        count
    };
    if let Some(destination) = destination {
        let (place, asker) = (next(), Arc::clone(&asker));
        asked.spawn(async move {
            let push = async { vec![asker.push(&destination).await] };
            (place, limited("push", push).await)
        });
    }
    for base in bases {
        let (place, asker, wanted) = (next(), Arc::clone(&asker), wanted.clone());
        asked.spawn(async move {
            let look = async { vec![asker.base(&base, wanted.as_ref()).await] };
            (place, limited("base", look).await)
        });
    }
    for host in hosts {
        let (place, asker) = (next(), Arc::clone(&asker));
        asked.spawn(async move {
            (place, limited("registry", async { vec![asker.registry(&host).await] }).await)
        });
    }
    let mut all = asked.join_all().await;
    all.sort_by_key(|(place, _)| *place);
    let mut checks: Vec<Check> = all.into_iter().flat_map(|(_, checks)| checks).collect();
    checks.push(clock(&asker.probe.skews()));
    checks
}

struct Asker {
    probe: RegistryProbe,
    clouds: Clouds,
}

impl Asker {
    /// Where the credentials come from, in words.
    async fn who(&self, repository: &Repository) -> std::result::Result<String, RegistryProblem> {
        let found = self.probe.credentials(repository).await?;
        let clouds = self.clouds.lock().unwrap_or_else(PoisonError::into_inner);
        let cloud = clouds.get(repository.registry().as_str());
        Ok(match found {
            Some(source) if source.is_empty() => {
                cloud.map_or_else(|| "a cloud's keychain".to_owned(), Clone::clone)
            }
            Some(source) => source,
            None => cloud.map_or_else(|| "none".to_owned(), Clone::clone),
        })
    }

    async fn push(&self, Destination { repository, options }: &Destination) -> Check {
        const NAME: &str = "push";
        let Some(repository) = repository else {
            return Check::problem(NAME, format!("{} is no repository", options.repository));
        };
        let full = repository.full_name();
        let who = match self.who(repository).await {
            Ok(who) => who,
            Err(problem) => {
                return Check::problem(NAME, problem.to_string())
                    .hint(problem.hint())
                    .fact("repository", full);
            }
        };
        let check = if options.preflight {
            match self.probe.may_push(repository).await {
                Ok(is_cancelled) => {
                    let stays = if is_cancelled { "" } else { STAYS };
                    let message = format!("{full} may be pushed to; credentials: {who}{stays}");
                    Check::ok(NAME, message)
                }
                Err(problem) => self.refused(options, repository, &problem, &who).await,
            }
        } else {
            Check::ok(NAME, format!("{full} is not asked (--no-preflight); credentials: {who}"))
        };
        check.fact("repository", full).fact("credentials", who)
    }

    /// What is said where pushing is refused, or fails.
    async fn refused(
        &self,
        options: &DestinationOptions,
        repository: &Repository,
        problem: &RegistryProblem,
        who: &str,
    ) -> Check {
        const NAME: &str = "push";
        let full = repository.full_name();
        if problem.is_of_repository() {
            let itself = options.repository.parse::<Repository>().ok();
            let itself = itself.filter(|itself| itself.full_name() != full);
            if let Some(itself) = itself
                && self.probe.may_push(&itself).await.is_ok()
            {
                let itself = itself.full_name();
                let message = format!(
                    "{itself} may be pushed to, and {full} not: {problem}; credentials: {who}"
                );
                return Check::warning(NAME, message)
                    .hint(format!("--bare pushes to {itself} itself"));
            }
            if self.probe.may_read(repository).await {
                let message =
                    format!("{full} may be read, and not pushed to: {problem}; credentials: {who}");
                return Check::problem(NAME, message).hint(problem.hint());
            }
        }
        let message = format!("{full} cannot be pushed to: {problem}; credentials: {who}");
        Check::problem(NAME, message).hint(problem.hint())
    }

    /// A base, which should have images for the `wanted` platforms, if some are named.
    async fn base(&self, base: &BaseReference, wanted: Option<&PlatformMatcher>) -> Check {
        const NAME: &str = "base";
        let BaseReference::Registry { raw, reference } = base else {
            let message = format!("{base} needs no registry");
            return self.for_platforms((base, wanted), NAME, message).await;
        };
        let who = match self.who(reference.repository()).await {
            Ok(who) => who,
            Err(problem) => {
                return Check::problem(NAME, problem.to_string()).hint(problem.hint());
            }
        };
        let check = match self.probe.base(base).await {
            Ok(true) => {
                let message = format!("{raw} is there; credentials: {who}");
                self.for_platforms((base, wanted), NAME, message).await
            }
            Ok(false) => Check::problem(NAME, format!("there is no {raw}; credentials: {who}"))
                .hint("see defaultBaseImage and baseImageOverrides in `ko config`"),
            Err(problem) => {
                let message = format!("{raw} cannot be read: {problem}; credentials: {who}");
                Check::problem(NAME, message).hint(problem.hint())
            }
        };
        check.fact("base", raw).fact("credentials", who)
    }

    /// A base of which nothing is wrong but, perhaps, its platforms.
    async fn for_platforms(
        &self,
        (base, wanted): (&BaseReference, Option<&PlatformMatcher>),
        name: &str,
        message: String,
    ) -> Check {
        let Some(wanted) = wanted else { return Check::ok(name, message) };
        match self.probe.lacking(base, wanted).await {
            Ok(lacking) if lacking.is_empty() => Check::ok(name, message),
            Ok(lacking) => {
                let lacking: Vec<String> = lacking.iter().map(ToString::to_string).collect();
                let message = format!("{message}; it has no image for {}", lacking.join(", "));
                Check::warning(name, format!("{message}: images are built without that"))
                    .hint("name a base for all platforms, or fewer platforms")
            }
            Err(problem) => Check::problem(name, problem.to_string()).hint(problem.hint()),
        }
    }

    /// One that the configuration names. Nothing is pushed to it.
    async fn registry(&self, host: &Registry) -> Check {
        const NAME: &str = "registry";
        // Credentials are looked up for repositories.
        let who = match format!("{host}/ko").parse::<Repository>() {
            Ok(any) => self.who(&any).await,
            Err(_) => Ok("none".to_owned()),
        };
        let who = match who {
            Ok(who) => who,
            Err(problem) => {
                return Check::problem(NAME, problem.to_string()).hint(problem.hint());
            }
        };
        let check = match self.probe.greet(host).await {
            Ok(()) => Check::ok(NAME, format!("{host} answers; credentials: {who}")),
            Err(problem) => Check::problem(NAME, format!("{host}: {problem}")).hint(problem.hint()),
        };
        check.fact("registry", host.to_string()).fact("credentials", who)
    }
}

/// The clock, compared with that of the registry that it differs most from.
fn clock(skews: &[Skew]) -> Check {
    const NAME: &str = "clock";
    let Some(Skew { server, seconds }) = skews.iter().max_by_key(|skew| skew.seconds.abs()) else {
        return Check::ok(NAME, "no registry has answered that it could be compared with");
    };
    let off = seconds.unsigned_abs();
    let direction = if *seconds < 0 { "behind" } else { "ahead of" };
    let message = format!("{off} s {direction} that of {server}");
    let check = match off {
        0..=OFF => Check::ok(NAME, message),
        off if off <= FAR_OFF => Check::warning(NAME, message),
        _ => Check::problem(NAME, message),
    };
    let check = match off {
        0..=OFF => check,
        _ => check.hint("set the clock, as with `sudo timedatectl set-ntp true`: registries refuse tokens and signatures of another time"),
    };
    check.fact("seconds", seconds.to_string()).fact("server", server)
}

#[cfg(test)]
mod tests {
    use report::Status;

    use super::*;

    #[test]
    fn the_clock_may_be_a_little_off() {
        let skews = |seconds: &[i64]| {
            let skew = |seconds: &i64| Skew { server: format!("r{seconds}"), seconds: *seconds };
            clock(&seconds.iter().map(skew).collect::<Vec<_>>())
        };
        for (seconds, status, message) in [
            (&[][..], Status::Ok, "no registry has answered that it could be compared with"),
            (&[0], Status::Ok, "0 s ahead of that of r0"),
            (&[-60, 3], Status::Ok, "60 s behind that of r-60"),
            (&[61], Status::Warning, "61 s ahead of that of r61"),
            (&[-300], Status::Warning, "300 s behind that of r-300"),
            (&[301, 0], Status::Problem, "301 s ahead of that of r301"),
        ] {
            let check = skews(seconds);
            assert_eq!((check.status, &*check.message), (status, message));
        }
    }
}

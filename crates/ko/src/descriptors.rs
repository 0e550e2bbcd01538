//! Finds out how many files may be open at a time, which bounds how much is built at a
//! time.

/// How many are asked for. More would only cost those children that close all that they
/// could have inherited.
#[cfg(unix)]
const WANTED: u64 = 16 << 10;

/// Raises the bound as far as the system lets everybody, who need not know of it, and
/// returns it.
#[cfg(unix)]
pub(crate) fn descriptors() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let found = getrlimit(Resource::Nofile);
    let most = found.maximum.map_or(WANTED, |most| most.min(WANTED));
    let wanted = Rlimit { current: Some(most), maximum: found.maximum };
    let now = match found.current {
        Some(current) if current < most => match setrlimit(Resource::Nofile, wanted) {
            Ok(()) => most,
            Err(_) => current,
        },
        Some(current) => current,
        None => most,
    };
    usize::try_from(now).unwrap_or(usize::MAX)
}

/// Elsewhere there is no bound that anybody meets.
#[cfg(not(unix))]
pub(crate) fn descriptors() -> usize {
    usize::MAX
}

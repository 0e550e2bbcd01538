//! Decides which packs programs keep, and which objects get into new ones. It does no
//! I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::contents::{Pack, Prefix};

/// How large the objects of a pack are together, at most.
const LARGEST: u64 = 128 << 20;

/// How many packs programs may have. A build adds a few, so these are those of the last
/// ten or so; then the smaller ones become one.
const MOST: usize = 48;

/// An object that programs are linked from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) action: Prefix,
    pub(super) size: u64,
}

/// What is to be written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Packs that are there and stay in use.
    pub(super) kept: Vec<Pack>,
    /// The objects of new packs, by their places.
    pub(super) new: Vec<Vec<usize>>,
}

/// Plans packs of objects for `programs`, each of which has the places of its own.
/// Objects that the same programs need are together, so that none fetches what it does
/// not need; `there` are the packs of their last builds.
pub(super) fn plan(objects: &[Object], programs: &[&BTreeSet<usize>], there: &[Pack]) -> Plan {
    let live: HashSet<Prefix> = objects.iter().map(|object| object.action).collect();
    // What is mostly unused costs more than it saves.
    let used = |pack: &&Pack| {
        let count = pack.actions.iter().filter(|action| live.contains(action)).count();
        count > 0 && 2 * count >= pack.actions.len()
    };
    let mut seen = HashSet::new();
    let mut kept: Vec<Pack> =
        there.iter().filter(used).filter(|pack| seen.insert(pack.digest)).cloned().collect();
    if kept.len() > MOST {
        kept.sort_by_key(|pack| std::cmp::Reverse(pack.raw));
        kept.truncate(MOST / 2);
    }
    let packed: HashSet<Prefix> = kept.iter().flat_map(|pack| &pack.actions).copied().collect();
    let mut needed: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (program, places) in programs.iter().enumerate() {
        for &place in *places {
            needed.entry(place).or_default().push(program);
        }
    }
    let mut groups: HashMap<Vec<usize>, (usize, u64)> = HashMap::new();
    let mut new: Vec<Vec<usize>> = Vec::new();
    for (place, object) in objects.iter().enumerate() {
        let Some(needed) = needed.remove(&place).filter(|_| !packed.contains(&object.action))
        else {
            continue;
        };
        let group = groups.entry(needed).or_insert((usize::MAX, 0));
        if group.0 == usize::MAX || group.1 + object.size > LARGEST {
            *group = (new.len(), 0);
            new.push(Vec::new());
        }
        new[group.0].push(place);
        group.1 += object.size;
    }
    Plan { kept, new }
}

#[cfg(test)]
mod tests {
    use golang::CacheId;
    use oci::Digest;

    use super::*;

    fn object(number: usize, size: u64) -> Object {
        Object { action: Prefix::of(&CacheId::of(&number.to_le_bytes())), size }
    }

    fn pack(numbers: impl IntoIterator<Item = usize>, raw: u64) -> Pack {
        let actions: Vec<Prefix> =
            numbers.into_iter().map(|number| object(number, 0).action).collect();
        let digest = Digest::of(format!("{actions:?}").as_bytes());
        Pack { digest, size: 1, raw, actions }
    }

    #[test]
    fn objects_are_with_those_that_the_same_programs_need() {
        let objects: Vec<Object> = (0..6).map(|number| object(number, 1)).collect();
        let (one, other) = (BTreeSet::from([0, 1, 2, 4]), BTreeSet::from([0, 1, 3, 4]));
        let found = plan(&objects, &[&one, &other], &[]);
        assert_eq!(found, Plan { kept: vec![], new: vec![vec![0, 1, 4], vec![2], vec![3]] });
    }

    #[test]
    fn packs_that_are_used_stay() {
        let objects: Vec<Object> = (0..6).map(|number| object(number, 1)).collect();
        let all = BTreeSet::from_iter(0..6);
        let (good, half, bad) = (pack([0, 1], 2), pack([2, 9], 2), pack([3, 7, 8], 3));
        let there = [good.clone(), half.clone(), bad, pack([7], 1), good.clone()];
        let found = plan(&objects, &[&all], &there);
        assert_eq!(found, Plan { kept: vec![good, half], new: vec![vec![3, 4, 5]] });
    }

    #[test]
    fn packs_have_a_bound_and_small_ones_become_one() {
        let objects: Vec<Object> = (0..3).map(|number| object(number, LARGEST / 2)).collect();
        let all = BTreeSet::from_iter(0..3);
        assert_eq!(plan(&objects, &[&all], &[]).new, [vec![0, 1], vec![2]]);
        let objects: Vec<Object> = (0..=MOST).map(|number| object(number, 1)).collect();
        let all = BTreeSet::from_iter(0..=MOST);
        let there: Vec<Pack> = (0..=MOST).map(|number| pack([number], number as u64)).collect();
        let found = plan(&objects, &[&all], &there);
        assert_eq!((found.kept.len(), found.new.len()), (MOST / 2, 1));
        assert_eq!(found.new[0].len(), MOST + 1 - MOST / 2);
    }
}

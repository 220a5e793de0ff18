//! Explores every reachable state of a model, breadth first.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Debug, Display};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A model to explore.
pub(crate) trait Model {
    /// Everything that the next transitions depend on.
    type State: Clone + Hash;
    /// The name of a transition, in a trace and in the coverage.
    type Label: Copy + Eq + Hash + Display;
    /// A property that must hold in every state.
    type Property: Copy + Debug;

    /// Returns the initial state.
    fn initial(&self) -> Self::State;

    /// Adds each transition out of `state`, in a deterministic order.
    fn successors(&self, state: &Self::State, out: &mut Vec<(Self::Label, Self::State)>);

    /// Returns a property that does not hold in `state`.
    fn broken(&self, state: &Self::State) -> Option<Self::Property>;

    /// Returns true for a state that the exploration should reach.
    fn is_wanted(&self, state: &Self::State) -> bool;
}

/// The result of an exploration.
pub(crate) struct Explored<M: Model> {
    /// The number of distinct states.
    pub(crate) states: usize,
    /// The number of times that each transition was taken.
    pub(crate) taken: HashMap<M::Label, usize, BuildHasherDefault<Fingerprint>>,
    /// Whether a wanted state was reached.
    pub(crate) wanted: bool,
    /// A shortest path to a state in which a property does not hold.
    pub(crate) counterexample: Option<Counterexample<M>>,
}

/// A property, and a shortest path to a state in which it does not hold.
pub(crate) struct Counterexample<M: Model> {
    pub(crate) broken: M::Property,
    pub(crate) steps: Vec<M::Label>,
}

/// The maximum number of states in a test.
const MANY: usize = 20_000_000;

/// Explores `model` until a property breaks or no state is left.
pub(crate) fn explore<M: Model>(model: &M) -> Explored<M> {
    let mut nodes = Nodes::default();
    let mut frontier = VecDeque::new();
    let mut explored = Explored {
        states: 0,
        taken: HashMap::default(),
        wanted: false,
        counterexample: None,
    };
    let initial = model.initial();
    nodes.insert(&initial, 0, 0);
    frontier.push_back((initial, 0));
    let mut successors = Vec::new();
    while let Some((state, node)) = frontier.pop_front() {
        assert!(
            nodes.parents.len() < MANY,
            "more states than a test should take"
        );
        if let Some(broken) = model.broken(&state) {
            let steps = trace(model, &nodes.way_to(node));
            explored.counterexample = Some(Counterexample { broken, steps });
            break;
        }
        explored.wanted |= model.is_wanted(&state);
        successors.clear();
        model.successors(&state, &mut successors);
        for (choice, (label, next)) in successors.drain(..).enumerate() {
            *explored.taken.entry(label).or_default() += 1;
            if let Some(found) = nodes.insert(&next, node, choice) {
                frontier.push_back((next, found));
            }
        }
    }
    explored.states = nodes.parents.len();
    explored
}

/// The visited states: their fingerprints, and how each was reached.
#[derive(Default)]
struct Nodes {
    /// Two states count as one if all 128 bits collide.
    found: HashMap<u128, (), BuildHasherDefault<Truncated>>,
    /// The parent of each node, and the node's index among the parent's successors.
    parents: Vec<(u32, u16)>,
}

impl Nodes {
    /// Inserts a state, and returns its number if it is new.
    fn insert<S: Hash>(&mut self, state: &S, parent: u32, choice: usize) -> Option<u32> {
        if self.found.insert(Fingerprint::of(state), ()).is_some() {
            return None;
        }
        let number = u32::try_from(self.parents.len()).expect("fewer than 2^32 states");
        let choice = u16::try_from(choice).expect("fewer than 2^16 successors");
        self.parents.push((parent, choice));
        Some(number)
    }

    fn way_to(&self, mut node: u32) -> Vec<u16> {
        let mut way = Vec::new();
        while node != 0 {
            let (parent, choice) = self.parents[node as usize];
            way.push(choice);
            node = parent;
        }
        way.reverse();
        way
    }
}

/// Replays a path, because only the states of the frontier are kept.
fn trace<M: Model>(model: &M, way: &[u16]) -> Vec<M::Label> {
    let mut state = model.initial();
    let mut labels = Vec::new();
    for choice in way {
        let mut successors = Vec::new();
        model.successors(&state, &mut successors);
        let (label, next) = successors.swap_remove(usize::from(*choice));
        labels.push(label);
        state = next;
    }
    labels
}

impl<M: Model> Display for Counterexample<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:?} is broken by {} steps:",
            self.broken,
            self.steps.len()
        )?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        Ok(())
    }
}

/// A 128-bit hasher with two multiplications per word, by different odd constants.
#[derive(Default)]
pub(crate) struct Fingerprint {
    low: u64,
    high: u64,
}

impl Fingerprint {
    /// Returns the fingerprint of `value`.
    pub(crate) fn of(value: &impl Hash) -> u128 {
        let mut hasher = Self::default();
        value.hash(&mut hasher);
        hasher.fingerprint()
    }

    fn fingerprint(&self) -> u128 {
        u128::from(scramble(self.low)) << 64 | u128::from(scramble(self.high ^ self.low))
    }
}

/// The finalizer of MurmurHash3. Each input bit changes about half of the output bits.
fn scramble(mut word: u64) -> u64 {
    word ^= word >> 33;
    word = word.wrapping_mul(0xff51_afd7_ed55_8ccd);
    word ^= word >> 33;
    word = word.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}

impl Hasher for Fingerprint {
    fn write_u64(&mut self, word: u64) {
        self.low = (self.low.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.high = (self.high ^ word)
            .wrapping_mul(0xd6e8_feb8_6659_fd93)
            .rotate_left(31);
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, discriminant: isize) {
        self.write_u64(discriminant as u64);
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn finish(&self) -> u64 {
        scramble(self.low)
    }
}

/// Returns the low half of a fingerprint, which is already well mixed.
#[derive(Default)]
struct Truncated(u64);

impl Hasher for Truncated {
    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = (fingerprint & u128::from(u64::MAX)) as u64;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are looked up")
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two counters that each count to three, in any order.
    struct Counters {
        forbidden: Option<[u8; 2]>,
    }

    impl Model for Counters {
        type State = [u8; 2];
        type Label = usize;
        type Property = &'static str;

        fn initial(&self) -> [u8; 2] {
            [0, 0]
        }

        fn successors(&self, state: &[u8; 2], out: &mut Vec<(usize, [u8; 2])>) {
            for counter in 0..2 {
                let mut next = *state;
                next[counter] += 1;
                if next[counter] <= 3 {
                    out.push((counter, next));
                }
            }
        }

        fn broken(&self, state: &[u8; 2]) -> Option<&'static str> {
            (Some(*state) == self.forbidden).then_some("forbidden")
        }

        fn is_wanted(&self, state: &[u8; 2]) -> bool {
            *state == [3, 3]
        }
    }

    #[test]
    fn explore_finds_each_state_once() {
        let explored = explore(&Counters { forbidden: None });
        assert_eq!(explored.states, 16);
        assert_eq!(explored.taken.values().sum::<usize>(), 24);
        assert!(explored.wanted);
        assert!(explored.counterexample.is_none());
    }

    #[test]
    fn explore_finds_a_shortest_way_to_what_is_forbidden() {
        let explored = explore(&Counters {
            forbidden: Some([2, 1]),
        });
        let found = explored.counterexample.expect("a forbidden state");
        assert_eq!(found.broken, "forbidden");
        assert_eq!(found.steps.len(), 3);
        assert_eq!(found.steps.iter().sum::<usize>(), 1);
    }

    #[test]
    fn fingerprints_of_similar_states_differ() {
        let mut seen = Nodes::default();
        for one in 0..=u8::MAX {
            for other in 0..=u8::MAX {
                assert!(seen.insert(&[one, other], 0, 0).is_some());
            }
        }
    }
}

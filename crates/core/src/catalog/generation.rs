//! Generations of records, and the floor below which an accepted rollback lifts them.
//!
//! A state remembers the generation of each record that it has seen, and rejects an older one. A
//! catalog that was restored from a backup is older than what states remember. An operator who
//! accepts that writes a floor to the organization's record: from then on, every record counts as
//! at least of that generation, and every state that has seen less has seen an abandoned history.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::{
    BackendDocument, CatalogError, CatalogErrorKind, DefaultBackendRecord, EntryRecord,
    ORGANIZATION_RECORD, OfKey, OrganizationRecord, SecretDocument,
};

/// A record as the catalog stores it, perhaps with generations of its own.
pub(crate) trait Generations: OfKey + DeserializeOwned {
    /// Raises each generation of the record to `floor`, unless it is greater.
    fn raise_to(&mut self, floor: u64);
}

/// The least generation of each record of a catalog, shared by all of its users in a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct GenerationFloor(Arc<AtomicU64>);

/// The greatest floor. Generations stay exact in JSON numbers, and leave room for 2^32 writes.
const MAX_FLOOR: u64 = (1 << 53) - (1 << 32);

/// How many generations a second has.
const PER_SECOND_BITS: u32 = 20;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

impl GenerationFloor {
    /// Returns the floor; 0 unless a rollback was accepted.
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Learns the floor of an organization's record. A floor is never lowered.
    pub(crate) fn learn(&self, record: &OrganizationRecord) {
        self.0.fetch_max(record.floor, Ordering::AcqRel);
    }

    /// Checks that a record that nobody has verified yet has a floor that a rollback may have
    /// set by now, with a day for clocks that differ.
    ///
    /// States remember the floor of a record without verifying it. A forged one beyond every
    /// time would leave no greater one to accept.
    ///
    /// # Errors
    ///
    /// `Corrupt`.
    pub(crate) fn expect_plausible(record: &OrganizationRecord) -> Result<(), CatalogError> {
        let tomorrow = Timestamp::now().as_second() + SECONDS_PER_DAY;
        let greatest = u64::try_from(tomorrow).unwrap_or_default() << PER_SECOND_BITS;
        if record.floor <= greatest.min(MAX_FLOOR) {
            return Ok(());
        }
        let error = CatalogError::new(CatalogErrorKind::Corrupt, "read", ORGANIZATION_RECORD);
        Err(error.with_remedy(
            "Its floor is in the future. Check this machine's clock. If it is right, somebody has \
             altered the record: restore it from a backup.",
        ))
    }

    /// Returns the floor of a rollback that is accepted at `now`, above every generation that any
    /// state may have seen until then; `None` if the clock is beyond what generations can express.
    ///
    /// No state has to be known. Each write raises a generation by one, and no record is written
    /// 2^20 times a second. So at any time, a generation is below the seconds since 1970, times
    /// 2^20, and so is that of a record whose floor was an earlier time.
    pub(crate) fn at(now: Timestamp, record: &OrganizationRecord) -> Option<u64> {
        let seconds = u64::try_from(now.as_second()).ok()?;
        let by_clock = seconds.checked_mul(1 << PER_SECOND_BITS)?;
        // A clock that went back must not lower what the record says.
        let present = record.generation.max(record.floor);
        let floor = by_clock.max(present.checked_add(1 << PER_SECOND_BITS)?);
        (floor <= MAX_FLOOR).then_some(floor)
    }
}

impl Generations for SecretDocument {
    /// Raises the secrets too: what a state plans from before the rollback is a conflict.
    fn raise_to(&mut self, floor: u64) {
        self.generation = self.generation.max(floor);
        for secret in self.current.iter_mut().chain(&mut self.displaced) {
            secret.generation = secret.generation.max(floor);
        }
    }
}

impl Generations for BackendDocument {
    fn raise_to(&mut self, floor: u64) {
        self.generation = self.generation.max(floor);
        if let Some(backend) = &mut self.backend {
            backend.generation = backend.generation.max(floor);
        }
    }
}

impl Generations for DefaultBackendRecord {
    fn raise_to(&mut self, floor: u64) {
        self.generation = self.generation.max(floor);
        self.changed = self.changed.max(floor);
    }
}

impl Generations for OrganizationRecord {
    /// Does nothing: the record has the floor, and is raised when it is written there.
    fn raise_to(&mut self, _: u64) {}
}

impl Generations for EntryRecord {
    /// Does nothing: an entry has no generation.
    fn raise_to(&mut self, _: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::OrganizationState;
    use uuid::Uuid;

    fn record(generation: u64, floor: u64) -> OrganizationRecord {
        OrganizationRecord {
            generation,
            uuid: Uuid::nil(),
            organization: "acme".parse().expect("a slug"),
            platform_backend: Uuid::nil(),
            main_key: None,
            state: OrganizationState::Initializing,
            escrow: Vec::new(),
            created_at: Timestamp::UNIX_EPOCH,
            floor,
            restoration: None,
            arrived_by: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn a_floor_is_above_every_generation_that_a_million_writes_a_second_reach() {
        let first = GenerationFloor::at(at(1_800_000_000), &record(2, 0)).expect("a floor");
        assert_eq!(first, 1_800_000_000 << 20);
        // Accepted again, after the record itself was rolled back to before the first floor.
        let seen = first + 999_999;
        let second = GenerationFloor::at(at(1_800_000_001), &record(2, 0)).expect("a floor");
        assert!(second > seen, "{second}");
    }

    #[test]
    fn a_clock_that_went_back_does_not_lower_a_floor() {
        let first = 1_800_000_000 << 20;
        let known = record(first + 3, first);
        let second = GenerationFloor::at(at(1_000), &known).expect("a floor");
        assert_eq!(second, first + 3 + (1 << 20));
    }

    #[test]
    fn a_floor_stays_exact_in_json_until_the_year_2242() {
        let year_2242: Timestamp = "2242-01-01T00:00:00Z".parse().expect("a time");
        assert!(GenerationFloor::at(year_2242, &record(2, 0)).is_some());
        let later: Timestamp = "2300-01-01T00:00:00Z".parse().expect("a time");
        assert_eq!(GenerationFloor::at(later, &record(2, 0)), None);
        assert_eq!(GenerationFloor::at(at(-1), &record(2, 0)), None);
    }

    #[test]
    fn a_floor_of_no_acceptance_until_tomorrow_is_refused() {
        let now = u64::try_from(Timestamp::now().as_second()).expect("after 1970");
        for floor in [0, now << PER_SECOND_BITS, (now + 80_000) << PER_SECOND_BITS] {
            GenerationFloor::expect_plausible(&record(2, floor)).expect("plausible");
        }
        for floor in [(now + 90_000) << PER_SECOND_BITS, MAX_FLOOR, u64::MAX] {
            let refused = GenerationFloor::expect_plausible(&record(2, floor));
            let kind = refused.expect_err("in the future").kind();
            assert_eq!(kind, CatalogErrorKind::Corrupt, "{floor}");
        }
    }

    #[test]
    fn a_floor_raises_what_is_below_it_and_nothing_else() {
        let mut default = DefaultBackendRecord {
            generation: 7,
            changed: 3,
            ..DefaultBackendRecord::default()
        };
        default.raise_to(5);
        assert_eq!((default.generation, default.changed), (7, 5));
        default.raise_to(9);
        assert_eq!((default.generation, default.changed), (9, 9));
    }
}

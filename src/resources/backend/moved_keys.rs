//! Keys that may move: settings, such as an alias, that may name another key later.
//!
//! Only a refresh asks the services. It keeps the result in private data, so that a plan and
//! its repetition within the apply, which follows no refresh, decide the same.

use super::keys::{ENCRYPTION, KEY_IDS, all_settings};
use super::state::Identity;
use crate::diagnostics::kept;
use crate::resources::private_state::{CompactField, PrivateState, read_json, write_json};
use crate::session::Configured;
use planton_core::operations::{KekSettings, KeyComparison};
use planton_plugin::{
    Diagnostic, FieldReader, FieldWriter, InvalidPrivateData, PrivateData, Value,
};

/// The keys that may move, as the last apply has saved them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MovableKeys {
    /// Their settings. They come from the configuration: a refresh sends credentials only
    /// where these lead, whatever an unverified record contains.
    settings: Vec<KekSettings>,
    /// Whether a refresh found that one of them is another key by now.
    moved: bool,
}

impl PrivateState for MovableKeys {
    const KEY: &'static str = "k";
}

impl CompactField for MovableKeys {
    fn write_to(&self, to: &mut FieldWriter) {
        write_json(to, &self.settings);
        to.flag(self.moved);
    }

    fn read_from(from: &mut FieldReader<'_>) -> Result<Self, InvalidPrivateData> {
        Ok(Self {
            settings: read_json(from)?,
            moved: from.flag()?,
        })
    }
}

impl MovableKeys {
    /// Returns the keys of an apply, which resolved those that had moved.
    pub(super) fn applied(planned: &Value, session: &Configured) -> Self {
        let connector = session.organization.kek_connector();
        let mut settings = all_settings(planned);
        settings.retain(|settings| connector.may_move(settings));
        Self {
            settings,
            moved: false,
        }
    }

    /// Compares the keys with what their settings name by now. What cannot be compared stays
    /// as the last refresh found it. Warns about a key that no apply can save.
    pub(super) async fn compared(
        self,
        session: &Configured,
        identity: &Identity,
    ) -> (Self, Option<Diagnostic>) {
        let Identity { uuid, name } = identity;
        let backends = session.organization.backends();
        let compared = backends.compare_keys(name, *uuid, &self.settings).await;
        let (moved, warning) = match compared {
            KeyComparison::Same => (false, None),
            KeyComparison::Unknown => (self.moved, None),
            KeyComparison::Kept(key) => (false, Some(kept(name, &key).at(ENCRYPTION))),
            KeyComparison::Moved => (true, None),
        };
        (Self { moved, ..self }, warning)
    }

    /// Adds the keys to `data`, if there are any.
    pub(super) fn kept_beside(&self, data: PrivateData) -> PrivateData {
        match self.settings.is_empty() {
            true => data,
            false => self.beside(data),
        }
    }
}

/// Plans a change if the last refresh found that a key, declared as before, is another one by
/// now: the apply then saves what its settings name.
pub(super) fn decide_moved(planned: &mut Value, private: &PrivateData) -> Result<(), Diagnostic> {
    if MovableKeys::read(private)?.moved {
        planned.set(KEY_IDS, Value::Unknown);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_key_is_planned_from_private_data_alone() {
        let private = |moved| {
            let keys = MovableKeys {
                settings: Vec::new(),
                moved,
            };
            keys.write()
        };
        for (private, is_planned) in [
            (PrivateData::new(), false),
            (private(false), false),
            (private(true), true),
        ] {
            let mut planned = Value::object([(KEY_IDS, Value::list([Value::from("a:b")]))]);
            assert_eq!(decide_moved(&mut planned, &private), Ok(()));
            assert_eq!(planned.attribute(KEY_IDS).is_unknown(), is_planned);
        }
        let mut planned = Value::object([(KEY_IDS, Value::Null)]);
        let damaged = PrivateData::new().with(MovableKeys::KEY, "{");
        assert!(decide_moved(&mut planned, &damaged).is_err());
    }
}

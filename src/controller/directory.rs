//! The index, as the HTTP interface asks it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use plan::AccountName;

use crate::gateway::{Account, Denied, Directory, WorkflowId};
use crate::live::ApiKey;

use super::Lanes;
use super::shared::Shared;

/// The accounts and windows that this process knows, whether it leads or stands by. A process lives in rounds, each with
/// an index of its own: this one goes along with them.
#[derive(Default)]
pub struct Known(Mutex<Option<Arc<Shared>>>);

impl Known {
    /// From now on by the index of these lanes.
    pub fn follow(&self, lanes: &Lanes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&lanes.timetable.shared));
    }

    fn shared(&self) -> Option<Arc<Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Directory for Known {
    fn account(&self, presented: &ApiKey) -> Result<Account, Denied> {
        // Before everything is known, an account that is not there may only not have been seen, and so may a second one
        // with the same key.
        let shared = self.shared().filter(|shared| shared.readiness.is_warm()).ok_or(Denied::NotYet)?;
        let index = shared.index();
        index.account_of_key(presented.digest())
    }

    fn name_of(&self, account: &AccountName, id: &WorkflowId) -> Option<String> {
        let shared = self.shared()?;
        let index = shared.index();
        index.name_of_window(account, id.uid())
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

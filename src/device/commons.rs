//! What the devices of one kind share among themselves, such as sensors that are counted together.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// One thing of each type, made when it is first asked for. A kind asks for a type of its own that no other folder can
/// name: nothing is shared between kinds. Cheap to clone.
#[derive(Clone, Default)]
pub struct Commons(Arc<Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>>);

impl fmt::Debug for Commons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commons")
    }
}

impl Commons {
    /// The kind's own.
    pub fn of<T: Any + Send + Sync + Default>(&self) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = all.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        // What stands under a type is of that type.
        Arc::clone(made).downcast().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Ours(Mutex<u32>);
    #[derive(Default)]
    struct Theirs(Mutex<u32>);

    #[test]
    fn devices_of_one_house_share_what_is_of_their_type() {
        let (house, other) = (Commons::default(), Commons::default());
        *house.of::<Ours>().0.lock().unwrap() = 7;
        assert_eq!(*house.clone().of::<Ours>().0.lock().unwrap(), 7);
        assert_eq!(*house.of::<Theirs>().0.lock().unwrap(), 0);
        assert_eq!(*other.of::<Ours>().0.lock().unwrap(), 0);
    }
}

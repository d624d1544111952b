//! A set of named tasks with one owner.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

/// Tasks that live and die together. Dropping the circle aborts what still runs in it.
#[derive(Debug)]
pub struct Circle<T> {
    tasks: JoinSet<T>,
    names: BTreeMap<Id, String>,
}

/// How a task ended.
#[derive(Debug)]
pub enum Ending<T> {
    /// It returned.
    Returned(T),
    /// It panicked, with these words.
    Panicked(String),
    /// It was aborted.
    Aborted,
}

impl<T: Send + 'static> Default for Circle<T> {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), names: BTreeMap::new() }
    }
}

impl<T: Send + 'static> Circle<T> {
    /// Starts a task under a name.
    pub fn spawn(&mut self, name: &str, task: impl Future<Output = T> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name.to_owned());
    }

    /// The next task that ends; waits for ever while the circle is empty. Cancel-safe.
    pub async fn next(&mut self) -> (String, Ending<T>) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, value))) => (self.name(id), Ending::Returned(value)),
            Some(Err(error)) => (self.name(error.id()), ending(error)),
            None => std::future::pending().await,
        }
    }

    /// Waits until every task has ended, at most `within`; what still runs then is aborted and named.
    pub async fn drain(&mut self, within: Duration) -> Vec<String> {
        let all = async {
            while !self.tasks.is_empty() {
                self.next().await;
            }
        };
        if tokio::time::timeout(within, all).await.is_ok() {
            return Vec::new();
        }
        self.tasks.abort_all();
        std::mem::take(&mut self.names).into_values().collect()
    }

    fn name(&mut self, id: Id) -> String {
        self.names.remove(&id).unwrap_or_default()
    }
}

fn ending<T>(error: JoinError) -> Ending<T> {
    match error.try_into_panic() {
        Ok(payload) => Ending::Panicked(panic_words(payload.as_ref())),
        Err(_) => Ending::Aborted,
    }
}

/// What a panic said.
pub(super) fn panic_words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without words").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_named_and_told_apart_from_a_return() {
        let mut circle = Circle::default();
        circle.spawn("good", async { 7 });
        assert!(matches!(circle.next().await, (name, Ending::Returned(7)) if name == "good"));
        circle.spawn("bad", async { panic!("the sentence") });
        assert!(
            matches!(circle.next().await, (name, Ending::Panicked(words)) if name == "bad" && words == "the sentence")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_that_overruns_its_deadline_names_who_would_not_stop() {
        let mut circle = Circle::default();
        circle.spawn("quick", async {});
        circle.spawn("stuck", std::future::pending());
        assert_eq!(circle.drain(Duration::from_secs(3)).await, ["stuck"]);
    }
}

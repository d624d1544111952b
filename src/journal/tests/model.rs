//! The journal against a model in memory, with crashes: what was acknowledged is there, what was not asked is not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

#[derive(Debug, Clone)]
enum Action {
    Append(Vec<Thing>),
    Accept(usize),
    AcceptUnreadable(usize),
    Step(usize),
    Advance { reader: usize, by: i64, events: Vec<Thing>, command: Option<usize>, key: Option<u8> },
    Confirm(usize, Index),
    Read(usize, Index),
    Reopen,
    Crash,
}

#[derive(Debug, Clone)]
enum Thing {
    Code(u16),
    EndOf(usize),
}

const COMMANDS: usize = 6;

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![3 => any::<u16>().prop_map(Thing::Code), 1 => (0..COMMANDS).prop_map(Thing::EndOf)]
}

fn action() -> impl Strategy<Value = Action> {
    let things = || proptest::collection::vec(thing(), 0..6);
    prop_oneof![
        5 => things().prop_map(Action::Append),
        3 => (0..COMMANDS).prop_map(Action::Accept),
        1 => (0..COMMANDS).prop_map(Action::AcceptUnreadable),
        3 => (0..COMMANDS).prop_map(Action::Step),
        3 => (0..2_usize, 0..3_i64, things(), proptest::option::of(0..COMMANDS), proptest::option::of(0..3_u8))
            .prop_map(|(reader, by, events, command, key)| Action::Advance { reader, by, events, command, key }),
        2 => (0..3_usize, any::<Index>()).prop_map(|(class, place)| Action::Confirm(class, place)),
        1 => (0..3_usize, any::<Index>()).prop_map(|(class, place)| Action::Read(class, place)),
        1 => Just(Action::Reopen),
        2 => Just(Action::Crash),
    ]
}

#[derive(Debug, Default, Clone)]
struct Filed {
    dispatched: bool,
    end: Option<Event>,
}

/// What the journal must say.
#[derive(Default)]
struct Model {
    events: Vec<Event>,
    filed: Vec<(CommandId, Filed)>,
    confirmed: BTreeMap<Class, Row>,
    cursors: BTreeMap<String, Row>,
    state: BTreeMap<(String, String), Vec<u8>>,
}

fn id(n: usize) -> CommandId {
    CommandId::new(&format!("c-{n}")).unwrap()
}

impl Model {
    fn filed(&mut self, id: &CommandId) -> Option<&mut Filed> {
        self.filed.iter_mut().find(|(known, _)| known == id).map(|(_, filed)| filed)
    }

    fn push(&mut self, draft: Draft) -> Event {
        let class = draft.body.class();
        let seq = self.events.iter().filter(|event| event.class() == class).count() as u64 + 1;
        let row = self.events.last().map_or(1, |event| event.row.0 + 1);
        let event = Event { row: Row(row), seq: Seq(seq), draft };
        self.events.push(event.clone());
        event
    }

    fn append(&mut self, drafts: Vec<Draft>) -> Vec<Row> {
        let mut rows = Vec::new();
        for draft in drafts {
            if let Body::Observed(Observation::Ended(outcome)) = &draft.body {
                let id = outcome.command.clone();
                if self.filed(&id).is_none_or(|filed| filed.end.is_some()) {
                    continue;
                }
                let event = self.push(draft);
                rows.push(event.row);
                self.filed(&id).unwrap().end = Some(event);
            } else {
                rows.push(self.push(draft).row);
            }
        }
        rows
    }

    fn open_commands(&self) -> Vec<(CommandId, CommandState)> {
        let state = |filed: &Filed| {
            if filed.dispatched { CommandState::Dispatched } else { CommandState::Accepted }
        };
        let open = self.filed.iter().filter(|(_, filed)| filed.end.is_none());
        open.map(|(id, filed)| (id.clone(), state(filed))).collect()
    }
}

struct Trial {
    dir: TempDir,
    clock: Clock,
    journal: Journal,
    model: Model,
}

impl Trial {
    async fn new() -> Self {
        let (dir, clock) = (TempDir::new().unwrap(), clock(1));
        let (journal, _) = open(dir.path(), &clock);
        let model = Model { events: journal.after(Row(0), 10).await.unwrap(), ..Model::default() };
        Self { dir, clock, journal, model }
    }

    fn drafts(&self, things: &[Thing]) -> Vec<Draft> {
        let draft = |thing: &Thing| match thing {
            Thing::Code(value) => code(&self.clock, &value.to_string()),
            Thing::EndOf(n) => ended(&self.clock, &id(*n), Ended::Done),
        };
        things.iter().map(draft).collect()
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Append(things) => {
                let drafts = self.drafts(&things);
                let rows = self.journal.append(drafts.clone()).await.unwrap();
                assert_eq!(rows, self.model.append(drafts));
            }
            Action::Accept(n) => self.accept(Intake::Command(command(&format!("c-{n}")))).await,
            Action::AcceptUnreadable(n) => {
                self.accept(Intake::Refused { id: id(n), reason: Reason::new("unreadable") }).await;
            }
            Action::Step(n) => self.step(&id(n)).await,
            Action::Advance { reader, by, events, command, key } => {
                self.advance(&format!("flow.{reader}"), by, &events, command, key).await;
            }
            Action::Confirm(class, place) => self.confirm(Class::ALL[class], place).await,
            Action::Read(class, place) => self.read(Class::ALL[class], place).await,
            Action::Reopen => {
                self.journal.clone().close().await.unwrap();
                assert!(matches!(self.journal.stats().await, Err(JournalError::Closed)));
                self.journal = open(self.dir.path(), &self.clock).0;
                self.check(true).await;
            }
            Action::Crash => {
                let copy = copy_of(self.dir.path());
                self.journal.clone().close().await.unwrap();
                self.dir = copy;
                let (journal, opened) = open(self.dir.path(), &self.clock);
                assert_eq!(opened, Opened::Existing);
                self.journal = journal;
                self.check(false).await;
            }
        }
    }

    async fn accept(&mut self, intake: Intake) {
        let accepted = self.journal.accept(intake.clone()).await.unwrap();
        if let Some(filed) = self.model.filed(intake.id()) {
            assert_eq!(accepted, Accepted::Seen(filed.end.clone().map(Box::new)));
            return;
        }
        assert_eq!(accepted, Accepted::New);
        self.model.filed.push((intake.id().clone(), Filed::default()));
        if let Intake::Refused { id, reason } = intake {
            let last = self.journal.head().borrow().row;
            let event = self.journal.after(Row(last.0 - 1), 1).await.unwrap().remove(0);
            let expected = Outcome { command: id, ended: Ended::Refused(reason) };
            assert_eq!(event.draft.body, Body::Observed(Observation::Ended(expected)));
            assert_eq!(self.model.append(vec![event.draft]), [last]);
        }
    }

    async fn step(&mut self, id: &CommandId) {
        let stepped = self.journal.step_dispatched(id).await;
        match self.model.filed(id) {
            Some(filed) if !filed.dispatched && filed.end.is_none() => {
                stepped.unwrap();
                filed.dispatched = true;
            }
            _ => assert!(matches!(stepped, Err(JournalError::NotAccepted(_)))),
        }
    }

    async fn advance(&mut self, reader: &str, by: i64, things: &[Thing], asked: Option<usize>, key: Option<u8>) {
        let at = self.model.cursors.get(reader).copied().unwrap_or_default();
        let change = |key: u8| Change { key: key.to_string(), value: Some(vec![key]), expires: None };
        let effects = Effects {
            events: self.drafts(things),
            commands: asked.map(|n| command(&format!("c-{n}"))).into_iter().collect(),
            state: key.map(change).into_iter().collect(),
        };
        let row = Row(at.0 + by);
        let advanced = self.journal.advance(reader, row, effects.clone()).await;
        if by == 0 {
            assert!(matches!(advanced, Err(JournalError::NoAdvance { .. })));
            return;
        }
        assert_eq!(advanced.unwrap(), self.model.append(effects.events));
        for command in effects.commands {
            if self.model.filed(&command.id).is_none() {
                self.model.filed.push((command.id, Filed::default()));
            }
        }
        for change in effects.state {
            self.model.state.insert((reader.to_owned(), change.key), change.value.unwrap());
        }
        self.model.cursors.insert(reader.to_owned(), row);
    }

    async fn confirm(&mut self, class: Class, place: Index) {
        let row = self.model.events[place.index(self.model.events.len())].row;
        self.journal.confirm(class, row).await.unwrap();
        let last = self.model.events.iter().filter(|event| event.class() == class).map(|event| event.row).max();
        let confirmed = self.model.confirmed.entry(class).or_default();
        *confirmed = (*confirmed).max(row.min(last.unwrap_or_default()));
        assert_eq!(self.journal.confirmed(class).await.unwrap(), *confirmed);
    }

    async fn read(&self, class: Class, place: Index) {
        let after = self.model.events[place.index(self.model.events.len())].row;
        let lane = |event: &&Event| event.class() == class && event.row > after;
        let expected: Vec<_> = self.model.events.iter().filter(lane).take(3).cloned().collect();
        assert_eq!(self.journal.unsent(class, after, 3).await.unwrap(), expected);
        let merged: Vec<_> = self.model.events.iter().filter(|event| event.row > after).take(5).cloned().collect();
        assert_eq!(self.journal.after(after, 5).await.unwrap(), merged);
    }

    /// Everything, as the journal tells it after it was opened again.
    async fn check(&mut self, orderly: bool) {
        assert_eq!(self.journal.after(Row(0), 1000).await.unwrap(), self.model.events);
        let open = self.journal.open_commands().await.unwrap();
        let open: Vec<_> = open.into_iter().map(|(command, state)| (command.id, state)).collect();
        assert_eq!(open, self.model.open_commands());
        for class in Class::ALL {
            let asked = self.model.confirmed.get(&class).copied().unwrap_or_default();
            let kept = self.journal.confirmed(class).await.unwrap();
            assert!(if orderly { kept == asked } else { kept <= asked }, "{class:?}: {kept} of {asked}");
            self.model.confirmed.insert(class, kept);
        }
        for (reader, row) in &self.model.cursors {
            assert_eq!(self.journal.cursor(reader).await.unwrap(), *row);
        }
        for ((owner, key), value) in &self.model.state {
            assert_eq!(self.journal.state(owner, key).await.unwrap().as_ref(), Some(value));
        }
        let verdict = ReadOnly::open(self.dir.path()).unwrap().verify().unwrap();
        assert_eq!(verdict, Verdict { events: self.model.events.len() as u64, findings: vec![] });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_journal_does_what_its_model_does_through_crashes(actions in proptest::collection::vec(action(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut trial = Trial::new().await;
            for action in actions {
                trial.act(action).await;
            }
            trial.act(Action::Crash).await;
            trial.act(Action::Reopen).await;
        });
    }
}

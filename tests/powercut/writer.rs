//! The process whose writes are recorded: a real journal that does everything a journal does, and notes in the file
//! `acks` what it tries and what it was answered.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use smartstore::clock::{Clock, Trust};
use smartstore::journal::{Change, Effects, Intake, Journal, Settings};
use smartstore::types::{
    Action, Body, Class, CodeKind, CodeScanned, Command, CommandId, Draft, Ended, Observation, Origin, Outcome, Row,
    Timestamp,
};

/// Set in the process that writes; its journal's directory.
pub const CHILD: &str = "SMARTSTORE_TEST_POWERCUT_CHILD";
/// How many steps it takes before its journal is closed for the first time, and then again.
pub const STEPS: &str = "SMARTSTORE_TEST_POWERCUT_STEPS";
/// The flow whose steps it takes.
pub const FLOW: &str = "flow.test";

pub fn scan(clock: &Clock, length: usize) -> Draft {
    let value = clock.random_uuid().to_string().repeat(1 + length / 36);
    let code = CodeScanned { kind: CodeKind::Unknown, symbology: None, value, gtin: None, ai: BTreeMap::new() };
    draft(clock, Observation::Code(code))
}

fn draft(clock: &Clock, body: Observation) -> Draft {
    Draft { id: clock.event_id(), device: None, at: clock.stamp(), cause: None, body: Body::Observed(body) }
}

struct Writer {
    journal: Journal,
    clock: Clock,
    acks: File,
}

impl Writer {
    fn open(dir: &Path) -> Self {
        let clock = Clock::system(Trust::Trusted);
        let settings = Settings { keep_confirmed_events: 10, ..Settings::new(dir) };
        let (journal, _) = Journal::open(settings, clock.clone()).unwrap();
        let acks = File::options().create(true).append(true).open(dir.join("acks")).unwrap();
        Self { journal, clock, acks }
    }

    fn note(&mut self, what: &str) {
        self.acks.write_all(format!("{what}\n").as_bytes()).unwrap();
    }

    fn tries(&mut self, drafts: &[Draft]) {
        let ids: String = drafts.iter().map(|draft| format!("try {}\n", draft.id)).collect();
        self.acks.write_all(ids.as_bytes()).unwrap();
    }

    fn stored(&mut self, ids: &[String], rows: &[Row]) {
        assert_eq!(ids.len(), rows.len());
        let lines: String = ids.iter().zip(rows).map(|(id, row)| format!("event {id} {}\n", row.0)).collect();
        self.acks.write_all(lines.as_bytes()).unwrap();
    }

    async fn append(&mut self, drafts: Vec<Draft>) {
        self.tries(&drafts);
        let ids: Vec<_> = drafts.iter().map(|draft| draft.id.to_string()).collect();
        let rows = self.journal.append(drafts).await.unwrap();
        self.stored(&ids, &rows);
    }

    async fn scans(&mut self, events: usize, length: usize) {
        let drafts = (0..events).map(|_| scan(&self.clock, length)).collect();
        self.append(drafts).await;
    }

    async fn command(&mut self, ends: bool) {
        let id = CommandId::new(&self.clock.random_uuid().to_string()).unwrap();
        let command = Command {
            id: id.clone(),
            device: None,
            action: Action::DeviceRestart,
            not_after: Timestamp::from_unix_ms(i64::MAX),
            origin: Origin::Cloud,
        };
        self.journal.accept(Intake::Command(command)).await.unwrap();
        self.note(&format!("accepted {id}"));
        self.journal.step_dispatched(&id).await.unwrap();
        self.note(&format!("dispatched {id}"));
        if ends {
            let outcome = Outcome { command: id.clone(), ended: Ended::Done };
            self.append(vec![draft(&self.clock, Observation::Ended(outcome))]).await;
            self.note(&format!("ended {id}"));
        }
    }

    async fn advance(&mut self) {
        let row = self.journal.cursor(FLOW).await.unwrap().0 + 1;
        let effect = scan(&self.clock, 50);
        let ids = [effect.id.to_string()];
        self.tries(std::slice::from_ref(&effect));
        self.note(&format!("advance-try {row} {}", ids[0]));
        let at = Change { key: "at".to_owned(), value: Some(row.to_le_bytes().to_vec()), expires: None };
        let effects = Effects { events: vec![effect], commands: Vec::new(), state: vec![at] };
        let rows = self.journal.advance(FLOW, Row(row), effects).await.unwrap();
        self.stored(&ids, &rows);
        self.note(&format!("advanced {row}"));
    }

    async fn confirm(&mut self) {
        let row = self.journal.head().borrow().of(Class::Record).row;
        self.note(&format!("confirm {}", row.0));
        self.journal.confirm(Class::Record, row).await.unwrap();
    }

    async fn step(&mut self, step: usize) {
        match step % 10 {
            3 => self.scans(40, 100).await,
            5 => self.command(step % 20 == 5).await,
            7 => self.advance().await,
            9 => self.scans(1, 20_000).await,
            _ => self.scans(1, 200).await,
        }
    }

    /// Until retention has deleted something and the log was folded into the file, as it is when nothing happens.
    async fn rest(&mut self) {
        self.confirm().await;
        let first = |stats: &smartstore::journal::Stats| stats.of(Class::Record).first_seq;
        let before = first(&self.journal.stats().await.unwrap());
        while first(&self.journal.stats().await.unwrap()) == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // waits: the journal folds its log after one quiet second
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
}

#[tokio::test]
async fn a_writer_whose_writes_are_recorded() {
    let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let steps: usize = std::env::var_os(STEPS).unwrap().to_str().unwrap().parse().unwrap();
    let mut writer = Writer::open(&dir);
    for step in 0..steps / 4 {
        writer.step(step).await;
    }
    writer.journal.close().await.unwrap();
    let mut writer = Writer::open(&dir);
    for step in 0..steps {
        writer.step(step).await;
    }
    writer.rest().await;
    for step in 0..steps / 4 {
        writer.step(step).await;
    }
    writer.journal.close().await.unwrap();
}

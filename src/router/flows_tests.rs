//! The flows over a journal on disk, with the dispatcher beside them: what a scanner and a machine say goes in at one
//! end, and orders come out of the machine's port at the other. Processes die between any two steps.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinHandle;

use super::*;
use crate::flow::{LedgerSettings, SaleFlow, SaleSettings, SamplingFlow, SamplingSettings};
use crate::journal::{Intake, Settings};
use crate::router::{Dispatcher, Target, Targets};
use crate::types::{
    Action, ActionKind, Assigned, Class, CodeKind, CodeScanned, CommandId, Currency, LaneStatus, Minor, Notice, Order,
    Payment, PaymentAnswer, Resolution, Said, SaleId, SaleStep, StationId, Step, Stock, StockSource, Timestamp,
};

const CAN: &[ActionKind] = &[ActionKind::Dispense, ActionKind::Recover, ActionKind::JamClear];
const BOUND: Duration = Duration::from_secs(20);

/// A payment side that remembers what it was asked.
#[derive(Default)]
struct Cloud {
    connection: Mutex<Option<u64>>,
    asks: Mutex<Vec<Ask>>,
}

impl Cloud {
    fn connect(&self, connection: Option<u64>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }

    fn asks(&self) -> Vec<Ask> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Payments for Cloud {
    fn connection(&self) -> Option<u64> {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, ask: Ask, _code: Option<PaymentCode>) {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).push(ask);
    }
}

/// What outlives a process.
struct Shop {
    directory: tempfile::TempDir,
    clock: Clock,
    cloud: Arc<Cloud>,
}

/// A gateway's process: flows and dispatcher on the journal of its box, and the machine's side of the port.
struct Process {
    clock: Clock,
    journal: Journal,
    shelf: Shelf,
    port: Receiver<Assigned>,
    stop: CancellationToken,
    running: Vec<JoinHandle<Result<(), JournalError>>>,
}

fn machine() -> DeviceId {
    DeviceId::new("vending-1").unwrap()
}

fn scanner() -> DeviceId {
    DeviceId::new("scanner-1").unwrap()
}

fn cny() -> Currency {
    Currency::parse("CNY").unwrap()
}

/// A station that sells the first lane, and one that gives samples from the second.
fn stations() -> Vec<Box<dyn Flow>> {
    let sale = SaleSettings {
        station: StationId::new("sale-1").unwrap(),
        machine: machine(),
        scanner: Some(scanner()),
        currency: cny(),
        slot: Some(Slot(1)),
        price: Some(Minor(350)),
        payment: Payment::Cloud,
    };
    let sampling = SamplingSettings {
        station: StationId::new("sampling-1").unwrap(),
        scanner: scanner(),
        machine: machine(),
        currency: cny(),
        campaign: "spring".to_owned(),
        slots: vec![Slot(2)],
        quota: None,
        from: None,
        until: None,
    };
    vec![Box::new(SaleFlow::new(sale)), Box::new(SamplingFlow::new(sampling))]
}

impl Shop {
    fn new(seed: u64) -> Self {
        let clock = Clock::manual(Timestamp::from_unix_ms(1_763_776_800_000), seed);
        let cloud = Arc::new(Cloud::default());
        cloud.connect(Some(1));
        Self { directory: tempfile::tempdir().unwrap(), clock, cloud }
    }

    fn start(&self) -> Process {
        let clock = self.clock.clone();
        let journal = Journal::open(Settings::new(self.directory.path()), clock.clone()).unwrap().0;
        let (shelf, stop) = (Shelf::default(), CancellationToken::new());
        let (assign, port) = mpsc::channel(4);
        let targets = Targets::default();
        targets.add(machine(), Target { can: CAN, assign, restart: Arc::default(), currency: cny() });
        let seams = Seams {
            journal: journal.clone(),
            clock: clock.clone(),
            conditions: Conditions::new(clock.clone()),
            shelf: shelf.clone(),
            vault: Vault::default(),
            payments: self.cloud.clone(),
        };
        let ledger = LedgerSettings { machine: machine(), can: CAN.to_vec() };
        let flows = Flows::new(seams, vec![ledger], stations());
        let dispatcher = Dispatcher::new(journal.clone(), clock.clone(), targets, shelf.clone());
        #[expect(clippy::disallowed_methods, reason = "the test owns the handles")]
        let running = vec![tokio::spawn(flows.run(stop.clone())), tokio::spawn(dispatcher.run(stop.clone()))];
        Process { clock, journal, shelf, port, stop, running }
    }
}

impl Process {
    fn draft(&self, device: DeviceId, cause: Option<&CommandId>, said: Observation) -> Draft {
        let cause = cause.cloned().map(Cause::Command);
        let (id, at) = (self.clock.event_id(), self.clock.stamp());
        Draft { id, device: Some(device), at, cause, body: Body::Observed(said) }
    }

    /// Scans a code; the name of the sale that may follow.
    async fn scan(&self, kind: CodeKind, value: &str) -> SaleId {
        let code = CodeScanned { kind, symbology: None, value: value.to_owned(), gtin: None, ai: BTreeMap::new() };
        let draft = self.draft(scanner(), None, Observation::Code(code));
        let sale = SaleId::new(&draft.id.to_string()).unwrap();
        self.journal.append(vec![draft]).await.unwrap();
        sale
    }

    /// What the machine's driver says of an order.
    async fn says(&self, command: &CommandId, step: SaleStep) {
        self.journal.append(vec![self.draft(machine(), Some(command), Observation::Sale(step))]).await.unwrap();
    }

    /// What the machine says of a lane.
    async fn reports(&self, slot: u16, count: u16) {
        let (status, source) = (LaneStatus::Open, StockSource::Machine);
        let stock = Stock { slot: Slot(slot), count: Some(count), capacity: None, price: None, status, source };
        self.journal.append(vec![self.draft(machine(), None, Observation::Stock(stock))]).await.unwrap();
    }

    async fn file(&self, id: &str, device: Option<DeviceId>, action: Action) {
        let id = CommandId::new(id).unwrap();
        let not_after = self.clock.wall().0.plus(Duration::from_secs(60));
        let command = Command { id, device, action, not_after, origin: Origin::Cloud };
        self.journal.accept(Intake::Command(command)).await.unwrap();
    }

    async fn answers(&self, id: &str, sale: &SaleId, said: Said) {
        let answer = PaymentAnswer { sale: sale.clone(), said, reason: None, provider_ref: None };
        self.file(id, None, Action::Answer(answer)).await;
    }

    /// The next thing that reaches the machine's driver.
    async fn taken(&mut self) -> Assigned {
        tokio::time::timeout(BOUND, self.port.recv()).await.expect("in time").unwrap()
    }

    async fn ordered(&mut self) -> (CommandId, Order) {
        let Assigned { command, action, .. } = self.taken().await;
        let Action::Dispense(order) = action else { panic!("no order but {action:?}") };
        (command, order)
    }

    async fn steps(&self, sale: &SaleId) -> Vec<Step> {
        let events = self.journal.unsent(Class::Money, Row(0), 1000).await.unwrap();
        let of_sale = |event: &crate::types::Event| match &event.draft.body {
            Body::Observed(Observation::Sale(step)) if step.sale == *sale => Some(step.step),
            _ => None,
        };
        events.iter().filter_map(of_sale).collect()
    }

    /// Waits until the journal shows something.
    async fn until<T>(&self, what: &str, look: impl AsyncFn(&Self) -> Option<T>) -> T {
        let mut head = self.journal.head();
        let found = async {
            loop {
                head.mark_unchanged();
                if let Some(found) = look(self).await {
                    return found;
                }
                let _ = head.changed().await;
            }
        };
        tokio::time::timeout(BOUND, found).await.unwrap_or_else(|_| panic!("in vain: {what}"))
    }

    async fn reaches(&self, sale: &SaleId, step: Step) -> Vec<Step> {
        let has_it = async |process: &Self| Some(process.steps(sale).await).filter(|steps| steps.contains(&step));
        self.until(step.as_str(), has_it).await
    }

    async fn end_of(&self, id: &str) -> (&'static str, String) {
        let command = CommandId::new(id).unwrap();
        let look = async |process: &Self| {
            let events = process.journal.unsent(Class::Money, Row(0), 1000).await.unwrap();
            events.iter().find_map(|event| match &event.draft.body {
                Body::Observed(Observation::Ended(outcome)) if outcome.command == command => {
                    Some(outcome.ended.clone())
                }
                _ => None,
            })
        };
        let ended = self.until(id, look).await;
        (ended.as_str(), ended.reason().map(ToString::to_string).unwrap_or_default())
    }

    async fn rulings(&self, many: usize) -> Vec<String> {
        let look = async |process: &Self| {
            let events = process.journal.unsent(Class::Money, Row(0), 1000).await.unwrap();
            let ruling = |event: &crate::types::Event| match &event.draft.body {
                Body::Noticed(Notice::Sample(ruling)) => {
                    Some(ruling.refused.as_ref().map_or("given".to_owned(), ToString::to_string))
                }
                _ => None,
            };
            let rulings: Vec<_> = events.iter().filter_map(ruling).collect();
            (rulings.len() >= many).then_some(rulings)
        };
        self.until("a ruling", look).await
    }

    /// The process ends wherever it is; what is not on disk is gone.
    async fn dies(self) {
        for task in self.running {
            task.abort();
            let _ = task.await;
        }
        drop(self.stop);
        self.journal.close().await.unwrap();
    }
}

fn authorised() -> Said {
    Said::Authorised(true)
}

#[tokio::test]
async fn a_sale_goes_on_where_it_stood_whenever_the_process_dies() {
    use Step::{Authorised, Dispatched, Dispensed, Requested, Settled};
    let shop = Shop::new(1);
    let process = shop.start();
    process.reports(1, 5).await;
    let sale = process.scan(CodeKind::Payment, "28**************01").await;
    assert_eq!(process.reaches(&sale, Requested).await, [Requested]);
    process.dies().await;

    let process = shop.start();
    process.answers("a-1", &sale, authorised()).await;
    process.reaches(&sale, Authorised).await;
    assert_eq!(process.end_of("a-1").await.0, "done");
    process.dies().await;

    let mut process = shop.start();
    let (command, order) = process.ordered().await;
    assert_eq!((order.sale.clone(), order.slot, order.price), (sale.clone(), Slot(1), Minor(350)));
    assert_eq!(process.steps(&sale).await, [Requested, Authorised], "nothing is claimed before the driver says it");
    process.dies().await;

    // The machine was never driven for it: it is an order like before, under its old name.
    let mut process = shop.start();
    let again = process.ordered().await;
    assert_eq!(again, (command.clone(), order.clone()));
    process.says(&command, order.step(Dispatched)).await;
    process.dies().await;

    // Now it may have been: from here on it is a question, and the answer counts once.
    let mut process = shop.start();
    let Assigned { command: asked, action, .. } = process.taken().await;
    assert_eq!((asked, action), (command.clone(), Action::Recover(order.clone())));
    process.says(&command, order.dispensed(None)).await;
    process.says(&command, order.dispensed(None)).await;
    let steps = process.reaches(&sale, Settled).await;
    assert_eq!(steps, [Requested, Authorised, Dispatched, Dispensed, Settled]);
    process.dies().await;

    let mut process = shop.start();
    process.answers("a-2", &sale, authorised()).await;
    assert_eq!(process.end_of("a-2").await, ("refused", "unknown-sale".to_owned()));
    let order = Action::Dispense(order);
    process.file("again", Some(machine()), order).await;
    assert_eq!(process.end_of("again").await, ("refused", "sale-over".to_owned()));
    assert!(process.port.try_recv().is_err());
    assert_eq!(process.shelf.lane(&machine(), Slot(1)).unwrap().count, Some(4), "one has left the lane, once");
}

#[tokio::test]
async fn one_order_at_a_time_reaches_a_machine_and_the_next_when_it_has_ended() {
    let shop = Shop::new(2);
    let mut process = shop.start();
    let order = |sale: &str| Order {
        sale: SaleId::new(sale).unwrap(),
        slot: Slot(3),
        price: Minor::ZERO,
        currency: Currency::NONE,
        payment: Payment::Free,
        drop_sensor: None,
    };
    process.file("c-1", Some(machine()), Action::Dispense(order("s-1"))).await;
    process.file("c-2", Some(machine()), Action::Dispense(order("s-2"))).await;
    let (command, first) = process.ordered().await;
    assert_eq!((command.as_str(), first.currency), ("c-1", cny()));
    process.answers("wake", &first.sale, authorised()).await;
    process.end_of("wake").await;
    assert!(process.port.try_recv().is_err(), "the machine has an order in hand, though none is recorded");
    process.says(&command, first.failed(Reason::new("no-answer"))).await;
    let second = process.taken().await.command;
    assert_eq!(second.as_str(), "c-2");
    process.reaches(&first.sale, Step::Refunded).await;
}

#[tokio::test]
async fn a_jam_closes_its_lane_until_a_person_opens_it_and_the_money_is_asked_back_at_each_connection() {
    let shop = Shop::new(3);
    let mut process = shop.start();
    let sale = process.scan(CodeKind::Payment, "28**************02").await;
    process.reaches(&sale, Step::Requested).await;
    process.answers("a-1", &sale, authorised()).await;
    let (command, order) = process.ordered().await;
    process.says(&command, order.step(Step::Dispatched)).await;
    process.says(&command, order.failed(Reason::new("jam"))).await;
    process.reaches(&sale, Step::Refunding).await;
    let cancels = || shop.cloud.asks().iter().filter(|ask| ask.what == Asking::Cancel && ask.sale == sale).count();
    let asked = cancels();
    process.dies().await;

    // The answer is lost with the connection.
    shop.cloud.connect(None);
    let mut process = shop.start();
    process.file("d-1", Some(machine()), Action::Dispense(Order { slot: Slot(1), ..order.clone() })).await;
    assert_eq!(process.end_of("d-1").await, ("refused", "sale-open".to_owned()));
    let other = Order { sale: SaleId::new("other").unwrap(), ..order.clone() };
    process.file("d-2", Some(machine()), Action::Dispense(other)).await;
    assert_eq!(process.end_of("d-2").await, ("refused", "lane-jammed".to_owned()));
    for connection in [2, 3] {
        let before = cancels();
        shop.cloud.connect(Some(connection));
        let asked = async {
            while cancels() == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(BOUND, asked).await.expect("asked again");
    }
    assert!(cancels() >= asked + 2);
    process.answers("a-2", &sale, Said::Cancelled(true)).await;
    process.reaches(&sale, Step::Refunded).await;

    process.file("clear", Some(machine()), Action::LaneClear { slot: Slot(1) }).await;
    assert_eq!(process.end_of("clear").await.0, "done");
    assert_eq!(process.taken().await.action, Action::JamClear { slot: Slot(1) }, "the machine is told, too");
    assert_eq!(process.shelf.lane(&machine(), Slot(1)).unwrap().status(), LaneStatus::Open);
}

#[tokio::test]
async fn a_sale_nobody_knows_the_end_of_waits_for_a_person_who_decides_once() {
    let shop = Shop::new(4);
    let mut process = shop.start();
    let sale = process.scan(CodeKind::Payment, "28**************03").await;
    process.reaches(&sale, Step::Requested).await;
    process.answers("a-1", &sale, authorised()).await;
    let (command, order) = process.ordered().await;
    process.says(&command, order.step(Step::Dispatched)).await;
    process.dies().await;
    let mut process = shop.start();
    assert!(matches!(process.taken().await.action, Action::Recover(_)));
    process.says(&command, order.indeterminate(Reason::new("no-result"))).await;
    process.reaches(&sale, Step::Indeterminate).await;
    process.dies().await;

    let process = shop.start();
    let resolve = |resolution| Action::SaleResolve { sale: sale.clone(), resolution, by: "Li Wei".to_owned() };
    process.file("r-1", None, resolve(Resolution::Dispensed)).await;
    process.reaches(&sale, Step::Settled).await;
    process.file("r-2", None, resolve(Resolution::Refunded)).await;
    assert_eq!(process.end_of("r-2").await.0, "refused");
    // A late word moves the stock, never the money.
    process.says(&command, order.failed(Reason::new("jam"))).await;
    process.answers("probe", &sale, authorised()).await;
    process.end_of("probe").await;
    assert_eq!(process.steps(&sale).await.last(), Some(&Step::Settled));
}

#[tokio::test]
async fn a_member_is_given_one_sample_whatever_dies_in_between() {
    let shop = Shop::new(5);
    shop.cloud.connect(None);
    let process = shop.start();
    let sale = process.scan(CodeKind::Member, "M00000001").await;
    process.reaches(&sale, Step::Authorised).await;
    process.dies().await;
    let mut process = shop.start();
    let (command, order) = process.ordered().await;
    assert_eq!((order.slot, order.payment), (Slot(2), Payment::Free));
    process.scan(CodeKind::Member, "M00000001").await;
    assert_eq!(process.rulings(1).await, ["already-given"], "it is taken while it is on its way");
    process.says(&command, order.step(Step::Dispatched)).await;
    process.says(&command, order.dispensed(Some(true))).await;
    assert_eq!(process.rulings(2).await, ["already-given", "given"]);
    process.dies().await;
    let mut process = shop.start();
    process.scan(CodeKind::Member, "M00000001").await;
    assert_eq!(process.rulings(3).await[2], "already-given");
    assert!(process.port.try_recv().is_err());

    // Nothing came out: the member may come again.
    process.scan(CodeKind::Member, "M00000002").await;
    let (command, order) = process.ordered().await;
    process.says(&command, order.failed(Reason::new("no-answer"))).await;
    assert_eq!(process.rulings(4).await[3], "no-answer");
    process.scan(CodeKind::Member, "M00000002").await;
    process.ordered().await;
}

#[tokio::test]
async fn what_was_scanned_too_long_ago_and_what_nobody_has_to_do_with_has_no_consequence() {
    let shop = Shop::new(6);
    let process = shop.start();
    process.dies().await;
    let journal = Journal::open(Settings::new(shop.directory.path()), shop.clock.clone()).unwrap().0;
    let code = CodeScanned {
        kind: CodeKind::Payment,
        symbology: None,
        value: "28**************04".to_owned(),
        gtin: None,
        ai: BTreeMap::new(),
    };
    let (id, at) = (shop.clock.event_id(), shop.clock.stamp());
    let body = Body::Observed(Observation::Code(code));
    journal.append(vec![Draft { id, device: Some(scanner()), at, cause: None, body }]).await.unwrap();
    journal.close().await.unwrap();
    shop.clock.pass(Duration::from_secs(60));

    let process = shop.start();
    let unknown = SaleId::new(&id.to_string()).unwrap();
    process.answers("a-1", &unknown, authorised()).await;
    assert_eq!(process.end_of("a-1").await, ("refused", "unknown-sale".to_owned()));
    assert_eq!(process.steps(&unknown).await, []);
    process.file("s-1", Some(DeviceId::new("vending-9").unwrap()), Action::LaneClear { slot: Slot(1) }).await;
    assert_eq!(process.end_of("s-1").await, ("refused", "unknown-device".to_owned()));
    assert!(shop.cloud.asks().is_empty());
}

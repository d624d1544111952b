//! A shop with a machine: the built binary as the gateway, `sim vmc` as the machine on a real line, a scanner, a
//! broker, and a cloud that is played by hand. What the journal says, what the cloud got and what really fell are three
//! things until they have been compared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::broker::Mosquitto;
use super::daemon::Shop;
use super::simulator::Simulator;
use super::subscriber::{Received, Subscriber, publish};
use super::wait_until;

/// How long anything may take that takes a few seconds.
pub(crate) const BOUND: Duration = Duration::from_secs(60);
const COMMANDS: &str = "smartstore/v1/hz-wulin-001/gw-1/commands";
/// The lane that the sale station sells.
pub(crate) const LANE: u16 = 2;
pub(crate) const PRICE: u64 = 350;
/// What a sale that goes well says.
pub(crate) const SOLD: [&str; 5] = ["requested", "authorised", "dispatched", "dispensed", "settled"];

/// The shop.
pub(crate) struct Market {
    pub(crate) shop: Shop,
    pub(crate) subscriber: Subscriber,
    pub(crate) broker: Mosquitto,
    pub(crate) machine: Simulator,
    commands: u32,
    asked: usize,
    codes: u64,
    /// Sales whose money was promised, and those that were undone, by a cloud that answers by itself.
    approved: BTreeSet<String>,
    cancelled: BTreeSet<String>,
}

/// A station that sells one lane for a payment code.
pub(crate) const SALE: &str = "\n[[station]]\nid = \"sale-1\"\nflow = \"sale\"\nscanner = \"scanner-1\"\n\
                               machine = \"vending-1\"\n[station.settings]\nslots = [2]\nprice_minor = 350\n";

impl Market {
    /// Open, with everything at its place. `settings`: further ones of the machine.
    pub(crate) fn open(dialect: &str, settings: &str, station: &str, simulator: &[&str]) -> Self {
        let mut market = Self::built(dialect, settings, station, simulator);
        market.shop.start();
        market.wait_ready();
        if dialect == "mdb-qibixx" {
            // The adapter has understood, the machine has reset its reader and takes cards.
            wait_until("the machine takes cards", BOUND, || market.counter("frames_good") >= 3);
        }
        market
    }

    /// One of the machine's counters.
    fn counter(&self, what: &str) -> u64 {
        let metrics = self.shop.get("/metrics").unwrap_or_default();
        let name = format!("smartstore_device_total{{device=\"vending-1\",what=\"{what}\"}} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    }

    fn built(dialect: &str, settings: &str, station: &str, simulator: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Mosquitto::started(folder.path());
        let subscriber = Subscriber::started(broker.port());
        let machine = Simulator::start(dialect, simulator);
        let shop = Shop::new(folder, "scanner/generic-serial", Some(&broker.url()));
        let text = std::fs::read_to_string(shop.config()).unwrap();
        let line = machine.line.display();
        let codes = "[codes]\nmember = \"^M[0-9]{8,}$\"\n";
        let device = format!(
            "[[device]]\nid = \"vending-1\"\nprofile = \"vending/{dialect}\"\nendpoint = \"serial:{line}\"\n\
             [device.settings]\ncurrency = \"CNY\"\n{settings}"
        );
        let more = format!("\n{codes}\n{device}{station}");
        std::fs::write(shop.config(), text + &more).unwrap();
        let (approved, cancelled) = (BTreeSet::new(), BTreeSet::new());
        Self { shop, subscriber, broker, machine, commands: 0, asked: 0, codes: 0, approved, cancelled }
    }

    /// Waits until the daemon holds both lines and the cloud can be asked.
    pub(crate) fn wait_ready(&mut self) {
        self.shop.wait_held();
        wait_until("the machine's line is held", BOUND, || self.state_of("vending-1").as_deref() == Some("running"));
        wait_until("the machine has said something", BOUND, || self.device("vending-1")["last_seen"].is_string());
        wait_until("the cloud listens", BOUND, || {
            let metrics = self.shop.get("/metrics").unwrap_or_default();
            metrics.contains("what=\"uplink_listening\"} 1") && metrics.contains("what=\"uplink_connected\"} 1")
        });
    }

    /// `kill -9`, and start again.
    pub(crate) fn restart(&mut self) {
        self.shop.kill();
        self.shop.start();
        self.wait_ready();
    }

    fn device(&self, id: &str) -> Value {
        let answer = self.shop.get("/api/v1/devices").unwrap_or_default();
        let devices: Value = serde_json::from_str(&answer).unwrap_or_default();
        devices.as_array().and_then(|all| all.iter().find(|device| device["id"] == id)).cloned().unwrap_or_default()
    }

    fn state_of(&self, id: &str) -> Option<String> {
        self.device(id)["state"].as_str().map(str::to_owned)
    }

    /// Shows a code to the scanner.
    pub(crate) fn scan(&mut self, code: &str) {
        self.shop.line.type_code(code);
    }

    /// A payment code that was never shown before: 18 digits that begin with 28.
    pub(crate) fn payment_code(&mut self) -> String {
        self.codes += 1;
        format!("2800{:014}", 73_000_000_000_u64 + self.codes * 7919)
    }

    /// Shows a payment code; the question that the cloud is asked.
    pub(crate) fn pay(&mut self) -> Value {
        let code = self.payment_code();
        self.scan(&code);
        let ask = self.next_ask();
        assert_eq!((&ask["auth_code"], &ask["ask"]), (&json!(code), &Value::Null), "{ask}");
        ask
    }

    /// The next question to the cloud about money.
    pub(crate) fn next_ask(&mut self) -> Value {
        let place = self.asked;
        wait_until("the cloud is asked", BOUND, || self.subscriber.look(|got| got.asks.len() > place));
        self.asked += 1;
        self.subscriber.look(|got| got.asks[place].clone())
    }

    /// Forgets the questions so far.
    pub(crate) fn forget_asks(&mut self) {
        self.asked = self.subscriber.look(|got| got.asks.len());
    }

    /// Files a command; its id.
    pub(crate) fn command(&mut self, action: &str, device: Option<&str>, args: &Value) -> String {
        self.commands += 1;
        let id = format!("cloud-{}", self.commands);
        let mut command = json!({ "id": id, "action": action, "args": args, "not_after": "2099-01-01T00:00:00Z" });
        if let Some(device) = device {
            command["device"] = device.into();
        }
        publish(self.broker.port(), COMMANDS, &command.to_string());
        id
    }

    /// Files a command and waits for its end: the word and the reason.
    pub(crate) fn commanded(&mut self, action: &str, device: Option<&str>, args: &Value) -> (String, Value) {
        let id = self.command(action, device, args);
        let end = |got: &Received| {
            let ended = got.of_type("command.ended.v1").find(|event| event["data"]["command"] == id);
            ended.map(|event| event["data"].clone())
        };
        wait_until(&format!("{action} ends"), BOUND, || self.subscriber.look(|got| end(got).is_some()));
        let end = self.subscriber.look(end).unwrap();
        (end["ended"].as_str().unwrap().to_owned(), end["reason"].clone())
    }

    /// The cloud answers by itself what it has been asked since: it promises money for a payment code, once for a sale,
    /// knows what is paid, and undoes whatever it is asked to undo.
    pub(crate) fn serve(&mut self) {
        let asks: Vec<Value> = self.subscriber.look(|got| got.asks[self.asked..].to_vec());
        self.asked += asks.len();
        for ask in asks {
            let sale = ask["sale"].as_str().unwrap().to_owned();
            let (action, args) = match ask["ask"].as_str() {
                Some("cancel") => {
                    self.cancelled.insert(sale.clone());
                    ("sale.cancelled", json!({ "sale": sale, "done": true }))
                }
                Some("query") => {
                    let state = if self.is_kept(&ask["sale"]) { "paid" } else { "unpaid" };
                    ("sale.queried", json!({ "sale": sale, "state": state }))
                }
                _ => {
                    if ask["auth_code"].is_string() {
                        self.approved.insert(sale.clone());
                    }
                    ("sale.authorised", json!({ "sale": sale, "approved": self.is_kept(&ask["sale"]) }))
                }
            };
            self.command(action, None, &args);
        }
    }

    /// Whether the cloud that answers by itself has the money of a sale.
    pub(crate) fn is_kept(&self, sale: &Value) -> bool {
        let sale = sale.as_str().unwrap();
        self.approved.contains(sale) && !self.cancelled.contains(sale)
    }

    /// The cloud promises the money, or does not.
    pub(crate) fn authorise(&mut self, sale: &Value, approved: bool) -> (String, Value) {
        let args = json!({ "sale": sale, "approved": approved, "provider_ref": "alipay-1" });
        self.commanded("sale.authorised", None, &args)
    }

    /// The cloud has given the money back.
    pub(crate) fn cancelled(&mut self, sale: &Value) -> (String, Value) {
        self.commanded("sale.cancelled", None, &json!({ "sale": sale, "done": true }))
    }

    /// Waits until the cloud has a step of a sale; the step.
    pub(crate) fn wait_step(&self, sale: &Value, step: &str) -> Value {
        let found = |got: &Received| {
            let of_sale = |event: &&Value| event["data"]["sale"] == *sale && event["data"]["step"] == step;
            got.of_type("vend.sale.v1").find(of_sale).map(|event| event["data"].clone())
        };
        wait_until(&format!("{sale} is {step}"), BOUND, || self.subscriber.look(|got| found(got).is_some()));
        self.subscriber.look(found).unwrap()
    }

    /// A whole sale that goes well.
    pub(crate) fn sell(&mut self) -> Value {
        let sale = self.pay()["sale"].clone();
        assert_eq!(self.authorise(&sale, true).0, "done");
        self.wait_step(&sale, "settled");
        sale
    }

    /// The events of one type in the journal, in order.
    pub(crate) fn journal(&self, name: &str) -> Vec<Value> {
        let events = self.shop.tool(&["events", "--type", name, "--json"]);
        assert!(events.status.success(), "{}", String::from_utf8_lossy(&events.stderr));
        let lines = String::from_utf8(events.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Compares, and ends the gateway in order. The steps of each sale, in order.
    pub(crate) fn settled(&mut self) -> BTreeMap<String, Vec<String>> {
        let books = self.books();
        self.shop.stop();
        assert!(!self.shop.whole_log().contains("panicked"), "{}", self.shop.log_tail());
        books
    }

    /// The cloud has what the journal has, in its order, and nothing else. The steps of each sale.
    pub(crate) fn books(&mut self) -> BTreeMap<String, Vec<String>> {
        let of_machine = |event: &Value| event["type"].as_str().is_some_and(|name| name.starts_with("vend.sale"));
        let ids = |events: &[Value]| -> Vec<Value> { events.iter().map(|event| event["id"].clone()).collect() };
        let came = |got: &Received| -> Vec<Value> {
            let mut came: Vec<_> = got.events.values().filter(|event| of_machine(event)).cloned().collect();
            came.sort_by_key(|event| event["seq"].as_u64());
            came
        };
        let stored = self.journal("vend.sale");
        wait_until("the cloud has what the journal has", BOUND, || {
            self.subscriber.look(|got| came(got).len() >= stored.len())
        });
        let received = self.subscriber.received();
        assert_eq!(ids(&came(&received)), ids(&stored), "the cloud has the journal's steps");
        assert_eq!(received.problems, Vec::<String>::new());
        assert_eq!(received.numbering_problems(), Vec::<String>::new());
        let mut books: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in &stored {
            let text = |name: &str| event["data"][name].as_str().unwrap().to_owned();
            books.entry(text("sale")).or_default().push(text("step"));
        }
        books
    }
}

/// How many sales have this step.
pub(crate) fn count(books: &BTreeMap<String, Vec<String>>, step: &str) -> u64 {
    books.values().filter(|steps| steps.iter().any(|word| word == step)).count() as u64
}

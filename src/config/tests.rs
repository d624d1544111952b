mod probe;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::profiles::Places;
use super::*;
use crate::types::{BrokerAddress, Severity};
use probe::Probe;

static KINDS: &[&dyn DeviceKind] = &[&Probe];

const GOOD_PROFILE: &str = "kind = \"scanner.probe\"\nvendor = \"none\"\n[facts]\nbaud = 9600\nterminator = \"cr\"\n";
static PROFILES: &[(&str, &str)] = &[
    ("scanner/test", GOOD_PROFILE),
    ("vending/test", GOOD_PROFILE),
    ("screen/test", GOOD_PROFILE),
    ("camera/test", GOOD_PROFILE),
    ("scanner/zero", "kind = \"scanner.probe\"\n[facts]\nterminator = \"cr\"\nbaud = 0\n"),
    ("scanner/no-facts", "# nothing known\nkind = \"scanner.probe\"\n"),
    ("scanner/strange", "kind = \"scanner.prob\"\nvendro = \"x\"\n"),
    ("scanner/broken", "kind = \"scanner.probe\n"),
];

/// The first five lines of most files below.
const HEAD: &str = "\
[store]
id = \"s-1\"
timezone = \"Asia/Shanghai\"
[gateway]
id = \"gw-1\"
";

const GOOD: &str = "\
[store]
id = \"hz-wulin-001\"
timezone = \"Asia/Shanghai\"

[gateway]
id = \"gw-1\"
data_dir = \"data\"
clock = \"trusted\"

[cloud]
broker = \"mqtt://127.0.0.1:1883\"
username = \"店\"

[console]
listen = \"127.0.0.1:8480\"

[journal]
max_size = \"2GiB\"
keep_confirmed = \"7d\"

[codes]
member = \"^M[0-9]{8,}$\"

[[device]]
id = \"scanner-1\"
profile = \"scanner/test\"
endpoint = \"serial:/dev/ttyUSB0\"
[device.settings]
repeat_window = \"500ms\"

[[device]]
id = \"vending-1\"
profile = \"vending/test\"
endpoint = \"serial:/dev/ttyUSB1\"

[[station]]
id = \"sale-1\"
flow = \"sale\"
scanner = \"scanner-1\"
machine = \"vending-1\"
";

fn places(dirs: Vec<PathBuf>) -> Places {
    Places { kept: BTreeMap::new(), dirs, built_in: PROFILES.to_vec() }
}

fn load_in(base: &Path, text: &str) -> Result<Loaded, Refused> {
    load_with(text, Path::new("store.toml"), base, KINDS, &places(Vec::new()))
}

fn load_text_here(text: &str) -> Result<Loaded, Refused> {
    load_in(Path::new("/nowhere"), text)
}

/// Code, line and column of every mistake, and the file when it is not the configuration.
fn found(result: &Result<Loaded, Refused>) -> Vec<(String, usize, usize)> {
    let Err(refused) = result else { return Vec::new() };
    let name = |d: &Diagnostic| match d.file.to_str() {
        Some("store.toml") => d.code.to_owned(),
        Some(other) => format!("{other} {}", d.code),
        None => String::new(),
    };
    let place = |d: &Diagnostic| refused.sources.position(&d.file, d.span.as_ref());
    refused.diagnostics.iter().map(|d| (name(d), place(d).0, place(d).1)).collect()
}

fn assert_found(name: &str, text: &str, expected: &[(&str, usize, usize)]) {
    let result = load_text_here(text);
    let expected: Vec<_> = expected.iter().map(|(code, line, column)| ((*code).to_owned(), *line, *column)).collect();
    assert_eq!(found(&result), expected, "{name}:\n{text}\n{result:#?}");
    let Err(refused) = result else { panic!("{name} was accepted") };
    for mistake in &refused.diagnostics {
        assert!(!mistake.message.is_empty() && !mistake.help.is_empty(), "{name}: {mistake:?}");
        let documented = CODES_PAGE.contains(&format!("`{}`", mistake.code));
        assert!(documented, "{name}: `{}` is not in docs/configuration.md", mistake.code);
    }
}

const CODES_PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md"));

/// A device of eight lines fewer than one has to write: lines 6 to 9 after [`HEAD`].
fn device(id: &str, profile: &str, endpoint: &str) -> String {
    format!("[[device]]\nid = \"{id}\"\nprofile = \"{profile}\"\nendpoint = \"{endpoint}\"\n")
}

fn scanner() -> String {
    device("sc", "scanner/test", "serial:/dev/a")
}

#[test]
fn a_good_configuration_is_loaded_with_every_value() {
    let loaded = load_text_here(GOOD).unwrap();
    assert_eq!(loaded.warnings, []);
    let store = &loaded.store;
    assert_eq!(store.id.as_str(), "hz-wulin-001");
    assert_eq!(store.timezone.iana_name(), Some("Asia/Shanghai"));
    assert_eq!(store.gateway.data_dir, Path::new("/nowhere/data"));
    assert_eq!(store.gateway.clock, Trust::Trusted);
    let cloud = store.cloud.as_ref().unwrap();
    assert_eq!(cloud.broker, BrokerAddress { tls: false, host: "127.0.0.1".to_owned(), port: 1883 });
    assert_eq!(cloud.username.as_deref(), Some("店"));
    assert_eq!(store.console.as_ref().unwrap().listen.port(), 8480);
    assert_eq!(store.journal.max_size, 2 << 30);
    assert_eq!(store.journal.keep_confirmed.as_secs(), 7 * 86_400);
    assert!(store.codes.member.as_ref().unwrap().is_match("M12345678"));
    assert_eq!(store.devices[0].profile, "scanner/test");
    assert_eq!(store.devices[0].endpoint().to_string(), "serial:/dev/ttyUSB0");
    assert_eq!(store.devices[1].id().as_str(), "vending-1");
    assert_eq!(store.stations[0].flow, Flow::Sale);
    assert_eq!(store.stations[0].roles[&Role::Machine].as_str(), "vending-1");
}

#[test]
fn the_smallest_configuration_has_defaults() {
    let store = load_text_here(HEAD).unwrap().store;
    assert_eq!(store.gateway.data_dir, Path::new("/nowhere/data"));
    assert_eq!(store.gateway.clock, Trust::Kernel);
    assert_eq!(store.journal, Journal::default());
    assert!(store.cloud.is_none() && store.console.is_none() && store.devices.is_empty() && store.stations.is_empty());
}

#[test]
fn mistakes_of_the_syntax_are_located() {
    assert_found("empty", "", &[("empty", 1, 1)]);
    assert_found("blank", "  \n\n", &[("empty", 1, 1)]);
    assert_found("unclosed section", "[store\nid = \"a\"\n", &[("syntax", 1, 7)]);
    assert_found("no quotes", "[store]\nid = abc\n", &[("syntax", 2, 6)]);
    assert_found("unclosed quotes", "[store]\nid = \"abc\n", &[("syntax", 2, 10)]);
    assert_found("two values in a line", "[store]\nid = \"a\" timezone = \"b\"\n", &[("syntax", 2, 10)]);
    assert_found("a backslash", &format!("{HEAD}[codes]\nmember = \"^\\d$\"\n"), &[("syntax", 7, 13)]);
    let two = format!("{HEAD}[console]\nlisten = here\n[codes]\nmember = there\n");
    assert_found("two at once", &two, &[("syntax", 7, 10), ("syntax", 9, 10)]);
}

#[test]
fn a_key_that_stands_twice_does_not_hide_other_mistakes() {
    assert_found("key", &format!("{HEAD}id = \"gw-2\"\n"), &[("duplicate-key", 6, 1)]);
    let text = format!("{HEAD}id = \"gw-2\"\n[codes]\nmembre = \"x\"\n");
    assert_found("and another", &text, &[("duplicate-key", 6, 1), ("unknown-key", 8, 1)]);
    assert_found(
        "section",
        &format!("{HEAD}[store]\nid = \"b\"\n"),
        &[("duplicate-key", 6, 2), ("duplicate-key", 7, 1)],
    );
}

#[test]
fn mistakes_of_the_sections_are_located() {
    assert_found("no sections", "# nothing\n", &[("missing-key", 1, 1), ("missing-key", 1, 1)]);
    assert_found("no gateway", "[store]\nid = \"a\"\ntimezone = \"UTC\"\n", &[("missing-key", 1, 1)]);
    let text = "[store]\nid = \"a\"\n\n[gateway]\n";
    assert_found("missing keys", text, &[("missing-key", 1, 1), ("missing-key", 4, 1)]);
    assert_found("unknown section", &format!("{HEAD}[clowd]\nbroker = 1\n"), &[("unknown-key", 6, 2)]);
    assert_found("not a section", "store = 3\n[gateway]\nid = \"g\"\n", &[("wrong-type", 1, 9)]);
    let text = "[store]\nid = \"Hz Wulin\"\ntimezone = \"Asia/Shangai\"\n[gateway]\nid = 7\nclock = \"gps\"\n";
    let expected =
        [("invalid-value", 2, 6), ("unknown-timezone", 3, 12), ("wrong-type", 5, 6), ("invalid-value", 6, 9)];
    assert_found("four in two sections", text, &expected);
    assert_found("long id", &HEAD.replace("s-1", &"x".repeat(33)), &[("invalid-value", 2, 6)]);
    assert_found("empty data_dir", &format!("{HEAD}data_dir = \"\"\n"), &[("invalid-value", 6, 12)]);
    assert_found("journal", &format!("{HEAD}[journal]\nmax_size = 2\n"), &[("wrong-type", 7, 12)]);
    let text = format!("{HEAD}[journal]\nmax_size = \"2GB\"\nkeep_confirmed = \"3\"\n");
    assert_found("units", &text, &[("invalid-value", 7, 12), ("invalid-value", 8, 18)]);
    assert_found("tiny journal", &format!("{HEAD}[journal]\nmax_size = \"1KiB\"\n"), &[("invalid-value", 7, 12)]);
    let text = format!("{HEAD}[codes]\nmember = \"^M[0-9\"\nclerk = \"x*\"\n");
    assert_found("grammars", &text, &[("invalid-value", 7, 10), ("invalid-value", 8, 9)]);
}

#[test]
fn mistakes_of_the_network_are_located() {
    let cloud = |line: &str| format!("{HEAD}[cloud]\n{line}\n");
    assert_found("no broker", &cloud("username = \"x\""), &[("missing-key", 6, 1)]);
    for broker in [
        "127.0.0.1",
        "tcp://h:1",
        "mqtt://",
        "mqtt://h:0",
        "mqtt://h:99999",
        "mqtt://u:p@h",
        "mqtt://h:1/x",
        "mqtt://[::1",
    ] {
        assert_found(broker, &cloud(&format!("broker = \"{broker}\"")), &[("invalid-value", 7, 10)]);
    }
    let text = cloud("broker = \"mqtts://h\"\npassword_file = \"nothing\"");
    assert_found("no password file", &text, &[("file-missing", 8, 17)]);
    let text = cloud("broker = \"mqtt://h\"\nca_file = \"/etc/hostname\"");
    assert_found("TLS files without TLS", &text, &[("needs-tls", 8, 11)]);
    let text = cloud("broker = \"mqtts://h\"\ncert_file = \"/etc/hostname\"");
    assert_found("a certificate alone", &text, &[("missing-key", 8, 13)]);
    let text = cloud("broker = \"mqtts://h\"\nca_file = \"/etc\"");
    assert_found("a directory", &text, &[("file-unreadable", 8, 11)]);
    assert_found("open console", &format!("{HEAD}[console]\nlisten = \"0.0.0.0:80\"\n"), &[("console-open", 7, 10)]);
    assert_found("no port", &format!("{HEAD}[console]\nlisten = \"127.0.0.1\"\n"), &[("invalid-value", 7, 10)]);
}

#[test]
fn mistakes_of_devices_are_located() {
    let with = |text: String| format!("{HEAD}{text}");
    assert_found("no keys", &with("[[device]]\n".into()), &[("missing-key", 6, 1); 3]);
    let text = with("[[device]]\nid = \"a\"\nprofile = \"scanner/test\"\nednpoint = \"serial:/dev/a\"\n".into());
    assert_found("misspelt", &text, &[("missing-key", 6, 1), ("unknown-key", 9, 1)]);
    assert_found("scheme", &with(device("a", "scanner/test", "seriel:/dev/a")), &[("invalid-value", 9, 12)]);
    assert_found("no path", &with(device("a", "scanner/test", "serial:")), &[("invalid-value", 9, 12)]);
    assert_found("unsuited", &with(device("a", "scanner/test", "udp:127.0.0.1:1")), &[("wrong-endpoint", 9, 12)]);
    assert_found("profile", &with(device("a", "scanner/tets", "serial:/dev/a")), &[("unknown-profile", 8, 11)]);
    assert_found("path", &with(device("a", "../../etc/passwd", "serial:/dev/a")), &[("unknown-profile", 8, 11)]);
    assert_found("single brackets", &with(scanner().replace("[[device]]", "[device]")), &[("wrong-type", 6, 1)]);
    assert_found("a number", "device = 3\n", &[("missing-key", 1, 1), ("missing-key", 1, 1), ("wrong-type", 1, 10)]);
    let text = with(scanner() + &device("sc", "scanner/test", "serial:/dev/b"));
    assert_found("two of one name", &text, &[("duplicate-id", 11, 6)]);
    let text = with(scanner() + &device("sd", "scanner/test", "serial:/dev/a"));
    assert_found("two on one line", &text, &[("duplicate-endpoint", 13, 12)]);
    let text = with(scanner() + "[device.settings]\nrepeat_widnow = \"1s\"\nvolume = \"loud\"\n");
    assert_found("settings", &text, &[("unknown-key", 11, 1), ("wrong-type", 12, 10)]);
    let text = with(scanner() + "[device.settings]\nrepeat_window = \"1\"\nvolume = 300\n");
    assert_found("values", &text, &[("invalid-value", 11, 17), ("invalid-value", 12, 10)]);
    assert_found("settings as a number", &with(scanner() + "settings = 3\n"), &[("wrong-type", 10, 12)]);
    let text = with(device("A", "scanner/test", "usb:1") + "settings.volume = -1\n");
    let expected = [("invalid-value", 7, 6), ("invalid-value", 9, 12), ("invalid-value", 10, 19)];
    assert_found("everything at once", &text, &expected);
}

#[test]
fn mistakes_of_profiles_are_shown_in_the_profile() {
    let with = |profile: &str| format!("{HEAD}{}", device("a", profile, "serial:/dev/a"));
    let zero = "built-in/device-profiles/scanner/zero.toml invalid-value";
    assert_found("a wrong fact", &with("scanner/zero"), &[(zero, 4, 8)]);
    let missing = "built-in/device-profiles/scanner/no-facts.toml missing-key";
    assert_found("no facts", &with("scanner/no-facts"), &[(missing, 2, 8); 2]);
    let strange = "built-in/device-profiles/scanner/strange.toml ";
    let (kind, key) = (format!("{strange}unknown-kind"), format!("{strange}unknown-key"));
    assert_found("a strange kind", &with("scanner/strange"), &[(&kind, 1, 8), (&key, 2, 1)]);
    let broken = "built-in/device-profiles/scanner/broken.toml syntax";
    assert_found("no TOML", &with("scanner/broken"), &[(broken, 1, 22)]);
    let Err(refused) = load_text_here(&with("scanner/zero")) else { panic!("accepted") };
    assert!(refused.diagnostics[0].help.contains("device `a`"), "{:?}", refused.diagnostics);
}

#[test]
fn mistakes_of_stations_are_located() {
    let devices =
        scanner() + &device("vm", "vending/test", "serial:/dev/b") + &device("tv", "screen/test", "serial:/dev/c");
    // HEAD has 5 lines and three devices 12: a station's header is line 18.
    let with = |lines: &str| format!("{HEAD}{devices}[[station]]\n{lines}");
    let sale = "id = \"s\"\nflow = \"sale\"\n";
    assert_found("no keys", &with(""), &[("missing-key", 18, 1); 2]);
    assert_found("flow", &with("id = \"s\"\nflow = \"sell\"\n"), &[("invalid-value", 20, 8)]);
    assert_found("no machine", &with(sale), &[("missing-key", 18, 1)]);
    assert_found("no such device", &with(&format!("{sale}machine = \"vn\"\n")), &[("unknown-device", 21, 11)]);
    assert_found("wrong family", &with(&format!("{sale}machine = \"sc\"\n")), &[("wrong-device", 21, 11)]);
    let text = with(&format!("{sale}machine = \"vm\"\ncamera = \"tv\"\n"));
    assert_found("no such role", &text, &[("unknown-role", 22, 10)]);
    assert_found(
        "no such key",
        &with(&format!("{sale}machine = \"vm\"\nmachin = \"vm\"\n")),
        &[("unknown-key", 22, 1)],
    );
    assert_found("empty door", &with("id = \"d\"\nflow = \"door\"\n"), &[("missing-key", 18, 1)]);
    let two = format!("{sale}machine = \"vm\"\n[[station]]\n{sale}machine = \"vm\"\n");
    assert_found("one name, one machine", &with(&two), &[("duplicate-id", 23, 6), ("shared-device", 25, 11)]);
    let coupons = [
        "id = \"a\"\nflow = \"redeem\"\nscanner = \"sc\"\n[[station]]\n",
        "id = \"b\"\nflow = \"sampling\"\nscanner = \"sc\"\nmachine = \"vm\"\n[station.settings]\nslots = [3]\n",
    ]
    .concat();
    assert_found("two take coupons", &with(&coupons), &[("shared-device", 25, 11)]);
    let screens = [
        "id = \"a\"\nflow = \"shelf\"\nscreen = \"tv\"\n[[station]]\n",
        "id = \"b\"\nflow = \"redeem\"\nscanner = \"sc\"\nscreen = \"tv\"\n",
    ]
    .concat();
    assert_found("two on one screen", &with(&screens), &[("shared-device", 26, 10)]);
}

#[test]
fn a_redeem_station_says_what_becomes_of_coupons_without_a_clock() {
    let with = |station: &str| format!("{HEAD}{}[[station]]\nid = \"r\"\n{station}", scanner());
    let redeem = "flow = \"redeem\"\nscanner = \"sc\"\n";
    let allowed = |text: &str| load_text_here(text).unwrap().store.stations[0].unsynced_allowed;
    assert!(!allowed(&with(redeem)));
    assert!(!allowed(&with(&format!("{redeem}unsynced = \"refuse\"\n"))));
    let accepting = with(&format!("{redeem}unsynced = \"accept\"\n"));
    assert!(allowed(&accepting));
    let effective = load_text_here(&accepting).unwrap().store.to_toml().unwrap();
    assert!(effective.contains("unsynced = \"accept\""), "{effective}");
    let wrong = with(&format!("{redeem}unsynced = \"maybe\"\n"));
    assert_found("no such way", &wrong, &[("invalid-value", 14, 12)]);
    let door = with("flow = \"shelf\"\nscanner = \"sc\"\nunsynced = \"accept\"\n");
    let refused = load_text_here(&door).unwrap_err();
    assert!(refused.diagnostics.iter().any(|found| found.code == "unknown-role"), "{:?}", refused.diagnostics);
}

#[test]
fn one_machine_may_sell_and_sample() {
    let devices = scanner() + &device("vm", "vending/test", "serial:/dev/b");
    let station =
        |flow: &str| format!("[[station]]\nid = \"{flow}\"\nflow = \"{flow}\"\nscanner = \"sc\"\nmachine = \"vm\"\n");
    let text = format!("{HEAD}{devices}{}{}", station("sale"), station("sampling"));
    let loaded = load_text_here(&format!("{text}[station.settings]\nslots = [3]\n")).unwrap();
    assert_eq!(loaded.store.stations.len(), 2);
    assert_eq!(loaded.store.stations[1].settings.slots, [crate::types::Slot(3)]);
}

#[test]
fn a_sampling_station_says_which_lanes_hold_the_sample() {
    let devices = scanner() + &device("vm", "vending/test", "serial:/dev/b");
    let station = "[[station]]\nid = \"s\"\nflow = \"sampling\"\nscanner = \"sc\"\nmachine = \"vm\"\n";
    let text = format!("{HEAD}{devices}{station}");
    let found = [("missing-key", 14, 1)];
    assert_found("no settings", &text, &found);
    assert_found("no lane", &format!("{text}[station.settings]\nslots = []\n"), &found);
}

#[test]
fn a_mistake_in_a_device_does_not_make_its_station_wrong() {
    let device = "[[device]]\nid = \"sc\"\nprofile = \"scanner/gone\"\nbuad = 3\n";
    let text = format!("{HEAD}{device}[[station]]\nid = \"r\"\nflow = \"redeem\"\nscanner = \"sc\"\n");
    let expected = [("missing-key", 6, 1), ("unknown-profile", 8, 11), ("unknown-key", 9, 1)];
    assert_found("device only", &text, &expected);
}

#[test]
fn a_key_in_the_wrong_place_is_told_where_it_belongs() {
    let help = |line: &str| {
        let refused = load_text_here(&format!("{HEAD}{}{line}\n", scanner())).unwrap_err();
        refused.diagnostics[0].help.clone()
    };
    assert!(help("volume = 3").contains("[device.settings]"));
    assert!(help("baud = 9600").contains("profile"));
    assert!(help("idd = 9600").contains("did you mean `id`"));
    let refused = load_text_here(&format!("{HEAD}{}", device("a", "scanner/test", "seriel:/dev/a"))).unwrap_err();
    assert!(refused.diagnostics[0].help.contains("did you mean `serial:`"));
}

#[test]
fn a_password_in_the_clear_is_warned_of_except_on_this_machine() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("password"), "x").unwrap();
    std::fs::set_permissions(dir.path().join("password"), PermissionsExt::from_mode(0o600)).unwrap();
    let codes = |broker: &str| {
        let text = format!("{HEAD}[cloud]\nbroker = \"{broker}\"\npassword_file = \"password\"\n");
        load_in(dir.path(), &text).unwrap().warnings.iter().map(|d| d.code).collect::<Vec<_>>()
    };
    assert_eq!(codes("mqtt://broker.example"), ["password-in-clear"]);
    assert_eq!(codes("mqtts://broker.example"), [""; 0]);
    assert_eq!(codes("mqtt://127.0.0.1"), [""; 0]);
}

#[test]
fn links_to_one_line_are_one_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tty"), "").unwrap();
    std::os::unix::fs::symlink("tty", dir.path().join("link")).unwrap();
    let text =
        format!("{HEAD}{}{}", device("a", "scanner/test", "serial:tty"), device("b", "scanner/test", "serial:link"));
    assert_eq!(found(&load_in(dir.path(), &text)), [("duplicate-endpoint".to_owned(), 13, 12)]);
}

#[test]
fn files_of_a_console_on_the_network_are_looked_into_and_open_secrets_are_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    for (name, mode) in [("cert", 0o644), ("key", 0o640), ("users", 0o644)] {
        std::fs::write(dir.path().join(name), "").unwrap();
        std::fs::set_permissions(dir.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    let text = format!(
        "{HEAD}[console]\nlisten = \"[::]:8480\"\ncert_file = \"cert\"\nkey_file = \"key\"\nusers_file = \"users\"\n"
    );
    // Files that are there and hold nothing: no certificate, nobody who could log in, and everybody could read who can.
    // Good ones are in the scenario of the console's login.
    let expected = [("certificate", 8, 13), ("no-admin", 10, 14), ("secret-open", 10, 14)];
    assert_eq!(found(&load_in(dir.path(), &text)), expected.map(|(code, line, at)| (code.to_owned(), line, at)));
}

#[test]
fn brokers_are_read_in_all_their_forms() {
    for (text, expected) in [
        ("mqtt://broker", "mqtt://broker:1883"),
        ("mqtts://broker.example", "mqtts://broker.example:8883"),
        ("mqtts://[::1]:1", "mqtts://[::1]:1"),
        ("mqtt://10.0.0.1:18830", "mqtt://10.0.0.1:18830"),
    ] {
        let loaded = load_text_here(&format!("{HEAD}[cloud]\nbroker = \"{text}\"\n")).unwrap();
        assert_eq!(loaded.store.cloud.unwrap().broker.to_string(), expected);
    }
}

#[test]
fn the_rate_of_a_backlog_and_the_encoding_are_read_and_checked() {
    let cloud = |keys: &str| load_text_here(&format!("{HEAD}[cloud]\nbroker = \"mqtt://h\"\n{keys}"));
    let usual = cloud("").unwrap().store.cloud.unwrap();
    assert_eq!((usual.backfill_per_s, usual.encoding), (CLOUD_BACKFILL_PER_S, crate::types::Encoding::Json));
    let metered = cloud("backfill = \"100/s\"\nencoding = \"zstd\"\n").unwrap().store;
    let effective = metered.to_toml().unwrap();
    assert!(effective.contains("backfill = \"100/s\"") && effective.contains("encoding = \"zstd\""), "{effective}");
    let metered = metered.cloud.unwrap();
    assert_eq!((metered.backfill_per_s.get(), metered.encoding), (100, crate::types::Encoding::Zstd));
    for wrong in ["backfill = \"0/s\"", "backfill = \"100001/s\"", "backfill = \"100\"", "encoding = \"gzip\""] {
        let Err(refused) = cloud(wrong) else { panic!("{wrong} is accepted") };
        assert_eq!(
            refused.diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(),
            ["invalid-value"],
            "{wrong}"
        );
    }
}

#[test]
fn the_first_place_that_holds_a_profile_wins() {
    let dir = tempfile::tempdir().unwrap();
    let write = |place: &str, baud: &str| {
        let family = dir.path().join(place).join("scanner");
        std::fs::create_dir_all(&family).unwrap();
        std::fs::write(family.join("test.toml"), GOOD_PROFILE.replace("9600", baud)).unwrap();
    };
    let places = places(["asked", "beside", "system"].map(|place| dir.path().join(place)).to_vec());
    let text = format!("{HEAD}{}", scanner());
    let mistake = |places: &Places| {
        let result = load_with(&text, Path::new("store.toml"), dir.path(), KINDS, places);
        result.err().map(|refused| refused.diagnostics[0].file.clone())
    };
    assert_eq!(mistake(&places), None, "the one built in is good");
    for place in ["system", "beside", "asked"] {
        write(place, "\"fast\"");
        assert_eq!(mistake(&places), Some(dir.path().join(place).join("scanner/test.toml")));
    }
    write("asked", "9600");
    assert_eq!(mistake(&places), None, "nothing is merged: the others are not looked at");
}

#[test]
fn the_usual_places_are_those_of_the_contract() {
    let places = Places::usual(Some(Path::new("/p")), Path::new("/etc/smartstore"), CATALOGUE);
    let expected = ["/p", "/etc/smartstore/device-profiles", "/usr/share/smartstore/device-profiles"];
    assert_eq!(places.dirs, expected.map(PathBuf::from));
}

#[test]
fn the_profiles_built_in_are_those_of_the_repository() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROFILES_DIR);
    let in_repository = Places { kept: BTreeMap::new(), dirs: vec![dir], built_in: Vec::new() }.names();
    let built_in: std::collections::BTreeSet<String> =
        CATALOGUE.iter().flat_map(|kind| kind.profiles()).map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(built_in, in_repository, "complete the list in src/config/profiles.rs");
}

#[test]
fn files_that_are_no_text_are_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let code = |name: &str, bytes: Option<&[u8]>| {
        let path = dir.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        let refused = load(&path, None).unwrap_err();
        let mistake = &refused.diagnostics[0];
        (mistake.code, refused.sources.position(&path, mistake.span.as_ref()))
    };
    assert_eq!(code("gone.toml", None), ("file-missing", (1, 1)));
    assert_eq!(code("", None), ("file-unreadable", (1, 1)));
    assert_eq!(code("gbk.toml", Some(b"[store]\nid = \"\xb5\xea\"\n")), ("not-utf8", (2, 7)));
    assert_eq!(code("long.toml", Some(&vec![b'#'; 1 << 21])), ("file-too-large", (1, 1)));
    assert_eq!(code("none.toml", Some(b"")), ("empty", (1, 1)));
}

#[test]
fn too_much_of_anything_is_bounded() {
    let keys: String = (0..2_000).map(|n| format!("k{n} = 1\n")).collect();
    let Err(refused) = load_text_here(&format!("{HEAD}{keys}")) else { panic!("accepted") };
    assert_eq!(refused.diagnostics.len(), limits::DIAGNOSTICS + 1);
    let lines = "= 1\n".repeat(256 * 1024);
    let Err(refused) = load_text_here(&lines) else { panic!("accepted") };
    assert_eq!(refused.diagnostics.len(), limits::DIAGNOSTICS + 1);
    let keys: String = (0..100_000).map(|n| format!("k{n}=1\n")).collect();
    let Err(refused) = load_text_here(&format!("{HEAD}[codes]\n{keys}")) else { panic!("accepted") };
    assert_eq!(refused.diagnostics.len(), limits::DIAGNOSTICS + 1);
    let many: String =
        (0..300).map(|n| device(&format!("d{n}"), "scanner/test", &format!("serial:/dev/{n}"))).collect();
    assert_found("devices", &format!("{HEAD}{many}"), &[("too-many", 6 + 256 * 4, 1)]);
}

#[test]
fn json_has_the_shape_of_the_contract() {
    let Err(refused) = load_text_here(&format!("{HEAD}[codes]\nmembre = \"x\"\n")) else { panic!("accepted") };
    let value: serde_json::Value =
        serde_json::from_str(&json(&refused.diagnostics, &refused.sources).unwrap()).unwrap();
    let expected = serde_json::json!([{
        "file": "store.toml", "line": 7, "column": 1, "severity": "error", "code": "unknown-key",
        "message": "unknown key `membre`", "help": "did you mean `member`? Keys here: clerk, member, pickup",
    }]);
    assert_eq!(value, expected);
}

#[test]
fn people_see_file_line_column_the_text_and_help() {
    let Err(refused) = load_text_here(&format!("{HEAD}[codes]\nmembre = \"x\"\n")) else { panic!("accepted") };
    let shown = text(&refused.diagnostics, &refused.sources, false);
    for part in [
        "error[unknown-key]: unknown key `membre`",
        "store.toml:7:1",
        "membre = \"x\"",
        "^^^^^^",
        "did you mean `member`",
    ] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "no colour was asked for");
}

#[test]
fn the_effective_configuration_is_loaded_to_itself() {
    for text in [GOOD, HEAD] {
        let first = load_text_here(text).unwrap().store.to_toml().unwrap();
        let second = load_in(Path::new("/elsewhere"), &first).unwrap().store.to_toml().unwrap();
        assert_eq!(first, second);
    }
    let effective = load_text_here(GOOD).unwrap().store.to_toml().unwrap();
    assert!(effective.contains("volume = 3"), "defaults of settings are filled in:\n{effective}");
    assert!(load_text_here(HEAD).unwrap().store.to_toml().unwrap().contains("max_size = \"512MiB\""));
}

#[test]
fn no_truncation_of_a_good_configuration_panics() {
    for end in (0..GOOD.len()).filter(|end| GOOD.is_char_boundary(*end)) {
        if let Err(refused) = load_text_here(&GOOD[..end]) {
            assert!(!refused.diagnostics.is_empty(), "refused without a reason at {end}");
            assert!(!text(&refused.diagnostics, &refused.sources, true).is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_mutation_of_a_good_configuration_panics(
        changes in prop::collection::vec((0..GOOD.len(), any::<u8>()), 1..8)
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        let mutated = String::from_utf8_lossy(&bytes);
        if let Err(refused) = load_text_here(&mutated) {
            prop_assert!(!refused.diagnostics.is_empty());
            prop_assert!(refused.diagnostics.iter().any(|d| d.severity == Severity::Error));
            prop_assert!(!text(&refused.diagnostics, &refused.sources, false).is_empty());
            prop_assert!(json(&refused.diagnostics, &refused.sources).is_ok());
        }
    }
}

/// A list for which the network is not good enough is refused where it stands, in numbers.
#[test]
fn a_list_of_members_that_would_name_strangers_is_refused() {
    let text = format!("{HEAD}[members]\nat_most = 5000\n");
    let refused = load_text_here(&text).unwrap_err();
    let [mistake] = &refused.diagnostics[..] else { panic!("{:?}", refused.diagnostics) };
    assert_eq!(
        (mistake.code, mistake.span.clone().map(|at| text[at].to_owned())),
        ("out-of-range", Some("5000".into()))
    );
    // 1 - (1 - 1/190,000)^5,000, by hand.
    assert!(mistake.message.contains("up to 3 of 100 strangers"), "{}", mistake.message);
    assert!(mistake.help.contains("at most 1900"), "{}", mistake.help);

    let store = load_text_here(&format!("{HEAD}[members]\n")).unwrap().store;
    assert_eq!(store.members.as_ref().map(|members| members.at_most), Some(30));
    assert!(store.members_key_file().ends_with("data/members.key"));
    assert!(load_text_here(HEAD).unwrap().store.members.is_none(), "nobody is recognised unless somebody says so");
}

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::*;

#[derive(Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Facts {
    /// Speed of the line, in bits per second.
    baud: u32,
    parity: Parity,
    label: String,
    #[serde(default)]
    slots: Vec<Slot>,
    #[serde(default)]
    inner: Option<Slot>,
}

#[derive(Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Parity {
    None,
    Even,
    Odd,
}

#[derive(Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Slot {
    code: String,
    count: u8,
}

const GOOD: &str = "baud = 9600\nparity = \"none\"\nlabel = \"x\"\n";

/// Reads the text as one table; of each mistake its code and the text it points at.
fn mistakes(text: &str) -> Vec<(&'static str, String, Diagnostic)> {
    let table = DeTable::parse(text).unwrap();
    let section = Section { file: Path::new("f.toml"), span: 0..0, table: Some(table) };
    let mut mistakes = section.read::<Facts>().err().unwrap_or_default();
    mistakes.sort_by_key(|d| d.span.as_ref().map(|span| span.start));
    mistakes.into_iter().map(|d| (d.code, text[d.span.clone().unwrap()].to_owned(), d)).collect()
}

fn codes(text: &str) -> Vec<(&'static str, String)> {
    mistakes(text).into_iter().map(|(code, at, _)| (code, at)).collect()
}

fn pairs(expected: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    expected.iter().map(|(code, at)| (*code, (*at).to_owned())).collect()
}

#[test]
fn a_good_table_is_read() {
    let text = format!("{GOOD}slots = [{{ code = \"A1\", count = 3 }}]\n");
    let table = DeTable::parse(&text).unwrap();
    let facts: Facts = Section { file: Path::new("f.toml"), span: 0..0, table: Some(table) }.read().unwrap();
    assert_eq!((facts.baud, facts.parity, facts.slots[0].count), (9600, Parity::None, 3));
}

#[test]
fn a_table_that_is_not_there_misses_its_required_keys_and_no_others() {
    let section = Section { file: Path::new("f.toml"), span: 7..9, table: None };
    let mistakes = section.read::<Facts>().unwrap_err();
    let said: Vec<_> = mistakes.iter().map(|d| (d.code, d.span.clone(), d.message.as_str())).collect();
    let missing = |message| ("missing-key", Some(7..9), message);
    assert_eq!(
        said,
        [
            missing("the key `baud` is missing"),
            missing("the key `parity` is missing"),
            missing("the key `label` is missing")
        ]
    );
    assert_eq!(mistakes[0].help, "`baud`: Speed of the line, in bits per second.");
}

#[test]
fn every_mistake_of_every_kind_is_named_at_once() {
    let text = "buad = 1\nparity = \"evne\"\nlabel = 3\nslots = 4\n";
    let expected = [
        ("unknown-key", "buad"),
        ("missing-key", ""),
        ("invalid-value", "\"evne\""),
        ("wrong-type", "3"),
        ("wrong-type", "4"),
    ];
    assert_eq!(codes(text), pairs(&expected));
    let helps: Vec<String> = mistakes(text).into_iter().map(|(_, _, d)| d.help).collect();
    assert!(helps[0].starts_with("did you mean `baud`? Keys here: "), "{helps:?}");
    assert!(helps[2].starts_with("did you mean \"even\"? Possible here: \"none\", \"even\", \"odd\""), "{helps:?}");
}

#[test]
fn mistakes_of_inner_tables_and_lists_are_each_found() {
    let text = format!("{GOOD}[[slots]]\ncode = 1\ncount = 300\n[[slots]]\ncdoe = \"x\"\n[inner]\ncount = true\n");
    let expected = [
        ("wrong-type", "1"),
        ("invalid-value", "300"),
        ("missing-key", "[[slots]]"),
        ("unknown-key", "cdoe"),
        ("missing-key", "[inner]"),
        ("wrong-type", "true"),
    ];
    assert_eq!(codes(&text), pairs(&expected));
}

#[test]
fn what_follows_from_a_mistake_is_not_said() {
    assert_eq!(codes("baud = \"fast\"\nparity = \"none\"\nlabel = \"x\"\n"), pairs(&[("wrong-type", "\"fast\"")]));
    let text = format!("{GOOD}inner = {{ code = 1, count = 2 }}\n");
    assert_eq!(codes(&text), pairs(&[("wrong-type", "1")]));
}

#[test]
fn mistakes_are_in_plain_words() {
    let message = |text: &str| mistakes(text).remove(0).2.message;
    let with = |line: &str| format!("{line}\nparity = \"none\"\nlabel = \"x\"\n");
    assert_eq!(
        message(&with("baud = \"9600\"")),
        "`baud` must be a whole number from 0 to 4294967295, not the text \"9600\""
    );
    assert_eq!(message(&with("baud = -1")), "`baud` must be a whole number from 0 to 4294967295, not the number -1");
    assert_eq!(message(&with("baud = 1.5")), "`baud` must be a whole number from 0 to 4294967295, not the number 1.5");
    assert_eq!(message(&with("baud = [1]")), "`baud` must be a whole number from 0 to 4294967295, not a list");
}

#[test]
fn what_is_left_of_a_wrong_table_can_still_be_checked() {
    let text = format!("{GOOD}volume = 3\ninner = 4\n");
    let section = Section { file: Path::new("f.toml"), span: 0..0, table: Some(DeTable::parse(&text).unwrap()) };
    let (facts, mistakes) = section.salvage::<Facts>();
    assert_eq!(facts.map(|facts| facts.baud), Some(9600));
    assert_eq!(mistakes.len(), 2);
}

#[test]
fn a_table_with_countless_mistakes_is_given_up_after_a_bound() {
    let slots = "{ code = 1, count = 2 },".repeat(500);
    let found = codes(&format!("{GOOD}slots = [{slots}]\n"));
    assert!(found.len() <= limits::SECTION_ROUNDS + 1, "{}", found.len());
    assert!(found.iter().any(|(code, _)| *code == "too-many"));
}

#[test]
fn a_key_of_a_spanned_value_is_named() {
    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Choice {
        #[schemars(with = "u32")]
        gap_ms: Spanned<u32>,
    }
    let table = DeTable::parse("gap_ms = \"1s\"\n").unwrap();
    let section = Section { file: Path::new("f.toml"), span: 0..0, table: Some(table) };
    let mistakes = section.read::<Choice>().map(|choice| choice.gap_ms).unwrap_err();
    assert_eq!(mistakes[0].message, "`gap_ms` must be a whole number from 0 to 4294967295, not the text \"1s\"");
}

use super::*;

fn elements(pairs: &[(&str, &str)]) -> Elements {
    pairs.iter().map(|(ai, value)| ((*ai).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn element_strings_are_taken_apart() {
    // gs1-syntax-engine, src/c-lib/scandata.c (Apache-2.0): the GS1 vectors of its tests, AIM identifiers taken off.
    let parsed = parse_element_string("011231231231233310ABC123\u{1d}99TESTING");
    assert_eq!(parsed, Ok(elements(&[("01", "12312312312333"), ("10", "ABC123"), ("99", "TESTING")])));
    let parsed = parse_element_string("011231231231233310ABC123\u{1d}1199122598TESTING\u{1d}97XYZ");
    let wanted = [("01", "12312312312333"), ("10", "ABC123"), ("11", "991225"), ("98", "TESTING"), ("97", "XYZ")];
    assert_eq!(parsed, Ok(elements(&wanted)));
    assert_eq!(parse_element_string("99COMPOSITE\u{1d}98XYZ"), Ok(elements(&[("99", "COMPOSITE"), ("98", "XYZ")])));
    assert_eq!(parse_element_string(""), Err(AiError::Empty));
}

#[test]
fn superfluous_separators_are_tolerated() {
    let wanted = Ok(elements(&[("01", "12312312312333"), ("17", "261231"), ("21", "7")]));
    assert_eq!(parse_element_string("011231231231233317261231217"), wanted);
    assert_eq!(parse_element_string("\u{1d}0112312312312333\u{1d}17261231\u{1d}217\u{1d}"), wanted);
}

#[test]
fn what_does_not_hold_to_the_specification_is_refused() {
    let value = |ai: &str| Err(AiError::Value { ai: ai.to_owned() });
    assert_eq!(parse_element_string("0112312312312334"), value("01"), "check digit");
    assert_eq!(parse_element_string("011231231231233"), value("01"), "short");
    assert_eq!(parse_element_string("17261331"), value("17"), "month 13");
    assert_eq!(parse_element_string("17260230"), value("17"), "30 February");
    assert_eq!(parse_element_string("10"), value("10"), "empty");
    assert_eq!(parse_element_string("10ABCDEFGHIJKLMNOPQRSTU"), value("10"), "21 characters");
    assert_eq!(parse_element_string("10A B"), value("10"), "a space is not in set 82");
    assert_eq!(parse_element_string("37123456789"), value("37"));
    assert_eq!(parse_element_string("04123"), Err(AiError::Unknown { at: 0 }));
    assert_eq!(parse_element_string("10A\u{1d}3106000001"), Err(AiError::Unknown { at: 4 }));
    assert_eq!(parse_element_string("10A\u{1d}\u{1d}21B"), Err(AiError::Unknown { at: 4 }));
    assert_eq!(parse_element_string("10A\u{1d}10B"), Err(AiError::Twice { ai: "10".to_owned() }));
    assert_eq!(parse_element_string("10A\u{1d}10A"), Ok(elements(&[("10", "A")])));
    assert_eq!(parse_element_string("01é"), value("01"), "and a cut is never inside a character");
}

#[test]
fn values_of_several_parts_keep_to_each() {
    let good = ["2536291041500213", "2536291041500213ABC", "392212345", "39314561234", "421276ABC1", "800845123112"];
    for text in good {
        assert!(parse_element_string(text).is_ok(), "{text}: {:?}", parse_element_string(text));
    }
    for text in ["2536291041500214", "3931456", "421276", "80084512311299999", "8006123123123123330"] {
        assert!(parse_element_string(text).is_err(), "{text}");
    }
}

#[test]
fn digital_links_are_taken_apart() {
    // gs1-syntax-engine, src/c-lib/scandata.c (Apache-2.0).
    let wanted = Ok(elements(&[("01", "12312312312333"), ("99", "TEST")]));
    assert_eq!(parse_digital_link("https://example.com/01/12312312312333?99=TEST"), wanted);
    assert_eq!(parse_digital_link("HTTPS://example.com/01/12312312312333?99=TEST"), wanted);
    // RFC 3986, section 3.1: schemes are case-insensitive. (That engine refuses this one.)
    assert_eq!(parse_digital_link("HtTps://example.com/01/12312312312333?99=TEST"), wanted);
    // GS1 Digital Link standard, URI syntax, examples: stem, qualifiers, attributes, other parameters, a fragment.
    let uri = "https://shop.example/some/stem/01/09506000134352/22/2A/10/ABC%2F1/21/123?17=261231&utm=x&3103=000195#f";
    let wanted =
        [("01", "09506000134352"), ("10", "ABC/1"), ("17", "261231"), ("21", "123"), ("22", "2A"), ("3103", "000195")];
    assert_eq!(parse_digital_link(uri), Ok(elements(&wanted)));
    assert_eq!(parse_digital_link("http://id.gs1.org/01/9506000134352/"), Ok(elements(&[("01", "09506000134352")])));
    assert_eq!(
        parse_digital_link("https://id.gs1.org/00/106141412345678908"),
        Ok(elements(&[("00", "106141412345678908")]))
    );
}

#[test]
fn what_is_no_digital_link_says_why() {
    let cases = [
        ("https://example.com/01/12312312312334", AiError::Value { ai: "01".to_owned() }),
        ("https://example.com/01/12312312312333/21/1/10/2", AiError::Qualifier { ai: "10".to_owned() }),
        ("https://example.com/01/12312312312333/22/1/235/2", AiError::Qualifier { ai: "235".to_owned() }),
        ("https://example.com/01/12312312312333/10/a%2", AiError::Percent),
        ("https://example.com/01/12312312312333/10/%ff", AiError::Percent),
        ("https://example.com/01/12312312312333?04=1", AiError::Value { ai: "04".to_owned() }),
        ("https://example.com/products/7", AiError::NoKey),
        ("https://example.com", AiError::NoKey),
        ("https:///01/12312312312333", AiError::NoKey),
        ("ftp://example.com/01/12312312312333", AiError::NoKey),
        ("01/12312312312333", AiError::NoKey),
    ];
    for (uri, error) in cases {
        assert_eq!(parse_digital_link(uri), Err(error), "{uri}");
    }
}

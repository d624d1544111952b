use regex::Regex;

use super::*;

fn grammars() -> CodeGrammars {
    CodeGrammars { member: Regex::new("^M[0-9]{8,}$").ok(), clerk: Regex::new("^C[0-9]+$").ok(), pickup: None }
}

/// `]Q1text` or `text`.
fn classified(text: &str) -> Classified {
    let (symbology, text) = crate::wire::scan::split_aim(text);
    classify(symbology, text.to_owned(), &grammars())
}

fn kind(text: &str) -> CodeKind {
    classified(text).code.kind
}

const RFC_8037: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
    hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

#[test]
fn the_table_decides_row_by_row() {
    let table = [
        (RFC_8037, CodeKind::Coupon),
        ("]Q1SC1:BB8", CodeKind::Coupon),
        ("M12345678", CodeKind::Member),
        ("]Q1C77", CodeKind::Clerk),
        ("]Q3011231231231233310ABC123\u{1d}99TESTING", CodeKind::Product),
        ("]C1011231231231233310ABC123", CodeKind::Product),
        ("\u{1d}011231231231233310ABC123", CodeKind::Product),
        ("]Q1https://example.com/01/12312312312333?99=TEST", CodeKind::Product),
        ("https://example.com/01/12312312312334", CodeKind::Url),
        ("]Q1HTTP://example.com", CodeKind::Url),
        ("https://", CodeKind::Unknown),
        ("]E06901234567892", CodeKind::Product),
        ("]E06901234567893", CodeKind::Unknown),
        ("6901234567892", CodeKind::Product),
        ("]Q3011231231231233410ABC123", CodeKind::Unknown),
        ("hello world", CodeKind::Unknown),
        ("", CodeKind::Unknown),
    ];
    for (text, wanted) in table {
        assert_eq!(kind(text), wanted, "{text}");
    }
}

#[test]
fn the_wallets_own_examples_are_payment_codes() {
    // Alipay and WeChat Pay documentation of pay-by-code.
    for code in ["28763443825664394", "289431869362714645", "134650328919428540"] {
        for symbology in ["", "]Q1", "]C0"] {
            let classified = classified(&format!("{symbology}{code}"));
            assert_eq!(classified.code.kind, CodeKind::Payment);
            let masked = format!("{}{}{}", &code[..2], "*".repeat(code.len() - 6), &code[code.len() - 4..]);
            assert_eq!(classified.code.value, masked);
            assert_eq!(classified.payment.map(|full| full.with(str::to_owned)).as_deref(), Some(code));
        }
        for symbology in ["]E0", "]I1", "]A0", "]d1"] {
            assert_ne!(kind(&format!("{symbology}{code}")), CodeKind::Payment);
        }
    }
    assert_eq!(kind("6212345678901234567"), CodeKind::Payment);
}

#[test]
fn lengths_and_prefixes_at_the_edges_are_no_payment_codes() {
    let digits = |prefix: &str, length: usize| format!("{prefix}{}", "1".repeat(length - prefix.len()));
    for (prefix, length, wanted) in [
        ("25", 16, true),
        ("30", 24, true),
        ("25", 15, false),
        ("30", 25, false),
        ("24", 18, false),
        ("31", 18, false),
        ("10", 18, true),
        ("15", 18, true),
        ("16", 18, false),
        ("09", 18, false),
        ("13", 17, false),
        ("13", 19, false),
        ("62", 19, true),
        ("62", 18, false),
        ("62", 20, false),
    ] {
        assert_eq!(kind(&digits(prefix, length)) == CodeKind::Payment, wanted, "{prefix}, {length} digits");
    }
    assert_ne!(kind("2876344382566439x"), CodeKind::Payment);
}

#[test]
fn a_chains_own_grammar_comes_before_everything_but_coupons() {
    let all = CodeGrammars { pickup: Regex::new(".*").ok(), ..CodeGrammars::default() };
    for text in ["28763443825664394", "6901234567892", "https://example.com"] {
        assert_eq!(classify(None, text.to_owned(), &all).code.kind, CodeKind::Pickup);
    }
    assert_eq!(classify(None, RFC_8037.to_owned(), &all).code.kind, CodeKind::Coupon);
}

#[test]
fn a_products_number_and_identifiers_come_along() {
    let code = classified("]d2011231231231233310ABC123\u{1d}99TESTING").code;
    assert_eq!(code.gtin.map(|gtin| gtin.to_string()).as_deref(), Some("12312312312333"));
    assert_eq!(code.ai.get("10").map(String::as_str), Some("ABC123"));
    assert_eq!(code.value, "011231231231233310ABC123\u{1d}99TESTING");
    let sscc = classified("]C100106141412345678908").code;
    assert_eq!((sscc.kind, sscc.gtin), (CodeKind::Product, None));
    assert_eq!(classified("]E402345673").code.gtin.map(|g| g.to_string()).as_deref(), Some("00000002345673"));
}

#[test]
fn masking_keeps_the_length_and_never_the_middle() {
    assert_eq!(masked("28763443825664394"), "28***********4394");
    assert_eq!(masked("1234567"), "12*4567");
    assert_eq!(masked("123456"), "******");
    assert_eq!(masked(""), "");
}

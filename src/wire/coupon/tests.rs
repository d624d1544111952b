use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::token::is_signature;
use super::*;
use crate::types::{
    Counter, CouponClaims, CouponClock, CouponId, CouponKeys, CouponKind, CouponRefusal, CouponValue, GatewayId,
    IssuerId, IssuerKey, KeyId, KeyRing, StoreId, Timestamp,
};

/// RFC 8037, appendix A.2: the public key.
const RFC_8037_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// RFC 8037, appendix A.1: the private key, which is also that of RFC 8032, section 7.1, test 1.
const RFC_8037_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
/// RFC 8037, appendix A.4.
const RFC_8037_JWS: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
    hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// eddsa-sig-01 of the examples that RFC 9052, appendix C, points to; the key is that of RFC 8037.
const COSE_EXAMPLE: &str = "d28445a201270300a10442313154546869732069732074686520636f6e74656e742e\
    58407142fd2ff96d56db85bee905a76ba1d0b7321a95c8c4d3607c5781932b7afb87\
    11497dfa751bf40b58b3bcc32300b1487f3db34085eef013bf08f4a44d6fef0d";

/// Two coupons of the same key that another program made: bytes put together by hand from the RFCs, signed by OpenSSL.
const FOREIGN_JWS: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6IjIwMjYtMTEifQ.\
    eyJpc3MiOiJicmFuZC5leGFtcGxlIiwianRpIjoiYy00NzExIiwiYXVkIjoiaHotd3VsaW4tMDAxIiwibmJmIjoxNzk1MzA1NjAwLCJleHAiOjE3\
    OTU5MTA0MDAsImtpbmQiOiJjb3Vwb24iLCJ2YWx1ZSI6NTAwfQ.\
    Wt8zi0QSlAjWcwn6qoD9VV-IRSv8llkejuRd0ES3pnDlml_SfGmjt2FiPXfApK9ILPkABVLvjUcMIamDus4TCg";
const FOREIGN_COSE: &str = concat!(
    "SC1:RRQ/U9P60FO0NF6TF64W5EC6X7B35LC$DVKE0/D.%5$9FQ$DTVD/J07FE2KFQ4FXVDZ-D646 96R3D4W5WVD2KFQ4FXVDZ-D646OE6DF3/",
    "J1500DF3KC0F8GW+83W5U47 W6100000Y.COEDEQDK8E10010059DYKE5$C634%:6/68MQIREQGATK J7FJ/D5G27$+RW/9H8HC3S9I06SHN*K",
    ":Z1AO265B273X50LOPW4WC.FIMMPLRQLGIK6P.1M7B Z89OR40JA0",
);

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn key_32(text: &str) -> [u8; 32] {
    base64url_decode(text).unwrap().try_into().unwrap()
}

fn signer() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_and_public_key(&key_32(RFC_8037_D), &key_32(RFC_8037_X)).unwrap()
}

fn sign(bytes: &[u8]) -> [u8; 64] {
    signer().sign(bytes).as_ref().try_into().unwrap()
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn claims() -> CouponClaims {
    CouponClaims {
        issuer: IssuerId::new("brand.example").unwrap(),
        key: KeyId::new("2026-11").unwrap(),
        id: CouponId::new("c-4711").unwrap(),
        audience: vec!["hz-wulin-001".to_owned()],
        not_before: at("2026-11-22T00:00:00Z"),
        expires: at("2026-11-29T00:00:00Z"),
        kind: CouponKind::Coupon,
        value: CouponValue::Minor(500),
    }
}

fn pickup() -> CouponClaims {
    CouponClaims {
        id: CouponId::new("p-0815").unwrap(),
        audience: vec!["hz-wulin-001/gw-1".to_owned(), "hz-wulin-002".to_owned()],
        kind: CouponKind::Pickup,
        value: CouponValue::Text("order 17".to_owned()),
        ..claims()
    }
}

/// The key of the RFC, valid in the last quarter of 2026.
fn ring() -> KeyRing {
    let mut ring = KeyRing::default();
    let key = IssuerKey {
        id: claims().key,
        ed25519: key_32(RFC_8037_X),
        from: at("2026-10-01T00:00:00Z"),
        until: at("2027-01-01T00:00:00Z"),
    };
    ring.add(CouponKeys { issuer: claims().issuer, keys: vec![key] });
    ring
}

fn counter() -> Counter {
    Counter { store: StoreId::new("hz-wulin-001").unwrap(), gateway: GatewayId::new("gw-1").unwrap() }
}

fn clock(time: &str) -> CouponClock {
    CouponClock { now: at(time), synced: true, unsynced_allowed: false }
}

const NOON: &str = "2026-11-25T12:00:00Z";

fn verdict(text: &str) -> Result<CouponClaims, CouponRefusal> {
    verify(text, &ring(), &counter(), clock(NOON)).map_err(|refused| refused.reason)
}

fn refusal(text: &str) -> CouponRefusal {
    verdict(text).unwrap_err()
}

/// A JWS of this header and these claims, signed by the right key.
fn jws(header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", base64url_encode(header.as_bytes()), base64url_encode(payload.as_bytes()));
    let signature = base64url_encode(&sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn the_jws_of_rfc_8037_verifies() {
    let parts = jws::Parts::of(RFC_8037_JWS).unwrap();
    assert_eq!(parts.payload, b"Example of Ed25519 signing");
    assert!(is_signature(&key_32(RFC_8037_X), &parts.signed, &parts.signature));
    assert!(!is_signature(&key_32(RFC_8037_X), b"something else", &parts.signature));
    assert_eq!(refusal(RFC_8037_JWS), CouponRefusal::Malformed, "good, and no coupon");
}

#[test]
fn the_cose_example_of_rfc_9052_verifies() {
    let bytes = hex(COSE_EXAMPLE);
    let parts = cose::Parts::of(&bytes).unwrap();
    assert_eq!((parts.payload, parts.unprotected), (b"This is the content.".as_slice(), hex("a104423131").as_slice()));
    assert!(is_signature(&key_32(RFC_8037_X), &parts.signed(), &parts.signature));
    for end in 0..bytes.len() {
        assert!(cose::Parts::of(&bytes[..end]).is_none(), "cut at {end}");
    }
}

#[test]
fn coupons_of_another_program_are_good_and_are_what_we_write() {
    assert_eq!(verdict(FOREIGN_JWS), Ok(claims()));
    assert_eq!(verdict(FOREIGN_COSE), Ok(pickup()));
    assert_eq!(issue_jws(&claims(), sign), FOREIGN_JWS);
    assert_eq!(issue_cose(&pickup(), sign), FOREIGN_COSE);
    assert_eq!(signer().public_key().as_ref(), key_32(RFC_8037_X));
}

#[test]
fn the_window_is_kept_to_the_millisecond() {
    let at = |time| verify(FOREIGN_JWS, &ring(), &counter(), clock(time)).map_err(|refused| refused.reason);
    assert_eq!(at("2026-11-21T23:59:59.999Z"), Err(CouponRefusal::NotYet));
    assert_eq!(at("2026-11-22T00:00:00Z"), Ok(claims()));
    assert_eq!(at("2026-11-28T23:59:59.999Z"), Ok(claims()));
    assert_eq!(at("2026-11-29T00:00:00Z"), Err(CouponRefusal::Expired));
    assert_eq!(at("2026-12-31T23:59:59.999Z"), Err(CouponRefusal::Expired));
    assert_eq!(at("2027-01-01T00:00:00Z"), Err(CouponRefusal::UnknownKey), "the key's time is over");
    assert_eq!(at("2026-09-30T23:59:59Z"), Err(CouponRefusal::UnknownKey), "the key's time has not come");
}

#[test]
fn a_clock_that_is_not_synchronised_counts_only_where_that_is_allowed() {
    let judge = |synced, unsynced_allowed, time| {
        let clock = CouponClock { synced, unsynced_allowed, ..clock(time) };
        verify(FOREIGN_JWS, &ring(), &counter(), clock).map_err(|refused| refused.reason)
    };
    assert_eq!(judge(false, false, NOON), Err(CouponRefusal::ClockUnsynced));
    assert_eq!(judge(false, false, "1970-01-01T00:00:07Z"), Err(CouponRefusal::ClockUnsynced));
    assert_eq!(judge(false, true, NOON), Ok(claims()));
    assert_eq!(judge(true, true, NOON), Ok(claims()));
    assert_eq!(judge(false, true, "2026-11-30T00:00:00Z"), Err(CouponRefusal::Expired));
}

#[test]
fn each_refusal_has_its_own_word_and_only_a_good_signature_tells_what_the_coupon_says() {
    let told = |text: &str, ring: &KeyRing, counter: &Counter, time| {
        let refused = verify(text, ring, counter, clock(time)).unwrap_err();
        (refused.reason, refused.claims.map(|claims| *claims))
    };
    let elsewhere = Counter { store: StoreId::new("sh-001").unwrap(), gateway: GatewayId::new("gw-9").unwrap() };
    let other_key = issue_jws(&CouponClaims { key: KeyId::new("2026-12").unwrap(), ..claims() }, sign);
    let other_issuer = issue_cose(&CouponClaims { issuer: IssuerId::new("other").unwrap(), ..claims() }, sign);
    let not_signed = issue_cose(&claims(), |_| [7; 64]);
    let (ring, here) = (ring(), counter());
    assert_eq!(told("SC1:", &ring, &here, NOON), (CouponRefusal::Malformed, None));
    assert_eq!(told(&other_key, &ring, &here, NOON), (CouponRefusal::UnknownKey, None));
    assert_eq!(told(&other_issuer, &ring, &here, NOON), (CouponRefusal::UnknownKey, None));
    assert_eq!(told(FOREIGN_JWS, &KeyRing::default(), &here, NOON), (CouponRefusal::UnknownKey, None));
    assert_eq!(told(&not_signed, &ring, &here, NOON), (CouponRefusal::Forged, None));
    assert_eq!(told(FOREIGN_JWS, &ring, &elsewhere, NOON), (CouponRefusal::WrongAudience, Some(claims())));
    assert_eq!(told(FOREIGN_JWS, &ring, &here, "2026-12-01T00:00:00Z"), (CouponRefusal::Expired, Some(claims())));
}

#[test]
fn another_algorithm_is_forged_whatever_its_signature() {
    let payload =
        r#"{"iss":"brand.example","jti":"1","aud":"hz-wulin-001","nbf":0,"exp":1995910400,"kind":"coupon","value":1}"#;
    assert!(verdict(&jws(r#"{"alg":"EdDSA","kid":"2026-11"}"#, payload)).is_ok());
    for alg in ["none", "HS256", "ES256", "RS256", "eddsa", "EdDSA ", "Ed25519", "Ed448"] {
        let text = jws(&format!(r#"{{"alg":"{alg}","kid":"2026-11"}}"#), payload);
        assert_eq!(refusal(&text), CouponRefusal::Forged, "{alg}");
    }
    // A signature part that is empty is no signature.
    let text = jws(r#"{"alg":"none","kid":"2026-11"}"#, payload);
    assert_eq!(refusal(&text[..=text.rfind('.').unwrap()]), CouponRefusal::Malformed);
    // COSE: ES256 (-7) instead of EdDSA (-8), everything else as it was.
    let bytes = base45::decode(&FOREIGN_COSE[4..]).unwrap();
    let place = bytes.iter().position(|byte| *byte == 0x27).unwrap();
    let mut other = bytes;
    other[place] = 0x26;
    assert_eq!(refusal(&format!("SC1:{}", base45::encode(&other))), CouponRefusal::Forged);
}

#[test]
fn headers_that_would_change_the_meaning_are_refused() {
    let payload =
        r#"{"iss":"brand.example","jti":"1","aud":"hz-wulin-001","nbf":0,"exp":1995910400,"kind":"coupon","value":1}"#;
    let good = [
        r#"{"alg":"EdDSA","kid":"2026-11","typ":"JWT"}"#,
        r#"{"alg":"EdDSA","kid":"2026-11","jwk":{"kty":"OKP"},"x5c":[]}"#,
    ];
    for header in good {
        assert!(verdict(&jws(header, payload)).is_ok(), "{header}");
    }
    let bad = [
        r#"{"alg":"EdDSA","kid":"2026-11","crit":["exp"]}"#,
        r#"{"alg":"EdDSA","kid":"2026-11","b64":false}"#,
        r#"{"alg":"EdDSA","alg":"EdDSA","kid":"2026-11"}"#,
        r#"{"alg":"EdDSA","kid":"2026-11","kid":"2026-11"}"#,
        r#"{"alg":["EdDSA"],"kid":"2026-11"}"#,
        r#"{"alg":"EdDSA","kid":7}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"kid":"2026-11"}"#,
        r#"["EdDSA","2026-11"]"#,
        "",
    ];
    for header in bad {
        assert_eq!(refusal(&jws(header, payload)), CouponRefusal::Malformed, "{header}");
    }
}

#[test]
fn the_key_may_be_named_in_the_claims_but_not_two_keys() {
    let claims = |kid: &str| {
        format!(
            r#"{{"iss":"brand.example",{kid}"jti":"1","aud":["x","hz-wulin-001"],"nbf":0,"exp":1995910400,
                "kind":"coupon","value":"a"}}"#
        )
    };
    assert!(verdict(&jws(r#"{"alg":"EdDSA"}"#, &claims(r#""kid":"2026-11","#))).is_ok());
    assert!(verdict(&jws(r#"{"alg":"EdDSA","kid":"2026-11"}"#, &claims(r#""kid":"2026-11","#))).is_ok());
    let two = jws(r#"{"alg":"EdDSA","kid":"2026-11"}"#, &claims(r#""kid":"2026-12","#));
    assert_eq!(refusal(&two), CouponRefusal::Malformed);
}

#[test]
fn claims_that_are_missing_or_not_what_they_must_be_are_malformed() {
    let members = [
        ("iss", "\"brand.example\"", &["7", "\"\"", "\"a b\"", "null"][..]),
        ("jti", "\"1\"", &["1", "\"\"", "\"a b\"", "[\"1\"]"]),
        ("aud", "\"hz-wulin-001\"", &["1", "\"\"", "[]", "[1]", "[\"\"]", "{}"]),
        ("nbf", "0", &["\"0\"", "0.5", "-1", "null", "1e3"]),
        ("exp", "1995910400", &["\"1995910400\"", "1995910400.5", "-1", "99999999999999"]),
        ("kind", "\"coupon\"", &["\"voucher\"", "1", "\"Coupon\""]),
        ("value", "1", &["-1", "1.5", "9007199254740992", "\"\"", "{}", "true"]),
    ];
    let with = |changed: &str, to: Option<&str>| {
        let all = members.iter().filter_map(|(name, good, _)| {
            let value = if *name == changed { to? } else { good };
            Some(format!("\"{name}\":{value}"))
        });
        let payload = format!("{{{}}}", all.collect::<Vec<_>>().join(","));
        verdict(&jws(r#"{"alg":"EdDSA","kid":"2026-11"}"#, &payload)).map(drop)
    };
    assert_eq!(with("", None), Ok(()));
    for (name, _, bad) in members {
        assert_eq!(with(name, None), Err(CouponRefusal::Malformed), "{name} missing");
        for value in bad {
            assert_eq!(with(name, Some(value)), Err(CouponRefusal::Malformed), "{name} = {value}");
        }
    }
}

#[test]
fn a_text_that_is_too_long_is_not_even_read() {
    let long = CouponClaims { audience: vec!["x".repeat(65); 16], ..claims() };
    let text = issue_jws(&long, sign);
    assert!(text.len() < TEXT_CHARACTERS, "{}", text.len());
    assert_eq!(refusal(&text), CouponRefusal::WrongAudience);
    assert_eq!(
        refusal(&issue_jws(&CouponClaims { audience: vec!["x".repeat(65); 17], ..claims() }, sign)),
        CouponRefusal::Malformed
    );
    assert_eq!(refusal(&format!("{FOREIGN_JWS}{}", "A".repeat(TEXT_CHARACTERS))), CouponRefusal::Malformed);
}

/// Everything that differs from `text` in one bit or one byte less, of the text itself and of what it encodes.
fn damaged(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for at in 0..text.len() {
        all.push(text[..at].to_owned());
        for bit in 0..7 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            all.push(String::from_utf8(bytes).unwrap());
        }
    }
    if let Some(rest) = text.strip_prefix(PREFIX) {
        let bytes = base45::decode(rest).unwrap();
        for at in 0..bytes.len() {
            all.push(format!("{PREFIX}{}", base45::encode(&bytes[..at])));
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                all.push(format!("{PREFIX}{}", base45::encode(&other)));
            }
        }
    }
    all
}

#[test]
fn any_flipped_bit_and_any_truncation_is_refused() {
    for text in [FOREIGN_JWS, FOREIGN_COSE] {
        let all = damaged(text);
        assert!(all.len() > 2000, "{}", all.len());
        for other in all {
            let reason = refusal(&other);
            let is_cut = other.len() < text.len();
            let fits = match reason {
                CouponRefusal::Malformed | CouponRefusal::Forged => true,
                // The bit was in the name of the issuer or of the key.
                CouponRefusal::UnknownKey => !is_cut,
                _ => false,
            };
            assert!(fits, "{reason} for {other}");
        }
    }
}

#[test]
fn a_coupon_has_no_second_text() {
    let bytes = base45::decode(&FOREIGN_COSE[4..]).unwrap();
    let again = |bytes: &[u8]| refusal(&format!("SC1:{}", base45::encode(bytes)));
    assert_eq!(again(&bytes[1..]), CouponRefusal::Malformed, "without its tag");
    assert_eq!(again(&[&[0xd8, 0x12], &bytes[1..]].concat()), CouponRefusal::Malformed, "a longer tag");
    assert_eq!(again(&[&bytes, [0].as_slice()].concat()), CouponRefusal::Malformed, "one byte more");
    // An unprotected header that nobody signed.
    let place = bytes.iter().position(|byte| *byte == 0xa0).unwrap();
    let with_header = [&bytes[..place], &hex("a104423131"), &bytes[place + 1..]].concat();
    assert_eq!(again(&with_header), CouponRefusal::Malformed);
    for text in
        [format!("{FOREIGN_JWS}="), format!(" {FOREIGN_JWS}"), format!("{FOREIGN_JWS}\n"), format!("{FOREIGN_JWS}.")]
    {
        assert_eq!(refusal(&text), CouponRefusal::Malformed, "{text:?}");
    }
    assert_eq!(refusal(&FOREIGN_COSE.to_lowercase()), CouponRefusal::Malformed);
}

#[test]
fn the_claims_of_rfc_8392_are_read_as_they_are_meant() {
    // RFC 8392, appendix A.1; it lacks what a coupon needs beyond a CWT.
    let payload = "a70175636f61703a2f2f61732e6578616d706c652e636f6d02656572696b77037818636f61703a2f2f6c696768742e6578\
        616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b71";
    let fields = cose::claims_of(&hex(payload)).unwrap();
    assert_eq!(fields.text("iss"), Some(Some("coap://as.example.com")));
    assert_eq!(fields.text("aud"), Some(Some("coap://light.example.com")));
    assert_eq!(fields.text("jti"), Some(Some("\u{b}q")));
    assert_eq!((fields.whole("exp"), fields.whole("nbf")), (Some(1_444_064_944), Some(1_443_944_944)));
    assert_eq!(fields.claims(None), None);
}

#[test]
fn labels_that_stand_twice_in_cbor_are_refused() {
    for (map, good) in [
        ("a201610103616b", true),
        ("a2016101016101", false),
        // 99 twice, a text twice; the text "99" is not the number 99.
        ("a218630118630 2", false),
        ("a2623939016239 3902", false),
        ("a2186301623939 02", true),
        ("a1f401", false),
        ("a10161", false),
        ("a1016101 00", false),
    ] {
        assert_eq!(cose::claims_of(&hex(&map.replace(' ', ""))).is_some(), good, "{map}");
    }
}

prop_compose! {
    fn any_claims()(
        issuer in "[!-~]{1,48}",
        key in "[!-~]{1,64}",
        id in "[!-~]{1,64}",
        audience in prop::collection::vec("[a-z0-9/-]{1,65}", 1..=16),
        not_before in 0..4_000_000_000_i64,
        expires in 0..4_000_000_000_i64,
        kind in prop::sample::select(CouponKind::ALL.to_vec()),
        amount in prop::option::of(0..=CouponValue::MINOR_MAX),
        text in "[^\\p{Cc}]{1,32}",
    ) -> CouponClaims {
        CouponClaims {
            issuer: IssuerId::new(&issuer).unwrap(),
            key: KeyId::new(&key).unwrap(),
            id: CouponId::new(&id).unwrap(),
            audience,
            not_before: Timestamp::from_unix_ms(not_before * 1000),
            expires: Timestamp::from_unix_ms(expires * 1000),
            kind,
            value: amount.map_or_else(|| CouponValue::text(&text).unwrap(), CouponValue::Minor),
        }
    }
}

proptest! {
    #[test]
    fn claims_survive_either_form(claims in any_claims()) {
        let mut ring = KeyRing::default();
        let key = IssuerKey {
            id: claims.key.clone(),
            ed25519: key_32(RFC_8037_X),
            from: Timestamp::from_unix_ms(0),
            until: Timestamp::from_unix_ms(i64::MAX),
        };
        ring.add(CouponKeys { issuer: claims.issuer.clone(), keys: vec![key] });
        for text in [issue_jws(&claims, sign), issue_cose(&claims, sign)] {
            let told = match verify(&text, &ring, &counter(), clock(NOON)) {
                Ok(claims) => Some(claims),
                Err(refused) => refused.claims.map(|claims| *claims),
            };
            // Nothing but its length can be wrong with it.
            prop_assert!(told.as_ref() == Some(&claims) || text.len() > TEXT_CHARACTERS, "{}", text);
        }
    }

    #[test]
    fn no_bytes_break_the_body(data in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz_coupon(&data);
    }

    #[test]
    fn no_mutation_of_a_good_coupon_breaks_the_body(
        cose in any::<bool>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = if cose { base45::decode(&FOREIGN_COSE[4..]).unwrap() } else { FOREIGN_JWS.into() };
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        fuzz_coupon(&bytes);
    }
}

/// Runs the body on every file of the kept corpus and on every truncation of it.
#[test]
fn the_kept_corpus_passes_the_body() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/coupon");
    let mut built = 0;
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "bin") {
            let data = std::fs::read(path).unwrap();
            files += 1;
            built += (0..=data.len()).map(|end| fuzz_coupon(&data[..end])).sum::<usize>();
        }
    }
    assert!(files >= 4 && built >= 2, "{files} files, {built} of them built as a coupon is");
}

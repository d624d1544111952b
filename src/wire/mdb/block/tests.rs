use super::*;

fn ask(block: &[u8]) -> Ask {
    Ask::read(open(block).unwrap())
}

fn say(block: &[u8]) -> Vec<Say> {
    Say::read_all(open(block).unwrap())
}

/// A real vend session (blog.bouni.de, MDB protocol part 3, a Sanden Vendo machine), without the mode bits.
#[test]
fn a_session_of_the_field_means_what_its_source_says() {
    assert_eq!(ask(&[0x10, 0x10]), Ask::Reset);
    assert_eq!(ask(&[0x12, 0x12]), Ask::Poll);
    assert_eq!(say(&[0x00, 0x00]), [Say::JustReset]);
    let config = Say::Config { level: 1, currency: 0x1978, scale: 1, decimals: 2, response_s: 5, options: 0 };
    assert_eq!(say(&[0x01, 0x01, 0x19, 0x78, 0x01, 0x02, 0x05, 0x00, 0x9b]), [config]);
    assert_eq!(ask(&[0x11, 0x01, 0x00, 0xc8, 0x00, 0x64, 0x3e]), Ask::Prices { highest: 200, lowest: 100 });
    assert_eq!(ask(&[0x14, 0x01, 0x15]), Ask::Enable(true));
    assert_eq!(say(&[0x03, 0x0d, 0x48, 0x58]), [Say::BeginSession { funds: 3400 }]);
    assert_eq!(ask(&[0x13, 0x00, 0x00, 0x64, 0x00, 0x01, 0x78]), Ask::VendRequest { price: 100, item: 1 });
    assert_eq!(say(&[0x05, 0x00, 0xc8, 0xcd]), [Say::Approved { amount: 200 }]);
    assert_eq!(ask(&[0x13, 0x02, 0x00, 0x01, 0x16]), Ask::VendSuccess { item: 1 });
    assert_eq!(say(&[0x04, 0x04]), [Say::SessionCancelRequest]);
    assert_eq!(ask(&[0x13, 0x04, 0x17]), Ask::SessionComplete);
    assert_eq!(ask(&[0x13, 0x03, 0x16]), Ask::VendFailure, "the money goes back");
}

/// MDB/ICP 4.2, 7.3.1 and 2.2.
#[test]
fn the_documents_examples_are_read() {
    let said = say(&[0x06, 0x0a, 0x07, 0x04, 0x1b]);
    assert_eq!(said, [Say::Denied, Say::Malfunction(7), Say::SessionCancelRequest]);
    assert_eq!(check(&[0x02, 0x00, 0x01, 0x05, 0x02, 0x00, 0x07, 0x01, 0x02, 0x05, 0x14, 0xff]), 0x2c);
}

#[test]
fn every_block_of_the_shared_session_has_a_right_check_and_a_meaning() {
    #[expect(clippy::disallowed_methods, reason = "the vectors stand where the Makefile says")]
    let folder = std::env::var("SMARTSTORE_DATA").unwrap_or_else(|_| "../shared/data".to_owned());
    let path = format!("{folder}/vending/mdb_session.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return eprintln!("SKIPPED: no vectors at {path}; set SMARTSTORE_DATA");
    };
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut blocks = 0;
    for step in vectors["trace"].as_array().unwrap() {
        let word = |word: &serde_json::Value| u16::from_str_radix(word.as_str().unwrap(), 16).unwrap();
        let wire: Vec<u8> = step["wire"].as_array().unwrap().iter().map(|w| word(w).to_le_bytes()[0]).collect();
        // A lone byte is an ACK and carries no check.
        if let [_, _, ..] = wire[..] {
            let body = open(&wire).unwrap();
            let from_machine = step["dir"] == "VMC->P";
            let meant = if from_machine { Ask::read(body) != Ask::Other } else { !Say::read_all(body).is_empty() };
            assert!(meant, "{step}");
            blocks += 1;
        }
    }
    println!("{blocks} blocks");
    assert!(blocks >= 15);
}

#[test]
fn a_flipped_bit_a_truncation_and_a_block_too_long_are_refused() {
    let block = seal(&[0x13, 0x00, 0x00, 0x64, 0x00, 0x01]);
    for bit in 0..block.len() * 8 {
        let mut broken = block.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&broken).is_err(), "bit {bit}");
    }
    assert_eq!(open(&[]), Err(BlockError::Length(0)));
    assert_eq!(open(&[0; 37]), Err(BlockError::Length(37)));
    assert_eq!(open(&block[..6]), Err(BlockError::Check { found: 0x01, expected: 0x77 }));
}

/// MDB/ICP 4.2, chapter 7: each command to a cashless device at address 10, and at 60 the same.
#[test]
fn every_documented_question_of_the_machine_is_read() {
    let table: &[(&[u8], Ask)] = &[
        (&[0x10], Ask::Reset),
        (&[0x11, 0x00, 0x02, 0x10, 0x02, 0x01], Ask::Config { level: 2, display: [0x10, 0x02, 0x01] }),
        (&[0x11, 0x01, 0xff, 0xff, 0x00, 0x00], Ask::Prices { highest: 0xffff, lowest: 0 }),
        (&[0x12], Ask::Poll),
        (&[0x13, 0x00, 0x00, 0x64, 0xff, 0xff], Ask::VendRequest { price: 100, item: 0xffff }),
        (&[0x13, 0x01], Ask::VendCancel),
        (&[0x13, 0x02, 0x00, 0x01], Ask::VendSuccess { item: 1 }),
        (&[0x13, 0x03], Ask::VendFailure),
        (&[0x13, 0x04], Ask::SessionComplete),
        (&[0x13, 0x05, 0x00, 0x64, 0x00, 0x01], Ask::CashSale { price: 100, item: 1 }),
        (&[0x13, 0x06, 0x00, 0x64, 0x00, 0x01], Ask::NegativeVend { price: 100, item: 1 }),
        (&[0x14, 0x00], Ask::Enable(false)),
        (&[0x14, 0x01], Ask::Enable(true)),
        (&[0x14, 0x02], Ask::Cancel),
        (&[0x17, 0x04, 0x00, 0x00, 0x00, 0x26], Ask::Options(0x26)),
        (&[0x15, 0x00, 0x00, 0x64], Ask::Other),
    ];
    for (body, meaning) in table {
        assert_eq!(ask(&seal(body)), *meaning, "{body:02x?}");
        let second: Vec<u8> = [&[body[0] + 0x50], &body[1..]].concat();
        assert_eq!(ask(&seal(&second)), *meaning, "{second:02x?}");
    }
    assert_eq!(ask(&seal(&[&[0x17, 0x00][..], &[b'0'; 29]].concat())), Ask::Identify);
}

/// MDB/ICP 4.2, 7.4: what a cashless device says when it is polled.
#[test]
fn every_documented_answer_that_decides_a_sale_is_read() {
    assert_eq!(say(&[0x08, 0x08]), [Say::Cancelled]);
    assert_eq!(say(&[0x07, 0x07]), [Say::EndSession]);
    assert_eq!(say(&[0x0b, 0x0b]), [Say::OutOfSequence]);
    assert_eq!(say(&seal(&[0x03, 0xff, 0xff])), [Say::BeginSession { funds: 0xffff }]);
    let level_3 = [0x03, 0x03, 0xe8, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00];
    assert_eq!(say(&seal(&level_3)), [Say::BeginSession { funds: 1000 }], "the card's number is not kept");
    assert_eq!(say(&seal(&[0x0a, 0xc0])), [Say::Malfunction(0xc0)], "the refund failed, the credit is lost");
}

use super::*;
use crate::wire::vmc::frame::{Parsed, parse};

fn frame(command: u8, text: &[u8]) -> Frame {
    Frame { command, pack: Some(7), text: text.to_vec() }
}

fn read(command: u8, text: &[u8]) -> Decoded {
    Message::decode(&frame(command, text)).unwrap()
}

/// Every message once.
fn every() -> Vec<Message> {
    let card = || Hidden(vec![1, 2, 3]);
    vec![
        Message::Poll,
        Message::Ack,
        Message::CheckSlot { slot: 60 },
        Message::SlotState { status: 2, slot: 60 },
        Message::Buy { slot: 300 },
        Message::Dispensing { status: 2, slot: 60, microwave: None },
        Message::Dispensing { status: 0x23, slot: 60, microwave: Some(1) },
        Message::Select { slot: 0 },
        Message::Drive { drop_sensor: true, lift: false, slot: 60 },
        Message::SlotReport { slot: 1, price: 9900, stock: 4, capacity: 5, product: 700, status: 3 },
        Message::Price { slot: 1003, price: 350 },
        Message::Stock { slot: 3, count: 9 },
        Message::Capacity { slot: 0, count: 9 },
        Message::Product { slot: 3, product: 999 },
        Message::PollInterval { tenths_s: 5 },
        Message::FullLoad { command: 0x17 },
        Message::FullLoad { command: 0x68 },
        Message::Money { mode: 2, amount: 100, card: card() },
        Message::Credit { amount: 500 },
        Message::PosText(card()),
        Message::TakeChange { text: vec![] },
        Message::GiveChange { amount: 50 },
        Message::MoneyFromUpper { mode: 6, amount: 100, card: Hidden::default() },
        Message::Sync,
        Message::Firmware { name: "XY-VMC 3.2.11".to_owned() },
        Message::AskStatus,
        Message::Status(status(None)),
        Message::Status(status(Some([Some(40), None, None, None, None, None, None, Some(55)]))),
        Message::AskLift,
        Message::Lift { status: 3 },
        Message::AskBalance,
        Message::Balance { amount: 1000 },
        Message::Deduct { amount: 0 },
        Message::Menu { answer: false, point: 0x32, operation: 1, text: vec![] },
        Message::Menu { answer: true, point: 0x18, operation: 0, text: vec![9; 200] },
        Message::Weight { slot: 3, status: 0, weight_g: 750 },
        Message::UnlockResult { unlocked: true, text: vec![] },
        Message::Opaque { command: 0x29, text: card() },
        Message::Unknown { command: 0x99, text: card() },
    ]
}

fn status(humidity_percent: Option<[Option<u8>; 8]>) -> Status {
    Status {
        bill: 0,
        coin: 1,
        card: 0,
        temperature_control: 0,
        temperature_c: Some(-18),
        door: 1,
        bill_change: 5000,
        coin_change: 70,
        id: *b"0000000000",
        cabinets_c: [Some(19), None, None, None, None, None, None, None],
        humidity_percent,
    }
}

#[test]
fn every_message_survives_its_frame() {
    for message in every() {
        let bytes = message.frame(9).encode();
        let Parsed::Whole(frame, length) = parse(&bytes) else { panic!("{message:?}: {bytes:02x?}") };
        assert_eq!(length, bytes.len());
        assert_eq!(Message::decode(&frame).unwrap().message, message);
    }
}

#[test]
fn a_text_that_is_too_short_is_an_error_and_never_a_panic() {
    for message in every() {
        let frame = message.frame(9);
        for end in 0..frame.text.len() {
            let short = Frame { text: frame.text[..end].to_vec(), ..frame.clone() };
            if let Ok(decoded) = Message::decode(&short) {
                assert_ne!(decoded.message, message, "cut at {end}");
            }
        }
    }
    assert_eq!(Message::decode(&frame(0x02, &[1, 0])), Err(TooShort { command: 0x02, length: 2 }));
}

#[test]
fn dispensing_is_read_in_the_three_lengths_of_documents_and_field() {
    let dispensing = |slot, microwave| Message::Dispensing { status: 2, slot, microwave };
    assert_eq!(read(0x04, &[2, 60]), Decoded { message: dispensing(60, None), odd: true });
    assert_eq!(read(0x04, &[2, 0, 60]), Decoded { message: dispensing(60, None), odd: false });
    assert_eq!(read(0x04, &[2, 0, 60, 1]), Decoded { message: dispensing(60, Some(1)), odd: true });
}

#[test]
fn machine_status_is_read_in_the_captured_length_and_with_humidity() {
    // laoapps/vending-server: nineteen degrees, seven cabinets not read.
    let mut text = vec![0, 1, 0, 0, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    text.extend(*b"0000000000");
    text.extend([0x13, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa]);
    let Decoded { message: Message::Status(found), odd: false } = read(0x52, &text) else { panic!() };
    assert_eq!(
        (found.coin, found.temperature_c, found.cabinets_c[0], found.cabinets_c[1]),
        (1, Some(19), Some(19), None)
    );
    assert_eq!(found.humidity_percent, None);
    text.extend([40, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa]);
    let Decoded { message: Message::Status(found), odd: true } = read(0x52, &text) else { panic!() };
    assert_eq!(found.humidity_percent.unwrap()[..2], [Some(40), None]);
}

#[test]
fn only_two_is_success_and_only_what_is_printed_as_a_result_gives_money_back() {
    use crate::wire::vmc::code::{DispenseWord, dispense_word};
    let bad = [3, 4, 6, 7, 0x0a, 0x12, 0x13, 0x15, 0x17, 0x20, 0x25, 0x27, 0x28, 0x29, 0x30, 0x31, 0x32];
    for status in 0..=u8::MAX {
        match dispense_word(status) {
            DispenseWord::Good => assert_eq!(status, 2),
            DispenseWord::Bad(why) => assert!(bad.contains(&status) && !why.is_empty(), "{status:02x}"),
            DispenseWord::Progress => assert!(status != 2 && !bad.contains(&status), "{status:02x}"),
        }
    }
}

#[test]
fn what_may_be_a_card_does_not_show() {
    let money = Message::Money { mode: 3, amount: 1, card: Hidden(b"6225880212345678".to_vec()) };
    assert_eq!(format!("{money:?}"), "Money { mode: 3, amount: 1, card: 16 bytes }");
}

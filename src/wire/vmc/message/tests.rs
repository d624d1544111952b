use super::*;
use crate::wire::framer::Parsed;
use crate::wire::vmc::frame::parse;

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
        Message::Doors { states: vec![0, 1, 2] },
        Message::Unlock { timeout_s: 30 },
        Message::UnlockResult { result: 1, text: vec![] },
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

/// Command, packet number and text, what it means, and whether that length is one on which the documents do not agree.
type Documented = (u8, &'static str, Message, bool);

/// Lanes, orders and what became of them (V3.0, V3.2.11).
fn documented_of_lanes() -> Vec<Documented> {
    let dispensing = |status, slot, microwave| Message::Dispensing { status, slot, microwave };
    vec![
        (0x01, "05 003c", Message::CheckSlot { slot: 60 }, false),
        (0x01, "05 003c 00", Message::CheckSlot { slot: 60 }, true),
        (0x02, "05 01 003c", Message::SlotState { status: 1, slot: 60 }, false),
        (0x02, "05 23 012c", Message::SlotState { status: 0x23, slot: 300 }, false),
        (0x03, "01 000d", Message::Buy { slot: 13 }, false),
        (0x04, "9e 03 3c", dispensing(3, 60, None), true),
        (0x04, "9e 03 003c", dispensing(3, 60, None), false),
        (0x04, "9e 03 003c 01", dispensing(3, 60, Some(1)), true),
        (0x05, "01 0000", Message::Select { slot: 0 }, false),
        (0x05, "01 0007", Message::Select { slot: 7 }, false),
        (0x06, "a6 01 00 003c", Message::Drive { drop_sensor: true, lift: false, slot: 60 }, false),
        (0x06, "a6 00 01 03e7", Message::Drive { drop_sensor: false, lift: true, slot: 999 }, false),
        (
            0x11,
            "41 0102 00015f90 07 08 0203 01",
            Message::SlotReport { slot: 258, price: 90_000, stock: 7, capacity: 8, product: 515, status: 1 },
            false,
        ),
        (0x12, "01 0000 0000015e", Message::Price { slot: 0, price: 350 }, false),
        (0x13, "01 03eb 05", Message::Stock { slot: 1003, count: 5 }, false),
        (0x14, "01 0003 09", Message::Capacity { slot: 3, count: 9 }, false),
        (0x15, "01 0003 0102", Message::Product { slot: 3, product: 258 }, false),
        (0x16, "01 14", Message::PollInterval { tenths_s: 20 }, false),
        (0x17, "01", Message::FullLoad { command: 0x17 }, false),
        (0x68, "01", Message::FullLoad { command: 0x68 }, false),
    ]
}

/// Money, the machine itself, its menu and gravity cabinets (V3.0, V3.2.11, V3.2.131).
fn documented_of_the_rest() -> Vec<Documented> {
    let money = |mode, amount| Message::Money { mode, amount, card: Hidden::default() };
    let menu = |answer, point, operation, text: &[u8]| Message::Menu { answer, point, operation, text: text.to_vec() };
    let opaque = |command| Message::Opaque { command, text: Hidden(vec![0]) };
    vec![
        (0x21, "01 01 000186a0", money(1, 100_000), false),
        (0x21, "01 08 000186a0", money(8, 100_000), false),
        (0x21, "01 0a 000186a0", money(10, 100_000), true),
        (0x21, "01 03 00000064 3132", Message::Money { mode: 3, amount: 100, card: Hidden(b"12".to_vec()) }, false),
        (0x23, "01 000001f4", Message::Credit { amount: 500 }, false),
        (0x24, "01 4f4b", Message::PosText(Hidden(b"OK".to_vec())), false),
        (0x25, "01", Message::TakeChange { text: vec![] }, false),
        (0x26, "01 00000032", Message::GiveChange { amount: 50 }, false),
        (0x27, "01 06 00000064", Message::MoneyFromUpper { mode: 6, amount: 100, card: Hidden::default() }, false),
        (0x31, "01", Message::Sync, false),
        (0x32, "01 58592d564d43000000000000000000", Message::Firmware { name: "XY-VMC".to_owned() }, false),
        (0x41, "", Message::Poll, false),
        (0x42, "", Message::Ack, false),
        (0x51, "01", Message::AskStatus, false),
        (0x53, "01", Message::AskLift, false),
        (0x54, "01 04", Message::Lift { status: 4 }, false),
        (0x61, "01", Message::AskBalance, false),
        (0x62, "01 000003e8", Message::Balance { amount: 1000 }, false),
        (0x64, "01 00000000", Message::Deduct { amount: 0 }, false),
        (0x70, "42 17 00", menu(false, 0x17, 0, &[]), false),
        (0x70, "44 19 00", menu(false, 0x19, 0, &[]), false),
        (0x70, "01 32 01", menu(false, code::MENU_JAM, code::MENU_WRITE, &[]), false),
        (0x71, "01 32 00 01", menu(true, code::MENU_JAM, code::MENU_READ, &[1]), false),
        (0x81, "01 00 02", Message::Doors { states: vec![0, 2] }, false),
        (0x83, "01 0003 00 02ee", Message::Weight { slot: 3, status: 0, weight_g: 750 }, false),
        (0x84, "01 1e", Message::Unlock { timeout_s: 30 }, false),
        (0x85, "01 00", Message::UnlockResult { result: 0, text: vec![] }, false),
        (0x28, "01 00", opaque(0x28), false),
        (0x29, "01 00", opaque(0x29), false),
        (0x66, "01 00", opaque(0x66), false),
        (0x67, "01 00", opaque(0x67), false),
        (0x80, "01 00", opaque(0x80), false),
        (0x82, "01 00", opaque(0x82), false),
        (0x86, "01 00", opaque(0x86), false),
        (0x87, "01 00", opaque(0x87), false),
        (0x99, "01 00", Message::Unknown { command: 0x99, text: Hidden(vec![0]) }, false),
    ]
}

/// Each command of the manufacturer's documents in the layout that they print.
#[test]
fn every_documented_command_means_what_the_documents_say() {
    for (command, payload, meaning, odd) in documented_of_lanes().into_iter().chain(documented_of_the_rest()) {
        let payload = crate::wire::vmc::frame::tests::hex(&payload.replace(' ', ""));
        let mut bytes = vec![0xfa, 0xfb, command, u8::try_from(payload.len()).unwrap()];
        bytes.extend(payload);
        bytes.push(bytes.iter().fold(0, |check, byte| check ^ byte));
        let Parsed::Whole(frame, _) = parse(&bytes) else { panic!("{meaning:?}") };
        assert_eq!(Message::decode(&frame), Ok(Decoded { message: meaning, odd }), "{bytes:02x?}");
    }
}

/// Two machines of the field (laoapps/vending-server), each with its captured status.
#[test]
fn captured_machine_status_is_read_field_by_field() {
    for (text, coin, celsius) in [
        ("fafb52215400010000130000000000000000003030303030303030303013aaaaaaaaaaaaaa8d", 1, 0x13),
        ("fafb522123000000000f000000000000000000303030303030303030300faaaaaaaaaaaaaafb", 0, 0x0f),
    ] {
        let Parsed::Whole(frame, _) = parse(&crate::wire::vmc::frame::tests::hex(text)) else { panic!("{text}") };
        let Decoded { message: Message::Status(found), odd } = Message::decode(&frame).unwrap() else { panic!() };
        assert!(!odd);
        assert_eq!((found.bill, found.coin, found.card, found.temperature_control), (0, coin, 0, 0));
        assert_eq!((found.temperature_c, found.door), (Some(celsius), 0));
        assert_eq!((found.bill_change, found.coin_change, &found.id), (0, 0, b"0000000000"));
        assert_eq!((found.cabinets_c[0], &found.cabinets_c[1..]), (Some(celsius), &[None; 7][..]));
        assert_eq!(found.humidity_percent, None);
    }
}

use super::*;
use crate::wire::scan::test_start;

#[test]
fn the_adapters_lines_mean_what_its_documents_say() {
    let vend = SlaveState::Vend { price_minor: 100, item: 2 };
    let lines = [
        ("c,STATUS,INACTIVE", Said::Slave(SlaveState::Inactive)),
        ("c,STATUS,IDLE,10.00", Said::Slave(SlaveState::Idle)),
        ("c,STATUS,VEND,1.00,2", Said::Slave(vend)),
        ("c,VEND,SUCCESS", Said::VendSuccess),
        ("c,ERR,VEND 3", Said::VendFailure),
        ("c,ERR,\"VEND 3\"", Said::VendFailure),
        ("c,ERR,\"cashless is on\"", Said::SlaveError),
        ("c,ERR,VEND 33", Said::SlaveError),
        ("d,STATUS,INIT,1", Said::Master(MasterState::Init)),
        ("d,STATUS,RESULT,1,1.20", Said::Master(MasterState::Result { approved_minor: Some(120) })),
        ("d,STATUS,RESULT,-1", Said::Master(MasterState::Result { approved_minor: None })),
        ("d,ERR,\"-1\"", Said::MasterError),
        ("r,ACK", Said::Ack),
        ("m,ACK", Said::Ack),
        ("m,NACK", Said::Nack),
        ("a,ACK/10", Said::Ack),
        ("p,ACK", Said::Ack),
        ("p,NACK", Said::Nack),
        ("c,STATUS,DISABLED", Said::Slave(SlaveState::Disabled)),
        ("c,STATUS,ENABLED", Said::Slave(SlaveState::Enabled)),
        ("d,STATUS,RESET", Said::Master(MasterState::Reset)),
        ("d,STATUS,IDLE", Said::Master(MasterState::Idle)),
        ("d,STATUS,VEND", Said::Master(MasterState::Vend)),
        ("p,0304", Said::Block(vec![3, 4])),
    ];
    for (line, meaning) in lines {
        assert_eq!(Said::read(line, 2), Some(meaning), "{line}");
    }
    for bad in ["", "hello", "c,STATUS", "c,STATUS,VEND,1.00", "c,STATUS,VEND,1.001,2", "c,STATUS,VEND,-1,2"] {
        assert_eq!(Said::read(bad, 2), None, "{bad}");
    }
}

#[test]
fn an_amount_is_exact_both_ways() {
    for (minor_units, decimals, text) in [(0, 2, "0.00"), (5, 2, "0.05"), (120, 2, "1.20"), (120, 0, "120")] {
        assert_eq!(amount(minor_units, decimals), text);
        assert_eq!(minor(text, decimals), Some(minor_units));
    }
    assert_eq!((minor("1.2", 2), minor("1", 2), minor("1.200", 2)), (Some(120), Some(100), Some(120)));
    assert_eq!((minor("1.201", 2), minor("", 2), minor("99999999999", 2)), (None, None, None));
}

fn cut(pieces: &[&[u8]]) -> (Vec<String>, u64) {
    let now = test_start();
    let mut lines = Lines::new(Duration::from_millis(200), now);
    let (mut found, mut noise) = (Vec::new(), 0);
    let mut take = |piece| match piece {
        Piece::Line(line) => found.push(line),
        Piece::Noise(bytes) => noise += bytes,
    };
    pieces.iter().for_each(|piece| lines.push(now, piece, &mut take));
    lines.tick(now + Duration::from_millis(200), &mut take);
    (found, noise)
}

#[test]
fn any_split_gives_the_same_lines_and_noise_spoils_only_its_own() {
    let stream = b"r,ACK\r\nc,ST\xffATUS\r\nc,VEND,SUCCESS\r\nc,STA";
    let whole = cut(&[stream]);
    assert_eq!(whole.0, ["r,ACK", "c,VEND,SUCCESS"]);
    for at in 0..stream.len() {
        assert_eq!(cut(&[&stream[..at], &stream[at..]]), whole, "split at {at}");
    }
    let (found, noise) = cut(&[&vec![b'x'; 100_000], b"\r\nr,ACK\r\n"]);
    assert_eq!((found, noise), (vec!["r,ACK".to_owned()], 100_001));
}

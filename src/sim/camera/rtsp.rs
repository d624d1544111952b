//! H.264 over RTSP, everything over one TCP connection: RFC 2326 (section 10.12, interleaved), RFC 6184 (single NAL
//! units and FU-A).
//!
//! ```text
//! $ | channel | length (2) | RTP head (12) | NAL unit, or FU indicator, FU header and a piece of one
//! ```

use std::io;
use std::time::Duration;

use openh264::encoder::{Encoder, EncoderConfig, FrameRate, IntraFramePeriod};
use openh264::formats::{RgbSliceU8, YUVBuffer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::http::{head, noise};
use super::{CameraSetup, Fault, Next, REQUEST, Shot, Shots, base64, is_let_in};

/// Longest piece of a NAL unit in one packet.
const PIECE: usize = 1400;
/// Of H.264's RTP clock, by RFC 6184.
const CLOCK_HZ: u64 = 90_000;
/// A dynamic payload type.
const PAYLOAD: u8 = 96;
const SESSION: &str = "4711";
/// NAL unit types: parameter sets and the fragmentation unit.
const SPS: u8 = 7;
const PPS: u8 = 8;
const FU_A: u8 = 28;

pub(super) async fn serve(mut client: TcpStream, setup: &CameraSetup, mut shots: Shots) -> io::Result<()> {
    let mut camera = Coder::new(setup.fps)?;
    loop {
        let asking = tokio::time::timeout(REQUEST, head(&mut client));
        let request = asking.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let word = request.split_whitespace().next().unwrap_or_default().to_owned();
        let sequence = header(&request, "cseq").unwrap_or("0").to_owned();
        let (status, more) = if is_let_in(&request, setup.login.as_deref()) {
            answer(&word, &request, &mut camera, &mut shots).await?
        } else {
            ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"camera\"\r\n\r\n".to_owned())
        };
        client.write_all(format!("RTSP/1.0 {status}\r\nCSeq: {sequence}\r\n{more}").as_bytes()).await?;
        match word.as_str() {
            "PLAY" if status == "200 OK" => return play(client, setup, &mut camera, shots).await,
            "TEARDOWN" => return Ok(()),
            _ => {}
        }
    }
}

fn header<'a>(request: &'a str, wanted: &str) -> Option<&'a str> {
    let mut headers = request.lines().filter_map(|line| line.split_once(':'));
    headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
}

/// The status, and what stands behind the sequence number.
async fn answer(
    word: &str,
    request: &str,
    camera: &mut Coder,
    shots: &mut Shots,
) -> io::Result<(&'static str, String)> {
    Ok(match word {
        "OPTIONS" => ("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n".to_owned()),
        "DESCRIBE" => {
            let shot = shots.wait_for(Option::is_some).await.map_err(|_| io::Error::other("the film is over"))?.clone();
            let sets = camera.parameter_sets(shot.as_deref())?;
            let sdp = sdp(&sets);
            let base = request.split_whitespace().nth(1).unwrap_or_default();
            let length = sdp.len();
            let head = format!("Content-Base: {base}/\r\nContent-Type: application/sdp\r\nContent-Length: {length}");
            ("200 OK", format!("{head}\r\n\r\n{sdp}"))
        }
        "SETUP" if header(request, "transport").is_some_and(|transport| transport.contains("TCP")) => {
            let transport = "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00001267";
            ("200 OK", format!("Session: {SESSION};timeout=60\r\nTransport: {transport}\r\n\r\n"))
        }
        "SETUP" => ("461 Unsupported Transport", "\r\n".to_owned()),
        "PLAY" => ("200 OK", format!("Session: {SESSION}\r\nRange: npt=0-\r\n\r\n")),
        "GET_PARAMETER" | "TEARDOWN" => ("200 OK", format!("Session: {SESSION}\r\n\r\n")),
        _ => ("405 Method Not Allowed", "\r\n".to_owned()),
    })
}

fn sdp(sets: &[Vec<u8>]) -> String {
    let profile = sets.first().and_then(|set| set.get(1..4)).unwrap_or(&[0x42, 0xc0, 0x1e]);
    let profile = profile.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let sets: Vec<String> = sets.iter().map(|set| base64(set)).collect();
    format!(
        "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP {PAYLOAD}\r\n\
         a=rtpmap:{PAYLOAD} H264/{CLOCK_HZ}\r\na=fmtp:{PAYLOAD} packetization-mode=1;profile-level-id={profile};\
         sprop-parameter-sets={}\r\na=control:video\r\n",
        sets.join(",")
    )
}

async fn play(client: TcpStream, setup: &CameraSetup, camera: &mut Coder, mut shots: Shots) -> io::Result<()> {
    let (asked, mut client) = client.into_split();
    let mut packets = Packets::default();
    let (mut sent, mut buffer) = (0, [0; 1024]);
    loop {
        tokio::select! {
            // Who keeps the session alive or takes leave is not answered any more; who hangs up ends it.
            ready = asked.readable() => {
                ready?;
                match asked.try_read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(length) if buffer[..length].starts_with(b"TEARDOWN") => return Ok(()),
                    _ => continue,
                }
            }
            changed = shots.changed() => if changed.is_err() {
                return Ok(());
            },
        }
        let Some(shot) = shots.borrow_and_update().clone() else { continue };
        let units = match Fault::next(setup.fault, sent, shot.number) {
            Next::Picture => camera.encode(&shot)?,
            Next::Noise => vec![[&[0x65], &noise(sent)[..]].concat()],
            Next::Half => {
                camera.encode(&shot)?.into_iter().map(|unit| unit[..unit.len().div_ceil(2)].to_vec()).collect()
            }
            Next::Huge => return Err(io::Error::other("there is no such fault of this stream")),
            Next::Nothing => continue,
            Next::End => return Ok(()),
        };
        let at = (shot.number * CLOCK_HZ / u64::from(setup.fps)).to_le_bytes();
        let bytes = packets.of(&units, u32::from_le_bytes([at[0], at[1], at[2], at[3]]));
        tokio::time::timeout(Duration::from_secs(10), client.write_all(&bytes)).await??;
        sent += 1;
    }
}

/// An encoder of one stream.
struct Coder(Encoder);

impl Coder {
    fn new(fps: u32) -> io::Result<Self> {
        let rate = FrameRate::from_hz(f32::from(u16::try_from(fps).unwrap_or(u16::MAX)));
        let config = EncoderConfig::new()
            .max_frame_rate(rate)
            .skip_frames(true)
            .num_threads(1)
            .intra_frame_period(IntraFramePeriod::from_num_frames(fps.max(1)));
        let encoder = Encoder::with_api_config(openh264::OpenH264API::from_source(), config);
        encoder.map(Self).map_err(io::Error::other)
    }

    /// The NAL units of a picture, without start codes. Of an odd size the last row or column is left out.
    fn encode(&mut self, shot: &Shot) -> io::Result<Vec<Vec<u8>>> {
        let (width, height) = (shot.width as usize & !1, shot.height as usize & !1);
        let rows = shot.rgb.chunks(shot.width as usize * 3).take(height);
        let even: Vec<u8> = rows.flat_map(|row| &row[..width * 3]).copied().collect();
        let yuv = YUVBuffer::from_rgb8_source(RgbSliceU8::new(&even, (width, height)));
        let stream = self.0.encode(&yuv).map_err(io::Error::other)?;
        let layers = (0..stream.num_layers()).filter_map(|layer| stream.layer(layer));
        let mut units = Vec::new();
        for layer in layers {
            units.extend((0..layer.nal_count()).filter_map(|unit| Some(without_start_code(layer.nal_unit(unit)?))));
        }
        Ok(units)
    }

    /// What a decoder must know first.
    fn parameter_sets(&mut self, shot: Option<&Shot>) -> io::Result<Vec<Vec<u8>>> {
        let shot = shot.ok_or_else(|| io::Error::other("nothing has been filmed"))?;
        let mut units = self.encode(shot)?;
        units.retain(|unit| unit.first().is_some_and(|first| [SPS, PPS].contains(&(first & 0x1f))));
        self.0.force_intra_frame();
        Ok(units)
    }
}

fn without_start_code(unit: &[u8]) -> Vec<u8> {
    let zeros = unit.iter().take_while(|byte| **byte == 0).count();
    unit.get(zeros + 1..).unwrap_or_default().to_vec()
}

/// RTP packets of one stream.
#[derive(Default)]
struct Packets {
    sequence: u16,
}

impl Packets {
    /// The packets of one picture, each behind its interleaving head.
    fn of(&mut self, units: &[Vec<u8>], at: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (place, unit) in units.iter().enumerate() {
            let is_last_unit = place + 1 == units.len();
            let pieces = pieces(unit);
            for (piece, payload) in pieces.iter().enumerate() {
                let is_last = is_last_unit && piece + 1 == pieces.len();
                self.packet(&mut bytes, payload, at, is_last);
            }
        }
        bytes
    }

    fn packet(&mut self, bytes: &mut Vec<u8>, payload: &[u8], at: u32, is_last: bool) {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u16::try_from(payload.len() + 12).unwrap_or(u16::MAX);
        bytes.extend([b'$', 0]);
        bytes.extend(length.to_be_bytes());
        bytes.extend([0x80, PAYLOAD | u8::from(is_last) << 7]);
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(at.to_be_bytes());
        bytes.extend(0x1267_u32.to_be_bytes());
        bytes.extend(payload);
    }
}

/// A NAL unit as it is, or in fragments (RFC 6184, 5.8).
fn pieces(unit: &[u8]) -> Vec<Vec<u8>> {
    let Some((first, rest)) = unit.split_first().filter(|_| unit.len() > PIECE) else { return vec![unit.to_vec()] };
    let (indicator, kind) = (first & 0xe0 | FU_A, first & 0x1f);
    let count = rest.len().div_ceil(PIECE);
    let fragment = |(place, piece): (usize, &[u8])| {
        let header = u8::from(place == 0) << 7 | u8::from(place + 1 == count) << 6 | kind;
        [&[indicator, header], piece].concat()
    };
    rest.chunks(PIECE).enumerate().map(fragment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6184, figure 15 and 5.8: start and end bits, the unit's own type in the header, its NRI in the indicator.
    #[test]
    fn a_long_unit_goes_out_in_fragments() {
        let unit = [&[0x65], &[7; 2 * PIECE + 5][..]].concat();
        let pieces = pieces(&unit);
        let heads: Vec<_> = pieces.iter().map(|piece| (piece[0], piece[1])).collect();
        assert_eq!(heads, [(0x7c, 0x85), (0x7c, 0x05), (0x7c, 0x45)]);
        let joined: usize = pieces.iter().map(|piece| piece.len() - 2).sum();
        assert_eq!(joined, unit.len() - 1);
        assert_eq!(super::pieces(&[0x67, 1, 2]), [[0x67, 1, 2]]);
    }

    #[test]
    fn packets_are_numbered_and_the_last_of_a_picture_is_marked() {
        let mut packets = Packets::default();
        let bytes = packets.of(&[vec![0x67, 1], vec![0x65, 2, 3]], 0x0102_0304);
        let expected = [
            b'$', 0, 0, 14, 0x80, 96, 0, 1, 1, 2, 3, 4, 0, 0, 0x12, 0x67, 0x67, 1, b'$', 0, 0, 15, 0x80, 0xe0, 0, 2, 1,
            2, 3, 4, 0, 0, 0x12, 0x67, 0x65, 2, 3,
        ];
        assert_eq!(bytes, expected);
    }
}

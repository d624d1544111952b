//! MJPEG over HTTP: what a client of this kind gets.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{CameraSetup, Fault, Next, REQUEST, REQUEST_BYTES, Shots, Speech, is_let_in};

/// Between the parts.
const BOUNDARY: &str = "smartstore-part";
/// Bytes of noise.
const NOISE: usize = 5000;

pub(super) async fn serve(mut client: TcpStream, setup: &CameraSetup, mut shots: Shots) -> io::Result<()> {
    let asking = tokio::time::timeout(REQUEST, head(&mut client));
    let head = asking.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    if !is_let_in(&head, setup.login.as_deref()) {
        let refusal = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"camera\"\r\n\
                       Content-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(refusal.as_bytes()).await;
    }
    let kind = match setup.speech {
        Speech::Bare => "video/x-motion-jpeg".to_owned(),
        _ => format!("multipart/x-mixed-replace; boundary={BOUNDARY}"),
    };
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n\r\n");
    client.write_all(answer.as_bytes()).await?;
    let mut sent = 0;
    // Ends with the film, whose last picture is shown.
    while shots.changed().await.is_ok() {
        let Some(shot) = shots.borrow_and_update().clone() else { continue };
        let bytes = match Fault::next(setup.fault, sent, shot.number) {
            Next::Picture => shot.jpeg.clone(),
            Next::Noise => noise(sent),
            Next::Half => shot.jpeg[..shot.jpeg.len() / 2].to_vec(),
            Next::Huge => huge(&shot.jpeg),
            Next::Nothing => continue,
            Next::End => return Ok(()),
        };
        client.write_all(&part(setup.speech, &bytes)).await?;
        sent += 1;
    }
    Ok(())
}

/// A request's head.
pub(super) async fn head(client: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        if bytes.len() >= REQUEST_BYTES {
            return Err(io::Error::other("the request is too long"));
        }
        bytes.push(client.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn part(speech: Speech, bytes: &[u8]) -> Vec<u8> {
    let length = match speech {
        Speech::Bare => return bytes.to_vec(),
        Speech::Parts => format!("Content-Length: {}\r\n", bytes.len()),
        _ => String::new(),
    };
    let head = format!("--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n{length}\r\n");
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

/// Bytes that follow from a number, and look like nothing.
pub(super) fn noise(seed: u64) -> Vec<u8> {
    let mut dice = crate::sim::dice::Dice::new(seed + 1);
    (0..NOISE).map(|_| u8::try_from(dice.below(256)).unwrap_or(0)).collect()
}

/// The picture with another size in its frame header (ITU-T T.81, B.2.2).
fn huge(jpeg: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg.to_vec();
    let frame = bytes.windows(2).position(|two| matches!(two, [0xff, 0xc0 | 0xc2]));
    if let Some(size) = frame.and_then(|frame| bytes.get_mut(frame + 5..frame + 9)) {
        size.copy_from_slice(&[0x4e, 0x20, 0x4e, 0x20]);
    }
    bytes
}

//! Packets over one TCP connection, with a place where the wire is cut.

use std::io;

use bytes::{Buf, BytesMut};
use rumqttc::{Codec, Packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::{Decoder, Encoder};

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The client closed it.
    #[error("closed by the client")]
    Closed,
    /// A knob cut it.
    #[error("cut")]
    Cut,
    /// The socket failed.
    #[error("socket")]
    Socket(#[source] io::Error),
    /// What came is no MQTT 5, or larger than the limit.
    #[error("not MQTT 5")]
    Packet(#[source] rumqttc::mqttbytes::Error),
}

/// One connection. Reading is safe to cancel: what was read stays in the buffer.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    codec: Codec,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// Bytes left, in both directions together, before the wire is cut.
    left: Option<u64>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, packet_bytes: u32, left: Option<u64>) -> Self {
        let _ = stream.set_nodelay(true);
        let codec = Codec { max_incoming_size: Some(packet_bytes), max_outgoing_size: None };
        Self { stream, codec, incoming: BytesMut::with_capacity(8 << 10), outgoing: BytesMut::new(), left }
    }

    /// The next packet that is already here.
    pub(super) fn decode(&mut self) -> Result<Option<Packet>, WireError> {
        if self.incoming.is_empty() {
            Ok(None)
        } else {
            self.codec.decode(&mut self.incoming).map_err(WireError::Packet)
        }
    }

    /// Waits for more bytes.
    pub(super) async fn fill(&mut self) -> Result<(), WireError> {
        let before = self.incoming.len();
        let read = self.stream.read_buf(&mut self.incoming).await.map_err(WireError::Socket)?;
        if read == 0 {
            return Err(WireError::Closed);
        }
        let kept = self.spend(read);
        if kept < read {
            // What the cut let through may still hold whole packets: they count as arrived, unanswered.
            self.incoming.truncate(before + kept);
        }
        Ok(())
    }

    /// Waits for the next packet.
    pub(super) async fn read(&mut self) -> Result<Packet, WireError> {
        loop {
            if let Some(packet) = self.decode()? {
                return Ok(packet);
            }
            if self.left == Some(0) {
                return Err(WireError::Cut);
            }
            self.fill().await?;
        }
    }

    /// Whether nothing more can come or go.
    pub(super) fn is_cut(&self) -> bool {
        self.left == Some(0)
    }

    /// Puts a packet into the outgoing buffer.
    pub(super) fn put(&mut self, packet: Packet) -> Result<(), WireError> {
        self.codec.encode(packet, &mut self.outgoing).map_err(WireError::Packet)
    }

    /// Leaves only the first half of what is in the outgoing buffer and cuts the wire behind it.
    pub(super) fn cut_in_half(&mut self) {
        self.left = Some(self.outgoing.len() as u64 / 2);
    }

    /// Writes out what was put.
    pub(super) async fn flush(&mut self) -> Result<(), WireError> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let wanted = self.outgoing.len();
        let kept = self.spend(wanted);
        let mut out = self.outgoing.split_to(kept);
        while out.has_remaining() {
            self.stream.write_buf(&mut out).await.map_err(WireError::Socket)?;
        }
        if kept < wanted { Err(WireError::Cut) } else { Ok(()) }
    }

    fn spend(&mut self, bytes: usize) -> usize {
        let Some(left) = &mut self.left else { return bytes };
        let kept = bytes.min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= kept as u64;
        kept
    }
}

//! What a device's wire machine counts. A closed list, because each becomes a metric.

/// Something worth counting that is not worth an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tally {
    /// Bytes read from the line.
    BytesIn,
    /// Bytes written to the line.
    BytesOut,
    /// Frames that made sense.
    FramesGood,
    /// Bytes that belong to no frame.
    NoiseBytes,
    /// Frames thrown away because they were longer than the profile allows.
    FramesOversized,
    /// Frames thrown away because their content cannot be what the device sends.
    FramesMalformed,
    /// The same code again within the repeat window, the same message again under the same number.
    RepeatsSuppressed,
    /// Commands to the device that it did not answer.
    Unanswered,
    /// Frames of a kind that the documents do not know. They are answered.
    FramesUnknown,
    /// Frames that are understood although the documents print them otherwise.
    FramesOdd,
    /// Frames that the kernel had no room for.
    FramesMissed,
    /// Pictures that nobody had looked at when a newer one came.
    FramesReplaced,
    /// Messages of another device than the configured one. They are turned away.
    FramesForeign,
    /// Observations dropped because the queue to the journal was full (telemetry only).
    ObservationsDropped,
}

impl Tally {
    /// Every tally there is.
    pub const ALL: [Self; 14] = [
        Self::BytesIn,
        Self::BytesOut,
        Self::FramesGood,
        Self::NoiseBytes,
        Self::FramesOversized,
        Self::FramesMalformed,
        Self::RepeatsSuppressed,
        Self::Unanswered,
        Self::FramesUnknown,
        Self::FramesOdd,
        Self::FramesMissed,
        Self::FramesReplaced,
        Self::FramesForeign,
        Self::ObservationsDropped,
    ];

    /// Its metric's name: `smartstore_device_<this>_total`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BytesIn => "bytes_in",
            Self::BytesOut => "bytes_out",
            Self::FramesGood => "frames_good",
            Self::NoiseBytes => "noise_bytes",
            Self::FramesOversized => "frames_oversized",
            Self::FramesMalformed => "frames_malformed",
            Self::RepeatsSuppressed => "repeats_suppressed",
            Self::Unanswered => "unanswered",
            Self::FramesUnknown => "frames_unknown",
            Self::FramesOdd => "frames_odd",
            Self::FramesMissed => "frames_missed",
            Self::FramesReplaced => "frames_replaced",
            Self::FramesForeign => "frames_foreign",
            Self::ObservationsDropped => "observations_dropped",
        }
    }
}

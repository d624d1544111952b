//! The thread that looks: it takes pictures from the slot and gives out what happened, never what was seen.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::networks::{NetworksError, detector, embedder};
use super::reflect::Reflector;
use super::slot::{News, Picture, Slot, SlotCounts};
use super::source::Pace;
use super::windows::Windows;
use crate::clock::Clock;
use crate::device::{Members, Roster};
use crate::sense::vision::gallery::Match;
use crate::sense::vision::scene::{Distance, Scene};
use crate::sense::vision::track::TrackSettings;
use crate::sense::vision::visit::Visit;
use crate::sense::vision::watch::{Recognition, Seen, Watch};
use crate::sense::vision::yunet::InputSize;
use crate::transport::Glass;
use crate::types::{
    Chain, DistanceBand, FaceMember, FaceVisit, MemberKey, Observation, SimilarityBand, StationId, Timestamp, ZoneId,
};

/// What a camera's pictures are looked at in.
pub(crate) const INPUT: InputSize = InputSize { width: 640, height: 384 };
/// When somebody is there, and has gone.
pub(crate) const TRACKS: TrackSettings = TrackSettings { lost_after_us: 2_000_000, sightings: 3 };

/// Longest time without looking at the clock.
const TICK: Duration = Duration::from_millis(200);
/// Counters are told this often.
const TELL: Duration = Duration::from_secs(1);
/// A missing network is looked for this often.
const LOOK_FOR: Duration = Duration::from_secs(5);
/// Wall time that goes astray from elapsed time by more than this has jumped, in microseconds.
const JUMP_US: i64 = 2_000_000;
/// A thread that has not run for so long was asleep with its machine, in microseconds.
const ASLEEP_US: i64 = 60_000_000;
/// A mirror whose last picture is older than this shows nothing, in microseconds.
const STALE_US: i64 = 2_000_000;
/// A member who stays, or comes back to the same camera, is told once in so long, in microseconds.
const MEMBER_AGAIN_US: i64 = 60_000_000;
/// So far above the threshold two faces are one person's beyond doubt.
const SURE: f32 = 0.12;

/// How one camera looks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Manner {
    pub(super) scene: Scene,
    /// Names of the scene's zones, in its order.
    pub(super) zones: Vec<ZoneId>,
    pub(super) window: Duration,
    pub(super) pace: Pace,
    pub(super) recognition: bool,
    /// Where the networks are.
    pub(super) models_dir: PathBuf,
}

/// What leaves the thread.
#[derive(Debug)]
pub(super) enum Report {
    /// Something happened.
    Said(Observation),
    /// How the source is.
    News(News),
    /// A network is missing, and which; or none is any more.
    Model(Option<String>),
    /// What was counted since the last time, how many are in view, and the size of the last picture.
    Counted { counts: SlotCounts, looked_at: u64, present: usize, size: Option<(u32, u32)> },
}

/// Whose eyes they are.
pub(super) struct Owner {
    pub(super) clock: Clock,
    pub(super) stop: CancellationToken,
    pub(super) members: Members,
    pub(super) station: Option<StationId>,
    /// Of a mirror's camera.
    pub(super) glass: Option<Arc<Glass>>,
    pub(super) reports: Sender<Report>,
}

/// The thread's own.
pub(super) struct Eyes {
    manner: Manner,
    slot: Slot,
    owner: Owner,
    watch: Option<Watch>,
    roster: Arc<Roster>,
    has_embedder: bool,
    windows: Windows,
    /// Wall time at an elapsed time: pictures are dated from it, so that a small step of the clock turns no order.
    anchor: (i64, Instant),
    looked: Instant,
    told: Instant,
    sought: Option<Instant>,
    missing: Option<String>,
    looked_at: u64,
    size: Option<(u32, u32)>,
    met: BTreeMap<MemberKey, i64>,
    /// Whether a likeness of whoever is before the camera is wanted.
    captures: bool,
    reflector: Option<Reflector>,
    /// When the last picture came.
    looked_us: Option<i64>,
}

/// Nobody listens any more.
struct Over;

fn wall_us(clock: &Clock) -> i64 {
    clock.wall().0.unix_ms().saturating_mul(1000)
}

impl Eyes {
    pub(super) fn new(manner: Manner, slot: Slot, owner: Owner) -> Self {
        let (now, now_us) = (owner.clock.now(), wall_us(&owner.clock));
        let roster = if manner.recognition { owner.members.now() } else { Arc::default() };
        let reflector = owner.glass.clone().map(Reflector::new);
        Self {
            windows: windows(&manner, now_us),
            manner,
            slot,
            owner,
            watch: None,
            roster,
            has_embedder: false,
            anchor: (now_us, now),
            looked: now,
            told: now,
            sought: None,
            missing: None,
            looked_at: 0,
            size: None,
            met: BTreeMap::new(),
            captures: false,
            reflector,
            looked_us: None,
        }
    }

    /// Looks until it is told to end. Whoever is in view then has gone.
    pub(super) fn run(mut self) {
        let looked = self.look();
        self.slot.close();
        if looked.is_ok() {
            let _ = self.end();
        }
    }

    fn look(&mut self) -> Result<(), Over> {
        while !self.owner.stop.is_cancelled() {
            self.open()?;
            let picture = match self.slot.is_over() {
                // A source that has ended for good; time still passes.
                true => {
                    std::thread::sleep(TICK);
                    None
                }
                false => self.slot.take(TICK),
            };
            self.keep_time()?;
            if let Some(news) = self.slot.take_news() {
                self.report(Report::News(news))?;
            }
            match picture {
                Some(picture) => self.see(picture)?,
                None => self.pass()?,
            }
            self.tell_counts()?;
        }
        Ok(())
    }

    /// Everybody has gone, and the window is over before its time.
    fn end(&mut self) -> Result<(), Over> {
        self.reflector.iter_mut().for_each(Reflector::wipe);
        let gone = self.watch.as_mut().map(Watch::end).unwrap_or_default();
        self.tell(gone)?;
        match self.windows.cut() {
            Some(window) => self.report(Report::Said(Observation::FaceWindow(Box::new(window)))),
            None => Ok(()),
        }
    }

    fn now_us(&self, at: Instant) -> i64 {
        let since = at.saturating_duration_since(self.anchor.1);
        self.anchor.0.saturating_add(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Opens the networks that are wanted and not there yet.
    fn open(&mut self) -> Result<(), Over> {
        let now = self.owner.clock.now();
        self.take_roster();
        self.look_for_captures();
        let is_used = self.captures || !self.roster.gallery.is_empty();
        let wants_embedder = self.manner.recognition && !self.has_embedder && is_used;
        let wants_mesh = self.reflector.as_ref().is_some_and(Reflector::wants_mesh);
        let is_due = self.sought.is_none_or(|sought| now - sought >= LOOK_FOR);
        if !(self.watch.is_none() || wants_embedder || wants_mesh) || !is_due {
            return Ok(());
        }
        self.sought = Some(now);
        match self.load(wants_embedder) {
            Ok(()) => {
                // What is wanted next is looked for at once.
                self.sought = None;
                self.is_missing(None)
            }
            Err(error) => self.is_missing(Some(Chain(&error).to_string())),
        }
    }

    fn load(&mut self, wants_embedder: bool) -> Result<(), NetworksError> {
        let folder = &self.manner.models_dir;
        if self.watch.is_none() {
            let detector = detector(folder, INPUT)?;
            self.watch = Some(Watch::new(self.manner.scene.clone(), TRACKS, detector, None));
        }
        if let Some(watch) = self.watch.as_mut().filter(|_| wants_embedder) {
            let (gallery, settings) = (Arc::clone(&self.roster.gallery), self.roster.settings);
            watch.recognise(Recognition::new(embedder(folder)?, gallery, settings));
            watch.capture(self.captures);
            self.has_embedder = true;
        }
        match &mut self.reflector {
            Some(reflector) if reflector.wants_mesh() => reflector.load(folder)?,
            _ => {}
        }
        Ok(())
    }

    fn is_missing(&mut self, what: Option<String>) -> Result<(), Over> {
        if what == self.missing {
            return Ok(());
        }
        self.missing.clone_from(&what);
        self.report(Report::Model(what))
    }

    /// Another list of members: rows mean those in it from now on.
    fn take_roster(&mut self) {
        if !self.manner.recognition {
            return;
        }
        if let Some(roster) = self.owner.members.newer() {
            if let Some(watch) = &mut self.watch {
                watch.compare_with(Arc::clone(&roster.gallery), roster.settings);
            }
            self.roster = roster;
        }
    }

    /// Whether somebody is being enrolled at this camera's station.
    fn look_for_captures(&mut self) {
        let Some(station) = self.owner.station.as_ref().filter(|_| self.manner.recognition) else { return };
        let wanted = self.owner.members.captures.is_asked(station);
        if wanted != self.captures {
            self.captures = wanted;
            self.watch.iter_mut().for_each(|watch| watch.capture(wanted));
        }
    }

    /// Gives the likeness that was wanted.
    fn give_captured(&mut self) {
        let captured = self.watch.as_mut().and_then(Watch::take_captured);
        if let Some((likeness, station)) = captured.zip(self.owner.station.as_ref()) {
            self.owner.members.captures.give(station, likeness);
            self.captures = false;
        }
    }

    /// The clock may have jumped, or the machine slept: what was before cannot be put in order with what comes.
    fn keep_time(&mut self) -> Result<(), Over> {
        let now = self.owner.clock.now();
        let astray = wall_us(&self.owner.clock) - self.now_us(now);
        let looked = std::mem::replace(&mut self.looked, now);
        let slept = self.now_us(now) - self.now_us(looked) > ASLEEP_US;
        if astray.abs() <= JUMP_US && !slept {
            return Ok(());
        }
        self.end()?;
        self.anchor = (wall_us(&self.owner.clock), now);
        self.windows = windows(&self.manner, self.anchor.0);
        self.met.clear();
        Ok(())
    }

    fn see(&mut self, picture: Picture) -> Result<(), Over> {
        let at_us = self.now_us(picture.at);
        self.looked_us = Some(at_us);
        let Some(watch) = &mut self.watch else { return self.pass() };
        let seen = match picture.pixels.frame() {
            Ok(mut frame) => {
                self.size = Some((frame.width(), frame.height()));
                let seen = watch.look_at(at_us, &mut frame);
                let reflected = match &mut self.reflector {
                    Some(reflector) => reflector.reflect(at_us, &mut frame, watch.faces()),
                    None => Ok(()),
                };
                reflected.and(seen)
            }
            Err(_) => {
                self.slot.count(|counts| counts.malformed += 1);
                Ok(watch.pass(at_us))
            }
        };
        let present = watch.present();
        self.give_captured();
        match seen {
            Ok(seen) => {
                self.close_windows(at_us)?;
                self.windows.picture(at_us, present);
                self.looked_at += 1;
                self.tell(seen)
            }
            Err(error) => {
                tracing::warn!(reason = %Chain(&error), "a picture was not looked at");
                self.slot.count(|counts| counts.malformed += 1);
                self.pass()
            }
        }
    }

    /// Time passes without a picture.
    fn pass(&mut self) -> Result<(), Over> {
        let now_us = self.now_us(self.owner.clock.now());
        self.close_windows(now_us)?;
        let Some(watch) = &mut self.watch else { return Ok(()) };
        let gone = watch.pass(now_us);
        if self.looked_us.is_none_or(|looked_us| now_us - looked_us > STALE_US) {
            self.reflector.iter_mut().for_each(Reflector::wipe);
        }
        if watch.present() == 0 {
            self.windows.nobody(now_us);
        }
        self.tell(gone)
    }

    fn close_windows(&mut self, now_us: i64) -> Result<(), Over> {
        while let Some(window) = self.windows.close(now_us) {
            self.report(Report::Said(Observation::FaceWindow(Box::new(window))))?;
        }
        Ok(())
    }

    fn tell(&mut self, seen: Vec<Seen>) -> Result<(), Over> {
        for one in seen {
            match one {
                Seen::Visit(visit, _) => {
                    let visit = self.visit(&visit);
                    self.windows.visit(&visit);
                    self.report(Report::Said(Observation::FaceVisit(Box::new(visit))))?;
                }
                Seen::Member(_, found) => self.meet(found)?,
                Seen::NotMember(..) => {}
            }
        }
        Ok(())
    }

    fn visit(&self, visit: &Visit) -> FaceVisit {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped, and saturates")]
        let attention_percent = (visit.attention * 100.0).round().clamp(0.0, 100.0) as u8;
        FaceVisit {
            start: Timestamp::from_unix_ms(visit.from_us / 1000),
            end: Timestamp::from_unix_ms(visit.to_us / 1000),
            attention_percent,
            distance: match visit.distance {
                Distance::Near => DistanceBand::Near,
                Distance::Middle => DistanceBand::Middle,
                Distance::Far => DistanceBand::Far,
            },
            zone: visit.zone.and_then(|zone| self.manner.zones.get(zone).cloned()),
            crossed_in: visit.crossed_in,
            crossed_out: visit.crossed_out,
        }
    }

    /// A member is there. Who has not consented is in no list and met by nobody.
    fn meet(&mut self, found: Match) -> Result<(), Over> {
        let Some((member, consent)) = self.roster.who.get(found.row).cloned() else { return Ok(()) };
        let now_us = self.now_us(self.owner.clock.now());
        self.met.retain(|_, at_us| now_us - *at_us < MEMBER_AGAIN_US);
        if self.met.insert(member.clone(), now_us).is_some() {
            return Ok(());
        }
        let is_sure = found.similarity >= self.roster.settings.similarity + SURE;
        let met = FaceMember {
            member: Some(member),
            consent: Some(consent),
            similarity: if is_sure { SimilarityBand::Sure } else { SimilarityBand::Likely },
            station: self.owner.station.clone(),
        };
        self.report(Report::Said(Observation::FaceMember(met)))
    }

    fn tell_counts(&mut self) -> Result<(), Over> {
        let now = self.owner.clock.now();
        if now - self.told < TELL {
            return Ok(());
        }
        self.told = now;
        let counts = self.slot.take_counts();
        let looked_at = std::mem::take(&mut self.looked_at);
        self.windows.lost(counts.replaced, counts.malformed + counts.oversized);
        let present = self.watch.as_ref().map_or(0, Watch::present);
        if counts == SlotCounts::default() && looked_at == 0 {
            return Ok(());
        }
        self.report(Report::Counted { counts, looked_at, present, size: self.size })
    }

    /// Waits while the driver is behind; meanwhile pictures replace each other.
    fn report(&self, report: Report) -> Result<(), Over> {
        self.owner.reports.blocking_send(report).map_err(|_| Over)
    }
}

fn windows(manner: &Manner, now_us: i64) -> Windows {
    let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    Windows::new(now_us, micros(manner.window), micros(manner.pace.stalled_after))
}

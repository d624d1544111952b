//! Where enrolments and their ends come in, and the list of who may be recognised goes out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::blind::Blind;
#[cfg(feature = "onnx")]
use super::eyes::template;
use super::record::{self, Consent};
use super::seal::Seal;
use super::waiting::{Waiting, WaitingList};
use super::{SealError, Settings};
use crate::clock::Clock;
use crate::device::{Captures, Roster};
use crate::journal::{Change, Effects, Journal, JournalError};
use crate::sense::vision::Embedding;
use crate::sense::vision::card::{Role, built_in};
use crate::sense::vision::gallery::{Gallery, MatchSettings};
use crate::transport::{FetchError, fetch};
use crate::types::{
    Action, Assigned, Body, Cause, Chain, CommandId, Draft, Ended, Enrolment, ImageSource, Likeness, MemberKey,
    Observation, Outcome, Reason, wipe,
};

/// Whose state in the journal the sealed templates are.
const OWNER: &str = "members";
/// Largest picture.
const PICTURE_BYTES: usize = 16 << 20;
/// Until a picture must be there.
const PICTURE_WITHIN: Duration = Duration::from_secs(30);
/// Until a station's camera must have seen the member who has scanned.
const SEEN_WITHIN: Duration = Duration::from_secs(20);
/// How often the ends of consents and the clock are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// Between two tries to store what could not be stored.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Serves `member.enrol` and `member.forget`, and ends consents.
pub struct Desk {
    journal: Journal,
    clock: Clock,
    settings: watch::Receiver<Settings>,
    newest: watch::Sender<Arc<Roster>>,
    captures: Captures,
    /// Who is to scan their code and look at a camera.
    waiting: WaitingList,
    /// `None`: the journal or the key cannot be read; tried again.
    book: Option<Book>,
    /// Whether the list that was given out is the one of nobody, because the clock may be wrong.
    withheld: bool,
    /// Whether something that was taken out may still stand in the journal's log.
    log_full: bool,
    /// Who was forgotten since the last look: a camera may have had their name on its way into the journal.
    late: Vec<MemberKey>,
}

/// Who is enrolled.
struct Book {
    settings: Settings,
    seal: Seal,
    /// By the name of their record, in the order of their rows in `gallery`.
    members: Vec<(String, Consent)>,
    gallery: Arc<Gallery>,
    /// Names of records that no key opens: the key's file is another, or is lost.
    lost: Vec<String>,
}

/// Why an enrolment or forgetting was not done.
enum No {
    /// It was not begun, for this reason.
    Refused(&'static str),
    /// It did not work, for this reason.
    Failed(&'static str),
    /// The journal could not store it: it is done again.
    Journal(JournalError),
}

impl From<JournalError> for No {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<SealError> for No {
    fn from(error: SealError) -> Self {
        told("the key of the members' templates cannot be written", &error);
        Self::Failed("no-key")
    }
}

impl Desk {
    /// A desk that knows nobody yet.
    pub fn new(
        journal: Journal,
        clock: Clock,
        settings: watch::Receiver<Settings>,
        newest: watch::Sender<Arc<Roster>>,
        captures: Captures,
    ) -> Self {
        let waiting = WaitingList::new(journal.head());
        Self {
            journal,
            clock,
            settings,
            newest,
            captures,
            waiting,
            book: None,
            withheld: false,
            log_full: false,
            late: Vec::new(),
        }
    }

    /// Serves until `stop`. What one command wants may take half a minute; the others wait.
    ///
    /// # Errors
    ///
    /// When the journal is closed.
    pub async fn serve(mut self, mut asked: Receiver<Assigned>, stop: CancellationToken) -> Result<(), JournalError> {
        self.open_book().await?;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                changed = self.settings.changed() => match changed {
                    Ok(()) => self.open_book().await?,
                    Err(_) => return Ok(()),
                },
                assigned = asked.recv() => match assigned {
                    Some(assigned) => tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        done = self.act(assigned) => done?,
                    },
                    None => return Ok(()),
                },
                () = self.waiting.news() => tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    done = self.enrol_who_scanned() => done?,
                },
                () = tokio::time::sleep(LOOK_AGAIN) => self.look().await?,
            }
        }
    }

    /// Reads who is enrolled, and gives the list out.
    async fn open_book(&mut self) -> Result<(), JournalError> {
        let settings = self.settings.borrow_and_update().clone();
        self.book = None;
        if settings.enabled
            && let Err(error) = self.journal.overwrite_deleted(true).await
        {
            open_journal(error)?;
        }
        match Seal::open(&settings.key_file) {
            Ok(seal) => match self.read_book(settings, seal).await {
                Ok(book) => self.book = Some(book),
                Err(error) => open_journal(error)?,
            },
            Err(error) => told("nobody is recognised", &error),
        }
        self.end_consents().await?;
        self.publish();
        Ok(())
    }

    async fn read_book(&self, settings: Settings, mut seal: Seal) -> Result<Book, JournalError> {
        let (mut members, mut gallery, mut lost) = (Vec::new(), Gallery::default(), Vec::new());
        let mut after = String::new();
        let mut used = BTreeSet::new();
        loop {
            let page = self.journal.states(OWNER, &after).await?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            for (name, sealed) in page {
                match unsealed(&seal, &name, &sealed) {
                    Some((consent, template)) => {
                        used.extend(Seal::number(&sealed));
                        gallery.add(template);
                        members.push((name, consent));
                    }
                    None => lost.push(name),
                }
            }
        }
        if !lost.is_empty() {
            tracing::warn!(count = lost.len(), "templates that no key opens: their members must be enrolled anew");
        }
        // A gateway that died while it sealed everybody anew has a key too many, the old one or the new one.
        if let Err(error) = seal.keep(&used) {
            told("a key that is used no more could not be overwritten", &error);
        }
        Ok(Book { settings, seal, members, gallery: Arc::new(gallery), lost })
    }

    /// Consents that have ended, a clock that is right again or wrong, a book or a log that was not to be had.
    async fn look(&mut self) -> Result<(), JournalError> {
        if self.book.is_none() {
            return self.open_book().await;
        }
        self.end_consents().await?;
        for late in self.waiting.over(self.clock.now()) {
            self.store_end(&late.command, Ended::Expired).await?;
        }
        if self.withheld == self.clock.wall().1 {
            self.publish();
        }
        for member in std::mem::take(&mut self.late) {
            match self.journal.forget(OWNER, &member, Effects::default()).await {
                Ok(changed) => self.log_full |= changed > 0,
                Err(error) => {
                    self.late.push(member);
                    open_journal(error)?;
                }
            }
        }
        if self.log_full {
            self.empty_log().await?;
        }
        Ok(())
    }

    async fn end_consents(&mut self) -> Result<(), JournalError> {
        let (now, synced) = self.clock.wall();
        let Some(book) = self.book.as_mut().filter(|_| synced) else { return Ok(()) };
        if !book.members.iter().any(|(_, consent)| consent.expires <= now) {
            return Ok(());
        }
        let state = match book.without(|consent| consent.expires <= now) {
            Ok(state) => state,
            Err(error) => {
                told("a consent has ended, and its template cannot be erased yet", &error);
                self.book = None;
                self.publish();
                return Ok(());
            }
        };
        self.publish();
        match self.journal.keep(OWNER, Effects { state, ..Effects::default() }).await {
            Ok(_) => self.settle().await,
            Err(error) => {
                self.book = None;
                open_journal(error)
            }
        }
    }

    /// Carries a command out. A journal that cannot store it for the moment is waited for.
    async fn act(&mut self, assigned: Assigned) -> Result<(), JournalError> {
        let Assigned { command, action, deadline } = assigned;
        loop {
            let done = match &action {
                Action::MemberEnrol(enrolment) => match &enrolment.likeness {
                    Likeness::Image(image) => self.enrol_by_picture(&command, enrolment, image).await,
                    Likeness::Station(_) => {
                        self.expect(Waiting { command: command.clone(), enrolment: (**enrolment).clone(), deadline })
                    }
                },
                Action::MemberForget { member } => self.forget(&command, member).await,
                _ => Err(No::Refused("unsupported-action")),
            };
            if self.settle_end(&command, done).await? {
                return Ok(());
            }
            tokio::time::sleep(TRY_AGAIN).await;
            self.open_book().await?;
        }
    }

    /// Stores how a command ended, unless it has been; whether that is on disk.
    async fn settle_end(&mut self, command: &CommandId, done: Result<(), No>) -> Result<bool, JournalError> {
        let ended = match done {
            Ok(()) => return Ok(true),
            Err(No::Refused(why)) => Ended::Refused(Reason::new(why)),
            Err(No::Failed(why)) => Ended::Failed(Reason::new(why)),
            Err(No::Journal(error)) => return open_journal(error).map(|()| false),
        };
        self.store_end(command, ended).await
    }

    async fn store_end(&mut self, command: &CommandId, ended: Ended) -> Result<bool, JournalError> {
        match self.journal.append(vec![self.end(command, ended)]).await {
            Ok(_) => Ok(true),
            Err(error) => open_journal(error).map(|()| false),
        }
    }

    /// Somebody is to be enrolled when they have scanned their code.
    fn expect(&mut self, waiting: Waiting) -> Result<(), No> {
        self.may_enrol(&waiting.enrolment)?;
        let stations = &self.settings.borrow().stations;
        if !stations.keys().any(|station| waiting.is_at(station)) {
            return Err(No::Refused("no-such-station"));
        }
        if self.waiting.add(waiting) { Ok(()) } else { Err(No::Refused("too-many-waiting")) }
    }

    /// Whoever has scanned their code at the station where they are expected is looked at by its camera.
    async fn enrol_who_scanned(&mut self) -> Result<(), JournalError> {
        let stations = self.settings.borrow().stations.clone();
        let scanned = match self.waiting.scanned(&self.journal, &stations).await {
            Ok(scanned) => scanned,
            Err(error) => return open_journal(error),
        };
        for command in scanned {
            let Some(waiting) = self.waiting.find(&command).cloned() else { continue };
            let Likeness::Station(station) = &waiting.enrolment.likeness else { continue };
            let likeness = tokio::time::timeout(SEEN_WITHIN, self.captures.ask(station)).await;
            // Nobody was seen well, or several were: they may scan again.
            let Ok(Ok(likeness)) = likeness else { continue };
            let done = match self.may_enrol(&waiting.enrolment) {
                Ok(()) => self.enrol(&command, &waiting.enrolment, likeness).await,
                Err(no) => Err(no),
            };
            if self.settle_end(&command, done).await? {
                self.waiting.remove(&command);
            }
        }
        Ok(())
    }

    async fn enrol_by_picture(
        &mut self,
        command: &CommandId,
        enrolment: &Enrolment,
        image: &ImageSource,
    ) -> Result<(), No> {
        self.may_enrol(enrolment)?;
        let template = self.template_of(image).await?;
        self.enrol(command, enrolment, template).await
    }

    async fn enrol(&mut self, command: &CommandId, enrolment: &Enrolment, template: Embedding) -> Result<(), No> {
        let Enrolment { member, consent, purpose, expires, .. } = enrolment.clone();
        let name = self.clock.random_uuid().to_string();
        let book = self.book.as_mut().ok_or(No::Failed("no-key"))?;
        let state = book.with(name, Consent { member, consent, purpose, expires }, template)?;
        let events = vec![self.end(command, Ended::Done)];
        self.journal.keep(OWNER, Effects { events, state, ..Effects::default() }).await?;
        self.publish();
        Ok(self.settle().await?)
    }

    /// Everything that can be refused is refused before anything is fetched or looked at.
    fn may_enrol(&self, enrolment: &Enrolment) -> Result<(), No> {
        let book = self.book.as_ref().ok_or(No::Failed("no-key"))?;
        if !book.settings.enabled {
            return Err(No::Refused("recognition-off"));
        }
        if enrolment.expires <= self.clock.wall().0 {
            return Err(No::Refused("consent-expired"));
        }
        let known = book.members.iter().any(|(_, consent)| consent.member == enrolment.member);
        if !known && book.members.len() >= book.settings.at_most {
            return Err(No::Refused("gallery-full"));
        }
        Ok(())
    }

    async fn template_of(&self, image: &ImageSource) -> Result<Embedding, No> {
        let mut picture = fetch(&image.url, PICTURE_BYTES, PICTURE_WITHIN).await.map_err(|error| unreached(&error))?;
        if digest(&SHA256, &picture).as_ref() != image.sha256 {
            wipe(&mut picture);
            return Err(No::Refused("picture-digest"));
        }
        let models_dir = self.settings.borrow().models_dir.clone();
        let looked = tokio::task::spawn_blocking(move || template(picture, &models_dir)).await;
        looked.map_err(|_| No::Failed("model-failed"))?.map_err(|blind| refused(&blind))
    }

    /// Whoever is not known is forgotten all the same: their name may stand in an event. Nobody can tell whose the
    /// records are that no key opens: they go, too.
    async fn forget(&mut self, command: &CommandId, member: &MemberKey) -> Result<(), No> {
        for waiting in self.waiting.of(member) {
            self.store_end(&waiting.command, Ended::Refused(Reason::new("forgotten"))).await?;
        }
        let book = self.book.as_mut().ok_or(No::Failed("no-key"))?;
        let mut state = book.without(|consent| consent.member == *member)?;
        state.extend(std::mem::take(&mut book.lost).into_iter().map(removed));
        self.publish();
        let effects = Effects { events: vec![self.end(command, Ended::Done)], state, ..Effects::default() };
        let changed = self.journal.forget(OWNER, member, effects).await?;
        tracing::info!(events = changed, "a member was forgotten");
        self.late.push(member.clone());
        Ok(self.settle().await?)
    }

    /// After something was taken out: its key goes, and the journal's log.
    async fn settle(&mut self) -> Result<(), JournalError> {
        if let Some(book) = &mut self.book
            && let Err(error) = book.seal.retire()
        {
            told("the key before could not be overwritten", &error);
        }
        self.empty_log().await
    }

    async fn empty_log(&mut self) -> Result<(), JournalError> {
        self.log_full = true;
        match self.journal.empty_log().await {
            Ok(emptied) => self.log_full = !emptied,
            Err(error) => open_journal(error)?,
        }
        Ok(())
    }

    fn end(&self, command: &CommandId, ended: Ended) -> Draft {
        let outcome = Outcome { command: command.clone(), ended };
        Draft {
            id: self.clock.event_id(),
            device: None,
            at: self.clock.stamp(),
            cause: Some(Cause::Command(command.clone())),
            body: Body::Observed(Observation::Ended(outcome)),
        }
    }

    /// Gives the list out, if it may be used.
    fn publish(&mut self) {
        let synced = self.clock.wall().1;
        self.withheld = !synced;
        let book = self.book.as_ref().filter(|book| synced && book.settings.enabled);
        self.newest.send_replace(Arc::new(book.map_or_else(Roster::default, Book::roster)));
    }
}

#[cfg(not(feature = "onnx"))]
fn template(mut picture: Vec<u8>, _models_dir: &std::path::Path) -> Result<Embedding, Blind> {
    wipe(&mut picture);
    Err(Blind::Card)
}

/// A closed journal is the end; another failure passes.
fn open_journal(error: JournalError) -> Result<(), JournalError> {
    if matches!(error, JournalError::Closed) {
        return Err(error);
    }
    told("members wait for the journal", &error);
    Ok(())
}

fn removed(key: String) -> Change {
    Change { key, value: None, expires: None }
}

impl Book {
    fn roster(&self) -> Roster {
        let who = self.members.iter().map(|(_, consent)| (consent.member.clone(), consent.consent.clone()));
        Roster { gallery: Arc::clone(&self.gallery), who: who.collect(), settings: thresholds(self.settings.at_most) }
    }

    /// Enters a member. Whoever was known gets the new consent and the new picture, and the old ones are erased.
    fn with(&mut self, name: String, consent: Consent, template: Embedding) -> Result<Vec<Change>, SealError> {
        let mut state = self.without(|known| known.member == consent.member)?;
        if self.seal.is_empty() {
            self.seal.renew()?;
        }
        state.push(self.change(&name, &consent, &template));
        let mut gallery = self.copy(|_| true);
        gallery.add(template);
        self.gallery = Arc::new(gallery);
        self.members.push((name, consent));
        Ok(state)
    }

    /// Takes members out, and seals everybody else anew.
    fn without(&mut self, goes: impl Fn(&Consent) -> bool) -> Result<Vec<Change>, SealError> {
        let rows: Vec<bool> = self.members.iter().map(|(_, consent)| goes(consent)).collect();
        if !rows.contains(&true) {
            return Ok(Vec::new());
        }
        let gallery = self.copy(|row| !rows[row]);
        let gone: Vec<String> =
            self.members.extract_if(.., |(_, consent)| goes(consent)).map(|(name, _)| name).collect();
        self.gallery = Arc::new(gallery);
        self.seal.renew()?;
        let mut state: Vec<Change> = gone.into_iter().map(removed).collect();
        for (row, (name, consent)) in self.members.iter().enumerate() {
            if let Some(template) = self.gallery.template(row) {
                state.push(self.change(name, consent, template));
            }
        }
        Ok(state)
    }

    /// The templates of those rows, in their order.
    fn copy(&self, stays: impl Fn(usize) -> bool) -> Gallery {
        let mut copy = Gallery::default();
        let rows = (0..self.members.len()).filter(|row| stays(*row));
        for template in rows.filter_map(|row| self.gallery.template(row)) {
            if let Ok(template) = Embedding::new(template.values()) {
                copy.add(template);
            }
        }
        copy
    }

    fn change(&self, name: &str, consent: &Consent, template: &Embedding) -> Change {
        let mut plain = record::write(consent, template);
        let value = self.seal.seal(&plain, name.as_bytes());
        wipe(&mut plain);
        Change { key: name.to_owned(), value, expires: Some(consent.expires) }
    }
}

fn unsealed(seal: &Seal, name: &str, sealed: &[u8]) -> Option<(Consent, Embedding)> {
    let mut plain = seal.unseal(sealed, name.as_bytes())?;
    let read = record::read(&plain);
    wipe(&mut plain);
    read
}

/// From when on a face is a member's, for a list of so many; without a card nobody is like anybody.
fn thresholds(members: usize) -> MatchSettings {
    let cards = built_in().unwrap_or_default();
    let card = cards.iter().find(|card| card.role == Role::Embedder);
    card.map_or_else(|| Roster::default().settings, |card| card.matching(members))
}

fn unreached(error: &FetchError) -> No {
    tracing::warn!(%error, "the picture of an enrolment could not be fetched");
    match error {
        FetchError::TooLarge { .. } => No::Refused("picture-too-large"),
        FetchError::Status { .. } | FetchError::Failed { .. } | FetchError::TooSlow { .. } => {
            No::Failed("picture-unreachable")
        }
    }
}

fn refused(blind: &Blind) -> No {
    match blind {
        Blind::NoFace | Blind::SeveralFaces | Blind::PoorFace | Blind::Picture(_) => No::Refused(blind.reason()),
        Blind::Network(_) | Blind::Card | Blind::Engine(_) => {
            told("a member could not be enrolled", blind);
            No::Failed(blind.reason())
        }
    }
}

fn told(what: &'static str, error: &dyn std::error::Error) {
    tracing::warn!(reason = %Chain(error), "{what}");
}

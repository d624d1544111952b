//! Between a page and the journal.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use serde::Serialize;
use tokio::sync::mpsc::Receiver;

use super::eye::{Eye, For};
use super::light::Light;
use super::profile::Profile;
use super::watch::{Remedy, Watch};
use crate::device::{Device, DriverError, Held, Port};
use crate::observe::DeviceState;
use crate::transport::browser::PageName;
use crate::transport::panel::{CONNECTORS, Panel};
use crate::transport::{Chair, Facts, PostKind, Posted, Reply, Still, Wish, browser};
use crate::types::{
    Action, ActionKind, Assigned, Chain, CommandId, Condition, DeviceId, Ended, Endpoint, Observation, Outcome,
    PageKind, Reason, Show, Tally,
};
use crate::wire::screen::{Beat, read_actions, read_beat, read_plays, read_sessions, read_shown};

/// How often the page is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often the panel is looked at.
const PANEL: Duration = Duration::from_secs(2);
/// Until something that is to be shown must be painted.
const PAINTED_WITHIN: Duration = Duration::from_secs(5);
/// Until a page that is to load itself anew must be heard.
const LOADED_WITHIN: Duration = Duration::from_secs(15);
/// Pages of one screen that are remembered: a new one is none of them.
const PAGES: usize = 8;
/// What the driver does itself of what can be shown; `screen:identify` and `screen:pattern` are the page's.
const RELOAD: &str = "screen:reload";
const SHOT: &str = "screen:shot";
/// A page whose last picture is older than this paints no more, whatever it says.
const STALE_MS: u32 = 10_000;
/// Shortest token of a browser on another machine, in characters.
const TOKEN: usize = 16;

/// A screen.
#[derive(Debug)]
pub(super) struct Screen {
    id: DeviceId,
    endpoint: Endpoint,
    profile: Profile,
    /// Times that its browser was started anew by this gateway.
    restarted: AtomicU32,
}

/// What a page is asked to show.
#[derive(Serialize)]
struct Asked<'a> {
    n: u64,
    scene: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_ms: Option<u32>,
    /// The session that a member begins by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// By the gateway's clock; a page that hears it later shows it no more: whoever it was for has gone.
    until_ms: i64,
}

#[derive(Serialize)]
struct Ordered {
    r#do: &'static str,
}

impl Screen {
    pub(super) fn new(id: DeviceId, endpoint: Endpoint, profile: Profile) -> Self {
        Self { id, endpoint, profile, restarted: AtomicU32::new(0) }
    }

    fn facts(&self) -> Facts {
        let Profile { page, language, hand_off, token_file, .. } = &self.profile;
        let token = token_file.as_ref().and_then(|file| match fs::read_to_string(file) {
            Ok(text) if text.trim().len() >= TOKEN => Some(text.trim().to_owned()),
            Ok(_) => {
                tracing::warn!(screen = %self.id, "token_file is shorter than {TOKEN}: nobody else is let in");
                None
            }
            Err(error) => {
                tracing::warn!(screen = %self.id, %error, "token_file cannot be read: nobody else is let in");
                None
            }
        });
        let is_seen = self.eye().is_ok();
        Facts { page: *page, language: language.clone(), token, hand_off: hand_off.clone(), is_seen }
    }

    /// Where pictures of the screen come from, or a word for why there are none.
    fn eye(&self) -> Result<(SocketAddr, PageName), &'static str> {
        // A mirror shows who stands before it, and nobody else may see that.
        if self.profile.page == PageKind::Mirror {
            return Err("mirror-shows-people");
        }
        let browser = self.profile.browser().ok_or("no-cdp")?;
        Ok((browser, PageName { path: format!("/s/{}", self.id), kind: self.profile.page.as_str() }))
    }

    async fn drive(&self, port: &mut Port) -> Result<(), DriverError> {
        let now = port.clock.now();
        // Higher than any number of an earlier process, unless its clock was ahead by more than it ran.
        let first = u64::try_from(port.clock.wall().0.unix_ms()).unwrap_or(0);
        let mut chair = port.seats.clone().take(&self.id, self.facts(), first);
        port.scope.state(DeviceState::Running);
        let Profile { heartbeat, missing, reloads, restarts, .. } = self.profile;
        let watch = Watch::new(heartbeat * missing, reloads, restarts, self.restarted.load(Ordering::Relaxed), now);
        let (eye, mut wishes) = (Eye::new(self.eye(), port.clock.clone()), chair.wishes());
        let mut page = Page {
            screen: self,
            port,
            watch,
            asked: BTreeMap::new(),
            numbers: first,
            known: VecDeque::new(),
            loading: None,
            eye,
            light: Light::default(),
            panel_due: now,
        };
        page.look_at_panel();
        loop {
            let stop = page.port.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(wish) = wished(&mut wishes) => page.eye.wish(For::Wish(wish)),
                Some(taken) = page.eye.taking.next() => page.taken(taken).await?,
                action = page.port.next_action() => page.ask(action?, &chair).await?,
                posted = chair.posted() => match posted {
                    Some(posted) => page.take(posted).await?,
                    None => return Err(DriverError::Closed),
                },
                () = tokio::time::sleep(LOOK) => page.look(&chair).await?,
            }
        }
    }
}

impl Device for Screen {
    fn id(&self) -> &DeviceId {
        &self.id
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn can(&self) -> &'static [ActionKind] {
        &[ActionKind::Show]
    }

    /// A page that is silent has its browser started anew: it must be the page's own.
    fn held(&self) -> Option<Held> {
        let (browser, span) = self.profile.browser.clone()?;
        Some(Held { what: format!("the browser at {browser}"), span })
    }

    fn run<'a>(&'a self, port: &'a mut Port) -> BoxFuture<'a, Result<(), DriverError>> {
        self.drive(port).boxed()
    }
}

async fn wished(wishes: &mut Option<Receiver<Wish>>) -> Option<Wish> {
    wishes.as_mut()?.recv().await
}

/// One run.
struct Page<'a> {
    screen: &'a Screen,
    port: &'a mut Port,
    watch: Watch,
    /// What is to be painted, by its number, and until when.
    asked: BTreeMap<u64, (CommandId, Instant)>,
    numbers: u64,
    /// The last pages that were heard.
    known: VecDeque<String>,
    /// What is done when another page is heard, and until when.
    loading: Option<(CommandId, Instant)>,
    eye: Eye,
    light: Light,
    /// When the panel is looked at next.
    panel_due: Instant,
}

impl Page<'_> {
    async fn end(&mut self, command: CommandId, ended: Ended) -> Result<(), DriverError> {
        self.port.observe(Observation::Ended(Outcome { command, ended })).await
    }

    /// A scene is done when it is painted, and a screen without a page paints nothing.
    async fn ask(&mut self, assigned: Assigned, chair: &Chair) -> Result<(), DriverError> {
        let Assigned { command, action, deadline } = assigned;
        let Action::Show(show) = action else {
            return self.end(command, Ended::Refused(Reason::new("unsupported-action"))).await;
        };
        if chair.pages() == 0 {
            return self.end(command, Ended::Refused(Reason::new("no-page"))).await;
        }
        match show.scene.as_str() {
            SHOT => return self.shoot(command).await,
            RELOAD => return self.reload(command, deadline, chair).await,
            _ => {}
        }
        self.numbers += 1;
        let until_ms = self.port.clock.wall().0.plus(PAINTED_WITHIN).unix_ms();
        let Show { scene, for_ms, session } = &show;
        let session = session.map(|session| session.to_string());
        let asked = Asked { n: self.numbers, scene: scene.as_str(), for_ms: *for_ms, session, until_ms };
        chair.tell("show", &json(&asked));
        let until = (self.port.clock.now() + PAINTED_WITHIN).min(deadline);
        self.asked.insert(self.numbers, (command, until));
        Ok(())
    }

    /// A picture is done when it is here: whoever asked fetches it.
    async fn shoot(&mut self, command: CommandId) -> Result<(), DriverError> {
        match self.screen.eye() {
            Ok(_) => self.eye.wish(For::Command(command)),
            Err(why) => self.end(command, Ended::Refused(Reason::new(why))).await?,
        }
        Ok(())
    }

    /// There is a picture, or none: whoever waits for it is told.
    async fn taken(&mut self, taken: Result<Still, &'static str>) -> Result<(), DriverError> {
        for command in self.eye.taken(&taken) {
            let ended = match taken {
                Ok(_) => Ended::Done,
                Err(why) => Ended::Failed(Reason::new(why)),
            };
            self.end(command, ended).await?;
        }
        Ok(())
    }

    /// Loading anew is done when a page is heard that was not there before.
    async fn reload(&mut self, command: CommandId, deadline: Instant, chair: &Chair) -> Result<(), DriverError> {
        if self.loading.is_some() {
            return self.end(command, Ended::Refused(Reason::new("busy"))).await;
        }
        chair.tell("command", &json(&Ordered { r#do: "reload" }));
        self.loading = Some((command, (self.port.clock.now() + LOADED_WITHIN).min(deadline)));
        Ok(())
    }

    async fn take(&mut self, Posted { kind, body, answer }: Posted) -> Result<(), DriverError> {
        self.port.scope.seen(body.len());
        let (now, _) = self.port.clock.wall();
        let taken = match kind {
            PostKind::Beat => read_beat(&body).map(|beat| self.heard(&beat)),
            PostKind::Plays => read_plays(&body, now).map(|plays| {
                let fresh = plays.into_iter().filter(|play| self.port.once.first(play.play));
                fresh.map(|play| Observation::ScreenPlay(Box::new(self.light.judge(play)))).collect()
            }),
            PostKind::Actions => read_actions(&body, now).map(|actions| {
                let fresh = actions.into_iter().filter(|action| self.port.once.first(action.outer_biz_id));
                fresh.map(|action| Observation::ScreenAction(Box::new(action))).collect()
            }),
            PostKind::Sessions => read_sessions(&body, now).map(|ends| {
                let fresh = ends.into_iter().filter(|end| self.port.once.first(end.session));
                fresh.map(|end| Observation::Session(Box::new(end))).collect()
            }),
            PostKind::Shown => match read_shown(&body) {
                Ok(shown) => Ok(self.shown(shown.show, shown.refused)),
                Err(misread) => Err(misread),
            },
        };
        let reply = match taken {
            Ok(observations) => match self.let_in(kind, observations).await? {
                Some(reply) => reply,
                None => return Ok(()),
            },
            Err(misread) => {
                self.port.scope.count(Tally::FramesMalformed, 1);
                Reply::Bad(misread.to_string())
            }
        };
        // A page that is gone does not hear it, and posts again.
        let _ = answer.send(reply);
        Ok(())
    }

    /// What is posted is on disk before the page hears so: also what was let in before and is on its way there. Nothing
    /// when the driver is told to stop meanwhile: the page posts again.
    async fn let_in(&mut self, kind: PostKind, observations: Vec<Observation>) -> Result<Option<Reply>, DriverError> {
        for observation in observations {
            self.port.observe(observation).await?;
        }
        if matches!(kind, PostKind::Plays | PostKind::Actions | PostKind::Sessions) {
            self.port.scope.count(Tally::FramesGood, 1);
            let stop = self.port.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                () = self.port.all_stored() => {}
            }
        }
        Ok(Some(Reply::Taken))
    }

    fn heard(&mut self, beat: &Beat) -> Vec<Observation> {
        let shows = beat.item.as_deref().unwrap_or("nothing");
        let shows: String = shows.chars().take(64).collect();
        let evidence = format!(
            "shows {shows} of content {}, {} pictures, {} late, {} plays to send, clock {} ms off",
            beat.rev, beat.frames, beat.dropped, beat.waiting, beat.clock_skew_ms
        );
        self.port.scope.evidence(&evidence);
        if beat.visible && beat.last_paint_ms < STALE_MS {
            self.watch.heard(self.port.clock.now());
            if !self.light.is_dark() {
                self.port.scope.condition(Condition::ScreenDark, false, None);
            }
        }
        if self.known.contains(&beat.page) {
            return Vec::new();
        }
        self.known.push_back(beat.page.clone());
        if self.known.len() > PAGES {
            self.known.pop_front();
        }
        let loaded = self.loading.take().map(|(command, _)| Outcome { command, ended: Ended::Done });
        loaded.map(Observation::Ended).into_iter().collect()
    }

    /// The page has painted what it was asked to, or says why not.
    fn shown(&mut self, number: u64, refused: Option<String>) -> Vec<Observation> {
        let Some((command, _)) = self.asked.remove(&number) else { return Vec::new() };
        let ended = match refused {
            None => Ended::Done,
            Some(why) => Ended::Refused(Reason::new(&why)),
        };
        vec![Observation::Ended(Outcome { command, ended })]
    }

    /// Looks whether the page lives, and whether what is to be painted is overdue.
    async fn look(&mut self, chair: &Chair) -> Result<(), DriverError> {
        let now = self.port.clock.now();
        let overdue: Vec<u64> =
            self.asked.iter().filter(|(_, (_, until))| *until <= now).map(|(number, _)| *number).collect();
        for number in overdue {
            if let Some((command, _)) = self.asked.remove(&number) {
                self.end(command, Ended::Failed(Reason::new("not-painted"))).await?;
            }
        }
        if let Some((command, _)) = self.loading.take_if(|(_, until)| *until <= now) {
            self.end(command, Ended::Failed(Reason::new("not-loaded"))).await?;
        }
        self.look_at_panel();
        self.watch.listened(chair.pages(), now);
        if self.watch.is_dark(now) {
            let detail = if chair.pages() == 0 { "no page is connected" } else { "its page paints nothing" };
            self.port.scope.condition(Condition::ScreenDark, true, Some(detail.to_owned()));
            if let Some(remedy) = self.watch.remedy(now) {
                self.apply(remedy, chair).await;
            }
        }
        Ok(())
    }

    /// A panel that is dark is told of, and whatever its page says counts for nothing meanwhile.
    fn look_at_panel(&mut self) {
        let now = self.port.clock.now();
        let Some(connector) = self.screen.profile.panel.as_deref().filter(|_| now >= self.panel_due) else { return };
        self.panel_due = now + PANEL;
        let panel = Panel::of(Path::new(CONNECTORS), connector);
        self.light.note(panel, self.port.clock.wall().0);
        let detail = match panel {
            Panel::Off => format!("its panel at {connector} is off"),
            Panel::Unplugged => format!("nothing is connected at {connector}"),
            Panel::On | Panel::Unknown => return,
        };
        self.port.scope.condition(Condition::ScreenDark, true, Some(detail));
    }

    async fn apply(&mut self, remedy: Remedy, chair: &Chair) {
        let Some(address) = self.screen.profile.browser() else {
            // A page that still listens can do it itself.
            chair.tell("command", &json(&Ordered { r#do: "reload" }));
            return;
        };
        self.screen.restarted.store(self.watch.restarted(), Ordering::Relaxed);
        tracing::warn!(screen = %self.screen.id, ?remedy, "the page is silent");
        let done = match remedy {
            Remedy::Reload => browser::reload(address).await,
            Remedy::Restart => browser::close(address).await,
        };
        if let Err(error) = done {
            tracing::warn!(screen = %self.screen.id, error = %Chain(&error), "the browser does not help");
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

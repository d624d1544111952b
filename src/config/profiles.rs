//! Where profiles are looked for, and what one looks like.
//!
//! The first place that holds a profile of the name wins; nothing is merged. The places: what was kept with the last
//! good configuration, if it is that one which is loaded; `--profiles DIR`,
//! `device-profiles/` beside the configuration, `/usr/share/smartstore/device-profiles/`, and those built in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::document::{Unreadable, read_text};
use super::limits;
use crate::device::DeviceKind;

/// The name of a folder of profiles.
pub const PROFILES_DIR: &str = "device-profiles";
/// Where the package puts profiles.
pub const SYSTEM_DIR: &str = "/usr/share/smartstore/device-profiles";
/// What the path of a profile begins with that stands in no file.
pub const BUILT_IN: &str = "built-in";
/// What the path of a profile begins with that was kept with the last good configuration.
const KEPT: &str = "last-good";

/// The places where profiles are looked for.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Looked at first: profiles that were kept together with the configuration, name and text.
    pub(super) kept: BTreeMap<String, String>,
    /// Folders, in order.
    pub(super) dirs: Vec<PathBuf>,
    /// Name and text.
    pub(super) built_in: Vec<(&'static str, &'static str)>,
}

/// A profile's file.
#[derive(Debug)]
pub(super) struct ProfileText {
    /// Where it was found.
    pub(super) path: PathBuf,
    /// What it holds.
    pub(super) text: Result<String, Unreadable>,
}

impl Places {
    /// The usual places; built in is what the kinds bring along.
    pub(super) fn usual(asked_for: Option<&Path>, base: &Path, catalogue: &[&dyn DeviceKind]) -> Self {
        let mut dirs: Vec<PathBuf> = asked_for.map(Path::to_owned).into_iter().collect();
        dirs.push(base.join(PROFILES_DIR));
        dirs.push(PathBuf::from(SYSTEM_DIR));
        let kept = BTreeMap::new();
        Self { kept, dirs, built_in: catalogue.iter().flat_map(|kind| kind.profiles()).copied().collect() }
    }

    /// The profile of that name. The name must have been checked with [`is_profile_name`].
    pub(super) fn find(&self, name: &str) -> Option<ProfileText> {
        let file = format!("{name}.toml");
        if let Some(text) = self.kept.get(name) {
            let path = Path::new(KEPT).join(PROFILES_DIR).join(file);
            return Some(ProfileText { path, text: Ok(text.clone()) });
        }
        for dir in &self.dirs {
            let path = dir.join(&file);
            if path.symlink_metadata().is_ok() {
                return Some(ProfileText { text: read_text(&path), path });
            }
        }
        let (_, text) = self.built_in.iter().find(|(known, _)| *known == name)?;
        let path = Path::new(BUILT_IN).join(PROFILES_DIR).join(file);
        Some(ProfileText { path, text: Ok((*text).to_owned()) })
    }

    /// Every name there is.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.built_in.iter().map(|(name, _)| (*name).to_owned()).collect();
        for dir in &self.dirs {
            names.extend(names_in(dir));
        }
        names
    }
}

/// `family/model`, each of a-z, 0-9 and -: never a path that leads elsewhere.
pub(super) fn is_profile_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.len() <= 64 && part.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'))
    };
    name.split_once('/').is_some_and(|(family, model)| part(family) && part(model))
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten().take(limits::PROFILES);
    let mut names = Vec::new();
    for family in entries(dir) {
        for model in entries(&family.path()) {
            let (family, model) = (family.file_name(), model.file_name());
            let model = model.to_string_lossy();
            let name = model.strip_suffix(".toml").map(|model| format!("{}/{model}", family.to_string_lossy()));
            names.extend(name.filter(|name| is_profile_name(name)));
        }
    }
    names
}

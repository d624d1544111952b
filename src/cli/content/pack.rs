//! From a folder of drawings and films to a signed manifest.
//!
//! `content.json` in the folder is a manifest that names its files by their paths in the folder; digests, sizes, types,
//! form and revision are filled in here.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::Context as _;
use ring::digest::{SHA256, digest};

use crate::cli::coupon::key::PrivateKey;
use crate::clock::{Clock, Trust};
use crate::types::Sha256;
use crate::wire::screen::{Asset, FORMAT, Manifest, seal};

/// The signed manifest's name.
pub(in crate::cli) const SIGNED: &str = "content.jws";
/// The source's name.
const SOURCE: &str = "content.json";
/// Where the files are.
const ASSETS: &str = "assets";

/// What was packed.
pub(in crate::cli) struct Packed {
    /// The signed manifest's digest.
    pub(in crate::cli) sha256: Sha256,
    /// What it says.
    pub(in crate::cli) manifest: Manifest,
}

/// Collects, checks, signs and writes.
pub(in crate::cli) fn pack(folder: &Path, output: &Path, rev: Option<u64>, key: &PrivateKey) -> anyhow::Result<Packed> {
    let source = folder.join(SOURCE);
    let text = std::fs::read(&source).with_context(|| format!("cannot read {}", source.display()))?;
    let mut manifest: Manifest =
        serde_json::from_slice(&text).with_context(|| format!("{} is no manifest", source.display()))?;
    FORMAT.clone_into(&mut manifest.format);
    manifest.rev = match rev {
        Some(rev) => rev,
        None => u64::try_from(Clock::system(Trust::Trusted).wall().0.unix_ms() / 1000)?,
    };
    let mut files = Files { folder, found: BTreeMap::new() };
    let items = manifest.items.values_mut().filter_map(|item| item.asset.as_mut());
    for name in items.chain(manifest.products.iter_mut().map(|product| &mut product.asset)) {
        *name = files.take(name)?.to_string();
    }
    manifest.assets = files.found.values().map(|file| (file.sha256.to_string(), file.asset.clone())).collect();
    let json = serde_json::to_vec(&manifest)?;
    let manifest = Manifest::read(&json).map_err(|mistakes| anyhow::anyhow!("{}", mistakes.0.join("\n")))?;
    let signed = seal(&key.id, &json, |bytes| key.sign(bytes));
    let assets = output.join(ASSETS);
    std::fs::create_dir_all(&assets).with_context(|| format!("cannot make {}", assets.display()))?;
    for file in files.found.values() {
        let to = assets.join(file.sha256.to_string());
        std::fs::copy(&file.path, &to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    let to = output.join(SIGNED);
    std::fs::write(&to, &signed).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(Packed { sha256: sha256(signed.as_bytes()), manifest })
}

fn sha256(bytes: &[u8]) -> Sha256 {
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest(&SHA256, bytes).as_ref());
    Sha256(sha256)
}

/// A file that is named.
struct Found {
    path: PathBuf,
    sha256: Sha256,
    asset: Asset,
}

struct Files<'a> {
    folder: &'a Path,
    found: BTreeMap<String, Found>,
}

impl Files<'_> {
    fn take(&mut self, name: &str) -> anyhow::Result<Sha256> {
        if let Some(found) = self.found.get(name) {
            return Ok(found.sha256);
        }
        let is_inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        anyhow::ensure!(is_inside && !name.is_empty(), "{name:?} is not the name of a file in the folder");
        let path = self.folder.join(name);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let r#type = media_type(&path)?.to_owned();
        let asset = Asset { bytes: bytes.len() as u64, r#type };
        let found = Found { path, sha256: sha256(&bytes), asset };
        let digest = found.sha256;
        self.found.insert(name.to_owned(), found);
        Ok(digest)
    }
}

fn media_type(path: &Path) -> anyhow::Result<&'static str> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    Ok(match extension.as_deref() {
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("avif") => "image/avif",
        Some("mp4") => "video/mp4",
        Some("webm") => "video/webm",
        _ => anyhow::bail!("{}: pictures are svg, png, jpg, webp or avif, films mp4 or webm", path.display()),
    })
}

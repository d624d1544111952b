//! The source tree as the rules see it: every Rust file, parsed, with the paths it names.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;

use super::paths::{self, Reference};

/// One broken rule, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, relative to the package.
    pub(crate) file: String,
    /// The line, counted from 1; 0: the file as a whole.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// One Rust file.
pub(crate) struct Source {
    /// Relative to the package, with `/`.
    pub(crate) file: String,
    /// The module it is, from the crate's root; empty for `lib.rs`, `main.rs` and everything outside `src`.
    pub(crate) module: Vec<String>,
    /// As written.
    pub(crate) text: String,
    /// As tokens, with their places.
    pub(crate) tokens: TokenStream,
    /// As syntax.
    pub(crate) syntax: syn::File,
    /// Every path it names, in macros too.
    pub(crate) references: Vec<Reference>,
    /// Whether the whole file is test code.
    pub(crate) is_test: bool,
}

impl Source {
    /// The top-level module it belongs to; `None` for the crate's root and for everything outside `src`.
    pub(crate) fn top(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }

    /// Whether it is part of the library or the binary.
    pub(crate) fn is_product(&self) -> bool {
        self.file.starts_with("src/")
    }

    /// A finding in this file.
    pub(crate) fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { file: self.file.clone(), line, message: message.into() }
    }

    /// Whether `line` or one of the `above` lines before it holds `word`.
    pub(crate) fn says_near(&self, line: usize, above: usize, word: &str) -> bool {
        let first = line.saturating_sub(above + 1);
        self.text.lines().skip(first).take(line - first).any(|text| text.contains(word))
    }
}

/// Every Rust file of the package.
pub(crate) struct Tree {
    /// Sorted by file.
    pub(crate) sources: Vec<Source>,
}

impl Tree {
    /// The package's own: `src`, `tests`, `benches`.
    pub(crate) fn load() -> Self {
        let root = package_root();
        let mut files = Vec::new();
        for folder in ["src", "tests", "benches"] {
            collect_rust_files(&root.join(folder), &mut files);
        }
        files.sort();
        let texts = files.iter().map(|path| {
            let name = path.strip_prefix(&root).expect("collected below the root").to_string_lossy().replace('\\', "/");
            (name, std::fs::read_to_string(path).expect("a source file is readable UTF-8"))
        });
        Self::of(texts)
    }

    /// A tree of a few files, to plant a violation in.
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        Self::of(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    fn of(files: impl Iterator<Item = (String, String)>) -> Self {
        let mut test_modules = BTreeSet::new();
        let mut sources: Vec<_> = files.map(|(file, text)| parse(file, text, &mut test_modules)).collect();
        for source in &mut sources {
            let below_a_test_module = (1..=source.module.len()).any(|n| test_modules.contains(&source.module[..n]));
            if below_a_test_module {
                source.is_test = true;
                source.references.iter_mut().for_each(|reference| reference.in_test = true);
            }
        }
        Self { sources }
    }

    /// What is built into the library or the binary.
    pub(crate) fn product(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.is_product())
    }

    /// Every reference of the product with the file that makes it.
    pub(crate) fn product_references(&self) -> impl Iterator<Item = (&Source, &Reference)> {
        self.product().flat_map(|source| source.references.iter().map(move |reference| (source, reference)))
    }
}

fn parse(file: String, text: String, test_modules: &mut BTreeSet<Vec<String>>) -> Source {
    let tokens: TokenStream = text.parse().unwrap_or_else(|e| panic!("{file} is not Rust: {e}"));
    let syntax = syn::parse2(tokens.clone()).unwrap_or_else(|e| panic!("{file} is not Rust: {e}"));
    let module = module_of(&file);
    let is_test = !file.starts_with("src/");
    let found = paths::collect(tokens.clone(), &module, &folder_of(&file), is_test);
    test_modules.extend(found.test_modules);
    Source { file, module, text, tokens, syntax, references: found.references, is_test }
}

/// `src/types/id.rs` is `types::id`; `src/types/mod.rs` is `types`; `src/lib.rs` is the root.
fn module_of(file: &str) -> Vec<String> {
    let Some(inside) = file.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs")) else {
        return Vec::new();
    };
    let mut module: Vec<_> = inside.split('/').map(str::to_owned).collect();
    if matches!(inside, "lib" | "main") || module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// The module that the file's folder is.
fn folder_of(file: &str) -> Vec<String> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.split('/').skip(1).map(str::to_owned).collect()
}

/// Where `Cargo.toml` is.
pub(crate) fn package_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn collect_rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            collect_rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Fails with every finding at once.
pub(crate) fn assert_none(findings: &[Finding]) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} broken rule(s):\n{}\n", lines.len(), lines.join("\n"));
}

/// Fails unless exactly one finding came, whose text holds `word`: the rule has seen what was planted.
pub(crate) fn assert_one(findings: &[Finding], word: &str) {
    assert_eq!(findings.len(), 1, "one planted violation, found: {findings:?}");
    assert!(findings[0].to_string().contains(word), "`{word}` is not in: {}", findings[0]);
}

#[test]
fn a_file_knows_its_module() {
    assert_eq!(module_of("src/types/id.rs"), ["types", "id"]);
    assert_eq!(module_of("src/types/mod.rs"), ["types"]);
    assert_eq!(module_of("src/clock.rs"), ["clock"]);
    assert!(module_of("src/lib.rs").is_empty() && module_of("tests/architecture.rs").is_empty());
}

#[test]
fn a_file_declared_under_cfg_test_is_test_code() {
    let tree = Tree::planted(&[
        ("src/clock/mod.rs", "#[cfg(test)]\nmod tests;\nmod other;"),
        ("src/clock/other.rs", "use std::fs;\n#[cfg(test)]\n#[path = \"other_tests.rs\"]\nmod tests;"),
        ("src/clock/other_tests.rs", "use std::fs;"),
        ("src/clock/tests.rs", "use std::fs;"),
    ]);
    let of = |file: &str| tree.sources.iter().find(|source| source.file == file).expect("planted").is_test;
    assert!(
        of("src/clock/tests.rs")
            && of("src/clock/other_tests.rs")
            && !of("src/clock/other.rs")
            && !of("src/clock/mod.rs")
    );
}

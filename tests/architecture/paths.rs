//! Finds every path a file names, by its tokens, so that the insides of macros count too.
//!
//! What it cannot see: a path that a macro pastes together, and a name reached through a renamed import.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path named somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Its line.
    pub(crate) line: usize,
    /// Where it leads.
    pub(crate) to: Target,
    /// How it is written, when that matters.
    pub(crate) form: Form,
    /// Whether it stands in test code.
    pub(crate) in_test: bool,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// Within this crate, from its root.
    Inside(Vec<String>),
    /// Another crate, or a name in scope.
    Outside(Vec<String>),
}

/// How a path is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In an expression, a type, a macro.
    Inline,
    /// `use`.
    Use,
    /// `pub use`, however restricted.
    Reexport,
    /// Begins with `super`, in or outside a `use`.
    Super,
}

impl Reference {
    /// The path inside the crate, when it is one.
    pub(crate) fn inside(&self) -> Option<&[String]> {
        match &self.to {
            Target::Inside(path) => Some(path),
            Target::Outside(_) => None,
        }
    }

    /// Whether it leads out of the crate, to `path` or below it (`std::fs`).
    pub(crate) fn reaches(&self, path: &str) -> bool {
        let wanted: Vec<_> = path.split("::").collect();
        match &self.to {
            Target::Inside(_) => false,
            Target::Outside(found) => found.len() >= wanted.len() && found.iter().zip(&wanted).all(|(a, b)| a == b),
        }
    }

    /// As it would be written.
    pub(crate) fn text(&self) -> String {
        match &self.to {
            Target::Inside(path) => format!("crate::{}", path.join("::")),
            Target::Outside(path) => path.join("::"),
        }
    }
}

/// What a file holds.
#[derive(Default)]
pub(crate) struct Found {
    /// Every path.
    pub(crate) references: Vec<Reference>,
    /// Modules in files of their own that are declared under `#[cfg(test)]`.
    pub(crate) test_modules: Vec<Vec<String>>,
}

/// Every path named in `tokens`, which are the text of `module` and stand in a file of `folder`.
pub(crate) fn collect(tokens: TokenStream, module: &[String], folder: &[String], is_test: bool) -> Found {
    let (module, folder) = (module.to_vec(), folder.to_vec());
    let mut walk = Walk { module, folder, in_test: is_test, file: None, found: Found::default() };
    walk.stream(tokens);
    walk.found
}

/// Whether an attribute's insides say `cfg(test)` or `cfg(all(test, …))`.
pub(crate) fn is_cfg_test(attribute: &TokenStream) -> bool {
    let words: Vec<_> =
        attribute.to_string().split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect();
    words.first().is_some_and(|word| word == "cfg")
        && words.iter().any(|w| w == "test")
        && !words.iter().any(|w| w == "not")
}

/// The file that `path = "gm65_tests.rs"` names, as a module.
fn named_file(attribute: &TokenStream) -> Option<String> {
    let text = attribute.to_string();
    let file = text.strip_prefix("path")?.trim_start().strip_prefix('=')?.trim().trim_matches('"');
    file.strip_suffix(".rs").map(str::to_owned)
}

struct Walk {
    module: Vec<String>,
    folder: Vec<String>,
    in_test: bool,
    /// The file that a `#[path = "…"]` has just named, without `.rs`.
    file: Option<String>,
    found: Found,
}

impl Walk {
    fn stream(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let outer = self.in_test;
        let mut at = 0;
        while at < tokens.len() {
            at += self.step(&tokens[at..], at.checked_sub(1).map(|before| &tokens[before]), outer);
        }
        self.in_test = outer;
    }

    /// Reads what begins at `rest[0]` and says how many tokens that was.
    fn step(&mut self, rest: &[TokenTree], before: Option<&TokenTree>, outer: bool) -> usize {
        match &rest[0] {
            TokenTree::Punct(p) if p.as_char() == '#' => self.attribute(rest),
            TokenTree::Punct(p) if matches!(p.as_char(), ';' | ',') => {
                self.in_test = outer;
                1
            }
            TokenTree::Ident(word) if word == "mod" => self.module(rest, outer),
            TokenTree::Ident(word) if word == "use" => self.import(rest, before),
            TokenTree::Ident(_) => self.path(rest),
            TokenTree::Group(group) => {
                self.stream(group.stream());
                if group.delimiter() == Delimiter::Brace {
                    self.in_test = outer;
                }
                1
            }
            TokenTree::Literal(literal) => {
                self.text(&literal.to_string(), literal.span().start().line);
                1
            }
            TokenTree::Punct(_) => 1,
        }
    }

    fn attribute(&mut self, rest: &[TokenTree]) -> usize {
        let skip = if is_punct(rest.get(1), '!') { 2 } else { 1 };
        let Some(TokenTree::Group(group)) = rest.get(skip) else { return 1 };
        if is_cfg_test(&group.stream()) {
            self.in_test = true;
        } else if let Some(file) = named_file(&group.stream()) {
            self.file = Some(file);
        } else {
            let held = self.in_test;
            self.stream(group.stream());
            self.in_test = held;
        }
        skip + 1
    }

    fn module(&mut self, rest: &[TokenTree], outer: bool) -> usize {
        let (Some(TokenTree::Ident(name)), Some(next)) = (rest.get(1), rest.get(2)) else { return 1 };
        self.module.push(name.to_string());
        if let TokenTree::Group(body) = next {
            self.stream(body.stream());
        } else if self.in_test {
            let here = self.file.as_ref().map(|file| [&self.folder[..], std::slice::from_ref(file)].concat());
            self.found.test_modules.push(here.unwrap_or_else(|| self.module.clone()));
        }
        self.file = None;
        self.module.pop();
        self.in_test = outer;
        3
    }

    fn import(&mut self, rest: &[TokenTree], before: Option<&TokenTree>) -> usize {
        let is_public = match before {
            Some(TokenTree::Ident(word)) => word == "pub",
            Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
            _ => false,
        };
        let form = if is_public { Form::Reexport } else { Form::Use };
        let length = rest.iter().position(|token| is_punct(Some(token), ';')).unwrap_or(rest.len());
        self.use_tree(&rest[1..length], &[], form);
        length
    }

    /// One branch of a `use` tree: `a::b::{c, d as e, f::*}`.
    fn use_tree(&mut self, branch: &[TokenTree], prefix: &[String], form: Form) {
        let mut path = prefix.to_vec();
        let mut line = 0;
        for token in branch {
            match token {
                TokenTree::Ident(word) if word == "as" => break,
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(p) if p.as_char() == '*' => path.push("*".to_owned()),
                TokenTree::Group(group) => return self.use_branches(group, &path, form),
                _ => {}
            }
            line = token.span().start().line;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        self.push(line, &path, form);
    }

    fn use_branches(&mut self, group: &Group, prefix: &[String], form: Form) {
        let tokens: Vec<_> = group.stream().into_iter().collect();
        for branch in tokens.split(|token| is_punct(Some(token), ',')).filter(|branch| !branch.is_empty()) {
            self.use_tree(branch, prefix, form);
        }
    }

    fn path(&mut self, rest: &[TokenTree]) -> usize {
        let mut path = Vec::new();
        let mut at = 0;
        while let Some(TokenTree::Ident(word)) = rest.get(at) {
            path.push(word.to_string());
            at += 1;
            let goes_on = is_punct(rest.get(at), ':') && is_punct(rest.get(at + 1), ':');
            if !goes_on || !matches!(rest.get(at + 2), Some(TokenTree::Ident(_))) {
                break;
            }
            at += 2;
        }
        self.push(rest[0].span().start().line, &path, Form::Inline);
        at
    }

    /// An attribute may name a path in a string: `#[serde(with = "crate::config::size")]`.
    fn text(&mut self, literal: &str, line: usize) {
        if let Some(path) = literal.strip_prefix("\"crate::").and_then(|rest| rest.strip_suffix('"')) {
            let path: Vec<_> = std::iter::once("crate").chain(path.split("::")).map(str::to_owned).collect();
            self.push(line, &path, Form::Inline);
        }
    }

    fn push(&mut self, line: usize, path: &[String], form: Form) {
        let Some(first) = path.first() else { return };
        let (to, form) = match first.as_str() {
            "crate" | "smartstore" if path.len() > 1 => (Target::Inside(path[1..].to_vec()), form),
            "self" if path.len() > 1 => (Target::Inside([&self.module, &path[1..]].concat()), form),
            // A visibility: `pub(super)`.
            "super" if path.iter().all(|segment| segment == "super") => return,
            "super" => {
                let up = path.iter().take_while(|segment| *segment == "super").count();
                let base = &self.module[..self.module.len().saturating_sub(up)];
                (Target::Inside([base, &path[up..]].concat()), Form::Super)
            }
            _ => (Target::Outside(path.to_vec()), form),
        };
        self.found.references.push(Reference { line, to, form, in_test: self.in_test });
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let module = ["router".to_owned()];
        let found = collect(text.parse().unwrap(), &module, &[], false);
        found.references.iter().map(Reference::text).filter(|name| name.contains("::")).collect()
    }

    #[test]
    fn a_use_tree_is_read_branch_by_branch() {
        assert_eq!(
            names("use crate::a::{self, b, c::{d as e, *}};"),
            ["crate::a", "crate::a::b", "crate::a::c::d", "crate::a::c::*"]
        );
        assert_eq!(names("use std::{fs, io::Read};"), ["std::fs", "std::io::Read"]);
    }

    #[test]
    fn paths_in_types_expressions_macros_and_attributes_are_seen() {
        assert_eq!(names("fn f(x: crate::a::B) -> u8 { crate::c::d(x) }"), ["crate::a::B", "crate::c::d"]);
        assert_eq!(names("macro_rules! m { () => { $crate::a::b!() } }"), ["crate::a::b"]);
        assert_eq!(names("#[derive(serde::Serialize)] struct S;"), ["serde::Serialize"]);
        assert_eq!(names("#[serde(with = \"crate::a::b\")] struct S;"), ["crate::a::b"]);
    }

    #[test]
    fn super_is_followed_from_where_it_stands() {
        assert_eq!(names("use super::types::Code;"), ["crate::types::Code"]);
        assert_eq!(
            names("mod inner { use super::super::types::Code; use super::x; }"),
            ["crate::types::Code", "crate::router::x"]
        );
    }

    #[test]
    fn test_code_is_told_from_product_code() {
        let text =
            "#[cfg(test)] mod tests { use std::a; } use std::b; #[cfg(test)] use std::c; #[cfg(not(test))] use std::d;";
        let found = collect(text.parse().unwrap(), &[], &[], false);
        let tests: Vec<_> = found.references.iter().filter(|r| r.in_test).map(Reference::text).collect();
        assert_eq!(tests, ["std::a", "std::c"]);
    }
}

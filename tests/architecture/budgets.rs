//! Sizes: a function, a file and a line that a person can hold in the head.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::paths::is_cfg_test;
use super::tree::{Finding, Source, Tree, assert_none, assert_one};

/// Longest function, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;
/// Longest file, without its `#[cfg(test)]` parts. A unit test in a file of its own is such a part.
const FILE_LINES: usize = 600;
/// Longest line, in characters.
const LINE_COLUMNS: usize = 120;
/// The middle function of the product, test code apart.
const MEDIAN_FUNCTION_LINES: usize = 10;

/// One function.
struct Function {
    name: String,
    line: usize,
    lines: usize,
    in_test: bool,
}

#[derive(Default)]
struct Functions {
    found: Vec<Function>,
    test_depth: usize,
}

impl Functions {
    fn of(source: &Source) -> Vec<Function> {
        let mut functions = Self { test_depth: usize::from(source.is_test), ..Self::default() };
        functions.visit_file(&source.syntax);
        functions.found
    }

    fn add(&mut self, signature: &syn::Signature, end: Span, attributes: &[syn::Attribute]) {
        let line = signature.span().start().line;
        let in_test = self.test_depth > 0 || is_test(attributes);
        self.found.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: end.end().line - line + 1,
            in_test,
        });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let deeper = usize::from(is_test(&module.attrs));
        self.test_depth += deeper;
        visit::visit_item_mod(self, module);
        self.test_depth -= deeper;
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, function.block.span(), &function.attrs);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, function.block.span(), &function.attrs);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.sig, body.span(), &function.attrs);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let tokens = &list.tokens;
            is_cfg_test(&format!("cfg({tokens})").parse().expect("it was an attribute"))
        }
        _ => false,
    })
}

/// How many lines the file has without the items under `#[cfg(test)]`.
fn product_lines(source: &Source) -> usize {
    let all = source.text.lines().count();
    let tests = source.syntax.items.iter().filter(|item| is_test(attributes_of(item)));
    all - tests.map(|item| item.span().end().line - item.span().start().line + 1).sum::<usize>()
}

fn attributes_of(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn check(tree: &Tree) -> Vec<Finding> {
    tree.sources
        .iter()
        .flat_map(|source| [long_functions(source), long_file(source), long_lines(source)].concat())
        .collect()
}

fn long_functions(source: &Source) -> Vec<Finding> {
    let long = Functions::of(source).into_iter().filter(|function| function.lines > FUNCTION_LINES);
    long.map(|f| {
        source.finding(f.line, format!("`{}` has {} lines, at most {FUNCTION_LINES}: split it", f.name, f.lines))
    })
    .collect()
}

fn long_file(source: &Source) -> Vec<Finding> {
    let lines = if source.is_product() && source.is_test { 0 } else { product_lines(source) };
    let message = format!("the file has {lines} lines without its tests, at most {FILE_LINES}: split it");
    if lines > FILE_LINES { vec![source.finding(0, message)] } else { Vec::new() }
}

fn long_lines(source: &Source) -> Vec<Finding> {
    let is_long = |line: &str| line.chars().count() > LINE_COLUMNS && !is_table_row(line);
    let long = source.text.lines().enumerate().filter(|(_, line)| is_long(line));
    long.map(|(at, _)| source.finding(at + 1, format!("the line is longer than {LINE_COLUMNS} columns"))).collect()
}

/// A row of a table in the documentation cannot be broken.
fn is_table_row(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//! |") || line.starts_with("/// |")
}

/// The lengths of the product's functions, shortest first.
fn product_functions(tree: &Tree) -> Vec<usize> {
    let functions = tree.product().flat_map(Functions::of).filter(|function| !function.in_test);
    let mut lines: Vec<_> = functions.map(|function| function.lines).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn functions_files_and_lines_are_short() {
    assert_none(&check(&Tree::load()));
}

#[test]
fn the_median_function_is_short() {
    let lines = product_functions(&Tree::load());
    let at = |percent: usize| lines[(lines.len() - 1) * percent / 100];
    let (median, p90, longest) = (at(50), at(90), at(100));
    println!("{} functions: median {median} lines, p90 {p90}, longest {longest}", lines.len());
    assert!(median <= MEDIAN_FUNCTION_LINES, "the median function has {median} lines, at most {MEDIAN_FUNCTION_LINES}");
}

#[test]
fn a_planted_long_function_is_found() {
    let body = "    let _ = 1;\n".repeat(FUNCTION_LINES - 2);
    let fits = format!("fn f() {{\n{body}}}\n");
    assert_none(&check(&Tree::planted(&[("src/a.rs", &fits)])));
    let long = fits.replace("fn f", "struct S;\nimpl S {\nfn f").replace("{\n    let _", "{\n\n    let _") + "}\n";
    assert_one(&check(&Tree::planted(&[("src/a.rs", &long)])), "`f` has 71 lines");
}

#[test]
fn a_planted_long_file_is_found_and_its_tests_do_not_count() {
    let long = "const _: () = ();\n".repeat(FILE_LINES + 1);
    assert_one(&check(&Tree::planted(&[("src/a.rs", &long)])), "601 lines");
    let tests = format!("#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert_none(&check(&Tree::planted(&[("src/a.rs", &tests)])));
}

#[test]
fn a_planted_long_line_is_found() {
    let long = format!("\n// {}\n", "x".repeat(LINE_COLUMNS - 2));
    assert_one(&check(&Tree::planted(&[("src/a.rs", &long)])), "src/a.rs:2");
    assert_none(&check(&Tree::planted(&[("src/a.rs", &long.replace("// ", "//! | "))])));
}

#[test]
fn test_functions_do_not_make_the_median_shorter() {
    let text = "fn f() {\n\n\n}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
    assert_eq!(product_functions(&Tree::planted(&[("src/a.rs", text)])), [4]);
}

//! Circles: files of one folder that import each other, straight or by way of others.
//!
//! The compiler allows them. But such files can only be understood, tested and moved all at once, so each
//! is taken apart: what both need moves into a file of its own, below them.
//!
//! A subfolder counts as one file of its folder. Imports of the folder itself (`mod.rs`) are followed to the
//! file that it re-exports from. Tests may import what they like. What stands inside a macro's call is not seen.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use petgraph::{algo::tarjan_scc, graph::DiGraph};
use syn::visit::{self, Visit};

use super::{Finding, read};

/// Circles that stay: the folder, those of its files that may be in one (empty: all of them), and why.
const KEPT: [(&str, &[&str], &str); 2] = [
    (
        "crates/sim/src/cloudstack/api",
        &[],
        "a table of commands names all handlers, and listApis, a handler, shows the table",
    ),
    (
        "crates/connect/src/",
        &["component", "file", "s3"],
        "two sinks implement the contract, by which the binary is also given them themselves: only they know \
         the names of the files that they make",
    ),
];
/// Re-exports are followed so far; one of a re-export is rare, a longer chain does not occur.
const HOPS_MAX: usize = 4;

type Module = Vec<String>;

/// The modules of one package, by their path from its root, which is empty.
struct Tree {
    files: BTreeMap<Module, Source>,
}

/// Files of one folder of which each uses the next, and the last the first.
struct Circle {
    files: Vec<String>,
    /// As `a uses b (Name)`.
    imports: Vec<String>,
}

/// What one file imports and names.
#[derive(Default)]
struct Source {
    /// What names stand for that `use` brings in, as written.
    imports: HashMap<String, Module>,
    /// Paths that are used, as written, each with the module that it stands in.
    paths: Vec<(Module, Module)>,
}

pub(super) fn check(root: &Path, files: &[PathBuf]) -> anyhow::Result<Vec<Finding>> {
    let mut packages: BTreeMap<PathBuf, Vec<&PathBuf>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "rs")) {
        let folder = file.ancestors().find(|folder| folder.ends_with("src"));
        if let Some(folder) = folder {
            packages.entry(folder.to_owned()).or_default().push(file);
        }
    }
    let mut findings = Vec::new();
    for (folder, files) in packages {
        let tree = Tree::read(root, &folder, &files)?;
        for (inner, circle) in tree.circles() {
            let place = folder.join(inner.iter().collect::<PathBuf>()).display().to_string();
            let is_kept = |(folder, files, _): &(&str, &[&str], &str)| {
                let is_named = |file: &String| files.contains(&file.as_str());
                *folder == place && (files.is_empty() || circle.files.iter().all(is_named))
            };
            if KEPT.iter().any(is_kept) {
                continue;
            }
            let circle = circle.imports.join("; ");
            findings.push(Finding::new(
                place,
                format!(
                    "has files in a circle: {circle}. Move what they share to a file below them"
                ),
            ));
        }
    }
    Ok(findings)
}

impl Tree {
    fn read(root: &Path, folder: &Path, files: &[&PathBuf]) -> anyhow::Result<Self> {
        let mut tree = Self { files: BTreeMap::new() };
        for file in files {
            let inner = file.strip_prefix(folder)?.with_extension("");
            let mut module: Module =
                inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
                module.pop();
            }
            let parsed = syn::parse_file(&read(root, file)?)
                .with_context(|| format!("failed to parse `{}`", file.display()))?;
            let mut reader = Reader { module: module.clone(), source: Source::default() };
            reader.visit_file(&parsed);
            tree.files.insert(module, reader.source);
        }
        Ok(tree)
    }

    /// Each circle, with its folder.
    fn circles(&self) -> Vec<(Module, Circle)> {
        let mut folders: BTreeMap<&[String], BTreeMap<(&str, &str), &str>> = BTreeMap::new();
        let uses: Vec<_> = self.uses().collect();
        for (from, to, name) in &uses {
            let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            // What a folder's own file takes from the folder, and the other way round, is no circle.
            let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) else { continue };
            folders.entry(&from[..shared]).or_default().entry((a, b)).or_insert(name);
        }
        let mut circles = Vec::new();
        for (folder, edges) in folders {
            let names: BTreeSet<&str> = edges.keys().flat_map(|(a, b)| [*a, *b]).collect();
            let mut graph = DiGraph::new();
            let nodes: BTreeMap<_, _> =
                names.iter().map(|name| (*name, graph.add_node(*name))).collect();
            for (a, b) in edges.keys() {
                graph.add_edge(nodes[a], nodes[b], ());
            }
            for circle in tarjan_scc(&graph).into_iter().filter(|circle| circle.len() > 1) {
                let is_in = |name: &str| circle.iter().any(|node| graph[*node] == name);
                let shown = edges.iter().filter(|((a, b), _)| is_in(a) && is_in(b));
                let shown = shown.map(|((a, b), name)| format!("{a} uses {b} ({name})"));
                let files = circle.iter().map(|node| graph[*node].to_owned()).collect();
                circles.push((folder.to_vec(), Circle { files, imports: shown.collect() }));
            }
        }
        circles
    }

    /// Which module uses which, and a name of it.
    fn uses(&self) -> impl Iterator<Item = (&Module, Module, String)> {
        self.files.iter().flat_map(move |(from, source)| {
            source.paths.iter().filter_map(move |(place, path)| {
                let to = self.resolve(place, path, HOPS_MAX)?;
                (to != *from).then(|| (from, to, path.last().cloned().unwrap_or_default()))
            })
        })
    }

    /// The file in which the path ends, `None` if in another package.
    fn resolve(&self, place: &[String], path: &[String], hops: usize) -> Option<Module> {
        let mut at = place.to_vec();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                at.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {}
            first => {
                let is_here = self.files.contains_key(&[place, &[first.to_owned()]].concat());
                if !is_here {
                    return None;
                }
            }
        }
        while let Some((name, behind)) = rest.split_first() {
            if name == "super" {
                at.pop();
            } else if self.files.contains_key(&[&at[..], std::slice::from_ref(name)].concat()) {
                at.push(name.clone());
            } else {
                let import = self.files.get(&at).and_then(|source| source.imports.get(name));
                let further = import
                    .filter(|_| hops > 0)
                    .and_then(|import| self.resolve(&at, &[import, behind].concat(), hops - 1));
                return Some(further.unwrap_or_else(|| self.file_of(at)));
            }
            rest = behind;
        }
        Some(self.file_of(at))
    }

    /// The file that a module stands in: its own, or the one around it.
    fn file_of(&self, mut module: Module) -> Module {
        while !module.is_empty() && !self.files.contains_key(&module) {
            module.pop();
        }
        module
    }
}

/// Reads one file.
struct Reader {
    module: Module,
    source: Source,
}

impl Reader {
    fn import(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (name, path) = match tree {
            syn::UseTree::Path(path) => return self.import(&with(&path.ident), &path.tree),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.import(before, item));
                return;
            }
            syn::UseTree::Glob(_) => (String::from("*"), before.to_vec()),
            syn::UseTree::Name(name) if name.ident == "self" => {
                (before.last().cloned().unwrap_or_default(), before.to_vec())
            }
            syn::UseTree::Name(name) => (name.ident.to_string(), with(&name.ident)),
            syn::UseTree::Rename(rename) => (rename.rename.to_string(), with(&rename.ident)),
        };
        self.source.imports.insert(name, path.clone());
        self.source.paths.push((self.module.clone(), path));
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let path_names: Module = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if matches!(path_names[0].as_str(), "crate" | "super" | "self") && path_names.len() > 1 {
            self.source.paths.push((self.module.clone(), path_names));
        }
        visit::visit_path(self, path);
    }
}

/// Whether the item is there in tests only.
fn is_test(item: &syn::Item) -> bool {
    let attributes = match item {
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        let is_cfg = attribute.path().is_ident("cfg");
        is_cfg && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
    })
}

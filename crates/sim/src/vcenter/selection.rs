//! `PropertyFilterSpec`: which objects and which of their properties a client wants, as it was asked for.
//!
//! Traversals may refer to each other by name and so describe recursion; here a name is replaced by a number. A
//! session keeps it for later, so it refuses to know the cloud: that is walked where the
//! [methods](super::methods) are.

use std::collections::HashMap;

use super::moref::MoRef;
use super::soap::SoapFault;
use super::xml::Element;

/// What a client wants to know.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) starts: Vec<Start>,
    pub(crate) traversals: Vec<Traversal>,
    pub(crate) properties: Vec<Wanted>,
}

/// An object at which a walk begins.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) object: MoRef,
    pub(crate) skip: bool,
    pub(crate) steps: Vec<usize>,
}

/// A way from objects of a class along a property.
#[derive(Debug)]
pub(crate) struct Traversal {
    pub(crate) class: String,
    pub(crate) path: String,
    pub(crate) skip: bool,
    pub(crate) steps: Vec<usize>,
}

/// The properties that are wanted of the objects of a class.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) class: String,
    pub(crate) all: bool,
    pub(crate) paths: Vec<String>,
}

impl Selection {
    /// Reads all `PropertyFilterSpec` elements of that name.
    pub(crate) fn read(parameters: &Element, name: &'static str) -> Result<Self, SoapFault> {
        let mut selection = Self::default();
        for spec in parameters.all(name) {
            for wanted in spec.all("propSet") {
                selection.properties.push(Wanted {
                    class: wanted.text_of("type").unwrap_or_default().to_owned(),
                    all: wanted.flag("all"),
                    paths: wanted.all("pathSet").map(|e| e.text.trim().to_owned()).collect(),
                });
            }
            let mut names = HashMap::new();
            let mut unresolved = Vec::new();
            for start in spec.all("objectSet") {
                let object = start.child("obj").map(MoRef::read);
                let object = object.ok_or(SoapFault::InvalidArgument("objectSet.obj"))?;
                let steps = selection.read_steps(start, &mut names, &mut unresolved);
                selection.starts.push(Start { object, skip: start.flag("skip"), steps });
                let last = Owner::Start(selection.starts.len() - 1);
                unresolved
                    .iter_mut()
                    .filter(|(owner, _)| *owner == Owner::Unknown)
                    .for_each(|(owner, _)| *owner = last);
            }
            selection.resolve(&names, unresolved)?;
        }
        if selection.starts.is_empty() {
            return Err(SoapFault::InvalidArgument(name));
        }
        Ok(selection)
    }

    /// Reads the traversals below an element; references by name are left for later.
    fn read_steps(
        &mut self,
        element: &Element,
        names: &mut HashMap<String, usize>,
        unresolved: &mut Vec<(Owner, String)>,
    ) -> Vec<usize> {
        let mut steps = Vec::new();
        for spec in element.all("selectSet") {
            let name = spec.text_of("name").map(str::to_owned);
            let Some(path) = spec.text_of("path") else {
                unresolved.extend(name.map(|name| (Owner::Unknown, name)));
                continue;
            };
            let index = self.traversals.len();
            self.traversals.push(Traversal {
                class: spec.text_of("type").unwrap_or_default().to_owned(),
                path: path.to_owned(),
                skip: spec.flag("skip"),
                steps: Vec::new(),
            });
            names.extend(name.map(|name| (name, index)));
            let before = unresolved.len();
            self.traversals[index].steps = self.read_steps(spec, names, unresolved);
            for (owner, _) in &mut unresolved[before..] {
                if *owner == Owner::Unknown {
                    *owner = Owner::Traversal(index);
                }
            }
            steps.push(index);
        }
        steps
    }

    fn resolve(
        &mut self,
        names: &HashMap<String, usize>,
        unresolved: Vec<(Owner, String)>,
    ) -> Result<(), SoapFault> {
        for (owner, name) in unresolved {
            let index = *names.get(&name).ok_or(SoapFault::InvalidArgument("selectSet.name"))?;
            match owner {
                Owner::Start(start) => self.starts[start].steps.push(index),
                Owner::Traversal(traversal) => self.traversals[traversal].steps.push(index),
                Owner::Unknown => {}
            }
        }
        Ok(())
    }
}

/// Who refers to a traversal by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Unknown,
    Start(usize),
    Traversal(usize),
}

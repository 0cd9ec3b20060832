//! `PropertyFilterSpec`: which objects and which of their properties a client wants.
//!
//! Objects are found by walking from named starting points along traversals, which may refer to
//! each other by name and so describe recursion. Each object takes each traversal once, so a walk
//! ends even when the inventory is circular.

use std::collections::{HashMap, HashSet, VecDeque};

use super::objects::World;
use crate::vcenter::moref::MoRef;
use crate::vcenter::soap::SoapFault;
use crate::vcenter::xml::Element;

/// What a client wants to know.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    starts: Vec<Start>,
    traversals: Vec<Traversal>,
    properties: Vec<Wanted>,
}

#[derive(Debug)]
struct Start {
    object: MoRef,
    skip: bool,
    steps: Vec<usize>,
}

#[derive(Debug)]
struct Traversal {
    class: String,
    path: String,
    skip: bool,
    steps: Vec<usize>,
}

#[derive(Debug)]
struct Wanted {
    class: String,
    all: bool,
    paths: Vec<String>,
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

    /// The selected objects, each once, in the order in which the walk meets them.
    pub(crate) fn objects(&self, world: &World<'_>) -> Result<Vec<MoRef>, SoapFault> {
        let mut found = Vec::new();
        let mut met = HashSet::new();
        let mut walked = HashSet::new();
        let mut queue = VecDeque::new();
        for start in &self.starts {
            if !world.exists(&start.object) {
                return Err(SoapFault::ManagedObjectNotFound(start.object.clone()));
            }
            queue.push_back((start.object.clone(), start.skip, &start.steps));
        }
        while let Some((object, skip, steps)) = queue.pop_front() {
            for index in steps {
                let traversal = &self.traversals[*index];
                if !object.is_a(&traversal.class) || !walked.insert((object.clone(), *index)) {
                    continue;
                }
                for next in world.links(&object, &traversal.path) {
                    queue.push_back((next, traversal.skip, &traversal.steps));
                }
            }
            if !skip && met.insert(object.clone()) {
                found.push(object);
            }
        }
        Ok(found)
    }

    /// The properties that are wanted of an object; `None` when it is not wanted at all.
    pub(crate) fn paths(&self, object: &MoRef) -> Option<Vec<String>> {
        let mut matching = self.properties.iter().filter(|w| object.is_a(&w.class)).peekable();
        matching.peek()?;
        let mut paths: Vec<String> = Vec::new();
        for wanted in matching {
            let every = World::all_paths(&object.kind).iter().filter(|_| wanted.all);
            for path in every.copied().chain(wanted.paths.iter().map(String::as_str)) {
                if !paths.iter().any(|known| known == path) {
                    paths.push(path.to_owned());
                }
            }
        }
        Some(paths)
    }
}

/// Who refers to a traversal by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Unknown,
    Start(usize),
    Traversal(usize),
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::Selection;
    use crate::vcenter::cloud::Cloud;
    use crate::vcenter::config::VCenterConfig;
    use crate::vcenter::methods::objects::World;
    use crate::vcenter::moref::MoRef;
    use crate::vcenter::session::{Peer, Session};
    use crate::vcenter::soap::SoapFault;
    use crate::vcenter::xml::Element;

    fn cloud() -> Cloud {
        Cloud::build(&VCenterConfig { machines: 10, ..VCenterConfig::default() }).unwrap()
    }

    fn select(spec: &str) -> Result<Vec<MoRef>, SoapFault> {
        let cloud = cloud();
        let machine = cloud.inventory.moref(cloud.inventory.machines[0]).value;
        let spec = format!("<m><specSet>{}</specSet></m>", spec.replace("VM0", &machine));
        let selection = Selection::read(&Element::parse(&spec).unwrap(), "specSet").unwrap();
        let session = Session::new("u", Peer::default(), cloud.clock.now());
        selection.objects(&World { cloud: &cloud, session: &session })
    }

    #[test]
    fn a_named_traversal_walks_up_to_the_root() {
        let found = select(
            "<objectSet><obj type=\"VirtualMachine\">VM0</obj><selectSet><name>up</name>\
             <type>ManagedEntity</type><path>parent</path><selectSet><name>up</name></selectSet>\
             </selectSet></objectSet>",
        );
        let kinds: Vec<_> = found.unwrap().into_iter().map(|object| object.kind).collect();
        assert_eq!(kinds, ["VirtualMachine", "Folder", "Folder", "Datacenter", "Folder"]);
    }

    #[test]
    fn a_missing_start_is_a_fault() {
        let found = select("<objectSet><obj type=\"Folder\">group-v999</obj></objectSet>");
        assert!(matches!(found, Err(SoapFault::ManagedObjectNotFound(_))));
    }
}

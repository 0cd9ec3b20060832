//! Finding the objects that a client selected, and which of their properties it wants.
//!
//! Objects are found by walking from named starting points along traversals. Each object takes each traversal
//! once, so a walk ends even when the inventory is circular.

use std::collections::{HashSet, VecDeque};

use super::objects::World;
use crate::vcenter::moref::MoRef;
use crate::vcenter::selection::Selection;
use crate::vcenter::soap::SoapFault;

impl Selection {
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

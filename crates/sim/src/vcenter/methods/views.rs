//! Views of the inventory.

use super::Call;
use crate::vcenter::cloud::Cloud;
use crate::vcenter::moref::MoRef;
use crate::vcenter::session::View;
use crate::vcenter::soap::SoapFault;
use crate::vcenter::xml::reference;

/// Methods of the view manager and of views.
pub(super) fn answer(cloud: &mut Cloud, call: &Call) -> Result<String, SoapFault> {
    match call.method.as_str() {
        "CreateContainerView" => {
            let container = MoRef::read(call.required("container")?);
            let root = cloud.inventory.find(&container);
            let root = root.ok_or(SoapFault::ManagedObjectNotFound(container))?;
            let classes = call.parameters.all("type").map(|e| e.text.trim().to_owned()).collect();
            let recursive = call.parameters.flag("recursive");
            create(cloud, call, "ContainerView", View::Container { root, classes, recursive })
        }
        "CreateListView" => {
            let objects = call.parameters.all("obj").map(MoRef::read).collect();
            create(cloud, call, "ListView", View::List(objects))
        }
        "DestroyView" => {
            let removed = call.session(cloud)?.views.remove(&call.this.value);
            removed
                .map(|_| String::new())
                .ok_or_else(|| SoapFault::ManagedObjectNotFound(call.this.clone()))
        }
        _ => Err(call.unknown()),
    }
}

fn create(cloud: &mut Cloud, call: &Call, kind: &str, view: View) -> Result<String, SoapFault> {
    let session = call.session(cloud)?;
    let id = session.new_id();
    let mut out = String::new();
    reference(&mut out, "returnval", kind, &id);
    session.views.insert(id, view);
    Ok(out)
}

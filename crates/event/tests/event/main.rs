//! What other implementations of CloudEvents write we read, and the reverse; and what we choose.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documented;
mod filter;
mod filter_cost;
mod filter_time;
mod filter_types;
mod interop;
mod known;
mod round_trip;

use pluvio_event::{AttributeName, Data, Event};

fn name(text: &str) -> AttributeName {
    AttributeName::new(text).unwrap()
}

fn vm_powered_on() -> Event {
    Event::builder("44", "https://vc.example.org/sdk", "com.vmware.vsphere.VmPoweredOnEvent.v0")
        .subject("VirtualMachine/vm-57")
        .time("2026-11-20T09:31:22.739821713Z".parse().unwrap())
        .datacontenttype("application/json")
        .extension(name("eventclass"), "event")
        .extension(name("template"), false)
        .extension(name("severitynumber"), 9)
        .data(
            Data::json(r#"{"Key":44,"Big":12345678901234567890123,"Vm":{"Name":"web-1"}}"#)
                .unwrap(),
        )
        .build()
        .unwrap()
}

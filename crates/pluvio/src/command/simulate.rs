//! `pluvio simulate`: a cloud that is not there, for whoever builds against one.

use anyhow::Context as _;
use pluvio_sim::{VCenter, VCenterConfig};

use super::{Failed, block_on, print_line, stopped};
use crate::cli::SimulateVcenter;

/// A vCenter, until stopped.
pub(crate) fn vcenter(options: SimulateVcenter) -> Result<(), Failed> {
    let config = VCenterConfig {
        listen: options.listen,
        events_per_second: options.rate,
        seed: options.seed,
        machines: options.machines,
        backlog_events: options.backlog,
        username: options.username,
        password: options.password,
        ..VCenterConfig::default()
    };
    block_on(async {
        let vcenter = VCenter::start(config).await.context("failed to simulate a vCenter")?;
        print_line(&format!("vCenter: {}", vcenter.url()));
        print_line(&format!("control: {}  (GET it for a list of faults)", vcenter.control_url()));
        let host = vcenter.address();
        print_line(&format!("try:     GOVC_URL=http://user:pass@{host}/sdk govc events"));
        stopped().await?;
        vcenter.stop().await;
        Ok(())
    })
}

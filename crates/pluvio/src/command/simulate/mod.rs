//! `pluvio simulate`: a cloud that is not there, for whoever builds against one; with `--from` one in
//! which what was captured happens again.

mod recorded;
mod rows;
mod vsphere;

use anyhow::Context as _;
use pluvio_net::Thumbprint;
use pluvio_sim::{CloudStack, CloudStackConfig, Tls, VCenter, VCenterConfig, cloudstack, vcenter};

use super::{Failed, block_on, print_line, stopped};
use crate::cli::{SimulateCloudstack, SimulateFrom, SimulateTls, SimulateVcenter};

/// What it shows, by the options.
fn tls(options: SimulateTls) -> Option<Tls> {
    match options {
        SimulateTls { tls_cert: Some(cert_file), tls_key: Some(key_file), .. } => {
            Some(Tls::Files { cert_file, key_file })
        }
        SimulateTls { tls, .. } => tls.then_some(Tls::Made),
    }
}

fn tell_certificate(certificate: Option<&[u8]>) {
    if let Some(der) = certificate {
        let thumbprint = Thumbprint::sha256_of(der);
        print_line(&format!("certificate: tls.thumbprint = \"{thumbprint}\""));
    }
}

/// The recording of a vCenter that the options ask for, if they do; tells what was taken.
fn vcenter_recording(options: &SimulateFrom) -> Result<Option<vcenter::Recording>, Failed> {
    let Some(folder) = &options.from else { return Ok(None) };
    let mut recording = vcenter::Recording::default();
    let taken = recorded::read(folder, options, &mut recording)?;
    (recording.begin, recording.speed) = (taken.beginning(options.at), options.speed);
    taken.tell();
    Ok(Some(recording))
}

/// A vCenter, until stopped.
pub(crate) fn vcenter(options: SimulateVcenter) -> Result<(), Failed> {
    let recording = vcenter_recording(&options.recording)?;
    let config = VCenterConfig {
        listen: options.listen,
        events_per_second: options.rate,
        api_version: options.version,
        seed: options.seed,
        machines: options.machines,
        backlog_events: options.backlog,
        username: options.username,
        password: options.password,
        recording,
        tls: tls(options.tls),
        ..VCenterConfig::default()
    };
    block_on(async {
        let vcenter = VCenter::start(config).await.context("failed to simulate a vCenter")?;
        print_line(&format!("vCenter: {}", vcenter.url()));
        tell_certificate(vcenter.certificate());
        print_line(&format!("control: {}  (GET it for a list of faults)", vcenter.control_url()));
        let (host, is_tls) = (vcenter.address(), vcenter.certificate().is_some());
        let (scheme, trust) = if is_tls { ("https", "GOVC_INSECURE=1 ") } else { ("http", "") };
        print_line(&format!(
            "try:     {trust}GOVC_URL={scheme}://user:pass@{host}/sdk govc events"
        ));
        stopped().await?;
        vcenter.stop().await;
        Ok(())
    })
}

/// As [`vcenter_recording`], of a CloudStack.
fn cloudstack_recording(options: &SimulateFrom) -> Result<Option<cloudstack::Recording>, Failed> {
    let Some(folder) = &options.from else { return Ok(None) };
    let mut recording = cloudstack::Recording::default();
    let taken = recorded::read(folder, options, &mut recording)?;
    (recording.begin, recording.speed) = (taken.beginning(options.at), options.speed);
    taken.tell();
    Ok(Some(recording))
}

/// A CloudStack, until stopped.
pub(crate) fn cloudstack(options: SimulateCloudstack) -> Result<(), Failed> {
    let recording = cloudstack_recording(&options.recording)?;
    let is_recorded = recording.is_some();
    let release = recording.as_ref().map(cloudstack::Recording::release);
    let default = CloudStackConfig::default();
    let version = options.version.or(release).unwrap_or(default.version);
    let config = CloudStackConfig {
        listen: options.listen,
        version,
        events_per_second: options.rate,
        seed: options.seed,
        machines: options.machines,
        backlog_events: options.backlog,
        tls: tls(options.tls),
        recording,
        ..default
    };
    block_on(async {
        let cloud = CloudStack::start(config).await.context("failed to simulate a CloudStack")?;
        print_line(&format!("CloudStack: {}", cloud.url()));
        tell_certificate(cloud.certificate());
        print_line(&format!("control:    {}  (GET it for a list of faults)", cloud.control_url()));
        print_line("keys, which open simulated clouds and nothing else:");
        // Of a recording there may be thousands; `/control/keys` lists them.
        let told = if is_recorded { 1 } else { usize::MAX };
        for keys in cloud.keys().iter().take(told) {
            let (user, role, path) = (&keys.user, &keys.role, &keys.domain);
            let (api, secret) = (&keys.api_key, &keys.secret_key);
            print_line(&format!("  {user:<15} {role:<13} {path:<24} {api} {secret}"));
        }
        let is_tls = cloud.certificate().is_some();
        let trust = if is_tls { "CLOUDSTACK_DANGEROUS_NO_TLS_VERIFY=1 " } else { "" };
        if let Some(root) = cloud.keys().first() {
            print_line(&format!(
                "try:        {trust}CLOUDSTACK_ENDPOINT={} CLOUDSTACK_KEY={} CLOUDSTACK_SECRET={} cs \
                 listEvents",
                cloud.url(),
                root.api_key,
                root.secret_key
            ));
        }
        stopped().await?;
        cloud.stop().await;
        Ok(())
    })
}

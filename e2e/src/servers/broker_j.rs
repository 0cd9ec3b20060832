//! Apache Qpid Broker-J, <https://qpid.apache.org>: a second broker of AMQP 1.0, by other people than
//! Artemis. Queues come into being when somebody uses them.
//!
//! From PEM it reads RSA keys only, so its certificate is packed by openssl.

use std::{net::SocketAddr, path::Path, process::Command};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    amqp::{Amqp, broker},
    free_address, java,
    service::{Home, Ready, Service},
};
use crate::{arrived::Message, process::Process, stage::Stage, tls::Certificates, tools::Tool};

/// A running broker.
#[derive(Debug)]
pub struct BrokerJ {
    service: Service,
    amqp: Amqp,
}

broker!(BrokerJ);

impl BrokerJ {
    /// The only user.
    pub const USERNAME: &'static str = "writer";
    /// Its password.
    pub const PASSWORD: &'static str = "galoshes";
    /// What it needs to be installed, its reader included.
    pub const TOOLS: [Tool; 2] = [Tool::BrokerJ, Tool::Amqp];

    /// Starts it.
    pub async fn start(stage: &Stage) -> Result<Self> {
        let program = stage.tools.path(Tool::BrokerJ).await?;
        let (open, secure) = (free_address()?, free_address()?);
        let home = Home::make(&stage.folder, "broker-j", open.port())?;
        let packed = home.path.join("server.p12");
        let mut pack = Command::new("openssl");
        pack.args(["pkcs12", "-export", "-passout", &format!("pass:{}", Self::PASSWORD)]);
        pack.arg("-in").arg(&home.tls.pair).arg("-out").arg(&packed);
        let mut packing = Process::start("openssl", &mut pack, stage.folder.path())?;
        let status = packing.end(super::START_MAX).await?;
        ensure!(status.success(), "no key store was made: {}", packing.stderr());
        let initial = home.write("initial.json", &configuration(open, secure, &packed))?;
        let mut command = java();
        command.arg(format!("-DQPID_HOME={}", program.display()));
        command.arg(format!("-DQPID_WORK={}", home.data().display()));
        command.arg("-cp").arg(format!("{}/lib/*", program.display()));
        command.args(["org.apache.qpid.server.Main", "-icp"]).arg(initial);
        // The number of its message "ready".
        let service = Service::start(stage, "broker-j", command, Ready::Says("BRK-1004")).await?;
        let (username, password) = (Self::USERNAME, Self::PASSWORD);
        let amqp = Amqp { open, secure, tls: home.tls, username, password };
        Ok(Self { service, amqp })
    }
}

/// Its first configuration; from then on it keeps its own. PLAIN is allowed without TLS, too.
fn configuration(open: SocketAddr, secure: SocketAddr, keys: &Path) -> String {
    let queues = json!({
        "type": "DERBY",
        "nodeAutoCreationPolicies": [{
            "pattern": ".*",
            "nodeType": "queue",
            "createdOnPublish": true,
            "createdOnConsume": true,
            "attributes": {},
        }],
    });
    let port = |name: &str, address: SocketAddr| {
        json!({
            "name": name,
            "port": address.port(),
            "bindingAddress": address.ip().to_string(),
            "protocols": ["AMQP_1_0"],
            "authenticationProvider": "users",
            "virtualhostaliases": [
                {"name": "default", "type": "defaultAlias"},
                {"name": "host", "type": "hostnameAlias"},
            ],
        })
    };
    let mut with_tls = port("secure", secure);
    with_tls["transports"] = json!(["SSL"]);
    with_tls["keyStore"] = json!("keys");
    let configuration = json!({
        "name": "pluvio",
        "modelVersion": "8.0",
        "keystores": [{
            "name": "keys",
            "type": "FileKeyStore",
            "storeUrl": keys,
            "keyStoreType": "PKCS12",
            "password": BrokerJ::PASSWORD,
        }],
        "authenticationproviders": [{
            "name": "users",
            "type": "Plain",
            "secureOnlyMechanisms": [],
            "users": [{
                "name": BrokerJ::USERNAME,
                "type": "managed",
                "password": BrokerJ::PASSWORD,
            }],
        }],
        "ports": [port("open", open), with_tls],
        "virtualhostnodes": [{
            "name": "default",
            "type": "JSON",
            "defaultVirtualHostNode": true,
            "virtualHostInitialConfiguration": queues.to_string(),
        }],
    });
    configuration.to_string()
}

//! An authority of one scenario, and certificates for servers on this machine and for a client.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

use crate::folder::Folder;

/// PEM files in the scenario's folder.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate: what clients trust.
    pub authority: PathBuf,
    /// The server's certificate, for `localhost` and `127.0.0.1`.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Both in one file, as Java wants them.
    pub pair: PathBuf,
    /// A client's certificate, for [`Certificates::CLIENT`].
    pub client_certificate: PathBuf,
    /// Its key.
    pub client_key: PathBuf,
}

impl Certificates {
    /// The client's common name.
    pub const CLIENT: &'static str = "client";

    /// Makes new ones.
    pub fn make(folder: &Folder) -> Result<Self> {
        Self::make_in(folder.path())
    }

    /// Makes new ones in a server's own folder.
    pub fn make_in(folder: &Path) -> Result<Self> {
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "Pluvio's tests");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let server = CertificateParams::new(names)?;
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        let (server, key) = signed(server, "localhost", usage, &issuer)?;
        let client = CertificateParams::new(Vec::new())?;
        let usage = ExtendedKeyUsagePurpose::ClientAuth;
        let (client, client_key) = signed(client, Self::CLIENT, usage, &issuer)?;
        let write = |name: &str, content: &str| {
            let path = folder.join(name);
            fs::write(&path, content)
                .with_context(|| format!("failed to write `{}`", path.display()))?;
            anyhow::Ok(path)
        };
        Ok(Self {
            authority: write("ca.crt", &certificate.pem())?,
            pair: write("server.pem", &format!("{server}{key}"))?,
            certificate: write("server.crt", &server)?,
            key: write("server.key", &key)?,
            client_certificate: write("client.crt", &client)?,
            client_key: write("client.key", &client_key)?,
        })
    }
}

/// A certificate and its key, both as PEM.
fn signed(
    mut parameters: CertificateParams,
    name: &str,
    usage: ExtendedKeyUsagePurpose,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(String, String)> {
    let key = KeyPair::generate()?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![usage];
    Ok((parameters.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}

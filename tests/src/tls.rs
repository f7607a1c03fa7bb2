//! TLS for servers of tests: a certificate authority of the test's own, which nobody trusts who is not told to.

#![expect(clippy::expect_used, reason = "a harness that cannot do its work fails the test")]

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tempfile::NamedTempFile;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// What the certificates of servers are for.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// An authority, and a certificate by it for `localhost` and `127.0.0.1`.
#[derive(Debug)]
pub struct Authority {
    file: NamedTempFile,
    server: Arc<ServerConfig>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, unlike any other.
    ///
    /// # Panics
    ///
    /// If its file cannot be written.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
            .expect("a certificate of the authority");
        let mut file = tempfile::Builder::new().suffix(".pem").tempfile().expect("a temporary file");
        file.write_all(issuer.pem().as_bytes()).expect("room for a certificate");

        let mut params = CertificateParams::new(NAMES.map(str::to_owned)).expect("names of servers");
        params.distinguished_name.push(DnType::CommonName, "Server of a test");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate of the server");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions that the provider knows")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("a certificate that fits its key");
        Self { file, server: Arc::new(server) }
    }

    /// The authority's certificate as PEM, for `http.sslCAInfo`, `curl --cacert` or `ca_file`. Gone when this is
    /// dropped.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.file.path()
    }

    /// How its server speaks.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}

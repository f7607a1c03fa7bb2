//! Over https: whom the client trusts.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tako_engine::wire::PushNotice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::{pace, soon};
use crate::{Client, ClientConfig, ClientError, Token};

/// A certificate for `localhost` by an authority of its own, whose certificate is written to `file`.
fn certificate(file: &Path) -> Arc<ServerConfig> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(file, issuer.pem()).unwrap();

    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    Arc::new(config)
}

#[tokio::test]
async fn a_server_is_trusted_for_its_certificate_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (right, wrong) = (directory.path().join("right.pem"), directory.path().join("wrong.pem"));
    let _ = certificate(&wrong);
    let acceptor = TlsAcceptor::from(certificate(&right));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let notice = PushNotice {
        id: "1".to_owned(),
        repo: "acme/site".parse().unwrap(),
        reference: "refs/heads/main".to_owned(),
        before: None,
        after: None,
        actor: None,
    };
    let ask = |host: &str, ca_file: Option<&Path>| {
        let config = ClientConfig {
            ca_file: ca_file.map(Path::to_owned),
            pace: pace(),
            ..ClientConfig::new(format!("https://{host}:{port}"), Token::new("x"))
        };
        let (client, notice) = (Client::new(config).unwrap(), notice.clone());
        async move { soon(client.push(&notice)).await }
    };
    ask("localhost", Some(&right)).await.unwrap();
    let cases = [
        ("another authority", ask("localhost", Some(&wrong)).await),
        ("nobody in particular", ask("localhost", None).await),
        ("another name", ask("127.0.0.1", Some(&right)).await),
    ];
    for (name, refused) in cases {
        let Err(ClientError::Unreachable { source, .. }) = refused else { panic!("{name}: {refused:?}") };
        assert!(source.to_string().contains("certificate"), "{name}: {source}");
    }
}

//! Envelopes under a key in Key Vault, opened and sealed by the second implementation.

use planton_envelope::KekId;
use test_support::second_implementation::{ENVELOPES, SecondImplementation};
use xtask::azure::AzureFake;

use super::kms_support::KeyPlace;

/// Opens with a token alone, which Microsoft's own client gets, and wraps with that client.
const MICROSOFT: &str = r#"
from azure.identity import ClientSecretCredential
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm
class MicrosoftKek(pse.AzureKeyVaultKek):
    def __init__(self, kek_id, vault_url, tenant, client, ca_file):
        credential = ClientSecretCredential(
            tenant,
            client,
            os.environ["CLIENT_SECRET"],
            authority=vault_url,
            disable_instance_discovery=True,
        )
        token = credential.get_token("https://vault.azure.net/.default").token
        super().__init__(kek_id, token, ca_file)
        self.client = CryptographyClient(kek_id, credential, verify_challenge_resource=False)
    def wrap(self, data_key, binding):
        algorithm = KeyWrapAlgorithm.rsa_oaep_256
        return self.client.wrap_key(algorithm, data_key + binding).encrypted_key
"#;

fn python(place: &KeyPlace, kek: &KekId) -> SecondImplementation {
    let fake = &place.place.fake;
    let (vault_url, ca_file) = (fake.vault_url(), fake.ca_file());
    let ca_file = ca_file.to_str().unwrap();
    let (tenant, client) = (AzureFake::TENANT, AzureFake::CLIENT);
    let arguments = [&kek.id, vault_url.as_str(), tenant, client, ca_file];
    SecondImplementation::new("MicrosoftKek", &arguments)
        .defined(MICROSOFT)
        .with("CLIENT_SECRET", place.place.secret.value())
        .with("REQUESTS_CA_BUNDLE", ca_file)
        .with("NO_PROXY", "127.0.0.1")
}

#[tokio::test]
async fn python_opens_what_is_sealed_here_with_a_token_alone() {
    let place = KeyPlace::new();
    let resolved = place.declared().resolve().await.unwrap();
    let python = python(&place, &resolved.id);
    python
        .opens_what_is_sealed_under(resolved.kek.as_ref())
        .await;
    let requests = place.requests();
    let unwraps = requests.iter().filter(|(path, _)| path == "unwrapkey");
    assert_eq!(unwraps.count(), ENVELOPES + 1, "Python unwraps by itself");
}

#[tokio::test]
async fn what_python_seals_with_microsofts_own_client_opens_here() {
    let place = KeyPlace::new();
    let resolved = place.declared().resolve().await.unwrap();
    let python = python(&place, &resolved.id);
    python.seals_what_opens_under(resolved.kek.as_ref()).await;
}

//! Envelopes under a key in Cloud KMS, opened and sealed by the second implementation.

use test_support::second_implementation::{ENVELOPES, SecondImplementation};

use super::kms_support::KmsPlace;

/// Opens with a token alone, and wraps with Google's own client.
const GOOGLE: &str = r#"
from google.cloud import kms
from google.oauth2.credentials import Credentials
class GoogleKek(pse.GcpKmsKek):
    def __init__(self, kek_id, endpoint):
        super().__init__(kek_id, os.environ["TOKEN"], endpoint)
        self.client = kms.KeyManagementServiceClient(
            credentials=Credentials(token=self.token),
            transport="rest",
            client_options={"api_endpoint": endpoint},
        )
    def wrap(self, data_key, binding):
        request = {
            "name": self.kek_id,
            "plaintext": data_key,
            "additional_authenticated_data": binding,
        }
        answer = self.client.encrypt(request=request)
        version = int(answer.name.rpartition("/")[2])
        return b"\x01" + version.to_bytes(8, "big") + answer.ciphertext
"#;

fn python(place: &KmsPlace) -> SecondImplementation {
    let fake = &place.place.fake;
    SecondImplementation::new("GoogleKek", &[&KmsPlace::name(), fake.address()])
        .defined(GOOGLE)
        .with("TOKEN", &fake.token().unwrap())
}

#[tokio::test]
async fn python_opens_what_is_sealed_here_with_a_token_alone() {
    let place = KmsPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    python(&place)
        .opens_what_is_sealed_under(kek.as_ref())
        .await;
    let requests = place.place.fake.requests().unwrap();
    let decrypts = requests.iter().filter(|(name, _)| name == "Decrypt");
    assert_eq!(decrypts.count(), ENVELOPES + 1, "Python unwraps by itself");
}

#[tokio::test]
async fn what_python_seals_with_googles_own_client_opens_here() {
    let place = KmsPlace::new();
    let kek = place.declared().resolve().await.unwrap().kek;
    python(&place).seals_what_opens_under(kek.as_ref()).await;
}

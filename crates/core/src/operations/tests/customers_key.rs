//! An organization whose KEK is a customer's key, as on a bucket: its record keeps the
//! identifier, and no alias chooses another key unnoticed.

mod versions;

use std::sync::Arc;

use super::escrow::{key, record};
use super::*;
use crate::catalog::{CatalogVerb, RecordKey};
use crate::kek::{KekErrorKind, KekPins, KekSettings, KeyEncryptionKey, ServiceKek, pin_of};
use crate::operations::tests::backends::keys::keys;
use crate::store::StoreCredential;

/// An organization in memory whose settings name a key in a service.
struct Customers {
    world: World,
    /// The name in the settings.
    named: &'static str,
    second: Option<&'static str>,
}

impl Customers {
    fn naming(named: &'static str) -> Self {
        Self {
            world: World::new(),
            named,
            second: None,
        }
    }

    /// An organization that was created while `alias/main` named the key `first`.
    async fn of_alias() -> Self {
        let customers = Self::naming("alias/main");
        customers.world.kek_connector.alias("alias/main", "first");
        customers.create("db", "hunter2").await.unwrap();
        customers
    }

    fn kek(&self, named: &str) -> Arc<ServiceKek> {
        let settings = KekSettings {
            kind: "test".to_owned(),
            configuration: [("key".to_owned(), named.into())].into(),
        };
        let connector = Arc::clone(&self.world.kek_connector) as _;
        let none = StoreCredential::new();
        let kek = ServiceKek::new(settings, none, connector);
        Arc::new(kek.with_remedies(|remedy| remedy.replace("of a backend", "of this block")))
    }

    fn process(&self) -> Organization {
        let mut platform = self.world.platform();
        let main = self.kek(self.named);
        platform.mac_kek = match self.second {
            Some(second) => self.kek(second),
            None => Arc::clone(&main) as _,
        };
        platform.kek = main;
        Organization::new(requests::acme(), platform)
    }

    async fn create(&self, named: &str, value: &str) -> Result<SecretView, OperationError> {
        let process = self.process();
        let create = create_of(named, given(value));
        process
            .secrets()
            .create(create, &Interrupt::default())
            .await
    }

    async fn value(&self, named: &str) -> Result<String, OperationError> {
        let process = self.process();
        let selector = Selector::Name(name(named));
        let opened = process.secrets().open(&selector, None).await?;
        Ok(requests::exposed(&opened.value))
    }
}

fn kind<T: std::fmt::Debug>(outcome: Result<T, OperationError>) -> KekErrorKind {
    match outcome {
        Err(OperationError::Kek(error)) => {
            assert!(error.remedy().is_some(), "{error:?}");
            error.kind()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn first_use_resolves_the_key_and_every_other_process_takes_it_from_the_record() {
    let customers = Customers::of_alias().await;
    let first = customers.world.kek_connector.key("first");
    let recorded = record(&customers.world).await;
    assert_eq!(recorded.main_key.as_ref(), Some(first.id()));
    assert_eq!(first.calls(KekVerb::Provision), 0, "a key was created");
    assert_eq!(customers.value("db").await.unwrap(), "hunter2");
    // A refresh does not ask the service.
    let asked = customers.world.kek_connector.asked();
    let process = customers.process();
    process.platform_backend_uuid().await.unwrap();
    assert_eq!(customers.world.kek_connector.asked(), asked);
}

#[tokio::test]
async fn a_moved_alias_is_an_error_before_anything_is_wrapped_or_unwrapped() {
    let customers = Customers::of_alias().await;
    let connector = &customers.world.kek_connector;
    connector.alias("alias/main", "second");
    let writes = customers.world.counts().write;
    let unwraps = connector.key("first").calls(KekVerb::Unwrap);
    assert_eq!(
        kind(customers.create("other", "x").await),
        KekErrorKind::Misconfigured
    );
    assert_eq!(
        kind(customers.value("db").await),
        KekErrorKind::Misconfigured
    );
    assert_eq!(customers.world.counts().write, writes);
    assert_eq!(connector.key("first").calls(KekVerb::Unwrap), unwraps);
    assert_eq!(connector.key("second").calls(KekVerb::Wrap), 0);
    connector.alias("alias/main", "first");
    assert_eq!(customers.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn settings_that_name_another_key_than_the_record_are_an_error() {
    let customers = Customers::naming("first");
    customers.create("db", "hunter2").await.unwrap();
    let other = Customers {
        world: customers.world.clone(),
        ..Customers::naming("second")
    };
    assert!(matches!(
        other.value("db").await,
        Err(OperationError::Kek(_))
    ));
    let second = other.world.kek_connector.key("second");
    assert_eq!(
        second.calls(KekVerb::Wrap) + second.calls(KekVerb::Unwrap),
        0
    );
}

#[tokio::test]
async fn a_key_that_is_not_pinned_creates_no_organization() {
    let customers = Customers::naming("first");
    let pins = KekPins {
        allowed_key_ids: Some(["test:other".to_owned()].into()),
        ..KekPins::default()
    };
    let process = customers.process().with_pins(pins);
    // Nor is the storage probed, which writes.
    customers.world.catalog.refuse();
    let create = create_of("db", given("x"));
    let interrupt = Interrupt::default();
    let created = process.secrets().create(create, &interrupt);
    assert!(matches!(
        created.await,
        Err(OperationError::KeyNotAllowed { .. })
    ));
    assert_eq!(customers.world.counts().write, 0, "something was written");
}

#[tokio::test]
async fn a_first_use_that_was_killed_continues_with_the_key_of_its_record() {
    let customers = Customers::naming("alias/main");
    let connector = &customers.world.kek_connector;
    connector.alias("alias/main", "first");
    connector
        .key("first")
        .deny(KekVerb::Wrap, KekErrorKind::Unavailable);
    customers.create("db", "x").await.unwrap_err();
    assert!(!record(&customers.world).await.state.is_ready());
    connector.key("first").allow();
    // Whoever moves the alias meanwhile does not choose another key.
    connector.alias("alias/main", "second");
    assert_eq!(
        kind(customers.create("db", "x").await),
        KekErrorKind::Misconfigured
    );
    connector.alias("alias/main", "first");
    customers.create("db", "x").await.unwrap();
    assert_eq!(customers.value("db").await.unwrap(), "x");
}

#[tokio::test]
async fn racing_first_uses_end_with_one_key_though_the_alias_moves() {
    let customers = Customers::naming("alias/main");
    let connector = Arc::clone(&customers.world.kek_connector);
    connector.alias("alias/main", "first");
    let theirs = Customers {
        world: customers.world.clone(),
        ..Customers::naming("alias/main")
    };
    let moved = Arc::clone(&connector);
    customers
        .world
        .catalog
        .before(CatalogVerb::Write, 1, async move {
            moved.alias("alias/main", "second");
            theirs.create("theirs", "theirs").await.unwrap();
        });
    // This process has resolved the first key, and the record names the second one.
    assert!(matches!(
        customers.create("ours", "ours").await,
        Err(OperationError::Kek(_))
    ));
    customers.create("ours", "ours").await.unwrap();
    for named in ["ours", "theirs"] {
        assert_eq!(customers.value(named).await.unwrap(), named);
    }
    assert_eq!(connector.key("first").calls(KekVerb::Wrap), 0);
}

#[tokio::test]
async fn a_second_key_wraps_the_mac_key_and_nothing_else() {
    let customers = Customers {
        second: Some("mac"),
        ..Customers::naming("first")
    };
    customers.create("db", "hunter2").await.unwrap();
    customers.create("other", "x").await.unwrap();
    assert_eq!(customers.value("db").await.unwrap(), "hunter2");
    let connector = &customers.world.kek_connector;
    assert_eq!(connector.key("mac").calls(KekVerb::Wrap), 1);
    let recorded = record(&customers.world).await;
    assert_eq!(
        recorded.main_key.as_ref(),
        Some(connector.key("first").id())
    );
    let status = customers.process();
    let status = status.keys().status().await.unwrap();
    assert_eq!(&status.mac.id, connector.key("mac").id());
}

#[tokio::test]
async fn a_second_name_of_the_main_key_is_no_second_key() {
    let customers = Customers {
        second: Some("also-first"),
        ..Customers::naming("first")
    };
    let connector = &customers.world.kek_connector;
    connector.alias("also-first", "first");
    assert_eq!(
        kind(customers.create("db", "x").await),
        KekErrorKind::Misconfigured
    );
    assert_eq!(customers.world.counts().write, 0, "something was written");
    // Nor once the organization exists.
    let one = Customers {
        world: customers.world.clone(),
        ..Customers::naming("first")
    };
    one.create("db", "x").await.unwrap();
    assert_eq!(
        kind(customers.value("db").await),
        KekErrorKind::Misconfigured
    );
}

#[tokio::test]
async fn a_missing_second_key_and_one_that_is_not_the_organizations_are_named() {
    let two = Customers {
        second: Some("mac"),
        ..Customers::naming("first")
    };
    two.create("db", "x").await.unwrap();
    let without = Customers {
        world: two.world.clone(),
        ..Customers::naming("first")
    };
    let one = Customers::naming("first");
    one.create("db", "x").await.unwrap();
    let with = Customers {
        world: one.world.clone(),
        second: Some("mac"),
        ..Customers::naming("first")
    };
    for (customers, said) in [(without, "Set mac_key_name"), (with, "Omit mac_key_name")] {
        match customers.value("db").await {
            Err(OperationError::Kek(error)) => {
                assert!(error.remedy().unwrap().contains(said), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_key_that_is_disabled_is_told_to_be_replaced_with_an_escrow_identity() {
    let customers = Customers::naming("first");
    customers.create("db", "x").await.unwrap();
    let first = customers.world.kek_connector.key("first");
    first.deny(KekVerb::Wrap, KekErrorKind::Disabled);
    match customers.create("other", "x").await {
        Err(OperationError::Kek(error)) => {
            assert_eq!(error.kind(), KekErrorKind::Disabled);
            let remedy = error.remedy().unwrap();
            assert!(
                remedy.starts_with("Use the arguments of this block."),
                "{remedy}"
            );
            assert!(remedy.contains("rewrap --with"), "{remedy}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_record_that_names_a_planted_key_is_refused() {
    let customers = Customers::of_alias().await;
    let planted = customers.world.kek_connector.key("planted").id().clone();
    let record = key();
    let stored = customers.world.stored(&record).await.unwrap();
    let first = customers.world.kek_connector.key("first").id().id.clone();
    let body = stored.body.replace(&first, &planted.id);
    assert_ne!(body, stored.body);
    customers
        .world
        .catalog
        .overwrite(&record, crate::catalog::StoredRecord { body, ..stored });
    assert_eq!(
        kind(customers.create("other", "x").await),
        KekErrorKind::Misconfigured
    );
    let planted = customers.world.kek_connector.key("planted");
    assert_eq!(
        planted.calls(KekVerb::Wrap) + planted.calls(KekVerb::Unwrap),
        0
    );
}

/// Loses the key `first` of an organization with an escrow key, and installs the key `second`,
/// which `renamed` names by then.
async fn rescue(customers: &Customers, renamed: &Customers, moved: impl FnOnce()) {
    let interrupt = Interrupt::default();
    let escrow = keys(None, &["safe"]).escrow;
    let process = customers.process();
    process
        .keys()
        .initialize(&escrow, &interrupt)
        .await
        .unwrap();
    let fingerprint = process.keys().fingerprint().await.unwrap();
    customers.create("db", "hunter2").await.unwrap();
    let connector = &customers.world.kek_connector;
    connector.key("first").lose();
    moved();
    let allowed = ["second", "safe"].map(|named| pin_of(connector.key(named).id()));
    let rescuer = renamed
        .process()
        .with_pins(KekPins {
            organization: Some(fingerprint),
            allowed_key_ids: Some(allowed.into()),
        })
        .with_rescue(vec![connector.key("safe")]);
    rescuer.keys().install_main_key(&interrupt).await.unwrap();
    rescuer.keys().rewrap_records(&interrupt).await.unwrap();
    let platform = "platform".parse().unwrap();
    let rewrapped = rescuer.keys().rewrap(&platform, &|_| {}, &interrupt).await;
    assert!(rewrapped.unwrap().failed.is_empty());
    let recorded = record(&customers.world).await;
    assert_eq!(
        recorded.main_key.as_ref(),
        Some(connector.key("second").id())
    );
    assert_eq!(renamed.value("db").await.unwrap(), "hunter2");
}

#[tokio::test]
async fn an_escrow_identity_installs_the_key_that_the_settings_name_now() {
    let customers = Customers::naming("first");
    let renamed = Customers {
        world: customers.world.clone(),
        ..Customers::naming("second")
    };
    rescue(&customers, &renamed, || ()).await;
    assert_eq!(
        kind(customers.value("db").await.map(drop)),
        KekErrorKind::Misconfigured
    );
}

#[tokio::test]
async fn an_escrow_identity_installs_the_key_that_a_moved_alias_names_now() {
    let customers = Customers::naming("alias/main");
    let connector = Arc::clone(&customers.world.kek_connector);
    connector.alias("alias/main", "first");
    rescue(&customers, &customers, || {
        connector.alias("alias/main", "second");
    })
    .await;
}

#[tokio::test]
async fn a_storage_that_cannot_be_used_gets_no_record() {
    let world = World::new();
    world.catalog.refuse();
    let process = world.process();
    let create = create_of("db", given("x"));
    let interrupt = Interrupt::default();
    let created = process.secrets().create(create, &interrupt);
    assert!(matches!(created.await, Err(OperationError::Catalog(_))));
    assert_eq!(world.counts().write, 0, "something was written");
    assert_eq!(world.counts().provision, 0, "a key was created");
    let organization = RecordKey::new("organization");
    assert!(world.stored(&organization).await.is_none());
}

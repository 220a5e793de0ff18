//! The guide shows the policies as the provider means them.

use terraform_provider_planton::clients::openbao::{PolicyRole, policy_text};

use crate::policies::scope;

#[test]
fn the_guide_shows_the_policies_word_for_word() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guides/openbao.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    for role in [PolicyRole::Apply, PolicyRole::Plan] {
        let policy = policy_text(&scope("acme"), role);
        let block = format!("```hcl\n{policy}```\n");
        assert!(
            guide.contains(&block),
            "the guide lacks this block, or has an old one:\n{block}"
        );
    }
}

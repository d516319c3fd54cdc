use super::SubnetRuleReads;

#[test]
fn a_few_subscriptions_are_asked_for_all_subnet_rules_and_many_for_the_deciding_ones() {
    assert!(SubnetRuleReads::Auto.all_of(1) && SubnetRuleReads::Auto.all_of(10));
    assert!(!SubnetRuleReads::Auto.all_of(11));
    assert!(SubnetRuleReads::All.all_of(1000) && !SubnetRuleReads::Deciding.all_of(1));
}
